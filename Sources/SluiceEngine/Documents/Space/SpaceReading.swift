// What a read asks for, and what it gets.

package import SluiceAutomerge

/// Which state of a branch is meant.
package enum DocumentPoint: Sendable, Equatable {
  /// The present one.
  case tip
  /// After the transaction of this epoch. The future is the present.
  case epoch(Int64)
  /// At this time of RFC 3339.
  case time(String)
  /// At these heads, which the branch knows.
  case heads(Heads)
  /// After the change with this sequence number.
  case sequence(Int64)
}

/// A state of a branch.
package struct DocumentState: Sendable, Equatable {
  package var ref: BranchReference
  /// Of the transaction that made the state, as far as it was one: nil for heads.
  package var epoch: Int64?
  /// Of the last change; nil for heads.
  package var sequence: Int64?
  package var heads: Heads
}

/// A branch, without its content.
package struct BranchDescription: Sendable, Equatable {
  package var ref: BranchReference
  package var heads: Heads
  package var sequence: Int64
  package var epoch: Int64
  package var rootHash: [UInt8]
  package var root: Root?
  package var isClosed: Bool
  package var closedAt: String?
  package var createdAt: String
  /// The branch that this one leaves, and after which of its changes.
  package var parent: (branch: String, sequence: Int64)?
  /// The branch into which this one was merged when it was closed.
  package var mergedInto: String?

  package static func == (left: BranchDescription, right: BranchDescription) -> Bool {
    left.ref == right.ref && left.heads == right.heads && left.sequence == right.sequence
      && left.epoch == right.epoch && left.rootHash == right.rootHash && left.root == right.root
      && left.isClosed == right.isClosed && left.closedAt == right.closedAt
      && left.createdAt == right.createdAt && left.parent?.branch == right.parent?.branch
      && left.parent?.sequence == right.parent?.sequence && left.mergedInto == right.mergedInto
  }
}

/// A change of a branch.
package struct SequencedChange: Sendable, Equatable {
  package var sequence: Int64
  package var epoch: Int64
  package var hash: ChangeHash
  /// The uncompressed chunk.
  package var bytes: [UInt8]
}
