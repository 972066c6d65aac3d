// Documents, branches and their history.

internal import SluiceAutomerge

extension Space {
  /// The ids of all documents, ascending.
  package func documents() throws(SpaceError) -> [String] {
    try readers.read { (connection) throws(DatabaseError) in
      var ids: [String] = []
      try connection.query("SELECT doc_id FROM docs ORDER BY doc_id") { row in
        ids.append(row.text(0))
        return true
      }
      return ids
    }
  }

  /// The branches of a document, or of all, by document and name.
  package func branches(of docID: String? = nil) throws(SpaceError) -> [BranchDescription] {
    try readers.read { (connection) throws(DatabaseError) in
      var descriptions: [BranchDescription] = []
      for record in try connection.branches(of: docID) {
        descriptions.append(try connection.description(of: record))
      }
      return descriptions
    }
  }

  /// One branch.
  package func branch(_ ref: BranchReference) throws(SpaceError) -> BranchDescription {
    try ref.check()
    let description = try readers.read { (connection) throws(DatabaseError) in
      try connection.branch(ref).map { record throws(DatabaseError) in
        try connection.description(of: record)
      }
    }
    guard let description else { throw missing(ref) }
    return description
  }

  /// Makes a branch and, if need be, its document. If the branch is there, nothing happens. Nothing is
  /// copied: up to where it leaves the other, the changes are the other's.
  @discardableResult
  package func createBranch(
    _ ref: BranchReference, from origin: BranchOrigin = .empty
  ) throws(SpaceError) -> BranchDescription {
    try ref.check()
    var epoch: Int64?
    switch origin {
    case .branch(_, .epoch(let wanted)): epoch = wanted
    case .branch(_, .time(let text)): epoch = try self.epoch(at: text)
    case .branch, .empty: break
    }
    if case .branch(let name, _) = origin { try warm(BranchReference(ref.docID, branch: name)) }
    var outcome = Result<Void, SpaceError>.success(())
    try write { (writer) throws(DatabaseError) in
      outcome = try writer.createBranch(ref, from: origin, epoch: epoch)
    }
    try outcome.get()
    return try branch(ref)
  }

  /// Closes a branch: from now on it is only read. Closing it again changes nothing.
  @discardableResult
  package func closeBranch(_ ref: BranchReference) throws(SpaceError) -> BranchDescription {
    try ref.check()
    var isThere = false
    try write { (writer) throws(DatabaseError) in isThere = try writer.closeBranch(ref) }
    guard isThere else { throw missing(ref) }
    return try branch(ref)
  }

  /// Merges one branch of a document into another, by one change of the server's if there are several
  /// heads then. One transaction. It wants `enableServerMerge`.
  package func merge(
    _ branch: String, into target: BranchReference, closingSource: Bool = true
  ) throws(SpaceError) -> TransactionReceipt {
    let heads = try state(BranchReference(target.docID, branch: branch), at: .tip).heads
    return try submit(
      TransactionRequest(writes: [
        .init(
          target, base: .current, changes: [], mergeOf: [.init(branch: branch, heads: heads)],
          allowsServerMerge: true, mergesHeads: true, closesSources: closingSource)
      ]))
  }

  /// What transactions have done to a branch, from the newest on, at most `countMax`.
  package func log(
    _ ref: BranchReference, before epoch: Int64 = .max, countMax: Int = 100
  ) throws(SpaceError) -> [SpaceCommit] {
    try ref.check()
    let notices = try readers.read { (connection) throws(DatabaseError) -> [SpaceCommit]? in
      guard let record = try connection.branch(ref) else { return nil }
      return try connection.log(record, before: epoch, countMax: countMax)
    }
    guard let notices else { throw missing(ref) }
    return notices
  }

  /// What one transaction has done.
  package func transaction(_ epoch: Int64) throws(SpaceError) -> SpaceCommit? {
    try readers.read { (connection) throws(DatabaseError) in
      guard let row = try connection.transaction(epoch) else { return nil }
      var notice = SpaceCommit(epoch: row.id, committedAt: row.committedAt, changes: [])
      for change in try connection.branches(ofTransaction: epoch) {
        guard let record = try connection.branch(id: change.branchID) else {
          throw .damaged("branch \(change.branchID) is not there")
        }
        let before = try connection.position(of: record, at: epoch - 1).sequence
        notice.changes.append(
          SpaceCommit.Change(
            ref: record.ref, sequences: min(before, change.sequence) + 1..<change.sequence + 1,
            heads: change.heads))
      }
      return notice
    }
  }
}

extension SpaceConnection {
  fileprivate func description(
    of record: BranchRecord
  ) throws(DatabaseError) -> BranchDescription {
    let state = try state(of: record.id)
    var description = BranchDescription(
      ref: record.ref, heads: state.heads, sequence: state.sequence, epoch: state.epoch,
      rootHash: try rootHash(of: record.id), root: record.root, isClosed: record.isClosed,
      closedAt: record.closedAt, createdAt: record.createdAt)
    if let parent = record.parent, let other = try branch(id: parent.branchID) {
      description.parent = (other.ref.branch, parent.sequence)
    }
    if let target = record.mergedInto {
      description.mergedInto = try branch(id: target)?.ref.branch
    }
    return description
  }

  fileprivate func log(
    _ record: BranchRecord, before epoch: Int64, countMax: Int
  ) throws(DatabaseError) -> [SpaceCommit] {
    var notices: [SpaceCommit] = []
    var later: (epoch: Int64, time: String, sequence: Int64, heads: Heads)?
    func finish(_ first: Int64) {
      guard let change = later, notices.count < countMax else { return }
      notices.append(
        SpaceCommit(
          epoch: change.epoch, committedAt: change.time,
          changes: [
            .init(
              ref: record.ref, sequences: min(first, change.sequence) + 1..<change.sequence + 1,
              heads: change.heads)
          ]))
    }
    try query(
      """
      SELECT tx_id, committed_at, seq_no, heads_json FROM tx_docs JOIN tx USING (tx_id)
      WHERE branch_id = ?1 AND tx_id < ?2 ORDER BY tx_id DESC LIMIT ?3
      """, .integer(record.id), .integer(epoch), .integer(Int64(min(countMax, 1 << 20)) + 1)
    ) { row in
      finish(row.integer(2))
      later = (row.integer(0), row.text(1), row.integer(2), Heads(json: row.text(3)) ?? .none)
      return true
    }
    finish(record.origin.sequence)
    return notices
  }
}
