// What the watcher of a `sluice run` asks the system: a socket with an abstract name, and what files
// contain.
#pragma once
#include <stdint.h>

// The watcher's datagram socket with the abstract name `name`, or -errno. Messages come with their
// sender's credentials.
int sluice_watch_listen(const char *name);
// 1 if a process has the socket with this name, else 0.
int sluice_watch_listens(const char *name);
// Sends a text to the socket with this name, if there is one and it has room.
void sluice_watch_send(const char *name, const char *text);

enum sluice_contents {
  SLUICE_CONTAINS_SQLITE = 1,    // the header of a database, which every SQLite contains
  SLUICE_NAMES_LIBSQLITE3 = 2,   // the name of libsqlite3
  SLUICE_NAMES_LIBRARY = 4,      // the given name
};
// Which of these a regular file contains (the first 512 MiB), or -errno.
int sluice_contents(const char *path, const char *library);
// 1 if the path leads to a regular file that begins as a database does, else 0.
int sluice_is_database(const char *path);

// Why ld.so would not preload this library: a text, in `room` or static. NULL if it would.
const char *sluice_preload_obstacle(const char *path, char *room, uint64_t byte_count);
