// One argument as a test holds it, and whole lists written and read through the real serializer.

import SluiceWire

enum Argument: Equatable, Sendable {
  /// The bits, so that -0 and NaN compare as what they are.
  case number(bitPattern: UInt64)
  case bigint(Int64)
  case boolean(Bool)
  case string([UInt8])
  case null
  case bytes([UInt8])
  case unsigned(UInt64)

  var type: ArgumentType {
    switch self {
    case .number: .number
    case .bigint: .bigint
    case .boolean: .boolean
    case .string: .string
    case .null: .null
    case .bytes: .bytes
    case .unsigned: .unsigned
    }
  }
}

let bothOrders: [ByteOrder] = [.littleEndian, .bigEndian]

/// Writes the list into `room` bytes. What stands behind them must stay as it was.
func encode(
  _ arguments: [Argument], _ order: ByteOrder, room: Int = 70_000
) throws(WireError) -> [UInt8] {
  try unsafe withGuardedRoom(room) { (buffer) throws(WireError) in
    var writer = try unsafe ArgumentWriter(buffer, count: arguments.count, order: order)
    for argument in arguments {
      switch argument {
      case .number(let bits): try writer.number(Double(bitPattern: bits))
      case .bigint(let value): try writer.bigint(value)
      case .boolean(let value): try writer.boolean(value)
      case .string(let value): try writer.string(value)
      case .null: try writer.null()
      case .bytes(let value): try writer.bytes(value)
      case .unsigned(let value): try writer.unsigned(value)
      }
    }
    return writer.byteCount
  }
}

/// Reads arguments of these types, then the end.
func decode(
  _ bytes: [UInt8], as types: [ArgumentType], _ order: ByteOrder
) throws(WireError) -> [Argument] {
  try unsafe withExactCopy(of: bytes) { (buffer) throws(WireError) in
    var reader = try unsafe ArgumentReader(buffer, order: order)
    var arguments: [Argument] = []
    for type in types {
      switch type {
      case .number: arguments.append(.number(bitPattern: try reader.number().bitPattern))
      case .bigint: arguments.append(.bigint(try reader.bigint()))
      case .boolean: arguments.append(.boolean(try reader.boolean()))
      case .string: arguments.append(.string(try reader.string()))
      case .null:
        try reader.null()
        arguments.append(.null)
      case .bytes: arguments.append(.bytes(try reader.bytes()))
      case .unsigned: arguments.append(.unsigned(try reader.unsigned()))
      }
    }
    try reader.finish()
    return arguments
  }
}

/// Gives `body` exactly `room` bytes to write, with a guard behind that nobody may touch.
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

/// Gives `body` the bytes in memory of their own.
func withExactCopy<R>(
  of bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(WireError) -> R
) throws(WireError) -> R {
  let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
  defer { unsafe copy.deallocate() }
  unsafe copy.copyBytes(from: bytes)
  return try unsafe body(UnsafeRawBufferPointer(copy))
}

/// What `body` throws, or nil.
func wireError<R>(of body: () throws(WireError) -> R) -> WireError? {
  do throws(WireError) {
    _ = try body()
    return nil
  } catch {
    return error
  }
}
