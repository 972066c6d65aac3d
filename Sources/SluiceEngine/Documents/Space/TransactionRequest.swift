// What a client asks for in one transaction. `TransactionReceipt` is the answer.

internal import SluiceAutomerge

/// Reads that must still hold, and writes over several documents. All or nothing.
package struct TransactionRequest: Sendable {
  /// A read on which the writes rest: the branch must still have these heads.
  package struct Read: Sendable {
    package var ref: BranchReference
    package var heads: Heads

    package init(_ ref: BranchReference, heads: Heads) {
      self.ref = ref
      self.heads = heads
    }
  }

  /// A branch of the same document that is merged, and the heads that it must have.
  package struct MergeSource: Sendable {
    package var branch: String
    package var heads: Heads

    package init(branch: String, heads: Heads) {
      self.branch = branch
      self.heads = heads
    }
  }

  /// Where a write begins.
  package enum Base: Sendable {
    /// At these heads.
    case heads(Heads)
    /// Wherever the branch stands.
    case current
  }

  package struct Write: Sendable {
    package var ref: BranchReference
    package var base: Base
    /// Chunks of one change each, compressed or not.
    package var changes: [[UInt8]]
    /// Branches whose changes come along.
    package var mergeOf: [MergeSource]
    /// Whether the branch may have gone on since `base`. The changes are a fork then.
    package var allowsServerMerge: Bool
    /// Whether the server adds one empty change, if the branch ends with several heads.
    package var mergesHeads: Bool
    /// Whether the branches of `mergeOf` are closed, if this branch ends with one head.
    package var closesSources: Bool

    package init(
      _ ref: BranchReference, base: Base, changes: [[UInt8]], mergeOf: [MergeSource] = [],
      allowsServerMerge: Bool = false, mergesHeads: Bool = false, closesSources: Bool = false
    ) {
      self.ref = ref
      self.base = base
      self.changes = changes
      self.mergeOf = mergeOf
      self.allowsServerMerge = allowsServerMerge
      self.mergesHeads = mergesHeads
      self.closesSources = closesSources
    }
  }

  /// Who asks. The space stores what it is told; to prove it is the boundary's part.
  package struct Client: Sendable, Equatable {
    /// The client's did:key, or any name.
    package var name: String
    package var signature: [UInt8]?
    package var token: String?

    package init(name: String, signature: [UInt8]? = nil, token: String? = nil) {
      self.name = name
      self.signature = signature
      self.token = token
    }
  }

  /// With it, the same request gets the same receipt, however often it comes. Of one client.
  package var clientTransactionID: String?
  package var client: Client?
  package var reads: [Read]
  package var writes: [Write]

  package init(
    clientTransactionID: String? = nil, client: Client? = nil, reads: [Read] = [],
    writes: [Write]
  ) {
    self.clientTransactionID = clientTransactionID
    self.client = client
    self.reads = reads
    self.writes = writes
  }

  // MARK: Limits

  static let writeCountMax = 1024
  static let readCountMax = 4096
  static let changeCountMax = 1 << 16
  static let mergeCountMax = 64
  static let clientTextByteCountMax = 1024

  /// Why the request is too large to be looked at; nil if it is not.
  var flaw: String? {
    if writes.count > Self.writeCountMax { return "more than \(Self.writeCountMax) writes" }
    if reads.count > Self.readCountMax { return "more than \(Self.readCountMax) reads" }
    if writes.reduce(0, { $0 + $1.changes.count }) > Self.changeCountMax {
      return "more than \(Self.changeCountMax) changes"
    }
    if writes.contains(where: { $0.mergeOf.count > Self.mergeCountMax }) {
      return "more than \(Self.mergeCountMax) branches to be merged in one write"
    }
    if let id = clientTransactionID, id.isEmpty || id.utf8.count > Self.clientTextByteCountMax {
      return "a clientTxId has 1 to \(Self.clientTextByteCountMax) bytes"
    }
    if let client {
      if client.name.utf8.count > Self.clientTextByteCountMax {
        return "the client's name is too long"
      }
      if client.signature?.count ?? 0 > Self.clientTextByteCountMax {
        return "the client's signature is too long"
      }
      if client.token?.utf8.count ?? 0 > AccessToken.byteCountMax { return "the token is too long" }
    }
    return nil
  }

  // MARK: Digest

  /// The request without its id and its client, as bytes: two requests that ask for the same have the
  /// same. Texts and lists are preceded by their length.
  var identifyingBytes: [UInt8] {
    var bytes: [UInt8] = []
    func append(_ count: Int) {
      unsafe withUnsafeBytes(of: UInt64(count).littleEndian) { unsafe bytes.append(contentsOf: $0) }
    }
    func append(_ text: String) {
      append(text.utf8.count)
      bytes.append(contentsOf: text.utf8)
    }
    func append(_ heads: Heads) {
      append(heads.count)
      for hash in heads.hashes { bytes.append(contentsOf: hash.bytes) }
    }
    append(reads.count)
    for read in reads {
      append(read.ref.docID)
      append(read.ref.branch)
      append(read.heads)
    }
    append(writes.count)
    for write in writes {
      append(write.ref.docID)
      append(write.ref.branch)
      switch write.base {
      case .heads(let heads):
        append(1)
        append(heads)
      case .current: append(0)
      }
      append(write.changes.count)
      for change in write.changes {
        append(change.count)
        bytes.append(contentsOf: change)
      }
      append(write.mergeOf.count)
      for source in write.mergeOf {
        append(source.branch)
        append(source.heads)
      }
      append(
        (write.allowsServerMerge ? 1 : 0) | (write.mergesHeads ? 2 : 0)
          | (write.closesSources ? 4 : 0))
    }
    return bytes
  }
}
