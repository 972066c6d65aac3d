// Random documents that are linked with each other, random schemas for them, and random commits.

@testable import SluiceEngine

struct RandomScenario {
  static let names = ["A", "B", "C", "D", "E"]
  private static let keys = ["p", "q", "r", "l"]

  var random: any RandomNumberGenerator
  var roots: [String: TestValue] = [:]

  init(_ random: any RandomNumberGenerator) {
    self.random = random
    for name in Self.names where !chance(1, of: 8) { roots[name] = root() }
  }

  mutating func chance(_ part: Int, of whole: Int) -> Bool {
    Int.random(in: 0..<whole, using: &random) < part
  }

  private mutating func pick<T>(_ list: [T]) -> T {
    list[Int.random(in: 0..<list.count, using: &random)]
  }

  // MARK: Values and paths

  private mutating func root() -> TestValue {
    if chance(1, of: 8) { return value(depth: 3) }
    var members: [String: TestValue] = [:]
    for key in Self.keys where chance(3, of: 4) { members[key] = value(depth: 2) }
    return .object(members)
  }

  mutating func value(depth: Int) -> TestValue {
    if chance(3, of: 10) { return .link(pick(Self.names), path()) }
    guard depth > 0, chance(3, of: 4) else {
      return pick([
        .null, .boolean(true), .number(1), .number(0.5), .number(-3), .string("a"), .string(""),
        .array([]), .object([:]),
      ])
    }
    if chance(1, of: 3) {
      return .array(
        (0..<Int.random(in: 0...3, using: &random)).map { _ in value(depth: depth - 1) })
    }
    var members: [String: TestValue] = [:]
    for key in Self.keys where chance(1, of: 2) { members[key] = value(depth: depth - 1) }
    return .object(members)
  }

  mutating func path() -> [String] {
    (0..<pick([0, 0, 0, 1, 1, 2, 3])).map { _ in pick(Self.keys + ["0", "1", "/"]) }
  }

  // MARK: Schemas

  /// With definitions that may refer to each other.
  mutating func schema() -> TestValue {
    let definitions = TestValue.object(["X": part(depth: 2), "Y": part(depth: 2)])
    var keywords: [String: TestValue] = ["$defs": definitions]
    if case .object(let others) = part(depth: 3) { keywords.merge(others) { old, _ in old } }
    return .object(keywords)
  }

  /// Often with a way out, because otherwise nearly nothing would be Yes.
  private mutating func part(depth: Int) -> TestValue {
    let part = strictPart(depth: depth)
    if chance(1, of: 3) { return part }
    let others = pick([
      ["string", "number"], ["array", "null", "boolean"], ["integer", "object"],
    ])
    let wayOut = TestValue.object(["type": .array(others.map { .string($0) })])
    return .object(["anyOf": .array(chance(1, of: 4) ? [wayOut, part] : [part, wayOut])])
  }

  private mutating func strictPart(depth: Int) -> TestValue {
    if chance(1, of: 4) {
      return .object(["$ref": .string(pick(["#/$defs/X", "#/$defs/Y", "#"]))])
    }
    if chance(1, of: 6), let root = roots[pick(Self.names)] {
      // What stands somewhere, and may be changed within.
      return .object(["const": root[pick(root.paths)[...]]!])
    }
    guard depth > 0 else {
      return pick([
        .boolean(true), .boolean(true), .object([:]), .object([:]), .object([:]), .boolean(false),
        .object(["type": .string(pick(["number", "string", "object", "array", "integer"]))]),
        .object(["const": pick([.number(1), .object([:]), .array([.number(1)])])]),
        .object(["enum": .array([.string("a"), .number(1), .null])]),
        .object(["minimum": .number(0)]),
      ])
    }
    var keywords: [String: TestValue] = [:]
    if chance(1, of: 2) {
      var properties: [String: TestValue] = [:]
      for key in Self.keys where chance(1, of: 2) { properties[key] = part(depth: depth - 1) }
      keywords["properties"] = .object(properties)
      if chance(1, of: 3) { keywords["type"] = .string("object") }
      if chance(1, of: 5) { keywords["required"] = .array([.string(pick(Self.keys))]) }
      if chance(1, of: 3) { keywords["additionalProperties"] = part(depth: depth - 1) }
    }
    if chance(1, of: 6) { keywords["items"] = part(depth: depth - 1) }
    if chance(1, of: 12) {
      keywords["items"] = .array([part(depth: depth - 1), part(depth: depth - 1)])
    }
    for keyword in ["allOf", "anyOf", "anyOf"] where chance(1, of: 4) {
      let count = Int.random(in: 1...3, using: &random)
      keywords[keyword] = .array((0..<count).map { _ in part(depth: depth - 1) })
    }
    return .object(keywords)
  }

  // MARK: Commits

  /// Changes documents, and says what changed.
  mutating func commit() -> [DocumentDelta] {
    let count = Int.random(in: 1...3, using: &random)
    return (0..<count).map { _ in edit() }
  }

  private mutating func edit() -> DocumentDelta {
    let name = pick(Self.names)
    guard var root = roots[name], !chance(1, of: 8) else {
      roots[name] = chance(1, of: 4) ? nil : root()
      return DocumentDelta(document: name, changed: [[]])
    }
    defer { roots[name] = root }
    let path = pick(root.paths)
    let value = value(depth: Int.random(in: 0...2, using: &random))
    switch root[path[...]] {
    case .object? where chance(1, of: 2):
      let member = path + [pick(Self.keys)]
      root[member[...]] = value
      return DocumentDelta(document: name, changed: [member])
    case .array(let elements)? where chance(2, of: 3):
      var elements = elements
      let index = Int.random(in: 0...elements.count, using: &random)
      if chance(1, of: 2) || index == elements.count {
        elements.insert(value, at: index)
      } else {
        elements.remove(at: index)
      }
      root[path[...]] = .array(elements)
      return DocumentDelta(document: name, changed: [path])
    default: break
    }
    guard !path.isEmpty, chance(1, of: 3), case .object? = root[path.dropLast()] else {
      root[path[...]] = value
      return DocumentDelta(document: name, changed: [path])
    }
    root[path[...]] = nil
    return DocumentDelta(document: name, removed: [path])
  }
}
