#include <dlfcn.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "CSluice.h"

const int sluice_lease_signal = 40;  // a real-time signal, so that breaks queue up

// A part of the caller's stack, because to map another costs a third of what the child does.
enum { child_stack_byte_count = 16 * 1024 };

// Runs `body` in a child that shares this process's memory and has a copy of its descriptors and of
// its file-system state, and waits for its end.
int sluice_run_beside(int (*body)(void *), void *context) {
  _Alignas(16) char stack[child_stack_byte_count];
  // No signal handler of the host may run in the child while it shares the host's memory.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int child = clone(body, stack + child_stack_byte_count, CLONE_VM | CLONE_VFORK, context);
  int error = child < 0 ? errno : 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  int status;
  if (child > 0) SLUICE_RETRY(waitpid(child, &status, __WCLONE));
  return -error;
}

struct passed_mapping {
  int socket;
  void *message;
  size_t message_byte_count;
  int64_t offset;
  uint64_t byte_count;
  int writable;
  int64_t result;
  void *address;
  int map_error;
};

// Runs in the caller's memory, but with a copy of its descriptors. So the caller never has a
// descriptor that is received here and closed by _exit().
static int receive_mapping(void *context) {
  struct passed_mapping *passed = context;
  int first, second, sender;
  passed->result = sluice_socket_receive(passed->socket, passed->message,
                                         passed->message_byte_count, &first, &second, &sender);
  if (passed->result >= 0)
    passed->map_error = sluice_map(first, passed->offset, passed->byte_count, passed->writable, 1,
                                   &passed->address);
  _exit(0);
}

int sluice_receive_mapping(int socket, void *message, size_t message_byte_count, int64_t offset,
                           uint64_t byte_count, int writable, void **address, int *map_error,
                           int64_t *received) {
  struct passed_mapping passed = {.socket = socket,
                                  .message = message,
                                  .message_byte_count = message_byte_count,
                                  .offset = offset,
                                  .byte_count = byte_count,
                                  .writable = writable,
                                  .address = *address};
  int result = sluice_run_beside(receive_mapping, &passed);
  *address = passed.address;
  *map_error = passed.map_error;
  *received = passed.result;
  return result;
}

int64_t sluice_socket_receive_above(int socket, void *message, size_t message_byte_count,
                                    int *descriptor) {
  // A descriptor gets the lowest free number. It cannot be moved to another number, because a move
  // ends with a close.
  int low[3], count = 0;
  while (count < 3) {
    int number = fcntl(socket, F_DUPFD_CLOEXEC, 0);
    if (number < 0) break;
    if (number > 2) {
      close(number);
      break;
    }
    low[count++] = number;
  }
  int second, sender;
  int64_t result = sluice_socket_receive(socket, message, message_byte_count, descriptor, &second,
                                         &sender);
  while (count > 0) close(low[--count]);
  if (second >= 0) close(second);
  return result;
}

int64_t sluice_socket_receive_bare(int socket, void *message, size_t message_byte_count) {
  return SLUICE_RETRY(recv(socket, message, message_byte_count, MSG_DONTWAIT));
}

#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

uint64_t sluice_socket_cookie(int fd) {
  uint64_t cookie;
  socklen_t byte_count = sizeof cookie;
  return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &byte_count) < 0 ? 0 : cookie;
}

int sluice_descriptor_mark(int fd) {
  int flags = fcntl(fd, F_GETFL);
  return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

static int is_of(int fd, uint64_t device, uint64_t inode) {
  struct stat status;
  return fstat(fd, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

int sluice_descriptor_is_marked(int fd, uint64_t device, uint64_t inode) {
  int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_NONBLOCK) && is_of(fd, device, inode);
}

int sluice_descriptors_of(uint64_t device, uint64_t inode) {
  DIR *directory = opendir("/proc/self/fd");
  if (!directory) return -errno;
  struct statfs system;
  int count = fstatfs(dirfd(directory), &system) < 0 ? -errno : 0;
  if (count == 0 && system.f_type != 0x9fa0 /* PROC_SUPER_MAGIC */) count = -ENOENT;
  for (const char *name; count >= 0 && (name = sluice_next_name(directory));)
    if (*name != '.' && is_of(atoi(name), device, inode)) count++;
  closedir(directory);
  return count;
}

int sluice_become(char *const arguments[]) {
  execvp(arguments[0], arguments);
  return -errno;
}

int sluice_pidfd_open(int pid) {
  long fd = syscall(SYS_pidfd_open, pid, 0);
  return fd < 0 ? -errno : (int)fd;
}

static int signal_descriptor(const sigset_t *taken) {
  int fd = signalfd(-1, taken, SFD_CLOEXEC | SFD_NONBLOCK);
  return fd < 0 ? -errno : fd;
}

int sluice_stop_signals_take(void) {
  sigset_t all, taken;
  sigfillset(&all);
  // A system call that is refused and reported (confinement.c) raises this signal, so it must not
  // be blocked.
  sigdelset(&all, SIGSYS);
  pthread_sigmask(SIG_SETMASK, &all, NULL);
  sigemptyset(&taken);
  sigaddset(&taken, SIGTERM);
  sigaddset(&taken, SIGINT);
  sigaddset(&taken, SIGHUP);
  return signal_descriptor(&taken);
}

int sluice_lease_signals_take(void) {
  sigset_t taken;
  sigemptyset(&taken);
  sigaddset(&taken, SIGIO);
  sigaddset(&taken, sluice_lease_signal);
  pthread_sigmask(SIG_BLOCK, &taken, NULL);
  return signal_descriptor(&taken);
}

int sluice_signals_read(int fd, int *descriptor) {
  struct signalfd_siginfo info;
  int64_t n = SLUICE_RETRY(read(fd, &info, sizeof info));
  if (n < 0) return (int)n;
  *descriptor = info.ssi_code == SI_USER || info.ssi_code == SI_TKILL ? -1 : info.ssi_fd;
  return (int)info.ssi_signo;
}

int sluice_descriptor_is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

uint64_t sluice_address_space_limit(void) {
  struct rlimit limit;
  return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY ? limit.rlim_cur
                                                                              : UINT64_MAX;
}

uint64_t sluice_raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return 0;
  rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? before : limit.rlim_max;
}

const char *sluice_loaded_from(const void *address) {
  Dl_info info;
  return dladdr(address, &info) ? info.dli_fname : NULL;
}
