// What only a program that links libsqlite3 can call: here the names mean the library's functions,
// not those behind the extension's pointer.
#include <sqlite3.h>

int csqlite_enable_load_extension(sqlite3 *db);

int csqlite_enable_load_extension(sqlite3 *db) {
  return sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, (int *)0);
}
