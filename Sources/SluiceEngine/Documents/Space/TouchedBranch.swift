// What a transaction has changed of a branch in memory, and how it is taken back.

internal import SluiceAutomerge

/// Touched under the lock of `LiveBranches` alone, as the branch itself.
final class TouchedBranch {
  let live: LiveBranch
  let before: BranchState
  private let recordBefore: BranchRecord
  private let mark: Document.Mark
  private let byteCountSinceSnapshot: Int
  /// Its changes that this transaction brought, in order.
  var added: [Change] = []
  /// The names of the branches that were merged and closed.
  var closes: [String] = []
  /// What the invariants have to know of the state before.
  var memories: [(invariant: Invariant, memory: InvariantMemory)] = []

  init(_ live: LiveBranch) {
    self.live = live
    before = live.state
    recordBefore = live.record
    mark = live.document.mark
    byteCountSinceSnapshot = live.byteCountSinceSnapshot
  }

  var ref: BranchReference { live.record.ref }

  /// The heads before, as a writer names them: an empty document's head is its genesis.
  var isRecordChanged: Bool { live.record != recordBefore }

  /// Makes the branch what it was. Costs as much as the document if operations were applied.
  func undo() {
    live.document.rewind(to: mark)
    live.state = before
    live.record = recordBefore
    live.json = nil
    live.byteCountSinceSnapshot = byteCountSinceSnapshot
  }
}
