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

// A value of the row on which a statement stands. Its bytes are valid until the next step.
struct cengine_value {
  int type;       // SQLITE_INTEGER …
  int byte_count; // of a text or blob
  union {
    sqlite3_int64 integer;
    double real;
    const void *bytes;
  };
};

// The connection is used by one thread and has no mutex, so its values are as good as protected ones
// (see "Protected and unprotected values" of SQLite). Asked of the value, each answer costs less than
// of the column. A text in UTF-8 is taken as it is stored: sqlite3_column_text would copy it to end it
// with a zero.
static inline struct cengine_value cengine_column(sqlite3_stmt *statement, int column) {
  sqlite3_value *value = sqlite3_column_value(statement, column);
  struct cengine_value result = {.type = sqlite3_value_type(value)};
  switch (result.type) {
    case SQLITE_INTEGER: result.integer = sqlite3_value_int64(value); break;
    case SQLITE_FLOAT: result.real = sqlite3_value_double(value); break;
    case SQLITE_TEXT:
#if SQLITE_VERSION_NUMBER >= 3040000
      if (sqlite3_value_encoding(value) == SQLITE_UTF8)
        result.bytes = sqlite3_value_blob(value);
      else
#endif
        result.bytes = sqlite3_value_text(value);
      result.byte_count = sqlite3_value_bytes(value);
      break;
    case SQLITE_BLOB:
      result.bytes = sqlite3_value_blob(value);
      result.byte_count = sqlite3_value_bytes(value);
      break;
    default: break;
  }
  return result;
}

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

// A virtual table and a cursor of it, with their Swift objects.
struct cengine_table {
  sqlite3_vtab base;
  void *object;
};
struct cengine_cursor {
  sqlite3_vtab_cursor base;
  void *object;
};

// Names what was wrong in a method of a virtual table.
void cengine_set_error(sqlite3_vtab *table, const char *message);

// Statements in triggers and views may use the table that is being connected.
int cengine_make_innocuous(sqlite3 *connection);
// The table that is being connected fails with SQLITE_CONSTRAINT before it has written anything of a
// row, so that OR IGNORE and its like mean what they say.
int cengine_support_constraints(sqlite3 *connection);

// The value is copied.
void cengine_result_text(sqlite3_context *context, const void *text, uint64_t byte_count);
void cengine_result_blob(sqlite3_context *context, const void *blob, uint64_t byte_count);

// A copy that SQLite frees.
char *cengine_copy(const char *text);

// Extended result codes, whose macros Swift cannot read.
static const int cengine_constraint_not_null = SQLITE_CONSTRAINT_NOTNULL;
static const int cengine_constraint_primary_key = SQLITE_CONSTRAINT_PRIMARYKEY;
static const int cengine_constraint_unique = SQLITE_CONSTRAINT_UNIQUE;
