// The part of SQLite's interface that the VFS calls. It is reached through the pointer that SQLite
// passes to a loadable extension. Nothing here links against libsqlite3.
#pragma once
#include <sqlite3ext.h>

// SQLite's file object, followed by ours. `object` is an unowned or owned Swift reference, as xOpen
// and xClose say.
struct sluice_file {
  sqlite3_file base;
  void *object;
};

// Extended result codes, because Swift cannot import their macros.
static const int csqlite_ok_load_permanently = SQLITE_OK_LOAD_PERMANENTLY;
static const int csqlite_ok_symlink = SQLITE_OK_SYMLINK;
static const int csqlite_cantopen_fullpath = SQLITE_CANTOPEN_FULLPATH;
static const int csqlite_readonly_directory = SQLITE_READONLY_DIRECTORY;
static const int csqlite_ioerr_read = SQLITE_IOERR_READ;
static const int csqlite_ioerr_short_read = SQLITE_IOERR_SHORT_READ;
static const int csqlite_ioerr_write = SQLITE_IOERR_WRITE;
static const int csqlite_ioerr_fsync = SQLITE_IOERR_FSYNC;
static const int csqlite_ioerr_dir_fsync = SQLITE_IOERR_DIR_FSYNC;
static const int csqlite_ioerr_truncate = SQLITE_IOERR_TRUNCATE;
static const int csqlite_ioerr_fstat = SQLITE_IOERR_FSTAT;
static const int csqlite_ioerr_unlock = SQLITE_IOERR_UNLOCK;
static const int csqlite_ioerr_delete = SQLITE_IOERR_DELETE;
static const int csqlite_ioerr_access = SQLITE_IOERR_ACCESS;
static const int csqlite_ioerr_checkreservedlock = SQLITE_IOERR_CHECKRESERVEDLOCK;
static const int csqlite_ioerr_lock = SQLITE_IOERR_LOCK;
static const int csqlite_ioerr_close = SQLITE_IOERR_CLOSE;
static const int csqlite_ioerr_delete_noent = SQLITE_IOERR_DELETE_NOENT;
static const int csqlite_ioerr_shmmap = SQLITE_IOERR_SHMMAP;
static const int csqlite_ioerr_shmsize = SQLITE_IOERR_SHMSIZE;
static const int csqlite_ioerr_shmlock = SQLITE_IOERR_SHMLOCK;
static const int csqlite_ioerr_mmap = SQLITE_IOERR_MMAP;
static const int csqlite_busy_recovery = SQLITE_BUSY_RECOVERY;
static const int csqlite_readonly_cantinit = SQLITE_READONLY_CANTINIT;
static const int csqlite_ioerr_corruptfs = SQLITE_IOERR_CORRUPTFS;

// Since SQLite 3.38.
static const int csqlite_fcntl_external_reader = 40;
static const int csqlite_fcntl_lock_timeout = 34;

// Keeps SQLite's function table. The entry point calls it once, before any call below.
void csqlite_set_api(const sqlite3_api_routines *api);
int csqlite_version_number(void);
int csqlite_vfs_register(sqlite3_vfs *vfs, int make_default);
sqlite3_vfs *csqlite_vfs_find(const char *name);
// The value of a URI parameter of a file name that SQLite made, or NULL.
const char *csqlite_uri_parameter(const char *filename, const char *name);
// The first parameter of a file name that SQLite made whose name is nearly one of ours, or NULL.
// `*nearest` is the index of that one.
const char *csqlite_misspelt_parameter(const char *filename, int *nearest);
const char *csqlite_parameter_name(int index);
// The meaning of the words that SQLite itself accepts for a boolean: 0 or 1; -1 for other words.
int csqlite_boolean(const char *text);
// Whether the transaction of a connection, which commits now, writes to one database only. 0 where
// SQLite is too old to tell: sqlite3_txn_state came with 3.34, sqlite3_db_name with 3.39. To be called
// in the thread that commits.
int csqlite_commits_one_database(sqlite3 *connection);
// Whether nothing is attached to a connection. 0 where SQLite is too old to tell.
int csqlite_has_one_database(sqlite3 *connection);
// Whether a statement of a connection is being run, and each that is writes. To be called in the thread
// that runs it.
int csqlite_runs_writers_only(sqlite3 *connection);
// Runs `body` at a time when SQLite's unix VFS opens and closes no file whose description it
// shares.
void csqlite_beside_unix_vfs(void (*body)(void));
// sqlite3_log with the unchanged text.
void csqlite_log(int code, const char *text);
// A copy of `text` that the caller frees with sqlite3_free, as file controls and entry points
// return it; NULL when out of memory.
char *csqlite_copy(const char *text);
