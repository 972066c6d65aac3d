// Which programs a preloaded library reaches, and how the processes of a `sluice run` tell its
// watcher of databases that are opened without Sluice.
//
// The watcher has a datagram socket with an abstract name, so that it is found after chroot() too. A
// message is the following fields, each ended by a zero byte: SLUICE_TOLD_VERSION, the token, the
// kind (one letter), a process ("0": the sender), the program's name, a database's path, a library's
// path. A program that cannot be reached comes as a descriptor too, because the watcher may have
// another root directory. Senders and watcher share the token, which keeps others from sending.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define SLUICE_TOLD_VERSION "1"
enum { SLUICE_TOLD_FIELD_COUNT = 7, SLUICE_TOLD_BYTE_COUNT_MAX = 3 * 4096 + 256 };

enum sluice_told {
  SLUICE_TOLD_NOTHING = 0,
  // The program cannot be reached, because
  SLUICE_TOLD_STATIC = 's',   // it is linked statically
  SLUICE_TOLD_RIGHTS = 'r',   // it gains rights when it is executed
  SLUICE_TOLD_MACHINE = 'm',  // it is for another processor, or a 32-bit program
  SLUICE_TOLD_C_LIBRARY = 'c',  // its C library is not glibc
  SLUICE_TOLD_NO_LIBRARY = 'l',  // it cannot read libsluice.so
  // The program has locked a database itself, with
  SLUICE_TOLD_OWN_SQLITE = 'o',  // an SQLite of its own
  SLUICE_TOLD_OTHER_VFS = 'v',   // another VFS of libsqlite3
};

// Why a library with the path `library` cannot be preloaded into the program `path` (relative to
// `directory`, as in openat(2)) if this process executes it; SLUICE_TOLD_NOTHING if it can, or if
// this cannot be known. Then `*program` is -1, and otherwise a descriptor of the program, which is
// the interpreter of a script; the caller closes it. Async-signal-safe.
int sluice_reach_obstacle(int directory, const char *path, const char *library, int *program);
// The path of the program that execvp() would execute: `name`, or `room` with what PATH leads to.
const char *sluice_reach_search(const char *name, char *room, size_t byte_count);
// Tells the watcher. `watcher` is "NAME TOKEN"; `program` is a descriptor or -1. Waits for at most
// 20 ms, and only if more is told at the moment than the watcher reads. Changes no errno.
// Async-signal-safe.
void sluice_reach_tell(const char *watcher, int kind, int process, const char *name,
                       const char *database, const char *library, int program);
// The name of a descriptor's file in /proc.
enum { SLUICE_LINK_BYTE_COUNT = 32 };
const char *sluice_reach_link(int fd, char link[SLUICE_LINK_BYTE_COUNT]);
