// Proves a space: that its chain is whole and signed, that each branch's changes give the heads that
// each transaction has stored, that each snapshot is the state that it stands for, and that each
// receipt belongs to a transaction.

internal import CEngine
internal import SluiceAutomerge

/// What `verify` has found.
package struct SpaceVerification: Sendable, Equatable {
  package var transactionCount = 0
  package var branchCount = 0
  package var changeCount = 0
  package var snapshotCount = 0
  package var receiptCount = 0
  /// What is wrong, at most `findingCountMax` of it. Empty if all is right.
  package var findings: [String] = []

  package static let findingCountMax = 1000

  package var isGood: Bool { findings.isEmpty }

  fileprivate mutating func find(_ text: String) {
    if findings.count < Self.findingCountMax { findings.append(text) }
  }
}

extension Space {
  /// Proves everything. It takes time in proportion to the space, reads it as it is at one time, and
  /// holds up nobody. Throws if the file cannot be read at all; what does not fit is a finding.
  package func verify() throws(SpaceError) -> SpaceVerification {
    let notary = notary
    return try readers.read { (connection) throws(DatabaseError) in
      var verifier = SpaceVerifier(connection: connection, notary: notary)
      try verifier.run()
      return verifier.result
    }
  }
}

private struct SpaceVerifier {
  let connection: SpaceConnection
  let notary: SpaceNotary
  var result = SpaceVerification()
  private var records: [Int64: BranchRecord] = [:]

  init(connection: SpaceConnection, notary: SpaceNotary) {
    self.connection = connection
    self.notary = notary
  }

  mutating func run() throws(DatabaseError) {
    for record in try connection.branches(of: nil) { records[record.id] = record }
    try verifyChain()
    for record in records.values.sorted(by: { $0.id < $1.id }) {
      result.branchCount += 1
      do throws(DatabaseError) { try verify(record) } catch {
        guard error.code & 0xff == SQLITE_CORRUPT else { throw error }
        result.find(error.message)
      }
    }
    try verifyReceipts()
  }

  // MARK: The chain

  private mutating func verifyChain() throws(DatabaseError) {
    var previous = ChainBody.firstPreviousHash
    var committedAt = ""
    var epoch: Int64 = 0
    var isSigned = true
    while let row = try connection.transaction(epoch + 1) {
      epoch = row.id
      result.transactionCount += 1
      if row.previousHash != previous { result.find("transaction \(epoch) follows another one") }
      if row.committedAt < committedAt { result.find("transaction \(epoch) goes back in time") }
      let hashes = try body(of: row).hashes(notary)
      if hashes.body != row.bodyHash { result.find("transaction \(epoch) has other content") }
      if hashes.transaction != row.hash { result.find("transaction \(epoch) has another hash") }
      if let signature = row.signature {
        isSigned = true
        if !notary.verifies(signature, row.hash, row.serverKey ?? []) {
          result.find("the signature of transaction \(epoch) is not the server's")
        }
      } else {
        isSigned = false
      }
      previous = row.hash
      committedAt = row.committedAt
    }
    if !isSigned { result.find("the last transaction is not signed") }
    if let last = try connection.lastTransaction(), last.id != epoch {
      result.find("there is no transaction \(epoch + 1), and one \(last.id)")
    }
  }

  private mutating func body(of row: TransactionRow) throws(DatabaseError) -> ChainBody {
    var body = ChainBody(
      previousHash: row.previousHash, transactionID: row.id, committedAt: row.committedAt,
      client: row.client, clientTransactionID: row.clientTransactionID, writes: [], reads: [],
      invariantsDigest: row.invariantsDigest)
    for change in try connection.branches(ofTransaction: row.id) {
      guard let record = records[change.branchID] else {
        result.find("transaction \(row.id) writes to branch \(change.branchID), which is not there")
        continue
      }
      var hashes: [ChangeHash] = []
      try connection.query(
        """
        SELECT bytes_hash FROM am_change_index JOIN am_change_blobs USING (change_id)
        WHERE branch_id = ?1 AND seq_no <= ?2 AND seq_no > coalesce(
          (SELECT max(seq_no) FROM tx_docs WHERE branch_id = ?1 AND tx_id < ?3), ?4)
        ORDER BY seq_no
        """, .integer(record.id), .integer(change.sequence), .integer(row.id),
        .integer(record.origin.sequence)
      ) { row in
        if let hash = ChangeHash(row.bytes(0)) { hashes.append(hash) }
        return true
      }
      body.writes.append(
        ChainBody.Write(
          ref: record.ref, baseHeads: change.baseHeads, changes: hashes, newHeads: change.heads,
          rootHash: notary.digest(change.heads.rootValue), closes: change.closes))
    }
    for read in try connection.reads(ofTransaction: row.id) {
      guard let record = records[read.branchID] else { continue }
      body.reads.append((record.ref, read.heads))
    }
    return body
  }

