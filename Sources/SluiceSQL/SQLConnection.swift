// A connection to a database behind an engine: statements in, cursors out. The synchronous core on
// which the engines in Swift and the C interface stand.
//
// One thread at a time uses a connection and its cursors; only `cancel` and `end` may be called
// beside. At most one cursor reads its page where the engine wrote it. Before the next request that
// cursor copies what it has not read, so that the ring never fills with pages of idle cursors.

internal import CSluice
public import SluiceClient
internal import SluiceChannel
internal import Synchronization

public struct SQLExecutionOptions: OptionSet, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Only if the execution before it was done.
  public static let chained = SQLExecutionOptions(rawValue: 1)
  /// Refuse statements that begin or end a transaction.
  public static let inBatch = SQLExecutionOptions(rawValue: 2)
  static let withNames = SQLExecutionOptions(rawValue: 4)
  /// Do the first statement of a text of several; `SQLCursor.tail` tells where the next begins.
  public static let firstOnly = SQLExecutionOptions(rawValue: 8)
  /// End the statement after its first page, even if more rows follow.
  public static let onePage = SQLExecutionOptions(rawValue: 16)
}

public final class SQLConnection {
  let session: RingSession
  var known = KnownStatements()
  /// Whether no transaction is open, as the last answer told.
  public internal(set) var isAutocommit = true
  /// SQLite's version on the other side, as in 3040001.
  public private(set) var sqliteVersion = 0
  /// The cursor that reads in the ring. It is there while it is set: a cursor clears it at its end.
  private unowned(unsafe) var placed: SQLCursor?
  /// A request whose range is free. The ring is told with the next request, which saves a lock.
  var free: UInt32?
  /// Requests whose answers concern nobody.
  private var forgotten: [UInt32] = []
  /// The number of the request that is awaited; 0 for none.
  private let awaited = Atomic<UInt32>(0)
  /// How often `cancel` was called.
  private let cancellations = Atomic<UInt32>(0)
  private let isInterrupted = Atomic<Bool>(false)

  /// The room for an error's message, or one short row.
  private static let messageByteCount = 1 << 10
  /// The room for a page, in bytes.
  static let pageByteCount = 16 << 10
  static let transferByteCount = ChannelShape.transferByteCountMaximum

  // MARK: Opening

  /// Opens the database at `path` (":memory:" for one in the engine's memory) in a session of its
  /// own. With a `seed`, the new database begins as that image. Statements wait up to
  /// `busyMilliseconds` for locks of others.
  public init(
    _ session: RingSession, path: [UInt8], mode: SQLOpenMode = .open,
    options: SQLOpenOptions = [], busyMilliseconds: Int64 = 5000, seed: [UInt8]? = nil
  ) throws(SQLFailure) {
    self.session = session
    var options = options
    if let seed {
      options.insert(.seeded)
      try unsafe withBytes(of: seed) { (seed) throws(SQLFailure) in try unsafe send(seed, as: 0) }
    }
    let request = SQLOpenRequest(
      path: path, mode: mode, options: options, busyMilliseconds: busyMilliseconds)
    let number = try unsafe submit(.sqlOpen, file: 0, .open(request), room: 4096)
    let version = try finish(number) { (answer, ring) throws(ChannelFailure) in
      try ring.reply(of: answer, as: SQLOpenReply.self).sqliteVersion
    }
    sqliteVersion = Int(clamping: version)
  }

  /// Ends the connection. What is not committed is rolled back. Every later call fails.
  public func end() { session.end() }

  /// Does nothing in the engine. Measures a round trip, or shows that the engine answers.
  public func roundTrip() throws(SQLFailure) {
    let (number, answer) = try unsafe call(.nothing, file: 0, room: 0) { _ in }
    guard answer.status.isDone else { throw failure(answer, number) }
    release(number)
  }

  /// Interrupts the request that another thread awaits on this connection. False if there is none.
  @discardableResult
  public func cancel() -> Bool {
    cancellations.wrappingAdd(1, ordering: .sequentiallyConsistent)
    let number = awaited.load(ordering: .sequentiallyConsistent)
    if number != 0 { session.cancel(number) }
    return number != 0
  }

  /// How often `cancel` was called. A batch, which has several requests under way, compares.
  var cancellationCount: UInt32 { cancellations.load(ordering: .sequentiallyConsistent) }

  /// Interrupts that request and all further ones, until `endInterrupt`.
  func interrupt() {
    isInterrupted.store(true, ordering: .sequentiallyConsistent)
    cancel()
  }

  func endInterrupt() { isInterrupted.store(false, ordering: .sequentiallyConsistent) }

  // MARK: Statements

