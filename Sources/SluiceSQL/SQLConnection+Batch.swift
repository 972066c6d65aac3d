// Batches: statements in order, of which several are under way at a time.
//
// A statement without columns that the engine knows is posted: it is sent before the one before it
// is answered, chained, so that the engine skips it if that one fails. Every other statement is
// awaited. So the answers come in order, and behind the first failure nothing was done.

internal import CSluice
internal import SluiceChannel
internal import SluiceClient
internal import SluiceSystem
internal import SluiceWire

/// The statements of a batch.
public protocol SQLBatchSteps {
  associatedtype Parameters: SQLParameterSource
  var stepCount: Int { get }
  /// No parameters.
  var none: Parameters { get }
  /// Calls `body` with the SQL (UTF-8) and the parameters of the step at `index`. May be called
  /// several times for a step.
  func withStep<R, E: Error>(
    _ index: Int, _ body: (UnsafeRawBufferPointer, Parameters) throws(E) -> R
  ) throws(E) -> R
}

/// What a step of a batch has done.
public struct SQLStepResult {
  public let changes: Int64
  public let lastInsertedRowID: Int64
  /// Whether the statement only reads.
  public let onlyReads: Bool
  /// The rows of a statement that has columns. The next step does not wait for them to be read.
  public let cursor: SQLCursor?
}

/// Where and why a batch ended early.
public struct SQLBatchFailure: Error, Equatable {
  /// The step that failed; the count of steps if the end of the batch failed.
  public let stepIndex: Int
  public let failure: SQLFailure
}

extension SQLConnection {
  /// Executes the steps in order, and stops at the first that fails.
  ///
  /// - Parameters:
  ///   - isAtomic: all or nothing. A failure undoes the batch and nothing else, unless SQLite
  ///     rolled the whole transaction back (`isAutocommit` tells). Steps that begin or end a
  ///     transaction are refused. Otherwise the steps before the failure stay.
  ///   - deadlineMilliseconds: of the whole batch; 0: none.
  ///   - result: called with each step's result, in order.
  public func batch<Steps: SQLBatchSteps>(
    _ steps: Steps, isAtomic: Bool, deadlineMilliseconds: UInt32 = 0,
    _ result: (_ index: Int, SQLStepResult) throws(SQLFailure) -> Void
  ) throws(SQLBatchFailure) {
    var run = BatchRun(self, steps, isAtomic: isAtomic, deadlineMilliseconds)
    do throws(SQLFailure) { try run.run(result) } catch {
      let index = run.stepIndex
      run.undo()
      throw SQLBatchFailure(stepIndex: index, failure: error)
    }
  }
}

/// Item by item: the steps and, around those of an atomic batch, SAVEPOINT and RELEASE.
private struct BatchRun<Steps: SQLBatchSteps> {
  private let connection: SQLConnection
  private let steps: Steps
  private let isAtomic: Bool
  private let deadline: Int64
  private let cancellationCount: UInt32
  private let wasAutocommit: Bool
  /// The first item that is not done.
  private var current = 0
  /// The first item that is not submitted.
  private var next = 0
  /// The first item that is submitted and not answered, if it is before `next`.
  private var oldest = 0
  /// The requests of the posted items, from `oldest` to before `next`, each at its item's number
  /// modulo the count.
  private var numbers = [UInt32](repeating: 0, count: Self.postedCountMaximum)
  /// Whether the next item is awaited, even if it could be posted.
  private var awaitsNext = false

  /// More do not make it faster: the engine has work while one answer is read.
  private static var postedCountMaximum: Int { 16 }
  /// The least room for an answer: a page's head, or the message of an error.
  private static var answerByteCount: Int { 1024 }
  /// A longer request is awaited.
  private static var postedByteCountMaximum: Int { 16 << 10 }

  init(
    _ connection: SQLConnection, _ steps: Steps, isAtomic: Bool, _ deadlineMilliseconds: UInt32
  ) {
    self.connection = connection
    self.steps = steps
    self.isAtomic = isAtomic
    deadline =
      deadlineMilliseconds == 0
      ? .max : Clock.monotonicNanoseconds() + Int64(deadlineMilliseconds) * 1_000_000
    cancellationCount = connection.cancellationCount
    wasAutocommit = connection.isAutocommit
  }

  // MARK: Items

  private var itemCount: Int { steps.stepCount + (isAtomic ? 2 : 0) }

  /// The step that `current` is. The savepoint counts as the first.
  var stepIndex: Int { isAtomic ? max(0, current - 1) : current }

  private func isStep(_ item: Int) -> Bool { !isAtomic || (item > 0 && item < itemCount - 1) }

