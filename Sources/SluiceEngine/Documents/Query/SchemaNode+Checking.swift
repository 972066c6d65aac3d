// What a schema node says of a value without looking at other places.

extension Schema {
  /// What an evaluation of a node knows of the value itself, without those that it needs.
  func reading(_ node: SchemaNode) -> PlaceTable.Reading {
    switch node {
    case .always, .never, .type, .range, .pattern, .reference: .kind
    case .oneOf(let constants): constants.composites.isEmpty ? .kind : .content
    case .properties, .tuple, .elements: .members
    case .all(let parts), .any(let parts):
      parts.contains { self[$0].isLeaf && reading(self[$0]) == .content } ? .content : .kind
    }
  }
}

extension SchemaNode {
  /// Of a leaf; nil if the meter ran out before it was known.
  func isSatisfied(by value: some QueryValue, _ meter: inout StepMeter) -> Bool? {
    guard meter.take(1) else { return nil }
    switch self {
    case .always: return true
    case .never: return false
    case .type(let types): return types.contains(typeOf: value)
    case .oneOf(let constants): return constants.contains(value, &meter)
    case .range(let range):
      guard value.kind == .number, case .number(let number)? = value.scalar else { return false }
      return range.contains(number)
    case .pattern(let pattern):
      guard value.kind == .string else { return false }
      guard meter.take(value.stepCount) else { return nil }
      guard case .string(let text)? = value.scalar else { return false }
      return pattern.matches(text.text, &meter)
    case .properties, .tuple, .elements, .all, .any, .reference:
      preconditionFailure("a node that needs others is no leaf")
    }
  }
}

extension TypeSet {
  fileprivate func contains(typeOf value: some QueryValue) -> Bool {
    switch value.kind {
    case .null: contains(.null)
    case .boolean: contains(.boolean)
    case .string: contains(.string)
    case .array: contains(.array)
    case .object: contains(.object)
    case .number:
      if contains(.number) {
        true
      } else if contains(.integer), case .number(let number)? = value.scalar {
        number.isInteger
      } else {
        false
      }
    }
  }
}
