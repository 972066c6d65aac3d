// A connection to a record store behind an engine: messages in, messages out, as bytes. The blocking
// core on which `RecordStorage` and the C interface stand.
//
// One thread at a time uses a connection; only `cancel` and `end` may be called beside. Requests are
// served in the order of their submission. Every answer is copied out of shared memory once, and
// checked in the copy; one that cannot be ends the session.

internal import CSluice
internal import SluiceChannel
public import SluiceClient
internal import Synchronization
public import SluiceWire

/// How a store is opened.
public struct RecordOpenOptions: Equatable, Sendable {
  public var mode = SQLOpenMode.either
  /// When a store of messages counts as done.
  public var durability = RecordDurability.normal
  /// How long a store waits for the locks of other processes, at most an hour.
  public var busyMilliseconds: Int64 = 5000
  /// A signature is kept behind so many UTF-16 code units of transactions; at most 2³¹. A load is
  /// cut into messages there.
  public var signatureInterval = RecordsOpenRequest.signatureIntervalDefault

  public init() {}
}

public final class RecordConnection {
  let session: RingSession
  /// What the store keeps.
  public private(set) var durability = RecordDurability.normal
  /// The version of the store's tables.
  public private(set) var schemaVersion: UInt64 = 0
  /// Requests whose answers concern nobody, the oldest first.
  private var forgotten: [UInt32] = []
  /// The number of the request that is awaited; 0 for none.
  private let awaited = Atomic<UInt32>(0)
  var loads = RecordLoads()
  /// The requests for pages of the loads, the oldest first.
  var pages: [(number: UInt32, request: RecordRequest, load: UInt32?)] = []

  /// Opens the store at `path` (":memory:" for one in the engine's memory) in a session of its own.
  public init(
    _ session: RingSession, path: [UInt8], options: RecordOpenOptions = RecordOpenOptions()
  ) throws(RecordFailure) {
    self.session = session
    let arguments = RecordsOpenRequest(
      path: path, mode: options.mode, durability: options.durability,
      busyMilliseconds: options.busyMilliseconds, signatureInterval: options.signatureInterval)
    let request = RecordRequest(
      operation: .recordsOpen, arguments: .open(arguments), room: 4096)
    guard case .open(let reply) = try call(request).reply else { throw malformed() }
    durability = reply.durability
    schemaVersion = reply.schemaVersion
  }

  /// Closes the store: all that was asked for before is done. Then the session is over.
  public func close() throws(RecordFailure) {
    defer { end() }
    _ = try call(.close)
  }

  /// Ends the session. What was not answered may be done or not. Every later call fails.
  public func end() { session.end() }

  /// Interrupts the request that another thread awaits on this connection. False if there is none.
  @discardableResult
  public func cancel() -> Bool {
    let number = awaited.load(ordering: .acquiring)
    if number != 0 { session.cancel(number) }
    return number != 0
  }

  /// Does nothing in the engine. Measures a round trip, or shows that the engine answers.
  public func roundTrip() throws(RecordFailure) {
    _ = try call(RecordRequest(operation: .nothing, room: 0))
  }

  // MARK: Requests

  /// Submits a request and waits for its answer.
  func call(_ request: RecordRequest) throws(RecordFailure) -> RecordAnswer {
    try answer(to: try submitAwaitingRoom(request), of: request)
  }

  /// Submits a request. Returns its number; nil if there is no room before another is answered.
  func submit(_ request: RecordRequest) throws(RecordFailure) -> UInt32? {
    let room = max(request.room, request.payload.count)
    do throws(CallError) {
      return try session.withRing { (ring) throws(ChannelFailure) in
        try unsafe ring.submit(
          request.operation, file: 0, request.arguments, room: room,
          fill: { unsafe $0.copyBytes(from: request.payload) })
      }
    } catch {
      throw error == .failed(.notSent(.tooLong)) ? .tooLarge : .call(error)
    }
  }

  /// Submits a request; waits for the oldest answers that concern nobody, if they hold the room.
  func submitAwaitingRoom(_ request: RecordRequest) throws(RecordFailure) -> UInt32 {
    while true {
      if let number = try submit(request) { return number }
      if let oldest = forgotten.first {
        try release(oldest)
        forgotten.removeFirst()
      } else if try !takePage() {
        preconditionFailure("a ring has room for what its owner submits")
      }
    }
  }

  /// Submits a request whose answer concerns nobody.
  func post(_ request: RecordRequest) throws(RecordFailure) {
    forgotten.append(try submitAwaitingRoom(request))
  }

  private func release(_ number: UInt32) throws(RecordFailure) {
    try withRing { (ring) throws(ChannelFailure) in
      _ = try session.answer(to: number, in: &ring)
      ring.release(number)
    }
  }

  /// Waits for an answer, copies it and releases its range. Throws what the engine refused.
  func answer(to number: UInt32, of request: RecordRequest) throws(RecordFailure) -> RecordAnswer {
    awaited.store(number, ordering: .releasing)
    defer { awaited.store(0, ordering: .relaxed) }
    return try taken { (ring) throws(ChannelFailure) in
      let placed = try session.answer(to: number, in: &ring)
      // Earlier answers have come, too.
      while let earlier = forgotten.first, Int32(bitPattern: number &- earlier) > 0 {
        ring.release(earlier)
        forgotten.removeFirst()
      }
      return try Self.take(placed, number, request, &ring)
    }!
  }

  /// The same, unless `wake` has other signals than `signals` before: then nil.
  func answer(
    to number: UInt32, of request: RecordRequest, orWake wake: WakeWord, after signals: UInt32
  ) throws(RecordFailure) -> RecordAnswer? {
    try taken { (ring) throws(ChannelFailure) in
      let placed = try session.answer(to: number, orWake: wake, after: signals, in: &ring)
      guard let placed else { return nil }
      return try Self.take(placed, number, request, &ring)
    }
  }

  private struct TakenAnswer {
    var answer: RecordAnswer
    var errorNumber: Int32
    var isRefused: Bool
  }

  private static func take(
    _ placed: PlacedAnswer, _ number: UInt32, _ request: RecordRequest, _ ring: inout RequestRing
  ) throws(ChannelFailure) -> TakenAnswer {
    var answer = RecordAnswer(status: placed.status, payload: unsafe Array(placed.payload))
    if placed.status.isDone {
      answer.reply = try ring.recordReply(of: placed, to: request.operation)
    }
    ring.release(number)
    return TakenAnswer(
      answer: answer, errorNumber: placed.errorNumber,
      isRefused: !request.isAnswered(by: placed.status))
  }

  private func taken(
    _ body: (inout RequestRing) throws(ChannelFailure) -> TakenAnswer?
  ) throws(RecordFailure) -> RecordAnswer? {
    guard let taken = try withRing(body) else { return nil }
    guard taken.isRefused else { return taken.answer }
    guard taken.answer.status == .sqlError else { throw .refused(taken.answer.status) }
    throw .sqlite(code: taken.errorNumber, message: taken.answer.payload)
  }

  private func withRing<R>(
    _ body: (inout RequestRing) throws(ChannelFailure) -> R
  ) throws(RecordFailure) -> R {
    do throws(CallError) { return try session.withRing(body) } catch { throw .call(error) }
  }

  /// The engine sent what cannot be. It is not trusted any more.
  func malformed() -> RecordFailure {
    session.end()
    return .malformed
  }
}
