// The tables `docs`, `branches` and `am_heads`.

internal import CEngine
internal import SluiceAutomerge

extension SpaceConnection {
  private static let columns = """
    branch_id, doc_id, name, root, parent_branch_id, parent_seq_no, origin_seq_no, \
    origin_heads_json, origin_tx_id, closed, closed_at, created_at, merged_into_branch_id
    """

  private static func record(_ row: EngineStatement) -> BranchRecord {
    var record = BranchRecord(
      id: row.integer(0), ref: BranchReference(row.text(1), branch: row.text(2)),
      root: row.optionalText(3).flatMap(Root.init(rawValue:)),
      origin: BranchState(
        heads: Heads(json: row.text(7)) ?? .none, sequence: row.integer(6), epoch: row.integer(8)),
      createdAt: row.text(11))
    if let parent = row.optionalInteger(4) {
      record.parent = .init(branchID: parent, sequence: row.integer(5))
    }
    record.isClosed = row.integer(9) != 0
    record.closedAt = row.optionalText(10)
    record.mergedInto = row.optionalInteger(12)
    return record
  }

  func branch(_ ref: BranchReference) throws(DatabaseError) -> BranchRecord? {
    try first(
      "SELECT \(Self.columns) FROM branches WHERE doc_id = ?1 AND name = ?2", .text(ref.docID),
      .text(ref.branch), read: Self.record)
  }

  func branch(id: Int64) throws(DatabaseError) -> BranchRecord? {
    try first(
      "SELECT \(Self.columns) FROM branches WHERE branch_id = ?1", .integer(id),
      read: Self.record)
  }

  /// The branches of a document, or of all, by document and name.
  func branches(of docID: String?) throws(DatabaseError) -> [BranchRecord] {
    var records: [BranchRecord] = []
    let condition = docID == nil ? "?1 IS NULL" : "doc_id = ?1"
    try query(
      "SELECT \(Self.columns) FROM branches WHERE \(condition) ORDER BY doc_id, name",
      SpaceParameter(docID)
    ) { row in
      records.append(Self.record(row))
      return true
    }
    return records
  }

  func hasDocument(_ docID: String) throws(DatabaseError) -> Bool {
    try first("SELECT 1 FROM docs WHERE doc_id = ?1", .text(docID)) { _ in true } ?? false
  }

  func lastBranchID() throws(DatabaseError) -> Int64 {
    try first("SELECT coalesce(max(branch_id), 0) FROM branches") { $0.integer(0) } ?? 0
  }

  /// Throws SQLITE_CORRUPT for heads that cannot be read.
  func state(of branchID: Int64) throws(DatabaseError) -> BranchState {
    let state = try first(
      "SELECT heads_json, seq_no, tx_id, committed_at FROM am_heads WHERE branch_id = ?1",
      .integer(branchID)
    ) { row -> BranchState? in
      guard let heads = Heads(json: row.text(0)) else { return nil }
      return BranchState(
        heads: heads, sequence: row.integer(1), epoch: row.integer(2),
        committedAt: row.optionalText(3))
    }
    guard let state = state ?? nil else {
      throw .damaged("branch \(branchID) has no heads that can be read")
    }
    return state
  }

  func rootHash(of branchID: Int64) throws(DatabaseError) -> [UInt8] {
    try first("SELECT root_hash FROM am_heads WHERE branch_id = ?1", .integer(branchID)) {
      $0.bytes(0)
    } ?? []
  }

  // MARK: Changing

  func insertDocument(_ docID: String, at time: String) throws(DatabaseError) {
    try run("INSERT OR IGNORE INTO docs VALUES (?1, ?2)", .text(docID), .text(time))
  }

  func insert(_ record: BranchRecord) throws(DatabaseError) {
    try run(
      """
      INSERT INTO branches(\(Self.columns))
      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
      """, .integer(record.id), .text(record.ref.docID), .text(record.ref.branch),
      SpaceParameter(record.root?.rawValue), SpaceParameter(record.parent?.branchID),
      SpaceParameter(record.parent?.sequence), .integer(record.origin.sequence),
      .text(record.origin.heads.json), .integer(record.origin.epoch),
      .integer(record.isClosed ? 1 : 0), SpaceParameter(record.closedAt),
      .text(record.createdAt), SpaceParameter(record.mergedInto))
  }

  /// Writes what may change of a branch.
  func update(_ record: BranchRecord) throws(DatabaseError) {
    try run(
      """
      UPDATE branches SET root = ?2, closed = ?3, closed_at = ?4, merged_into_branch_id = ?5
      WHERE branch_id = ?1
      """, .integer(record.id), SpaceParameter(record.root?.rawValue),
      .integer(record.isClosed ? 1 : 0), SpaceParameter(record.closedAt),
      SpaceParameter(record.mergedInto))
  }

  func put(
    _ state: BranchState, rootHash: [UInt8], of branchID: Int64
  ) throws(DatabaseError) {
    try run(
      "REPLACE INTO am_heads VALUES (?1, ?2, ?3, ?4, ?5, ?6)", .integer(branchID),
      .text(state.heads.json), .integer(state.sequence), .integer(state.epoch),
      .blob(rootHash), SpaceParameter(state.committedAt))
  }
}

extension DatabaseError {
  /// What the file holds does not fit together.
  static func damaged(_ message: String) -> DatabaseError {
    DatabaseError(SQLITE_CORRUPT, message)
  }
}
