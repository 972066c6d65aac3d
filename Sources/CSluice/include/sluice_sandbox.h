// The system calls by which a program in the sandbox changes files: its seccomp filter, and what a
// supervisor learns of a call that the filter holds, and answers. Each function returns 0 or more,
// or the negated errno.
#pragma once
#include <stdint.h>
#include <time.h>

// Forbids all threads to change owners, permissions, times, attributes and flags of files. Landlock
// has no rights for these. Needs sluice_forbid_new_privileges.
int sluice_seccomp_enter_sandbox(void);
// Instead holds these calls of this process, and the calls that Landlock decides on, until a
// supervisor answers. Returns the descriptor on which the supervisor gets them. Only for a process
// with one thread. While no process has that descriptor, such calls fail with ENOSYS.
int sluice_seccomp_enter_supervised_sandbox(void);

enum sluice_call_kind {
  // Attributes: the filter refuses these calls, or the supervisor performs them.
  sluice_call_mode,
  sluice_call_owner,
  sluice_call_times,
  sluice_call_attribute,
  // Names and content: Landlock decides.
  sluice_call_open,
  sluice_call_open_unnamed,
  sluice_call_truncate,
  sluice_call_make,
  sluice_call_remove,
  sluice_call_rename,
  sluice_call_link,
  // A call that changes nothing after all.
  sluice_call_nothing,
};

// A held call. The numbers are the caller's, unchecked.
struct sluice_call {
  uint64_t id;
  int32_t thread;
  int32_t kind;
  // The place: `path` (an address in the caller's memory; 0: none) relative to the descriptor
  // `directory`, or that descriptor itself. The second place is that of rename and link.
  int32_t directory, second_directory;
  uint64_t path, second_path;
  // Whether a link at the end of the path is followed, whether an empty path means the descriptor,
  // and whether the file is made if it does not exist.
  int32_t follows, takes_empty, creates;
  // What could not be read of the caller's memory: the negated errno.
  int32_t error;
  uint32_t mode, user, group;
  struct timespec times[2];
};

// The next held call: 1, or 0 if there is none now. -errno if none can come any more.
int sluice_call_next(int listener, struct sluice_call *call);
// 1 if the caller still waits. What was read of the caller's memory and /proc before is then the
// caller's.
int sluice_call_is_held(int listener, uint64_t id);
// Lets the caller's kernel decide.
void sluice_call_continue(int listener, uint64_t id);
// The call returns `result`: 0 or -errno.
void sluice_call_answer(int listener, uint64_t id, int result);
// Makes the change of attributes at the file of `descriptor`, which may be open for its path only.
int sluice_call_perform(const struct sluice_call *call, int descriptor);
// Copies the zero-terminated text at `address` of another process. Returns its length.
int sluice_read_text(int thread, uint64_t address, char *text, uint64_t capacity);

// Where a file is found, and how many names it has.
struct sluice_file_place {
  uint64_t device, inode, mount;
  uint32_t name_count, mode, user;
};
int sluice_file_place_of(int descriptor, struct sluice_file_place *place);
// Whether this process may write the file of `descriptor` (or make names in the directory).
int sluice_may_write(int descriptor, int is_directory);

// Gives this process, in its own mount namespace, an empty file system on /dev/shm. Without the
// right to do so it becomes a user of its own user namespace, in which it and nobody else has the
// same ids as before. Tries in a child first, and changes nothing if it fails.
int sluice_take_private_shared_memory(void);
// Where Yama lets a process read the memory of its descendants only, makes orphans among them this
// process's children.
void sluice_become_ancestor_of_orphans(void);
