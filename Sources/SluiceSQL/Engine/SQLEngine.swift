// SQL for Swift programs, wherever SQLite runs: in another process behind shared memory, or in this
// one. All engines have the same calls and give the same results.
//
// Calls may come from any task. An engine does them one after the other, in the order in which they
// reach it. The cancellation of a task interrupts its statement.

/// What statements are run on: an engine, or a transaction of one.
public protocol SQLRunner: Sendable {
  /// Does one statement and gives all its rows. A statement that is not done by `timeout` is
  /// interrupted.
  func exec(
    _ sql: String, _ parameters: [SQLValue], timeout: Duration?
  ) async throws(SQLError) -> SQLResult

  /// Does statements in their order. If `isAtomic`, all of them are done, or none; otherwise those
  /// before the first that fails are. The error says which one failed.
  func execBatch(_ steps: [SQLStep], isAtomic: Bool) async throws(SQLError) -> [SQLResult]

  /// The rows of a statement, read as they are wanted.
  func rows(_ sql: String, _ parameters: [SQLValue]) -> SQLRows

  /// Runs `body` in a transaction (in a savepoint, if this is a transaction itself): what it did is
  /// kept if it returns, and undone if it throws. Calls on the engine itself wait meanwhile. From
  /// within `body` such a call is refused, because it would wait for ever.
  func transaction<R: Sendable>(
    _ body: (SQLTransaction) async throws -> R
  ) async throws -> R
}

public protocol SQLEngine: SQLRunner, AnyObject {
  /// SQLite's version, as in 3040001 for 3.40.1.
  var sqliteVersion: Int { get }

  /// The whole database as the bytes of a file that stock SQLite opens. Refused while a transaction
  /// is open.
  func export() async throws(SQLError) -> [UInt8]

  /// Waits until the state of the database has a later commit than number `seen` (0 for none). Gives
  /// the last one's number, which is `seen` if none comes within `timeout`, at most an hour. What has
  /// changed is in the view `state_commit`. Other calls on this engine wait meanwhile, so give the
  /// wait an engine of its own.
  func awaitChanges(after seen: Int64, timeout: Duration) async throws(SQLError) -> Int64

  /// Ends the engine: calls under way finish, later ones fail, a second `close` is harmless. It is
  /// refused while a transaction is open, unless it is to be rolled back.
  func close(rollingBack: Bool) async throws(SQLError)
}

extension SQLEngine {
  public func close() async throws(SQLError) { try await close(rollingBack: false) }
}

extension SQLRunner {
  public func exec(
    _ sql: String, _ parameters: [SQLValue] = []
  ) async throws(SQLError) -> SQLResult {
    try await exec(sql, parameters, timeout: nil)
  }

  public func execBatch(_ steps: [SQLStep]) async throws(SQLError) -> [SQLResult] {
    try await execBatch(steps, isAtomic: true)
  }

  public func rows(_ sql: String) -> SQLRows { rows(sql, []) }

  /// All rows of a statement, as values of a type (see `SQLRow.decoded`).
  public func query<T: Decodable>(
    _ sql: String, _ parameters: [SQLValue] = [], as type: T.Type = T.self
  ) async throws -> [T] {
    try await exec(sql, parameters).rows.map { try $0.decoded() }
  }
}
