/* Linked into SQLite's test programs: makes Sluice their default VFS before they first ask for one.
**
** SLUICE_LIBRARY names the extension; without it the program runs natively. The linker sends the calls
** here with --wrap. A constructor cannot do this: the programs call sqlite3_config, and SQLite refuses
** that once it is initialized. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

int __real_sqlite3_open(const char *name, sqlite3 **database);
int __real_sqlite3_open_v2(const char *name, sqlite3 **database, int flags, const char *vfs);
sqlite3_vfs *__real_sqlite3_vfs_find(const char *name);

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fail(const char *what) {
  fprintf(stderr, "open-proxied: %s\n", what);
  exit(70);
}

static void load(void) {
  const char *library = getenv("SLUICE_LIBRARY");
  sqlite3 *database = NULL;
  char *message = NULL;
  if (library == NULL) return;
  if (__real_sqlite3_open(":memory:", &database) != SQLITE_OK) fail("cannot open :memory:");
  sqlite3_db_config(database, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL);
  if (sqlite3_load_extension(database, library, NULL, &message) != SQLITE_OK) fail(message);
  sqlite3_close(database);
  if (strcmp(__real_sqlite3_vfs_find(NULL)->zName, "sluice") != 0) {
    fail("sluice is not the default VFS");
  }
}

int __wrap_sqlite3_open(const char *name, sqlite3 **database) {
  pthread_once(&once, load);
  return __real_sqlite3_open(name, database);
}

int __wrap_sqlite3_open_v2(const char *name, sqlite3 **database, int flags, const char *vfs) {
  pthread_once(&once, load);
  return __real_sqlite3_open_v2(name, database, flags, vfs);
}

sqlite3_vfs *__wrap_sqlite3_vfs_find(const char *name) {
  pthread_once(&once, load);
  return __real_sqlite3_vfs_find(name);
}
