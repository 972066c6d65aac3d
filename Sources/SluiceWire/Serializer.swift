// The serializer of sqlite-wasm's OPFS proxy, byte for byte, with our own types from 16 up.
//
//   count: 1 byte | type: 1 byte × count | values, packed without padding
//
//   1 number   f64             16 null      nothing
//   2 bigint   i64             17 bytes     i32 byte length, then the bytes
//   3 boolean  i32 (1 or 0)    18 unsigned  u64
//   4 string   i32 byte length, then UTF-8
//
// The original checks no bounds and lets the count wrap at 256. Here both directions check
// everything. The byte order is the one in the regions' facts (the original's builds write
// big-endian). Protocol/vectors/serializer.json has bytes that the original wrote.

public enum ArgumentType: UInt8, CaseIterable, Sendable {
  case number = 1
  case bigint = 2
  case boolean = 3
  case string = 4
  case null = 16
  case bytes = 17
  case unsigned = 18
}

public enum ByteOrder: Sendable {
  case littleEndian, bigEndian

  @inline(__always)
  func wire<T: FixedWidthInteger>(_ value: T) -> T {
    switch self {
    case .littleEndian: value.littleEndian
    case .bigEndian: value.bigEndian
    }
  }
}

/// Writes one list of arguments into memory that the caller provides.
@safe
public struct ArgumentWriter {
  private let buffer: UnsafeMutableRawBufferPointer
  private let order: ByteOrder
  private let count: Int
  private var index = 0
  private var position: Int

  /// Starts a list of exactly `count` arguments.
  public init(
    _ buffer: UnsafeMutableRawBufferPointer, count: Int, order: ByteOrder
  ) throws(WireError) {
    guard count <= 255, 1 + count <= buffer.count else { throw .tooLong }
    unsafe self.buffer = unsafe buffer
    self.order = order
    self.count = count
    position = 1 + count
    unsafe buffer[0] = UInt8(count)
  }

  /// How many bytes were written. To be read after all arguments were written.
  public var byteCount: Int {
    precondition(index == count, "as many arguments as announced")
    return position
  }

  public mutating func number(_ value: Double) throws(WireError) {
    try put(.number, value.bitPattern)
  }

  public mutating func bigint(_ value: Int64) throws(WireError) { try put(.bigint, value) }

  public mutating func boolean(_ value: Bool) throws(WireError) {
    try put(.boolean, Int32(value ? 1 : 0))
  }

  public mutating func unsigned(_ value: UInt64) throws(WireError) { try put(.unsigned, value) }

  public mutating func null() throws(WireError) { try announce(.null, byteCount: 0) }

  public mutating func string(_ utf8: [UInt8]) throws(WireError) {
    guard isValidUTF8(utf8) else { throw .invalidUTF8 }
    try sequence(.string, utf8)
  }

  public mutating func bytes(_ value: [UInt8]) throws(WireError) { try sequence(.bytes, value) }

  private mutating func announce(_ type: ArgumentType, byteCount: Int) throws(WireError) {
    precondition(index < count, "as many arguments as announced")
    guard unsafe byteCount <= buffer.count - position else { throw .tooLong }
    unsafe buffer[1 + index] = type.rawValue
    index += 1
  }

  private mutating func put<T: FixedWidthInteger>(
    _ type: ArgumentType, _ value: T
  ) throws(WireError) {
    try announce(type, byteCount: MemoryLayout<T>.size)
    store(value)
  }

  private mutating func store<T: FixedWidthInteger>(_ value: T) {
    unsafe buffer.storeBytes(of: order.wire(value), toByteOffset: position, as: T.self)
    position += MemoryLayout<T>.size
  }

  private mutating func sequence(_ type: ArgumentType, _ value: [UInt8]) throws(WireError) {
    guard let length = Int32(exactly: value.count) else { throw .tooLong }
    try announce(type, byteCount: 4 + value.count)
    store(length)
    unsafe value.withUnsafeBytes { source in
      unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[position...]).copyMemory(from: source)
    }
    position += value.count
  }
}

