// A connection to one database, made safe for statements of strangers.
//
// Confined to one thread at a time.

internal import CEngine
internal import SluiceSystem
internal import SluiceWire

@safe
final class Connection {
  let handle: OpaquePointer
  let isReadOnly: Bool
  private let interruption: Interruption
  private let busyNanoseconds: Int64
  private var busySince: Int64 = 0
  /// What must be there as long as SQLite knows its tables.
  private var tableSource: (any TableSource)?
  /// The names of the source's tables and of those behind them.
  private var sourceNames: Set<String> = []
  /// Whether the statement that is being compiled is the engine's own.
  private var isOwn = false
  /// What the statement that is being compiled does.
  private var effects = StatementEffects()

  static let memoryPath = Array(":memory:".utf8)

  /// Opens a database as a client asked for. `seed` is the image with which a new one begins.
  init(
    _ request: SQLOpenRequest, at place: DatabasePlace, seed: [UInt8]?, _ interruption: Interruption
  ) throws(DatabaseError) {
    isReadOnly = request.options.contains(.readOnly)
    self.interruption = interruption
    busyNanoseconds = request.busyMilliseconds * 1_000_000
    let isMemory = request.path == Self.memoryPath
    let isSeeded = request.options.contains(.seeded)
    if isReadOnly, request.mode != .open || isSeeded {
      throw DatabaseError(SQLITE_MISUSE, "a read-only connection creates no database")
    }
    if isSeeded, request.mode == .open, !isMemory {
      throw DatabaseError(SQLITE_MISUSE, "an image makes a new database; this one shall exist")
    }
    // First: a bad image must leave no file behind.
    let image = isSeeded ? try SeedImage(seed ?? []) : nil
    unsafe handle = try unsafe Self.open(request, isMemory: isMemory, at: place)
    // From here on `deinit` closes, even if this throws.
    try prepareForStrangers()
    let isNew = isMemory ? true : try settle(request.mode)
    if let image {
      guard isNew else {
        throw DatabaseError(
          SQLITE_CANTOPEN, "the database exists already; an image makes a new one")
      }
      try image.copy(into: self)
    }
    if !isMemory, !isReadOnly, request.mode != .open { try useWAL() }
    unsafe sqlite3_set_authorizer(handle, authorize, Unmanaged.passUnretained(self).toOpaque())
  }

  /// Rolls back what is open. The statements must be finalized.
  deinit {
    unsafe sqlite3_progress_handler(handle, 0, nil, nil)
    tableSource?.end()
    savepoint = nil
    // It tells the source of the rollback, so the source outlives it.
    unsafe sqlite3_close_v2(handle)
  }

  var isAutocommit: Bool { unsafe sqlite3_get_autocommit(handle) != 0 }

  // MARK: Opening

  private static func open(
    _ request: SQLOpenRequest, isMemory: Bool, at place: DatabasePlace
  ) throws(DatabaseError) -> OpaquePointer {
    var flags = cengine_open_flags
    flags |= request.options.contains(.readOnly) ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE
    if request.mode != .open { flags |= SQLITE_OPEN_CREATE }
    let uri = isMemory ? memoryPath : try place.uri(of: request.path)
    let name = uri.map { CChar(bitPattern: $0) }
    var handle: OpaquePointer?
    // A database in memory has temporary files, too.
    let vfs = place.vfs
    let code = unsafe vfs.withOptionalCString { vfs in
      unsafe sqlite3_open_v2(name + [0], &handle, flags, vfs)
    }
    guard code == SQLITE_OK, let handle = unsafe handle else {
      let error = unsafe DatabaseError(of: handle, code)
      unsafe sqlite3_close_v2(handle)
      throw error
    }
    return unsafe handle
  }

  private func prepareForStrangers() throws(DatabaseError) {
    try unsafe check(cengine_harden(handle))
    for (limit, value) in Limits.all { unsafe sqlite3_limit(handle, limit, value) }
    let context = unsafe Unmanaged.passUnretained(self).toOpaque()
    unsafe sqlite3_progress_handler(
      handle, Limits.instructionsBetweenLooks,
      { context in
        unsafe Connection.at(context).interruption.isDue() ? 1 : 0
      }, context)
    unsafe sqlite3_busy_handler(
      handle, { (context, count) in unsafe Connection.at(context).waitBusy(count) }, context)
  }

  fileprivate static func at(_ context: UnsafeMutableRawPointer?) -> Connection {
    unsafe Unmanaged<Connection>.fromOpaque(context!).takeUnretainedValue()
  }

  /// Another connection has a lock. The VFS's sleep may know when it is given back.
  private func waitBusy(_ count: Int32) -> Int32 {
    let now = Clock.monotonicNanoseconds()
    if count == 0 { busySince = now }
    guard now - busySince < busyNanoseconds, !interruption.isDue() else { return 0 }
    unsafe cengine_sleep(handle, 1000)
    return 1
  }

  /// A new database is a file with a first page, so that of two creators one is refused. Whether
  /// this connection has created it.
  private func settle(_ mode: SQLOpenMode) throws(DatabaseError) -> Bool {
    switch mode {
    // Without a read, SQLite believes that any file is a database.
    case .open:
      try run("SELECT 1 FROM sqlite_schema LIMIT 1")
      return false
    case .either, .create:
      try run("BEGIN IMMEDIATE")
      // The transaction has made the first page, but not written it.
      let isNew = unsafe cengine_file_byte_count(handle) == 0
      guard isNew || mode == .either else {
        try run("ROLLBACK")
        throw DatabaseError(SQLITE_CANTOPEN, "the database exists already")
      }
      if isNew { try run("PRAGMA user_version = 0") }
      try run("COMMIT")
      return isNew
    }
  }

