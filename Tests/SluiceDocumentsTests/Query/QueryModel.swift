// What a query means, written as plainly as it can be, for comparison: schemas as JSON, recursion,
// no limits, and verdicts by going over all pairs until nothing falls any more.

@testable import SluiceEngine

struct QueryModel {
  let roots: [String: TestValue]
  let schema: TestValue
  private(set) var touches = Set<QueryPlace>()
  private(set) var links = Set<QueryLinkEdge>()
  private var verdicts: [Pair: Bool] = [:]
  private var visited = Set<Pair>()
  private var isSettled = true

  private struct Pair: Hashable {
    var schema: TestValue
    var place: QueryPlace
  }

  init(_ roots: [String: TestValue], _ document: String, _ path: [String], _ schema: TestValue) {
    self.roots = roots
    self.schema = schema
    repeat {
      isSettled = true
      touches = []
      links = []
      visited = []
      verdict = answer(document, path)
    } while !isSettled
  }

  private(set) var verdict = true

  private mutating func answer(_ document: String, _ path: [String]) -> Bool {
    guard let end = walk(document, path) else { return isSatisfiedByAbsence(schema, []) }
    return evaluate(schema, end)
  }

  /// The place where a path ends; nil if nothing is there.
  private mutating func walk(_ document: String, _ path: [String]) -> QueryPlace? {
    var place = QueryPlace(document: document)
    var rest = path
    touches.insert(place)
    // Longer ways are circles: random documents have fewer links, and shorter paths.
    for _ in 0..<2000 {
      guard let value = roots[place.document]?[place.path[...]] else {
        for step in rest {
          place.path.append(step)
          touches.insert(place)
        }
        return nil
      }
      if let target = target(of: value) {
        links.insert(QueryLinkEdge(source: place, target: target))
        rest = target.path + rest
        place = QueryPlace(document: target.document)
      } else if rest.isEmpty {
        return place
      } else {
        place.path.append(rest.removeFirst())
      }
      touches.insert(place)
    }
    return nil
  }

  private func target(of value: TestValue) -> QueryPlace? {
    guard case .object(let outer) = value, outer.count == 1, case .object(let inner)? = outer["/"],
      inner.count == 1, case .object(let link)? = inner["link@1"],
      case .string(let id)? = link["id"], case .array(let steps)? = link["path"]
    else { return nil }
    let path = steps.compactMap { if case .string(let step) = $0 { step } else { nil } }
    return path.count == steps.count ? QueryPlace(document: id, path: path) : nil
  }

  private func resolved(_ schema: TestValue) -> TestValue {
    var schema = schema
    // There are three that can be referred to.
    for _ in 0..<4 {
      guard case .string(let reference)? = schema["$ref"] else { return schema }
      let steps = reference.split(separator: "/").dropFirst().map(String.init)
      schema = self.schema[steps[...]]!
    }
    return .boolean(true)
  }

  private func isSatisfiedByAbsence(_ schema: TestValue, _ seen: Set<TestValue>) -> Bool {
    let schema = resolved(schema)
    guard case .object(let keywords) = schema else { return schema != .boolean(false) }
    if seen.contains(schema) { return true }
    for keyword in keywords.keys where !["$defs", "allOf", "anyOf"].contains(keyword) {
      return false
    }
    let seen = seen.union([schema])
    return parts(schema, "allOf").allSatisfy { isSatisfiedByAbsence($0, seen) }
      && (keywords["anyOf"] == nil
        || parts(schema, "anyOf").contains { isSatisfiedByAbsence($0, seen) })
  }

  private func parts(_ schema: TestValue, _ keyword: String) -> [TestValue] {
    if case .array(let parts)? = schema[keyword] { parts } else { [] }
  }

  private mutating func evaluate(_ schema: TestValue, _ place: QueryPlace) -> Bool {
    let schema = resolved(schema)
    let pair = Pair(schema: schema, place: place)
    let known = verdicts[pair] ?? true
    guard visited.insert(pair).inserted else { return known }
    touches.insert(place)
    let value = roots[place.document]![place.path[...]]!
    let verdict = judge(schema, place, value) && known
    if verdict != known { isSettled = false }
    verdicts[pair] = verdict
    return verdict
  }

