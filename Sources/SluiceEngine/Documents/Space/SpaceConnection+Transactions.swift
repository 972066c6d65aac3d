// The tables `tx`, `tx_docs`, `tx_reads` and `tx_dedup`, and the ways from a time to an epoch and from
// an epoch to heads.

internal import SluiceAutomerge

/// A row of `tx`.
struct TransactionRow {
  var id: Int64
  var committedAt: String
  var previousHash: [UInt8]
  var bodyHash: [UInt8]
  var hash: [UInt8]
  /// The server's, of this transaction's hash. The last transaction of each group has one; for the
  /// others it stands in for theirs.
  var signature: [UInt8]?
  var serverKey: [UInt8]?
  var client: String?
  var clientTransactionID: String?
  var clientSignature: [UInt8]?
  var token: String?
  var invariantsDigest: [UInt8]?
}

/// A row of `tx_docs`: what one transaction did to one branch.
struct TransactionBranchRow {
  var transactionID: Int64
  var branchID: Int64
  var baseHeads: Heads
  var heads: Heads
  var sequence: Int64
  /// The names of the branches that it closed.
  var closes: [String] = []
}

extension SpaceConnection {
  private static let transactionColumns = """
    tx_id, committed_at, prev_tx_hash, tx_body_hash, tx_hash, server_sig, server_pubkey, client, \
    client_tx_id, client_sig, ucan_jwt, invariants_digest
    """

  private static func transactionRow(_ row: EngineStatement) -> TransactionRow {
    TransactionRow(
      id: row.integer(0), committedAt: row.text(1), previousHash: row.bytes(2),
      bodyHash: row.bytes(3), hash: row.bytes(4), signature: row.optionalBytes(5),
      serverKey: row.optionalBytes(6), client: row.optionalText(7),
      clientTransactionID: row.optionalText(8), clientSignature: row.optionalBytes(9),
      token: row.optionalText(10), invariantsDigest: row.optionalBytes(11))
  }

  func lastTransaction() throws(DatabaseError) -> TransactionRow? {
    try first(
      "SELECT \(Self.transactionColumns) FROM tx ORDER BY tx_id DESC LIMIT 1",
      read: Self.transactionRow)
  }

  func transaction(_ id: Int64) throws(DatabaseError) -> TransactionRow? {
    try first(
      "SELECT \(Self.transactionColumns) FROM tx WHERE tx_id = ?1", .integer(id),
      read: Self.transactionRow)
  }

  /// Transactions after an epoch, in order, until `body` gives false.
  func transactions(
    after epoch: Int64, _ body: (TransactionRow) throws(DatabaseError) -> Bool
  ) throws(DatabaseError) {
    try query(
      "SELECT \(Self.transactionColumns) FROM tx WHERE tx_id > ?1 ORDER BY tx_id",
      .integer(epoch)
    ) { (row) throws(DatabaseError) in try body(Self.transactionRow(row)) }
  }

  /// The last epoch that was committed at this time (in the stored form) or before; 0 if none was.
  /// Epochs are numbered without a gap, and their times never fall.
  func epoch(at time: String) throws(DatabaseError) -> Int64 {
    var low: Int64 = 0
    var high = try lastTransaction()?.id ?? 0
    while low < high {
      let middle = (low + high + 1) / 2
      let committedAt = try first(
        "SELECT committed_at FROM tx WHERE tx_id = ?1", .integer(middle)
      ) { $0.text(0) }
      guard let committedAt else { throw .damaged("transaction \(middle) is not there") }
      if committedAt <= time { low = middle } else { high = middle - 1 }
    }
    return low
  }

  /// Where a branch stood after an epoch. The heads are nil where no transaction has left them. Before
  /// a branch was made, it stands where the branch stood that it leaves.
  func position(
    of record: BranchRecord, at epoch: Int64
  ) throws(DatabaseError) -> (sequence: Int64, heads: Heads?, epoch: Int64) {
    var record = record
    var bound = Int64.max
    while true {
      var position: (sequence: Int64, heads: Heads?, epoch: Int64)
      if let change = try lastChange(of: record.id, upTo: epoch) {
        position = (change.sequence, change.heads, change.transactionID)
      } else if epoch >= record.origin.epoch || record.parent == nil {
        position = (record.origin.sequence, record.origin.heads, record.origin.epoch)
      } else if let parent = record.parent, let next = try branch(id: parent.branchID),
        next.id < record.id
      {
        bound = min(bound, parent.sequence)
        record = next
        continue
      } else {
        throw .damaged("the parent of \(record.ref) is not there")
      }
      if position.sequence > bound { position = (bound, nil, position.epoch) }
      return position
    }
  }

  // MARK: Branches of a transaction

  private static let branchColumns =
    "tx_id, branch_id, base_heads_json, heads_json, seq_no, closes_json"

