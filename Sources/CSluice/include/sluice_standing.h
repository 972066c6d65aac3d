// A caller's standing: its identity, its rights, and the root of its names. A system call takes
// these from its caller without an argument. A call that moves to another process must take them
// along.
#pragma once
#include <stdint.h>

struct sluice_standing {
  uint32_t user, group;                    // effective
  uint32_t file_system_user, file_system_group;
  uint64_t groups;                         // a digest of the supplementary groups
  uint64_t capabilities;                   // effective
  uint64_t root_device, root_inode, root_mount;
  uint64_t user_namespace;                 // 0 if /proc does not show it
  uint32_t no_new_privileges;
  uint32_t reserved;
};
_Static_assert(sizeof(struct sluice_standing) == 72, "no padding: it is compared as bytes");

// The calling thread's current standing. Never fails; a value that cannot be known is 0.
void sluice_standing_take(struct sluice_standing *standing);
static inline int sluice_standing_equal(const struct sluice_standing *a,
                                        const struct sluice_standing *b) {
  return __builtin_memcmp(a, b, sizeof *a) == 0;
}
// The digits of a number that another process shows only if it has the same standing and, beyond
// that, is confined by the kernel in the same way. `standing` is the calling thread's. `mark` is
// zero-terminated.
void sluice_standing_mark(const struct sluice_standing *standing, char mark[33]);
// What `text` has behind this mark and a space; NULL if it has another mark, or nothing.
const char *sluice_standing_marked(const struct sluice_standing *standing, const char *text);
// Whether the kernel lets the calling thread look into this process (PTRACE_MODE_READ). It does not
// if the thread is in a Landlock domain in which that process is not, or has fewer rights.
int sluice_standing_allows_sight(int process);
// The calling thread's umask. No system call returns it without changing it.
uint32_t sluice_umask(void);
uint32_t sluice_set_umask(uint32_t mask);
// The largest size to which this process may grow a file, in bytes (RLIMIT_FSIZE); INT64_MAX for no
// limit.
int64_t sluice_file_size_limit(void);
// Raises that limit as far as this process may.
void sluice_raise_file_size_limit(void);
// Sends this thread the signal that the kernel sends to a thread that writes beyond that limit.
void sluice_raise_file_size_signal(void);
// Gives up every capability except those in `kept`, for good. 0 or -errno.
int sluice_keep_capabilities(uint64_t kept);
