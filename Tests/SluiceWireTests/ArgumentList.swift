// Whole lists of arguments, written and read through the real serializer.

import SluiceWire
import TestSupport

let bothOrders: [ByteOrder] = [.littleEndian, .bigEndian]

/// Writes the list into `room` bytes. The bytes behind them must not change.
func encode(
  _ arguments: [Argument], _ order: ByteOrder, room: Int = 70_000
) throws(WireError) -> [UInt8] {
  try unsafe withGuardedRoom(room) { (buffer) throws(WireError) in
    var writer = try unsafe ArgumentWriter(buffer, count: arguments.count, order: order)
    for argument in arguments { try argument.write(to: &writer) }
    return writer.byteCount
  }
}

/// Reads arguments of these types, then expects the end.
func decode(
  _ bytes: [UInt8], as types: [ArgumentType], _ order: ByteOrder
) throws(WireError) -> [Argument] {
  try unsafe withExactCopy(of: bytes) { (buffer) throws(WireError) in
    var reader = try unsafe ArgumentReader(buffer, order: order)
    var arguments: [Argument] = []
    for type in types { arguments.append(try Argument(type, from: &reader)) }
    try reader.finish()
    return arguments
  }
}

/// Gives `body` exactly `room` bytes to write. A guard behind them must not change.
func withGuardedRoom(
  _ room: Int, _ body: (UnsafeMutableRawBufferPointer) throws(WireError) -> Int
) throws(WireError) -> [UInt8] {
  let guardByteCount = 64
  let whole = UnsafeMutableRawBufferPointer.allocate(
    byteCount: room + guardByteCount, alignment: 1)
  defer { unsafe whole.deallocate() }
  for index in 0..<whole.count { unsafe whole[index] = 0xEE }
  defer {
    for index in room..<(room + guardByteCount) {
      precondition(unsafe whole[index] == 0xEE, "nothing is written beyond the room")
    }
  }
  let byteCount = try unsafe body(UnsafeMutableRawBufferPointer(rebasing: whole[..<room]))
  return unsafe Array(whole[..<byteCount])
}

/// Gives `body` the bytes in separate memory.
func withExactCopy<R>(
  of bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(WireError) -> R
) throws(WireError) -> R {
  let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
  defer { unsafe copy.deallocate() }
  unsafe copy.copyBytes(from: bytes)
  return try unsafe body(UnsafeRawBufferPointer(copy))
}

/// The error that `body` throws, or nil.
func wireError<R>(of body: () throws(WireError) -> R) -> WireError? {
  do throws(WireError) {
    _ = try body()
    return nil
  } catch {
    return error
  }
}
