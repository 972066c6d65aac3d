// The one writer of a space. It keeps the end of the chain in memory, tries each transaction on the
// live branches, and writes those that hold; the transactions of one group share a commit and a sync.
//
// Used by the leader of the space's WriteTurn alone.

internal import CEngine
internal import SluiceAutomerge
internal import SluiceSystem

final class SpaceWriter: TransactionalStore {
  let connection: SpaceConnection
  let live: LiveBranches
  let notary: SpaceNotary
  private let clock: any RecordClock
  /// Makes the authors of this process's merge changes.
  private let secret: [UInt8]

  /// What the next transaction follows from.
  struct End {
    var epoch: Int64 = 0
    var hash = ChainBody.firstPreviousHash
    var committedAt = ""
    var lastBranchID: Int64 = 0
    var settings = SpaceSettings()
    var invariants: [Invariant] = []
    var invariantsDigest: [UInt8]?
  }

  private(set) var end = End()
  /// The file's version after this writer's last commit; another means that another process wrote.
  private var versionLeft: UInt32?

  /// What the transactions of the present group have done in memory.
  private struct Group {
    var endBefore: End
    /// The first touch of each branch.
    var touched: [BranchReference: TouchedBranch] = [:]
    var created: [LiveBranch] = []
    var pinned: [LiveBranch] = []
    var notices: [SpaceCommit] = []
  }

  private var group: Group?
  /// Is told what was committed.
  private let publish: ([SpaceCommit]) -> Void

  init(
    _ connection: SpaceConnection, _ live: LiveBranches, _ notary: SpaceNotary,
    clock: any RecordClock, publish: @escaping ([SpaceCommit]) -> Void
  ) throws(DatabaseError) {
    self.connection = connection
    self.live = live
    self.notary = notary
    self.clock = clock
    self.publish = publish
    var generator = SystemRandomNumberGenerator()
    secret = (0..<16).map { _ in UInt8.random(in: 0...255, using: &generator) }
    (end, versionLeft) = try connection.consistently { () throws(DatabaseError) in
      (try readEnd(), connection.fileVersion)
    }
  }

  private func readEnd() throws(DatabaseError) -> End {
    var end = End()
    if let last = try connection.lastTransaction() {
      end.epoch = last.id
      end.hash = last.hash
      end.committedAt = last.committedAt
    }
    end.lastBranchID = try connection.lastBranchID()
    end.settings = try connection.settings()
    end.invariants = try connection.invariants()
    end.invariantsDigest = digest(of: end.invariants)
    return end
  }

  private func digest(of invariants: [Invariant]) -> [UInt8]? {
    invariants.isEmpty ? nil : notary.digest(.list(invariants.map(\.value)))
  }

  // MARK: Groups

  func atomically<R>(_ body: () throws(DatabaseError) -> R) throws(DatabaseError) -> R {
    do throws(DatabaseError) {
      let result = try connection.transaction { () throws(DatabaseError) in
        if let versionLeft, connection.fileVersion != versionLeft {
          live.table.withLock { $0.removeAll() }
          end = try readEnd()
        }
        group = Group(endBefore: end)
        let result = try body()
        try sign()
        return result
      }
      versionLeft = connection.fileVersion
      finishGroup(isCommitted: true)
      return result
    } catch {
      versionLeft = connection.fileVersion
      finishGroup(isCommitted: false)
      throw error
    }
  }

  private func finishGroup(isCommitted: Bool) {
    guard let group else { return }
    self.group = nil
    live.table.withLock { table in
      if !isCommitted {
        end = group.endBefore
        for branch in group.created { table.remove(branch.record.ref) }
        for branch in group.touched.values { branch.undo() }
      }
      for branch in group.created { branch.isNew = false }
      for branch in group.pinned {
        branch.committed = nil
        branch.isPinned = false
        table.account(for: branch)
      }
    }
    if isCommitted, !group.notices.isEmpty { publish(group.notices) }
    live.endGroup()
  }

  /// Signs the end of the chain, and so all that the group has added to it.
  private func sign() throws(DatabaseError) {
    guard end.epoch > group?.endBefore.epoch ?? 0 else { return }
    guard let signature = notary.signature(of: end.hash) else {
      throw DatabaseError(SQLITE_NOMEM, "there is no memory for the signature")
    }
    try connection.sign(end.epoch, signature, key: notary.publicKey)
  }

