// Other programs and processes: start one, replace this one, see one's end; and the signals to this
// process.
#pragma once
#include <stdint.h>

// Runs `program` with `arguments` (zero-terminated array, arguments[0] included) in its own
// session, as the calling thread's file-system user and group, with default signal handling. Its
// standard input and output are /dev/null, descriptor 3 is `descriptor`, and it has no other
// descriptor beyond standard error. Its end raises no SIGCHLD here, and a host's wait(-1) does not
// find it, whether or not the host collects orphans. Returns the program's pid, or -errno of the
// call that failed, exec included.
int sluice_spawn(const char *program, char *const arguments[], int descriptor);
// Runs `body` in a child and waits for the child's end. `body` makes only system calls and ends
// with _exit(). The child shares this process's memory and has copies of its descriptors and its
// umask. Returns 0, or -errno if no child could be made.
int sluice_run_beside(int (*body)(void *), void *context);
// Receives a message with a descriptor and maps the descriptor's file from `offset`, as sluice_map
// does, and inheritable by a forked child. This process never has the descriptor, because a process
// that closes any descriptor of a file loses every POSIX lock that it has on the file, and a host
// may have such locks through stock SQLite. A child that shares this process's memory, but not its
// descriptors, does the work. Returns 0, or -errno if this process may have no child; then nothing
// was received. `*received` is the message's length or -errno. `*map_error` is 0, or the reason why
// nothing is mapped.
int sluice_receive_mapping(int socket, void *message, size_t message_byte_count, int64_t offset,
                           uint64_t byte_count, int writable, void **address, int *map_error,
                           int64_t *received);
// Receives a message with one descriptor (-1: none came). This process has the descriptor then, if
// possible not as 0 to 2. Returns the message's length or -errno.
int64_t sluice_socket_receive_above(int socket, void *message, size_t message_byte_count,
                                    int *descriptor);
// Receives a message without its descriptors. The kernel drops them, and this process never has
// them, so that no lock is lost. Returns the message's length or -errno.
int64_t sluice_socket_receive_bare(int socket, void *message, size_t message_byte_count);
// A number of this socket that no other socket has had since the system's start; 0 if there is
// none.
uint64_t sluice_socket_cookie(int fd);
// Marks the open description of a regular file (by O_NONBLOCK, which does nothing there).
int sluice_descriptor_mark(int fd);
// 1 if `fd` is marked and belongs to this file, else 0.
int sluice_descriptor_is_marked(int fd, uint64_t device, uint64_t inode);
// How many descriptors of this file this process has, or -errno if /proc cannot show it.
int sluice_descriptors_of(uint64_t device, uint64_t inode);
// Replaces this program by another, found in PATH. Returns only on failure, with -errno.
int sluice_become(char *const arguments[]);
// A descriptor that becomes readable when the process `pid` ends, or -errno.
int sluice_pidfd_open(int pid);
// Blocks every signal in this thread and the threads that it starts. Returns a descriptor from
// which SIGTERM, SIGINT and SIGHUP can be read.
int sluice_stop_signals_take(void);
// Blocks SIGIO and `sluice_lease_signal` likewise. Returns a descriptor from which they can be
// read.
int sluice_lease_signals_take(void);
// Reads one signal. Returns its number and the descriptor that it names (-1: none), or -errno.
int sluice_signals_read(int fd, int *descriptor);
extern const int sluice_lease_signal;
// 1 if this process has a descriptor with this number, else 0.
int sluice_descriptor_is_open(int fd);
// Raises the limit of open descriptors as far as allowed. Returns the new limit.
uint64_t sluice_raise_descriptor_limit(void);
// RLIMIT_AS; UINT64_MAX if there is no limit.
uint64_t sluice_address_space_limit(void);
// The file from which the code at `address` was loaded, or NULL.
const char *sluice_loaded_from(const void *address);
