// The regions of a channel in this process, with access to their memory that bypasses both ends.
// Only this file of the fuzzers knows how a request is handed over and back.

import CSluice
import Glibc
import SluiceSystem

@testable import SluiceChannel

/// Confined to one thread at a time.
@safe
final class RawRegions: @unchecked Sendable {
  let shape: ChannelShape
  let control: SharedDescriptor
  let io: SharedDescriptor
  private let controlMapping: Mapping
  private let ioMapping: Mapping

  /// Makes regions as a proxy does.
  convenience init(_ shape: ChannelShape) throws(Errno) {
    var made: (control: Int32, io: Int32) = (-1, -1)
    _ = try ChannelRegions.create(shape) { (control, io) throws(Errno) in
      made = (dup(control), dup(io))
    }
    try self.init(
      shape, control: FileDescriptor(owning: made.control), io: FileDescriptor(owning: made.io))
  }

  /// Regions that a proxy made.
  init(
    _ shape: ChannelShape, control: consuming FileDescriptor, io: consuming FileDescriptor
  ) throws(Errno) {
    self.shape = shape
    self.control = SharedDescriptor(control)
    self.io = SharedDescriptor(io)
    controlMapping = try Mapping(self.control.descriptor, byteCount: shape.controlByteCount)
    ioMapping = try Mapping(self.io.descriptor, byteCount: shape.ioByteCount)
  }

  /// Few slots, so that the ring wraps often.
  static let smallShape = ChannelShape(
    slotCount: 4, argumentAreaByteCount: 1152, payloadByteCount: 131_072, byteOrder: .littleEndian)

  /// The regions as either end sees them.
  func attach() -> ChannelRegions {
    guard
      let regions = try? ChannelRegions.attach(control: control.descriptor, io: io.descriptor)
    else { broken("regions that were just made cannot be attached") }
    return regions
  }

  /// Resets the regions to their first state. The payload ring stays as it is after its first page.
  func clear() {
    let factsByteCount = MemoryLayout<sluice_facts>.size
    unsafe (controlMapping.start + factsByteCount).initializeMemory(
      as: UInt8.self, repeating: 0, count: shape.controlByteCount - factsByteCount)
    unsafe header.pointee.facts = shape.facts
    unsafe ioMapping.start.initializeMemory(
      as: UInt8.self, repeating: 0, count: shape.payloadOffset + 4096)
  }

  private var header: UnsafeMutablePointer<sluice_control> {
    unsafe controlMapping.start.assumingMemoryBound(to: sluice_control.self)
  }

  // MARK: Slots

  /// The slot of a request. Requests have numbers from 1 on.
  func slot(of number: UInt32) -> sluice_slot { unsafe slots[index(number)] }

  private func index(_ number: UInt32) -> Int { Int(number) & (shape.slotCount - 1) }

  private var slots: UnsafeMutablePointer<sluice_slot> {
    unsafe (controlMapping.start + MemoryLayout<sluice_control>.size)
      .assumingMemoryBound(to: sluice_slot.self)
  }

  /// Hands over a request, as an honest client does.
  func post(_ slot: sluice_slot, number: UInt32, arguments: [UInt8]) {
    var slot = slot
    slot.sequence = number
    set(&slot, arguments, number: number)
    unsafe slots[index(number)] = slot
  }

  /// Whether the request with this number is in its slot.
  func isPosted(_ number: UInt32) -> Bool {
    sluice_full_barrier()
    return slot(of: number).sequence == number
  }

  /// Whether the request is answered.
  func isAnswered(_ number: UInt32) -> Bool { slot(of: number).sequence == ~number }

  /// Answers the request with these results in its slot. The sequence is wrong in the bits of
  /// `lie`.
  func answer(
    _ change: (inout sluice_slot) -> Void, number: UInt32, arguments: [UInt8], lie: UInt32 = 0
  ) {
    var slot = slot(of: number)
    set(&slot, arguments, number: number)
    change(&slot)
    unsafe slots[index(number)] = slot
    sluice_full_barrier()
    unsafe slots[index(number)].sequence = ~number ^ lie
    sluice_full_barrier()
    if unsafe header.pointee.client.sleeps != 0 {
      _ = unsafe sluice_futex_wake(sluice_sequence(slots + index(number)), 1)
    }
  }

  /// Puts arguments into the slot or its area, by their length.
  private func set(_ slot: inout sluice_slot, _ arguments: [UInt8], number: UInt32) {
    slot.argument_byte_count = UInt32(arguments.count)
    if arguments.count <= Int(SLUICE_INLINE_ARGUMENT_BYTE_COUNT) {
      unsafe withUnsafeMutableBytes(of: &slot.arguments) { unsafe $0.copyBytes(from: arguments) }
    } else {
      let area = index(number) * shape.argumentAreaByteCount
      write(arguments.prefix(shape.argumentAreaByteCount), io: area)
    }
  }

  /// The present arguments of the request with this number, or of its answer.
  func arguments(of number: UInt32) -> [UInt8] {
    let slot = slot(of: number)
    let count = Int(slot.argument_byte_count)
    if count <= Int(SLUICE_INLINE_ARGUMENT_BYTE_COUNT) {
      return unsafe withUnsafeBytes(of: slot.arguments) { unsafe Array($0[..<count]) }
    }
    require(count <= shape.argumentAreaByteCount, "arguments of \(count) bytes fit their area")
    let area = index(number) * shape.argumentAreaByteCount
    return unsafe Array(UnsafeRawBufferPointer(start: ioMapping.start + area, count: count))
  }

  // MARK: Any bytes

  /// Overwrites the control region, except its facts, as far as the bytes reach.
  func write(_ bytes: some Collection<UInt8>, control offset: Int) {
    let first = MemoryLayout<sluice_facts>.size
    let room = shape.controlByteCount - first
    let start = first + offset % room
    for (index, byte) in bytes.prefix(shape.controlByteCount - start).enumerated() {
      unsafe controlMapping.start.storeBytes(of: byte, toByteOffset: start + index, as: UInt8.self)
    }
  }

  /// Overwrites the I/O region, as far as the bytes reach.
  func write(_ bytes: some Collection<UInt8>, io offset: Int) {
    let start = offset % shape.ioByteCount
    for (index, byte) in bytes.prefix(shape.ioByteCount - start).enumerated() {
      unsafe ioMapping.start.storeBytes(of: byte, toByteOffset: start + index, as: UInt8.self)
    }
  }

  /// The word of the standing locks.
  var standing: UInt64 {
    get { unsafe header.pointee.standing.locks }
    set { unsafe header.pointee.standing.locks = newValue }
  }
}
