// A connection to a space's file: opening and its checks, statements that are compiled once, and
// transactions.
//
// One thread at a time uses a connection.

internal import CEngine
internal import SluiceSystem

@safe
final class SpaceConnection {
  private let handle: OpaquePointer
  private var statements: [String: EngineStatement] = [:]

  /// How the file is opened.
  enum Use {
    /// By the space's writer, which makes the file if there is none.
    case create
    /// By the space's writer, if the file is there.
    case write
    /// By one that reads.
    case read
  }

  init(
    _ name: SpaceName, at place: DatabasePlace, for use: Use, busyMilliseconds: Int32 = 5000
  ) throws(SpaceError) {
    var flags = cengine_open_flags
    // A reader, too, may have to recover the WAL.
    flags |= SQLITE_OPEN_READWRITE
    if use == .create { flags |= SQLITE_OPEN_CREATE }
    let uri = try asSpaceError { () throws(DatabaseError) in
      try place.uri(of: Array(name.fileName.utf8)).map { CChar(bitPattern: $0) } + [0]
    }
    var handle: OpaquePointer?
    let code =
      if let vfs = place.vfs {
        unsafe sqlite3_open_v2(uri, &handle, flags, vfs)
      } else {
        unsafe sqlite3_open_v2(uri, &handle, flags, nil)
      }
    guard code == SQLITE_OK, let opened = unsafe handle else {
      let error = unsafe DatabaseError(of: handle, code)
      unsafe sqlite3_close_v2(handle)
      if code & 0xff == SQLITE_CANTOPEN, use != .create {
        throw SpaceError(.noSuchSpace, "there is no space \(name), or it cannot be opened")
      }
      throw SpaceError(error)
    }
    unsafe self.handle = unsafe opened
    unsafe sqlite3_busy_timeout(opened, busyMilliseconds)
    try asSpaceError { () throws(DatabaseError) in
      try unsafe check(cengine_harden(self.handle))
      // The place may have no temporary files.
      try execute("PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = ON")
    }
    if use == .create { try makeTables() }
    try checkTables()
    if use != .read {
      // Hashes of changes come in any order, so their index should fit into the cache.
      try asSpaceError { () throws(DatabaseError) in
        try execute("PRAGMA synchronous = FULL; PRAGMA cache_size = -16384")
      }
    }
  }

  deinit {
    statements = [:]
    unsafe sqlite3_close_v2(handle)
  }

  // MARK: Opening

  private func makeTables() throws(SpaceError) {
    try asSpaceError { () throws(DatabaseError) in
      guard try number("SELECT count(*) FROM sqlite_schema") == 0 else { return }
      // The size of a page is fixed with the first page, and WAL writes that.
      try execute("PRAGMA page_size = 4096; PRAGMA journal_mode = WAL")
      try transaction { () throws(DatabaseError) in
        // Another may have been faster.
        guard try number("SELECT count(*) FROM sqlite_schema") == 0 else { return }
        try execute(SpaceSchema.tables)
        try execute("PRAGMA application_id = \(SpaceSchema.applicationID)")
        try execute("PRAGMA user_version = \(SpaceSchema.version)")
      }
    }
  }

  /// Another database must not be taken for a space.
  private func checkTables() throws(SpaceError) {
    let (application, version) = try asSpaceError { () throws(DatabaseError) in
      (try number("PRAGMA application_id"), try number("PRAGMA user_version"))
    }
    guard application == SpaceSchema.applicationID else {
      throw SpaceError(.notASpace, "this database is no space of documents")
    }
    guard version == SpaceSchema.version else {
      throw SpaceError(
        version > SpaceSchema.version ? .newerSchema : .notASpace,
        "the space has schema \(version); this engine reads \(SpaceSchema.version)")
    }
  }

  private func check(_ code: Int32) throws(DatabaseError) {
    if code != SQLITE_OK { throw unsafe DatabaseError(of: handle, code) }
  }

  private func execute(_ sql: String) throws(DatabaseError) {
    try unsafe check(sqlite3_exec(handle, sql, nil, nil, nil))
  }

  /// The first value of a statement that is not kept.
  private func number(_ sql: String) throws(DatabaseError) -> Int64 {
    let statement = try unsafe EngineStatement(sql, on: handle)
    return try statement.step() ? statement.integer(0) : 0
  }

  // MARK: Statements

