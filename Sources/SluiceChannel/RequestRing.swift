// The client's side of a channel whose answers are read where they lie, several at a time.
//
// A caller submits requests, each with a range of the payload ring, awaits an answer, reads it in
// the range, and releases the range. The proxy answers in the order of submission. Ranges follow one
// another in the ring, and a released range is used again when all ranges before it are released.
//
// The caller serialises use, except of `cancelling`. What it reads in a range may change under its
// eyes if the proxy breaks the protocol.

internal import CSluice
internal import SluiceSystem
public import SluiceWire
internal import Synchronization

/// The answer to a request, in its place.
@safe
public struct PlacedAnswer {
  public let status: Status
  /// A number of the system or, with `sqlError`, of SQLite.
  public let errorNumber: Int32
  /// The bytes that the proxy gave. Valid until the request is released.
  public let payload: UnsafeRawBufferPointer
  fileprivate let slot: sluice_slot
  fileprivate let index: Int
}

public struct RequestRing: ~Copyable, Sendable {
  private let regions: ChannelRegions
  /// The number of the last request. The first has 1.
  private var submitted: UInt32 = 0
  /// The requests up to this one are released.
  private var released: UInt32 = 0
  /// By slot.
  private var ranges: [PayloadRange]
  /// The offset of the next range.
  private var end = 0
  private var habit = WaitHabit()
  private var crowd = Crowd()
  private var failure: ChannelFailure?

  /// Some 5 µs: short statements take 1 to 2.
  private static let firstLookCount = 200

  private struct PayloadRange {
    var offset = 0
    var byteCount = 0
    var isReleased = true
  }

  public init(_ regions: consuming ChannelRegions) {
    ranges = Array(repeating: PayloadRange(), count: regions.shape.slotCount)
    self.regions = regions
  }

  public var slotCount: Int { regions.shape.slotCount }
  public var payloadByteCount: Int { regions.shape.payloadByteCount }
  /// How many requests are not released.
  public var underWayCount: Int { Int(submitted &- released) }
  /// How many requests were submitted so far.
  package var submittedCount: UInt32 { submitted }

  /// By which any thread interrupts the request under way. Valid while the ring exists.
  public var cancelling: Cancelling { unsafe Cancelling(word: regions.clientCancels) }

  // MARK: Requests

  /// Submits a request with a range of `room` bytes, which `fill` may write. Returns its number; nil
  /// if there is no slot or no room before another request is released.
  @inline(__always)
  public mutating func submit<Request: Message>(
    _ operation: Operation, file: UInt64, _ request: Request, room: Int,
    fill: (UnsafeMutableRawBufferPointer) -> Void
  ) throws(ChannelFailure) -> UInt32? {
    if let failure { throw failure }
    precondition(room <= ChannelShape.transferByteCountMaximum, "one transfer at a time")
    guard let offset = place(room) else { return nil }
    let number = submitted &+ 1
    forgetCancel(of: number)
    let index = regions.slotIndex(of: number)
    let slot: sluice_slot
    do throws(WireError) {
      slot = try regions.request(
        operation, number: number, file: file, request, payloadOffset: offset,
        payloadByteCount: room)
    } catch {
      throw .notSent(error)
    }
    unsafe fill(regions.payload(offset: UInt32(offset), byteCount: UInt32(room))!)
    unsafe regions.slot(index).pointee = slot
    ranges[index] = PayloadRange(offset: offset, byteCount: room, isReleased: false)
    end = offset + Self.taken(room)
    submitted = number
    // SYNC request
    unsafe publish(number, in: regions.sequence(of: number), waking: regions.proxySleeps)
    return number
  }

  /// What a range of `room` bytes takes of the ring: whole cache lines, and at least one, because a
  /// range without any would look like a full ring.
  @inline(__always)
  private static func taken(_ room: Int) -> Int { (max(room, 1) + 63) / 64 * 64 }

  /// An old word must not interrupt a new request when the numbers have gone round. `cancel` is not
  /// yet called for this one.
  @inline(__always)
  private func forgetCancel(of number: UInt32) {
    let word = unsafe regions.clientCancels
    guard unsafe word.pointee.load(ordering: .relaxed) == number else { return }
    unsafe word.pointee.store(number &- 1, ordering: .relaxed)
  }

  /// Where a range of `room` bytes fits now.
  @inline(__always)
  private func place(_ room: Int) -> Int? {
    if released == submitted { return 0 }
    return placeBesideOthers(room)
  }

