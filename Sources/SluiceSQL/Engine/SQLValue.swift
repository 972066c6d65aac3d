// A value of SQL, as Swift programs have it.

internal import SluiceWire

public enum SQLValue: Hashable, Sendable {
  case integer(Int64)
  case real(Double)
  case text(String)
  case blob([UInt8])
  case null
}

extension SQLValue: ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
  ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByNilLiteral
{
  public init(integerLiteral value: Int64) { self = .integer(value) }
  public init(floatLiteral value: Double) { self = .real(value) }
  public init(stringLiteral value: String) { self = .text(value) }
  /// SQLite has no booleans: 1 or 0.
  public init(booleanLiteral value: Bool) { self = .integer(value ? 1 : 0) }
  public init(nilLiteral: ()) { self = .null }
}

extension SQLValue {
  public init(_ value: Int) { self = .integer(Int64(value)) }
  public init(_ value: Int64?) { self = value.map { .integer($0) } ?? .null }
  public init(_ value: Double?) { self = value.map { .real($0) } ?? .null }
  public init(_ value: String?) { self = value.map { .text($0) } ?? .null }
  public init(_ value: [UInt8]?) { self = value.map { .blob($0) } ?? .null }

  public var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
  public var real: Double? { if case .real(let value) = self { value } else { nil } }
  public var text: String? { if case .text(let value) = self { value } else { nil } }
  public var blob: [UInt8]? { if case .blob(let value) = self { value } else { nil } }
  public var isNull: Bool { self == .null }

  /// Copies a value out of its page. Bytes of a text that are no UTF-8 become U+FFFD.
  init(_ cell: SQLCell) {
    switch cell {
    case .integer(let value): self = .integer(value)
    case .real(let value): self = .real(value)
    case .text(let bytes): self = unsafe .text(String(decoding: bytes, as: UTF8.self))
    case .blob(let bytes): self = unsafe .blob([UInt8](bytes))
    case .null: self = .null
    case .farText, .farBlob: preconditionFailure("a cursor reads far values")
    }
  }
}

/// The values of one execution.
struct SQLValues: SQLParameterSource {
  let values: [SQLValue]

  var parameterCount: Int { values.count }

  func withParameter<R>(_ index: Int, _ body: (SQLParameter) -> R) -> R {
    switch values[index] {
    case .integer(let value): return body(.integer(value))
    case .real(let value): return body(.real(value))
    case .blob(let bytes): return unsafe bytes.withUnsafeBytes { unsafe body(.blob($0)) }
    case .null: return body(.null)
    case .text(var text):
      return text.withUTF8 { unsafe body(.text(UnsafeRawBufferPointer($0))) }
    }
  }
}
