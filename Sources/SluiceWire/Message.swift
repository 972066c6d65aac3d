// A message declares its fields once. Three coders use this one declaration to count, write and
// read them.

/// The arguments of a request or a reply.
public protocol Message: Equatable, Sendable {
  init()
  /// Passes every field, in the order of the wire, to the coder.
  mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(WireError)
}

public protocol FieldCoder {
  mutating func bigint(_ field: inout Int64) throws(WireError)
  mutating func unsigned(_ field: inout UInt64) throws(WireError)
  mutating func boolean(_ field: inout Bool) throws(WireError)
  mutating func bytes(_ field: inout [UInt8]) throws(WireError)
  /// `nil` is null on the wire.
  mutating func optionalBytes(_ field: inout [UInt8]?) throws(WireError)
}

extension FieldCoder {
  /// An enumeration is its raw value on the wire. An unknown value is refused.
  @inline(__always)
  mutating func choice<T: RawRepresentable>(_ field: inout T) throws(WireError)
  where T.RawValue == UInt64 {
    var raw = field.rawValue
    try unsigned(&raw)
    guard let value = T(rawValue: raw) else { throw .outOfRange }
    field = value
  }
}

extension Message {
  /// Whether the message has any field.
  @inline(__always)
  public static var hasFields: Bool {
    var message = Self()
    var counter = FieldCounter()
    do throws(WireError) { try message.code(&counter) } catch { return true }
    return counter.count > 0
  }

  /// Writes the message and returns its byte count.
  @inline(__always)
  public func encode(
    into buffer: UnsafeMutableRawBufferPointer, order: ByteOrder
  ) throws(WireError) -> Int {
    var message = self
    var counter = FieldCounter()
    try message.code(&counter)
    var writer = unsafe FieldWriter(
      arguments: try ArgumentWriter(buffer, count: counter.count, order: order))
    try message.code(&writer)
    return writer.arguments.byteCount
  }

  /// Reads a message from bytes that hold this message and nothing more. The bytes must not change
  /// meanwhile, so copy them out of shared memory first.
  @inline(__always)
  public init(decoding buffer: UnsafeRawBufferPointer, order: ByteOrder) throws(WireError) {
    self.init()
    var counter = FieldCounter()
    try code(&counter)
    var reader = unsafe FieldReader(arguments: try ArgumentReader(buffer, order: order))
    guard reader.arguments.count == counter.count else { throw .wrongCount }
    try code(&reader)
    try reader.arguments.finish()
  }
}

private struct FieldCounter: FieldCoder {
  var count = 0
  mutating func bigint(_: inout Int64) { count += 1 }
  mutating func unsigned(_: inout UInt64) { count += 1 }
  mutating func boolean(_: inout Bool) { count += 1 }
  mutating func bytes(_: inout [UInt8]) { count += 1 }
  mutating func optionalBytes(_: inout [UInt8]?) { count += 1 }
}

private struct FieldWriter: FieldCoder {
  var arguments: ArgumentWriter

  mutating func bigint(_ field: inout Int64) throws(WireError) { try arguments.bigint(field) }
  mutating func unsigned(_ field: inout UInt64) throws(WireError) { try arguments.unsigned(field) }
  mutating func boolean(_ field: inout Bool) throws(WireError) { try arguments.boolean(field) }
  mutating func bytes(_ field: inout [UInt8]) throws(WireError) { try arguments.bytes(field) }
  mutating func optionalBytes(_ field: inout [UInt8]?) throws(WireError) {
    if let field { try arguments.bytes(field) } else { try arguments.null() }
  }
}

private struct FieldReader: FieldCoder {
  var arguments: ArgumentReader

  mutating func bigint(_ field: inout Int64) throws(WireError) { field = try arguments.bigint() }
  mutating func unsigned(_ field: inout UInt64) throws(WireError) {
    field = try arguments.unsigned()
  }
  mutating func boolean(_ field: inout Bool) throws(WireError) { field = try arguments.boolean() }
  mutating func bytes(_ field: inout [UInt8]) throws(WireError) { field = try arguments.bytes() }
  mutating func optionalBytes(_ field: inout [UInt8]?) throws(WireError) {
    if try arguments.nextType() == .null {
      try arguments.null()
      field = nil
    } else {
      field = try arguments.bytes()
    }
  }
}
