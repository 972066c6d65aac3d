// The tables `am_change_blobs` and `am_change_index`, and the way from a branch through its ancestors.

internal import SluiceAutomerge

/// Changes of one branch that stand one after the other.
struct ChangeSegment: Equatable {
  var branchID: Int64
  /// Sequence numbers.
  var range: ClosedRange<Int64>
}

/// A change as it is stored.
struct StoredChange {
  var sequence: Int64
  var transactionID: Int64
  var hash: ChangeHash
  var bytes: [UInt8]

  /// Decoded and proved.
  func decoded() throws(DatabaseError) -> Change {
    do throws(AutomergeError) {
      let change = try Change(bytes)
      if change.hash == hash { return change }
    } catch {
      throw .damaged("the change \(hash) cannot be read: \(error)")
    }
    throw .damaged("the bytes of the change \(hash) are those of another one")
  }
}

extension SpaceConnection {
  /// How many branches may leave one another.
  private static let lineageDepthMax = 10_000

  /// Where the changes of a branch stand up to a sequence number, in their order.
  func segments(
    of record: BranchRecord, after first: Int64 = 0, upTo last: Int64
  ) throws(DatabaseError) -> [ChangeSegment] {
    var segments: [ChangeSegment] = []
    var record = record
    var last = last
    for _ in 0..<Self.lineageDepthMax {
      let start = max(record.parent?.sequence ?? 0, first)
      if last > start {
        segments.append(ChangeSegment(branchID: record.id, range: start + 1...last))
        last = start
      }
      guard last > first, let parent = record.parent else { return segments.reversed() }
      guard let next = try branch(id: parent.branchID) else {
        throw .damaged("the parent of \(record.ref) is not there")
      }
      record = next
    }
    throw .damaged("the branches of \(record.ref.docID) leave one another without an end")
  }

  /// Calls `body` with the changes of a segment in order. Throws SQLITE_CORRUPT if one is missing.
  func changes(
    of segment: ChangeSegment, _ body: (StoredChange) throws(DatabaseError) -> Void
  ) throws(DatabaseError) {
    var next = segment.range.lowerBound
    try query(
      """
      SELECT seq_no, tx_id, bytes_hash, bytes FROM am_change_index
      JOIN am_change_blobs USING (change_id)
      WHERE branch_id = ?1 AND seq_no BETWEEN ?2 AND ?3 ORDER BY seq_no
      """, .integer(segment.branchID), .integer(segment.range.lowerBound),
      .integer(segment.range.upperBound)
    ) { (row) throws(DatabaseError) in
      guard row.integer(0) == next, let hash = ChangeHash(row.bytes(2)) else { return false }
      next += 1
      try body(
        StoredChange(
          sequence: row.integer(0), transactionID: row.integer(1), hash: hash,
          bytes: row.bytes(3)))
      return true
    }
    guard next == segment.range.upperBound + 1 else {
      throw .damaged("branch \(segment.branchID) has no change \(next)")
    }
  }

  func change(_ hash: ChangeHash) throws(DatabaseError) -> [UInt8]? {
    try first("SELECT bytes FROM am_change_blobs WHERE bytes_hash = ?1", .blob(hash.bytes)) {
      $0.bytes(0)
    }
  }

  /// Keeps a change, once for the whole space. Gives its row.
  func keep(_ change: Change) throws(DatabaseError) -> Int64 {
    try run(
      "INSERT OR IGNORE INTO am_change_blobs(bytes_hash, bytes) VALUES (?1, ?2)",
      .blob(change.hash.bytes), .blob(change.bytes))
    if changedRowCount > 0 { return lastRow }
    let row = try first(
      "SELECT change_id FROM am_change_blobs WHERE bytes_hash = ?1", .blob(change.hash.bytes)
    ) { $0.integer(0) }
    guard let row else { throw .damaged("a change is there, and is not found") }
    return row
  }

  /// Makes a change the next one of a branch.
  func index(
    change: Int64, branchID: Int64, sequence: Int64, transactionID: Int64
  ) throws(DatabaseError) {
    try run(
      "INSERT INTO am_change_index VALUES (?1, ?2, ?3, ?4)", .integer(branchID),
      .integer(sequence), .integer(change), .integer(transactionID))
  }
}
