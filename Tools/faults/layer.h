// The fault layer: a library that is loaded (LD_PRELOAD) into an unmodified sidecar, between it and
// libc. It has two uses, also both at once. A variable of the environment turns each on:
//
//   SLUICE_FAULTS_RECORD=FILE  record.c records every change of the disk below SLUICE_FAULTS_ROOT, for
//                              Tools/faults/power-loss
//   SLUICE_FAULTS_FAIL=FILE    fail.c counts calls and makes some of them fail, as its user says in
//                              shared memory, for Tools/faults/io-errors
//
// With SLUICE_FAULTS_SYNC_MICROSECONDS=N each sync takes N µs longer.
//
// interpose.c has the calls themselves.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// --- record.c -----------------------------------------------------------------------------------

// The events, in their order: each is one of these, then a name and data. Little endian, as all machines
// that Sluice runs on. Tools/faults/disk.py reads them.
enum record_kind {
  RECORD_CREATE = 1,    // name: path below the root; file
  RECORD_WRITE = 2,     // file, offset, data
  RECORD_TRUNCATE = 3,  // file, offset: the new size
  RECORD_EXTEND = 4,    // file, offset: the least size
  RECORD_UNLINK = 5,    // name
  RECORD_SYNC = 6,      // file, offset: the number of the sync that has ended
  RECORD_SYNC_DIRECTORY = 7,  // the same, and the directory's name
  RECORD_MARK = 8,      // data: anything that a workload wants in order with these
  RECORD_SYNC_BEGUN = 9,  // file, offset: a number that no other sync has, data: the descriptor (int)
  RECORD_SYNC_FAILED = 10,  // file, offset: the number
};
struct record {
  uint32_t kind;
  uint32_t name_byte_count;
  uint32_t data_byte_count;
  uint32_t reserved;
  uint64_t file;  // the inode; one that is created anew under an old number is another file
  int64_t offset;
};
_Static_assert(sizeof(struct record) == 32, "disk.py reads 32 bytes");

// Whether the layer records. The functions below are only for that case.
extern int records;
// A call is made and recorded between these two, so that the record has the order of the calls. Only a
// sync is made outside them: others write meanwhile. It makes durable what is recorded before it began.
void record_begin(void);
void record_end(void);
// The same for a call that creates or deletes a name. No other process makes such a call meanwhile, so
// that all agree on which one created the file, and the record says so before anybody writes to it.
void record_begin_name(void);
void record_end_name(void);
// A descriptor was opened or closed. `created`: the file did not exist before.
void record_opened(int fd, int created);
void record_closed(int fd);
void record_write(int fd, const void *data, size_t byte_count, int64_t offset);
void record_size(int fd, enum record_kind kind, int64_t byte_count);
// Both are called between record_begin and record_end. The first returns the sync's number.
int64_t record_sync_begun(int fd);
void record_sync(int fd, int64_t number, int succeeded);
// `path` is the result of record_path before the unlink.
void record_unlink(const char *path);
// The path of `name` in `directory`, below the root. Returns 1, or 0 if it is not below.
int record_path(int directory, const char *name, char path[4096]);

// --- fail.c -------------------------------------------------------------------------------------

// The calls that can be made to fail. io-errors reads the list, and with it the order, here.
#define CALLS(CALL)                                                                             \
  CALL(openat2) CALL(pread) CALL(pwrite) CALL(ftruncate) CALL(fallocate) CALL(fdatasync)        \
  CALL(fsync) CALL(fstat) CALL(fstatat) CALL(unlinkat) CALL(faccessat) CALL(readlinkat)         \
  CALL(fchown) CALL(fchmod) CALL(close) CALL(ofd_setlk) CALL(ofd_getlk) CALL(setlease)          \
  CALL(getlease) CALL(setown) CALL(seals) CALL(flock) CALL(opendir) CALL(readdir)               \
  CALL(memfd_create) CALL(mmap) CALL(munmap) CALL(madvise) CALL(shm_open) CALL(shm_unlink)      \
  CALL(unlink) CALL(chmod) CALL(socket) CALL(bind) CALL(listen) CALL(connect) CALL(accept4)     \
  CALL(sendmsg) CALL(recvmsg) CALL(setsockopt) CALL(getsockopt) CALL(shutdown) CALL(poll)       \
  CALL(epoll_create1) CALL(epoll_ctl) CALL(epoll_wait) CALL(pidfd_open) CALL(futex_wait)        \
  CALL(futex_waitv) CALL(robust_list) CALL(signalfd) CALL(read) CALL(pthread_create)            \
  CALL(getrandom) CALL(realpath) CALL(sched_getaffinity) CALL(unlease)         \
  CALL(landlock) CALL(seccomp) CALL(fstatfs) CALL(statx) CALL(name_to_handle_at)
#define AS_CASE(name) CALL_##name,
enum call { CALL_none, CALLS(AS_CASE) CALL_COUNT };
#undef AS_CASE

// `fail_now` returns this instead of an errno: the call transfers less than it should.
#define FAIL_SHORT 10000

#define SITE_DEPTH 8
struct fail_site {
  uint32_t call;
  uint32_t failed_count;
  uint64_t count;
  // Return addresses within the program, relative to where it was loaded, the innermost first.
  uint64_t callers[SITE_DEPTH];
};
#define SITE_COUNT 4096

// Shared with the process that runs the sidecar. That process writes the first part, the layer the rest.
struct fail_control {
  uint32_t armed;  // 0: nothing is counted
  uint32_t call;   // the call that fails, 0 for none
  uint32_t how;    // an errno, or FAIL_SHORT
  uint32_t reserved;
  uint64_t first;  // the first call that fails, from 1, and how many do
  uint64_t count;
  uint64_t failed_count;
  uint64_t counts[64];
  uint32_t site_count;
  uint32_t sites_lost;
  struct fail_site sites[SITE_COUNT];
};
_Static_assert(CALL_COUNT <= 64, "the counts have room");
_Static_assert(sizeof(struct fail_site) == 80, "io-errors reads 80 bytes");
_Static_assert(offsetof(struct fail_control, sites) == 560, "io-errors reads from there");

extern struct fail_control *fail_control;
// Counts a call. Returns the errno with which it has to fail, FAIL_SHORT, or 0.
int fail_now(enum call call);
