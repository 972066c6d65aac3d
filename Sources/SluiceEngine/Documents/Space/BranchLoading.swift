// How a branch comes into memory: the latest snapshot that stands on its way from the first branch,
// and the changes behind it. A snapshot is a cache: one that does not prove itself is passed over.

internal import SluiceAutomerge

/// A branch as the file has it.
struct LoadedBranch {
  var record: BranchRecord
  var state: BranchState
  var document: Document
  /// Up to here the newest snapshot goes that was used; 0 without one.
  var snapshotSequence: Int64
}

extension SpaceConnection {
  /// Loads a branch and proves that its changes give its heads; nil if there is none. Everything is
  /// read as it was at one time. It takes time in proportion to the document.
  func load(
    _ ref: BranchReference, usingSnapshots: Bool = true
  ) throws(DatabaseError) -> LoadedBranch? {
    try consistently { () throws(DatabaseError) -> LoadedBranch? in
      guard let record = try branch(ref) else { return nil }
      let state = try state(of: record.id)
      let (document, snapshotSequence) = try document(
        of: record, upTo: state.sequence, usingSnapshots: usingSnapshots)
      let loaded = LoadedBranch(
        record: record, state: state, document: document, snapshotSequence: snapshotSequence)
      guard document.heads(genesisCount: record.genesisCount) == state.heads else {
        throw .damaged("the changes of \(ref) give other heads than are stored; see `verify`")
      }
      return loaded
    }
  }

  /// The document of a branch's changes up to a sequence number.
  func document(
    of record: BranchRecord, upTo last: Int64, usingSnapshots: Bool
  ) throws(DatabaseError) -> (document: Document, snapshotSequence: Int64) {
    var segments = try segments(of: record, upTo: last)
    var document: Document?
    var snapshotSequence: Int64 = 0
    var rest: [ChangeSegment] = []
    while usingSnapshots, document == nil, let segment = segments.popLast() {
      if let (found, sequence) = try snapshot(
        of: segment.branchID, upTo: segment.range.upperBound, genesisCount: record.genesisCount)
      {
        document = found
        snapshotSequence = sequence
        if sequence < segment.range.upperBound {
          rest.append(
            ChangeSegment(
              branchID: segment.branchID, range: sequence + 1...segment.range.upperBound))
        }
      } else {
        rest.append(segment)
      }
    }
    var changes: [Change] = []
    var whole: Document
    if let document {
      whole = document
      segments = rest.reversed()
    } else {
      whole = Document(actor: Self.readerActor)
      segments += rest.reversed()
      if record.root == .genesis { changes.append(try Self.genesis(of: record.ref.docID)) }
    }
    for segment in segments {
      try self.changes(of: segment) { (change) throws(DatabaseError) in
        changes.append(try change.decoded())
      }
    }
    do throws(AutomergeError) { try whole.apply(changes) } catch {
      throw .damaged("the changes of \(record.ref) do not follow from one another: \(error)")
    }
    guard whole.history.count == Int(last) + record.genesisCount else {
      throw .damaged("the changes of \(record.ref) lack some on which they depend")
    }
    return (whole, snapshotSequence)
  }

  /// Documents that are read are edited under other names.
  private static let readerActor = ActorID([0])!

  private static func genesis(of docID: String) throws(DatabaseError) -> Change {
    do throws(AutomergeError) { return try Genesis.change(of: docID) } catch {
      throw .damaged("the document \(docID) can have no genesis: \(error)")
    }
  }

  // MARK: Snapshots

  /// The newest snapshot of a branch up to a sequence number that proves itself.
  private func snapshot(
    of branchID: Int64, upTo last: Int64, genesisCount: Int
  ) throws(DatabaseError) -> (document: Document, sequence: Int64)? {
    var found: (document: Document, sequence: Int64)?
    try query(
      """
      SELECT upto_seq_no, heads_json, bytes FROM am_snapshots
      WHERE branch_id = ?1 AND upto_seq_no <= ?2 ORDER BY upto_seq_no DESC
      """, .integer(branchID), .integer(last)
    ) { row in
      guard let document = try? Document(loading: row.bytes(2), actor: Self.readerActor),
        document.history.count == Int(row.integer(0)) + genesisCount,
        document.waitingChanges.isEmpty
      else { return true }
      guard document.heads(genesisCount: genesisCount) == Heads(json: row.text(1)) else {
        return true
      }
      found = (document, row.integer(0))
      return false
    }
    return found
  }
}

extension Document {
  /// The heads as they are stored: a genesis is none. All other changes of a document that has one
  /// follow from it, so it is a head only if it is alone.
  func heads(genesisCount: Int) -> Heads {
    history.count == genesisCount ? .none : Heads(ascending: heads)
  }
}