  // MARK: Branches

  private mutating func verify(_ record: BranchRecord) throws(DatabaseError) {
    let state = try connection.state(of: record.id)
    let (document, _) = try connection.document(
      of: record, upTo: state.sequence, usingSnapshots: false)
    let own = state.sequence - (record.parent?.sequence ?? 0)
    result.changeCount += Int(max(0, own))
    if document.heads(genesisCount: record.genesisCount) != state.heads {
      result.find("the changes of \(record.ref) give other heads")
    }
    if try connection.rootHash(of: record.id) != notary.digest(state.heads.rootValue) {
      result.find("the root hash of \(record.ref) is another")
    }
    try verifyTransactions(of: record, state, document)
    try verifySnapshots(of: record, document)
  }

  /// Walks the changes once, and compares the heads after each transaction.
  private mutating func verifyTransactions(
    of record: BranchRecord, _ state: BranchState, _ document: Document
  ) throws(DatabaseError) {
    var rows: [(epoch: Int64, base: Heads?, heads: Heads?, sequence: Int64)] = []
    try connection.query(
      """
      SELECT tx_id, base_heads_json, heads_json, seq_no FROM tx_docs WHERE branch_id = ?1
      ORDER BY tx_id
      """, .integer(record.id)
    ) { row in
      rows.append(
        (row.integer(0), Heads(json: row.text(1)), Heads(json: row.text(2)), row.integer(3)))
      return true
    }
    var heads: Set<ChangeHash> = []
    var count = 0
    func advance(to sequence: Int64) -> Heads {
      let end = min(Int(sequence) + record.genesisCount, document.history.count)
      while count < end {
        let change = document.history[count]
        for hash in change.dependencies { heads.remove(hash) }
        heads.insert(change.hash)
        count += 1
      }
      return sequence == 0 ? .none : Heads(heads)
    }
    if advance(to: record.origin.sequence) != record.origin.heads {
      result.find("\(record.ref) leaves its parent at other heads")
    }
    var before = record.origin.heads
    var sequence = record.origin.sequence
    for row in rows {
      if row.base != before || row.sequence < sequence {
        result.find("transaction \(row.epoch) begins elsewhere on \(record.ref)")
      }
      if advance(to: row.sequence) != row.heads {
        result.find("transaction \(row.epoch) leaves other heads on \(record.ref)")
      }
      before = row.heads ?? .none
      sequence = row.sequence
    }
    let epoch = rows.last?.epoch ?? record.origin.epoch
    if before != state.heads || sequence != state.sequence || epoch != state.epoch {
      result.find("\(record.ref) stands elsewhere than its last transaction left it")
    }
  }

  private mutating func verifySnapshots(
    of record: BranchRecord, _ document: Document
  ) throws(DatabaseError) {
    var found: [(sequence: Int64, heads: Heads?, root: [UInt8], bytes: [UInt8])] = []
    try connection.query(
      "SELECT upto_seq_no, heads_json, root_hash, bytes FROM am_snapshots WHERE branch_id = ?1",
      .integer(record.id)
    ) { row in
      found.append((row.integer(0), Heads(json: row.text(1)), row.bytes(2), row.bytes(3)))
      return true
    }
    for snapshot in found {
      result.snapshotCount += 1
      let count = Int(snapshot.sequence) + record.genesisCount
      guard let loaded = try? Document(loading: snapshot.bytes), count <= document.history.count,
        loaded.history.hashes == Array(document.history.hashes.prefix(count)),
        let heads = snapshot.heads, loaded.heads(genesisCount: record.genesisCount) == heads,
        snapshot.root == notary.digest(heads.rootValue)
      else {
        result.find("the snapshot of \(record.ref) at \(snapshot.sequence) is not its state")
        continue
      }
    }
  }

  // MARK: Receipts

  private mutating func verifyReceipts() throws(DatabaseError) {
    var rows: [(id: String, transactionID: Int64, json: String)] = []
    try connection.query("SELECT client_tx_id, tx_id, receipt_json FROM tx_dedup") { row in
      rows.append((row.text(0), row.integer(1), row.text(2)))
      return true
    }
    for row in rows {
      result.receiptCount += 1
      let stored = try connection.transaction(row.transactionID)
      let receipt = TransactionReceipt(json: row.json)
      if stored == nil || receipt?.transactionID != row.transactionID
        || receipt?.committedAt != stored?.committedAt || stored?.clientTransactionID != row.id
      {
        result.find("the receipt of \(row.id) is not that of transaction \(row.transactionID)")
      }
    }
  }
}
