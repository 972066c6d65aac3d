// What a change of documents does to an evaluation. Those evaluations that read a changed place are
// dropped with their edges, before one of them is done again; verdicts that may rise are reset, and
// fall to what they must. What is not reached any more is forgotten. So an update costs what it
// changes, and at most as much as the evaluation from nothing.

extension QueryEvaluation {
  /// What an update changed.
  struct Change: Sendable {
    var oldVerdict: QueryVerdict
    var newVerdict: QueryVerdict
    var touchAdded: [QueryPlace]
    var touchRemoved: [QueryPlace]
  }

  /// Takes over changes of documents that have been made. Nil if no change concerns the evaluation.
  mutating func update<Documents: QueryDocuments>(
    _ deltas: [DocumentDelta], in documents: Documents
  ) -> Change? {
    let concerned = evaluations(concernedBy: deltas)
    if concerned.isEmpty { return nil }
    return update(in: documents) { evaluation, reader in
      if evaluation.isTruncated {
        evaluation.evaluateFromNothing(&reader)
      } else {
        evaluation.follow(concerned, &reader)
        // What is not reached any more may have met the limit.
        if evaluation.isTruncated { evaluation.evaluateFromNothing(&reader) }
      }
    }
  }

  /// Evaluates anew, for one that has not followed all changes.
  mutating func updateFromNothing<Documents: QueryDocuments>(in documents: Documents) -> Change {
    update(in: documents) { $0.evaluateFromNothing(&$1) }
  }

  /// Whether a limit kept it from looking on. Then each change that concerns it has it done from
  /// nothing, and costs `stepCount`.
  var isTruncated: Bool { table.truncatedCount > 0 }

  func isConcerned(by deltas: [DocumentDelta]) -> Bool { !evaluations(concernedBy: deltas).isEmpty }

  private mutating func update<Documents>(
    in documents: Documents,
    _ body: (inout QueryEvaluation, inout DocumentReader<Documents>) -> Void
  ) -> Change {
    let oldVerdict = verdict
    var reader = DocumentReader(documents)
    body(&self, &reader)
    let (added, removed) = places.endUpdate()
    return Change(
      oldVerdict: oldVerdict, newVerdict: verdict, touchAdded: added, touchRemoved: removed)
  }

  private func evaluations(concernedBy deltas: [DocumentDelta]) -> Set<Evaluation.ID> {
    var concerned = Set<Evaluation.ID>()
    for delta in deltas {
      let document = ExactText(delta.document)
      for path in delta.changed + delta.removed {
        let path = path.map { ExactText($0) }
        places.forEachReader(ofChangeAt: path, in: document) { concerned.insert($0) }
      }
    }
    return concerned
  }

  private mutating func follow<Documents>(
    _ concerned: Set<Evaluation.ID>, _ reader: inout DocumentReader<Documents>
  ) {
    var left = evaluateAgain(concerned.sorted(), &reader)
    left += settle(&reader)
    // An earlier part is Yes now: the later ones are not to be touched.
    let outdated = table.raisedAlternatives.filter { looksTooFar($0) }
    table.raisedAlternatives = []
    if !outdated.isEmpty {
      left += evaluateAgain(outdated.sorted(), &reader)
      left += settle(&reader)
    }
    forgetUnreached(left)
  }

  /// Whether it looked at parts behind one that is Yes.
  private func looksTooFar(_ id: Evaluation.ID) -> Bool {
    let evaluation = table[id]
    guard evaluation.state == .done, case .any(let parts) = query.schema[evaluation.node],
      let first = evaluation.children.first(where: { table[$0].verdict == .yes }),
      let part = parts.firstIndex(of: table[first].node)
    else { return false }
    return evaluation.isAlternative && part + 1 < evaluation.partCount
  }

  /// Does evaluations again. Gives evaluations that one of them does not need any more.
  private mutating func evaluateAgain<Documents>(
    _ ids: [Evaluation.ID], _ reader: inout DocumentReader<Documents>
  ) -> [Evaluation.ID] {
    table.raise(ids)
    var oldChildren: [[Evaluation.ID]] = []
    for id in ids {
      releasePlaces(of: id)
      oldChildren.append(table.removeEdges(of: id, from: 0))
      table.clearFindings(of: id)
    }
    for id in ids where id == Self.root || !table[id].parents.isEmpty {
      guard table[id].state == .pending else { continue }
      expand([(id, value(of: id, &reader))], &reader)
    }
    var left: [Evaluation.ID] = []
    for (id, old) in zip(ids, oldChildren) {
      let children = Set(table[id].children)
      left += old.filter { !children.contains($0) }
    }
    // What was not reached has no edges and no places.
    for id in ids where table[id].state == .pending { left.append(id) }
    return left
  }

  // MARK: What is not reached

  private mutating func forgetUnreached(_ candidates: [Evaluation.ID]) {
    var open = candidates
    var isReachedElsewhere = false
    while let id = open.popLast() {
      guard id != Self.root, table[id].state != .free else { continue }
      if table[id].parents.isEmpty {
        open += disconnect(id)
        table.remove(id)
      } else {
        isReachedElsewhere = true
      }
    }
    // Its parents may be a circle that nothing else reaches.
    if isReachedElsewhere { forgetAllUnreached() }
  }

  private mutating func forgetAllUnreached() {
    var reached: Set = [Self.root]
    var open = [Self.root]
    while let id = open.popLast() {
      for child in table[id].children where reached.insert(child).inserted { open.append(child) }
    }
    let unreached = table.allIDs.filter { !reached.contains($0) }
    for id in unreached { _ = disconnect(id) }
    for id in unreached { table.remove(id) }
  }

  /// Takes places and edges from an evaluation; gives its children.
  private mutating func disconnect(_ id: Evaluation.ID) -> [Evaluation.ID] {
    releasePlaces(of: id)
    let children = table.removeEdges(of: id, from: 0)
    table.clearFindings(of: id)
    return children
  }
}