  /// Does one statement, and waits for its first rows.
  ///
  /// - Parameters:
  ///   - sql: UTF-8, at most 1 MiB.
  ///   - rowCountMaximum: the most rows in a page; 0: as many as fit.
  ///   - deadlineMilliseconds: the statement is interrupted after this time; 0: never.
  @inline(__always)
  public func execute<Parameters: SQLParameterSource>(
    _ sql: UnsafeRawBufferPointer, _ parameters: Parameters, _ options: SQLExecutionOptions = [],
    rowCountMaximum: UInt32 = 0, deadlineMilliseconds: UInt32 = 0
  ) throws(SQLFailure) -> SQLCursor {
    detachPlaced()
    let statement = unsafe known.statement(sql)
    let request = unsafe ExecutionRequest(
      statement, sql: sql, parameters, options, rowCountMaximum, deadlineMilliseconds)
    let (number, page) = try execute(request, room: Self.pageByteCount)
    return cursor(number, page, statement)
  }

  /// The same for a caller that takes the first page as a whole. The page is valid in `take` alone,
  /// which gives false if it is malformed.
  @inline(__always)
  package func execute<Parameters: SQLParameterSource>(
    _ sql: UnsafeRawBufferPointer, _ parameters: Parameters, _ options: SQLExecutionOptions,
    deadlineMilliseconds: UInt32, taking take: (SQLPage) -> Bool
  ) throws(SQLFailure) -> SQLExecution {
    detachPlaced()
    let statement = unsafe known.statement(sql)
    let request = unsafe ExecutionRequest(
      statement, sql: sql, parameters, options, 0, deadlineMilliseconds)
    let (number, page) = try execute(request, room: Self.pageByteCount)
    guard take(page) else { throw malformed(number) }
    guard page.hasMore else {
      release(number)
      return SQLExecution(page, statement.names, nil)
    }
    let cursor = cursor(number, page, statement)
    cursor.passPage()
    return SQLExecution(page, statement.names, cursor)
  }

  /// Does one statement. Its rows are dropped.
  @inline(__always)
  package func run<Parameters: SQLParameterSource>(
    _ sql: UnsafeRawBufferPointer, _ parameters: Parameters, _ options: SQLExecutionOptions,
    deadlineMilliseconds: UInt32
  ) throws(SQLFailure) -> SQLExecution {
    detachPlaced()
    let statement = unsafe known.statement(sql)
    let request = unsafe ExecutionRequest(
      statement, sql: sql, parameters, options.union(.onePage), 1, deadlineMilliseconds)
    let (number, page) = try execute(request, room: Self.messageByteCount)
    release(number)
    return SQLExecution(page, [], nil)
  }

  /// Executes, and notes what the answer tells of the statement.
  private func execute<Parameters: SQLParameterSource>(
    _ first: ExecutionRequest<Parameters>, room: Int
  ) throws(SQLFailure) -> (UInt32, SQLPage) {
    var request = first
    var room = room
    while true {
      if request.wantsFar(within: Self.transferByteCount) { try sendFar(&request) }
      let (number, placed) = try unsafe call(
        .sqlExecute, file: request.id, room: max(room, request.byteCount)
      ) { unsafe request.write($0) }
      switch placed.status {
      case .done: return (number, try page(number, placed, request))
      case .unknownStatement where request.id != 0:
        release(number)
        request.useText()
      case .tooLittleRoom where room < Self.transferByteCount:
        release(number)
        room = Self.transferByteCount
      default: throw failure(placed, number)
      }
    }
  }

  @inline(__always)
  private func page<Parameters: SQLParameterSource>(
    _ number: UInt32, _ answer: PlacedAnswer, _ request: ExecutionRequest<Parameters>
  ) throws(SQLFailure) -> SQLPage {
    guard let page = unsafe SQLPage(answer.payload) else { throw malformed(number) }
    isAutocommit = page.isAutocommit
    let statement = request.statement
    if request.id == 0, !statement.isUnderWay { statement.id = page.head.statement }
    if let names = page.names { statement.names = names }
    statement.isKnown = true
    guard statement.names.count == page.columnCount else { throw malformed(number) }
    return page
  }

  private func cursor(
    _ number: UInt32, _ page: SQLPage, _ statement: KnownStatement
  ) -> SQLCursor {
    let cursor = SQLCursor(self, statement, page, number)
    if page.rowCount > 0 { unsafe placed = cursor }
    return cursor
  }

  // MARK: Requests

  /// Works with the ring, alone.
  @inline(__always)
  private func withRing<R>(
    _ body: (inout RequestRing) throws(ChannelFailure) -> R
  ) throws(CallError) -> R {
    try session.withRing { (ring) throws(ChannelFailure) in
      if let number = free {
        ring.release(number)
        free = nil
      }
      return try body(&ring)
    }
  }

  /// Submits a request whose answer is read in its place, and waits for that.
  @inline(__always)
  private func call(
    _ operation: Operation, file: UInt64, room: Int, fill: (UnsafeMutableRawBufferPointer) -> Void
  ) throws(SQLFailure) -> (UInt32, PlacedAnswer) {
    do throws(CallError) {
      return try withRing { (ring) throws(ChannelFailure) in
        let number = try unsafe submit(
          operation, file: file, NoFields(), room: room, fill: fill, in: &ring)
        return (number, try answer(to: number, in: &ring))
      }
    } catch {
      throw .call(error)
    }
  }