  // MARK: Branches

  /// The branch in memory, where it stays until the group ends; nil if there is none.
  func obtain(_ ref: BranchReference) throws(DatabaseError) -> LiveBranch? {
    if let branch = live.table.withLock({ pin($0.find(ref)) }) { return branch }
    guard let loaded = try connection.load(ref) else { return nil }
    return live.table.withLock { table in
      // A reader may have been faster.
      if let branch = pin(table.find(ref)) { return branch }
      let branch = LiveBranch(loaded)
      table.insert(branch)
      return pin(branch)
    }
  }

  private func pin(_ branch: LiveBranch?) -> LiveBranch? {
    guard let branch, !branch.isPinned else { return branch }
    branch.isPinned = true
    group?.pinned.append(branch)
    return branch
  }

  // MARK: Transactions

  func submit(_ prepared: PreparedTransaction) throws(DatabaseError) -> TransactionReceipt {
    if let flaw = prepared.flaw { return flaw }
    if let receipt = try receipt(of: prepared) { return receipt }
    let now = clock.realtimeMilliseconds
    let time = max(SpaceTime.text(millisecondsSince1970: now), end.committedAt)
    let context = AttemptContext(
      settings: end.settings, invariants: end.invariants,
      branches: try branches(of: prepared), nextBranchID: end.lastBranchID + 1, time: time,
      seconds: now / 1000,
      serverActor: { [secret, notary] in
        Self.serverActor(secret, $0, notary)
      })
    var attempt = TransactionAttempt(prepared, context)
    let holds = live.table.withLock { table in
      guard attempt.run() else { return false }
      keep(attempt, &table)
      return true
    }
    guard holds else { return .refused(attempt.results, attempt.conflicts) }
    return try store(attempt, prepared, at: time)
  }

  /// The receipt of the same request, if it was stored before, or the refusal of another one with its
  /// id.
  private func receipt(
    of prepared: PreparedTransaction
  ) throws(DatabaseError) -> TransactionReceipt? {
    let request = prepared.request
    guard let id = request.clientTransactionID,
      let stored = try connection.receipt(
        client: request.client?.name ?? "", clientTransactionID: id)
    else { return nil }
    guard stored.digest == prepared.digest else {
      let ref = request.writes.first?.ref ?? request.reads.first?.ref ?? BranchReference("")
      return .refused(
        [], [.refusal(ref, .rejected, .clientTransactionReused, "clientTxId reused")])
    }
    guard let receipt = TransactionReceipt(json: stored.json) else {
      throw .damaged("the receipt of transaction \(stored.transactionID) cannot be read")
    }
    return receipt
  }

  private func branches(
    of prepared: PreparedTransaction
  ) throws(DatabaseError) -> [BranchReference: LiveBranch] {
    var refs = prepared.refs
    for invariant in end.invariants {
      guard case .equalOrNewer(_, let other, _) = invariant.rule,
        case .document(let id) = invariant.scope,
        prepared.writes.contains(where: { [id, other].contains($0.write.ref.docID) })
      else { continue }
      refs.insert(BranchReference(id))
      refs.insert(BranchReference(other))
    }
    var branches: [BranchReference: LiveBranch] = [:]
    for ref in refs { branches[ref] = try obtain(ref) }
    return branches
  }

  /// One writer for each branch and process: a branch that leaves another goes on under a new name.
  private static func serverActor(
    _ secret: [UInt8], _ branchID: Int64, _ notary: SpaceNotary
  ) -> ActorID {
    var bytes = secret
    unsafe withUnsafeBytes(of: branchID.littleEndian) { unsafe bytes.append(contentsOf: $0) }
    return ActorID(notary.sha256(bytes).prefix(16))!
  }

  /// Takes what an attempt has done into the group.
  private func keep(_ attempt: TransactionAttempt, _ table: inout LiveBranches.Table) {
    for branch in attempt.created {
      table.insert(branch)
      _ = pin(branch)
      group?.created.append(branch)
    }
    for branch in attempt.touched {
      if branch.live.committed == nil { branch.live.committed = branch.before }
      if group?.touched[branch.ref] == nil { group?.touched[branch.ref] = branch }
      branch.live.state.epoch = end.epoch + 1
      branch.live.state.committedAt = attempt.context.time
      branch.live.snapshotCadence = end.settings.snapshotCadence
    }
    end.lastBranchID = attempt.context.nextBranchID - 1
  }

