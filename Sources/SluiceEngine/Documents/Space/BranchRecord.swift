// What is known of a branch besides its changes, and where it stands.

internal import SluiceAutomerge

/// A branch as the table `branches` has it.
struct BranchRecord: Sendable, Equatable {
  /// Where a branch leaves another.
  struct Parent: Sendable, Equatable {
    var branchID: Int64
    /// The parent's changes up to this one are the branch's too.
    var sequence: Int64
  }

  var id: Int64
  var ref: BranchReference
  /// Nil as long as the branch has no change.
  var root: Root?
  var parent: Parent?
  /// How the branch stood when it was made.
  var origin: BranchState
  var isClosed = false
  var closedAt: String?
  var createdAt: String
  var mergedInto: Int64?

  /// How many of the document's changes stand before sequence number 1.
  var genesisCount: Int { root == .genesis ? 1 : 0 }
}

/// Where a branch stands.
struct BranchState: Sendable, Equatable {
  var heads = Heads.none
  /// The number of its last change; 0 without one.
  var sequence: Int64 = 0
  /// Of the transaction that changed it last; 0 if none has.
  var epoch: Int64 = 0
  var committedAt: String?
}
