// The evaluations of a query: one for each pair of schema node and place that it reached, with the
// evaluations that each needs. A pair is evaluated once, however it is reached.
//
// Verdicts are the greatest solution of what the evaluations say of each other: an evaluation in a
// circle is Yes until something refutes it. So they all begin as Yes, and only fall.

/// One schema node at one place.
struct Evaluation {
  typealias ID = Int32

  enum State { case pending, done, free }

  /// The pair.
  var node: Schema.NodeID
  /// -1 for the query itself, which walks along its path.
  var place: PlaceTable.PlaceID
  var state = State.pending

  var verdict = QueryVerdict.yes
  /// What it says without the evaluations that it needs.
  var ownVerdict = QueryVerdict.yes
  /// Whether one child suffices; otherwise all must agree.
  var isAlternative = false
  /// Of an alternative: how many of the schema node's parts were looked at.
  var partCount = 0

  /// The evaluations that it needs; none twice.
  var children: [ID] = []
  var parents = NumberSet.none
  /// How many children have these verdicts.
  var noCount = 0
  var maybeCount = 0

  /// The places that it holds.
  var held: [Hold] = []
  var links: [(source: PlaceTable.PlaceID, target: QueryPlace)] = []
  /// Whether its child is reached through a link.
  var isLink = false
  /// How many parents reach it through a link.
  var linkCount = 0
  /// Whether a limit kept it from looking on.
  var isTruncated = false
  var stepCount = 0

  struct Hold: Hashable {
    var place: PlaceTable.PlaceID
    var reading: PlaceTable.Reading
  }

  init(node: Schema.NodeID, place: PlaceTable.PlaceID) {
    self.node = node
    self.place = place
  }

  /// What its own verdict and its children's make.
  var combined: QueryVerdict {
    if isAlternative {
      if ownVerdict == .yes || noCount + maybeCount < children.count { return .yes }
      return max(ownVerdict, maybeCount > 0 ? .maybeExceededDepth : .no)
    }
    if noCount > 0 { return .no }
    return min(ownVerdict, maybeCount > 0 ? .maybeExceededDepth : .yes)
  }
}

/// The evaluations by their numbers and by their pairs.
struct EvaluationTable {
  private struct Pair: Hashable {
    var node: Schema.NodeID
    var place: PlaceTable.PlaceID
  }

  private(set) var entries: [Evaluation] = []
  private var free: [Evaluation.ID] = []
  private var ids: [Pair: Evaluation.ID] = [:]
  /// Pairs that are reached through a link.
  private(set) var visitCount = 0
  private(set) var truncatedCount = 0
  private(set) var stepCount = 0
  /// Those whose verdict may be another than `combined`.
  private(set) var unsettled: [Evaluation.ID] = []
  /// Alternatives of which a part has become Yes.
  var raisedAlternatives = Set<Evaluation.ID>()

  subscript(id: Evaluation.ID) -> Evaluation {
    _read { yield entries[Int(id)] }
    _modify { yield &entries[Int(id)] }
  }

  /// Of all evaluations.
  var allIDs: [Evaluation.ID] {
    entries.indices.filter { entries[$0].state != .free }.map { Evaluation.ID($0) }
  }

  func id(_ node: Schema.NodeID, at place: PlaceTable.PlaceID) -> Evaluation.ID? {
    ids[Pair(node: node, place: place)]
  }

  mutating func make(_ node: Schema.NodeID, at place: PlaceTable.PlaceID) -> Evaluation.ID {
    let evaluation = Evaluation(node: node, place: place)
    let id: Evaluation.ID
    if let last = free.popLast() {
      id = last
      entries[Int(id)] = evaluation
    } else {
      id = Evaluation.ID(entries.count)
      entries.append(evaluation)
    }
    ids[Pair(node: node, place: place)] = id
    return id
  }

  /// Frees an evaluation without edges and holds.
  mutating func remove(_ id: Evaluation.ID) {
    ids[Pair(node: self[id].node, place: self[id].place)] = nil
    self[id] = Evaluation(node: 0, place: -1)
    self[id].state = .free
    free.append(id)
  }

