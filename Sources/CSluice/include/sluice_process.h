// Other processes: starting one, becoming one, seeing one's end, and the signals to this one.
#pragma once
#include <stdint.h>

// Runs `program` with `arguments` (zero-terminated array, arguments[0] included) in a session of
// its own, as the calling thread's file-system user and group, with default signal handling,
// standard input and output on /dev/null and `descriptor` as 3, its only one beyond standard error.
// Its end raises no SIGCHLD here, and a host's wait(-1) does not find it, whether or not the host
// collects orphans. The program's pid, or -errno of whatever failed, exec included.
int sluice_spawn(const char *program, char *const arguments[], int descriptor);
// Runs `body`, which makes system calls only and ends by _exit(), in a child that shares this
// process's memory and has copies of its descriptors and of its umask, and waits for its end: 0, or
// -errno where there is no child.
int sluice_run_beside(int (*body)(void *), void *context);
// Receives a message with a descriptor and maps that from `offset`, inheritable by a forked child
// and otherwise as sluice_map does, without ever having the descriptor: a process that closes any
// descriptor of a file loses every POSIX lock that it has on that file, and a host may have some
// through stock SQLite. A child does it that shares this process's memory and not its descriptors: 0,
// or -errno where this process may have no child, and nothing was received. `*received` is the
// message's length or -errno; `*map_error` is 0, or says why nothing is mapped.
int sluice_receive_mapping(int socket, void *message, size_t message_byte_count, int64_t offset,
                           uint64_t byte_count, int writable, void **address, int *map_error,
                           int64_t *received);
// Receives a message with one descriptor (-1: none came) among this process's own, not as 0 to 2
// where that can be had. Its length or -errno.
int64_t sluice_socket_receive_above(int socket, void *message, size_t message_byte_count,
                                    int *descriptor);
// Receives a message and lets what descriptors it bears go in the kernel: they never stand among this
// process's own, so that no lock is lost. Its length or -errno.
int64_t sluice_socket_receive_bare(int socket, void *message, size_t message_byte_count);
// A number of a socket that no other has had since the system's start; 0 where there is none.
uint64_t sluice_socket_cookie(int fd);
// Marks the open description of a regular file (by O_NONBLOCK, which does nothing there).
int sluice_descriptor_mark(int fd);
// 1 where `fd` is marked and of that file, else 0.
int sluice_descriptor_is_marked(int fd, uint64_t device, uint64_t inode);
// How many descriptors of that file this process has, or -errno where /proc cannot tell.
int sluice_descriptors_of(uint64_t device, uint64_t inode);
// Replaces this program by another, found in PATH. Returns only on failure, with -errno.
int sluice_become(char *const arguments[]);
// A descriptor that becomes readable when the process `pid` ends, or -errno.
int sluice_pidfd_open(int pid);
// Blocks every signal in this thread and those it starts, and gives a descriptor from which
// SIGTERM, SIGINT and SIGHUP are read.
int sluice_stop_signals_take(void);
// Blocks SIGIO and `sluice_lease_signal` likewise, and gives a descriptor from which they are read.
int sluice_lease_signals_take(void);
// Reads one signal: its number with the descriptor it names (-1: none), or -errno.
int sluice_signals_read(int fd, int *descriptor);
extern const int sluice_lease_signal;
// 1 when this process has a descriptor of that number, else 0.
int sluice_descriptor_is_open(int fd);
// Raises the limit of open descriptors as far as allowed; what it is then.
uint64_t sluice_raise_descriptor_limit(void);
// RLIMIT_AS; UINT64_MAX where there is none.
uint64_t sluice_address_space_limit(void);
// The file from which the code at `address` was loaded, or NULL.
const char *sluice_loaded_from(const void *address);
