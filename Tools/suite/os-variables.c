/* The variables by which SQLite's tests observe and disturb the operating system layer.
**
** Compiled for tests, os_unix.c counts files and syncs, makes calls fail, and takes its clock and its
** seed from the test. This extension does the same around the calls of Sluice. So the tests that need it
** (sync counts, full disks, I/O errors, dates) test Sluice too. The extension only counts and refuses
** calls; Sluice does the work.
**
** preamble.tcl loads it after the library. It puts its functions into Sluice's own tables, because SQLite
** and Sluice recognise a file by the address of its table. It counts as os_unix.c does, with its race. */
#include <pthread.h>
#include <string.h>

#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT1

extern int sqlite3_io_error_hit, sqlite3_io_error_hardhit, sqlite3_io_error_pending;
extern int sqlite3_io_error_persist, sqlite3_io_error_benign;
extern int sqlite3_diskfull, sqlite3_diskfull_pending;
extern int sqlite3_open_file_count, sqlite3_sync_count, sqlite3_fullsync_count;
extern int sqlite3_current_time;

static sqlite3_vfs *vfs;
static sqlite3_vfs below;
static sqlite3_io_methods *methods;
static sqlite3_io_methods methods_below;

/* Files whose first sync syncs their directory too, as os_unix.c does for new journals. */
#define OWING_MAX 256
static sqlite3_file *owing[OWING_MAX];
static pthread_mutex_t owing_lock = PTHREAD_MUTEX_INITIALIZER;

static int owes(sqlite3_file *file, sqlite3_file *replacement) {
  int found = 0;
  pthread_mutex_lock(&owing_lock);
  for (int index = 0; index < OWING_MAX && !found; index++) {
    if (owing[index] == file) {
      owing[index] = replacement;
      found = 1;
    }
  }
  pthread_mutex_unlock(&owing_lock);
  return found;
}

static void count_hit(void) {
  sqlite3_io_error_hit++;
  if (!sqlite3_io_error_benign) sqlite3_io_error_hardhit++;
}

static int must_fail(void) {
  int now = (sqlite3_io_error_persist && sqlite3_io_error_hit) || sqlite3_io_error_pending-- == 1;
  if (now) count_hit();
  return now;
}

static int must_be_full(void) {
  if (sqlite3_diskfull_pending == 0) return 0;
  if (sqlite3_diskfull_pending != 1) {
    sqlite3_diskfull_pending--;
    return 0;
  }
  count_hit();
  sqlite3_diskfull = 1;
  sqlite3_io_error_hit = 1;
  return 1;
}

static int file_close(sqlite3_file *file) {
  owes(file, NULL);
  sqlite3_open_file_count--;
  return methods_below.xClose(file);
}

static int file_read(sqlite3_file *file, void *buffer, int byte_count, sqlite3_int64 offset) {
  return must_fail() ? SQLITE_IOERR_READ : methods_below.xRead(file, buffer, byte_count, offset);
}

/* The bytes are written even if the call fails, as in os_unix.c. */
static int file_write(sqlite3_file *file, const void *bytes, int byte_count, sqlite3_int64 offset) {
  int code = methods_below.xWrite(file, bytes, byte_count, offset);
  if (must_fail()) code = SQLITE_IOERR_WRITE;
  if (must_be_full()) code = SQLITE_FULL;
  return code;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 byte_count) {
  return must_fail() ? SQLITE_IOERR_TRUNCATE : methods_below.xTruncate(file, byte_count);
}

static int file_sync(sqlite3_file *file, int flags) {
  if (must_be_full()) return SQLITE_FULL;
  int code = methods_below.xSync(file, flags);
  if ((flags & 0x0f) == SQLITE_SYNC_FULL) sqlite3_fullsync_count++;
  sqlite3_sync_count++;
  if (must_fail()) return SQLITE_IOERR_FSYNC;
  if (owes(file, NULL)) sqlite3_sync_count++;
  return code;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *byte_count) {
  return must_fail() ? SQLITE_IOERR_FSTAT : methods_below.xFileSize(file, byte_count);
}

static int file_check_reserved_lock(sqlite3_file *file, int *result) {
  return must_fail() ? SQLITE_IOERR_CHECKRESERVEDLOCK
                     : methods_below.xCheckReservedLock(file, result);
}

static int vfs_open(
    sqlite3_vfs *self, const char *name, sqlite3_file *file, int flags, int *out_flags) {
  const int journals = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
  if (name == NULL && must_fail()) return SQLITE_IOERR;
  int code = below.xOpen(self, name, file, flags, out_flags);
  if (code != SQLITE_OK) return code;
  if (methods == NULL) {
    methods = (sqlite3_io_methods *)file->pMethods;
    methods_below = *methods;
    methods->xClose = file_close;
    methods->xRead = file_read;
    methods->xWrite = file_write;
    methods->xTruncate = file_truncate;
    methods->xSync = file_sync;
    methods->xFileSize = file_size;
    methods->xCheckReservedLock = file_check_reserved_lock;
  }
  sqlite3_open_file_count++;
  if ((flags & SQLITE_OPEN_CREATE) && (flags & journals)) owes(NULL, file);
  return code;
}

static int vfs_delete(sqlite3_vfs *self, const char *name, int sync_directory) {
  if (must_fail()) return SQLITE_IOERR_DELETE;
  int code = below.xDelete(self, name, sync_directory);
  if (code == SQLITE_OK && (sync_directory & 1)) sqlite3_sync_count++;
  return code;
}

static int vfs_access(sqlite3_vfs *self, const char *name, int flags, int *result) {
  return must_fail() ? SQLITE_IOERR_ACCESS : below.xAccess(self, name, flags, result);
}

static int vfs_randomness(sqlite3_vfs *self, int byte_count, char *out) {
  memset(out, 0, byte_count);
  return byte_count;
}

static int vfs_current_time_int64(sqlite3_vfs *self, sqlite3_int64 *out) {
  if (sqlite3_current_time == 0) return below.xCurrentTimeInt64(self, out);
  *out = 1000 * (sqlite3_int64)sqlite3_current_time + 210866760000000;
  return SQLITE_OK;
}

static int vfs_current_time(sqlite3_vfs *self, double *out) {
  sqlite3_int64 milliseconds = 0;
  int code = vfs_current_time_int64(self, &milliseconds);
  *out = milliseconds / 86400000.0;
  return code;
}

int sqlite3_osvariables_init(
    sqlite3 *database, char **message, const sqlite3_api_routines *api) {
  SQLITE_EXTENSION_INIT2(api);
  if (vfs != NULL) return SQLITE_OK_LOAD_PERMANENTLY;
  vfs = sqlite3_vfs_find("sluice");
  if (vfs == NULL) return SQLITE_ERROR;
  below = *vfs;
  vfs->xOpen = vfs_open;
  vfs->xDelete = vfs_delete;
  vfs->xAccess = vfs_access;
  vfs->xRandomness = vfs_randomness;
  vfs->xCurrentTimeInt64 = vfs_current_time_int64;
  vfs->xCurrentTime = vfs_current_time;
  return SQLITE_OK_LOAD_PERMANENTLY;
}