  mutating func removeAll() {
    entries = []
    free = []
    ids = [:]
    (visitCount, truncatedCount, stepCount) = (0, 0, 0)
    unsettled = []
    raisedAlternatives = []
  }

  // MARK: Counts

  mutating func addSteps(_ count: Int, of id: Evaluation.ID) {
    self[id].stepCount += count
    stepCount += count
  }

  /// Says that a limit kept it from looking on.
  mutating func truncate(_ id: Evaluation.ID) {
    guard !self[id].isTruncated else { return }
    self[id].isTruncated = true
    truncatedCount += 1
  }

  /// Forgets what an evaluation found, but not its children.
  mutating func clearFindings(of id: Evaluation.ID) {
    if self[id].isTruncated { truncatedCount -= 1 }
    stepCount -= self[id].stepCount
    self[id].isTruncated = false
    self[id].stepCount = 0
    self[id].held = []
    self[id].links = []
    self[id].ownVerdict = .yes
    self[id].partCount = 0
    self[id].isAlternative = false
    self[id].state = .pending
  }

  // MARK: Edges

  mutating func addEdge(from parent: Evaluation.ID, to child: Evaluation.ID) {
    self[parent].children.append(child)
    self[child].parents.insert(parent)
    count(self[child].verdict, 1, for: parent)
    if self[parent].isLink {
      self[child].linkCount += 1
      if self[child].linkCount == 1 { visitCount += 1 }
    }
  }

  /// Removes the edges to the children from a place of the list on, and returns those children.
  mutating func removeEdges(of parent: Evaluation.ID, from index: Int) -> [Evaluation.ID] {
    let children = Array(self[parent].children[index...])
    self[parent].children.removeSubrange(index...)
    for child in children {
      self[child].parents.remove(parent)
      count(self[child].verdict, -1, for: parent)
      if self[parent].isLink {
        self[child].linkCount -= 1
        if self[child].linkCount == 0 { visitCount -= 1 }
      }
    }
    if self[parent].children.isEmpty { self[parent].isLink = false }
    return children
  }

  private mutating func count(_ verdict: QueryVerdict, _ change: Int, for parent: Evaluation.ID) {
    switch verdict {
    case .no: self[parent].noCount += change
    case .maybeExceededDepth: self[parent].maybeCount += change
    case .yes: break
    }
  }

  // MARK: Verdicts

  private mutating func set(_ verdict: QueryVerdict, of id: Evaluation.ID) {
    let old = self[id].verdict
    self[id].verdict = verdict
    for parent in self[id].parents.members {
      count(old, -1, for: parent)
      count(verdict, 1, for: parent)
    }
  }

  mutating func unsettle(_ id: Evaluation.ID) { unsettled.append(id) }

  /// Makes evaluations Yes, and all that may rise with them: those above that are not Yes. They are to be
  /// settled again.
  mutating func raise(_ ids: [Evaluation.ID]) {
    var open = ids
    while let id = open.popLast() {
      unsettled.append(id)
      guard self[id].verdict != .yes else { continue }
      set(.yes, of: id)
      for parent in self[id].parents.members {
        if self[parent].isAlternative { raisedAlternatives.insert(parent) }
        if self[parent].verdict != .yes { open.append(parent) }
      }
    }
  }

  /// Lets verdicts fall to what they must. Gives the alternatives of which no part is Yes, in ascending
  /// order; they are not settled until each part was looked at.
  mutating func settle(isExhausted: (Evaluation) -> Bool) -> [Evaluation.ID] {
    var waiting = Set<Evaluation.ID>()
    while let id = unsettled.popLast() {
      guard self[id].state == .done else { continue }
      let verdict = self[id].combined
      guard verdict < self[id].verdict else { continue }
      if self[id].isAlternative, !isExhausted(self[id]) {
        waiting.insert(id)
        continue
      }
      set(verdict, of: id)
      unsettled += self[id].parents.members
    }
    return waiting.sorted()
  }
}
