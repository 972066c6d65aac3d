// A compiled statement, and the row on which it stands.
//
// A statement that only reads is stepped as its rows are wanted. A statement that writes is stepped
// to its end before its first row is answered, because a half-done one would keep COMMIT from
// working; its rows are kept until they are read.
//
// Confined to the connection's thread.

internal import CEngine
internal import SluiceWire

@safe
final class Statement {
  let id: UInt64
  let text: [UInt8]
  let handle: OpaquePointer
  let effects: StatementEffects
  /// Where the text's next statement begins; 0 if there is none.
  let tail: Int
  let parameterCount: Int
  /// Once for all: whatever SQLite compiles anew is the same kind of statement. (To CREATE TABLE IF
  /// NOT EXISTS it says that this writes, whether the table is there or not.)
  let isReadOnly: Bool
  private(set) var state = State.idle
  /// The rows of a statement that writes.
  private var kept = KeptRows()
  /// How often SQLite had compiled it anew when its columns' names were last told.
  private var toldCompilations: Int32 = -1
  /// Whether values are bound that came in pieces. They go with its end, because a connection keeps
  /// many statements.
  var hasFarValues = false
  /// The short texts and blobs that are bound.
  var copies = BoundCopies()
  /// When it was last used, by the table's count.
  var lastUse: UInt64 = 0

  enum State {
    case idle
    /// It stands on a row that was not given yet.
    case onRow
    /// It stands on a row of which values may still be read; the next row was not asked for.
    case behindRow
  }

  init(id: UInt64, text: [UInt8], _ compiled: CompiledStatement) {
    self.id = id
    self.text = text
    unsafe handle = unsafe compiled.handle!
    effects = compiled.effects
    tail = compiled.tail
    unsafe parameterCount = Int(sqlite3_bind_parameter_count(handle))
    unsafe isReadOnly = sqlite3_stmt_readonly(handle) != 0
  }

  deinit {
    unsafe sqlite3_finalize(handle)
    copies.free()
  }

  var columnCount: Int { unsafe Int(sqlite3_column_count(handle)) }

  /// Ends it. It can be executed again.
  func reset() {
    if !isReadOnly { kept.removeAll() }
    state = .idle
    unsafe sqlite3_reset(handle)
    if hasFarValues {
      unsafe sqlite3_clear_bindings(handle)
      hasFarValues = false
    }
  }

  // MARK: Rows

  enum Step {
    case row, done
    case failed(Int32)
  }

  /// Goes to the first row.
  @inline(__always)
  func begin() -> Step {
    let code = unsafe sqlite3_step(handle)
    if code == SQLITE_ROW, isReadOnly {
      state = .onRow
      return .row
    }
    return code == SQLITE_DONE ? .done : finishWriting(code)
  }

  /// Steps a statement that writes to its end.
  private func finishWriting(_ first: Int32) -> Step {
    var code = first
    while code == SQLITE_ROW {
      guard unsafe kept.keep(rowOf: handle) else { return .failed(SQLITE_TOOBIG) }
      code = unsafe sqlite3_step(handle)
    }
    guard code == SQLITE_DONE else { return .failed(code) }
    guard kept.next() else { return .done }
    // The statement is over; only its rows are left.
    unsafe sqlite3_reset(handle)
    state = .onRow
    return .row
  }

  /// Goes to the next row.
  @inline(__always)
  func next() -> Step {
    if !isReadOnly {
      if kept.next() {
        state = .onRow
        return .row
      }
      return .done
    }
    let code = unsafe sqlite3_step(handle)
    switch code {
    case SQLITE_ROW:
      state = .onRow
      return .row
    case SQLITE_DONE: return .done
    default: return .failed(code)
    }
  }

  /// The row was given.
  @inline(__always)
  func passRow() { state = .behindRow }

  // MARK: Values

  @safe
  enum Value {
    case integer(Int64)
    case real(Double)
    case text(UnsafeRawBufferPointer)
    case blob(UnsafeRawBufferPointer)
    case null
  }

  /// A value of the present row. Its bytes are valid until the next step.
  @inline(__always)
  func value(_ column: Int) -> Value {
    if !isReadOnly { return kept.value(column) }
    return unsafe columnValue(handle, column)
  }

  // MARK: Names

  /// Whether the columns' names were never told, or may have changed since.
  var hasNewNames: Bool { toldCompilations != compilations }

  func noteNamesTold() { toldCompilations = compilations }

  private var compilations: Int32 {
    unsafe sqlite3_stmt_status(handle, SQLITE_STMTSTATUS_REPREPARE, 0)
  }

  func name(_ column: Int) -> UnsafeRawBufferPointer {
    guard let name = unsafe sqlite3_column_name(handle, Int32(column)) else {
      return unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    }
    return unsafe UnsafeRawBufferPointer(start: name, count: strlen(name))
  }
}

@inline(__always)
func columnValue(_ handle: OpaquePointer, _ column: Int) -> Statement.Value {
  let value = unsafe cengine_column(handle, Int32(column))
  switch unsafe value.type {
  case SQLITE_INTEGER: return unsafe .integer(value.integer)
  case SQLITE_FLOAT: return unsafe .real(value.real)
  case SQLITE_TEXT:
    return unsafe .text(UnsafeRawBufferPointer(start: value.bytes, count: Int(value.byte_count)))
  case SQLITE_BLOB:
    return unsafe .blob(UnsafeRawBufferPointer(start: value.bytes, count: Int(value.byte_count)))
  default: return .null
  }
}
