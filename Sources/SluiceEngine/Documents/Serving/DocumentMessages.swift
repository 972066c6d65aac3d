// The messages of a client in the space's own terms, and back.

internal import SluiceAutomerge
internal import SluiceDocuments

extension BranchReference {
  init(_ ref: DocumentReference) { self.init(ref.docID, branch: ref.branch) }
}

extension DocumentReference {
  init(_ ref: BranchReference) { self.init(ref.docID, branch: ref.branch) }
}

extension DocumentPoint {
  init(_ point: SluiceDocuments.DocumentPoint) {
    self =
      switch point {
      case .tip: .tip
      case .epoch(let epoch): .epoch(epoch)
      case .time(let time): .time(time)
      case .heads(let hashes): .heads(Heads(hashes))
      case .sequence(let sequence): .sequence(sequence)
      }
  }
}

extension SluiceDocuments.DocumentState {
  init(_ state: DocumentState) {
    self.init(epoch: state.epoch, sequence: state.sequence, heads: state.heads.hashes)
  }
}

extension DocumentRoot {
  init(_ root: Root) {
    self =
      switch root {
      case .genesis: .genesis
      case .plain: .plain
      }
  }
}

extension DocumentBranch {
  init(_ branch: BranchDescription) {
    self.init(DocumentReference(branch.ref))
    heads = branch.heads.hashes
    sequence = branch.sequence
    epoch = branch.epoch
    rootHash = branch.rootHash
    root = branch.root.map(DocumentRoot.init)
    isClosed = branch.isClosed
    closedAt = branch.closedAt
    createdAt = branch.createdAt
    parent = branch.parent.map { Parent(branch: $0.branch, sequence: $0.sequence) }
    mergedInto = branch.mergedInto
  }
}

extension DocumentChange {
  init(_ change: SequencedChange) {
    self.init(
      sequence: change.sequence, epoch: change.epoch, hash: change.hash, bytes: change.bytes)
  }
}

extension DocumentCommit {
  /// Of what a transaction did to one branch; nil without one.
  init?(_ notice: SpaceCommit) {
    guard let change = notice.changes.first else { return nil }
    self.init(
      epoch: notice.epoch, committedAt: notice.committedAt, sequences: change.sequences,
      heads: change.heads.hashes)
  }
}

extension ContentKind {
  init(_ kind: DocumentContentKind) {
    self =
      switch kind {
      case .change: .change
      case .snapshot: .snapshot
      case .blob: .blob
      }
  }
}

extension DocumentContent {
  init(_ content: Content) {
    let kind: DocumentContentKind =
      switch content.kind {
      case .change: .change
      case .snapshot: .snapshot
      case .blob: .blob
      }
    self.init(kind, content.bytes, meta: content.meta)
  }
}

extension DocumentVerification {
  init(_ verification: SpaceVerification) {
    self.init()
    transactionCount = Int64(verification.transactionCount)
    branchCount = Int64(verification.branchCount)
    changeCount = Int64(verification.changeCount)
    snapshotCount = Int64(verification.snapshotCount)
    receiptCount = Int64(verification.receiptCount)
    findings = verification.findings
  }
}

extension TransactionRequest {
  init(_ transaction: DocumentTransaction) {
    self.init(
      clientTransactionID: transaction.clientTransactionID,
      client: transaction.client.map { Client(name: $0) },
      reads: transaction.reads.map { Read(BranchReference($0.ref), heads: Heads($0.heads)) },
      writes: transaction.writes.map(Write.init))
  }
}

extension TransactionRequest.Write {
  init(_ write: DocumentTransaction.Write) {
    self.init(
      BranchReference(write.ref), base: write.base.map { .heads(Heads($0)) } ?? .current,
      changes: write.changes,
      mergeOf: write.mergeOf.map {
        TransactionRequest.MergeSource(branch: $0.branch, heads: Heads($0.heads))
      },
      allowsServerMerge: write.allowsServerMerge, mergesHeads: write.mergesHeads,
      closesSources: write.closesSources)
  }
}

extension DocumentReceipt {
  init(_ receipt: TransactionReceipt) {
    self.init(
      transactionID: receipt.transactionID, committedAt: receipt.committedAt,
      results: receipt.results.map(Result.init), conflicts: receipt.conflicts.map(Result.init))
  }
}

extension DocumentReceipt.Result {
  init(_ result: TransactionReceipt.Result) {
    let status: DocumentReceipt.Status =
      switch result.status {
      case .ok: .ok
      case .conflict: .conflict
      case .rejected: .rejected
      }
    self.init(DocumentReference(result.ref), status: status)
    heads = result.heads?.hashes
    sequence = result.sequence
    applied = Int64(result.applied)
    root = result.root.map(DocumentRoot.init)
    code = result.code?.rawValue
    reason = result.reason
    invariant = result.invariant
  }
}
