// Compiles a schema's text to nodes. The schemas within it wait on a list, not on the stack.

struct SchemaCompiler {
  private let root: QueryTree.Value
  private let limits: Schema.Limits
  private var nodes: [SchemaNode] = []
  private var ids: [SchemaNode: Schema.NodeID] = [:]
  /// The values of the tree that are schemas and can be reached.
  private var schemas: [Int: Found] = [:]

  /// Those of the schemas, by their sources.
  private var patterns: [ExactText: Pattern] = [:]
  private var patternStateCount = 0

  /// A schema in the tree.
  private struct Found {
    var value: QueryTree.Value
    /// What its `$ref` means.
    var reference: Int?
    /// Once it is compiled.
    var node: Schema.NodeID?
  }

  init(root: QueryTree.Value, limits: Schema.Limits) {
    self.root = root
    self.limits = limits
  }

  mutating func compile() throws(QueryError) -> (Schema.NodeID, [SchemaNode]) {
    try findSchemas()
    // Parts have higher indices than what they are parts of.
    for index in schemas.keys.sorted(by: >) {
      guard let schema = schemas[index], schema.reference == nil, schema.node == nil else {
        continue
      }
      schemas[index]!.node = try node(of: schema.value)
    }
    let first = id(ofSchemaAt: root.index)
    let always = intern(.always)
    let meanings = nodes.indices.map { meaning(of: Schema.NodeID($0)) ?? always }
    let result = nodes.map { $0.mapped { meanings[Int($0)] } }
    return (meanings[Int(first)], result)
  }

  private mutating func intern(_ node: SchemaNode) -> Schema.NodeID {
    if let id = ids[node] { return id }
    let id = Schema.NodeID(nodes.count)
    nodes.append(node)
    ids[node] = id
    return id
  }

  private func error(_ reason: QueryError.Reason, _ value: QueryTree.Value) -> QueryError {
    QueryError(reason, at: value.tree.pointer(to: value.index))
  }

  private func wrong(_ keyword: String, _ expected: String, _ value: QueryTree.Value) -> QueryError
  {
    error(.wrongValue(keyword: keyword, expected: expected), value)
  }

  /// The node itself, or what it refers to once all are compiled. Nil if that is itself, which nothing
  /// refutes.
  private func meaning(of node: Schema.NodeID) -> Schema.NodeID? {
    var node = node
    for _ in nodes.indices {
      guard case .reference(let schema) = nodes[Int(node)] else { return node }
      node = schemas[schema]!.node!
    }
    return nil
  }

  // MARK: Which values are schemas

  private mutating func findSchemas() throws(QueryError) {
    var open = [root]
    while let value = open.popLast() {
      guard schemas[value.index] == nil else { continue }
      guard schemas.count < limits.schemaCountMax else {
        throw error(.tooManySchemas(countMax: limits.schemaCountMax), value)
      }
      schemas[value.index] = Found(value: value)
      guard value.kind == .object else { continue }
      if let reference = value.member("$ref") {
        // As in JSON Schema up to draft 7, what stands beside a reference has no meaning.
        let target = try target(of: reference, in: value)
        schemas[value.index]!.reference = target.index
        open.append(target)
      } else {
        try refuseUnsupported(value)
        open += try parts(of: value)
      }
    }
  }

  private func target(
    of reference: QueryTree.Value, in value: QueryTree.Value
  ) throws(QueryError) -> QueryTree.Value {
    guard let text = reference.string else { throw wrong("$ref", "a string", value) }
    guard let steps = JSONPointer.steps(ofReference: text) else {
      throw error(.unresolvedReference(text), value)
    }
    var target = root
    for step in steps {
      guard let next = target.child(step) else { throw error(.unresolvedReference(text), value) }
      target = next
    }
    return target
  }

  /// What restricts values in JSON Schema and would be ignored here.
  private static let unsupportedKeywords = [
    "$dynamicRef", "$recursiveRef", "additionalItems", "contains", "dependencies",
    "dependentRequired", "dependentSchemas", "else", "if", "maxContains", "maxItems", "maxLength",
    "maxProperties", "minContains", "minItems", "minLength", "minProperties", "multipleOf", "not",
    "oneOf", "patternProperties", "prefixItems", "propertyNames", "then", "unevaluatedItems",
    "unevaluatedProperties", "uniqueItems",
  ]

  private func refuseUnsupported(_ value: QueryTree.Value) throws(QueryError) {
    for keyword in Self.unsupportedKeywords where value.member(keyword) != nil {
      throw error(.unsupportedKeyword(keyword), value)
    }
  }

  /// The schemas directly in a schema.
  private func parts(of value: QueryTree.Value) throws(QueryError) -> [QueryTree.Value] {
    var parts: [QueryTree.Value] = []
    if let properties = value.member("properties") {
      guard properties.kind == .object else {
        throw wrong("properties", "an object of schemas", value)
      }
      parts += properties.members.map(\.value)
    }
    if let others = value.member("additionalProperties"), others.scalar != .boolean(false) {
      parts.append(others)
    }
    if let items = value.member("items") {
      parts += items.kind == .array ? items.elements : [items]
    }
    for keyword in ["allOf", "anyOf"] {
      guard let list = value.member(keyword) else { continue }
      guard list.kind == .array else { throw wrong(keyword, "an array of schemas", value) }
      parts += list.elements
    }
    return parts
  }

  // MARK: Nodes

