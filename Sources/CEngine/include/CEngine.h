// SQLite for the engine: the system's libsqlite3, which the engine links, and those of its macros
// and variadic functions that Swift cannot call.
#pragma once
#include <sqlite3.h>
#include <stdint.h>
#include <string.h>

// SQLite copies the value, unless it `stays` where it is until the next value is bound. `text` need
// not end with a zero.
int cengine_bind_text(
    sqlite3_stmt *statement, int index, const void *text, uint64_t byte_count, int stays);
int cengine_bind_blob(
    sqlite3_stmt *statement, int index, const void *blob, uint64_t byte_count, int stays);

// To be called before anything else of SQLite. All connections of the process together get so much
// memory from SQLite, and SQLITE_NOMEM for more; 0 stands for no limit. Without a limit SQLite does
// not count its memory, because that takes a lock for each allocation. A result code.
int cengine_configure_process(int64_t memory_byte_count_max);

// Sets what a connection must not be talked into by a hostile schema or statement: DEFENSIVE on,
// TRUSTED_SCHEMA, DQS and load_extension off. A result code.
int cengine_harden(sqlite3 *connection);

// The size of the database's file in bytes; -1 if it cannot be told. It is 0 until a new database is
// committed.
int64_t cengine_file_byte_count(sqlite3 *connection);

// Waits through the connection's VFS, which may know better when to go on.
void cengine_sleep(sqlite3 *connection, int microseconds);

// Runs the entry point of a loadable extension that is linked into this process, with SQLite's
// functions. A result code.
typedef int (*cengine_entry)(sqlite3 *connection, char **message, const void *functions);
int cengine_register(cengine_entry entry);

static const int cengine_open_flags =
    SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
