// What the content of entities must look like: of JSON Schema the words type, required, properties,
// additionalProperties and enum. Other words say nothing here. Pure.

struct ContentSchema: Equatable {
  private let root: Node

  private struct Node: Equatable {
    var types: [String]?
    var required: [String] = []
    var properties: [String: Node] = [:]
    /// One or none: a struct cannot have itself.
    var additional: [Node] = []
    var forbidsAdditional = false
    var choices: [JSONTree]?
  }

  struct Malformed: Error {
    let text: String
  }

  private static let types: Set = [
    "object", "array", "string", "number", "integer", "boolean", "null",
  ]

  init(_ definition: JSONTree) throws(Malformed) {
    root = try Self.node(definition, at: "the schema")
  }

  private static func node(_ tree: JSONTree, at place: String) throws(Malformed) -> Node {
    guard case .object(let words) = tree else {
      throw Malformed(text: "\(place) is no JSON object")
    }
    var node = Node()
    if let type = words["type"] { node.types = try types(type, at: place) }
    if let required = words["required"] {
      guard case .array(let names) = required else {
        throw Malformed(text: "\(place): required is no array")
      }
      for name in names {
        guard case .string(let name) = name else {
          throw Malformed(text: "\(place): required has something that is no text")
        }
        node.required.append(name)
      }
    }
    if let properties = words["properties"] {
      guard case .object(let members) = properties else {
        throw Malformed(text: "\(place): properties is no object")
      }
      for (name, member) in members {
        node.properties[name] = try Self.node(member, at: "\(place), property '\(name)'")
      }
    }
    switch words["additionalProperties"] {
    case nil, .bool(true)?: break
    case .bool(false)?: node.forbidsAdditional = true
    case let other?: node.additional = [try Self.node(other, at: "\(place), additionalProperties")]
    }
    if let choices = words["enum"] {
      guard case .array(let values) = choices else {
        throw Malformed(text: "\(place): enum is no array")
      }
      node.choices = values
    }
    return node
  }

  private static func types(_ tree: JSONTree, at place: String) throws(Malformed) -> [String] {
    let names: [JSONTree] =
      switch tree {
      case .array(let names): names
      default: [tree]
      }
    var types: [String] = []
    for name in names {
      guard case .string(let name) = name, Self.types.contains(name) else {
        throw Malformed(
          text: "\(place): type is none of \(Self.types.sorted().joined(separator: ", "))")
      }
      types.append(name)
    }
    return types
  }

  /// What is wrong with a content, and with which property; nil if nothing is.
  func fault(in content: JSONTree) -> String? { Self.fault(in: content, root, at: "the content") }

  private static func fault(in value: JSONTree, _ node: Node, at place: String) -> String? {
    if let types = node.types, !types.contains(where: { isOf($0, value) }) {
      return "\(place) is of type \(value.typeName), not \(types.joined(separator: " or "))"
    }
    if let choices = node.choices, !choices.contains(where: { isEqual($0, value) }) {
      return "\(place) is none of the values that the schema allows"
    }
    guard case .object(let members) = value else { return nil }
    for name in node.required where members[name] == nil {
      return "\(place) lacks the property '\(name)'"
    }
    for (name, member) in members.sorted(by: { $0.key < $1.key }) {
      let inner = "property '\(name)'"
      if let property = node.properties[name] {
        if let fault = fault(in: member, property, at: inner) { return fault }
      } else if node.forbidsAdditional {
        return "\(place) has the property '\(name)', which the schema does not know"
      } else if let additional = node.additional.first,
        let fault = fault(in: member, additional, at: inner)
      {
        return fault
      }
    }
    return nil
  }

  private static func isOf(_ type: String, _ value: JSONTree) -> Bool {
    if type == "integer", case .number(_, let isInteger) = value { return isInteger }
    return value.typeName == type
  }

  /// Numbers are equal by value.
  private static func isEqual(_ one: JSONTree, _ other: JSONTree) -> Bool {
    switch (one, other) {
    case (.number(let a, _), .number(let b, _)): a == b
    case (.array(let a), .array(let b)):
      a.count == b.count && zip(a, b).allSatisfy { isEqual($0, $1) }
    case (.object(let a), .object(let b)):
      a.count == b.count
        && a.allSatisfy { (name, value) in b[name].map { isEqual(value, $0) } ?? false }
    default: one == other
    }
  }
}
