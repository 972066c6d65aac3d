// A lock on SQLite's own bytes tells that this process has a database open without Sluice: with an
// SQLite of its own, or with another VFS of libsqlite3. A connection in WAL mode has such a lock
// too. The first one of a process is told to the watcher of its `sluice run`.
//
// Databases that are opened without a lock (immutable=1, nolock=1, vfs=unix-none) are not seen, nor
// are programs that make their system calls themselves, as Go's do, or modules that were loaded with
// RTLD_DEEPBIND. The watcher finds the latter two in /proc/locks, if it looks while they hold a lock.
//
// The call goes on to the C library first. So fcntl() stays what it is, and the lock is read only
// after the kernel has read it. fcntl() is called in signal handlers: here nothing is locked or
// allocated, except for the one lock that is told.
#include <dlfcn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "CSluice.h"
#include "run.h"

static const off_t pending_byte = 0x40000000, lock_byte_count = 512;  // as in SQLite's os.h

static atomic_int has_told;

static void read_link(const char *link, char *room, size_t byte_count) {
  ssize_t length = readlink(link, room, byte_count - 1);
  room[length > 0 ? length : 0] = 0;
}

__attribute__((noinline, cold)) static void tell(int fd, const void *caller) {
  if (atomic_exchange(&has_told, 1)) return;
  int before = errno;
  char link[SLUICE_LINK_BYTE_COUNT], program[1024], database[1024];
  read_link(sluice_reach_link(fd, link), database, sizeof database);
  read_link("/proc/self/exe", program, sizeof program);
  Dl_info code;
  const char *library = dladdr(caller, &code) && code.dli_fname ? code.dli_fname : "";
  int kind = strstr(library, "/libsqlite3.so") ? SLUICE_TOLD_OTHER_VFS : SLUICE_TOLD_OWN_SQLITE;
  sluice_reach_tell(run.watcher, kind, 0, program, database, library, -1);
  errno = before;
}

static inline int pass_on(int fd, int command, void *argument, const void *caller) {
  int result = real.fcntl ? real.fcntl(fd, command, argument)
                          : (int)syscall(SYS_fcntl, fd, command, argument);
  if ((command != F_SETLK && command != F_SETLKW) || !run.watcher) return result;
  // A lock that was refused was read by the kernel too.
  if (result < 0 && errno != EAGAIN && errno != EACCES) return result;
  const struct flock *lock = argument;
  if (lock->l_whence == SEEK_SET && lock->l_start >= pending_byte &&
      lock->l_start < pending_byte + lock_byte_count)
    tell(fd, caller);
  return result;
}

// The third argument is a number, a pointer, or absent. As a pointer it goes on unchanged.
EXPORTED WITHOUT_FLOATS int fcntl(int fd, int command, ...) {
  va_list rest;
  va_start(rest, command);
  void *argument = va_arg(rest, void *);
  va_end(rest);
  return pass_on(fd, command, argument, __builtin_return_address(0));
}

// The same call, under the name that programs use that were compiled with 64-bit offsets.
EXPORTED __attribute__((alias("fcntl"))) int fcntl64(int fd, int command, ...);
