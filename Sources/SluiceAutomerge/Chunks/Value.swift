// What stands at a key or element.

/// A value at a key or element: a scalar, or an object to look into.
public enum Value: Hashable, Sendable {
  /// A value without parts.
  case scalar(ScalarValue)
  /// An object, to be read by its id.
  case object(ObjectKind, ObjectID)

  /// The object's id; nil for a scalar.
  public var objectID: ObjectID? {
    if case .object(_, let object) = self { return object }
    return nil
  }

  /// The text of a scalar that is one; nil for all others, texts that are objects included.
  public var string: String? {
    if case .scalar(.text(let text)) = self { return text }
    return nil
  }
}

extension Value: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral
{
  /// A scalar text.
  public init(stringLiteral value: String) { self = .scalar(.text(value)) }
  /// A signed number.
  public init(integerLiteral value: Int64) { self = .scalar(.int(value)) }
  /// A floating-point number.
  public init(floatLiteral value: Double) { self = .scalar(.double(value)) }
  /// True or false.
  public init(booleanLiteral value: Bool) { self = .scalar(.bool(value)) }
}
