// Branches are made and closed in the writer's turn, and are no transactions: they have no epoch.

internal import SluiceAutomerge

/// Where a new branch begins.
package enum BranchOrigin: Sendable {
  /// Without changes.
  case empty
  /// Where another branch of the document stands, or stood.
  case branch(String, at: DocumentPoint)
}

/// Where a branch leaves another.
private struct ForkPoint {
  /// The other's changes up to here are all among the new branch's.
  var sequence: Int64
  var heads: Heads
  /// Changes of the other behind `sequence` that are the new branch's too.
  var others: [SequencedChange] = []
  var epoch: Int64
}

extension SpaceWriter {
  /// Makes a branch, and its document if there is none. If the branch is there, nothing happens.
  func createBranch(
    _ ref: BranchReference, from origin: BranchOrigin, epoch: Int64?
  ) throws(DatabaseError) -> Result<Void, SpaceError> {
    if try obtain(ref) != nil { return .success(()) }
    var record = BranchRecord(
      id: nextBranchID(), ref: ref, origin: BranchState(), createdAt: now)
    var others: [SequencedChange] = []
    if case .branch(let name, let point) = origin {
      guard let source = try obtain(BranchReference(ref.docID, branch: name)) else {
        return .failure(
          SpaceError(.invalidBranch, "the document \(ref.docID) has no branch \(name)"))
      }
      switch try fork(BranchCopy(tip: source), at: point, epoch: epoch) {
      case .failure(let error): return .failure(error)
      case .success(let fork):
        record.root = source.record.root
        record.parent = .init(branchID: source.record.id, sequence: fork.sequence)
        record.origin = BranchState(
          heads: fork.heads, sequence: fork.sequence + Int64(fork.others.count),
          epoch: fork.epoch)
        others = fork.others
      }
    }
    try connection.insertDocument(ref.docID, at: record.createdAt)
    try connection.insert(record)
    var sequence = record.parent?.sequence ?? 0
    for change in others {
      sequence += 1
      let decoded = try StoredChange(
        sequence: change.sequence, transactionID: change.epoch, hash: change.hash,
        bytes: change.bytes
      ).decoded()
      try connection.index(
        change: try connection.keep(decoded), branchID: record.id, sequence: sequence,
        transactionID: change.epoch)
    }
    var state = record.origin
    state.committedAt = try connection.transaction(state.epoch)?.committedAt
    try connection.put(
      state, rootHash: notary.digest(state.heads.rootValue), of: record.id)
    return .success(())
  }

  /// Finds where a branch is left at a point.
  private func fork(
    _ source: BranchCopy, at point: DocumentPoint, epoch: Int64?
  ) throws(DatabaseError) -> Result<ForkPoint, SpaceError> {
    let state: DocumentState
    do throws(SpaceError) {
      if let known = try source.state(at: point) {
        state = known
      } else {
        guard let epoch else { throw SpaceError(.invalidPoint, "the time is none") }
        let position = try asSpaceError { () throws(DatabaseError) in
          try connection.position(of: source.record, at: epoch)
        }
        state = DocumentState(
          ref: source.record.ref, epoch: position.epoch, sequence: position.sequence,
          heads: position.heads ?? source.heads(at: position.sequence))
      }
    } catch {
      return .failure(error)
    }
    if let sequence = state.sequence {
      return .success(
        ForkPoint(
          sequence: sequence, heads: state.heads, epoch: try epochOf(sequence, of: source)))
    }
    // Any heads: the changes that come before all that is missing are the parent's, others are indexed.
    let isIncluded: [Bool]
    do throws(AutomergeError) {
      isIncluded = try source.document.ancestry(of: state.heads.hashes)
    } catch {
      return .failure(SpaceError(.invalidPoint, "the heads are not known: \(error)"))
    }
    let genesisCount = source.record.genesisCount
    // What a caller names may have ancestors among it, or the genesis.
    let heads = Heads(ascending: source.document.heads(among: isIncluded))
    let isGenesisAlone = isIncluded.dropFirst(genesisCount).allSatisfy { !$0 }
    let prefix = isIncluded.firstIndex(of: false) ?? isIncluded.count
    var fork = ForkPoint(
      sequence: Int64(max(0, prefix - genesisCount)), heads: isGenesisAlone ? .none : heads,
      epoch: 0)
    fork.epoch = try epochOf(fork.sequence, of: source)
    for segment in try connection.segments(
      of: source.record, after: fork.sequence, upTo: source.state.sequence)
    {
      try connection.changes(of: segment) { change in
        guard isIncluded[Int(change.sequence) - 1 + genesisCount] else { return }
        fork.others.append(
          SequencedChange(
            sequence: change.sequence, epoch: change.transactionID, hash: change.hash,
            bytes: change.bytes))
        fork.epoch = change.transactionID
      }
    }
    return .success(fork)
  }

  /// The epoch of a change of a branch; 0 before the first.
  private func epochOf(
    _ sequence: Int64, of source: BranchCopy
  ) throws(DatabaseError) -> Int64 {
    var epoch: Int64 = 0
    guard sequence > 0 else { return 0 }
    for segment in try connection.segments(
      of: source.record, after: sequence - 1, upTo: sequence)
    {
      try connection.changes(of: segment) { epoch = $0.transactionID }
    }
    return epoch
  }

  /// Closes a branch. Its first close counts.
  func closeBranch(_ ref: BranchReference) throws(DatabaseError) -> Bool {
    guard let branch = try obtain(ref) else { return false }
    let time = now
    let record = live.table.withLock { _ -> BranchRecord? in
      guard !branch.record.isClosed else { return nil }
      touch(branch)
      branch.record.isClosed = true
      branch.record.closedAt = time
      return branch.record
    }
    if let record { try connection.update(record) }
    return true
  }
}

extension BranchCopy {
  /// The branch as the writer has it, with what is not yet durable.
  init(tip live: LiveBranch) {
    record = live.record
    state = live.state
    document = live.document
  }
}
