// The evaluation of one query, kept so that it can follow the documents' changes.
//
// Places and evaluations make a graph: an evaluation needs those of its members, elements, parts or
// link's target. The graph is found from the query on, depth first; then verdicts fall (see
// EvaluationTable.swift). Of alternatives, a part is looked at only if none before it is Yes, so the
// touches depend on verdicts there, and nowhere else.
//
// The visit cap and the step bound depend on the order of the search. So an evaluation that meets
// one of them is found anew at each change.

/// A query with its answer.
struct QueryEvaluation: Sendable {
  let query: DocumentQuery
  let limits: DocumentQuery.Limits
  /// The space that the documents are of; links to others are not followed. Nil follows all.
  let space: String?

  var places = PlaceTable()
  var table = EvaluationTable()

  /// The query itself is the first evaluation.
  static let root: Evaluation.ID = 0

  /// Evaluates a query from nothing.
  init<Documents: QueryDocuments>(
    _ query: DocumentQuery, in documents: Documents, space: String? = nil,
    limits: DocumentQuery.Limits = .init()
  ) {
    self.query = query
    self.limits = limits
    self.space = space
    var reader = DocumentReader(documents)
    evaluateFromNothing(&reader)
    places.beginUpdates()
  }

  // MARK: The answer

  var verdict: QueryVerdict { table[Self.root].verdict }

  /// All places that the evaluation looked at, in no order.
  var touches: [QueryPlace] { places.places }

  /// The documents of which it touched a place. The query's own is one of them.
  var documents: [String] { places.documents.map(\.text) }

  /// The links that it met.
  var links: Set<QueryLinkEdge> {
    var links = Set<QueryLinkEdge>()
    for id in table.allIDs {
      for link in table[id].links {
        links.insert(.init(source: places.publicPlace(link.source), target: link.target))
      }
    }
    return links
  }

  /// Pairs of schema and place, and how often one needs another.
  var dependencyCounts: (evaluations: Int, edges: Int) {
    let ids = table.allIDs
    return (ids.count, ids.reduce(0) { $0 + table[$1].children.count })
  }

  // MARK: Evaluating

  /// An evaluation that is to be done, with the value at its place.
  typealias Pending<Value> = (id: Evaluation.ID, value: Value?)

  mutating func evaluateFromNothing<Documents>(_ reader: inout DocumentReader<Documents>) {
    for id in table.allIDs { releasePlaces(of: id) }
    table.removeAll()
    let root = table.make(query.schema.root, at: -1)
    expand([(root, nil)], &reader)
    _ = settle(&reader)
  }

  /// Does evaluations and those that they need, depth first.
  mutating func expand<Documents>(
    _ pending: [Pending<Documents.Value>], _ reader: inout DocumentReader<Documents>
  ) {
    var pending: [Pending<Documents.Value>] = pending.reversed()
    while let (id, value) = pending.popLast() {
      guard table[id].state == .pending else { continue }
      pending += expand(id, value, &reader).reversed()
    }
  }

  /// Lets verdicts fall, and looks at further alternatives where no earlier one is Yes. Gives
  /// evaluations that one of them does not need any more.
  mutating func settle<Documents>(
    _ reader: inout DocumentReader<Documents>
  ) -> [Evaluation.ID] {
    var left: [Evaluation.ID] = []
    while true {
      let schema = query.schema
      let waiting = table.settle { evaluation in
        guard case .any(let parts) = schema[evaluation.node] else { return true }
        return evaluation.isTruncated || evaluation.partCount == parts.count
      }
      if waiting.isEmpty { return left }
      for id in waiting {
        if let value = value(of: id, &reader) {
          expand(tryNextPart(of: id, value), &reader)
        } else {
          // It has gone though no change named it: the document may not be read any more.
          releasePlaces(of: id)
          left += table.removeEdges(of: id, from: 0)
          table.clearFindings(of: id)
          expand([(id, nil)], &reader)
        }
        table.unsettle(id)
      }
    }
  }

  func value<Documents>(
    of id: Evaluation.ID, _ reader: inout DocumentReader<Documents>
  ) -> Documents.Value? {
    let place = table[id].place
    guard place >= 0 else { return nil }
    return reader.value(at: place)
      ?? reader.value(in: places.document(of: place), at: places.path(of: place))
  }

  mutating func releasePlaces(of id: Evaluation.ID) {
    for hold in table[id].held { places.release(hold.place, by: id, hold.reading) }
    table[id].held = []
  }

  private mutating func hold(_ holds: Set<Evaluation.Hold>, by id: Evaluation.ID) {
    for hold in holds { places.hold(hold.place, by: id, hold.reading) }
    table[id].held = Array(holds)
  }

  // MARK: One evaluation

