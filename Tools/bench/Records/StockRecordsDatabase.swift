// The tables of the original, and the statements on them.

internal import CSQLite
internal import CSluice
internal import SluiceRecords
internal import ToolSupport

@safe
final class StockRecordsDatabase {
  private typealias Statement = SQLiteLibrary.Statement
  private let sqlite: SQLiteLibrary
  private let database: SQLiteLibrary.Database?
  private let beginStatement: SQLiteLibrary.Statement?
  private let commitStatement: SQLiteLibrary.Statement?
  private let addValue: SQLiteLibrary.Statement?
  private let findValue: SQLiteLibrary.Statement?
  private let readValue: SQLiteLibrary.Statement?
  private let findSession: SQLiteLibrary.Statement?
  private let putSession: SQLiteLibrary.Statement?
  private let readSessions: SQLiteLibrary.Statement?
  private let addSignature: SQLiteLibrary.Statement?
  private let readSignatures: SQLiteLibrary.Statement?
  private let addTransaction: SQLiteLibrary.Statement?
  private let readTransactions: SQLiteLibrary.Statement?

  private static let schema = """
    CREATE TABLE IF NOT EXISTS coValues(
      rowID INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, header TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS sessions(
      rowID INTEGER PRIMARY KEY, coValue INTEGER NOT NULL, sessionID TEXT NOT NULL,
      lastIdx INTEGER, lastSignature TEXT, bytesSinceLastSignature INTEGER,
      UNIQUE(coValue, sessionID));
    CREATE TABLE IF NOT EXISTS transactions(
      ses INTEGER, idx INTEGER, tx TEXT NOT NULL, PRIMARY KEY(ses, idx)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS signatureAfter(
      ses INTEGER, idx INTEGER, signature TEXT NOT NULL, PRIMARY KEY(ses, idx)) WITHOUT ROWID;
    """

  /// Opens the database, and makes its tables. It lives as long as its process.
  init(_ path: String, durability: RecordDurability) throws(ToolError) {
    let connection = try StockConnection(path)
    sqlite = connection.sqlite
    unsafe database = unsafe connection.database
    let level = durability == .full ? "FULL" : "NORMAL"
    for setting in ["journal_mode = WAL", "synchronous = \(level)", "cache_size = -65536"] {
      try connection.run("PRAGMA \(setting)")
    }
    for sql in Self.schema.split(separator: ";") where sql.contains("CREATE") {
      try connection.run(String(sql))
    }
    // Several processes write: a transaction that reads first and is not immediate could not go on.
    unsafe beginStatement = try connection.prepare("BEGIN IMMEDIATE")
    unsafe commitStatement = try connection.prepare("COMMIT")
    unsafe addValue = try connection.prepare(
      "INSERT INTO coValues(id, header) VALUES(?, ?) ON CONFLICT(id) DO NOTHING RETURNING rowID")
    unsafe findValue = try connection.prepare("SELECT rowID FROM coValues WHERE id = ?")
    unsafe readValue = try connection.prepare("SELECT rowID, header FROM coValues WHERE id = ?")
    unsafe findSession = try connection.prepare(
      """
      SELECT rowID, lastIdx, bytesSinceLastSignature, lastSignature FROM sessions
      WHERE coValue = ? AND sessionID = ?
      """)
    unsafe putSession = try connection.prepare(
      """
      INSERT INTO sessions(coValue, sessionID, lastIdx, lastSignature, bytesSinceLastSignature)
      VALUES(?, ?, ?, ?, ?) ON CONFLICT(coValue, sessionID) DO UPDATE SET
      lastIdx = excluded.lastIdx, lastSignature = excluded.lastSignature,
      bytesSinceLastSignature = excluded.bytesSinceLastSignature RETURNING rowID
      """)
    unsafe readSessions = try connection.prepare(
      """
      SELECT rowID, sessionID, lastIdx, lastSignature FROM sessions WHERE coValue = ?
      ORDER BY rowID
      """)
    unsafe addSignature = try connection.prepare("INSERT INTO signatureAfter VALUES(?, ?, ?)")
    unsafe readSignatures = try connection.prepare(
      "SELECT idx, signature FROM signatureAfter WHERE ses = ? ORDER BY idx")
    unsafe addTransaction = try connection.prepare("INSERT INTO transactions VALUES(?, ?, ?)")
    unsafe readTransactions = try connection.prepare(
      "SELECT tx FROM transactions WHERE ses = ? AND idx >= ? AND idx <= ?")
  }

