#include <linux/openat2.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/vfs.h>

#include "CSluice.h"

const int sluice_o_path = O_PATH;
const int sluice_o_tmpfile = O_TMPFILE;

int sluice_openat2(int directory, const char *path, uint64_t flags, uint64_t mode,
                   uint64_t resolve) {
  struct open_how how = {.flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve};
  // EAGAIN: a directory was moved during the walk, and the kernel could not prove that the path
  // stays beneath. The next try nearly always succeeds.
  for (int tries = 0;; tries++) {
    long fd = syscall(SYS_openat2, directory, path, &how, sizeof how);
    if (fd >= 0) return (int)fd;
    if (errno == EINTR) continue;
    if (errno == EAGAIN && !(flags & O_NONBLOCK) && tries < 64) continue;
    return -errno;
  }
}

int sluice_fallocate(int fd, int64_t size) {
  return (int)SLUICE_RETRY(fallocate(fd, 0, 0, size));
}

int sluice_faccessat(int directory, const char *path, int mode) {
  return faccessat(directory, path, mode, AT_EACCESS) < 0 ? -errno : 0;
}

int sluice_file_system(int fd, uint32_t *magic, uint64_t *which) {
  struct statfs status;
  if (SLUICE_RETRY(fstatfs(fd, &status)) < 0) return -errno;
  *magic = (uint32_t)status.f_type;
  memcpy(which, &status.f_fsid, sizeof *which);
  return 0;
}

#ifndef AT_HANDLE_FID
#define AT_HANDLE_FID 0x200
#endif

int sluice_file_handle(int fd, int is_only_a_name, uint8_t handle[SLUICE_HANDLE_BYTE_COUNT_MAX]) {
  union {
    struct file_handle head;
    char bytes[sizeof(struct file_handle) + MAX_HANDLE_SZ];
  } room = {.head = {.handle_bytes = MAX_HANDLE_SZ}};
  _Static_assert(MAX_HANDLE_SZ + sizeof(int) == SLUICE_HANDLE_BYTE_COUNT_MAX, "type and bytes");
  int mount, flags = AT_EMPTY_PATH | (is_only_a_name ? AT_HANDLE_FID : 0);
  if (name_to_handle_at(fd, "", &room.head, &mount, flags) < 0) return -errno;
  if (room.head.handle_bytes > MAX_HANDLE_SZ) return -EOVERFLOW;
  memcpy(handle, &room.head.handle_type, sizeof(int));
  memcpy(handle + sizeof(int), room.head.f_handle, room.head.handle_bytes);
  return (int)(sizeof(int) + room.head.handle_bytes);
}

int sluice_file_birth(int fd, int64_t *seconds, uint32_t *nanoseconds) {
  struct statx status;
  if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_SYNC_AS_STAT, STATX_BTIME, &status) < 0) return -errno;
  *seconds = status.stx_btime.tv_sec;
  *nanoseconds = status.stx_btime.tv_nsec;
  return (status.stx_mask & STATX_BTIME) == 0;
}

static int ofd_call(int fd, int command, struct flock *lock) {
  lock->l_whence = SEEK_SET;
  lock->l_pid = 0;
  return (int)SLUICE_RETRY(fcntl(fd, command, lock));
}

int sluice_ofd_lock(int fd, int kind, int64_t start, int64_t length) {
  struct flock lock = {.l_type = (short)kind, .l_start = start, .l_len = length};
  int result = ofd_call(fd, F_OFD_SETLK, &lock);
  return result == -EACCES ? -EAGAIN : result;
}

int sluice_ofd_lock_blocker(int fd, int kind, int64_t start, int64_t length) {
  struct flock lock = {.l_type = (short)kind, .l_start = start, .l_len = length};
  int result = ofd_call(fd, F_OFD_GETLK, &lock);
  if (result < 0) return result;
  if (lock.l_type == F_UNLCK) return 0;
  return SLUICE_BLOCKER_IS_THERE | (lock.l_pid == -1 ? SLUICE_BLOCKER_IS_DESCRIPTION : 0) |
         (lock.l_type == F_WRLCK ? SLUICE_BLOCKER_IS_EXCLUSIVE : 0);
}

int sluice_lease_take(int fd, int signal) {
  if (fcntl(fd, F_SETLEASE, F_WRLCK) < 0) return -errno;
  // Taking a lease sets the owner to the caller's process group leader and forgets the signal.
  struct f_owner_ex owner = {F_OWNER_PID, getpid()};
  if (fcntl(fd, F_SETSIG, signal) < 0 || fcntl(fd, F_SETOWN_EX, &owner) < 0) {
    int error = errno;
    fcntl(fd, F_SETLEASE, F_UNLCK);
    return -error;
  }
  return 0;
}

int sluice_lease_give_back(int fd) { return fcntl(fd, F_SETLEASE, F_UNLCK) < 0 ? -errno : 0; }

int sluice_lease_is_held(int fd) {
  int kind = fcntl(fd, F_GETLEASE);
  return kind < 0 ? -errno : kind == F_WRLCK;
}

int sluice_socket_pair(int ends[2]) {
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return -errno;
  for (int i = 0; i < 2; i++) ends[i] = sluice_descriptor_raise(ends[i]);
  return 0;
}

static int address_of(const char *path, struct sockaddr_un *address) {
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address->sun_path) return -ENAMETOOLONG;
  strcpy(address->sun_path, path);
  return 0;
}

static int socket_at(const char *path, int type,
                     int (*attach)(int, const struct sockaddr *, socklen_t)) {
  struct sockaddr_un address;
  int error = address_of(path, &address);
  if (error < 0) return error;
  int fd = socket(AF_UNIX, type, 0);
  if (fd < 0) return -errno;
  fd = sluice_descriptor_raise(fd);
  int64_t result = SLUICE_RETRY(attach(fd, (struct sockaddr *)&address, sizeof address));
  if (result < 0) {
    close(fd);
    return (int)result;
  }
  return fd;
}

