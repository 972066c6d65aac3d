#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "CSluice.h"

// `sluice doctor` reads the release from this text in the library's file.
__attribute__((used, retain)) static const char version_mark[] = "sluice-version:" SLUICE_VERSION;

int sluice_memfd_create_sealed(const char *name, uint64_t byte_count, int is_final) {
  int seals = F_SEAL_SHRINK | F_SEAL_GROW | (is_final ? F_SEAL_SEAL : 0);
  int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return -errno;
  int result = sluice_ftruncate(fd, (int64_t)byte_count);
  if (result == 0 && fcntl(fd, F_ADD_SEALS, seals) < 0) result = -errno;
  if (result < 0) {
    close(fd);
    return result;
  }
  return fd;
}

int sluice_memfd_is_sealed(int fd) {
  int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0) return -errno;
  return (seals & (F_SEAL_SHRINK | F_SEAL_GROW)) == (F_SEAL_SHRINK | F_SEAL_GROW);
}

int sluice_map(int fd, int64_t offset, uint64_t byte_count, int writable, int inheritable,
               void **address) {
  int place = *address == NULL ? 0 : MAP_FIXED;
  // Memory that is mapped for reading may be large and mostly holes. In a process that locks all
  // its memory (mlockall), the kernel would fill the holes at once. So the memory becomes readable
  // only after it is unlocked.
  int is_late = !writable && !place;
  int protection = is_late ? PROT_NONE : writable ? PROT_READ | PROT_WRITE : PROT_READ;
  void *p = mmap(*address, byte_count, protection, MAP_SHARED | place, fd, offset);
  if (p == MAP_FAILED) return -errno;
  if (is_late) {
    munlock(p, byte_count);
    if (mprotect(p, byte_count, PROT_READ) < 0) {
      int result = -errno;
      munmap(p, byte_count);
      return result;
    }
  }
  if (!inheritable) madvise(p, byte_count, MADV_DONTFORK);
  *address = p;
  return 0;
}

int sluice_map_again(const void *address, uint64_t byte_count, void **copy) {
  void *p = mremap((void *)address, 0, byte_count, MREMAP_MAYMOVE);
  if (p == MAP_FAILED) return -errno;
  *copy = p;
  return 0;
}

int sluice_memfd_forbid_writing(int fd) {
  return fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0 ? -errno : 0;
}

int sluice_memfd_release(int fd, uint64_t offset, uint64_t byte_count) {
  int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  return (int)SLUICE_RETRY(fallocate(fd, mode, (off_t)offset, (off_t)byte_count));
}

int sluice_map_zeros(void *address, uint64_t byte_count) {
  void *p = mmap(address, byte_count, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  return p == MAP_FAILED ? -errno : 0;
}

// --- memory that a forked child must not write to -----------------------------------------------

struct kept_range {
  void *address;
  uint64_t byte_count;
  struct kept_range *next;
};

static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;
static struct kept_range *kept_ranges;

static void before_fork(void) { pthread_mutex_lock(&kept_lock); }
static void after_fork(void) { pthread_mutex_unlock(&kept_lock); }
static void after_fork_in_child(void) {
  for (struct kept_range *range = kept_ranges; range != NULL; range = range->next)
    sluice_map_zeros(range->address, range->byte_count);
  pthread_mutex_unlock(&kept_lock);
}

static void register_handlers(void) {
  pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

int sluice_keep_from_children(void *address, uint64_t byte_count) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, register_handlers);
  struct kept_range *range = malloc(sizeof *range);
  if (range == NULL) return -ENOMEM;
  pthread_mutex_lock(&kept_lock);
  *range = (struct kept_range){address, byte_count, kept_ranges};
  kept_ranges = range;
  pthread_mutex_unlock(&kept_lock);
  return 0;
}

void sluice_forget_range(const void *address) {
  pthread_mutex_lock(&kept_lock);
  struct kept_range **place = &kept_ranges;
  while (*place != NULL && (*place)->address != address) place = &(*place)->next;
  struct kept_range *range = *place;
  if (range != NULL) *place = range->next;
  pthread_mutex_unlock(&kept_lock);
  free(range);
}

int sluice_unmap(void *address, uint64_t byte_count) {
  return munmap(address, byte_count) < 0 ? -errno : 0;
}

int sluice_map_wiped_on_fork(void **address) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  void *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return -errno;
  if (madvise(p, page, MADV_WIPEONFORK) < 0) {
    int error = errno;
    munmap(p, page);
    return -error;
  }
  *address = p;
  return 0;
}

int sluice_shm_create(const char *name, uint64_t byte_count) {
  int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0644);
  if (fd < 0) return -errno;
  int result = sluice_ftruncate(fd, (int64_t)byte_count);
  if (result < 0) {
    close(fd);
    shm_unlink(name);
    return result;
  }
  return fd;
}

int sluice_shm_open(const char *name) {
  int fd = shm_open(name, O_RDONLY, 0);
  return fd < 0 ? -errno : fd;
}

int sluice_shm_unlink(const char *name) { return shm_unlink(name) < 0 ? -errno : 0; }

int sluice_futex_wait(const void *word, uint32_t expected, int64_t timeout_ns) {
  struct timespec timeout = {timeout_ns / 1000000000, timeout_ns % 1000000000};
  long r = syscall(SYS_futex, word, FUTEX_WAIT, expected, &timeout, NULL, 0);
  return r < 0 ? -errno : 0;
}

int sluice_futex_wake(const void *word, int count) {
  long r = syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
  return r < 0 ? -errno : (int)r;
}

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

int sluice_futex_waitv(struct sluice_waitv_entry *entries, uint32_t count, int64_t timeout_ns) {
  struct timespec deadline;
  if (timeout_ns >= 0) {
    int64_t at = sluice_monotonic_ns() + timeout_ns;
    deadline = (struct timespec){at / 1000000000, at % 1000000000};
  }
  long r = syscall(SYS_futex_waitv, entries, count, 0, timeout_ns < 0 ? NULL : &deadline,
                   CLOCK_MONOTONIC);
  return r < 0 ? -errno : (int)r;
}
