// The parameters of a statement, as the connection takes them from its callers.

internal import SluiceWire

/// One value for a statement. Its bytes are valid during the call.
@safe
public enum SQLParameter {
  case integer(Int64)
  case real(Double)
  /// UTF-8.
  case text(UnsafeRawBufferPointer)
  case blob(UnsafeRawBufferPointer)
  case null

  var byteCount: Int {
    switch self {
    case .text(let bytes), .blob(let bytes): bytes.count
    case .integer, .real, .null: 0
    }
  }
}

/// Gives a statement's parameters, in their order.
public protocol SQLParameterSource {
  var parameterCount: Int { get }
  /// Calls `body` with the parameter at `index`, from 0.
  func withParameter<R>(_ index: Int, _ body: (SQLParameter) -> R) -> R
}

/// No parameters.
public struct NoParameters: SQLParameterSource {
  public init() {}
  public var parameterCount: Int { 0 }
  public func withParameter<R>(_ index: Int, _ body: (SQLParameter) -> R) -> R { body(.null) }
}

extension SQLCellWriter {
  @inline(__always)
  mutating func parameter(_ parameter: SQLParameter) {
    switch parameter {
    case .integer(let value): integer(value)
    case .real(let value): real(value)
    case .text(let bytes): unsafe text(bytes)
    case .blob(let bytes): unsafe blob(bytes)
    case .null: null()
    }
  }
}
