// What a machine's kernel, and whoever started this program, let it do. Each answers with 0 or more, or
// the negated errno, and leaves nothing behind.
#pragma once
#include <stdint.h>

// close_range(2), Linux 5.9.
int sluice_probe_close_range(void);
// Starts a process that ends at once, in this process's memory, as the library does.
int sluice_probe_clone(void);
// Whether a seccomp filter can answer with an errno, as a sidecar's does.
int sluice_probe_seccomp(void);
// The seccomp mode that this process is in: 0 none, 2 a filter.
int sluice_probe_seccomp_mode(void);
// Whether no_new_privs is set.
int sluice_probe_no_new_privileges(void);
// The soft limit of a resource by its letter: files, processes, size of a file, locked memory, address
// space (n, u, f, l, v as in ulimit); UINT64_MAX for none.
uint64_t sluice_probe_limit(char letter);
// The name of the n-th variable of the environment up to its `=`, as a length; NULL after the last.
const char *sluice_probe_variable(int index, int *length);
