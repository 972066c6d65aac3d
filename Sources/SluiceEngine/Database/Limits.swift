// What a client may ask for at most. SQLite checks its own limits (sqlite3_limit); the others are
// the engine's.

internal import CEngine

enum Limits {
  /// Bytes of one text or blob.
  static let valueByteCountMaximum = 64 << 20
  /// Bytes of one row: a value of the largest size and short ones beside it.
  static let rowByteCountMaximum = 65 << 20
  static let sqlByteCountMaximum = 1 << 20
  /// Columns of a table or a result: a row of cells and the names fit into one page.
  static let columnCountMaximum = 1000
  static let parameterCountMaximum = 2000
  /// Statements that one connection keeps compiled.
  static let statementCountMaximum = 256
  /// Statements of one connection whose rows were not all read.
  static let cursorCountMaximum = 64
  /// Bytes of the rows of INSERT … RETURNING, which are kept until they are read.
  static let keptByteCountMaximum = 65 << 20
  /// Bytes of an image of a database.
  static let imageByteCountMaximum = 1 << 30
  static let instructionsBetweenLooks: Int32 = 1000

  static let all: [(limit: Int32, value: Int32)] = [
    (SQLITE_LIMIT_LENGTH, Int32(rowByteCountMaximum)),
    (SQLITE_LIMIT_SQL_LENGTH, Int32(sqlByteCountMaximum)),
    (SQLITE_LIMIT_COLUMN, Int32(columnCountMaximum)),
    (SQLITE_LIMIT_EXPR_DEPTH, 200),
    (SQLITE_LIMIT_COMPOUND_SELECT, 100),
    (SQLITE_LIMIT_VDBE_OP, 1_000_000),
    (SQLITE_LIMIT_FUNCTION_ARG, 100),
    // VACUUM attaches one.
    (SQLITE_LIMIT_ATTACHED, 1),
    (SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000),
    (SQLITE_LIMIT_VARIABLE_NUMBER, Int32(parameterCountMaximum)),
    (SQLITE_LIMIT_TRIGGER_DEPTH, 100),
    (SQLITE_LIMIT_WORKER_THREADS, 0),
  ]
}
