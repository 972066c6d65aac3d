// Values that are no objects, with the types that the format distinguishes.

/// A value at a key or element that is no object.
///
/// Equal texts are compared as Swift does; the format itself compares bytes.
public enum ScalarValue: Hashable, Sendable {
  /// No value, at a key that is there.
  case null
  /// True or false.
  case bool(Bool)
  /// A whole number.
  case int(Int64)
  /// A whole number that is not negative, written as such.
  case uint(UInt64)
  /// A floating-point number; its bits are kept.
  case double(Double)
  /// A string that writers replace as a whole. What is edited together is an object of kind `text`.
  case text(String)
  /// Any bytes.
  case bytes([UInt8])
  /// Together with its increments, where it is read from a document.
  case counter(Int64)
  /// Milliseconds since 1970 began.
  case timestamp(Int64)
  /// A type that this version of the format does not explain: its code from 10 to 15, and its bytes.
  case unknown(code: UInt8, bytes: [UInt8])
}

extension ScalarValue {
  /// A value whose bytes were checked when they were admitted.
  init(code: UInt8, _ source: [UInt8], _ range: Range<Int>) {
    switch code {
    case ValueCode.null: self = .null
    case ValueCode.no: self = .bool(false)
    case ValueCode.yes: self = .bool(true)
    case ValueCode.unsigned: self = .uint(checkedUnsigned(source, range))
    case ValueCode.signed: self = .int(checkedSigned(source, range))
    case ValueCode.float:
      let bits = source[range].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      self = .double(Double(bitPattern: bits))
    case ValueCode.text: self = .text(String(decoding: source[range], as: UTF8.self))
    case ValueCode.bytes: self = .bytes(Array(source[range]))
    case ValueCode.counter: self = .counter(checkedSigned(source, range))
    case ValueCode.timestamp: self = .timestamp(checkedSigned(source, range))
    default: self = .unknown(code: code, bytes: Array(source[range]))
    }
  }

  /// The code, after the bytes were appended. Nil for an unknown value whose code is known.
  func append(to bytes: inout [UInt8]) -> UInt8? {
    switch self {
    case .null: return ValueCode.null
    case .bool(let value): return value ? ValueCode.yes : ValueCode.no
    case .int(let value):
      bytes.append(signed: value)
      return ValueCode.signed
    case .uint(let value):
      bytes.append(unsigned: value)
      return ValueCode.unsigned
    case .double(let value):
      for shift in stride(from: UInt64(0), to: 64, by: 8) {
        bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> shift))
      }
      return ValueCode.float
    case .text(let value):
      bytes.append(contentsOf: value.utf8)
      return ValueCode.text
    case .bytes(let value):
      bytes.append(contentsOf: value)
      return ValueCode.bytes
    case .counter(let value):
      bytes.append(signed: value)
      return ValueCode.counter
    case .timestamp(let value):
      bytes.append(signed: value)
      return ValueCode.timestamp
    case .unknown(let code, let value):
      guard (10...15).contains(code) else { return nil }
      bytes.append(contentsOf: value)
      return code
    }
  }
}

extension ScalarValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral
{
  /// A text.
  public init(stringLiteral value: String) { self = .text(value) }
  /// A signed number.
  public init(integerLiteral value: Int64) { self = .int(value) }
  /// A floating-point number.
  public init(floatLiteral value: Double) { self = .double(value) }
  /// True or false.
  public init(booleanLiteral value: Bool) { self = .bool(value) }
}
