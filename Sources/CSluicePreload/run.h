// What this process knows of the `sluice run` that it belongs to, and the functions that this
// library interposes. Both are settled while the library is loaded, so that they can be used in a
// signal handler and in a vfork child, and after the program has changed its environment.
#pragma once
#include <spawn.h>

#define EXPORTED __attribute__((visibility("default")))
// For a call with more arguments than its parameters: none is a floating-point number.
#define WITHOUT_FLOATS __attribute__((target("general-regs-only")))

enum { run_variable_count_max = 24 };

struct run {
  const char *library;  // this library's path, as in LD_PRELOAD; NULL outside of a `sluice run`
  const char *watcher;  // "NAME TOKEN" of the watcher's socket; NULL if nobody watches
  int variable_count;
  const char *variables[run_variable_count_max];  // "SLUICE_…=…", as this process was given them
};

struct real {
  int (*fcntl)(int, int, ...);
  int (*execve)(const char *, char *const[], char *const[]);
  int (*execvpe)(const char *, char *const[], char *const[]);
  int (*execveat)(int, const char *, char *const[], char *const[], int);
  int (*fexecve)(int, char *const[], char *const[]);
  int (*posix_spawn)(pid_t *, const char *, const posix_spawn_file_actions_t *,
                     const posix_spawnattr_t *, char *const[], char *const[]);
  int (*posix_spawnp)(pid_t *, const char *, const posix_spawn_file_actions_t *,
                      const posix_spawnattr_t *, char *const[], char *const[]);
};

extern struct run run;
// NULL for a function that the C library lacks, and for all before this library is initialized.
extern struct real real;
// For a library that starts a program before this one is initialized.
void find_real_functions(void);
