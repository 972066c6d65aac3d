// The arguments of a request and the results of an answer, as the client writes and reads them.

internal import CSluice
internal import SluiceWire

extension ChannelRegions {
  /// Request `number`, ready for its slot. Its word still says that it is not handed over.
  @inline(__always)
  func request<M: Message>(
    _ operation: Operation, number: UInt32, file: UInt64, _ arguments: M, payloadOffset: Int,
    payloadByteCount: Int
  ) throws(WireError) -> sluice_slot {
    var slot = sluice_slot()
    slot.operation = operation.rawValue
    slot.sequence = sequence(before: number)
    slot.file = file
    slot.payload_offset = UInt32(payloadOffset)
    slot.payload_byte_count = UInt32(payloadByteCount)
    slot.argument_byte_count = UInt32(
      try writeArguments(arguments, into: &slot, slotIndex: slotIndex(of: number)))
    return slot
  }

  /// Short arguments go into the slot, long ones into its area. Returns their byte count.
  @inline(__always)
  private func writeArguments<M: Message>(
    _ request: M, into slot: inout sluice_slot, slotIndex: Int
  ) throws(WireError) -> Int {
    let area = unsafe argumentArea(slotIndex)
    return try unsafe withUnsafeMutableBytes(of: &slot.arguments) { (inline) throws(WireError) in
      do throws(WireError) {
        return try unsafe request.encode(into: inline, order: shape.byteOrder)
      } catch .tooLong {
        return try unsafe request.encode(into: area, order: shape.byteOrder)
      }
    }
  }

  /// The results in an answer. `slot` is a copy of the slot at `slotIndex`.
  @inline(__always)
  func readArguments<M: Message>(
    _ slot: sluice_slot, slotIndex: Int
  ) throws(WireError) -> M {
    let byteCount = Int(slot.argument_byte_count)
    if byteCount <= inlineArgumentByteCount {
      return try unsafe withUnsafeBytes(of: slot.arguments) { (inline) throws(WireError) in
        try unsafe M(
          decoding: UnsafeRawBufferPointer(rebasing: inline[..<byteCount]), order: shape.byteOrder)
      }
    }
    guard byteCount <= shape.argumentAreaByteCount else { throw .tooLong }
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 16)
    defer { unsafe copy.deallocate() }
    unsafe copy.copyMemory(
      from: UnsafeRawBufferPointer(rebasing: argumentArea(slotIndex)[..<byteCount]))
    return try unsafe M(decoding: UnsafeRawBufferPointer(copy), order: shape.byteOrder)
  }
}
