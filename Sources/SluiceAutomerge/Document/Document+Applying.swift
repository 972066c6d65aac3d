// Changes of other replicas. A batch is applied whole or not at all; what lacks dependencies waits.

extension Document {
  /// What became of a batch.
  public struct Application: Sendable {
    /// Now applied, in this order. Changes that had waited are among them.
    public var applied: [ChangeHash] = []
    /// Changes that had waited since an earlier batch, and were found wrong once their dependencies
    /// had come. They are gone.
    public var discarded: [AutomergeError] = []
  }

  /// Applies changes in any order. Those that lack dependencies wait until these come; known ones
  /// are ignored. Throws if a change of the batch is wrong; then nothing has changed.
  @discardableResult
  public mutating func apply(
    _ changes: some Sequence<Change>
  ) throws(AutomergeError) -> Application {
    let checkpoint = store.checkpoint
    var batch = Batch(firstTicket: queue.nextTicket)
    do throws(AutomergeError) {
      for change in changes { try take(change, &batch) }
      try applyWaiting(&batch)
    } catch {
      store.cutBack(to: checkpoint)
      let store = store
      let order = batch.queueOrder ?? queue.order
      queue.restore(
        order: order.filter { $0 < batch.firstTicket }, removed: batch.removed
      ) { change in
        change.dependencies.filter { store.changes.index(of: $0) == nil }
      }
      throw error
    }
    if checkpoint.rows == 0 {
      store.takeEffectAtOnce()
    } else {
      store.takeEffect(checkpoint.rows..<store.rows.count)
    }
    return batch.application
  }

  /// Applies one change.
  @discardableResult
  public mutating func apply(_ change: Change) throws(AutomergeError) -> Application {
    try apply(CollectionOfOne(change))
  }

  /// Applies what the other document has and this one has not. What waits there stays there.
  @discardableResult
  public mutating func merge(_ other: Document) throws(AutomergeError) -> Application {
    try apply(other.changes(since: heads))
  }

  private struct Batch {
    var application = Application()
    /// Tickets from here on are those of this batch's changes that had to wait.
    let firstTicket: UInt64
    /// The queue's order before anything left it.
    var queueOrder: [UInt64]?
    /// Changes of earlier batches that left the queue.
    var removed: [UInt64: Change] = [:]
  }

  private mutating func take(_ change: Change, _ batch: inout Batch) throws(AutomergeError) {
    if contains(change.hash) || queue.contains(change.hash) { return }
    var dependencies: [UInt32] = []
    var missing: [ChangeHash] = []
    for hash in change.dependencies {
      if let index = store.changes.index(of: hash) {
        dependencies.append(index)
      } else {
        missing.append(hash)
      }
    }
    if missing.isEmpty {
      try admit(change, dependencies, &batch)
    } else {
      try queue.append(change, missing: missing, limits: limits)
    }
  }

  private mutating func admit(
    _ change: Change, _ dependencies: [UInt32], _ batch: inout Batch
  ) throws(AutomergeError) {
    do {
      try store.admit(change.contents, hash: change.hash, dependencies: dependencies)
    } catch {
      throw error.inChange(change.hash)
    }
    batch.application.applied.append(change.hash)
    queue.arrived(change.hash)
  }

  /// Applies what waited and lacks nothing any more.
  private mutating func applyWaiting(_ batch: inout Batch) throws(AutomergeError) {
    if queue.count > 0 { batch.queueOrder = queue.order }
    while let (ticket, change) = queue.takeReady() {
      let isOfBatch = ticket >= batch.firstTicket
      if !isOfBatch { batch.removed[ticket] = change }
      let checkpoint = store.checkpoint
      do {
        try admit(change, change.dependencies.compactMap { store.changes.index(of: $0) }, &batch)
      } catch {
        if isOfBatch { throw error }
        store.cutBack(to: checkpoint)
        batch.application.discarded.append(error)
      }
    }
  }
}
