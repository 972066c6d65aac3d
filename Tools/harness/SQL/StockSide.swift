// SQLite in this process: the right answers. Confined to one thread.

internal import CSQLite
internal import SluiceCommand
internal import ToolSupport

/// The functions of libsqlite3 that the comparison calls.
@safe
struct StockSQLite {
  typealias Handle = OpaquePointer?
  let open:
    @convention(c) (
      UnsafePointer<CChar>, UnsafeMutablePointer<Handle>, Int32, UnsafePointer<CChar>?
    ) -> Int32
  let close: @convention(c) (Handle) -> Int32
  let prepare:
    @convention(c) (
      Handle, UnsafePointer<CChar>, Int32, UnsafeMutablePointer<Handle>,
      UnsafeMutablePointer<UnsafePointer<CChar>?>?
    ) -> Int32
  let step: @convention(c) (Handle) -> Int32
  let finalize: @convention(c) (Handle) -> Int32
  let reset: @convention(c) (Handle) -> Int32
  let message: @convention(c) (Handle) -> UnsafePointer<CChar>
  let extendedCodes: @convention(c) (Handle, Int32) -> Int32
  let changes: @convention(c) (Handle) -> Int32
  let totalChanges: @convention(c) (Handle) -> Int32
  let lastRowID: @convention(c) (Handle) -> Int64
  let autocommit: @convention(c) (Handle) -> Int32
  let readOnly: @convention(c) (Handle) -> Int32
  let parameterCount: @convention(c) (Handle) -> Int32
  let bindInteger: @convention(c) (Handle, Int32, Int64) -> Int32
  let bindReal: @convention(c) (Handle, Int32, Double) -> Int32
  let bindNull: @convention(c) (Handle, Int32) -> Int32
  let bindText: @convention(c) (Handle, Int32, UnsafeRawPointer?, UInt64, Int, UInt8) -> Int32
  let bindBlob: @convention(c) (Handle, Int32, UnsafeRawPointer?, UInt64, Int) -> Int32
  let columnCount: @convention(c) (Handle) -> Int32
  let columnName: @convention(c) (Handle, Int32) -> UnsafePointer<CChar>?
  let columnType: @convention(c) (Handle, Int32) -> Int32
  let columnInteger: @convention(c) (Handle, Int32) -> Int64
  let columnReal: @convention(c) (Handle, Int32) -> Double
  let columnBlob: @convention(c) (Handle, Int32) -> UnsafeRawPointer?
  let columnText: @convention(c) (Handle, Int32) -> UnsafeRawPointer?
  let columnByteCount: @convention(c) (Handle, Int32) -> Int32

  init() throws(ToolError) {
    let library = try DynamicLibrary.sqlite()
    unsafe open = try library.function("open_v2")
    unsafe close = try library.function("close_v2")
    unsafe prepare = try library.function("prepare_v2")
    unsafe step = try library.function("step")
    unsafe finalize = try library.function("finalize")
    unsafe reset = try library.function("reset")
    unsafe message = try library.function("errmsg")
    unsafe extendedCodes = try library.function("extended_result_codes")
    unsafe changes = try library.function("changes")
    unsafe totalChanges = try library.function("total_changes")
    unsafe lastRowID = try library.function("last_insert_rowid")
    unsafe autocommit = try library.function("get_autocommit")
    unsafe readOnly = try library.function("stmt_readonly")
    unsafe parameterCount = try library.function("bind_parameter_count")
    unsafe bindInteger = try library.function("bind_int64")
    unsafe bindReal = try library.function("bind_double")
    unsafe bindNull = try library.function("bind_null")
    unsafe bindText = try library.function("bind_text64")
    unsafe bindBlob = try library.function("bind_blob64")
    unsafe columnCount = try library.function("column_count")
    unsafe columnName = try library.function("column_name")
    unsafe columnType = try library.function("column_type")
    unsafe columnInteger = try library.function("column_int64")
    unsafe columnReal = try library.function("column_double")
    unsafe columnBlob = try library.function("column_blob")
    unsafe columnText = try library.function("column_text")
    unsafe columnByteCount = try library.function("column_bytes")
  }
}

@safe
private struct StockStatement {
  let handle: OpaquePointer?
  /// What its first step gave, until it is read: the engine steps a statement when it opens it.
  var first: Int32?
}

@safe
final class StockSide {
  private let sqlite: StockSQLite
  private var handle: OpaquePointer?
  private var cursors: [Int: StockStatement] = [:]
  /// Compiled statements by text. As in the engine, because one that was compiled before a change
  /// of the schema meets locks before it meets the change.
  private var statements: [String: StockStatement] = [:]

  init(_ sqlite: StockSQLite, path: String) throws(HarnessError) {
    self.sqlite = sqlite
    let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX
    guard unsafe sqlite.open(zeroTerminated(path), &handle, flags, nil) == SQLITE_OK else {
      throw .failed("\(path): cannot be opened")
    }
    _ = unsafe sqlite.extendedCodes(handle, 1)
    let mode = result("PRAGMA journal_mode = WAL")
    guard mode.code == 0 else { throw .failed("\(path): \(mode.message)") }
  }

  deinit {
    for statement in statements.values { _ = unsafe sqlite.finalize(statement.handle) }
    for cursor in cursors.values { _ = unsafe sqlite.finalize(cursor.handle) }
    _ = unsafe sqlite.close(handle)
  }

