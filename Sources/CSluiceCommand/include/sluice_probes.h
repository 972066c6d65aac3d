// Probes of what the machine's kernel, and the parent process, allow this program to do. Each
// returns 0 or more, or the negated errno, and leaves nothing behind.
#pragma once
#include <stdint.h>

// close_range(2), Linux 5.9.
int sluice_probe_close_range(void);
// Starts a process that ends at once, in this process's memory, as the library does.
int sluice_probe_clone(void);
// Whether a seccomp filter can answer with an errno, as a sidecar's does.
int sluice_probe_seccomp(void);
// This process's seccomp mode: 0 none, 2 a filter.
int sluice_probe_seccomp_mode(void);
// Whether no_new_privs is set.
int sluice_probe_no_new_privileges(void);
// The soft limit of a resource, by its letter: open files, processes, file size, locked memory,
// address space (n, u, f, l, v as in ulimit); UINT64_MAX if there is no limit.
uint64_t sluice_probe_limit(char letter);
// The name of the n-th variable of the environment up to its `=`, as a length; NULL after the last.
const char *sluice_probe_variable(int index, int *length);
