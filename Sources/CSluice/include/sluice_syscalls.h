// System calls in the form that Swift needs: each returns its result, or the negated errno. Nothing
// can run between the call and the read of errno. Calls that a signal may interrupt without effect
// are repeated here and nowhere else. This file has no policy.
#pragma once
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define SLUICE_RETRY(call)                            \
  ({                                                  \
    int64_t result_;                                  \
    do result_ = (call);                              \
    while (result_ < 0 && errno == EINTR);            \
    result_ < 0 ? -(int64_t)errno : result_;          \
  })

static inline int sluice_errno(void) { return errno; }

// --- memory -------------------------------------------------------------------------------------

// Creates a memfd of `byte_count` bytes. No process can resize it or remove its seals.
int sluice_memfd_create_sealed(const char *name, uint64_t byte_count, int is_final);
// 1 if `fd` is a memfd that is sealed against growing and shrinking, 0 if not, or -errno.
int sluice_memfd_is_sealed(int fd);
// From now on no process can map the memfd for writing or write to it. Existing mappings stay.
int sluice_memfd_forbid_writing(int fd);
// Gives the memory of a part of a memfd back; it reads as zeros. -EPERM if writing is forbidden.
int sluice_memfd_release(int fd, uint64_t offset, uint64_t byte_count);
// Maps a part of `fd`, shared: anywhere if `*address` is NULL, else at `*address`, in the place of
// the mapping there.
int sluice_map(int fd, int64_t offset, uint64_t byte_count, int writable, int inheritable,
               void **address);
// Maps the pages of a shared mapping once more, at another address. -EINVAL if it is private.
int sluice_map_again(const void *address, uint64_t byte_count, void **copy);
int sluice_unmap(void *address, uint64_t byte_count);
// Replaces a mapping by private memory, all zeros.
int sluice_map_zeros(void *address, uint64_t byte_count);
// From now on a forked child has private memory, all zeros, at the address of this mapping, so that
// its writes do not reach its parent. 0 or -errno.
int sluice_keep_from_children(void *address, uint64_t byte_count);
// The mapping at `address` is about to end, or children may have it again.
void sluice_forget_range(const void *address);
// One private page that reads as zeros in a forked child.
int sluice_map_wiped_on_fork(void **address);
// A named POSIX shared-memory object: newly created for its owner, or opened read-only.
int sluice_shm_create(const char *name, uint64_t byte_count);
int sluice_shm_open(const char *name);
int sluice_shm_unlink(const char *name);

// --- futex --------------------------------------------------------------------------------------

// Waits while *word == expected, for at most `timeout_ns`. 0 when woken, or -errno: EAGAIN if the
// word had another value, ETIMEDOUT, EINTR.
int sluice_futex_wait(const void *word, uint32_t expected, int64_t timeout_ns);
int sluice_futex_wake(const void *word, int count);

// FUTEX_WAITV takes at most 128 words.
#define SLUICE_WAITV_MAX 128
struct sluice_waitv_entry {
  uint64_t value;
  uint64_t address;
  uint32_t flags;
  uint32_t reserved;
};
// Waits until any word differs from its value or is woken. Returns the index of one such word, or
// -errno. A negative `timeout_ns` has no limit.
int sluice_futex_waitv(struct sluice_waitv_entry *entries, uint32_t count, int64_t timeout_ns);
static inline struct sluice_waitv_entry sluice_waitv_entry(const void *word, uint32_t value) {
  return (struct sluice_waitv_entry){value, (uint64_t)(uintptr_t)word, 2 /* FUTEX2_SIZE_U32 */, 0};
}

// --- descriptors as numbers ---------------------------------------------------------------------

// Moves a descriptor to a high number. There no program expects a descriptor of its own, and
// descriptors with fixed numbers, such as standard output, are never there. Returns the new number,
// or the old one if there is no room above.
int sluice_descriptor_raise(int fd);
// Opens something harmless as standard input, output and error if these are closed, as SQLite's own
// VFS does. Otherwise a descriptor of ours might get such a number, and the program's output would
// go there. They stay open.
void sluice_descriptors_fill_standard(void);

