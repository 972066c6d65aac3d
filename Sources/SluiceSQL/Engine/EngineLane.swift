// The calls of an engine outside of transactions, or those of one transaction.

struct EngineLane: Sendable {
  let core: EngineCore
  /// The transaction's number; 0 for the engine itself.
  let owner: UInt64
  /// How many transactions are around these calls.
  let depth: Int

  /// The engines whose transactions are open around the present task's work.
  @TaskLocal private static var enclosing: [ObjectIdentifier] = []

  private func checkPlace() throws(SQLError) {
    guard owner == 0, Self.enclosing.contains(ObjectIdentifier(core)) else { return }
    throw .misuse(
      "a call on the engine within its own transaction would wait for ever; use the transaction",
      isInTransaction: true)
  }

  func perform<R: Sendable>(
    _ body: @escaping @Sendable (EngineWorkplace) throws(SQLError) -> R
  ) async throws(SQLError) -> R {
    try checkPlace()
    return try await core.perform(owner: owner, body)
  }

  // MARK: Statements

  func exec(
    _ sql: String, _ parameters: [SQLValue], timeout: Duration?
  ) async throws(SQLError) -> SQLResult {
    let milliseconds = timeout.map(Self.milliseconds) ?? 0
    return try await perform { (place) throws(SQLError) in
      try place.exec(sql, parameters, deadlineMilliseconds: milliseconds)
    }
  }

  /// At least one: 0 stands for no deadline.
  private static func milliseconds(_ duration: Duration) -> UInt32 {
    let (seconds, attoseconds) = duration.components
    let whole = Double(seconds) * 1000 + Double(attoseconds) / 1e15
    return UInt32(max(1, min(whole.rounded(.up), Double(UInt32.max))))
  }

  func execBatch(_ steps: [SQLStep], isAtomic: Bool) async throws(SQLError) -> [SQLResult] {
    try await perform { (place) throws(SQLError) in
      try place.batch(steps, isAtomic: isAtomic)
    }
  }

  // MARK: Transactions

  func transaction<R: Sendable>(
    _ body: (SQLTransaction) async throws -> R
  ) async throws -> R {
    let savepoint = "\"sluice \(depth)\""
    let number = try await perform { [core, owner, depth] (place) throws(SQLError) in
      guard owner != 0 || place.connection.isAutocommit else {
        throw SQLError.misuse(
          "a transaction is open already, by BEGIN or SAVEPOINT", isInTransaction: true)
      }
      _ = try place.exec(depth == 0 ? "BEGIN" : "SAVEPOINT \(savepoint)", [])
      return depth == 0 ? core.beginTransaction() : owner
    }
    let inner = EngineLane(core: core, owner: number, depth: depth + 1)
    do {
      let result = try await Self.$enclosing.withValue(
        Self.enclosing + [ObjectIdentifier(core)]
      ) {
        try await body(SQLTransaction(inner))
      }
      try await inner.end(depth == 0 ? ["COMMIT"] : ["RELEASE \(savepoint)"])
      return result
    } catch {
      await inner.undo(savepoint)
      throw error
    }
  }

  /// Ends the transaction that these calls are in. If that fails, it is still open.
  private func end(_ statements: [String]) async throws(SQLError) {
    let isOutermost = depth == 1
    try await core.perform(owner: owner) { [core] (place) throws(SQLError) in
      for statement in statements { _ = try place.exec(statement, []) }
      if isOutermost { core.endTransaction() }
    }
  }

  /// Rolls back, whatever state SQLite has left, and whether the task was cancelled or not.
  private func undo(_ savepoint: String) async {
    let isOutermost = depth == 1
    unsafe await withUnsafeContinuation { continuation in
      let isIn = core.post(owner: owner) { [core] place in
        if !place.connection.isAutocommit {
          let statements =
            isOutermost ? ["ROLLBACK"] : ["ROLLBACK TO \(savepoint)", "RELEASE \(savepoint)"]
          for statement in statements { _ = try? place.exec(statement, []) }
        }
        if isOutermost { core.endTransaction() }
        unsafe continuation.resume()
      }
      if !isIn { unsafe continuation.resume() }
    }
  }
}