  // MARK: Writing

  func begin() throws(ToolError) { try unsafe run(beginStatement) }
  func commit() throws(ToolError) { try unsafe run(commitStatement) }

  /// The row of a value, which is made if there is a header; nil if it is not there.
  func row(of id: StockText, header: StockText?) throws(ToolError) -> Int64? {
    if let header {
      unsafe bind(addValue, 1, id)
      unsafe bind(addValue, 2, header)
      if let row = try unsafe integer(addValue) { return row }
    }
    unsafe bind(findValue, 1, id)
    return try unsafe integer(findValue)
  }

  func session(
    _ id: StockText, of row: Int64
  ) throws(ToolError) -> (count: Int64, size: Int64)? {
    _ = unsafe sqlite.bind(findSession, 1, row)
    unsafe bind(findSession, 2, id)
    guard try unsafe step(findSession) else { return nil }
    let found = unsafe (
      sqlite.columnInteger(findSession, 1), sqlite.columnInteger(findSession, 2)
    )
    _ = unsafe sqlite.reset(findSession)
    return found
  }

  func put(
    _ id: StockText, of row: Int64, count: Int64, _ signature: StockText, size: Int64
  ) throws(ToolError) -> Int64 {
    _ = unsafe sqlite.bind(putSession, 1, row)
    unsafe bind(putSession, 2, id)
    _ = unsafe sqlite.bind(putSession, 3, count)
    unsafe bind(putSession, 4, signature)
    _ = unsafe sqlite.bind(putSession, 5, size)
    guard let row = try unsafe integer(putSession) else { throw failure }
    return row
  }

  func addSignature(_ signature: StockText, at index: Int64, to row: Int64) throws(ToolError) {
    try unsafe add(addSignature, row, index, signature)
  }

  func addTransaction(_ text: StockText, at index: Int64, to row: Int64) throws(ToolError) {
    try unsafe add(addTransaction, row, index, text)
  }

  // MARK: Reading

  struct Session {
    let row: Int64
    let id: [UInt8]
    let count: Int64
    let signature: [UInt8]
  }

  func value(_ id: [UInt8]) throws(ToolError) -> (row: Int64, header: [UInt8])? {
    _ = unsafe id.withUnsafeBytes {
      unsafe sqlite.bindText(readValue, 1, $0.baseAddress, Int32($0.count), Self.copied)
    }
    guard try unsafe step(readValue) else { return nil }
    defer { _ = unsafe sqlite.reset(readValue) }
    return unsafe (sqlite.columnInteger(readValue, 0), bytes(readValue, 1))
  }

  func sessions(of row: Int64) throws(ToolError) -> [Session] {
    _ = unsafe sqlite.bind(readSessions, 1, row)
    var found: [Session] = []
    while try unsafe step(readSessions) {
      found.append(
        unsafe Session(
          row: sqlite.columnInteger(readSessions, 0), id: bytes(readSessions, 1),
          count: sqlite.columnInteger(readSessions, 2), signature: bytes(readSessions, 3)))
    }
    return found
  }

  func signatures(of row: Int64) throws(ToolError) -> [(last: Int64, signature: [UInt8])] {
    _ = unsafe sqlite.bind(readSignatures, 1, row)
    var found: [(last: Int64, signature: [UInt8])] = []
    while try unsafe step(readSignatures) {
      unsafe found.append((sqlite.columnInteger(readSignatures, 0), bytes(readSignatures, 1)))
    }
    return found
  }

