// The chain of a space's transactions: each is hashed with the hash of the one before, and signed by
// the server. So nobody can change, drop or insert one without a trace.

internal import SluiceAutomerge

/// What a transaction's hash covers.
struct ChainBody {
  struct Write {
    var ref: BranchReference
    var baseHeads: Heads
    var changes: [ChangeHash]
    var newHeads: Heads
    var rootHash: [UInt8]
    var closes: [String]
  }

  var previousHash: [UInt8]
  var transactionID: Int64
  var committedAt: String
  var client: String?
  var clientTransactionID: String?
  /// By document and branch.
  var writes: [Write]
  var reads: [(ref: BranchReference, heads: Heads)]
  var invariantsDigest: [UInt8]?

  static let firstPreviousHash = [UInt8](repeating: 0, count: 32)

  var value: SpaceValue {
    .map([
      .init("client", client.map { .text($0) } ?? .null),
      .init("clientTxId", clientTransactionID.map { .text($0) } ?? .null),
      .init("committedAt", .text(committedAt)),
      .init("invariants", invariantsDigest.map { .text(hexText($0)) } ?? .null),
      .init("prev", .text(hexText(previousHash))),
      .init("reads", .list(reads.map { Self.value($0.ref, [.init("heads", $0.heads.value)]) })),
      .init("txId", .integer(transactionID)),
      .init("writes", .list(writes.map(\.value))),
    ])
  }

  fileprivate static func value(
    _ ref: BranchReference, _ members: [SpaceValue.Member]
  ) -> SpaceValue {
    .map([.init("branch", .text(ref.branch)), .init("doc", .text(ref.docID))] + members)
  }

  /// SHA-256 of the hash before and the body's digest.
  func hashes(_ notary: SpaceNotary) -> (body: [UInt8], transaction: [UInt8]) {
    let body = notary.digest(value)
    return (body, notary.sha256(previousHash + body))
  }
}

extension ChainBody.Write {
  fileprivate var value: SpaceValue {
    ChainBody.value(
      ref,
      [
        .init("baseHeads", baseHeads.value),
        .init("changes", .list(changes.map { .text($0.description) })),
        .init("closes", .list(closes.map { .text($0) })), .init("newHeads", newHeads.value),
        .init("rootRef", .text(hexText(rootHash))),
      ])
  }
}