int sluice_socket_listen(const char *path, int backlog, uint32_t permissions) {
  int fd = socket_at(path, SOCK_SEQPACKET | SOCK_CLOEXEC, bind);
  if (fd < 0) return fd;
  if (chmod(path, permissions) < 0 || listen(fd, backlog) < 0) {
    int error = errno;
    unlink(path);
    close(fd);
    return -error;
  }
  return fd;
}

int sluice_socket_connect(const char *path) {
  return socket_at(path, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, connect);
}

int sluice_socket_accept(int fd) {
  return (int)SLUICE_RETRY(accept4(fd, NULL, NULL, SOCK_CLOEXEC));
}

// Room for two descriptors and the credentials, aligned as cmsghdr wants.
union control {
  struct cmsghdr align;
  char bytes[CMSG_SPACE(2 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
};

int64_t sluice_socket_send(int fd, const void *buffer, size_t count, int first, int second,
                           int with_credentials) {
  union control control = {0};
  struct iovec data = {(void *)buffer, count};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
  int descriptors[2] = {first, second};
  size_t descriptor_count = (first >= 0) + (second >= 0);
  size_t used = 0;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (descriptor_count > 0) {
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(descriptor_count * sizeof(int));
    memcpy(CMSG_DATA(header), descriptors, descriptor_count * sizeof(int));
    used += CMSG_SPACE(descriptor_count * sizeof(int));
    header = (struct cmsghdr *)(control.bytes + used);
  }
  if (with_credentials) {
    struct ucred self = {getpid(), geteuid(), getegid()};
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_CREDENTIALS;
    header->cmsg_len = CMSG_LEN(sizeof self);
    memcpy(CMSG_DATA(header), &self, sizeof self);
    used += CMSG_SPACE(sizeof self);
  }
  if (used == 0) message.msg_control = NULL;
  message.msg_controllen = used;
  int64_t result = SLUICE_RETRY(sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT));
  // The kernel cannot name a user that has no number in this user namespace: EINVAL, or EPERM if
  // the overflow number belongs to another user.
  if ((result == -EINVAL || result == -EPERM) && with_credentials)
    return sluice_socket_send(fd, buffer, count, first, second, 0);
  return result;
}

int64_t sluice_socket_receive(int fd, void *buffer, size_t count, int *first, int *second,
                              int *pid) {
  *first = *second = -1;
  *pid = 0;
  union control control;
  struct iovec data = {buffer, count};
  struct msghdr message = {.msg_iov = &data,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof control.bytes};
  int64_t result = SLUICE_RETRY(recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
  if (result < 0) return result;
  for (struct cmsghdr *h = CMSG_FIRSTHDR(&message); h; h = CMSG_NXTHDR(&message, h)) {
    if (h->cmsg_level != SOL_SOCKET) continue;
    if (h->cmsg_type == SCM_CREDENTIALS) {
      struct ucred sender;
      memcpy(&sender, CMSG_DATA(h), sizeof sender);
      *pid = sender.pid;
    } else if (h->cmsg_type == SCM_RIGHTS) {
      size_t received = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (size_t i = 0; i < received; i++) {
        int passed;
        memcpy(&passed, CMSG_DATA(h) + i * sizeof(int), sizeof passed);
        if (*first < 0) *first = passed;
        else if (*second < 0) *second = passed;
        else close(passed);
      }
    }
  }
  return (message.msg_flags & MSG_TRUNC) ? -EMSGSIZE : result;
}

int sluice_socket_pass_credentials(int fd) {
  int on = 1;
  return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0 ? -errno : 0;
}

int sluice_socket_shutdown(int fd) { return shutdown(fd, SHUT_RDWR) < 0 ? -errno : 0; }

int sluice_socket_peer(int fd, uint32_t *uid, int *pid) {
  struct ucred peer;
  socklen_t byte_count = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &byte_count) < 0) return -errno;
  *uid = peer.uid;
  *pid = peer.pid;
  return 0;
}

int sluice_bell_create(void) {
  int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return fd < 0 ? -errno : fd;
}

void sluice_bell_ring(int fd) {
  uint64_t one = 1;
  SLUICE_RETRY(write(fd, &one, sizeof one));
}

void sluice_bell_silence(int fd) {
  uint64_t count;
  SLUICE_RETRY(read(fd, &count, sizeof count));
}

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

int sluice_socket_peer_end(int fd) {
  int end;
  socklen_t byte_count = sizeof end;
  return getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &end, &byte_count) < 0 ? -errno : end;
}

int sluice_epoll_create(void) {
  int fd = epoll_create1(EPOLL_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

int sluice_epoll_add(int epoll, int fd, uint64_t token) {
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = token};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int sluice_epoll_remove(int epoll, int fd) {
  return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL) < 0 ? -errno : 0;
}

int sluice_epoll_wait(int epoll, uint64_t *token, int timeout_ms) {
  struct epoll_event event;
  int64_t count = SLUICE_RETRY(epoll_wait(epoll, &event, 1, timeout_ms));
  if (count > 0) *token = event.data.u64;
  return (int)count;
}

int64_t sluice_random(void *buffer, size_t count) {
  return SLUICE_RETRY(getrandom(buffer, count, 0));
}

const char *sluice_errno_text(int error_number) {
  const char *text = strerrordesc_np(error_number);
  return text ? text : "Unknown error";
}

int sluice_replace_descriptor(int fd, int place) {
  return dup3(fd, place, O_CLOEXEC) < 0 ? -errno : 0;
}
