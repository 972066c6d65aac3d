// A database that is open on an engine. `SidecarEngine`, and `LocalEngine` and `MemoryEngine` in
// SluiceEngine, open it; the calls are the same on each.

public final class SQLDatabase: SQLEngine {
  private let lane: EngineLane
  public let sqliteVersion: Int

  package init(_ core: EngineCore, sqliteVersion: Int) {
    lane = EngineLane(core: core, owner: 0, depth: 0)
    self.sqliteVersion = sqliteVersion
  }

  /// What is open is rolled back.
  deinit { lane.core.close() }

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
    SQLRows(lane, SQLStep(sql, parameters), keeping: self)
  }

  public func transaction<R: Sendable>(
    _ body: (SQLTransaction) async throws -> R
  ) async throws -> R {
    try await lane.transaction(body)
  }

  public func export() async throws(SQLError) -> [UInt8] {
    try await lane.perform { (place) throws(SQLError) in
      var image: [UInt8] = []
      do throws(SQLFailure) {
        try unsafe place.connection.export { unsafe image.append(contentsOf: $0) }
      } catch {
        throw SQLError(error, isInTransaction: !place.connection.isAutocommit)
      }
      return image
    }
  }

  public func awaitChanges(after seen: Int64, timeout: Duration) async throws(SQLError) -> Int64 {
    try await lane.perform { (place) throws(SQLError) in
      do throws(SQLFailure) {
        return try place.connection.awaitChanges(after: seen, milliseconds: timeout.milliseconds)
      } catch {
        throw SQLError(error, isInTransaction: !place.connection.isAutocommit)
      }
    }
  }

  public func close(rollingBack: Bool) async throws(SQLError) {
    do throws(SQLError) {
      let failure = try await lane.perform { [core = lane.core] (place) throws(SQLError) in
        guard rollingBack || place.connection.isAutocommit else {
          throw SQLError.misuse(
            "a transaction is open; end it, or close with rollingBack", isInTransaction: true)
        }
        return core.finish(place)
      }
      if let failure { throw failure }
    } catch  where error.reason == .closed {
      // A second close.
    }
  }
}
