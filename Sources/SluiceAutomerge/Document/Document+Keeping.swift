// What a keeper of many documents asks besides: to take changes back, how far a part of the history
// goes, and what a document weighs.

extension Document {
  /// A state to which `rewind` can go back. It holds nothing but the ends of tables.
  package struct Mark: Sendable { fileprivate let checkpoint: Store.Checkpoint }

  /// The present state. Nothing may wait for dependencies.
  package var mark: Mark { Mark(checkpoint: store.checkpoint) }

  /// Takes all changes since the mark back. No other `rewind` may have gone behind the mark. It takes
  /// time in proportion to the document, if a change since the mark has operations.
  package mutating func rewind(to mark: Mark) {
    let hadEffect = store.rows.count > mark.checkpoint.rows
    guard store.changes.count > mark.checkpoint.changes else { return }
    store.cutBack(to: mark.checkpoint)
    if hadEffect { store.rebuildEffects() }
  }

  /// How many changes of the actor are applied.
  package func sequence(of actor: ActorID) -> UInt64 {
    store.actors.index(of: actor.bytes).map { UInt64(store.actors.changes[Int($0)].count) } ?? 0
  }

  /// By place in `history`: whether the change is one of `heads` or an ancestor of one.
  package func ancestry(
    of heads: some Sequence<ChangeHash>
  ) throws(AutomergeError) -> [Bool] {
    var indexes: [UInt32] = []
    for head in heads {
      guard let index = store.changes.index(of: head) else {
        throw AutomergeError(.unknownHeads, .init(change: head))
      }
      indexes.append(index)
    }
    return store.ancestors(of: indexes)
  }

  /// The heads of the first changes of `history`, ascending. It takes time in proportion to them.
  package func heads(ofFirst changeCount: Int) -> [ChangeHash] {
    heads(among: [Bool](repeating: true, count: changeCount))
  }

  /// The heads of some changes, ascending: those on which no other of these depends. By place in
  /// `history`; changes behind the end are not among them.
  package func heads(among isIncluded: [Bool]) -> [ChangeHash] {
    var isHead = isIncluded
    for index in isIncluded.indices where isIncluded[index] {
      for dependency in store.changes.dependencies(of: store.changes[UInt32(index)]) {
        isHead[Int(dependency)] = false
      }
    }
    return isHead.indices.filter { isHead[$0] }.map { store.changes[UInt32($0)].hash }.sorted()
  }

  /// The document of the first changes of `history`. It takes time in proportion to them.
  package func prefix(_ changeCount: Int) throws(AutomergeError) -> Document {
    var document = Document(actor: actor, limits: limits)
    try document.apply(history.prefix(changeCount))
    return document
  }

  /// About how much memory the document takes, in bytes. Costs the same for every document.
  package var memoryByteCount: Int {
    let perRow = MemoryLayout<OperationRow>.stride + 16
    let perChange = MemoryLayout<ChangeRecord>.stride + 24
    return 4096 + store.contents.capacity + store.rows.capacity * perRow
      + store.changes.count * perChange + store.objects.count * 192
  }
}
