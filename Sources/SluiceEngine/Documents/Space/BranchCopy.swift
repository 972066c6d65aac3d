// A branch as one thread reads it: a value, which stays as it is while the writer goes on.

internal import SluiceAutomerge

struct BranchCopy: Sendable {
  var record: BranchRecord
  /// Where the branch stands, as far as it is durable.
  var state: BranchState
  /// Its document, which may hold changes that are not yet durable.
  var document: Document

  init(_ loaded: LoadedBranch) {
    record = loaded.record
    state = loaded.state
    document = loaded.document
  }

  init(_ live: LiveBranch) {
    record = live.record
    state = live.committed ?? live.state
    document = live.document
  }

  /// How many of the document's changes are durable, the genesis included.
  var changeCount: Int { Int(state.sequence) + record.genesisCount }

  var isAhead: Bool { document.history.count > changeCount }

  /// The view of a state of this branch.
  func view(of state: DocumentState) throws(AutomergeError) -> View {
    if !isAhead, state.sequence == self.state.sequence { return document.view }
    return try document.view(at: state.heads.hashes)
  }

  // MARK: Points

  /// Where the branch stood at a point that is not in the file.
  func state(at point: DocumentPoint) throws(SpaceError) -> DocumentState? {
    switch point {
    case .tip: return tip
    case .epoch(let epoch) where epoch >= state.epoch: return tip
    case .sequence(let sequence):
      guard sequence >= 0 else {
        throw SpaceError(.invalidPoint, "a sequence number is not negative")
      }
      if sequence >= state.sequence { return tip }
      return DocumentState(
        ref: record.ref, epoch: nil, sequence: sequence, heads: heads(at: sequence))
    case .heads(let heads): return try state(at: heads)
    case .epoch(let epoch):
      guard epoch >= 0 else { throw SpaceError(.invalidPoint, "an epoch is not negative") }
      return nil
    case .time: return nil
    }
  }

  var tip: DocumentState {
    DocumentState(
      ref: record.ref, epoch: state.epoch, sequence: state.sequence, heads: state.heads)
  }

  private func state(at heads: Heads) throws(SpaceError) -> DocumentState {
    if heads == state.heads { return tip }
    let known = isAhead ? Set(document.history.hashes.prefix(changeCount)) : nil
    for hash in heads.hashes {
      guard known?.contains(hash) ?? document.contains(hash) else {
        throw SpaceError(.invalidPoint, "the branch \(record.ref) does not know the head \(hash)")
      }
    }
    return DocumentState(ref: record.ref, epoch: nil, sequence: nil, heads: heads)
  }

  /// The heads after the change with this number.
  func heads(at sequence: Int64) -> Heads {
    sequence == 0
      ? .none : Heads(ascending: document.heads(ofFirst: Int(sequence) + record.genesisCount))
  }
}
