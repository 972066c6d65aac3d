// A statement of the engine itself: compiled once, used often, and always reset after its use,
// because a half-done one would keep COMMIT from working.
//
// Confined to the connection's thread.

internal import CEngine

@safe
final class EngineStatement {
  let handle: OpaquePointer

  /// Compiles one statement. The SQL is the engine's own.
  init(_ sql: String, on connection: OpaquePointer) throws(DatabaseError) {
    var handle: OpaquePointer?
    let code = unsafe sqlite3_prepare_v3(
      connection, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &handle, nil)
    guard code == SQLITE_OK, let handle = unsafe handle else {
      throw unsafe DatabaseError(of: connection, code)
    }
    unsafe self.handle = unsafe handle
  }

  deinit { unsafe sqlite3_finalize(handle) }

  // MARK: Parameters

  func bind(_ index: Int32, _ text: String) {
    var text = text
    _ = text.withUTF8 {
      unsafe cengine_bind_text(handle, index, $0.baseAddress, UInt64($0.count), 0)
    }
  }

  func bind(_ index: Int32, _ text: String?) {
    if let text { bind(index, text) } else { _ = unsafe sqlite3_bind_null(handle, index) }
  }

  func bind(_ index: Int32, _ number: Int64) { unsafe sqlite3_bind_int64(handle, index, number) }

  func bind(_ index: Int32, _ number: Int64?) {
    if let number { bind(index, number) } else { _ = unsafe sqlite3_bind_null(handle, index) }
  }

  func bind(_ index: Int32, _ value: TableValue) {
    _ = unsafe sqlite3_bind_value(handle, index, value.handle)
  }

  // MARK: Rows

  /// Goes to the next row; false at the end.
  func step() throws(DatabaseError) -> Bool {
    switch unsafe sqlite3_step(handle) {
    case SQLITE_ROW: return true
    case SQLITE_DONE: return false
    case let code:
      let error = unsafe DatabaseError(of: sqlite3_db_handle(handle), code)
      reset()
      throw error
    }
  }

  /// Runs it to its end.
  func run() throws(DatabaseError) {
    defer { reset() }
    while try step() {}
  }

  func reset() { unsafe sqlite3_reset(handle) }

  /// Forgets the parameters, which may be large.
  func clear() { unsafe sqlite3_clear_bindings(handle) }

  func isNull(_ column: Int32) -> Bool {
    unsafe sqlite3_column_type(handle, column) == SQLITE_NULL
  }

  func integer(_ column: Int32) -> Int64 { unsafe sqlite3_column_int64(handle, column) }

  func real(_ column: Int32) -> Double { unsafe sqlite3_column_double(handle, column) }

  func optionalInteger(_ column: Int32) -> Int64? { isNull(column) ? nil : integer(column) }

  /// The text of the column. What is not UTF-8 in it is replaced.
  func text(_ column: Int32) -> String {
    guard let start = unsafe sqlite3_column_text(handle, column) else { return "" }
    let count = unsafe Int(sqlite3_column_bytes(handle, column))
    return unsafe String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
  }

  func optionalText(_ column: Int32) -> String? { isNull(column) ? nil : text(column) }
}

/// Statements of the engine, compiled when they are first wanted, by their text.
@safe
final class StatementPool {
  private let connection: OpaquePointer
  private var idle: [String: [EngineStatement]] = [:]
  private var hasEnded = false
  /// A query that names a table many times uses so many statements at a time; few do.
  private static let idleCountMaximum = 4

  init(_ connection: OpaquePointer) { unsafe self.connection = unsafe connection }

  /// A statement that nobody else uses until it is given back.
  func take(_ sql: String) throws(DatabaseError) -> EngineStatement {
    if let statement = idle[sql]?.popLast() { return statement }
    return try unsafe EngineStatement(sql, on: connection)
  }

  func giveBack(_ statement: EngineStatement, _ sql: String) {
    statement.reset()
    statement.clear()
    guard !hasEnded, idle[sql, default: []].count < Self.idleCountMaximum else { return }
    idle[sql, default: []].append(statement)
  }

  /// Finalizes the statements, because the connection is about to be closed.
  func end() {
    hasEnded = true
    idle = [:]
  }
}