  /// Does one evaluation; gives those that it needs and that are not done.
  private mutating func expand<Documents>(
    _ id: Evaluation.ID, _ value: Documents.Value?, _ reader: inout DocumentReader<Documents>
  ) -> [Pending<Documents.Value>] {
    table[id].state = .done
    table.unsettle(id)
    let (node, place) = (table[id].node, table[id].place)
    let stepCount = limits.stepCountMax - table.stepCount
    var meter = StepMeter(max(stepCount, 0))
    defer { table.addSteps(meter.usedCount, of: id) }
    // Whoever made it has paid for it. Who is done again pays again.
    guard table[id].stepCount > 0 || meter.take(evaluationStepCount(at: place)) else {
      truncate(id, .maybeExceededDepth)
      if place >= 0 { hold([.init(place: place, reading: .kind)], by: id) }
      return []
    }
    if place < 0 {
      let path = query.path.map { ExactText($0) }
      let walk = PathWalker<Documents>.walk(
        from: ExactText(query.document), path, space: space, limits, &places, &reader, &meter)
      return end(walk, of: id, &meter)
    }
    guard let value else {
      table[id].ownVerdict = query.schema.absentVerdicts[Int(node)] ? .yes : .no
      hold([.init(place: place, reading: .content)], by: id)
      return []
    }
    if let link = QueryLink(value) {
      table[id].isLink = true
      let walk = PathWalker<Documents>.walk(
        following: link, at: place, space: space, limits, &places, &reader, &meter)
      return end(walk, of: id, &meter)
    }
    let needed = expand(id, query.schema[node], value, &meter)
    if table[id].isAlternative { reader.keep(value, at: place) }
    return needed
  }

  /// What it costs that there is an evaluation. It is paid before it is made, so the steps bound the
  /// memory.
  private func evaluationStepCount(at place: PlaceTable.PlaceID) -> Int {
    DocumentQuery.Limits.stepsPerEvaluation
      + (place < 0 ? query.path.count : places.depth(of: place))
  }

  private mutating func truncate(_ id: Evaluation.ID, _ verdict: QueryVerdict) {
    table.truncate(id)
    table[id].ownVerdict = verdict
  }

  /// What an evaluation says that follows a link, or that is the query.
  private mutating func end<Value>(
    _ walk: PathWalk<Value>, of id: Evaluation.ID, _ meter: inout StepMeter
  ) -> [Pending<Value>] {
    table[id].links = walk.links
    let node = table[id].node
    var needed: [Pending<Value>] = []
    switch walk.end {
    case .value(let value, let place):
      let child = table.id(node, at: place)
      let isVisited = child.map { table[$0].linkCount > 0 } ?? false
      if table[id].isLink, !isVisited, table.visitCount >= limits.visitCountMax {
        truncate(id, .maybeExceededDepth)
      } else {
        needed = need(node, at: place, value, by: id, &meter)
      }
    case .absent:
      table[id].ownVerdict = query.schema.absentVerdicts[Int(node)] ? .yes : .no
    case .otherSpace: table[id].ownVerdict = .yes
    case .unknown: truncate(id, .maybeExceededDepth)
    }
    hold(walk.holds, by: id)
    return needed
  }

  /// Notes that an evaluation needs another; gives that one if it is not done. Without steps for it,
  /// nobody knows what it would say.
  private mutating func need<Value>(
    _ node: Schema.NodeID, at place: PlaceTable.PlaceID, _ value: Value, by id: Evaluation.ID,
    _ meter: inout StepMeter
  ) -> [Pending<Value>] {
    guard let child = table.id(node, at: place) ?? make(node, at: place, &meter) else {
      let verdict = table[id].ownVerdict
      truncate(
        id,
        table[id].isAlternative
          ? max(verdict, .maybeExceededDepth) : min(verdict, .maybeExceededDepth))
      return []
    }
    table.addEdge(from: id, to: child)
    return table[child].state == .pending ? [(child, value)] : []
  }

  private mutating func make(
    _ node: Schema.NodeID, at place: PlaceTable.PlaceID, _ meter: inout StepMeter
  ) -> Evaluation.ID? {
    let stepCount = evaluationStepCount(at: place)
    guard meter.takeForOther(stepCount) else { return nil }
    let id = table.make(node, at: place)
    table.addSteps(stepCount, of: id)
    return id
  }

