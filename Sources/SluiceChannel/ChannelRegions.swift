// The two mapped regions of a channel, as typed places. Only this file computes an address in the
// shared memory of a channel.

internal import CSluice
public import SluiceSystem
internal import Synchronization

typealias SharedWord = UnsafePointer<Atomic<UInt32>>

/// Owns the mappings of one channel.
public struct ChannelRegions: ~Copyable, Sendable {
  public let shape: ChannelShape
  private let control: Mapping
  private let io: Mapping

  /// Makes the regions of a new channel. `pass` sends their descriptors to the client.
  public static func create(
    _ shape: ChannelShape, pass: (_ control: Int32, _ io: Int32) throws(Errno) -> Void
  ) throws(Errno) -> ChannelRegions {
    let control = try FileDescriptor.sealedMemory(
      "sluice-control", byteCount: shape.controlByteCount)
    let io = try FileDescriptor.sealedMemory("sluice-io", byteCount: shape.ioByteCount)
    let regions = ChannelRegions(
      shape: shape, control: try Mapping(control, byteCount: shape.controlByteCount),
      io: try Mapping(io, byteCount: shape.ioByteCount))
    unsafe regions.header.pointee.facts = shape.facts
    try pass(control.rawValue, io.rawValue)
    return regions
  }

  /// Maps the regions that a proxy made. Nil if they are malformed.
  public static func attach(
    control: borrowing FileDescriptor, io: borrowing FileDescriptor
  ) throws(Errno) -> ChannelRegions? {
    let pageByteCount = 4096
    guard let byteCount = Int(exactly: try control.status().byteCount),
      byteCount >= pageByteCount, control.isSealedMemory(byteCount: byteCount)
    else { return nil }
    let mapping = try Mapping(control, byteCount: byteCount)
    let facts = unsafe mapping.start.loadUnaligned(as: sluice_facts.self)
    guard let shape = ChannelShape(facts), shape.controlByteCount == byteCount,
      io.isSealedMemory(byteCount: shape.ioByteCount)
    else { return nil }
    return ChannelRegions(
      shape: shape, control: mapping, io: try Mapping(io, byteCount: shape.ioByteCount))
  }

  private init(shape: ChannelShape, control: consuming Mapping, io: consuming Mapping) {
    self.shape = shape
    self.control = control
    self.io = io
  }

  // MARK: Words

  private var header: UnsafeMutablePointer<sluice_control> {
    unsafe control.start.assumingMemoryBound(to: sluice_control.self)
  }

  private func word(_ address: UnsafeMutablePointer<UInt32>) -> SharedWord {
    unsafe SharedWord(UnsafeRawPointer(address).assumingMemoryBound(to: Atomic<UInt32>.self))
  }

  var clientSleeps: SharedWord { unsafe word(sluice_client_sleeps(header)) }
  var clientAwaits: SharedWord { unsafe word(sluice_client_awaits(header)) }
  var clientCancels: SharedWord { unsafe word(sluice_client_cancels(header)) }
  var proxySleeps: SharedWord { unsafe word(sluice_proxy_sleeps(header)) }
  var proxyPulse: SharedWord { unsafe word(sluice_proxy_pulse(header)) }

  /// The locks that stand in this channel. Valid while its regions are mapped.
  public var standingLocks: StandingLocks {
    unsafe StandingLocks(
      UnsafePointer(
        UnsafeRawPointer(sluice_standing_locks(header))
          .assumingMemoryBound(to: Atomic<UInt64>.self)))
  }

  // MARK: Slots, arguments, payload

  /// The slot of request `number`.
  func slotIndex(of number: UInt32) -> Int { Int(number) & (shape.slotCount - 1) }

  /// The word that says whose the slot of request `number` is.
  func sequence(of number: UInt32) -> SharedWord {
    unsafe word(sluice_sequence(slot(slotIndex(of: number))))
  }

  /// The value of that word until request `number` is handed over: the answer to the slot's
  /// previous request.
  func sequence(before number: UInt32) -> UInt32 { ~(number &- UInt32(shape.slotCount)) }

  func slot(_ index: Int) -> UnsafeMutablePointer<sluice_slot> {
    unsafe (control.start + MemoryLayout<sluice_control>.size)
      .assumingMemoryBound(to: sluice_slot.self) + index
  }

  func argumentArea(_ index: Int) -> UnsafeMutableRawBufferPointer {
    unsafe UnsafeMutableRawBufferPointer(
      start: io.start + index * shape.argumentAreaByteCount, count: shape.argumentAreaByteCount)
  }

  /// A range of the payload ring, or nil if it leaves the ring.
  func payload(offset: UInt32, byteCount: UInt32) -> UnsafeMutableRawBufferPointer? {
    guard Int(offset) + Int(byteCount) <= shape.payloadByteCount else { return nil }
    return unsafe UnsafeMutableRawBufferPointer(
      start: io.start + shape.payloadOffset + Int(offset), count: Int(byteCount))
  }
}

/// How many bytes of arguments fit into a slot itself.
let inlineArgumentByteCount = Int(SLUICE_INLINE_ARGUMENT_BYTE_COUNT)

/// A violation of the protocol that one side found in the other's bytes. It ends the session.
public enum ProtocolViolation: Error, CaseIterable, Sendable {
  /// A slot in use has neither its request's number nor that number's complement.
  case sequence
  /// Arguments longer than their area.
  case argumentLength
  /// A payload that leaves the ring, or is longer than one request may carry.
  case payloadRange
  /// An unknown return code, or arguments or a payload that were not requested.
  case reply
  /// Arguments that do not fit the operation.
  case arguments
}
