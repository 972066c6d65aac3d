// The payloads of the SQL operations, declared once.
//
// A request and its answer use the same payload range. Both are a head, and behind it rows of cells:
//
//   request                                 answer
//   +0   sluice_sql_request   16 bytes      +0   sluice_sql_page    40 bytes
//   +16  cell 0: the SQL                    +40  the names of the columns, if the flag says so
//   +32  cells 1…: the parameters           +…   row after row, one cell for each column
//
// Cells grow upwards. The bytes of texts and blobs lie anywhere behind the cells; writers put them
// at the end of the range and grow downwards. Numbers are little-endian. Protocol/SQL.md is the
// normative text; a test compares its tables with this file.
#pragma once
#include <stddef.h>
#include <stdint.h>

// One value.
struct sluice_sql_cell {
  uint8_t type;         // SLUICE_SQL_...
  uint8_t reserved[3];  // zero
  uint32_t byte_count;  // of a text or blob; 0 for other types
  uint64_t value;  // the integer, the real's bits, or where a text or blob lies in the range. Of a
                   // far value in an answer: its byte count
};

// The types have SQLite's own numbers. A far value does not fit into the range: it is read or was
// written in pieces.
#define SLUICE_SQL_INTEGER 1
#define SLUICE_SQL_REAL 2
#define SLUICE_SQL_TEXT 3
#define SLUICE_SQL_BLOB 4
#define SLUICE_SQL_NULL 5
#define SLUICE_SQL_FAR_TEXT 6
#define SLUICE_SQL_FAR_BLOB 7

struct sluice_sql_request {
  uint32_t cell_count;     // the SQL and the parameters; 0 where there is neither
  uint32_t flags;          // SLUICE_SQL_CHAINED ...
  uint32_t row_count_max;  // the most rows in the answer; 0: as many as fit
  uint32_t deadline_ms;    // the statement is interrupted after this time; 0: never
};

// Only do this if the execution before it was done.
#define SLUICE_SQL_CHAINED 1u
// Refuse statements that begin or end a transaction.
#define SLUICE_SQL_IN_BATCH 2u
// The answer begins with the names of the columns.
#define SLUICE_SQL_WITH_NAMES 4u
// Do the first statement of the text only; the answer tells where the next begins.
#define SLUICE_SQL_FIRST_ONLY 8u
// End the statement after this page, even if more rows follow.
#define SLUICE_SQL_ONE_PAGE 16u

struct sluice_sql_page {
  uint32_t row_count;
  uint16_t column_count;
  uint16_t flags;      // SLUICE_SQL_MORE ...
  uint32_t tail;       // where the text's next statement begins; 0: there is none
  uint32_t reserved;   // zero
  int64_t changes;     // rows that the statement inserted, changed or deleted
  int64_t row_id;      // the connection's last inserted row; of an error: the byte in the SQL, or -1
  uint64_t statement;  // by which this text is known from now on; 0: it is not kept
};

// More rows follow.
#define SLUICE_SQL_MORE 1u
// No transaction is open.
#define SLUICE_SQL_AUTOCOMMIT 2u
// The page begins with the names of the columns.
#define SLUICE_SQL_NAMES 4u
// The statement only reads.
#define SLUICE_SQL_READS 8u

// Copies out of shared memory that the peer may be changing: every byte is read exactly once.
static inline struct sluice_sql_cell sluice_sql_cell_copy(const void *shared) {
  const volatile uint64_t *from = (const volatile uint64_t *)shared;
  union {
    struct sluice_sql_cell cell;
    uint64_t words[2];
  } copy = {.words = {from[0], from[1]}};
  return copy.cell;
}

static inline struct sluice_sql_request sluice_sql_request_copy(const void *shared) {
  const volatile uint64_t *from = (const volatile uint64_t *)shared;
  union {
    struct sluice_sql_request request;
    uint64_t words[2];
  } copy = {.words = {from[0], from[1]}};
  return copy.request;
}

static inline struct sluice_sql_page sluice_sql_page_copy(const void *shared) {
  const volatile uint64_t *from = (const volatile uint64_t *)shared;
  union {
    struct sluice_sql_page page;
    uint64_t words[5];
  } copy = {.words = {from[0], from[1], from[2], from[3], from[4]}};
  return copy.page;
}

_Static_assert(sizeof(struct sluice_sql_cell) == 16, "cell");
_Static_assert(offsetof(struct sluice_sql_cell, byte_count) == 4, "cell");
_Static_assert(offsetof(struct sluice_sql_cell, value) == 8, "cell");
_Static_assert(sizeof(struct sluice_sql_request) == 16, "request");
_Static_assert(sizeof(struct sluice_sql_page) == 40, "page");
_Static_assert(offsetof(struct sluice_sql_page, changes) == 16, "page");
