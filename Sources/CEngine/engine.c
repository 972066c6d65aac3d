#include "CEngine.h"

int cengine_bind_text(
    sqlite3_stmt *statement, int index, const void *text, uint64_t byte_count, int stays) {
  return sqlite3_bind_text64(statement, index, text ? text : "", byte_count,
                             stays ? SQLITE_STATIC : SQLITE_TRANSIENT, SQLITE_UTF8);
}

int cengine_bind_blob(
    sqlite3_stmt *statement, int index, const void *blob, uint64_t byte_count, int stays) {
  // A null pointer would bind NULL.
  return sqlite3_bind_blob64(statement, index, blob ? blob : "", byte_count,
                             stays ? SQLITE_STATIC : SQLITE_TRANSIENT);
}

int cengine_configure_process(int64_t memory_byte_count_max) {
  if (memory_byte_count_max <= 0) return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  int code = sqlite3_initialize();
  if (code == SQLITE_OK) sqlite3_hard_heap_limit64(memory_byte_count_max);
  return code;
}

int cengine_harden(sqlite3 *connection) {
  static const struct {
    int option, value;
  } settings[] = {
      {SQLITE_DBCONFIG_DEFENSIVE, 1},
      {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
      {SQLITE_DBCONFIG_DQS_DDL, 0},
      {SQLITE_DBCONFIG_DQS_DML, 0},
      {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
  };
  for (unsigned i = 0; i < sizeof settings / sizeof settings[0]; i++) {
    int code = sqlite3_db_config(connection, settings[i].option, settings[i].value, (int *)0);
    if (code != SQLITE_OK) return code;
  }
  return SQLITE_OK;
}

int64_t cengine_file_byte_count(sqlite3 *connection) {
  sqlite3_file *file = 0;
  sqlite3_file_control(connection, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  sqlite3_int64 byte_count = -1;
  if (!file || !file->pMethods || file->pMethods->xFileSize(file, &byte_count) != SQLITE_OK)
    return -1;
  return byte_count;
}

void cengine_sleep(sqlite3 *connection, int microseconds) {
  sqlite3_vfs *vfs = 0;
  sqlite3_file_control(connection, "main", SQLITE_FCNTL_VFS_POINTER, &vfs);
  if (!vfs) vfs = sqlite3_vfs_find(0);
  vfs->xSleep(vfs, microseconds);
}

static cengine_entry the_entry;

// SQLite passes its functions to extensions only. Any code but SQLITE_OK would fail the open.
static int enter(sqlite3 *connection, char **message, const struct sqlite3_api_routines *functions) {
  int code = the_entry(connection, message, functions);
  return code == SQLITE_OK_LOAD_PERMANENTLY ? SQLITE_OK : code;
}

int cengine_register(cengine_entry entry) {
  the_entry = entry;
  void (*extension)(void) = (void (*)(void))enter;
  int code = sqlite3_auto_extension(extension);
  if (code != SQLITE_OK) return code;
  sqlite3 *connection = 0;
  code = sqlite3_open(":memory:", &connection);
  sqlite3_close(connection);
  sqlite3_cancel_auto_extension(extension);
  return code;
}

void cengine_set_error(sqlite3_vtab *table, const char *message) {
  sqlite3_free(table->zErrMsg);
  table->zErrMsg = sqlite3_mprintf("%s", message);
}

int cengine_make_innocuous(sqlite3 *connection) {
  return sqlite3_vtab_config(connection, SQLITE_VTAB_INNOCUOUS);
}

int cengine_support_constraints(sqlite3 *connection) {
  return sqlite3_vtab_config(connection, SQLITE_VTAB_CONSTRAINT_SUPPORT, 1);
}

void cengine_result_text(sqlite3_context *context, const void *text, uint64_t byte_count) {
  sqlite3_result_text64(context, text ? text : "", byte_count, SQLITE_TRANSIENT, SQLITE_UTF8);
}

void cengine_result_blob(sqlite3_context *context, const void *blob, uint64_t byte_count) {
  sqlite3_result_blob64(context, blob ? blob : "", byte_count, SQLITE_TRANSIENT);
}

char *cengine_copy(const char *text) { return sqlite3_mprintf("%s", text); }
