// The client's side of a channel: fill a slot, hand it over, and wait for the answer or post it
// without a wait.
//
// Two kinds of requests are posted: changes, whose failures somebody must learn of, and ends, whose
// results concern nobody.
//
// The caller serialises use. The proxy does requests in the order in which they were sent. It
// answers a posted request like any other, but the client reads that answer later: in the next
// call, in `settle`, or when it needs the slot again. A change's failure is kept until
// `forgetFailure`.
//
// On a single processor a proxy that sleeps is not told of each posted request: two switches of
// processes would cost more than the request. It is told when half of the slots are taken or when
// the client waits for an answer. Nothing else depends on a posted request: until it is settled, the
// client holds a lock that keeps others from what it changes.
//
// The payloads of requests under way follow one another in the ring. When no request is under way,
// the next payload begins at the ring's start, where the memory stays in the caches.

internal import CSluice
public import SluiceSystem
public import SluiceWire
internal import Synchronization

public struct ClientEnd: ~Copyable, Sendable {
  let regions: ChannelRegions
  /// The number of the last request. The first has 1.
  private(set) var submitted: UInt32 = 0
  /// The requests up to this one are answered, and the client has read their answers.
  private var settled: UInt32 = 0
  /// The offset of the next payload.
  private(set) var payloadEnd = 0
  /// How the client waits for requests that the sidecar answers from memory, for requests that name
  /// files, and for requests that make data durable.
  private var briefHabit = WaitHabit()
  private var nameHabit = WaitHabit()
  private var syncHabit = WaitHabit()
  private var crowd = Crowd()
  private(set) var failure: ChannelFailure?
  /// The write that is gathered. See ClientEnd+Writes.
  var gathered: GatheredWrite?
  /// The file of the last change that was posted.
  var changedFile: UInt64 = 0
  /// The number of that change.
  var lastChange: UInt32 = 0
  var changeFailure: PostedFailure?
  /// A sleeping proxy is told of a posted request when so many were posted since it was last told;
  /// 0 if it is told of each.
  private let untoldMaximum: Int
  /// The last request when the proxy was last told, if it is not told of each.
  private var told: UInt32 = 0

  /// `tellsAtOnce` is for a proxy that can work while the client does.
  public init(_ regions: consuming ChannelRegions, tellsAtOnce: Bool = processorCount > 1) {
    untoldMaximum = tellsAtOnce ? 0 : regions.shape.slotCount / 2
    self.regions = regions
  }

  // MARK: Requests

  /// Sends a request and waits for its answer, and so for the answers to all earlier requests.
  ///
  /// - Parameters:
  ///   - sending: at most `ChannelShape.transferByteCountMaximum` bytes that go with the request.
  ///   - receiving: the buffer for the bytes that come back; its size is the number of bytes asked
  ///     for.
  ///   - timeoutNanoseconds: after this time the peer counts as dead, even if its socket is open.
  ///   - peerIsGone: called now and then during a long wait.
  ///   - sleepsAtOnce: for a request that always takes long. Spinning would take the processor from
  ///     the process that this call waits for.
  @inline(__always)
  public mutating func call<Request: Message, Reply: Message>(
    _ operation: Operation, file: UInt64, _ request: Request, sending: UnsafeRawBufferPointer,
    receiving: UnsafeMutableRawBufferPointer, timeoutNanoseconds: Int64, peerIsGone: () -> Bool,
    sleepsAtOnce: Bool = false, replyingWith: Reply.Type
  ) throws(ChannelFailure) -> Answer<Reply> {
    if let failure { throw failure }
    unsafe precondition(sending.isEmpty || receiving.isEmpty, "a payload goes one way")
    do throws(ChannelFailure) {
      if gathered != nil { try submitGathered() }
      try makeRoom(
        byteCount: max(sending.count, receiving.count), timeoutNanoseconds: timeoutNanoseconds,
        peerIsGone: peerIsGone)
      if unsafe !sending.isEmpty {
        unsafe regions.payload(offset: UInt32(payloadEnd), byteCount: UInt32(sending.count))!
          .copyMemory(from: sending)
      }
      let payload = try submit(
        operation, file: file, request, payloadByteCount: max(sending.count, receiving.count))
      return try unsafe answer(
        receiving: receiving, from: payload, timeoutNanoseconds: timeoutNanoseconds,
        peerIsGone: peerIsGone, sleepsAtOnce ? .long : operation.waitKind)
    } catch {
      remember(error)
      throw error
    }
  }

