// SQL across the boundary, for C and for every language that calls C.
//
// The program that includes this has no SQLite, no database files and no locks. It sends SQL to an
// engine, a process of its own (`sluice engine`), and reads the rows where the engine wrote them.
// Link with -lsluice-sql. The library needs libc and nothing else.
//
// Threads. Any thread may call any function. Calls on one connection wait for each other; only
// sluice_cancel does not wait. A result is one thread's at a time; the results of a connection may be
// those of several threads. A transaction and the last error belong to the connection, so threads
// that work at the same time want a connection each. While a thread closes a handle, no other
// thread may use that handle.
//
// Lifetimes. What the caller passes is read during the call and not kept. Text and blobs that a
// function gives are borrowed: they are valid until the next call on the connection or one of its
// results, except calls of sluice_column_…, sluice_changes and the like, which only tell something.
// They are not terminated by a zero, because they may contain zeros; use the length.
//
// Errors. A function gives SLUICE_OK (or SLUICE_ROW, SLUICE_DONE), else SQLite's extended result
// code; `code & 0xff` is the kind. sluice_error_message tells the cause and the remedy. NULL, a
// closed handle, a column that is not there: no function crashes on them; they give SLUICE_MISUSE
// or SLUICE_RANGE, or a value that is 0. When the engine dies, every call that waits for it, and
// every later one, gives SLUICE_GONE; what was not committed is rolled back; open a new connection.
//
// A forked child must not use its parent's connections: they give SLUICE_GONE there.
#ifndef SLUICE_H
#define SLUICE_H

#include <sluice_codes.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sluice_connection sluice_connection;
typedef struct sluice_result sluice_result;

// The types of values.
#define SLUICE_INTEGER 1
#define SLUICE_REAL 2
#define SLUICE_TEXT 3       // UTF-8
#define SLUICE_BLOB 4
#define SLUICE_NULL 5

struct sluice_value {
  int32_t type;       // SLUICE_INTEGER …
  int32_t reserved;   // ignored
  uint64_t length;    // of a text or blob, in bytes; at most 64 MiB
  union {
    int64_t integer;
    double real;
    const void *bytes;  // of a text or blob; may be NULL if the length is 0
  };
};

// --- Connections ---------------------------------------------------------------------------------

// Flags of sluice_open.
#define SLUICE_OPEN 0       // the database has to be there
#define SLUICE_CREATE 1     // the database must not be there
#define SLUICE_EITHER 2     // it is opened, or created
#define SLUICE_READ_ONLY 16 // may be added: this connection changes nothing
#define SLUICE_STATE 32     // may be added: the database has the state pipeline (Protocol/STATE.md)

// Opens a database. Blocks until the engine has it, for 30 seconds at most.
//
//   database           its name: below the engine's root, or, with a private engine, of this
//                      machine; ":memory:" for one in the engine's memory
//   socket             the socket of the engine. NULL: the one that SLUICE_SQL_SOCKET names; if
//                      that is not set either, a private engine, which lives as long as the
//                      connection. Its program is the one that SLUICE_ENGINE names, or
//                      ../bin/sluice-engine or sluice-engine beside this library, or in PATH
//   busy_milliseconds  how long a statement waits for the locks of others; -1 for 5,000
//   connection         where the connection is put. On failure too, so that the error can be read:
//                      close it in any case
int sluice_open(
    const char *database, const char *socket, unsigned flags, int busy_milliseconds,
    sluice_connection **connection);

// The same with an image of a database (see sluice_export), as which a new database begins.
int sluice_open_image(
    const char *database, const char *socket, unsigned flags, int busy_milliseconds,
    const void *image, size_t length, sluice_connection **connection);

// Ends the connection; waits for a call under way. What is not committed is rolled back. Its
// results give SLUICE_MISUSE from then on, and still have to be closed. NULL is SLUICE_OK.
int sluice_close(sluice_connection *connection);

// Interrupts the call that another thread waits for on this connection, if there is one; that call
// gives SLUICE_INTERRUPT. Later calls are not touched. Waits for nobody. The connection must not be
// closed meanwhile.
int sluice_cancel(sluice_connection *connection);

// The last failure of a call on the connection or its results: its code, what it is and what to do
// (UTF-8, with a zero at its end, never NULL), and the byte in the SQL where it lies (-1: nowhere).
// A call that succeeds leaves them as they are. The text is borrowed.
int sluice_error_code(sluice_connection *connection);
const char *sluice_error_message(sluice_connection *connection);
int64_t sluice_error_offset(sluice_connection *connection);

// Rows that the last execution inserted, changed or deleted; 0 if it only read.
int64_t sluice_changes(sluice_connection *connection);
// The row id that the connection inserted last.
int64_t sluice_last_row_id(sluice_connection *connection);
// 1 if no transaction is open, as the engine told last; else 0.
int sluice_autocommit(sluice_connection *connection);

// This library's version, and SQLite's in the engine, as in 3040001 for 3.40.1.
const char *sluice_version(void);
int sluice_sqlite_version(sluice_connection *connection);

