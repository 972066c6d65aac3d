// The calls of libc that a sidecar makes on files and on the system. Each call first asks whether it has
// to fail (fail.c), then makes the real call, then records it (record.c). Stock SQLite, which power-loss
// runs as a control, uses the names with 64 and `open`.

#include "layer.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/openat2.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

// The function of that name that a caller would reach without this library. Several threads may look it
// up at once, and all find the same.
#define REAL(name)                                             \
  ({                                                           \
    static __typeof__(&name) real_;                            \
    if (!real_) real_ = (__typeof__(&name))dlsym(RTLD_NEXT, #name); \
    real_;                                                     \
  })

// Fails the call at once, if it has to fail.
#define MAY_FAIL(call, failure)        \
  do {                                 \
    int how_ = fail_now(CALL_##call);  \
    if (how_ != 0 && how_ != FAIL_SHORT) { \
      errno = how_;                    \
      return failure;                  \
    }                                  \
  } while (0)

// The whole function, for calls that are not recorded.
#define INTERPOSE(type, name, failure, parameters, words) \
  type name parameters {                                  \
    MAY_FAIL(name, failure);                              \
    return REAL(name) words;                              \
  }

// --- opening and closing ------------------------------------------------------------------------

typedef long (*system_call)(long, ...);

static long futex_call(system_call call, const long a[6]) {
  int is_wait = ((int)a[1] & FUTEX_CMD_MASK) == FUTEX_WAIT;
  if (is_wait) MAY_FAIL(futex_wait, -1);
  return call(SYS_futex, a[0], a[1], a[2], a[3], a[4], a[5]);
}

// An open that is recorded: by openat2, or by `open` with its mode.
struct opening {
  system_call call;
  const long *arguments;
  int (*open)(const char *, int, ...);
  const char *path;
  mode_t mode;
};

static int open_with(const struct opening *opening, uint64_t flags) {
  if (opening->open) return opening->open(opening->path, (int)flags, opening->mode);
  const long *a = opening->arguments;
  struct open_how how = *(const struct open_how *)a[2];
  how.flags = flags;
  if (!(flags & (O_CREAT | O_TMPFILE))) how.mode = 0;
  return (int)opening->call(SYS_openat2, a[0], a[1], &how, sizeof how);
}

// Only an open that must create the file is made under the lock for names. Another may wait for the
// sidecar to give a lease back, and the sidecar for that lock.
static int recorded_open(const struct opening *opening, uint64_t flags) {
  for (int attempt = 0;; attempt++) {
    if (flags & O_CREAT) {
      record_begin_name();
      int fd = open_with(opening, flags | O_EXCL);
      if (fd >= 0) record_opened(fd, 1);
      record_end_name();
      if (fd >= 0 || errno != EEXIST || (flags & O_EXCL)) return fd;
    }
    record_begin();
    int fd = open_with(opening, flags & ~(uint64_t)O_CREAT);
    if (fd >= 0) record_opened(fd, 0);
    record_end();
    // It may have been deleted in between.
    if (fd >= 0 || errno != ENOENT || !(flags & O_CREAT) || attempt == 100) return fd;
  }
}

static long openat2_call(system_call call, const long a[6]) {
  MAY_FAIL(openat2, -1);
  if (!records) return call(SYS_openat2, a[0], a[1], a[2], a[3]);
  struct opening opening = {.call = call, .arguments = a};
  return recorded_open(&opening, ((const struct open_how *)a[2])->flags);
}

long syscall(long number, ...) {
  long a[6];
  va_list list;
  va_start(list, number);
  for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
  va_end(list);
  system_call call = REAL(syscall);
  switch (number) {
    case SYS_openat2: return openat2_call(call, a);
    case SYS_futex: return futex_call(call, a);
    case SYS_futex_waitv: MAY_FAIL(futex_waitv, -1); break;
    case SYS_pidfd_open: MAY_FAIL(pidfd_open, -1); break;
    case SYS_landlock_create_ruleset:
    case SYS_landlock_add_rule:
    case SYS_landlock_restrict_self: MAY_FAIL(landlock, -1); break;
    case SYS_seccomp: MAY_FAIL(seccomp, -1); break;
    case SYS_set_robust_list:
    case SYS_get_robust_list: MAY_FAIL(robust_list, -1); break;
    default: break;
  }
  return call(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

#define INTERPOSE_OPEN(name)                                       \
  int name(const char *path, int flags, ...) {                     \
    va_list list;                                                  \
    va_start(list, flags);                                         \
    mode_t mode = va_arg(list, mode_t);                            \
    va_end(list);                                                  \
    if (!records) return REAL(name)(path, flags, mode);            \
    struct opening opening = {.open = REAL(name), .path = path, .mode = mode}; \
    return recorded_open(&opening, (unsigned)flags);               \
  }
INTERPOSE_OPEN(open)
INTERPOSE_OPEN(open64)

// As in Linux the descriptor is closed even if close fails.
int close(int fd) {
  int how = fail_now(CALL_close);
  if (records) record_closed(fd);
  int result = REAL(close)(fd);
  if (how == 0) return result;
  errno = how;
  return -1;
}

// --- content ------------------------------------------------------------------------------------

#define INTERPOSE_READ(name)                                              \
  ssize_t name(int fd, void *buffer, size_t count, off_t offset) {        \
    int how = fail_now(CALL_pread);                                       \
    if (how == FAIL_SHORT) return REAL(name)(fd, buffer, (count + 1) / 2, offset); \
    if (how != 0) {                                                       \
      errno = how;                                                        \
      return -1;                                                          \
    }                                                                     \
    return REAL(name)(fd, buffer, count, offset);                         \
  }
INTERPOSE_READ(pread)
INTERPOSE_READ(pread64)

#define INTERPOSE_WRITE(name)                                            \
  ssize_t name(int fd, const void *buffer, size_t count, off_t offset) { \
    int how = fail_now(CALL_pwrite);                                     \
    if (how == FAIL_SHORT) count = (count + 1) / 2;                      \
    if (how != 0 && how != FAIL_SHORT) {                                 \
      errno = how;                                                       \
      return -1;                                                         \
    }                                                                    \
    if (!records) return REAL(name)(fd, buffer, count, offset);          \
    record_begin();                                                      \
    ssize_t done = REAL(name)(fd, buffer, count, offset);                \
    if (done > 0) record_write(fd, buffer, (size_t)done, offset);        \
    record_end();                                                        \
    return done;                                                         \
  }
INTERPOSE_WRITE(pwrite)
INTERPOSE_WRITE(pwrite64)

static struct timespec sync_delay;

__attribute__((constructor)) static void read_sync_delay(void) {
  const char *microseconds = getenv("SLUICE_FAULTS_SYNC_MICROSECONDS");
  long delay = microseconds ? atol(microseconds) : 0;
  sync_delay = (struct timespec){delay / 1000000, delay % 1000000 * 1000};
}

static void delay_sync(void) {
  if (sync_delay.tv_sec || sync_delay.tv_nsec) nanosleep(&sync_delay, NULL);
}

#define INTERPOSE_TRUNCATE(name)                                     \
  int name(int fd, off_t size) {                                     \
    MAY_FAIL(ftruncate, -1);                                         \
    if (!records) return REAL(name)(fd, size);                       \
    record_begin();                                                  \
    int result = REAL(name)(fd, size);                               \
    if (result == 0) record_size(fd, RECORD_TRUNCATE, size);         \
    record_end();                                                    \
    return result;                                                   \
  }
INTERPOSE_TRUNCATE(ftruncate)
INTERPOSE_TRUNCATE(ftruncate64)

int fallocate(int fd, int mode, off_t offset, off_t size) {
  MAY_FAIL(fallocate, -1);
  if (!records) return REAL(fallocate)(fd, mode, offset, size);
  record_begin();
  int result = REAL(fallocate)(fd, mode, offset, size);
  if (result == 0) record_size(fd, RECORD_EXTEND, offset + size);
  record_end();
  return result;
}

// As on a disk, others go on while a sync is under way, and one that fails does so at its end.
#define INTERPOSE_SYNC(name)                       \
  int name(int fd) {                               \
    int64_t number = 0;                            \
    if (records) {                                 \
      record_begin();                              \
      number = record_sync_begun(fd);              \
      record_end();                                \
    }                                              \
    delay_sync();                                  \
    int how = fail_now(CALL_##name);               \
    int result = how == 0 ? REAL(name)(fd) : -1;   \
    if (how != 0) errno = how;                     \
    if (records) {                                 \
      record_begin();                              \
      record_sync(fd, number, result == 0);        \
      record_end();                                \
    }                                              \
    return result;                                 \
  }
INTERPOSE_SYNC(fdatasync)
INTERPOSE_SYNC(fsync)

// --- names --------------------------------------------------------------------------------------

#define UNLINK(name, directory, path, words)                    \
  MAY_FAIL(name, -1);                                           \
  char below_[4096];                                            \
  if (!records) return REAL(name) words;                        \
  record_begin_name();                                          \
  int is_below_ = record_path(directory, path, below_);         \
  int result_ = REAL(name) words;                               \
  if (result_ == 0 && is_below_) record_unlink(below_);         \
  record_end_name();                                            \
  return result_

int unlinkat(int directory, const char *path, int flags) {
  UNLINK(unlinkat, directory, path, (directory, path, flags));
}
int unlink(const char *path) { UNLINK(unlink, AT_FDCWD, path, (path)); }

INTERPOSE(int, faccessat, -1, (int directory, const char *path, int mode, int flags),
          (directory, path, mode, flags))
INTERPOSE(ssize_t, readlinkat, -1, (int directory, const char *path, char *buffer, size_t count),
          (directory, path, buffer, count))
INTERPOSE(int, fstat, -1, (int fd, struct stat *status), (fd, status))
INTERPOSE(int, fstatat, -1, (int directory, const char *path, struct stat *status, int flags),
          (directory, path, status, flags))
INTERPOSE(int, fstatfs, -1, (int fd, struct statfs *status), (fd, status))
INTERPOSE(int, statx, -1,
          (int directory, const char *path, int flags, unsigned mask, struct statx *status),
          (directory, path, flags, mask, status))
INTERPOSE(int, name_to_handle_at, -1,
          (int directory, const char *path, struct file_handle *handle, int *mount, int flags),
          (directory, path, handle, mount, flags))
INTERPOSE(int, fchown, -1, (int fd, uid_t user, gid_t group), (fd, user, group))
INTERPOSE(int, fchmod, -1, (int fd, mode_t mode), (fd, mode))
INTERPOSE(int, chmod, -1, (const char *path, mode_t mode), (path, mode))
INTERPOSE(char *, realpath, NULL, (const char *path, char *resolved), (path, resolved))
INTERPOSE(DIR *, opendir, NULL, (const char *path), (path))
INTERPOSE(struct dirent *, readdir, NULL, (DIR *directory), (directory))

// --- locks and leases ---------------------------------------------------------------------------

static enum call call_of(int command, const void *argument) {
  switch (command) {
    case F_OFD_SETLK: return CALL_ofd_setlk;
    case F_OFD_GETLK: return CALL_ofd_getlk;
    case F_SETLEASE: return (intptr_t)argument == F_UNLCK ? CALL_unlease : CALL_setlease;
    case F_GETLEASE: return CALL_getlease;
    case F_SETSIG:
    case F_SETOWN_EX: return CALL_setown;
    case F_ADD_SEALS:
    case F_GET_SEALS: return CALL_seals;
    default: return CALL_none;
  }
}

int fcntl(int fd, int command, ...) {
  va_list list;
  va_start(list, command);
  void *argument = va_arg(list, void *);
  va_end(list);
  enum call call = call_of(command, argument);
  int how = call != CALL_none ? fail_now(call) : 0;
  if (how != 0) {
    // This fails only if the system took the lease away before.
    if (call == CALL_unlease) REAL(fcntl)(fd, command, argument);
    errno = how;
    return -1;
  }
  return REAL(fcntl)(fd, command, argument);
}

INTERPOSE(int, flock, -1, (int fd, int operation), (fd, operation))

// --- memory -------------------------------------------------------------------------------------

INTERPOSE(int, memfd_create, -1, (const char *name, unsigned flags), (name, flags))
INTERPOSE(int, munmap, -1, (void *address, size_t count), (address, count))
INTERPOSE(int, madvise, -1, (void *address, size_t count, int advice), (address, count, advice))
INTERPOSE(int, shm_open, -1, (const char *name, int flags, mode_t mode), (name, flags, mode))
INTERPOSE(int, shm_unlink, -1, (const char *name), (name))

void *mmap(void *address, size_t count, int protection, int flags, int fd, off_t offset) {
  MAY_FAIL(mmap, MAP_FAILED);
  return REAL(mmap)(address, count, protection, flags, fd, offset);
}

// --- sockets, waiting, threads ------------------------------------------------------------------

INTERPOSE(int, socket, -1, (int domain, int type, int protocol), (domain, type, protocol))
INTERPOSE(int, bind, -1, (int fd, const struct sockaddr *address, socklen_t count),
          (fd, address, count))
INTERPOSE(int, listen, -1, (int fd, int backlog), (fd, backlog))
INTERPOSE(int, connect, -1, (int fd, const struct sockaddr *address, socklen_t count),
          (fd, address, count))
INTERPOSE(int, accept4, -1, (int fd, struct sockaddr *address, socklen_t *count, int flags),
          (fd, address, count, flags))
INTERPOSE(ssize_t, sendmsg, -1, (int fd, const struct msghdr *message, int flags),
          (fd, message, flags))
INTERPOSE(ssize_t, recvmsg, -1, (int fd, struct msghdr *message, int flags),
          (fd, message, flags))
INTERPOSE(int, setsockopt, -1,
          (int fd, int level, int name, const void *value, socklen_t count),
          (fd, level, name, value, count))
INTERPOSE(int, getsockopt, -1, (int fd, int level, int name, void *value, socklen_t *count),
          (fd, level, name, value, count))
INTERPOSE(int, shutdown, -1, (int fd, int how), (fd, how))
INTERPOSE(int, poll, -1, (struct pollfd *entries, nfds_t count, int timeout),
          (entries, count, timeout))
INTERPOSE(int, epoll_create1, -1, (int flags), (flags))
INTERPOSE(int, epoll_ctl, -1, (int epoll, int operation, int fd, struct epoll_event *event),
          (epoll, operation, fd, event))
INTERPOSE(int, epoll_wait, -1, (int epoll, struct epoll_event *events, int count, int timeout),
          (epoll, events, count, timeout))
INTERPOSE(int, signalfd, -1, (int fd, const sigset_t *set, int flags), (fd, set, flags))
INTERPOSE(ssize_t, read, -1, (int fd, void *buffer, size_t count), (fd, buffer, count))
INTERPOSE(ssize_t, getrandom, -1, (void *buffer, size_t count, unsigned flags),
          (buffer, count, flags))
INTERPOSE(int, sched_getaffinity, -1, (pid_t process, size_t count, cpu_set_t *set),
          (process, count, set))

// Returns its error instead of setting errno.
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *),
                   void *argument) {
  int how = fail_now(CALL_pthread_create);
  return how != 0 ? how : REAL(pthread_create)(thread, attributes, body, argument);
}
