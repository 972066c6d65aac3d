// A transaction that is open, as the body of `transaction` has it.

/// Valid within the body that got it.
public struct SQLTransaction: SQLRunner {
  private let lane: EngineLane

  init(_ lane: EngineLane) { self.lane = lane }

  public func exec(
    _ sql: String, _ parameters: [SQLValue], timeout: Duration?
  ) async throws(SQLError) -> SQLResult {
    try await lane.exec(sql, parameters, timeout: timeout)
  }

  public func execBatch(
    _ steps: [SQLStep], isAtomic: Bool
  ) async throws(SQLError) -> [SQLResult] {
    try await lane.execBatch(steps, isAtomic: isAtomic)
  }

  public func rows(_ sql: String, _ parameters: [SQLValue]) -> SQLRows {
    SQLRows(lane, SQLStep(sql, parameters))
  }

  public func transaction<R: Sendable>(
    _ body: (SQLTransaction) async throws -> R
  ) async throws -> R {
    try await lane.transaction(body)
  }
}