// --- Statements ----------------------------------------------------------------------------------

// Executes one statement. There is nothing to prepare: the engine keeps the statements of each
// connection compiled, by their text. So keep values out of the text, and pass them as `values`.
//
//   sql                    one statement; UTF-8. More than one is an error
//   sql_length             its bytes; -1 if a zero ends it
//   values                 for the parameters ?1, ?2 …, as many as the statement has
//   deadline_milliseconds  the statement is interrupted after this time; 0: never
//   result                 where the rows are, to be closed by sluice_result_close; NULL on failure.
//                          With NULL for `result` the rows are dropped
//
// A statement that writes is done when this returns, with RETURNING too. The rows of another are
// made as they are read.
int sluice_execute(
    sluice_connection *connection, const char *sql, ptrdiff_t sql_length,
    const struct sluice_value *values, size_t value_count, uint32_t deadline_milliseconds,
    sluice_result **result);

// The same for the first statement of a script. `tail` gets the byte where the next statement
// begins, or 0 if none follows.
int sluice_execute_first(
    sluice_connection *connection, const char *sql, ptrdiff_t sql_length,
    const struct sluice_value *values, size_t value_count, uint32_t deadline_milliseconds,
    size_t *tail, sluice_result **result);

// --- Results -------------------------------------------------------------------------------------

// Goes to the next row: SLUICE_ROW, SLUICE_DONE behind the last, or a failure.
int sluice_step(sluice_result *result);

int sluice_column_count(sluice_result *result);
// UTF-8, with a zero at its end; valid until the result is closed. NULL if there is no such column.
const char *sluice_column_name(sluice_result *result, int column);

// A value of the present row; columns begin at 0. Nothing is converted but integers to reals and
// back: a number is no text (use CAST), and a text counts as 0. If a value cannot be had, they give
// SLUICE_NULL, 0 or NULL, and sluice_error_code tells why. `length` may be NULL. An empty text is
// not NULL.
int sluice_column_type(sluice_result *result, int column);
int64_t sluice_column_int64(sluice_result *result, int column);
double sluice_column_double(sluice_result *result, int column);
const char *sluice_column_text(sluice_result *result, int column, size_t *length);
const void *sluice_column_blob(sluice_result *result, int column, size_t *length);

// Several rows at once, for the bindings of slow languages.
struct sluice_rows {
  uint64_t row_count;
  uint64_t column_count;
  const struct sluice_value *values;  // row after row
  // All texts and blobs of these rows lie in this range, except those above 64 KiB.
  const void *bytes;
  uint64_t byte_count;
  uint64_t has_more;  // 0: no row follows, and sluice_next_rows need not be called again
};

// Goes to the last of the rows that the engine has sent, and gives all behind the present one:
// SLUICE_ROW, SLUICE_DONE, or a failure. `rows` is borrowed.
int sluice_next_rows(sluice_result *result, struct sluice_rows *rows);

// Ends the statement, and drops what was not read of it. NULL is SLUICE_OK.
int sluice_result_close(sluice_result *result);

// --- Batches -------------------------------------------------------------------------------------

struct sluice_batch_step {
  const char *sql;
  ptrdiff_t sql_length;  // -1 if a zero ends it
  const struct sluice_value *values;
  size_t value_count;
};

// Executes the steps in order; stops at the first that fails. Steps that follow one another are
// sent together, so that this costs less than as many calls. Rows are dropped.
//
//   atomic   not 0: all or nothing. A failure undoes the batch and nothing else; steps that begin
//            or end a transaction are refused. Within a transaction it is a part of that, else it
//            is committed at its end
//   changes  gets the rows that each step changed; or NULL
//   failed   gets the index of the step that failed; `count` if the end of the batch failed; or NULL
//
// The deadline is that of the whole batch. Not atomic, the steps before the failure stay.
int sluice_batch(
    sluice_connection *connection, const struct sluice_batch_step *steps, size_t count, int atomic,
    uint32_t deadline_milliseconds, int64_t *changes, size_t *failed);

// --- Export --------------------------------------------------------------------------------------

// Gives the whole database's image, piece by piece. Refused while a transaction is open. The image
// is that of one moment. `receive` gives 0 to go on; another number ends the export with
// SLUICE_ABORT. It must not use the connection.
int sluice_export(
    sluice_connection *connection,
    int (*receive)(void *context, const void *bytes, size_t length), void *context);

// --- Changes of the state ------------------------------------------------------------------------

// Waits until the state of the database (SLUICE_STATE) has a later commit than number `seen` (0 for
// none). `number` gets that of the last one, which is `seen` when the time (at most 3,600,000
// milliseconds) is over. What has changed is in the view state_commit. Refused while a transaction is
// open. sluice_cancel ends the wait.
int sluice_await_changes(
    sluice_connection *connection, int64_t seen, int64_t milliseconds, int64_t *number);

#ifdef __cplusplus
}
#endif

#endif