  /// The node of a schema that is compiled or waits for it.
  private mutating func id(ofSchemaAt index: Int) -> Schema.NodeID {
    var last = index
    var passed: [Int] = []
    while let next = schemas[last]!.reference {
      passed.append(last)
      last = next
      guard passed.count > schemas.count else { continue }
      // Nothing refutes a reference to itself.
      schemas[last]!.reference = nil
      schemas[last]!.node = intern(.always)
    }
    // So that a long way is gone once.
    for index in passed where index != last { schemas[index]!.reference = last }
    return schemas[last]!.node ?? intern(.reference(last))
  }

  private mutating func node(of schema: QueryTree.Value) throws(QueryError) -> Schema.NodeID {
    guard schema.kind == .object else {
      return intern(schema.scalar == .boolean(false) ? .never : .always)
    }
    var parts: [Schema.NodeID] = []
    if let types = try types(of: schema) { parts.append(intern(.type(types))) }
    if let pattern = try pattern(of: schema) { parts.append(intern(.pattern(pattern))) }
    if let value = schema.member("const") { parts.append(intern(.oneOf(ConstantSet([value])))) }
    if let list = schema.member("enum") {
      guard list.kind == .array else { throw wrong("enum", "an array", schema) }
      parts.append(intern(.oneOf(ConstantSet(list.elements))))
    }
    if let range = try range(of: schema) { parts.append(intern(.range(range))) }
    if let rules = try propertyRules(of: schema) { parts.append(intern(.properties(rules))) }
    if let items = schema.member("items") {
      parts.append(
        intern(
          items.kind == .array
            ? .tuple(items.elements.map { id(ofSchemaAt: $0.index) })
            : .elements(id(ofSchemaAt: items.index))))
    }
    if let list = schema.member("allOf") {
      parts += list.elements.map { id(ofSchemaAt: $0.index) }
    }
    if let list = schema.member("anyOf") {
      let alternatives = SchemaNode.unique(list.elements.map { id(ofSchemaAt: $0.index) })
      parts.append(intern(.any(alternatives)))
    }
    parts = SchemaNode.unique(parts)
    switch parts.count {
    case 0: return intern(.always)
    case 1: return parts[0]
    default: return intern(.all(parts))
    }
  }

  private func types(of schema: QueryTree.Value) throws(QueryError) -> TypeSet? {
    guard let value = schema.member("type") else { return nil }
    var types: TypeSet = []
    for word in value.kind == .array ? value.elements : [value] {
      guard let name = word.string, let type = TypeSet(named: name) else {
        throw wrong("type", "the name of a type, or an array of them", schema)
      }
      types.insert(type)
    }
    return types
  }

  private mutating func pattern(of schema: QueryTree.Value) throws(QueryError) -> Pattern? {
    guard let value = schema.member("pattern") else { return nil }
    guard let text = value.string else { throw wrong("pattern", "a string", schema) }
    if let known = patterns[ExactText(text)] { return known }
    let pattern: Pattern
    do throws(PatternError) { pattern = try Pattern(text) } catch {
      throw self.error(.pattern(error), schema)
    }
    patternStateCount += pattern.program.count
    guard patternStateCount <= limits.patternStateCountMax else {
      throw error(.tooManyPatternStates(countMax: limits.patternStateCountMax), schema)
    }
    patterns[ExactText(text)] = pattern
    return pattern
  }

  private func range(of schema: QueryTree.Value) throws(QueryError) -> NumberRange? {
    var range = NumberRange()
    range.minimum = try number("minimum", of: schema)
    range.maximum = try number("maximum", of: schema)
    // In draft 4 these say of which kind the other bounds are.
    switch schema.member("exclusiveMinimum")?.scalar {
    case .boolean(true): (range.exclusiveMinimum, range.minimum) = (range.minimum, nil)
    case .boolean(false): break
    default: range.exclusiveMinimum = try number("exclusiveMinimum", of: schema)
    }
    switch schema.member("exclusiveMaximum")?.scalar {
    case .boolean(true): (range.exclusiveMaximum, range.maximum) = (range.maximum, nil)
    case .boolean(false): break
    default: range.exclusiveMaximum = try number("exclusiveMaximum", of: schema)
    }
    return range == NumberRange() ? nil : range
  }

  private func number(
    _ keyword: String, of schema: QueryTree.Value
  ) throws(QueryError) -> QueryNumber? {
    guard let value = schema.member(keyword) else { return nil }
    guard case .number(let number)? = value.scalar else {
      throw wrong(keyword, "a number", schema)
    }
    return number
  }

  private mutating func propertyRules(
    of schema: QueryTree.Value
  ) throws(QueryError) -> PropertyRules? {
    var rules = PropertyRules()
    let keywords = ["required", "properties", "additionalProperties"]
    guard keywords.contains(where: { schema.member($0) != nil }) else { return nil }
    if let list = schema.member("required") {
      guard list.kind == .array else { throw wrong("required", "an array of keys", schema) }
      for value in list.elements {
        guard let key = value.string else { throw wrong("required", "an array of keys", schema) }
        rules.required.append(ExactText(key))
      }
    }
    for (key, value) in schema.member("properties")?.members ?? [] {
      rules.listed.append(.init(key: key, node: id(ofSchemaAt: value.index)))
    }
    if let others = schema.member("additionalProperties"), others.scalar != .boolean(false) {
      rules.others = id(ofSchemaAt: others.index)
    }
    return rules
  }
}