  private func withItem<R, E: Error>(
    _ item: Int, _ body: (UnsafeRawBufferPointer, Steps.Parameters) throws(E) -> R
  ) throws(E) -> R {
    if isStep(item) {
      return try unsafe steps.withStep(isAtomic ? item - 1 : item, body)
    }
    let text: StaticString = item == 0 ? #"SAVEPOINT "sluice batch""# : #"RELEASE "sluice batch""#
    return try unsafe body(
      UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount), steps.none)
  }

  private func options(_ item: Int) -> SQLExecutionOptions {
    isAtomic && isStep(item) ? .inBatch : []
  }

  // MARK: Running

  mutating func run(
    _ result: (Int, SQLStepResult) throws(SQLFailure) -> Void
  ) throws(SQLFailure) {
    connection.detachPlaced()
    defer { drain() }
    while current < itemCount {
      let reason = reasonToStop
      if reason == nil { try postMore() }
      if !hasPosted {
        if let reason { throw reason }
        let finished = try executeCurrent()
        if isStep(current) { try result(stepIndex, finished) }
        current += 1
        next = current
        oldest = current
      } else if let finished = try collect() {
        if isStep(current) { try result(stepIndex, finished) }
        current += 1
      }
    }
  }

  private var isCancelled: Bool { connection.cancellationCount != cancellationCount }

  private var reasonToStop: SQLFailure? {
    if isCancelled { return .sqlite(code: interrupted, message: utf8("interrupted"), offset: -1) }
    guard deadline != .max, Clock.monotonicNanoseconds() >= deadline else { return nil }
    return .sqlite(
      code: interrupted, message: utf8("interrupted: the batch's deadline has passed"), offset: -1)
  }

  private var restMilliseconds: UInt32 {
    if deadline == .max { return 0 }
    return UInt32(clamping: max(1, (deadline - Clock.monotonicNanoseconds()) / 1_000_000))
  }

  /// Executes an item and waits for its first rows.
  private mutating func executeCurrent() throws(SQLFailure) -> SQLStepResult {
    awaitsNext = false
    let cursor = try unsafe withItem(current) { (sql, parameters) throws(SQLFailure) in
      try unsafe connection.execute(
        sql, parameters, options(current), deadlineMilliseconds: restMilliseconds)
    }
    return SQLStepResult(
      changes: cursor.changes, lastInsertedRowID: cursor.lastInsertedRowID,
      onlyReads: cursor.onlyReads, cursor: cursor.names.isEmpty ? nil : cursor)
  }

  private var hasPosted: Bool { next > oldest }

  private func slot(_ item: Int) -> Int { item & (Self.postedCountMaximum - 1) }

  private mutating func postMore() throws(SQLFailure) {
    while next < itemCount, next - oldest < Self.postedCountMaximum, !awaitsNext {
      guard let number = try post(next) else { return }
      numbers[slot(next)] = number
      next += 1
    }
  }

  /// Submits an item if it can be posted, and the ring has room. Gives the request's number.
  private func post(_ item: Int) throws(SQLFailure) -> UInt32? {
    try unsafe withItem(item) { (sql, parameters) throws(SQLFailure) -> UInt32? in
      let statement = unsafe connection.known.statement(sql)
      guard statement.isKnown, statement.id != 0, statement.names.isEmpty, !statement.isUnderWay
      else { return nil }
      var options = options(item)
      if hasPosted { options.insert(.chained) }
      let request = unsafe ExecutionRequest(
        statement, sql: sql, parameters, options, 0, restMilliseconds)
      let byteCount = request.byteCount
      guard byteCount <= Self.postedByteCountMaximum else { return nil }
      // An earlier result's page may be in the ring.
      if !hasPosted { connection.detachPlaced() }
      return try unsafe connection.submitIfRoom(
        .sqlExecute, file: request.id, room: max(Self.answerByteCount, byteCount)
      ) { unsafe request.write($0) }
    }
  }

  /// Takes the answer to the first posted item; nil if the item has to be done again.
  private mutating func collect() throws(SQLFailure) -> SQLStepResult? {
    let number = numbers[slot(current)]
    if isCancelled { connection.session.cancel(number) }
    let answer = try connection.answer(to: number)
    oldest = current + 1
    switch answer.status {
    case .done:
      guard let page = unsafe SQLPage(answer.payload) else {
        throw connection.malformed(number)
      }
      connection.isAutocommit = page.isAutocommit
      // A statement that got columns meanwhile.
      if page.hasMore { connection.post(.sqlReset, file: page.head.statement) }
      connection.release(number)
      return SQLStepResult(
        changes: page.head.changes, lastInsertedRowID: page.head.row_id,
        onlyReads: page.onlyReads, cursor: nil)
    case .unknownStatement, .tooLittleRoom:
      // The engine forgot the statement. Those behind it were skipped.
      connection.release(number)
      unsafe withItem(current) { (sql, _) in unsafe connection.known.statement(sql).isKnown = false
      }
      drain()
      next = current
      oldest = current
      awaitsNext = true
      return nil
    default: throw connection.failure(answer, number)
    }
  }

  /// Awaits what is under way, and drops the answers.
  private mutating func drain() {
    for item in stride(from: oldest, to: next, by: 1) {
      let number = numbers[slot(item)]
      guard let answer = try? connection.answer(to: number) else { break }
      if let page = unsafe SQLPage(answer.payload), answer.status == .done, page.hasMore {
        connection.post(.sqlReset, file: page.head.statement)
      }
      connection.release(number)
    }
    oldest = next
  }

  // MARK: Undoing

  /// Undoes what an atomic batch has done. If SQLite has rolled everything back, nothing is left.
  func undo() {
    guard isAtomic, current > 0, !connection.isAutocommit else { return }
    execute(#"ROLLBACK TO "sluice batch""#)
    execute(#"RELEASE "sluice batch""#)
    if wasAutocommit, !connection.isAutocommit { execute("ROLLBACK") }
  }

  private func execute(_ text: StaticString) {
    _ = try? unsafe connection.execute(
      UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount), steps.none)
  }
}

/// SQLITE_INTERRUPT.
private let interrupted: Int32 = 9