  // MARK: Writing

  private func store(
    _ attempt: TransactionAttempt, _ prepared: PreparedTransaction, at time: String
  ) throws(DatabaseError) -> TransactionReceipt {
    let id = end.epoch + 1
    let request = prepared.request
    for branch in attempt.created {
      try connection.insertDocument(branch.record.ref.docID, at: time)
      try connection.insert(branch.record)
    }
    var body = ChainBody(
      previousHash: end.hash, transactionID: id, committedAt: time, client: request.client?.name,
      clientTransactionID: request.clientTransactionID, writes: [],
      reads: request.reads.map { ($0.ref, $0.heads) }, invariantsDigest: end.invariantsDigest)
    var notice = SpaceCommit(epoch: id, committedAt: time, changes: [])
    for branch in attempt.touched.sorted(by: { $0.live.record.id < $1.live.record.id }) {
      body.writes.append(try store(branch, transactionID: id, at: time))
      notice.changes.append(
        SpaceCommit.Change(
          ref: branch.ref, sequences: branch.before.sequence + 1..<branch.live.state.sequence + 1,
          heads: branch.live.state.heads))
    }
    for (number, read) in request.reads.enumerated() {
      guard let branch = attempt.context.branches[read.ref] else { continue }
      try connection.insertRead(
        Int64(number), of: id, branchID: branch.record.id, heads: read.heads)
    }
    let hashes = body.hashes(notary)
    try connection.insert(
      TransactionRow(
        id: id, committedAt: time, previousHash: end.hash, bodyHash: hashes.body,
        hash: hashes.transaction, client: request.client?.name,
        clientTransactionID: request.clientTransactionID,
        clientSignature: request.client?.signature, token: request.client?.token,
        invariantsDigest: end.invariantsDigest))
    let receipt = TransactionReceipt(
      transactionID: id, committedAt: time, results: attempt.results, conflicts: [])
    if let clientTransactionID = request.clientTransactionID {
      try connection.insertReceipt(
        client: request.client?.name ?? "", clientTransactionID: clientTransactionID,
        digest: prepared.digest, transactionID: id, json: receipt.json)
    }
    end.epoch = id
    end.hash = hashes.transaction
    end.committedAt = time
    group?.notices.append(notice)
    return receipt
  }

  /// Writes what a transaction has done to a branch. Only the leader changes live branches, so it may
  /// read them without the lock.
  private func store(
    _ branch: TouchedBranch, transactionID: Int64, at time: String
  ) throws(DatabaseError) -> ChainBody.Write {
    let record = branch.live.record
    var sequence = branch.before.sequence
    for change in branch.added {
      sequence += 1
      try connection.index(
        change: try connection.keep(change), branchID: record.id, sequence: sequence,
        transactionID: transactionID)
    }
    let state = branch.live.state
    let rootHash = notary.digest(state.heads.rootValue)
    try connection.put(state, rootHash: rootHash, of: record.id)
    if branch.isRecordChanged { try connection.update(record) }
    try connection.insert(
      TransactionBranchRow(
        transactionID: transactionID, branchID: record.id, baseHeads: branch.before.heads,
        heads: state.heads, sequence: sequence, closes: branch.closes))
    return ChainBody.Write(
      ref: record.ref, baseHeads: branch.before.heads, changes: branch.added.map(\.hash),
      newHeads: state.heads, rootHash: rootHash, closes: branch.closes)
  }

  // MARK: What else is written

  /// Changes the settings.
  func set(_ settings: SpaceSettings) throws(DatabaseError) {
    try connection.put(settings)
    end.settings = settings
  }

  /// Replaces all invariants.
  func set(_ invariants: [Invariant]) throws(DatabaseError) {
    try connection.put(invariants)
    end.invariants = invariants
    end.invariantsDigest = digest(of: invariants)
  }

  var now: String {
    max(SpaceTime.text(millisecondsSince1970: clock.realtimeMilliseconds), end.committedAt)
  }

  /// Keeps what a work outside of transactions is about to change of a branch.
  func touch(_ branch: LiveBranch) {
    if group?.touched[branch.record.ref] == nil {
      group?.touched[branch.record.ref] = TouchedBranch(branch)
    }
  }

  func nextBranchID() -> Int64 {
    end.lastBranchID += 1
    return end.lastBranchID
  }
}
