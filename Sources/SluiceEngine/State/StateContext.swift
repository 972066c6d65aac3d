// What the state's tables of one connection share: statements, the transaction that writes, and what
// follows it.
//
// A change is written where it stays, with a commit that is pending: its number is one above the
// setting `number`, which moves when the transaction commits. So ROLLBACK, savepoints and failing
// statements need nothing from us, and a commit is three small writes in xSync, inside the
// transaction that it belongs to. Confined to the connection's thread.

internal import CEngine

@safe
final class StateContext {
  let handle: OpaquePointer
  let pool: StatementPool
  private var ready = [EngineStatement?](repeating: nil, count: StateStatement.allCases.count)
  let plugins: PluginSet
  /// What stops the connection's statements.
  let interruption: Interruption
  var ids = UniqueIDs()
  /// What this connection calls the active version. Others have their own.
  private(set) var activeVersion = TransactionalValue(StateTables.main)
  /// The accounts that this connection's commits name as authors, as a JSON array.
  private(set) var activeAccounts = TransactionalValue("[]")
  private var hasSettings = false
  /// Whether the statement under way inserts into one of the state's tables.
  var isInserting = false
  /// The transaction that has written; nil while none has.
  private(set) var written: StateTransaction?

  init(on handle: OpaquePointer, plugins: PluginSet, _ interruption: Interruption) {
    unsafe self.handle = unsafe handle
    self.plugins = plugins
    self.interruption = interruption
    pool = unsafe StatementPool(handle)
  }

  // MARK: Statements

  /// Runs a statement of the state: `bind`, then one step at least, `read` for each row.
  func query<R>(
    _ sql: String, _ body: (EngineStatement) throws(DatabaseError) -> R
  ) throws(DatabaseError) -> R {
    let statement = try pool.take(sql)
    defer { pool.giveBack(statement, sql) }
    return try body(statement)
  }

  /// The same for a statement that stands ready.
  func query<R>(
    _ which: StateStatement, _ body: (EngineStatement) throws(DatabaseError) -> R
  ) throws(DatabaseError) -> R {
    var statement = ready[which.rawValue]
    if statement == nil {
      statement = try unsafe EngineStatement(which.sql, on: handle)
      ready[which.rawValue] = statement
    }
    defer { statement!.reset() }
    return try body(statement!)
  }

  // MARK: Settings of the connection

  /// Begins as the database says. A database that gets its state later is looked at then.
  func loadSettings() throws(DatabaseError) {
    guard !hasSettings else { return }
    activeVersion = TransactionalValue(try setting("active_version") ?? StateTables.main)
    activeAccounts = TransactionalValue(try setting("active_accounts") ?? "[]")
    hasSettings = true
  }

  /// Whether the database has a state, as far as is known.
  var isPresent: Bool { hasSettings }
  /// Whether a statement stands on a row, and so keeps the connection's snapshot.
  var keepsSnapshot: Bool {
    var statement = unsafe sqlite3_next_stmt(handle, nil)
    while let present = unsafe statement {
      if unsafe sqlite3_stmt_busy(present) != 0 { return true }
      unsafe statement = unsafe sqlite3_next_stmt(handle, present)
    }
    return false
  }

  var isAutocommit: Bool { unsafe sqlite3_get_autocommit(handle) != 0 }

  /// The number of the last transaction that has changed the state.
  func number() throws(DatabaseError) -> Int64 {
    try query("SELECT value FROM main.state_settings WHERE name = 'number'") {
      (statement) throws(DatabaseError) in
      try statement.step() ? statement.integer(0) : 0
    }
  }

  private func setting(_ name: String) throws(DatabaseError) -> String? {
    try query("SELECT value FROM main.state_settings WHERE name = ?1") {
      (statement) throws(DatabaseError) in
      statement.bind(1, name)
      return try statement.step() ? statement.optionalText(0) : nil
    }
  }

  /// Makes a version active on this connection, and for those that open the database later.
  func setActiveVersion(_ version: String) throws(DatabaseError) {
    try requireVersion(version)
    try store("active_version", version)
    activeVersion.set(version)
  }

  func setActiveAccounts(_ accounts: String) throws(DatabaseError) {
    try store("active_accounts", accounts)
    activeAccounts.set(accounts)
  }

  private func store(_ name: String, _ value: String) throws(DatabaseError) {
    try query("UPDATE main.state_settings SET value = ?2 WHERE name = ?1") {
      (statement) throws(DatabaseError) in
      statement.bind(1, name)
      statement.bind(2, value)
      try statement.run()
    }
  }

  // MARK: The transaction

  /// The transaction that writes, which begins with its first write.
  func transaction() throws(DatabaseError) -> StateTransaction {
    if let written { return written }
    let transaction = try query(
      "SELECT value + 1, \(StateTables.timestamp) FROM main.state_settings WHERE name = 'number'"
    ) { (statement) throws(DatabaseError) in
      guard try statement.step() else {
        throw DatabaseError(SQLITE_CORRUPT, "the state has no number; the database is damaged")
      }
      return StateTransaction(number: statement.integer(0), time: statement.text(1))
    }
    written = transaction
    return transaction
  }

  /// The version must be there.
  func requireVersion(_ version: String) throws(DatabaseError) {
    if written?.versions.contains(ExactText(version)) == true { return }
    try query("SELECT 1 FROM main.state_versions WHERE id = ?1") {
      (statement) throws(DatabaseError) in
      statement.bind(1, version)
      guard try statement.step() else {
        throw DatabaseError(SQLITE_CONSTRAINT, "there is no version '\(version)'")
      }
    }
    written?.versions.insert(ExactText(version))
  }

  /// Versions are looked up again.
  func forgetVersions() { written?.forget() }

  // MARK: Its end

  /// The transaction is about to be committed: what has written calls this last.
  func noteSynced() { written = nil }

  func commit() {
    activeVersion.commit()
    activeAccounts.commit()
  }

  func rollback() {
    written = nil
    activeVersion.rollback()
    activeAccounts.rollback()
  }

  func savepoint(_ number: Int32) {
    activeVersion.savepoint(number)
    activeAccounts.savepoint(number)
  }

  func release(_ number: Int32) {
    activeVersion.release(number)
    activeAccounts.release(number)
  }

  func rollback(to number: Int32) {
    written?.forget()
    activeVersion.rollback(to: number)
    activeAccounts.rollback(to: number)
  }
}

/// What is known of the transaction that writes. Only `number` and `time` survive a rollback to a
/// savepoint; the rest is found again in the database.
final class StateTransaction {
  /// The number that the transaction's commits will have.
  let number: Int64
  /// The time of all that it writes.
  let time: String
  /// The pending commit of each version that has one.
  var commits: [ExactText: Int64] = [:]
  var versions: Set<ExactText> = []
  var schemas: [ExactText: ContentSchema?] = [:]
  /// The one that was looked for last.
  var lastSchema: (key: String, version: String, schema: ContentSchema?)?
  /// The schemas that it has stored, with their keys; some may have been rolled back.
  var newSchemas: [String: String] = [:]

  init(number: Int64, time: String) {
    self.number = number
    self.time = time
  }

  func forget() {
    commits = [:]
    versions = []
    schemas = [:]
    lastSchema = nil
  }
}
