// One argument as a test or a fuzzer holds it, written and read by the real serializer.

import SluiceWire

public enum Argument: Equatable, Sendable {
  /// The bits, so that -0 and NaN compare as what they are.
  case number(bitPattern: UInt64)
  case bigint(Int64)
  case boolean(Bool)
  case string([UInt8])
  case null
  case bytes([UInt8])
  case unsigned(UInt64)

  /// Reads an argument of that type.
  public init(_ type: ArgumentType, from reader: inout ArgumentReader) throws(WireError) {
    switch type {
    case .number: self = .number(bitPattern: try reader.number().bitPattern)
    case .bigint: self = .bigint(try reader.bigint())
    case .boolean: self = .boolean(try reader.boolean())
    case .string: self = .string(try reader.string())
    case .null:
      try reader.null()
      self = .null
    case .bytes: self = .bytes(try reader.bytes())
    case .unsigned: self = .unsigned(try reader.unsigned())
    }
  }

  public func write(to writer: inout ArgumentWriter) throws(WireError) {
    switch self {
    case .number(let bits): try writer.number(Double(bitPattern: bits))
    case .bigint(let value): try writer.bigint(value)
    case .boolean(let value): try writer.boolean(value)
    case .string(let value): try writer.string(value)
    case .null: try writer.null()
    case .bytes(let value): try writer.bytes(value)
    case .unsigned(let value): try writer.unsigned(value)
    }
  }

  public var type: ArgumentType {
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
