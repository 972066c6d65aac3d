// What the users of a space are told of each transaction, once it is durable.

/// One stored transaction.
package struct SpaceCommit: Sendable, Equatable {
  package struct Change: Sendable, Equatable {
    package var ref: BranchReference
    /// The sequence numbers that are new; empty if the branch was only closed or made.
    package var sequences: Range<Int64>
    package var heads: Heads
  }

  package var epoch: Int64
  package var committedAt: String
  package var changes: [Change]
}

/// Is told of commits, in the order of their epochs.
package protocol SpaceObserver: AnyObject, Sendable {
  /// Called by the thread that has committed, before its client is answered, and holding up the
  /// space's next commit. It must be quick, and must not call the space.
  func spaceHasCommitted(_ notices: [SpaceCommit])
}
