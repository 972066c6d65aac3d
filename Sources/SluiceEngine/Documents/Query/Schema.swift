// The compiled form of a schema: nodes that know each other by number. Equal nodes are one node, by
// their content and not by a hash. Nodes may reach themselves (`$ref`), always through other nodes.
//
// A schema is a subset of JSON Schema; see Protocol/DOCUMENTS-QUERIES.md.

/// A compiled schema.
struct Schema: Sendable {
  /// The number of a node.
  typealias NodeID = Int32

  struct Limits: Sendable {
    var text = QueryTree.Limits()
    /// Schemas within the schema, itself included, that can be reached.
    var schemaCountMax = 4096
    /// Of all different patterns together.
    var patternStateCountMax = 20_000
  }

  let root: NodeID
  let nodes: [SchemaNode]
  /// Of each node, whether an absent value satisfies it.
  let absentVerdicts: [Bool]

  /// Compiles a JSON text.
  init(json: [UInt8], limits: Limits = Limits()) throws(QueryError) {
    try self.init(QueryTree(json, limits: limits.text).root, limits: limits)
  }

  /// Compiles a schema that was parsed with what is around it. Its references begin at `value`.
  init(_ value: QueryTree.Value, limits: Limits = Limits()) throws(QueryError) {
    var compiler = SchemaCompiler(root: value, limits: limits)
    (root, nodes) = try compiler.compile()
    absentVerdicts = Self.absentVerdicts(nodes)
  }

  /// The schema of a query without one: every value satisfies it.
  static let always = Schema(root: 0, nodes: [.always])

  private init(root: NodeID, nodes: [SchemaNode]) {
    self.root = root
    self.nodes = nodes
    absentVerdicts = Self.absentVerdicts(nodes)
  }

  subscript(node: NodeID) -> SchemaNode { nodes[Int(node)] }

  /// The greatest solution: all are true until something says otherwise.
  private static func absentVerdicts(_ nodes: [SchemaNode]) -> [Bool] {
    var verdicts = [Bool](repeating: true, count: nodes.count)
    var isChanged = true
    while isChanged {
      isChanged = false
      for (index, node) in nodes.enumerated() where verdicts[index] {
        let verdict =
          switch node {
          case .always: true
          case .all(let parts): parts.allSatisfy { verdicts[Int($0)] }
          case .any(let parts): parts.contains { verdicts[Int($0)] }
          default: false
          }
        if !verdict {
          verdicts[index] = false
          isChanged = true
        }
      }
    }
    return verdicts
  }
}

/// One node of a schema.
enum SchemaNode: Hashable, Sendable {
  case always
  case never
  case type(TypeSet)
  /// One of these values: `const` and `enum`.
  case oneOf(ConstantSet)
  case range(NumberRange)
  case pattern(Pattern)
  case properties(PropertyRules)
  /// As many elements as both have.
  case tuple([Schema.NodeID])
  case elements(Schema.NodeID)
  case all([Schema.NodeID])
  case any([Schema.NodeID])
  /// While the schema is compiled: what stands at this value of its tree.
  case reference(Int)

  /// Whether it looks at nothing but the value itself, so that it needs no other evaluation.
  var isLeaf: Bool {
    switch self {
    case .always, .never, .type, .oneOf, .range, .pattern: true
    case .properties, .tuple, .elements, .all, .any, .reference: false
    }
  }

  /// The node with other numbers of nodes. Of equal parts one is kept.
  func mapped(_ map: (Schema.NodeID) -> Schema.NodeID) -> SchemaNode {
    switch self {
    case .always, .never, .type, .oneOf, .range, .pattern, .reference: return self
    case .properties(var rules):
      rules.listed = rules.listed.map { .init(key: $0.key, node: map($0.node)) }
      rules.others = rules.others.map(map)
      return .properties(rules)
    case .tuple(let nodes): return .tuple(nodes.map(map))
    case .elements(let node): return .elements(map(node))
    case .all(let nodes): return .all(Self.unique(nodes.map(map)))
    case .any(let nodes): return .any(Self.unique(nodes.map(map)))
    }
  }

  static func unique(_ nodes: [Schema.NodeID]) -> [Schema.NodeID] {
    var seen = Set<Schema.NodeID>()
    return nodes.filter { seen.insert($0).inserted }
  }
}

/// The types that JSON Schema names.
struct TypeSet: OptionSet, Hashable, Sendable {
  let rawValue: UInt8

