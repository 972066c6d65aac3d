// How a process gives up rights: Landlock rulesets and seccomp filters. A right that was given up
// never comes back, and every program that the process starts is bound as well. Each call returns 0
// or more, or the negated errno.
#pragma once
#include <stdint.h>

// From now on a program that this process executes gains no privileges.
int sluice_forbid_new_privileges(void);

// --- Landlock -----------------------------------------------------------------------------------

// The version of the kernel's Landlock, 1 or more.
int sluice_landlock_version(void);
// A new ruleset that denies the rights of `files`, `network` and `scopes` that no rule allows; none
// of them may be newer than the kernel's version.
int sluice_landlock_create(uint64_t files, uint64_t network, uint64_t scopes);
// Allows `rights` at the file of `descriptor`, and beneath it if it is a directory.
int sluice_landlock_allow(int ruleset, int descriptor, uint64_t rights);
// Binds the calling thread, and everything that it starts from now on. Needs
// sluice_forbid_new_privileges.
int sluice_landlock_enter(int ruleset);

// --- seccomp ------------------------------------------------------------------------------------

// Binds all threads to the system calls that a sidecar needs; see confinement.c. With `reports`,
// each refused call is named on standard error, once for each number. With `is_client` it is also a
// client of another sidecar, with which it has a session already. Needs
// sluice_forbid_new_privileges.
int sluice_seccomp_enter_sidecar(int reports, int is_client);
// Binds this process to the system calls that a plugin needs; see plugin.c. Needs
// sluice_forbid_new_privileges.
int sluice_seccomp_enter_plugin(void);
