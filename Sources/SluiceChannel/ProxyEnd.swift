// The proxy's side of a channel: take a request out of shared memory once, check the copy, answer
// in the same slot.
//
// Whatever the client writes, and whenever, this side reads each word once and believes nothing
// that it has not checked on its own copy. Payload is the exception by nature: it is read and
// written in place, its content is the client's own business, and its bounds come from the copy.

internal import CSluice
public import SluiceSystem
public import SluiceWire
internal import Synchronization

/// A request as it was copied out of its slot.
public struct Request {
  /// Nil where the code is not one of this protocol version.
  public let operation: Operation?
  public let file: UInt64
  /// The bytes that came with the request, or room for those wanted, in the client's reach.
  public let payload: UnsafeMutableRawBufferPointer
  fileprivate let slot: sluice_slot
}

public final class ProxyEnd {
  private let regions: ChannelRegions
  private var completed: UInt32 = 0
  private let argumentCopy: UnsafeMutableRawBufferPointer

  public init(_ regions: consuming ChannelRegions) {
    argumentCopy = .allocate(byteCount: regions.shape.argumentAreaByteCount, alignment: 16)
    self.regions = regions
  }

  deinit { argumentCopy.deallocate() }

  /// Whether a request stands there to be taken. One load.
  @inline(__always)
  public var hasRequest: Bool {
    regions.submitted.pointee.load(ordering: .acquiring) != completed  // SYNC submitted
  }

  /// The oldest request not yet completed.
  public func nextRequest() throws(ProtocolViolation) -> Request? {
    let waiting = regions.submitted.pointee.load(ordering: .acquiring) &- completed
    if waiting == 0 { return nil }
    guard waiting <= UInt32(regions.shape.slotCount) else { throw .counter }
    let slot = sluice_slot_copy(regions.slot(regions.slotIndex(of: completed)))
    guard slot.sequence == completed else { throw .sequence }
    guard Int(slot.argument_byte_count) <= argumentCopy.count else { throw .argumentLength }
    guard Int(slot.payload_byte_count) <= ChannelShape.transferByteCountMaximum,
      let payload = regions.payload(
        offset: slot.payload_offset, byteCount: slot.payload_byte_count)
    else { throw .payloadRange }
    return Request(
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
        return try withUnsafeBytes(of: request.slot.arguments) { (inline) throws(WireError) in
          try M(decoding: UnsafeRawBufferPointer(rebasing: inline[..<byteCount]), order: order)
        }
      }
      let area = regions.argumentArea(regions.slotIndex(of: completed))
      let copy = UnsafeMutableRawBufferPointer(rebasing: argumentCopy[..<byteCount])
      copy.copyMemory(from: UnsafeRawBufferPointer(rebasing: area[..<byteCount]))
      return try M(decoding: UnsafeRawBufferPointer(copy), order: order)
    } catch {
      throw .arguments
    }
  }

  /// Answers the oldest request without results.
  public func complete(_ status: Status, errno: Errno = Errno(0), sentByteCount: Int = 0) {
    let slot = regions.slot(regions.slotIndex(of: completed))
    slot.pointee.argument_byte_count = 0
    finish(slot, status, errno, sentByteCount)
  }

  /// Answers the oldest request with results.
  @inline(__always)
  public func complete<Reply: Message>(_ status: Status, _ reply: Reply) {
    let index = regions.slotIndex(of: completed)
    let slot = regions.slot(index)
    do throws(WireError) {
      // The slot's 28 bytes first, for they cost no further cache line.
      var inline = sluice_slot()
      let byteCount = try withUnsafeMutableBytes(of: &inline.arguments) { (room) throws(WireError) in
        try reply.encode(into: room, order: regions.shape.byteOrder)
      }
      slot.pointee.arguments = inline.arguments
      slot.pointee.argument_byte_count = UInt32(byteCount)
    } catch {
      do throws(WireError) {
        slot.pointee.argument_byte_count = UInt32(
          try reply.encode(into: regions.argumentArea(index), order: regions.shape.byteOrder))
      } catch {
        complete(.systemError, errno: .nameTooLong)
        return
      }
    }
    finish(slot, status, Errno(0), 0)
  }

  private func finish(
    _ slot: UnsafeMutablePointer<sluice_slot>, _ status: Status, _ errno: Errno,
    _ sentByteCount: Int
  ) {
    slot.pointee.payload_byte_count = UInt32(sentByteCount)
    slot.pointee.error_number = errno.rawValue
    slot.pointee.return_code = status.rawValue
    completed &+= 1
    publish(completed, in: regions.completed, waking: regions.clientSleeps)  // SYNC completed
  }

  /// Announces that the proxy is about to sleep; false when a request came meanwhile.
  func announceSleep(in words: inout FutexSet) -> Bool {
    regions.proxySleeps.pointee.store(1, ordering: .sequentiallyConsistent)  // SYNC nap
    let submitted = regions.submitted.pointee.load(ordering: .sequentiallyConsistent)
    words.append(regions.submitted, while: completed)
    return submitted == completed
  }

  func endSleep() { regions.proxySleeps.pointee.store(0, ordering: .relaxed) }
}