// --- files --------------------------------------------------------------------------------------

// openat2(2) with O_CLOEXEC added.
int sluice_openat2(int directory, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);
#define SLUICE_RESOLVE_NO_MAGICLINKS 0x02ull
#define SLUICE_RESOLVE_BENEATH 0x08ull
// O_PATH and O_TMPFILE need _GNU_SOURCE, which the Swift importer does not set.
extern const int sluice_o_path;
extern const int sluice_o_tmpfile;
static inline int sluice_close_descriptor(int fd) { return close(fd) < 0 ? -errno : 0; }
// Makes `place` a descriptor of the file of `fd`. The file that `place` described before is closed.
int sluice_replace_descriptor(int fd, int place);
static inline int64_t sluice_pread(int fd, void *buffer, size_t count, int64_t offset) {
  return SLUICE_RETRY(pread(fd, buffer, count, offset));
}
static inline int64_t sluice_pwrite(int fd, const void *buffer, size_t count, int64_t offset) {
  return SLUICE_RETRY(pwrite(fd, buffer, count, offset));
}
static inline int sluice_ftruncate(int fd, int64_t size) {
  return (int)SLUICE_RETRY(ftruncate(fd, size));
}
int sluice_fallocate(int fd, int64_t size);
static inline int sluice_fdatasync(int fd) { return (int)SLUICE_RETRY(fdatasync(fd)); }
static inline int sluice_rename(const char *from, const char *to) {
  return (int)SLUICE_RETRY(rename(from, to));
}
static inline int sluice_fsync(int fd) { return (int)SLUICE_RETRY(fsync(fd)); }
static inline int sluice_fstat(int fd, struct stat *status) {
  return fstat(fd, status) < 0 ? -errno : 0;
}
static inline int sluice_fstatat(int directory, const char *path, struct stat *status) {
  return fstatat(directory, path, status, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}
static inline int sluice_unlinkat(int directory, const char *path) {
  return unlinkat(directory, path, 0) < 0 ? -errno : 0;
}
// Gives a file of a directory a second name there. Fails with EEXIST if the name is taken.
static inline int sluice_linkat(int directory, const char *path, const char *name) {
  return linkat(directory, path, directory, name, 0) < 0 ? -errno : 0;
}
static inline int sluice_fchdir(int directory) { return fchdir(directory) < 0 ? -errno : 0; }
// faccessat(2) with the effective ids, as in open(2).
int sluice_faccessat(int directory, const char *path, int mode);
static inline int64_t sluice_readlinkat(int directory, const char *path, char *buffer, size_t count) {
  ssize_t n = readlinkat(directory, path, buffer, count);
  return n < 0 ? -errno : n;
}
// The file system of a file: its kind, by its magic number, and its number. 0 or -errno.
int sluice_file_system(int fd, uint32_t *magic, uint64_t *which);
// name_to_handle_at(2) of the open file itself. Stores its type and bytes in `handle` and returns
// their size, or -errno. With `is_only_a_name`, also returns a handle that cannot open the file
// (Linux 6.5).
#define SLUICE_HANDLE_BYTE_COUNT_MAX 132
int sluice_file_handle(int fd, int is_only_a_name, uint8_t handle[SLUICE_HANDLE_BYTE_COUNT_MAX]);
// When the file was made. Returns 0, or 1 if the file system does not say, or -errno.
int sluice_file_birth(int fd, int64_t *seconds, uint32_t *nanoseconds);
// The next name in a directory, or NULL after the last.
static inline const char *sluice_next_name(DIR *directory) {
  struct dirent *entry = readdir(directory);
  return entry ? entry->d_name : NULL;
}
static inline int sluice_fchown(int fd, uint32_t uid, uint32_t gid) {
  return fchown(fd, uid, gid) < 0 ? -errno : 0;
}
static inline int sluice_fchmod(int fd, uint32_t mode) { return fchmod(fd, mode) < 0 ? -errno : 0; }

// --- locks and leases ---------------------------------------------------------------------------

// Open-file-description locks: `kind` is F_RDLCK, F_WRLCK or F_UNLCK. A `length` of 0 reaches to
// the end of the file. Never waits: -EAGAIN if another holder's lock is in the way.
int sluice_ofd_lock(int fd, int kind, int64_t start, int64_t length);
// 0 if a lock of `kind` would not be refused, or -errno, or bits that describe the lock in its way.
#define SLUICE_BLOCKER_IS_THERE 1
#define SLUICE_BLOCKER_IS_DESCRIPTION 2
#define SLUICE_BLOCKER_IS_EXCLUSIVE 4
int sluice_ofd_lock_blocker(int fd, int kind, int64_t start, int64_t length);
static inline int sluice_flock_exclusive(int fd) {
  return flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}
// Takes a write lease. The kernel announces a break of it to this process by `signal`, with the
// descriptor.
int sluice_lease_take(int fd, int signal);
int sluice_lease_give_back(int fd);
// 1 while the write lease is held, 0 if it is being broken or gone, or -errno.
int sluice_lease_is_held(int fd);

// --- sockets ------------------------------------------------------------------------------------

int sluice_socket_pair(int ends[2]);
int sluice_socket_listen(const char *path, int backlog, uint32_t permissions);
int sluice_socket_connect(const char *path);
static inline bool sluice_is_socket(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 && S_ISSOCK(status.st_mode);
}
int sluice_socket_accept(int fd);
// Sends one message with up to two descriptors (-1: none). With `with_credentials` it also sends
// the sender's credentials, if the kernel can name its user. Never raises SIGPIPE; never waits
// (EAGAIN).
int64_t sluice_socket_send(int fd, const void *buffer, size_t count, int first, int second,
                           int with_credentials);
// Receives one message. Descriptors that were not sent are -1; `pid` is 0 if no credentials came.
// Returns 0 at end of file. Descriptors beyond two are closed. Never waits (EAGAIN).
int64_t sluice_socket_receive(int fd, void *buffer, size_t count, int *first, int *second, int *pid);
int sluice_socket_pass_credentials(int fd);
int sluice_socket_shutdown(int fd);
int sluice_socket_peer(int fd, uint32_t *uid, int *pid);
// A descriptor that becomes readable when the process that connected, or made the pair, ends;
// -ESRCH if it has ended, -ENOPROTOOPT before Linux 6.5.
int sluice_socket_peer_end(int fd);

// --- waiting for descriptors --------------------------------------------------------------------

static inline int sluice_poll(struct pollfd *entries, uint64_t count, int timeout_ms) {
  return poll(entries, count, timeout_ms) < 0 ? -errno : 0;
}
// A bell: readable from the first ring until it is silenced. Ringing never waits.
int sluice_bell_create(void);
void sluice_bell_ring(int fd);
void sluice_bell_silence(int fd);
int sluice_epoll_create(void);
int sluice_epoll_add(int epoll, int fd, uint64_t token);
int sluice_epoll_remove(int epoll, int fd);
// Waits for one event: 1 with its token, 0 at the time-out, or -errno. A negative time-out has no
// limit.
int sluice_epoll_wait(int epoll, uint64_t *token, int timeout_ms);

// --- clocks, chance, text -----------------------------------------------------------------------

static inline int64_t sluice_monotonic_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}
// As of the last timer tick (a few ms ago), at a tenth of the cost.
static inline int64_t sluice_monotonic_coarse_ns(void) {
  struct timespec now;
  clock_gettime(6 /* CLOCK_MONOTONIC_COARSE */, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}
static inline int64_t sluice_realtime_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
static inline void sluice_sleep_ns(int64_t ns) {
  struct timespec left = {ns / 1000000000, ns % 1000000000};
  while (nanosleep(&left, &left) < 0 && errno == EINTR) {}
}
int64_t sluice_random(void *buffer, size_t count);
// The text of an errno ("No such file or directory"). It is a literal, so it is always valid.
const char *sluice_errno_text(int error_number);