  /// Waits for the answer to the last request.
  @inline(__always)
  mutating func answer<Reply: Message>(
    receiving: UnsafeMutableRawBufferPointer, from payload: UInt32, timeoutNanoseconds: Int64,
    peerIsGone: () -> Bool, _ kind: WaitKind
  ) throws(ChannelFailure) -> Answer<Reply> {
    try awaitCompletion(timeoutNanoseconds: timeoutNanoseconds, peerIsGone: peerIsGone, kind)
    if submitted &- settled > 1 { try settleWhole(upTo: submitted &- 1) }
    settled = submitted
    return try unsafe takeAnswer(receiving: receiving, from: payload)
  }

  /// Sends a request that ends something, and does not wait. Nobody is told whether it was done.
  @inline(never)
  public mutating func postEnd<Request: Message>(
    _ operation: Operation, file: UInt64, _ request: Request, timeoutNanoseconds: Int64,
    peerIsGone: () -> Bool
  ) throws(ChannelFailure) {
    if let failure { throw failure }
    do throws(ChannelFailure) {
      if gathered != nil { try submitGathered() }
      try makeRoom(byteCount: 0, timeoutNanoseconds: timeoutNanoseconds, peerIsGone: peerIsGone)
      _ = try submit(operation, file: file, request, payloadByteCount: 0)
      // There may be no other request for a long time, and what ends may hold others up.
      if untoldMaximum > 0 { try tell() }
    } catch {
      remember(error)
      throw error
    }
  }

  /// Whether a change may be under way.
  private var isChanging: Bool {
    gathered != nil || settled != submitted && Int32(bitPattern: lastChange &- settled) > 0
  }

  /// Waits until every change is answered.
  @inline(never)
  public mutating func settle(
    timeoutNanoseconds: Int64, peerIsGone: () -> Bool
  ) throws(ChannelFailure) {
    if !isChanging { return }
    if let failure { throw failure }
    do throws(ChannelFailure) {
      if gathered != nil { try submitGathered() }
      try awaitCompletion(timeoutNanoseconds: timeoutNanoseconds, peerIsGone: peerIsGone)
      try settleWhole(upTo: submitted)
    } catch {
      remember(error)
      throw error
    }
  }

  /// Whether all changes under way are of this file, and none is known to have failed.
  public func changesOnly(_ file: UInt64) -> Bool {
    changeFailure == nil && (changedFile == file || !isChanging)
  }

  /// Whether a change that was posted has failed, as far as is known.
  @inline(__always)
  public var hasFailure: Bool { changeFailure != nil }

  /// The first change that failed since `forgetFailure`. No change is posted until `forgetFailure`.
  public var failureOfChange: PostedFailure? { changeFailure }

  public mutating func forgetFailure() { changeFailure = nil }

  // MARK: In the ring

  mutating func remember(_ error: ChannelFailure) {
    if case .notSent = error { return }
    failure = error
  }

  /// Reads the answers to posted requests up to `end`, as far as they have come.
  @inline(never)
  private mutating func settle(upTo end: UInt32) throws(ChannelFailure) {
    while settled != end {
      let number = settled &+ 1
      // SYNC answer
      let sequence = unsafe regions.sequence(of: number).pointee.load(ordering: .acquiring)
      if sequence == number { return }
      guard sequence == ~number else { throw .violation(.sequence) }
      let slot = unsafe sluice_slot_copy(regions.slot(regions.slotIndex(of: number)))
      guard let status = Status(rawValue: slot.return_code) else { throw .violation(.reply) }
      if !status.isDone, changeFailure == nil, slot.operation == Operation.write.rawValue {
        changeFailure = PostedFailure(status: status, errno: Errno(slot.error_number))
      }
      settled = number
    }
    if settled == submitted { payloadEnd = 0 }
  }

  /// The same for requests before an answered one: all their answers must be there.
  private mutating func settleWhole(upTo end: UInt32) throws(ChannelFailure) {
    try settle(upTo: end)
    guard settled == end else { throw .violation(.sequence) }
  }

  /// Settles the completed requests. If there is no room for another request, waits for all.
  @inline(__always)
  mutating func makeRoom(
    byteCount: Int, timeoutNanoseconds: Int64, peerIsGone: () -> Bool
  ) throws(ChannelFailure) {
    precondition(byteCount <= ChannelShape.transferByteCountMaximum, "one transfer at a time")
    if settled == submitted { return }
    try makeRoomInRing(
      byteCount: byteCount, timeoutNanoseconds: timeoutNanoseconds, peerIsGone: peerIsGone)
  }

  @inline(never)
  private mutating func makeRoomInRing(
    byteCount: Int, timeoutNanoseconds: Int64, peerIsGone: () -> Bool
  ) throws(ChannelFailure) {
    try settle(upTo: submitted)
    if Int(submitted &- settled) < regions.shape.slotCount,
      payloadEnd + byteCount <= regions.shape.payloadByteCount
    {
      return
    }
    try awaitCompletion(timeoutNanoseconds: timeoutNanoseconds, peerIsGone: peerIsGone)
    try settleWhole(upTo: submitted)
  }

