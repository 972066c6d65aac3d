// A document: a history of changes, and the state that follows from it. A value: copies are
// independent, and a copy costs memory only once one of the two is changed.

/// An Automerge document.
///
/// All replicas that hold the same changes show the same state, whatever the order in which the
/// changes came. A document is read through `view`, changed by `edit`, and brought together with
/// others by `apply`. Nothing here blocks, and nothing that comes from outside traps: it throws, and
/// the document is as it was.
public struct Document: Sendable {
  /// The writer of the edits made here. Two documents that are edited must never share one.
  public var actor: ActorID
  package var store: Store
  var queue = WaitingQueue()

  /// A document without changes.
  public init(actor: ActorID = .random(), limits: Limits = Limits()) {
    self.actor = actor
    store = Store(limits: limits)
  }

  /// What the document may ask of this process.
  public var limits: Limits { store.limits }

  // MARK: History

  /// The changes on which no other depends, ascending. They name the document's state.
  public var heads: [ChangeHash] { store.changes.heads.map { store.changes[$0].hash }.sorted() }

  /// The applied changes in the order in which they were applied.
  public var history: History { History(store: store) }

  /// Whether the change is applied.
  public func contains(_ hash: ChangeHash) -> Bool { store.changes.index(of: hash) != nil }

  /// An applied change.
  public func change(_ hash: ChangeHash) -> Change? {
    store.changes.index(of: hash).map { store.change(at: $0) }
  }

  /// The applied changes that are neither among `heads` nor their ancestors, in order of application.
  /// Heads that are not applied are ignored, because another replica may know more.
  public func changes(since heads: some Sequence<ChangeHash>) -> [Change] {
    let known = store.ancestors(of: heads.compactMap { store.changes.index(of: $0) })
    return known.indices.filter { !known[$0] }.map { store.change(at: UInt32($0)) }
  }

  /// What waiting changes depend on and nobody has brought, ascending.
  public var missingDependencies: [ChangeHash] { queue.missing }

  /// Changes that wait for others.
  public var waitingChanges: [Change] { queue.changes }

  // MARK: Reading

  /// The present state.
  public var view: View { View(store: store, overlay: nil) }

  /// The state of `heads` and their ancestors. It takes time in proportion to the document.
  public func view(at heads: some Sequence<ChangeHash>) throws(AutomergeError) -> View {
    var indexes: [UInt32] = []
    for head in heads {
      guard let index = store.changes.index(of: head) else {
        throw AutomergeError(.unknownHeads, .init(change: head))
      }
      indexes.append(index)
    }
    return View(store: store, overlay: Overlay(of: store, at: indexes))
  }

  /// What changes a reader of the state at `old` has to make to come to the state at `new`.
  public func difference(
    from old: some Sequence<ChangeHash>, to new: some Sequence<ChangeHash>
  ) throws(AutomergeError) -> [Patch] {
    try view(at: new).difference(from: view(at: old))
  }

  // MARK: Saving

  /// The document chunk, and then the changes that wait. Large columns are deflated if
  /// `compressing`.
  ///
  /// Two replicas of one state may save different bytes, because they applied the changes in
  /// different orders. Compare heads.
  public func save(compressing: Bool = true) -> [UInt8] {
    var bytes = DocumentEncoding.chunk(of: store, compressing: compressing)
    for change in queue.changes { bytes.append(contentsOf: change.bytes) }
    return bytes
  }

  /// The chunks of the changes since `heads`, to be appended to a file that holds the older ones.
  public func saveIncrement(since heads: some Sequence<ChangeHash>) -> [UInt8] {
    changes(since: heads).flatMap(\.bytes)
  }
}

/// The applied changes of a document, in order of application. Each is written anew when it is
/// asked for.
public struct History: RandomAccessCollection, Sendable {
  let store: Store

  /// The place of the first change.
  public var startIndex: Int { 0 }
  /// The number of changes.
  public var endIndex: Int { store.changes.count }
  /// The change at a place, written anew.
  public subscript(index: Int) -> Change { store.change(at: UInt32(index)) }

  /// The hashes of all changes, without writing these.
  public var hashes: [ChangeHash] { store.changes.records.map(\.hash) }

  /// Operations of all changes. Documents do not store deletions.
  public func operationCount(includingDeletions: Bool) -> Int {
    includingDeletions
      ? store.rows.count : store.rows.count { $0.action != Action.delete }
  }
}
