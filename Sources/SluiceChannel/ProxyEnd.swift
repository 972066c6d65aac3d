// The proxy's side of a channel: copy a request out of shared memory once, check the copy, answer
// in the same slot.
//
// The client may write anything at any time. So the proxy copies a slot once and uses only values
// that it has checked in its copy. The payload is the exception: it is read and written in place.
// Its bounds come from the copy, and its content concerns only the client.

internal import CSluice
public import SluiceSystem
public import SluiceWire
internal import Synchronization

/// A request as it was copied out of its slot.
@safe
public struct Request {
  /// Nil if this protocol version does not have the code.
  public let operation: Operation?
  public let file: UInt64
  /// The bytes that came with the request, or room for the bytes that it asks for. The client can
  /// write here.
  public let payload: UnsafeMutableRawBufferPointer
  fileprivate let slot: sluice_slot
}

@safe
public final class ProxyEnd {
  private let regions: ChannelRegions
  /// The number of the oldest request that is not completed. It may not have come yet.
  private var number: UInt32 = 1
  private let argumentCopy: UnsafeMutableRawBufferPointer

  public init(_ regions: consuming ChannelRegions) {
    unsafe argumentCopy = .allocate(byteCount: regions.shape.argumentAreaByteCount, alignment: 16)
    self.regions = regions
  }

  deinit { unsafe argumentCopy.deallocate() }

  public var standingLocks: StandingLocks { regions.standingLocks }

  /// Whether a request has come. Costs one load.
  @inline(__always)
  public var hasRequest: Bool {
    unsafe regions.sequence(of: number).pointee.load(ordering: .acquiring)
      == number  // SYNC request
  }

  /// Whether another request has come behind the oldest one.
  public var hasFurtherRequest: Bool {
    let further = number &+ 1
    return unsafe regions.sequence(of: further).pointee.load(ordering: .acquiring) == further
  }

  /// The oldest request that is not completed.
  public func nextRequest() throws(ProtocolViolation) -> Request? {
    guard hasRequest else { return nil }
    let slot = unsafe sluice_slot_copy(regions.slot(regions.slotIndex(of: number)))
    guard unsafe Int(slot.argument_byte_count) <= argumentCopy.count else { throw .argumentLength }
    guard Int(slot.payload_byte_count) <= ChannelShape.transferByteCountMaximum,
      let payload = unsafe regions.payload(
        offset: slot.payload_offset, byteCount: slot.payload_byte_count)
    else { throw .payloadRange }
    return unsafe Request(
      operation: Operation(rawValue: slot.operation), file: slot.file, payload: payload,
      slot: slot)
  }

  /// The request's arguments.
  @inline(__always)
  public func arguments<M: Message>(
    of request: Request, as type: M.Type
  ) throws(ProtocolViolation) -> M {
    let byteCount = Int(request.slot.argument_byte_count)
    let order = regions.shape.byteOrder
    do throws(WireError) {
      if byteCount <= inlineArgumentByteCount {
        return try unsafe withUnsafeBytes(of: request.slot.arguments) {
          (inline) throws(WireError) in
          try unsafe M(
            decoding: UnsafeRawBufferPointer(rebasing: inline[..<byteCount]), order: order)
        }
      }
      let area = unsafe regions.argumentArea(regions.slotIndex(of: number))
      let copy = unsafe UnsafeMutableRawBufferPointer(rebasing: argumentCopy[..<byteCount])
      unsafe copy.copyMemory(from: UnsafeRawBufferPointer(rebasing: area[..<byteCount]))
      return try unsafe M(decoding: UnsafeRawBufferPointer(copy), order: order)
    } catch {
      throw .arguments
    }
  }

  /// Answers the oldest request without results.
  public func complete(_ status: Status, errno: Errno = Errno(0), sentByteCount: Int = 0) {
    let slot = unsafe regions.slot(regions.slotIndex(of: number))
    unsafe slot.pointee.argument_byte_count = 0
    unsafe finish(slot, status, errno, sentByteCount)
  }

  /// Answers the oldest request with results.
  @inline(__always)
  public func complete<Reply: Message>(_ status: Status, _ reply: Reply, sentByteCount: Int = 0) {
    let index = regions.slotIndex(of: number)
    let slot = unsafe regions.slot(index)
    do throws(WireError) {
      // Try the slot's 28 bytes first, because they cost no further cache line.
      var inline = sluice_slot()
      let byteCount = try unsafe withUnsafeMutableBytes(of: &inline.arguments) {
        (room) throws(WireError) in
        try unsafe reply.encode(into: room, order: regions.shape.byteOrder)
      }
      unsafe slot.pointee.arguments = inline.arguments
      unsafe slot.pointee.argument_byte_count = UInt32(byteCount)
    } catch {
      do throws(WireError) {
        unsafe slot.pointee.argument_byte_count = unsafe UInt32(
          try reply.encode(into: regions.argumentArea(index), order: regions.shape.byteOrder))
      } catch {
        complete(.systemError, errno: .nameTooLong)
        return
      }
    }
    unsafe finish(slot, status, Errno(0), sentByteCount)
  }

  private func finish(
    _ slot: UnsafeMutablePointer<sluice_slot>, _ status: Status, _ errno: Errno,
    _ sentByteCount: Int
  ) {
    unsafe slot.pointee.payload_byte_count = UInt32(sentByteCount)
    unsafe slot.pointee.error_number = errno.rawValue
    unsafe slot.pointee.return_code = status.rawValue
    // SYNC answer
    unsafe publish(
      ~number, in: regions.sequence(of: number), waking: regions.clientSleeps
    ) {
      unsafe regions.clientAwaits.pointee.load(ordering: .relaxed) == number
    }
    number &+= 1
  }

  /// Whether the client wants the oldest request interrupted.
  @inline(__always)
  public var isCancelled: Bool {
    unsafe regions.clientCancels.pointee.load(ordering: .acquiring) == number  // SYNC cancel
  }

  /// Tells the client, which may wait for long, that this process goes on.
  public func beatPulse() {
    let pulse = unsafe regions.proxyPulse
    unsafe pulse.pointee.store(
      pulse.pointee.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
  }

  /// A quick check of this channel, for a loop over many channels.
  public var watch: RequestWatch {
    let sequence = unsafe regions.sequence(of: number)
    let present = unsafe sequence.pointee.load(ordering: .relaxed)
    return unsafe RequestWatch(
      sequence: sequence, idle: present == number ? regions.sequence(before: number) : present)
  }

  /// From now on the client wakes the thread that sleeps on the channel. Check for requests once
  /// more before the sleep.
  public func announceSleep() {
    unsafe regions.proxySleeps.pointee.store(1, ordering: .sequentiallyConsistent)  // SYNC nap
  }

  public func endSleep() { unsafe regions.proxySleeps.pointee.store(0, ordering: .relaxed) }
}
