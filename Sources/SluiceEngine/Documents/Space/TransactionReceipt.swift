// What became of a transaction, and how it is kept for those who ask again.

internal import SluiceAutomerge

/// What became of a transaction.
package struct TransactionReceipt: Sendable, Equatable {
  package enum Status: String, Sendable {
    case ok
    /// Trying again on the heads that the result names may work.
    case conflict
    /// This request will never work.
    case rejected
  }

  /// Why a read or write is refused. The raw values are stable.
  package enum Code: String, Sendable, CaseIterable {
    case readConflict = "ReadConflict"
    case staleBaseHeads = "StaleBaseHeads"
    case incorrectGenesis = "IncorrectGenesis"
    case missingDependency = "MissingDependency"
    case duplicateChange = "DuplicateChange"
    case nonMonotonicSequence = "NonMonotonicSeq"
    /// The bytes are no change, or one that Automerge's rules refuse.
    case invalidChange = "InvalidChange"
    case invariantFailed = "InvariantFailed"
    case branchClosed = "BranchClosed"
    case invalidBranch = "InvalidBranch"
    case invalidDoc = "InvalidDoc"
    case serverMergeDisabled = "ServerMergeDisabled"
    case clientTransactionReused = "ClientTxIdReused"
    case limitReached = "LimitReached"
  }

  /// What became of one read or write.
  package struct Result: Sendable, Equatable {
    package var ref: BranchReference
    package var status: Status
    /// The heads that the branch has now: after an ok, those of this transaction.
    package var heads: Heads?
    /// The branch's last sequence number, after an ok.
    package var sequence: Int64?
    /// How many changes were new to the branch, those of merged branches and the server's included.
    package var applied = 0
    package var root: Root?
    package var code: Code?
    package var reason: String?
    /// The invariant that failed.
    package var invariant: String?

    package init(ref: BranchReference, status: Status) {
      self.ref = ref
      self.status = status
    }

    static func refusal(
      _ ref: BranchReference, _ status: Status, _ code: Code, _ reason: String,
      heads: Heads? = nil
    ) -> Result {
      var result = Result(ref: ref, status: status)
      result.code = code
      result.reason = reason
      result.heads = heads
      return result
    }
  }

  /// The epoch; 0 if nothing was stored.
  package var transactionID: Int64
  package var committedAt: String?
  /// Of each write, in the request's order.
  package var results: [Result]
  /// Whatever was refused, reads included. Empty if and only if the transaction is stored.
  package var conflicts: [Result]

  package var isStored: Bool { transactionID > 0 }

  static func refused(_ results: [Result], _ conflicts: [Result]) -> TransactionReceipt {
    TransactionReceipt(
      transactionID: 0, committedAt: nil, results: results, conflicts: conflicts)
  }

  // MARK: Keeping

  /// A stored transaction's receipt as a JSON text.
  var json: String {
    SpaceValue.map([
      .init("txId", .integer(transactionID)),
      .init("committedAt", committedAt.map { .text($0) } ?? .null),
      .init("results", .list(results.map(\.value))),
    ]).json
  }

  /// What `json` wrote; nil for other texts.
  init?(json: String) {
    guard let value = SpaceValue(parsing: json), let transactionID = value["txId"]?.integer,
      let results = value["results"]?.list
    else { return nil }
    self.transactionID = transactionID
    committedAt = value["committedAt"]?.text
    self.results = results.compactMap { Result($0) }
    conflicts = []
    guard self.results.count == results.count else { return nil }
  }

  package init(
    transactionID: Int64, committedAt: String?, results: [Result], conflicts: [Result]
  ) {
    self.transactionID = transactionID
    self.committedAt = committedAt
    self.results = results
    self.conflicts = conflicts
  }
}

extension TransactionReceipt.Result {
  fileprivate var value: SpaceValue {
    .map([
      .init("docId", .text(ref.docID)), .init("branch", .text(ref.branch)),
      .init("newHeads", heads?.value ?? .null),
      .init("seq", sequence.map { .integer($0) } ?? .null),
      .init("applied", .integer(Int64(applied))),
      .init("root", root.map { .text($0.rawValue) } ?? .null),
    ])
  }

  fileprivate init?(_ value: SpaceValue) {
    guard let docID = value["docId"]?.text, let branch = value["branch"]?.text,
      let applied = value["applied"]?.integer
    else { return nil }
    self.init(ref: BranchReference(docID, branch: branch), status: .ok)
    if let hashes = value["newHeads"]?.texts {
      heads = Heads(hashes.compactMap(ChangeHash.init(hex:)))
    }
    sequence = value["seq"]?.integer
    self.applied = Int(applied)
    root = value["root"]?.text.flatMap(Root.init(rawValue:))
  }
}