  static let null = TypeSet(rawValue: 1)
  static let boolean = TypeSet(rawValue: 2)
  static let integer = TypeSet(rawValue: 4)
  static let number = TypeSet(rawValue: 8)
  static let string = TypeSet(rawValue: 16)
  static let array = TypeSet(rawValue: 32)
  static let object = TypeSet(rawValue: 64)

  /// Nil for a word that is no type.
  init?(named name: String) {
    switch name {
    case "null": self = .null
    case "boolean": self = .boolean
    case "integer": self = .integer
    case "number": self = .number
    case "string": self = .string
    case "array": self = .array
    case "object": self = .object
    default: return nil
    }
  }

  init(rawValue: UInt8) { self.rawValue = rawValue }
}

/// Bounds of numbers. A value that is no number is out of range.
struct NumberRange: Hashable, Sendable {
  var minimum: QueryNumber?
  var maximum: QueryNumber?
  var exclusiveMinimum: QueryNumber?
  var exclusiveMaximum: QueryNumber?

  func contains(_ number: QueryNumber) -> Bool {
    if let minimum, number < minimum { return false }
    if let maximum, number > maximum { return false }
    if let exclusiveMinimum, number <= exclusiveMinimum { return false }
    if let exclusiveMaximum, number >= exclusiveMaximum { return false }
    return true
  }
}

/// What a schema says of an object's members.
struct PropertyRules: Hashable, Sendable {
  struct Property: Hashable, Sendable {
    var key: ExactText
    var node: Schema.NodeID
  }

  var required: [ExactText] = []
  /// Ascending by key.
  var listed: [Property] = []
  /// For members that are not listed; nil if nobody looks at them.
  var others: Schema.NodeID?
}

/// Values that are compared as values: the order of members and the notation of numbers mean nothing.
struct ConstantSet: Hashable, Sendable {
  private(set) var scalars: Set<QueryScalar> = []
  private(set) var composites: [Constant] = []

  struct Constant: Hashable, Sendable {
    let value: QueryTree.Value

    static func == (left: Constant, right: Constant) -> Bool {
      var meter = StepMeter(.max)
      return isEqual(left.value, right.value, &meter) ?? false
    }

    /// Of all parts in one order, which the tree gives.
    func hash(into hasher: inout Hasher) {
      var open = [value]
      while let value = open.popLast() {
        hasher.combine(value.kind)
        hasher.combine(value.count)
        if let scalar = value.scalar { hasher.combine(scalar) }
        open += value.elements
        for (key, member) in value.members {
          hasher.combine(key)
          open.append(member)
        }
      }
    }
  }

  init(_ values: [QueryTree.Value]) {
    var seen = Set<Constant>()
    for value in values {
      if let scalar = value.scalar {
        scalars.insert(scalar)
      } else if seen.insert(Constant(value: value)).inserted {
        composites.append(Constant(value: value))
      }
    }
  }

  /// Whether one of them is the value; nil if the meter ran out before it was known.
  func contains(_ value: some QueryValue, _ meter: inout StepMeter) -> Bool? {
    switch value.kind {
    case .array, .object: break
    case .null, .boolean, .number, .string:
      if scalars.isEmpty { return false }
      guard meter.take(value.stepCount) else { return nil }
      return value.scalar.map { scalars.contains($0) } ?? false
    }
    for constant in composites {
      guard let isEqual = isEqual(value, constant.value, &meter) else { return nil }
      if isEqual { return true }
    }
    return false
  }
}

/// Whether two values are equal; nil if the meter ran out before it was known.
private func isEqual<Left: QueryValue>(
  _ left: Left, _ right: QueryTree.Value, _ meter: inout StepMeter
) -> Bool? {
  var open: [(Left, QueryTree.Value)] = [(left, right)]
  while let (left, right) = open.popLast() {
    guard meter.take(1) else { return nil }
    guard left.kind == right.kind else { return false }
    if let scalar = right.scalar {
      guard meter.take(left.stepCount) else { return nil }
      if left.scalar != scalar { return false }
      continue
    }
    guard meter.take(right.count) else { return nil }
    guard left.hasCount(right.count) else { return false }
    open += zip(left.elements, right.elements)
    for (key, value) in right.members {
      guard let other = left.member(key) else { return false }
      open.append((other, value))
    }
  }
  return true
}
