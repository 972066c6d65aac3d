// The rows of a statement, read as they are wanted: some at a time, so that neither side keeps all.

public struct SQLRows: AsyncSequence, Sendable {
  public typealias Element = SQLRow
  public typealias Failure = SQLError

  private let lane: EngineLane
  private let step: SQLStep
  private let keeper: (any AnyObject & Sendable)?

  init(_ lane: EngineLane, _ step: SQLStep, keeping keeper: (any AnyObject & Sendable)? = nil) {
    self.lane = lane
    self.step = step
    self.keeper = keeper
  }

  /// Each iterator executes the statement once, at its first row.
  public func makeAsyncIterator() -> Iterator { Iterator(lane, step, keeper) }

  public final class Iterator: AsyncIteratorProtocol {
    private let lane: EngineLane
    private let step: SQLStep
    private let keeper: (any AnyObject & Sendable)?
    private let place = CursorPlace()
    private var rows: ArraySlice<SQLRow> = []
    private var isAtEnd = false
    /// How many rows one visit to the engine's thread brings.
    private static let rowCountPerVisit = 256

    init(_ lane: EngineLane, _ step: SQLStep, _ keeper: (any AnyObject & Sendable)?) {
      self.lane = lane
      self.step = step
      self.keeper = keeper
    }

    deinit {
      guard !isAtEnd else { return }
      _ = lane.core.post(owner: lane.owner) { [place] _ in place.cursor = nil }
    }

    public func next() async throws(SQLError) -> SQLRow? { try await next(isolation: #isolation) }

    public func next(isolation actor: isolated (any Actor)?) async throws(SQLError) -> SQLRow? {
      if let row = rows.popFirst() { return row }
      if isAtEnd { return nil }
      rows = try await read(isolation: actor)[...]
      return rows.popFirst()
    }

    private func read(
      isolation actor: isolated (any Actor)?
    ) async throws(SQLError) -> [SQLRow] {
      do throws(SQLError) {
        let rows: [SQLRow] = try await lane.perform { [step, place] (workplace) throws(SQLError) in
          try place.read(step, in: workplace, rowCountMaximum: Self.rowCountPerVisit)
        }
        isAtEnd = rows.count < Self.rowCountPerVisit
        return rows
      } catch {
        isAtEnd = true
        throw error
      }
    }
  }
}

/// Used in the engine's thread only.
private final class CursorPlace: @unchecked Sendable {
  var cursor: SQLCursor?

  /// Fewer rows than the maximum are the last.
  func read(
    _ step: SQLStep, in place: EngineWorkplace, rowCountMaximum: Int
  ) throws(SQLError) -> [SQLRow] {
    do throws(SQLFailure) {
      let open: SQLCursor
      if let cursor { open = cursor } else { open = try place.open(step.sql, step.parameters) }
      cursor = open
      let columns = open.columnNames
      var rows: [SQLRow] = []
      while rows.count < rowCountMaximum, let row = try open.nextRow(columns) { rows.append(row) }
      if rows.count < rowCountMaximum { cursor = nil }
      return rows
    } catch {
      cursor = nil
      throw SQLError(error, isInTransaction: !place.connection.isAutocommit)
    }
  }
}