  private mutating func judge(
    _ schema: TestValue, _ place: QueryPlace, _ value: TestValue
  ) -> Bool {
    if let target = target(of: value) {
      links.insert(QueryLinkEdge(source: place, target: target))
      guard let end = walk(target.document, target.path) else {
        return isSatisfiedByAbsence(schema, [])
      }
      return evaluate(schema, end)
    }
    guard case .object(let keywords) = schema else { return schema != .boolean(false) }
    var verdict = true
    if case .string(let type)? = keywords["type"], !isOfType(value, type) { verdict = false }
    if case .array(let types)? = keywords["type"] {
      let isListed = types.contains { type in
        if case .string(let type) = type { isOfType(value, type) } else { false }
      }
      if !isListed { verdict = false }
    }
    if let constant = keywords["const"], value != constant { verdict = false }
    if keywords["enum"] != nil, !parts(schema, "enum").contains(value) { verdict = false }
    if case .number(let minimum)? = keywords["minimum"] {
      if case .number(let number) = value, number >= minimum {} else { verdict = false }
    }
    let isAboutMembers =
      keywords["required"] != nil || keywords["properties"] != nil
      || keywords["additionalProperties"] != nil
    if isAboutMembers, !judgeMembers(schema, place, value) { verdict = false }
    if let items = keywords["items"], !judgeItems(items, place, value) { verdict = false }
    for part in parts(schema, "allOf") where !evaluate(part, place) { verdict = false }
    if keywords["anyOf"] != nil {
      var isAny = false
      for part in parts(schema, "anyOf") where !isAny { isAny = evaluate(part, place) }
      if !isAny { verdict = false }
    }
    return verdict
  }

  private mutating func judgeMembers(
    _ schema: TestValue, _ place: QueryPlace, _ value: TestValue
  ) -> Bool {
    guard case .object(let members) = value else { return false }
    var verdict = true
    for case .string(let key) in parts(schema, "required") {
      touches.insert(QueryPlace(document: place.document, path: place.path + [key]))
      if members[key] == nil { verdict = false }
    }
    var listed: [String: TestValue] = [:]
    if case .object(let properties)? = schema["properties"] { listed = properties }
    for (key, part) in listed.sorted(by: { $0.key < $1.key }) {
      let child = QueryPlace(document: place.document, path: place.path + [key])
      touches.insert(child)
      if members[key] != nil, !evaluate(part, child) { verdict = false }
    }
    if let others = schema["additionalProperties"], others != .boolean(false) {
      for key in members.keys.sorted() where listed[key] == nil {
        let child = QueryPlace(document: place.document, path: place.path + [key])
        if !evaluate(others, child) { verdict = false }
      }
    }
    return verdict
  }

  private mutating func judgeItems(
    _ items: TestValue, _ place: QueryPlace, _ value: TestValue
  ) -> Bool {
    guard case .array(let elements) = value else { return false }
    var schemas = [TestValue](repeating: items, count: elements.count)
    if case .array(let tuple) = items { schemas = Array(tuple.prefix(elements.count)) }
    var verdict = true
    for (index, part) in schemas.enumerated() {
      let child = QueryPlace(document: place.document, path: place.path + ["\(index)"])
      if !evaluate(part, child) { verdict = false }
    }
    return verdict
  }

  private func isOfType(_ value: TestValue, _ type: String) -> Bool {
    switch value {
    case .null: type == "null"
    case .boolean: type == "boolean"
    case .number(let number): type == "number" || type == "integer" && number.rounded() == number
    case .string: type == "string"
    case .array: type == "array"
    case .object: type == "object"
    }
  }
}

extension TestValue {
  fileprivate subscript(key: String) -> TestValue? { member(ExactText(key)) }
}