  /// Hands a request over, and returns the offset of its payload, which lies there.
  @inline(__always)
  mutating func submit<Request: Message>(
    _ operation: Operation, file: UInt64, _ request: Request, payloadByteCount byteCount: Int
  ) throws(ChannelFailure) -> UInt32 {
    let payload = UInt32(payloadEnd)
    let number = submitted &+ 1
    let index = regions.slotIndex(of: number)
    let slot: sluice_slot
    do throws(WireError) {
      slot = try regions.request(
        operation, number: number, file: file, request, payloadOffset: payloadEnd,
        payloadByteCount: byteCount)
    } catch {
      throw .notSent(error)
    }
    // The next payload begins on a new cache line.
    payloadEnd += (byteCount + 63) / 64 * 64
    unsafe regions.slot(index).pointee = slot
    submitted = number
    // SYNC request
    unsafe publish(
      number, in: regions.sequence(of: number), waking: regions.proxySleeps,
      isAwaited: { untoldMaximum == 0 })
    return payload
  }

  /// On a single processor: tells the proxy of posted requests if they are many.
  mutating func tellOfMany() throws(ChannelFailure) {
    if untoldMaximum > 0, Int(submitted &- told) >= untoldMaximum { try tell() }
  }

  /// Wakes the proxy if it sleeps. It then sleeps on the word of the first request without an
  /// answer: it does all requests that it sees before it sleeps, in their order.
  @inline(never)
  private mutating func tell() throws(ChannelFailure) {
    told = submitted
    // SYNC nap
    guard settled != submitted,
      unsafe regions.proxySleeps.pointee.load(ordering: .sequentiallyConsistent) != 0
    else { return }
    // The last answer may be that of a call.
    try settle(upTo: submitted &- 1)
    unsafe Futex.wake(regions.sequence(of: settled &+ 1))
  }

  /// Waits until the proxy has answered every request.
  @inline(__always)
  private mutating func awaitCompletion(
    timeoutNanoseconds: Int64, peerIsGone: () -> Bool, _ kind: WaitKind = .brief
  ) throws(ChannelFailure) {
    if untoldMaximum > 0 { try tell() }
    let wait = unsafe CompletionWait(
      sequence: regions.sequence(of: submitted), sleeps: regions.clientSleeps,
      awaited: regions.clientAwaits, number: submitted, timeoutNanoseconds: timeoutNanoseconds)
    let result =
      switch kind {
      case .brief: wait.wait(&briefHabit, &crowd, peerIsGone: peerIsGone)
      case .name: wait.wait(&nameHabit, &crowd, peerIsGone: peerIsGone)
      case .sync: wait.wait(&syncHabit, &crowd, peerIsGone: peerIsGone)
      case .long: wait.sleep(peerIsGone: peerIsGone)
      }
    switch result {
    case .reached: break
    case .peerGone: throw .peerGone
    case .timedOut: throw .timedOut
    case .impossible: throw .violation(.sequence)
    }
  }

  @inline(__always)
  private mutating func takeAnswer<Reply: Message>(
    receiving: UnsafeMutableRawBufferPointer, from place: UInt32
  ) throws(ChannelFailure) -> Answer<Reply> {
    payloadEnd = 0
    let index = regions.slotIndex(of: submitted)
    let slot = unsafe sluice_slot_copy(regions.slot(index))
    guard let status = Status(rawValue: slot.return_code) else { throw .violation(.reply) }
    var answer = Answer(
      status: status, errno: Errno(slot.error_number), receivedByteCount: 0, reply: Reply())
    guard status.isDone else { return answer }
    if unsafe receiving.isEmpty {
      guard slot.payload_byte_count == 0 else { throw .violation(.reply) }
    } else {
      guard slot.payload_byte_count <= receiving.count,
        let payload = unsafe regions.payload(offset: place, byteCount: slot.payload_byte_count)
      else { throw .violation(.reply) }
      unsafe receiving.copyMemory(from: UnsafeRawBufferPointer(payload))
      answer.receivedByteCount = payload.count
    }
    if Reply.hasFields || slot.argument_byte_count > 0 {
      do throws(WireError) {
        answer.reply = try regions.readArguments(slot, slotIndex: index)
      } catch {
        throw .violation(.reply)
      }
    }
    return answer
  }
}

/// The kind of a wait.
enum WaitKind {
  case brief, name, sync
  /// For a request that always takes long.
  case long
}

extension Operation {
  @inline(__always)
  fileprivate var waitKind: WaitKind {
    switch self {
    case .sync, .syncPromise, .syncAwait: .sync
    case .open, .close, .delete, .access, .fullPathname, .truncate: .name
    default: .brief
    }
  }
}