  private mutating func expand<Value: QueryValue>(
    _ id: Evaluation.ID, _ node: SchemaNode, _ value: Value, _ meter: inout StepMeter
  ) -> [Pending<Value>] {
    let place = table[id].place
    let reading = QueryLink.reading(value, for: query.schema.reading(node))
    var holds: Set = [Evaluation.Hold(place: place, reading: reading)]
    defer { hold(holds, by: id) }
    var needed: [Pending<Value>] = []
    switch node {
    case .properties(let rules):
      guard value.kind == .object else { break }
      return expand(id, rules, value, &holds, &meter)
    case .tuple(let nodes):
      guard value.kind == .array else { break }
      let count = min(nodes.count, value.count)
      guard meter.take(count) else {
        truncate(id, .maybeExceededDepth)
        return []
      }
      for (index, (node, element)) in zip(nodes, value.elements).enumerated() {
        let place = places.child(ArrayIndex.key(index), of: place)
        needed += need(node, at: place, element, by: id, &meter)
        if table[id].isTruncated { break }
      }
      return needed
    case .elements(let node):
      guard value.kind == .array else { break }
      guard meter.take(value.count) else {
        truncate(id, .maybeExceededDepth)
        return []
      }
      for (index, element) in value.elements.enumerated() {
        let place = places.child(ArrayIndex.key(index), of: place)
        needed += need(node, at: place, element, by: id, &meter)
        if table[id].isTruncated { break }
      }
      return needed
    case .all(let parts):
      guard meter.take(parts.count) else {
        truncate(id, .maybeExceededDepth)
        return []
      }
      for part in parts {
        if query.schema[part].isLeaf {
          let verdict = leafVerdict(of: query.schema[part], value, &meter, id)
          table[id].ownVerdict = min(table[id].ownVerdict, verdict)
        } else {
          needed += need(part, at: place, value, by: id, &meter)
        }
      }
      return needed
    case .any:
      table[id].isAlternative = true
      table[id].ownVerdict = .no
      return tryNextPart(of: id, value, &meter)
    case .always, .never, .type, .oneOf, .range, .pattern, .reference:
      table[id].ownVerdict = leafVerdict(of: node, value, &meter, id)
      return []
    }
    table[id].ownVerdict = .no
    return []
  }

  private mutating func expand<Value: QueryValue>(
    _ id: Evaluation.ID, _ rules: PropertyRules, _ value: Value,
    _ holds: inout Set<Evaluation.Hold>, _ meter: inout StepMeter
  ) -> [Pending<Value>] {
    let place = table[id].place
    let keys = rules.others == nil ? [] : value.keys
    // Members that are not there cost as much as evaluations.
    let namedCount = rules.required.count + rules.listed.count
    guard meter.take(namedCount * (1 + evaluationStepCount(at: place)) + keys.count) else {
      truncate(id, .maybeExceededDepth)
      return []
    }
    for key in rules.required {
      let isThere = value.member(key) != nil
      if !isThere { table[id].ownVerdict = .no }
      holds.insert(
        .init(place: places.child(key, of: place), reading: isThere ? .kind : .content))
    }
    var needed: [Pending<Value>] = []
    for property in rules.listed {
      let place = places.child(property.key, of: place)
      if let member = value.member(property.key) {
        needed += need(property.node, at: place, member, by: id, &meter)
        if table[id].isTruncated { return needed }
      } else {
        holds.insert(.init(place: place, reading: .content))
      }
    }
    guard let others = rules.others else { return needed }
    // Both are in the order of keys.
    var listed = rules.listed[...]
    for key in keys {
      while let first = listed.first, first.key.precedes(key) { listed.removeFirst() }
      if listed.first?.key == key { continue }
      if let member = value.member(key) {
        needed += need(others, at: places.child(key, of: place), member, by: id, &meter)
        if table[id].isTruncated { return needed }
      }
    }
    return needed
  }

  /// Looks at parts of an alternative, up to one that is Yes or that needs an evaluation.
  private mutating func tryNextPart<Value: QueryValue>(
    of id: Evaluation.ID, _ value: Value, _ meter: inout StepMeter
  ) -> [Pending<Value>] {
    guard case .any(let parts) = query.schema[table[id].node] else { return [] }
    while table[id].partCount < parts.count {
      let part = parts[table[id].partCount]
      table[id].partCount += 1
      guard query.schema[part].isLeaf else {
        return need(part, at: table[id].place, value, by: id, &meter)
      }
      let verdict = leafVerdict(of: query.schema[part], value, &meter, id)
      table[id].ownVerdict = max(table[id].ownVerdict, verdict)
      if verdict == .yes { break }
    }
    return []
  }

  /// The same for an evaluation whose value had to be found again.
  private mutating func tryNextPart<Value: QueryValue>(
    of id: Evaluation.ID, _ value: Value
  ) -> [Pending<Value>] {
    let stepCount = max(limits.stepCountMax - table.stepCount, 0)
    var meter = StepMeter(stepCount)
    defer { table.addSteps(meter.usedCount, of: id) }
    guard meter.take(places.depth(of: table[id].place)) else {
      truncate(id, max(table[id].ownVerdict, .maybeExceededDepth))
      return []
    }
    return tryNextPart(of: id, value, &meter)
  }

  private mutating func leafVerdict(
    of node: SchemaNode, _ value: some QueryValue, _ meter: inout StepMeter, _ id: Evaluation.ID
  ) -> QueryVerdict {
    guard let isSatisfied = node.isSatisfied(by: value, &meter) else {
      table.truncate(id)
      return .maybeExceededDepth
    }
    return isSatisfied ? .yes : .no
  }
}
