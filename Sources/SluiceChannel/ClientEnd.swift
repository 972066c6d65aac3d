// The client's side of a channel: fill a slot, count it in, wait until it is counted out.
//
// The caller serialises use, and a request is answered before the next is posted: its payload lies
// at the start of the payload ring, where it stays in the caches.

internal import CSluice
public import SluiceSystem
public import SluiceWire
internal import Synchronization

/// Why a call has no answer. The channel, and its session, are of no more use then.
public enum ChannelFailure: Error, Equatable, Sendable {
  case peerGone
  /// The peer lives but did not answer in time.
  case timedOut
  case violation(ProtocolViolation)
  /// The request was never sent: its arguments cannot be. The channel is as good as before.
  case notSent(WireError)
}

/// What a request was answered.
public struct Answer<Reply: Message>: Sendable {
  public var status: Status
  /// The system's reason where `status` is `systemError`.
  public var errno: Errno
  /// How many bytes came back.
  public var receivedByteCount: Int
  /// The results; blank where `status` is not one of the done.
  public var reply: Reply
}

public struct ClientEnd: ~Copyable, Sendable {
  private let regions: ChannelRegions
  private var submitted: UInt32 = 0
  private var policy = SpinPolicy()
  private var failure: ChannelFailure?

  public init(_ regions: consuming ChannelRegions) { self.regions = regions }

  /// Sends a request and waits for its answer.
  ///
  /// - Parameters:
  ///   - sending: at most `ChannelShape.transferByteCountMaximum` bytes that go with the request.
  ///   - receiving: where the bytes that come back are put; its size is what is asked for.
  ///   - timeoutNanoseconds: after this the peer counts as dead though its socket is open.
  ///   - peerIsGone: asked now and then during a long wait.
  ///   - sleepsAtOnce: for what takes long by its nature: spinning would take the processor from
  ///     whom this call waits for.
  @inline(__always)
  public mutating func call<Request: Message, Reply: Message>(
    _ operation: Operation, file: UInt64, _ request: Request, sending: UnsafeRawBufferPointer,
    receiving: UnsafeMutableRawBufferPointer, timeoutNanoseconds: Int64, peerIsGone: () -> Bool,
    sleepsAtOnce: Bool = false, replyingWith: Reply.Type
  ) throws(ChannelFailure) -> Answer<Reply> {
    if let failure { throw failure }
    unsafe precondition(sending.isEmpty || receiving.isEmpty, "a payload goes one way")
    try unsafe submit(operation, file: file, request, sending: sending, receiving: receiving)
    do throws(ChannelFailure) {
      try awaitCompletion(
        timeoutNanoseconds: timeoutNanoseconds, peerIsGone: peerIsGone, sleepsAtOnce: sleepsAtOnce)
      return try unsafe takeAnswer(receiving: receiving)
    } catch {
      failure = error
      throw error
    }
  }

  private mutating func submit<Request: Message>(
    _ operation: Operation, file: UInt64, _ request: Request, sending: UnsafeRawBufferPointer,
    receiving: UnsafeMutableRawBufferPointer
  ) throws(ChannelFailure) {
    let byteCount = max(sending.count, receiving.count)
    precondition(byteCount <= ChannelShape.transferByteCountMaximum, "one transfer at a time")
    let index = regions.slotIndex(of: submitted)
    var slot = sluice_slot()
    slot.operation = operation.rawValue
    slot.sequence = submitted
    slot.file = file
    slot.payload_byte_count = UInt32(byteCount)
    slot.argument_byte_count = unsafe UInt32(
      try writeArguments(request, into: &slot, area: regions.argumentArea(index)))
    if unsafe !sending.isEmpty {
      unsafe regions.payload(offset: 0, byteCount: UInt32(byteCount))!.copyMemory(from: sending)
    }
    unsafe regions.slot(index).pointee = slot
    submitted &+= 1
    unsafe publish(submitted, in: regions.submitted, waking: regions.proxySleeps)  // SYNC submitted
  }