  private static func branchRow(_ row: EngineStatement) -> TransactionBranchRow {
    TransactionBranchRow(
      transactionID: row.integer(0), branchID: row.integer(1),
      baseHeads: Heads(json: row.text(2)) ?? .none, heads: Heads(json: row.text(3)) ?? .none,
      sequence: row.integer(4),
      closes: row.optionalText(5).flatMap { SpaceValue(parsing: $0)?.texts } ?? [])
  }

  /// What a transaction did, by branch.
  func branches(ofTransaction id: Int64) throws(DatabaseError) -> [TransactionBranchRow] {
    var rows: [TransactionBranchRow] = []
    try query(
      "SELECT \(Self.branchColumns) FROM tx_docs WHERE tx_id = ?1 ORDER BY branch_id",
      .integer(id)
    ) { row in
      rows.append(Self.branchRow(row))
      return true
    }
    return rows
  }

  /// What the last transaction up to an epoch did to a branch.
  func lastChange(
    of branchID: Int64, upTo epoch: Int64
  ) throws(DatabaseError) -> TransactionBranchRow? {
    try first(
      """
      SELECT \(Self.branchColumns) FROM tx_docs WHERE branch_id = ?1 AND tx_id <= ?2
      ORDER BY tx_id DESC LIMIT 1
      """, .integer(branchID), .integer(epoch), read: Self.branchRow)
  }

  /// What a transaction did to a branch.
  func change(
    of branchID: Int64, by transactionID: Int64
  ) throws(DatabaseError) -> TransactionBranchRow? {
    try first(
      "SELECT \(Self.branchColumns) FROM tx_docs WHERE branch_id = ?1 AND tx_id = ?2",
      .integer(branchID), .integer(transactionID), read: Self.branchRow)
  }

  func insert(_ row: TransactionBranchRow) throws(DatabaseError) {
    let closes =
      row.closes.isEmpty ? nil : SpaceValue.list(row.closes.map { .text($0) }).json
    try run(
      "INSERT INTO tx_docs(\(Self.branchColumns)) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
      .integer(row.transactionID), .integer(row.branchID), .text(row.baseHeads.json),
      .text(row.heads.json), .integer(row.sequence), SpaceParameter(closes))
  }

  func insert(_ row: TransactionRow) throws(DatabaseError) {
    try run(
      """
      INSERT INTO tx(\(Self.transactionColumns))
      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
      """, .integer(row.id), .text(row.committedAt), .blob(row.previousHash),
      .blob(row.bodyHash), .blob(row.hash), SpaceParameter(row.signature),
      SpaceParameter(row.serverKey),
      SpaceParameter(row.client), SpaceParameter(row.clientTransactionID),
      SpaceParameter(row.clientSignature), SpaceParameter(row.token),
      SpaceParameter(row.invariantsDigest))
  }

  func sign(_ id: Int64, _ signature: [UInt8], key: [UInt8]) throws(DatabaseError) {
    try run(
      "UPDATE tx SET server_sig = ?2, server_pubkey = ?3 WHERE tx_id = ?1", .integer(id),
      .blob(signature), .blob(key))
  }

  // MARK: Reads

  func insertRead(
    _ number: Int64, of transactionID: Int64, branchID: Int64, heads: Heads
  ) throws(DatabaseError) {
    try run(
      "INSERT INTO tx_reads VALUES (?1, ?2, ?3, ?4)", .integer(transactionID), .integer(number),
      .integer(branchID), .text(heads.json))
  }

  func reads(
    ofTransaction id: Int64
  ) throws(DatabaseError) -> [(branchID: Int64, heads: Heads)] {
    var reads: [(branchID: Int64, heads: Heads)] = []
    try query(
      "SELECT branch_id, heads_json FROM tx_reads WHERE tx_id = ?1 ORDER BY read_no", .integer(id)
    ) { row in
      reads.append((row.integer(0), Heads(json: row.text(1)) ?? .none))
      return true
    }
    return reads
  }

  // MARK: Receipts

  func receipt(
    client: String, clientTransactionID: String
  ) throws(DatabaseError) -> (digest: [UInt8], json: String, transactionID: Int64)? {
    try first(
      """
      SELECT request_digest, receipt_json, tx_id FROM tx_dedup
      WHERE client = ?1 AND client_tx_id = ?2
      """, .text(client), .text(clientTransactionID)
    ) { ($0.bytes(0), $0.text(1), $0.integer(2)) }
  }

  func insertReceipt(
    client: String, clientTransactionID: String, digest: [UInt8], transactionID: Int64,
    json: String
  ) throws(DatabaseError) {
    try run(
      "INSERT INTO tx_dedup VALUES (?1, ?2, ?3, ?4, ?5)", .text(client),
      .text(clientTransactionID), .blob(digest), .integer(transactionID), .text(json))
  }
}
