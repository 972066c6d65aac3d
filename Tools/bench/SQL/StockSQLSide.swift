// SQLite in the caller's process: the base of `sluice-bench sql`. It calls SQLite's functions as a
// program in C does, with statements that are prepared once.

internal import CSQLite
internal import CSluice
internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

@safe
struct StockSQLSide: SQLSide {
  private let sqlite: SQLiteLibrary
  private let database: SQLiteLibrary.Database?
  private let pointStatement: SQLiteLibrary.Statement?
  private let insertStatement: SQLiteLibrary.Statement?
  private let rowsStatement: SQLiteLibrary.Statement?
  private let updateStatement: SQLiteLibrary.Statement?
  private let beginStatement: SQLiteLibrary.Statement?
  private let commitStatement: SQLiteLibrary.Statement?
  private let name: [UInt8]
  private var taken = TakenValues()

  /// It lives as long as its process.
  init(_ path: String) throws(ToolError) {
    let sqlite = try SQLiteLibrary()
    self.sqlite = sqlite
    let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX
    var database: SQLiteLibrary.Database?
    guard unsafe sqlite.open(path, &database, flags, nil) == SQLITE_OK else {
      throw .unopenable(path)
    }
    unsafe self.database = unsafe database
    func prepare(_ sql: String) throws(ToolError) -> SQLiteLibrary.Statement? {
      var statement: SQLiteLibrary.Statement?
      guard unsafe sqlite.prepare(database, sql, -1, &statement, nil) == SQLITE_OK else {
        throw unsafe .failed("\(sql): \(String(cString: sqlite.message(database)))")
      }
      return unsafe statement
    }
    for setting in SQLWork.settings {
      let statement = try unsafe prepare(setting)
      while unsafe sqlite.step(statement) == SQLITE_ROW {}
      _ = unsafe sqlite.finalize(statement)
    }
    unsafe pointStatement = try unsafe prepare(SQLWork.pointSQL)
    unsafe insertStatement = try unsafe prepare(SQLWork.insertSQL)
    unsafe rowsStatement = try unsafe prepare(SQLWork.rowsSQL)
    unsafe updateStatement = try unsafe prepare(SQLWork.updateSQL)
    unsafe beginStatement = try unsafe prepare("BEGIN")
    unsafe commitStatement = try unsafe prepare("COMMIT")
    name = Array(SQLWork.insertedName.utf8)
  }

  mutating func point(_ id: Int64) throws(ToolError) {
    let statement = unsafe pointStatement
    _ = unsafe sqlite.bind(statement, 1, id)
    guard unsafe sqlite.step(statement) == SQLITE_ROW else { throw unsafe failure(statement) }
    unsafe takeText(statement, 0)
    taken.add(unsafe sqlite.columnInteger(statement, 1))
    taken.add(unsafe sqlite.columnDouble(statement, 2))
    try unsafe finish(statement)
    taken.forget()
  }

  mutating func insert(_ number: Int64) throws(ToolError) {
    let statement = unsafe insertStatement
    _ = unsafe name.withUnsafeBytes {
      unsafe sqlite.bindText(statement, 1, $0.baseAddress, Int32($0.count), nil)
    }
    _ = unsafe sqlite.bind(statement, 2, number)
    _ = unsafe sqlite.bindDouble(statement, 3, Double(number) * 0.5)
    try unsafe finish(statement)
  }

  mutating func rows(from id: Int64) throws(ToolError) {
    let statement = unsafe rowsStatement
    _ = unsafe sqlite.bind(statement, 1, id)
    var count: Int64 = 0
    while unsafe sqlite.step(statement) == SQLITE_ROW {
      taken.add(unsafe sqlite.columnInteger(statement, 0))
      unsafe takeText(statement, 1)
      taken.add(unsafe sqlite.columnInteger(statement, 2))
      taken.add(unsafe sqlite.columnDouble(statement, 3))
      count += 1
    }
    _ = unsafe sqlite.reset(statement)
    guard count == SQLWork.fetchedRowCount else { throw unsafe failure(statement) }
    taken.forget()
  }

  mutating func batch(from id: Int64) throws(ToolError) {
    try unsafe finish(beginStatement)
    for number in id..<id + SQLWork.batchCount {
      _ = unsafe sqlite.bind(updateStatement, 1, number)
      try unsafe finish(updateStatement)
    }
    try unsafe finish(commitStatement)
  }

  mutating func run(_ sql: StaticString) throws(ToolError) {
    var statement: SQLiteLibrary.Statement?
    _ = unsafe sqlite.prepare(database, sql.description, -1, &statement, nil)
    try unsafe finish(statement)
    _ = unsafe sqlite.finalize(statement)
  }

  /// Runs a statement without an end, and interrupts it.
  func endless() -> (@Sendable () -> Int32, () -> Void) {
    var statement: SQLiteLibrary.Statement?
    _ = unsafe sqlite.prepare(database, SQLWork.endlessSQL, -1, &statement, nil)
    let (step, reset, interrupt) = unsafe (sqlite.step, sqlite.reset, sqlite.interrupt)
    let place = UInt(bitPattern: statement)
    let database = unsafe database
    let run: @Sendable () -> Int32 = {
      let code = unsafe step(OpaquePointer(bitPattern: place))
      _ = unsafe reset(OpaquePointer(bitPattern: place))
      return code
    }
    return (run, { unsafe interrupt(database) })
  }

  @inline(__always)
  private func finish(_ statement: SQLiteLibrary.Statement?) throws(ToolError) {
    guard unsafe sqlite.step(statement) == SQLITE_DONE else { throw unsafe failure(statement) }
    _ = unsafe sqlite.reset(statement)
  }

  @inline(__always)
  private mutating func takeText(_ statement: SQLiteLibrary.Statement?, _ column: Int32) {
    let text = unsafe sqlite.columnText(statement, column)
    let byteCount = unsafe Int(sqlite.columnByteCount(statement, column))
    unsafe taken.add(UnsafeRawBufferPointer(start: text, count: byteCount))
  }

  private func failure(_ statement: SQLiteLibrary.Statement?) -> ToolError {
    unsafe .failed("SQLite in the process: \(String(cString: sqlite.message(database)))")
  }
}

/// The values of a result, as a program would take them: numbers are added, texts are copied.
@safe
struct TakenValues {
  private(set) var sum: Int64 = 0
  private let copies: UnsafeMutableRawBufferPointer
  private var byteCount = 0

  init() { unsafe copies = .allocate(byteCount: 1 << 20, alignment: 16) }

  @inline(__always)
  mutating func add(_ value: Int64) { sum &+= value }

  @inline(__always)
  mutating func add(_ value: Double) { sum &+= Int64(value) }

  @inline(__always)
  mutating func add(_ text: UnsafeRawBufferPointer) {
    guard let start = text.baseAddress, unsafe byteCount + text.count <= copies.count else {
      return
    }
    unsafe (copies.baseAddress! + byteCount).copyMemory(from: start, byteCount: text.count)
    byteCount += text.count
  }

  @inline(__always)
  mutating func forget() { byteCount = 0 }
}