  private var isAutocommit: Bool { unsafe sqlite.autocommit(handle) != 0 }

  func result(_ sql: String, _ values: [SQLValue] = []) -> SQLResult {
    var statement = unsafe statements[sql]?.handle
    if let refused = unsafe prepare(sql, values, &statement) { return refused }
    statements[sql] = unsafe StockStatement(handle: statement)
    defer { _ = unsafe sqlite.reset(statement) }
    var result = SQLResult(names: unsafe names(statement))
    let isReadOnly = unsafe sqlite.readOnly(statement) != 0
    let before = unsafe sqlite.totalChanges(handle)
    var code = unsafe sqlite.step(statement)
    // SQLite may have compiled it anew.
    result.names = unsafe names(statement)
    while code == SQLITE_ROW {
      result.rows.append(unsafe row(statement))
      code = unsafe sqlite.step(statement)
    }
    guard code == SQLITE_DONE else { return refusal(code) }
    if !isReadOnly, unsafe sqlite.totalChanges(handle) != before {
      result.changes = Int64(unsafe sqlite.changes(handle))
    }
    result.rowID = unsafe sqlite.lastRowID(handle)
    result.isAutocommit = isAutocommit
    return result
  }

  private func refusal(_ code: Int32) -> SQLResult {
    unsafe SQLResult(
      code: code, message: String(cString: sqlite.message(handle)), isAutocommit: isAutocommit)
  }

  private func prepare(
    _ sql: String, _ values: [SQLValue], _ statement: inout OpaquePointer?
  ) -> SQLResult? {
    if unsafe statement == nil {
      let code = unsafe sqlite.prepare(handle, zeroTerminated(sql), -1, &statement, nil)
      guard code == SQLITE_OK else { return refusal(code) }
    }
    for (index, value) in values.enumerated() {
      let place = Int32(index + 1)
      var code = SQLITE_OK
      switch value {
      case .integer(let value): code = unsafe sqlite.bindInteger(statement, place, value)
      case .real(let bits):
        code = unsafe sqlite.bindReal(statement, place, Double(bitPattern: bits))
      case .null: code = unsafe sqlite.bindNull(statement, place)
      // -1 is SQLITE_TRANSIENT, 1 is UTF-8.
      case .text(let bytes):
        code = unsafe (bytes + [0]).withUnsafeBytes {
          unsafe sqlite.bindText(statement, place, $0.baseAddress, UInt64(bytes.count), -1, 1)
        }
      case .blob(let bytes):
        code = unsafe (bytes + [0]).withUnsafeBytes {
          unsafe sqlite.bindBlob(statement, place, $0.baseAddress, UInt64(bytes.count), -1)
        }
      }
      if code != SQLITE_OK {
        let refused = refusal(code)
        _ = unsafe sqlite.finalize(statement)
        statements[sql] = nil
        return refused
      }
    }
    return nil
  }

  private func names(_ statement: OpaquePointer?) -> [[UInt8]] {
    let count = unsafe sqlite.columnCount(statement)
    return (0..<count).map { column in
      guard let name = unsafe sqlite.columnName(statement, column) else { return [] }
      return Array(unsafe String(cString: name).utf8)
    }
  }

  private func row(_ statement: OpaquePointer?) -> [SQLValue] {
    let count = unsafe sqlite.columnCount(statement)
    return (0..<count).map { column in
      switch unsafe sqlite.columnType(statement, column) {
      case 1: return unsafe .integer(sqlite.columnInteger(statement, column))
      case 2: return unsafe .real(sqlite.columnReal(statement, column).bitPattern)
      case 3:
        return unsafe .text(bytes(sqlite.columnText(statement, column), statement, column))
      case 4:
        return unsafe .blob(bytes(sqlite.columnBlob(statement, column), statement, column))
      default: return .null
      }
    }
  }

  private func bytes(
    _ start: UnsafeRawPointer?, _ statement: OpaquePointer?, _ column: Int32
  ) -> [UInt8] {
    let count = unsafe Int(sqlite.columnByteCount(statement, column))
    return unsafe Array(UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count))
  }

  // MARK: Cursors

  func openCursor(_ number: Int, _ sql: String, _ values: [SQLValue]) -> SQLResult {
    var statement: OpaquePointer?
    if let refused = unsafe prepare(sql, values, &statement) { return refused }
    let code = unsafe sqlite.step(statement)
    guard code == SQLITE_ROW || code == SQLITE_DONE else {
      let refused = refusal(code)
      _ = unsafe sqlite.finalize(statement)
      return refused
    }
    cursors[number] = unsafe StockStatement(handle: statement, first: code)
    return SQLResult(names: unsafe names(statement), isAutocommit: isAutocommit)
  }

  func read(_ number: Int, _ count: Int) -> SQLResult {
    var result = SQLResult()
    guard let cursor = cursors[number] else { return result }
    let statement = unsafe cursor.handle
    while result.rows.count < count {
      let code = unsafe cursors[number]?.first.take() ?? sqlite.step(statement)
      if code == SQLITE_DONE {
        closeCursor(number)
        break
      }
      guard code == SQLITE_ROW else {
        let refused = refusal(code)
        closeCursor(number)
        return refused
      }
      result.rows.append(unsafe row(statement))
    }
    return result
  }

  func closeCursor(_ number: Int) {
    if let statement = cursors.removeValue(forKey: number) {
      _ = unsafe sqlite.finalize(statement.handle)
    }
  }
}