  private func useWAL() throws(DatabaseError) {
    var count: Int32 = 0
    while true {
      do throws(DatabaseError) {
        guard try number("SELECT count(*) FROM sqlite_schema") == 0 else { return }
        return try run("PRAGMA journal_mode = WAL")
      } catch {
        // SQLite asks the busy handler for no lock that a reader wants besides.
        guard error.code & 0xff == SQLITE_BUSY, waitBusy(count) != 0 else { throw error }
        count += 1
      }
    }
  }

  // MARK: The engine's own statements

  /// Keeps a source of tables until SQLite has closed them. `names` are the tables' names, and the
  /// names of those that the source keeps behind them.
  func keep(_ source: any TableSource, names: Set<String>) {
    tableSource = source
    sourceNames = names
  }

  /// Runs a statement of the engine, before the client has a word.
  func run(_ sql: String) throws(DatabaseError) {
    interruption.begin(deadlineMilliseconds: 0)
    isOwn = true
    defer { isOwn = false }
    try unsafe check(sqlite3_exec(handle, sql, nil, nil, nil))
  }

  /// The first value of a statement of the engine.
  func number(_ sql: String) throws(DatabaseError) -> Int64 {
    interruption.begin(deadlineMilliseconds: 0)
    var statement: OpaquePointer?
    try unsafe check(sqlite3_prepare_v2(handle, sql, -1, &statement, nil))
    defer { unsafe sqlite3_finalize(statement) }
    let code = unsafe sqlite3_step(statement)
    guard code == SQLITE_ROW else { throw unsafe DatabaseError(of: handle, code) }
    return unsafe sqlite3_column_int64(statement, 0)
  }

  func check(_ code: Int32) throws(DatabaseError) {
    if code != SQLITE_OK { throw unsafe DatabaseError(of: handle, code) }
  }

  // MARK: Savepoints around statements

  private var savepoint: (begin: EngineStatement, undo: EngineStatement, end: EngineStatement)?

  /// Opens a savepoint for a statement of a transaction.
  func guardStatement() throws(DatabaseError) {
    if savepoint == nil {
      savepoint = unsafe (
        try EngineStatement(#"SAVEPOINT "sluice statement""#, on: handle),
        try EngineStatement(#"ROLLBACK TO "sluice statement""#, on: handle),
        try EngineStatement(#"RELEASE "sluice statement""#, on: handle)
      )
    }
    try savepoint?.begin.run()
  }

  /// Whether SQLite has refused with this code, and not the engine what SQLite had done.
  func hasRefused(_ code: Int32) -> Bool {
    unsafe sqlite3_errcode(handle) & 0xff == code & 0xff
  }

  /// Ends the savepoint, if the statement has not ended the transaction.
  func endStatement(isUndone: Bool) throws(DatabaseError) {
    if isAutocommit { return }
    if isUndone { try savepoint?.undo.run() }
    try savepoint?.end.run()
  }

  // MARK: Compiling

  /// Compiles the first statement of a text.
  func compile(_ text: [UInt8]) throws(DatabaseError) -> CompiledStatement {
    guard text.count <= Limits.sqlByteCountMaximum else {
      throw DatabaseError(SQLITE_TOOBIG, "the SQL has more than 1 MiB")
    }
    guard !text.contains(0) else {
      throw DatabaseError(SQLITE_MISUSE, "the SQL has a zero byte")
    }
    effects = StatementEffects()
    var statement: OpaquePointer?
    var tail = 0
    let code = unsafe text.withUnsafeBufferPointer { text -> Int32 in
      unsafe text.withMemoryRebound(to: CChar.self) { text in
        var rest: UnsafePointer<CChar>?
        let code = unsafe sqlite3_prepare_v3(
          handle, text.baseAddress, Int32(text.count), UInt32(SQLITE_PREPARE_PERSISTENT),
          &statement, &rest)
        if let rest = unsafe rest, let start = text.baseAddress { unsafe tail = rest - start }
        return code
      }
    }
    try check(code)
    if effects.altersTable, let name = Permissions.functionTable(in: text) {
      unsafe sqlite3_finalize(statement)
      throw DatabaseError(SQLITE_AUTH, "not authorized: no table may be called \(name)")
    }
    return unsafe CompiledStatement(
      handle: statement, tail: StatementText.nextStatement(in: text, from: tail), effects: effects)
  }

  fileprivate func allows(_ action: StatementAction) -> Bool {
    effects.note(action, sourceNames)
    return isOwn || Permissions.allows(action, isReadOnly: isReadOnly)
  }
}

/// A statement that was just compiled.
@safe
struct CompiledStatement {
  /// Nil for a text of blanks and comments.
  let handle: OpaquePointer?
  /// Where the text's next statement begins; 0 if there is none.
  let tail: Int
  let effects: StatementEffects
}

private let authorize:
  @convention(c) (
    UnsafeMutableRawPointer?, Int32, UnsafePointer<CChar>?, UnsafePointer<CChar>?,
    UnsafePointer<CChar>?, UnsafePointer<CChar>?
  ) -> Int32 = { (context, code, first, second, _, _) in
    // Nearly all actions are allowed whatever they are on.
    switch code {
    case SQLITE_READ, SQLITE_SELECT: return SQLITE_OK
    default: break
    }
    let action = unsafe StatementAction(
      code: code, first: first.map { unsafe String(cString: $0) },
      second: second.map { unsafe String(cString: $0) })
    return unsafe Connection.at(context).allows(action) ? SQLITE_OK : SQLITE_DENY
  }

extension Optional<String> {
  fileprivate func withOptionalCString<R>(_ body: (UnsafePointer<CChar>?) -> R) -> R {
    guard let self else { return body(nil) }
    return unsafe self.withCString(body)
  }
}