  /// Short arguments go into the slot, long ones into its area.
  @inline(__always)
  private func writeArguments<Request: Message>(
    _ request: Request, into slot: inout sluice_slot, area: UnsafeMutableRawBufferPointer
  ) throws(ChannelFailure) -> Int {
    let order = regions.shape.byteOrder
    do throws(WireError) {
      return try unsafe withUnsafeMutableBytes(of: &slot.arguments) { (inline) throws(WireError) in
        do throws(WireError) {
          return try unsafe request.encode(into: inline, order: order)
        } catch .tooLong {
          return try unsafe request.encode(into: area, order: order)
        }
      }
    } catch {
      throw .notSent(error)
    }
  }

  @inline(__always)
  private mutating func awaitCompletion(
    timeoutNanoseconds: Int64, peerIsGone: () -> Bool, sleepsAtOnce: Bool
  ) throws(ChannelFailure) {
    let result =
      if sleepsAtOnce {
        unsafe sleepUntilChange(
          of: regions.completed, from: submitted &- 1, announcing: regions.clientSleeps,
          timeoutNanoseconds: timeoutNanoseconds, peerIsGone: peerIsGone)
      } else {
        unsafe waitForChange(
          of: regions.completed, from: submitted &- 1, announcing: regions.clientSleeps,
          policy: &policy, timeoutNanoseconds: timeoutNanoseconds, peerIsGone: peerIsGone)
      }
    switch result {
    case .changed: break
    case .peerGone: throw .peerGone
    case .timedOut: throw .timedOut
    }
    // SYNC completed
    guard unsafe regions.completed.pointee.load(ordering: .acquiring) == submitted else {
      throw .violation(.counter)
    }
  }

  @inline(__always)
  private mutating func takeAnswer<Reply: Message>(
    receiving: UnsafeMutableRawBufferPointer
  ) throws(ChannelFailure) -> Answer<Reply> {
    let index = regions.slotIndex(of: submitted &- 1)
    let slot = unsafe sluice_slot_copy(regions.slot(index))
    guard let status = Status(rawValue: slot.return_code) else { throw .violation(.reply) }
    var answer = Answer(
      status: status, errno: Errno(slot.error_number), receivedByteCount: 0, reply: Reply())
    guard status.isDone else { return answer }
    if unsafe receiving.isEmpty {
      guard slot.payload_byte_count == 0 else { throw .violation(.reply) }
    } else {
      guard slot.payload_byte_count <= receiving.count,
        let payload = unsafe regions.payload(offset: 0, byteCount: slot.payload_byte_count)
      else { throw .violation(.reply) }
      unsafe receiving.copyMemory(from: UnsafeRawBufferPointer(payload))
      answer.receivedByteCount = payload.count
    }
    if Reply.hasFields || slot.argument_byte_count > 0 {
      answer.reply = try readReply(slot, index: index)
    }
    return answer
  }

  @inline(__always)
  private func readReply<Reply: Message>(
    _ slot: sluice_slot, index: Int
  ) throws(ChannelFailure) -> Reply {
    let byteCount = Int(slot.argument_byte_count)
    let order = regions.shape.byteOrder
    do throws(WireError) {
      if byteCount <= inlineArgumentByteCount {
        return try unsafe withUnsafeBytes(of: slot.arguments) { (inline) throws(WireError) in
          try unsafe Reply(
            decoding: UnsafeRawBufferPointer(rebasing: inline[..<byteCount]), order: order)
        }
      }
      guard byteCount <= regions.shape.argumentAreaByteCount else { throw .tooLong }
      let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 16)
      defer { unsafe copy.deallocate() }
      unsafe copy.copyMemory(
        from: UnsafeRawBufferPointer(rebasing: regions.argumentArea(index)[..<byteCount]))
      return try unsafe Reply(decoding: UnsafeRawBufferPointer(copy), order: order)
    } catch {
      throw .violation(.reply)
    }
  }
}