  @inline(__always)
  func transactions(
    of row: Int64, _ first: Int64, _ last: Int64, _ body: (UnsafeBufferPointer<UInt8>) -> Void
  ) throws(ToolError) {
    _ = unsafe sqlite.bind(readTransactions, 1, row)
    _ = unsafe sqlite.bind(readTransactions, 2, first)
    _ = unsafe sqlite.bind(readTransactions, 3, last)
    while try unsafe step(readTransactions) { unsafe body(text(readTransactions, 0)) }
  }

  // MARK: Parts

  /// SQLite's own copy is made of a text.
  private static var copied: UnsafeRawPointer? { unsafe UnsafeRawPointer(bitPattern: -1) }

  private func bind(_ statement: Statement?, _ parameter: Int32, _ text: StockText) {
    _ = unsafe sqlite.bindText(statement, parameter, text.start, text.byteCount, nil)
  }

  private func add(
    _ statement: Statement?, _ row: Int64, _ index: Int64, _ text: StockText
  ) throws(ToolError) {
    _ = unsafe sqlite.bind(statement, 1, row)
    _ = unsafe sqlite.bind(statement, 2, index)
    unsafe bind(statement, 3, text)
    try unsafe run(statement)
  }

  /// Whether there is a row. Behind the last one the statement is reset.
  private func step(_ statement: Statement?) throws(ToolError) -> Bool {
    let code = unsafe sqlite.step(statement)
    if code == SQLITE_ROW { return true }
    _ = unsafe sqlite.reset(statement)
    guard code == SQLITE_DONE else { throw failure }
    return false
  }

  private func run(_ statement: Statement?) throws(ToolError) {
    while try unsafe step(statement) {}
  }

  /// The number in the first row; all steps are done.
  private func integer(_ statement: Statement?) throws(ToolError) -> Int64? {
    guard try unsafe step(statement) else { return nil }
    let number = unsafe sqlite.columnInteger(statement, 0)
    try unsafe run(statement)
    return number
  }

  private func text(_ statement: Statement?, _ column: Int32) -> UnsafeBufferPointer<UInt8> {
    let start = unsafe sqlite.columnText(statement, column)
    return unsafe UnsafeBufferPointer(
      start: start, count: Int(sqlite.columnByteCount(statement, column)))
  }

  private func bytes(_ statement: Statement?, _ column: Int32) -> [UInt8] {
    unsafe Array(text(statement, column))
  }

  private var failure: ToolError {
    unsafe .failed("SQLite in the process: \(String(cString: sqlite.message(database)))")
  }
}

/// A connection whose statements are being compiled.
@safe
private struct StockConnection {
  let sqlite: SQLiteLibrary
  let database: SQLiteLibrary.Database?

  init(_ path: String) throws(ToolError) {
    sqlite = try SQLiteLibrary()
    var database: SQLiteLibrary.Database?
    let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX
    guard unsafe sqlite.open(path, &database, flags, nil) == SQLITE_OK else {
      throw .unopenable(path)
    }
    unsafe self.database = unsafe database
    _ = unsafe sqlite.busyTimeout(database, 60_000)
  }

  func prepare(_ sql: String) throws(ToolError) -> SQLiteLibrary.Statement? {
    var statement: SQLiteLibrary.Statement?
    guard unsafe sqlite.prepare(database, sql, -1, &statement, nil) == SQLITE_OK else {
      throw unsafe .failed("\(sql): \(String(cString: sqlite.message(database)))")
    }
    return unsafe statement
  }

  func run(_ sql: String) throws(ToolError) {
    let statement = try unsafe prepare(sql)
    while unsafe sqlite.step(statement) == SQLITE_ROW {}
    guard unsafe sqlite.finalize(statement) == SQLITE_OK else {
      throw unsafe .failed("\(sql): \(String(cString: sqlite.message(database)))")
    }
  }
}
