#include "CSQLite.h"

SQLITE_EXTENSION_INIT1

void csqlite_set_api(const sqlite3_api_routines *api) { SQLITE_EXTENSION_INIT2(api); }

int csqlite_version_number(void) { return sqlite3_libversion_number(); }

int csqlite_vfs_register(sqlite3_vfs *vfs, int make_default) {
  return sqlite3_vfs_register(vfs, make_default);
}

sqlite3_vfs *csqlite_vfs_find(const char *name) { return sqlite3_vfs_find(name); }

const char *csqlite_uri_parameter(const char *filename, const char *name) {
  return sqlite3_uri_parameter(filename, name);
}

int csqlite_commits_one_database(sqlite3 *connection) {
  if (sqlite3_libversion_number() < 3039000) return 0;
  if (!sqlite3_api->txn_state || !sqlite3_api->db_name) return 0;
  int writers = 0;
  for (int i = 0;; i++) {
    const char *schema = sqlite3_db_name(connection, i);
    if (!schema) return writers == 1;
    if (sqlite3_txn_state(connection, schema) == SQLITE_TXN_WRITE) writers++;
  }
}

int csqlite_has_one_database(sqlite3 *connection) {
  if (sqlite3_libversion_number() < 3039000 || !sqlite3_api->db_name) return 0;
  // 1 is for temporary tables.
  return !sqlite3_db_name(connection, 2);
}

int csqlite_runs_writers_only(sqlite3 *connection) {
  if (!sqlite3_api->next_stmt || !sqlite3_api->stmt_busy) return 0;
  int writers = 0;
  sqlite3_stmt *statement = 0;
  while ((statement = sqlite3_next_stmt(connection, statement))) {
    if (!sqlite3_stmt_busy(statement)) continue;
    if (sqlite3_stmt_readonly(statement)) return 0;
    writers++;
  }
  return writers > 0;
}

void csqlite_beside_unix_vfs(void (*body)(void)) {
  // SQLITE_MUTEX_STATIC_VFS1; a build for one thread has no mutexes.
  sqlite3_mutex *mutex = sqlite3_api->mutex_alloc ? sqlite3_mutex_alloc(11) : 0;
  if (mutex) sqlite3_mutex_enter(mutex);
  body();
  if (mutex) sqlite3_mutex_leave(mutex);
}

void csqlite_log(int code, const char *text) { sqlite3_log(code, "%s", text); }

char *csqlite_copy(const char *text) { return sqlite3_mprintf("%s", text); }
