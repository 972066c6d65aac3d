// What SQLite itself says.

import CEngine
import Testing

enum SQLiteFunctions {
  static func isValidJSON(_ text: String) throws -> Bool {
    try number("SELECT json_valid(?)", text) == 1
  }

  static func number(_ sql: String, _ argument: String) throws -> Int64 {
    var connection: OpaquePointer?
    try #require(unsafe sqlite3_open(":memory:", &connection) == SQLITE_OK)
    defer { unsafe sqlite3_close(connection) }
    var statement: OpaquePointer?
    try #require(unsafe sqlite3_prepare_v2(connection, sql, -1, &statement, nil) == SQLITE_OK)
    defer { unsafe sqlite3_finalize(statement) }
    let bytes = Array(argument.utf8)
    unsafe bytes.withUnsafeBytes {
      _ = unsafe cengine_bind_text(statement, 1, $0.baseAddress, UInt64($0.count), 0)
    }
    try #require(unsafe sqlite3_step(statement) == SQLITE_ROW)
    return unsafe sqlite3_column_int64(statement, 0)
  }
}