/// Reads one list of arguments from memory that the peer cannot change.
@safe
public struct ArgumentReader {
  private let buffer: UnsafeRawBufferPointer
  private let order: ByteOrder
  public let count: Int
  private var index = 0
  private var position: Int

  public init(_ buffer: UnsafeRawBufferPointer, order: ByteOrder) throws(WireError) {
    guard buffer.count >= 1 else { throw .truncated }
    count = unsafe Int(buffer[0])
    guard buffer.count >= 1 + count else { throw .truncated }
    unsafe self.buffer = unsafe buffer
    self.order = order
    position = 1 + count
  }

  /// The type of the next argument.
  public func nextType() throws(WireError) -> ArgumentType {
    guard index < count else { throw .wrongCount }
    guard let type = unsafe ArgumentType(rawValue: buffer[1 + index]) else { throw .unknownType }
    return type
  }

  public mutating func number() throws(WireError) -> Double {
    Double(bitPattern: try get(.number))
  }

  public mutating func bigint() throws(WireError) -> Int64 { try get(.bigint) }

  /// As in the original, any value but zero is true.
  public mutating func boolean() throws(WireError) -> Bool {
    let value: Int32 = try get(.boolean)
    return value != 0
  }

  public mutating func unsigned() throws(WireError) -> UInt64 { try get(.unsigned) }

  public mutating func null() throws(WireError) { try expect(.null) }

  public mutating func string() throws(WireError) -> [UInt8] {
    let utf8 = try sequence(.string)
    guard isValidUTF8(utf8) else { throw .invalidUTF8 }
    return utf8
  }

  public mutating func bytes() throws(WireError) -> [UInt8] { try sequence(.bytes) }

  /// Ends the reading. Throws if bytes or arguments are left.
  public func finish() throws(WireError) {
    guard index == count else { throw .wrongCount }
    guard unsafe position == buffer.count else { throw .trailingBytes }
  }

  private mutating func expect(_ type: ArgumentType) throws(WireError) {
    guard try nextType() == type else { throw .wrongType }
    index += 1
  }

  private mutating func get<T: FixedWidthInteger>(_ type: ArgumentType) throws(WireError) -> T {
    try expect(type)
    return try load()
  }

  private mutating func load<T: FixedWidthInteger>() throws(WireError) -> T {
    guard unsafe buffer.count - position >= MemoryLayout<T>.size else { throw .truncated }
    let value = unsafe buffer.loadUnaligned(fromByteOffset: position, as: T.self)
    position += MemoryLayout<T>.size
    return order.wire(value)
  }

  private mutating func sequence(_ type: ArgumentType) throws(WireError) -> [UInt8] {
    try expect(type)
    let length: Int32 = try load()
    guard length >= 0 else { throw .outOfRange }
    guard unsafe buffer.count - position >= Int(length) else { throw .truncated }
    let end = position + Int(length)
    defer { position = end }
    return unsafe [UInt8](UnsafeRawBufferPointer(rebasing: buffer[position..<end]))
  }
}

/// Whether the bytes are well-formed UTF-8 (Unicode 15, table 3-7). The standard library's decoder
/// would bring its Unicode tables into the client library.
func isValidUTF8(_ bytes: [UInt8]) -> Bool {
  var index = 0
  while index < bytes.count {
    let lead = bytes[index]
    index += 1
    let tailCount: Int
    var second: ClosedRange<UInt8> = 0x80...0xBF
    switch lead {
    case 0x00...0x7F: continue
    case 0xC2...0xDF: tailCount = 1
    case 0xE0: (tailCount, second) = (2, 0xA0...0xBF)
    case 0xE1...0xEC, 0xEE...0xEF: tailCount = 2
    case 0xED: (tailCount, second) = (2, 0x80...0x9F)
    case 0xF0: (tailCount, second) = (3, 0x90...0xBF)
    case 0xF1...0xF3: tailCount = 3
    case 0xF4: (tailCount, second) = (3, 0x80...0x8F)
    default: return false
    }
    guard bytes.count - index >= tailCount, second.contains(bytes[index]) else { return false }
    for tail in bytes[(index + 1)..<(index + tailCount)] where !(0x80...0xBF).contains(tail) {
      return false
    }
    index += tailCount
  }
  return true
}
