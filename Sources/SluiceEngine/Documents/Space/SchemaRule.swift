// A subset of JSON Schema for invariants: type, const, enum, required, properties,
// additionalProperties, items, minimum, maximum, exclusiveMinimum, exclusiveMaximum, minItems,
// maxItems, minLength, maxLength, allOf, anyOf, not. A keyword that is not here is refused when the
// schema is declared, so nothing is ever taken for checked that was not.

internal import SluiceAutomerge

enum SchemaRule {
  private static let typeNames: Set = [
    "object", "array", "string", "number", "integer", "boolean", "null",
  ]

  /// Why a schema cannot be an invariant; nil if it can. Its depth is bounded by its parser.
  static func flaw(of schema: SpaceValue) -> String? {
    if schema.bool != nil { return nil }
    guard case .map(let members) = schema else { return "a schema is an object or a boolean" }
    for member in members {
      let value = member.value
      let isGood: Bool
      var parts: [SpaceValue] = []
      switch member.key {
      case "title", "description", "$comment": isGood = value.text != nil
      case "type":
        let names = value.text.map { [$0] } ?? value.texts ?? []
        isGood = !names.isEmpty && names.allSatisfy(typeNames.contains)
      case "const": isGood = isScalar(value)
      case "enum": isGood = value.list?.allSatisfy(isScalar) ?? false
      case "required": isGood = value.texts != nil
      case "properties":
        guard case .map(let properties) = value else { return "properties is an object" }
        parts = properties.map(\.value)
        isGood = true
      case "items", "additionalProperties", "not":
        parts = [value]
        isGood = true
      case "allOf", "anyOf":
        parts = value.list ?? []
        isGood = !parts.isEmpty
      case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum":
        isGood = number(value) != nil
      case "minItems", "maxItems", "minLength", "maxLength":
        isGood = value.integer.map { $0 >= 0 } ?? false
      default: return "the keyword \(member.key) is not known here"
      }
      guard isGood else { return "\(member.key) has a value that means nothing here" }
      for part in parts { if let flaw = flaw(of: part) { return flaw } }
    }
    return nil
  }

  private static func isScalar(_ value: SpaceValue) -> Bool {
    switch value {
    case .list, .map: false
    default: true
    }
  }

  private static func number(_ value: SpaceValue) -> Double? {
    switch value {
    case .integer(let number): Double(number)
    case .number(let number): number
    default: nil
    }
  }

  /// Throws unless the value satisfies the schema. It goes no deeper than the schema.
  static func check(
    _ value: Value, in view: View, _ schema: SpaceValue, _ budget: inout InvariantBudget
  ) throws(InvariantFailure) {
    try budget.spend()
    if let allowed = schema.bool {
      if !allowed { throw InvariantFailure(message: "a value stands where none may") }
      return
    }
    guard case .map(let members) = schema else {
      throw InvariantFailure(message: "the schema cannot be read")
    }
    for member in members {
      let argument = member.value
      switch member.key {
      case "type":
        let names = argument.text.map { [$0] } ?? argument.texts ?? []
        if !names.contains(where: { has(value, type: $0) }) {
          throw InvariantFailure(
            message: "a value is not of type \(names.joined(separator: " or "))")
        }
      case "const":
        if !equals(value, argument) {
          throw InvariantFailure(message: "a value is not \(argument.json)")
        }
      case "enum":
        if !(argument.list ?? []).contains(where: { equals(value, $0) }) {
          throw InvariantFailure(message: "a value is not one of \(argument.json)")
        }
      case "required", "properties", "additionalProperties":
        try checkObject(value, in: view, member, of: schema, &budget)
      case "items", "minItems", "maxItems": try checkList(value, in: view, member, &budget)
      case "minLength", "maxLength": try checkLength(value, in: view, member)
      case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum":
        try checkRange(value, member)
      case "allOf":
        for part in argument.list ?? [] { try check(value, in: view, part, &budget) }
      case "anyOf":
        guard try (argument.list ?? []).satisfiesAny(value, in: view, &budget) else {
          throw InvariantFailure(message: "a value satisfies none of anyOf")
        }
      case "not":
        if try [argument].satisfiesAny(value, in: view, &budget) {
          throw InvariantFailure(message: "a value satisfies what it must not")
        }
      default: continue
      }
    }
  }

  // MARK: Keywords

