// Starting another program without leaving a trace in this process: the program becomes a child of
// init, so that its end raises no SIGCHLD here and a host's wait(-1) does not find it (unless the
// host is itself init, or collects orphans), and gets descriptor 3 as its only one beyond 0 to 2.
#pragma once
#include <stdint.h>

// Runs `program` with `arguments` (zero-terminated array, arguments[0] included) in a session of
// its own, with default signal handling, standard input and output on /dev/null and
// `descriptor` as 3. The program's pid, or -errno of whatever failed, exec included.
int sluice_spawn(const char *program, char *const arguments[], int descriptor);
// Receives a message with a descriptor and maps that from `offset`, inheritable by a forked child
// and otherwise as sluice_map does, without ever having the descriptor: a process that closes any
// descriptor of a file loses every POSIX lock that it has on that file, and a host may have some
// through stock SQLite. The message's length or -errno; `*map_error` is 0, or says why nothing is mapped.
int64_t sluice_receive_mapping(int socket, void *message, size_t message_byte_count,
                               int64_t offset, uint64_t byte_count, int writable, void **address, int *map_error);
// Replaces this program by another, found in PATH; descriptor `kept` (-1: none) survives. Returns
// only on failure, with -errno.
int sluice_become(char *const arguments[], int kept);
// A descriptor that becomes readable when the process `pid` ends, or -errno.
int sluice_pidfd_open(int pid);
// Blocks every signal in this thread and those it starts, and gives a descriptor from which
// SIGTERM, SIGINT, SIGHUP, SIGIO and `lease_signal` are read.
int sluice_signals_take(int lease_signal);
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
