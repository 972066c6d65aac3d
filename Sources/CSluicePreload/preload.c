// A program that links libsqlite3 dynamically finds these functions before SQLite's own, if
// libsluice.so is preloaded (or linked before it). The first call registers the VFS, and every call
// is passed on to SQLite. sqlite3_config must come before SQLite is initialized, and registering a
// VFS initializes SQLite. So nothing happens before the program opens a database or asks for a VFS.
#define SQLITE_CORE 1  // so that names below are functions, not entries of an extension's table
#include <dlfcn.h>
#include <pthread.h>
#include <sqlite3.h>
#include <sqlite3ext.h>

#include "CSluicePreload.h"

#define EXPORTED __attribute__((visibility("default")))

// SQLite's function with this name. It is in a library that was loaded after this one or, if a
// module has loaded SQLite for itself (as Python's does), in that library.
static void *sqlite_function(const char *name) {
  void *function = dlsym(RTLD_NEXT, name);
  if (function) return function;
  void *library = dlopen("libsqlite3.so.0", RTLD_LAZY | RTLD_NOLOAD);
  return library ? dlsym(library, name) : NULL;
}

static sqlite3_api_routines api;

static void register_vfs(void) {
  *(void **)&api.libversion_number = sqlite_function("sqlite3_libversion_number");
  *(void **)&api.vfs_register = sqlite_function("sqlite3_vfs_register");
  *(void **)&api.vfs_find = sqlite_function("sqlite3_vfs_find");
  *(void **)&api.mutex_alloc = sqlite_function("sqlite3_mutex_alloc");
  *(void **)&api.mutex_enter = sqlite_function("sqlite3_mutex_enter");
  *(void **)&api.mutex_leave = sqlite_function("sqlite3_mutex_leave");
  *(void **)&api.uri_parameter = sqlite_function("sqlite3_uri_parameter");
  *(void **)&api.uri_key = sqlite_function("sqlite3_uri_key");
  *(void **)&api.log = sqlite_function("sqlite3_log");
  *(void **)&api.txn_state = sqlite_function("sqlite3_txn_state");
  *(void **)&api.db_name = sqlite_function("sqlite3_db_name");
  *(void **)&api.mprintf = sqlite_function("sqlite3_mprintf");
  // An SQLite too old for some of these is too old for the VFS.
  if (api.libversion_number && api.vfs_register && api.vfs_find && api.uri_parameter && api.log &&
      api.mprintf) {
    sluice_register_vfs(&api);
  }
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int is_registered;

// Registering initializes SQLite, which asks for its default VFS. That call comes here too, during
// the first call, and is passed straight on.
static void *ready(const char *name) {
  static _Thread_local int is_registering;
  if (!is_registering) {
    is_registering = 1;
    pthread_mutex_lock(&lock);
    if (!is_registered) register_vfs();
    is_registered = 1;
    pthread_mutex_unlock(&lock);
    is_registering = 0;
  }
  return sqlite_function(name);
}

EXPORTED int sqlite3_open(const char *filename, sqlite3 **db) {
  int (*real)(const char *, sqlite3 **) = ready("sqlite3_open");
  return real ? real(filename, db) : SQLITE_INTERNAL;
}

EXPORTED int sqlite3_open16(const void *filename, sqlite3 **db) {
  int (*real)(const void *, sqlite3 **) = ready("sqlite3_open16");
  return real ? real(filename, db) : SQLITE_INTERNAL;
}

EXPORTED int sqlite3_open_v2(const char *filename, sqlite3 **db, int flags, const char *vfs) {
  int (*real)(const char *, sqlite3 **, int, const char *) = ready("sqlite3_open_v2");
  return real ? real(filename, db, flags, vfs) : SQLITE_INTERNAL;
}

// When SQLite is initialized again, its own VFS is the default again. Then ours must be registered
// again.
EXPORTED int sqlite3_shutdown(void) {
  int (*real)(void) = sqlite_function("sqlite3_shutdown");
  pthread_mutex_lock(&lock);
  is_registered = 0;
  pthread_mutex_unlock(&lock);
  return real ? real() : SQLITE_INTERNAL;
}

// The registration itself asks for a VFS by name, through SQLite's own function.
EXPORTED sqlite3_vfs *sqlite3_vfs_find(const char *name) {
  sqlite3_vfs *(*real)(const char *) = ready("sqlite3_vfs_find");
  return real ? real(name) : NULL;
}