  @inline(never)
  func submit(
    _ operation: Operation, file: UInt64, _ arguments: SQLArguments, room: Int,
    fill: (UnsafeMutableRawBufferPointer) -> Void = { _ in }
  ) throws(SQLFailure) -> UInt32 {
    do throws(CallError) {
      return try withRing { (ring) throws(ChannelFailure) in
        try unsafe submit(operation, file: file, arguments, room: room, fill: fill, in: &ring)
      }
    } catch {
      throw error == .failed(.notSent(.tooLong)) ? .tooLarge : .call(error)
    }
  }

  @inline(__always)
  private func submit<Request: Message>(
    _ operation: Operation, file: UInt64, _ request: Request, room: Int,
    fill: (UnsafeMutableRawBufferPointer) -> Void, in ring: inout RequestRing
  ) throws(ChannelFailure) -> UInt32 {
    while true {
      let number = try unsafe ring.submit(operation, file: file, request, room: room, fill: fill)
      if let number { return number }
      try awaitForgotten(in: &ring)
    }
  }

  /// The answers that concern nobody hold the room.
  @inline(never)
  private func awaitForgotten(in ring: inout RequestRing) throws(ChannelFailure) {
    guard let oldest = forgotten.first else {
      preconditionFailure("a ring has room for what its owner submits")
    }
    _ = try session.answer(to: oldest, in: &ring)
    ring.release(oldest)
    forgotten.removeFirst()
  }

  /// Submits a request without arguments; nil if there is no room before others are released.
  func submitIfRoom(
    _ operation: Operation, file: UInt64, room: Int, fill: (UnsafeMutableRawBufferPointer) -> Void
  ) throws(SQLFailure) -> UInt32? {
    do throws(CallError) {
      return try withRing { (ring) throws(ChannelFailure) in
        try unsafe ring.submit(operation, file: file, NoFields(), room: room, fill: fill)
      }
    } catch {
      throw .call(error)
    }
  }

  @inline(never)
  func answer(to number: UInt32) throws(SQLFailure) -> PlacedAnswer {
    do throws(CallError) {
      return try withRing { (ring) throws(ChannelFailure) in
        try answer(to: number, in: &ring)
      }
    } catch {
      throw .call(error)
    }
  }

  @inline(__always)
  private func answer(
    to number: UInt32, in ring: inout RequestRing
  ) throws(ChannelFailure) -> PlacedAnswer {
    // `interrupt` stores its word first and reads this one then, so one of the two sees the other.
    awaited.store(number, ordering: .sequentiallyConsistent)
    if isInterrupted.load(ordering: .sequentiallyConsistent) { session.cancel(number) }
    defer { awaited.store(0, ordering: .relaxed) }
    let answer = try session.answer(to: number, in: &ring)
    // Earlier answers have come, too.
    while let earlier = forgotten.first, Int32(bitPattern: number &- earlier) > 0 {
      ring.release(earlier)
      forgotten.removeFirst()
    }
    return answer
  }

  /// The request's range may be used again.
  @inline(never)
  func release(_ number: UInt32) {
    if free == nil {
      free = number
    } else {
      _ = try? withRing { (ring) throws(ChannelFailure) in ring.release(number) }
    }
  }

  /// Sends a request whose answer concerns nobody.
  func post(_ operation: Operation, file: UInt64) {
    if let number = unsafe try? submit(operation, file: file, .none, room: 0) {
      forgotten.append(number)
    }
  }

  /// Awaits an answer without rows, and takes what `take` takes of it.
  func finish<R>(
    _ number: UInt32, _ take: (PlacedAnswer, inout RequestRing) throws(ChannelFailure) -> R
  ) throws(SQLFailure) -> R {
    let placed = try answer(to: number)
    guard placed.status.isDone else { throw failure(placed, number) }
    do throws(CallError) {
      return try withRing { (ring) throws(ChannelFailure) in
        let result = try take(placed, &ring)
        ring.release(number)
        return result
      }
    } catch {
      throw .call(error)
    }
  }

  /// The failure that an answer tells. Its range is released.
  func failure(_ answer: PlacedAnswer, _ number: UInt32) -> SQLFailure {
    defer { release(number) }
    guard answer.status == .sqlError else { return .refused(answer.status) }
    guard let page = unsafe SQLPage(answer.payload) else {
      return .sqlite(code: answer.errorNumber, message: [], offset: -1)
    }
    isAutocommit = page.isAutocommit
    return .sqlite(code: answer.errorNumber, message: page.message, offset: page.head.row_id)
  }

  /// The engine sent what cannot be. It is not trusted any more.
  func malformed(_ number: UInt32) -> SQLFailure {
    release(number)
    session.end()
    return .malformed
  }

  // MARK: The cursor in the ring

  /// The cursor's pages are in the ring no longer.
  func unplace(_ cursor: SQLCursor) {
    if unsafe placed === cursor { unsafe placed = nil }
  }

  /// The cursor's next page will be in the ring.
  func place(_ cursor: SQLCursor) {
    if let present = unsafe placed, present !== cursor { present.detach() }
    unsafe placed = cursor
  }

  @inline(__always)
  func detachPlaced() {
    guard let cursor = unsafe placed else { return }
    cursor.detach()
  }
}