  private func placeBesideOthers(_ room: Int) -> Int? {
    guard underWayCount < slotCount else { return nil }
    let oldest = ranges[regions.slotIndex(of: released &+ 1)].offset
    let taken = Self.taken(room)
    if end > oldest {
      if end + taken <= payloadByteCount { return end }
      return taken <= oldest ? 0 : nil
    }
    return end + taken <= oldest ? end : nil
  }

  /// Waits for the answer to a request that is not released.
  ///
  /// - Parameters:
  ///   - stuckNanoseconds: after this time without a sign of life the peer counts as dead, even if
  ///     its socket is open.
  ///   - peerIsGone: called now and then during a long wait.
  @inline(__always)
  public mutating func answer(
    to number: UInt32, stuckNanoseconds: Int64, peerIsGone: () -> Bool
  ) throws(ChannelFailure) -> PlacedAnswer {
    if let failure { throw failure }
    let wait = completionWait(number, stuckNanoseconds)
    return try placed(number, after: wait.wait(&habit, &crowd, peerIsGone: peerIsGone))
  }

  /// The same, unless `wake` has other signals than `signals` before: then nil.
  public mutating func answer(
    to number: UInt32, orWake wake: WakeWord, after signals: UInt32, stuckNanoseconds: Int64,
    peerIsGone: () -> Bool
  ) throws(ChannelFailure) -> PlacedAnswer? {
    if let failure { throw failure }
    let wait = completionWait(number, stuckNanoseconds)
    let result = wait.wait(orWake: wake, after: signals, &habit, &crowd, peerIsGone: peerIsGone)
    guard let result else { return nil }
    return try placed(number, after: result)
  }

  @inline(__always)
  private func completionWait(_ number: UInt32, _ stuckNanoseconds: Int64) -> CompletionWait {
    precondition(number &- released &- 1 < submitted &- released, "a request under way")
    return unsafe CompletionWait(
      sequence: regions.sequence(of: number), sleeps: regions.clientSleeps,
      awaited: regions.clientAwaits, number: number, timeoutNanoseconds: stuckNanoseconds,
      pulse: regions.proxyPulse, firstLookCount: Self.firstLookCount)
  }

  @inline(__always)
  private mutating func placed(
    _ number: UInt32, after result: WaitResult
  ) throws(ChannelFailure) -> PlacedAnswer {
    switch result {
    case .reached: break
    case .peerGone: throw remembered(.peerGone)
    case .timedOut: throw remembered(.timedOut)
    case .impossible: throw remembered(.violation(.sequence))
    }
    let index = regions.slotIndex(of: number)
    let slot = unsafe sluice_slot_copy(regions.slot(index))
    let range = ranges[index]
    guard let status = Status(rawValue: slot.return_code),
      Int(slot.payload_byte_count) <= range.byteCount,
      let payload = unsafe regions.payload(
        offset: UInt32(range.offset), byteCount: slot.payload_byte_count)
    else { throw remembered(.violation(.reply)) }
    return unsafe PlacedAnswer(
      status: status, errorNumber: slot.error_number, payload: UnsafeRawBufferPointer(payload),
      slot: slot, index: index)
  }

  /// The results in an answer that is not released.
  public mutating func reply<Reply: Message>(
    of answer: PlacedAnswer, as type: Reply.Type
  ) throws(ChannelFailure) -> Reply {
    do throws(WireError) {
      return try regions.readArguments(answer.slot, slotIndex: answer.index)
    } catch { throw remembered(.violation(.reply)) }
  }

  /// The caller no longer reads this request's range. Its answer was awaited.
  @inline(__always)
  public mutating func release(_ number: UInt32) {
    ranges[regions.slotIndex(of: number)].isReleased = true
    while released != submitted, ranges[regions.slotIndex(of: released &+ 1)].isReleased {
      released &+= 1
    }
  }

  private mutating func remembered(_ failure: ChannelFailure) -> ChannelFailure {
    self.failure = failure
    return failure
  }
}

/// The word by which a client interrupts a request.
@safe
public struct Cancelling: @unchecked Sendable {
  let word: SharedWord

  /// Interrupts the request of this number, if it is under way. Any other request is not touched.
  public func cancel(_ number: UInt32) {
    unsafe word.pointee.store(number, ordering: .releasing)  // SYNC cancel
  }
}
