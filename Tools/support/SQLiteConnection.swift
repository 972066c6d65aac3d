// The small part of SQLite's C interface that tools need, for one thread.

internal import CSQLite
internal import CSluice

@safe
package final class SQLiteConnection {
  private let sqlite: SQLiteLibrary
  private var database: SQLiteLibrary.Database?

  /// Opens `target`, with its extension loaded first.
  package convenience init(_ sqlite: SQLiteLibrary, _ target: Target) throws(ToolError) {
    if let library = target.library { try sqlite.loadVFS(library) }
    let name = target.path == ":memory:" ? target.path : target.uri
    try self.init(sqlite, name: name, vfs: target.vfs)
  }

  /// Opens the database of that URI in a VFS that SQLite knows already.
  package init(_ sqlite: SQLiteLibrary, name: String, vfs: String) throws(ToolError) {
    self.sqlite = sqlite
    let flags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX
    guard unsafe sqlite.open(name, &database, flags, vfs) == SQLITE_OK else {
      throw .unopenable("\(name) (VFS \(vfs)): \(message)")
    }
  }

  deinit { _ = unsafe sqlite.close(database) }

  package func setBusyTimeout(milliseconds: Int32) {
    _ = unsafe sqlite.busyTimeout(database, milliseconds)
  }

  package func load(_ library: String, entryPoint: String) throws(ToolError) {
    _ = unsafe sqlite.enableLoadExtension(database, 1)
    guard unsafe sqlite.loadExtension(database, library, entryPoint, nil) == SQLITE_OK else {
      throw .failed("\(library): \(message)")
    }
  }

  package func prepare(_ sql: String) throws(ToolError) -> SQLiteStatement {
    var statement: SQLiteLibrary.Statement?
    guard unsafe sqlite.prepare(database, sql, -1, &statement, nil) == SQLITE_OK else {
      throw .failed("\(sql): \(message)")
    }
    return unsafe SQLiteStatement(self, sqlite, statement)
  }

  /// Runs one statement; the first column of its first row as text, if it has any.
  @discardableResult
  package func execute(_ sql: String) throws(ToolError) -> String? {
    let statement = try prepare(sql)
    var result: String?
    while true {
      let code = statement.step()
      if code == SQLITE_DONE { return result }
      guard code == SQLITE_ROW else { throw .failed("\(sql): \(message)") }
      if result == nil { result = statement.text }
    }
  }

  package var message: String { unsafe String(cString: sqlite.message(database)) }
}

/// A prepared statement; it keeps its connection open.
@safe
package final class SQLiteStatement {
  private let connection: SQLiteConnection
  private let sqlite: SQLiteLibrary
  private let statement: SQLiteLibrary.Statement?

  fileprivate init(
    _ connection: SQLiteConnection, _ sqlite: SQLiteLibrary, _ statement: SQLiteLibrary.Statement?
  ) {
    self.connection = connection
    self.sqlite = sqlite
    unsafe self.statement = unsafe statement
  }

  deinit { _ = unsafe sqlite.finalize(statement) }

  package func bind(_ value: Int64) { _ = unsafe sqlite.bind(statement, 1, value) }

  @inline(__always)
  package func step() -> Int32 { unsafe sqlite.step(statement) }

  /// Makes it ready to run again.
  @inline(__always)
  package func reset() { _ = unsafe sqlite.reset(statement) }

  /// The first column of the row.
  package var text: String? {
    unsafe sqlite.columnText(statement, 0).map { unsafe String(cString: $0) }
  }
}

extension SQLiteLibrary {
  /// Loads an extension that registers a VFS for the whole process.
  package func loadVFS(_ path: String) throws(ToolError) {
    let connection = try SQLiteConnection(self, Target(path: ":memory:"))
    try connection.load(path, entryPoint: "sqlite3_sluice_init")
  }
}