  private static func has(_ value: Value, type: String) -> Bool {
    switch value {
    case .object(let kind, _):
      switch kind {
      case .map, .table: type == "object"
      case .list: type == "array"
      case .text: type == "string"
      }
    case .scalar(let scalar):
      switch scalar {
      case .null: type == "null"
      case .bool: type == "boolean"
      case .text: type == "string"
      case .bytes, .unknown: type == "array"
      case .double(let number):
        number.isFinite
          ? type == "number" || type == "integer" && number.rounded() == number : type == "null"
      case .int, .uint, .counter, .timestamp: type == "number" || type == "integer"
      }
    }
  }

  private static func equals(_ value: Value, _ other: SpaceValue) -> Bool {
    guard case .scalar(let scalar) = value else { return false }
    switch other {
    case .null: return scalar == .null
    case .bool(let bool): return scalar == .bool(bool)
    case .text(let text): return value.string.map { $0.utf8.elementsEqual(text.utf8) } ?? false
    case .integer(let number):
      if case .int(let own) = scalar { return own == number }
      return value.number == Double(number)
    case .number(let number): return value.number == number
    case .list, .map: return false
    }
  }

  private static func checkObject(
    _ value: Value, in view: View, _ member: SpaceValue.Member, of schema: SpaceValue,
    _ budget: inout InvariantBudget
  ) throws(InvariantFailure) {
    guard case .object(let kind, let object) = value, !kind.isSequence else { return }
    switch member.key {
    case "required":
      for key in member.value.texts ?? [] {
        try budget.spend()
        if view.child(key, of: object) == nil {
          throw InvariantFailure(message: "\(key) is missing")
        }
      }
    case "properties":
      guard case .map(let properties) = member.value else { return }
      for property in properties {
        guard let child = view.child(property.key, of: object) else { continue }
        do throws(InvariantFailure) { try check(child, in: view, property.value, &budget) } catch {
          throw InvariantFailure(message: "\(property.key): \(error.message)")
        }
      }
    default:
      var listed: Set<String> = []
      if case .map(let properties) = schema["properties"] { listed = Set(properties.map(\.key)) }
      guard let own = try? view.properties(of: object) else { return }
      try budget.spend(own.count)
      for (key, entry) in own where !listed.contains(key) {
        do throws(InvariantFailure) {
          try check(entry.value, in: view, member.value, &budget)
        } catch {
          throw InvariantFailure(message: "\(key): \(error.message)")
        }
      }
    }
  }

  private static func checkList(
    _ value: Value, in view: View, _ member: SpaceValue.Member, _ budget: inout InvariantBudget
  ) throws(InvariantFailure) {
    guard case .object(.list, let object) = value else { return }
    let count = (try? view.count(of: object)) ?? 0
    switch member.key {
    case "minItems":
      if count < member.value.integer ?? 0 {
        throw InvariantFailure(message: "a list is too short")
      }
    case "maxItems":
      if count > member.value.integer ?? 0 { throw InvariantFailure(message: "a list is too long") }
    default:
      try budget.spend(count)
      guard let elements = try? view.elements(of: object) else { return }
      for (_, entry) in elements { try check(entry.value, in: view, member.value, &budget) }
    }
  }

  private static func checkLength(
    _ value: Value, in view: View, _ member: SpaceValue.Member
  ) throws(InvariantFailure) {
    let count: Int
    if let string = value.string {
      count = string.unicodeScalars.count
    } else if case .object(.text, let object) = value {
      count = (try? view.count(of: object)) ?? 0
    } else {
      return
    }
    let bound = member.value.integer ?? 0
    if member.key == "minLength" ? count < bound : count > bound {
      throw InvariantFailure(
        message: "a text is too \(member.key == "minLength" ? "short" : "long")")
    }
  }

  private static func checkRange(
    _ value: Value, _ member: SpaceValue.Member
  ) throws(InvariantFailure) {
    guard let own = value.number, let bound = number(member.value) else { return }
    let isGood =
      switch member.key {
      case "minimum": own >= bound
      case "maximum": own <= bound
      case "exclusiveMinimum": own > bound
      default: own < bound
      }
    if !isGood { throw InvariantFailure(message: "\(own) breaks \(member.key) \(bound)") }
  }
}

extension [SpaceValue] {
  /// Whether the value satisfies one of these schemas. An exhausted budget is no answer.
  fileprivate func satisfiesAny(
    _ value: Value, in view: View, _ budget: inout InvariantBudget
  ) throws(InvariantFailure) -> Bool {
    for schema in self {
      do throws(InvariantFailure) {
        try SchemaRule.check(value, in: view, schema, &budget)
        return true
      } catch {
        // Throws again if that was why.
        try budget.spend()
      }
    }
    return false
  }
}

extension View {
  fileprivate func child(_ key: String, of object: ObjectID) -> Value? {
    (try? value(forKey: key, in: object)) ?? nil
  }
}