  private func statement(_ sql: String) throws(DatabaseError) -> EngineStatement {
    if let statement = statements[sql] { return statement }
    let statement = try unsafe EngineStatement(sql, on: handle)
    statements[sql] = statement
    return statement
  }

  /// Runs a statement, and calls `row` for each row until it gives false. `row` must not use the same
  /// statement.
  func query(
    _ sql: String, _ values: SpaceParameter...,
    row: (EngineStatement) throws(DatabaseError) -> Bool
  ) throws(DatabaseError) {
    let statement = try statement(sql)
    defer {
      statement.reset()
      statement.clear()
    }
    for (index, value) in values.enumerated() { statement.bind(Int32(index + 1), value) }
    while try statement.step() {
      guard try row(statement) else { return }
    }
  }

  /// Runs a statement that gives no rows.
  func run(_ sql: String, _ values: SpaceParameter...) throws(DatabaseError) {
    let statement = try statement(sql)
    defer {
      statement.reset()
      statement.clear()
    }
    for (index, value) in values.enumerated() { statement.bind(Int32(index + 1), value) }
    _ = try statement.step()
  }

  /// What `read` makes of the first row; nil if there is none.
  func first<R>(
    _ sql: String, _ values: SpaceParameter..., read: (EngineStatement) -> R
  ) throws(DatabaseError) -> R? {
    let statement = try statement(sql)
    defer {
      statement.reset()
      statement.clear()
    }
    for (index, value) in values.enumerated() { statement.bind(Int32(index + 1), value) }
    return try statement.step() ? read(statement) : nil
  }

  /// The row that was inserted last.
  var lastRow: Int64 { unsafe sqlite3_last_insert_rowid(handle) }

  /// How many rows the last statement has changed.
  var changedRowCount: Int64 { unsafe sqlite3_changes64(handle) }

  // MARK: Transactions

  /// Does all changes of `body` or, if it throws, none. They are durable when it returns.
  func transaction<R>(_ body: () throws(DatabaseError) -> R) throws(DatabaseError) -> R {
    try run("BEGIN IMMEDIATE")
    do throws(DatabaseError) {
      let result = try body()
      try run("COMMIT")
      return result
    } catch {
      // SQLite has rolled back by itself after some errors.
      if unsafe sqlite3_get_autocommit(handle) == 0 { try? run("ROLLBACK") }
      throw error
    }
  }

  /// All reads of `body` see the space as it was at one time.
  func consistently<R>(_ body: () throws(DatabaseError) -> R) throws(DatabaseError) -> R {
    guard unsafe sqlite3_get_autocommit(handle) != 0 else { return try body() }
    try run("BEGIN")
    defer { try? run("COMMIT") }
    return try body()
  }

  /// Changes with each commit of this connection, and when it sees one of another.
  var fileVersion: UInt32 {
    var version: UInt32 = 0
    unsafe sqlite3_file_control(handle, "main", SQLITE_FCNTL_DATA_VERSION, &version)
    return version
  }

  /// For tests: the most pages that the file may have.
  func limit(pageCount: Int64) throws(DatabaseError) {
    try execute("PRAGMA max_page_count = \(pageCount)")
  }
}

/// A value that a statement is given.
enum SpaceParameter {
  case null
  case integer(Int64)
  case text(String)
  case blob([UInt8])

  init(_ text: String?) { self = text.map { .text($0) } ?? .null }
  init(_ blob: [UInt8]?) { self = blob.map { .blob($0) } ?? .null }
  init(_ integer: Int64?) { self = integer.map { .integer($0) } ?? .null }
}

extension EngineStatement {
  fileprivate func bind(_ index: Int32, _ value: SpaceParameter) {
    switch value {
    case .null: bind(index, String?.none)
    case .integer(let number): bind(index, number)
    case .text(let text): bind(index, text)
    case .blob(let bytes):
      unsafe bytes.withUnsafeBytes {
        _ = unsafe cengine_bind_blob(handle, index, $0.baseAddress, UInt64($0.count), 0)
      }
    }
  }

  /// The bytes of the column.
  func bytes(_ column: Int32) -> [UInt8] {
    let start = unsafe sqlite3_column_blob(handle, column)
    let count = unsafe Int(sqlite3_column_bytes(handle, column))
    return unsafe Array(UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count))
  }

  func optionalBytes(_ column: Int32) -> [UInt8]? { isNull(column) ? nil : bytes(column) }
}
