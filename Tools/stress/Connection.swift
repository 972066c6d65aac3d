// The part of SQLite's C interface that the stress test needs.

import CSQLite

struct SQLiteError: Error {
  var code: Int32
  var message: String
  var statement: String

  /// It is another connection's turn. Only this error is not a fault.
  var isBusy: Bool { code & 0xff == SQLITE_BUSY }
}

/// One connection, used by one thread.
@safe
final class Connection {
  private var handle: OpaquePointer?

  /// Opens `name`. With `extension`, first registers the VFS from that library.
  init(_ name: String, extension library: String?) throws {
    if let library {
      var loader: OpaquePointer?
      _ = unsafe sqlite3_open(":memory:", &loader)
      defer { unsafe sqlite3_close(loader) }
      unsafe sqlite3_enable_load_extension(loader, 1)
      var message: UnsafeMutablePointer<CChar>?
      let code = unsafe sqlite3_load_extension(loader, library, nil, &message)
      guard code == SQLITE_OK else {
        let text = unsafe message.map { unsafe String(cString: $0) } ?? ""
        throw SQLiteError(code: code, message: text, statement: "load_extension")
      }
    }
    let flags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX
    let code = unsafe sqlite3_open_v2(name, &handle, flags, nil)
    guard code == SQLITE_OK else { throw error(code, "open \(name)") }
  }

  deinit { unsafe sqlite3_close_v2(handle) }

  func setBusyTimeout(milliseconds: Int32) { unsafe sqlite3_busy_timeout(handle, milliseconds) }

  func execute(_ sql: String) throws { _ = try rows(sql) }

  /// Runs one statement and returns its rows as text.
  @discardableResult
  func rows(_ sql: String) throws -> [[String]] {
    var statement: OpaquePointer?
    let prepared = unsafe sqlite3_prepare_v2(handle, sql, -1, &statement, nil)
    guard prepared == SQLITE_OK else { throw error(prepared, sql) }
    defer { unsafe sqlite3_finalize(statement) }
    var rows: [[String]] = []
    while true {
      let code = unsafe sqlite3_step(statement)
      if code == SQLITE_DONE { return rows }
      guard code == SQLITE_ROW else { throw error(code, sql) }
      let columnCount = unsafe sqlite3_column_count(statement)
      rows.append(
        (0..<columnCount).map { column in
          unsafe sqlite3_column_text(statement, column).map { unsafe String(cString: $0) } ?? ""
        })
    }
  }

  var isInTransaction: Bool { unsafe sqlite3_get_autocommit(handle) == 0 }

  private func error(_ code: Int32, _ sql: String) -> SQLiteError {
    let extended = unsafe sqlite3_extended_errcode(handle)
    return SQLiteError(
      code: extended == SQLITE_OK ? code : extended,
      message: unsafe String(cString: sqlite3_errmsg(handle)), statement: sql)
  }
}
