// What a client asks for in one transaction. `DocumentReceipt` is the answer.

public import SluiceAutomerge
package import SluiceWire

/// Reads that must still hold, and writes over several documents. All or nothing.
public struct DocumentTransaction: Sendable, Equatable {
  /// A read on which the writes rest: the branch must still have these heads.
  public struct Read: Sendable, Equatable {
    public var ref: DocumentReference
    public var heads: [ChangeHash]

    public init(_ ref: DocumentReference, heads: [ChangeHash]) {
      self.ref = ref
      self.heads = heads
    }
  }

  /// A branch of the same document that is merged, and the heads that it must have.
  public struct MergeSource: Sendable, Equatable {
    public var branch: String
    public var heads: [ChangeHash]

    public init(branch: String, heads: [ChangeHash]) {
      self.branch = branch
      self.heads = heads
    }
  }

  public struct Write: Sendable, Equatable {
    public var ref: DocumentReference
    /// The heads on which the changes rest; nil for wherever the branch stands.
    public var base: [ChangeHash]?
    /// Chunks of one change each, compressed or not.
    public var changes: [[UInt8]]
    /// Branches whose changes come along.
    public var mergeOf: [MergeSource] = []
    /// Whether the branch may have gone on since `base`. The changes are a fork then.
    public var allowsServerMerge = false
    /// Whether the server adds one empty change, if the branch ends with several heads.
    public var mergesHeads = false
    /// Whether the branches of `mergeOf` are closed, if this branch ends with one head.
    public var closesSources = false

    public init(_ ref: DocumentReference, base: [ChangeHash]?, changes: [[UInt8]]) {
      self.ref = ref
      self.base = base
      self.changes = changes
    }
  }

  /// With it, the same request of the same client gets the same receipt, however often it comes.
  public var clientTransactionID: String?
  /// Who asks, by any name: the engine stores it, and proves nothing.
  public var client: String?
  public var reads: [Read]
  public var writes: [Write]

  public init(
    clientTransactionID: String? = nil, client: String? = nil, reads: [Read] = [], writes: [Write]
  ) {
    self.clientTransactionID = clientTransactionID
    self.client = client
    self.reads = reads
    self.writes = writes
  }
}

extension DocumentTransaction: DocumentMessage {
  package init() { self.init(writes: []) }

  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.text(&clientTransactionID)
    try coder.text(&client)
    try coder.messages(&reads, byteCount: 12)
    try coder.messages(&writes, byteCount: 18)
  }
}

extension DocumentTransaction.Read: DocumentMessage {
  package init() { self.init(DocumentReference(), heads: []) }

  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    try ref.code(&coder)
    try coder.hashes(&heads)
  }
}

extension DocumentTransaction.MergeSource: DocumentMessage {
  package init() { self.init(branch: "", heads: []) }

  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.text(&branch)
    try coder.hashes(&heads)
  }
}

/// The bits of a write's flags.
package struct DocumentWriteFlags: OptionSet, Sendable {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  package static let allowsServerMerge = DocumentWriteFlags(rawValue: 1)
  package static let mergesHeads = DocumentWriteFlags(rawValue: 2)
  package static let closesSources = DocumentWriteFlags(rawValue: 4)
  static let all: DocumentWriteFlags = [.allowsServerMerge, .mergesHeads, .closesSources]
}

extension DocumentTransaction.Write: DocumentMessage {
  package init() { self.init(DocumentReference(), base: nil, changes: []) }

  private var flags: DocumentWriteFlags {
    var flags: DocumentWriteFlags = []
    if allowsServerMerge { flags.insert(.allowsServerMerge) }
    if mergesHeads { flags.insert(.mergesHeads) }
    if closesSources { flags.insert(.closesSources) }
    return flags
  }

  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    try ref.code(&coder)
    try coder.optional(&base, []) { (coder, heads) throws(WireError) in try coder.hashes(&heads) }
    try coder.list(&changes, of: [], byteCount: 4) { (coder, change) throws(WireError) in
      try coder.bytes(&change)
    }
    try coder.messages(&mergeOf, byteCount: 8)
    var bits = flags.rawValue
    try coder.byte(&bits)
    let flags = DocumentWriteFlags(rawValue: bits)
    guard flags.isSubset(of: .all) else { throw .outOfRange }
    allowsServerMerge = flags.contains(.allowsServerMerge)
    mergesHeads = flags.contains(.mergesHeads)
    closesSources = flags.contains(.closesSources)
  }
}

/// What became of a transaction.
public struct DocumentReceipt: Sendable, Equatable {
  public enum Status: UInt8, Sendable, CaseIterable {
    case ok = 0
    /// Trying again on the heads that the result names may work.
    case conflict = 1
    /// This request will never work.
    case rejected = 2
  }

  /// What became of one read or write.
  public struct Result: Sendable, Equatable {
    public var ref: DocumentReference
    public var status: Status
    /// The heads that the branch has now: after an ok, those of this transaction.
    public var heads: [ChangeHash]?
    /// The branch's last sequence number, after an ok.
    public var sequence: Int64?
    /// How many changes were new to the branch, those of merged branches and the server's included.
    public var applied: Int64 = 0
    public var root: DocumentRoot?
    /// Why it was refused, for programs (Protocol/DOCUMENTS.md).
    public var code: String?
    /// The same for people.
    public var reason: String?
    /// The invariant that failed.
    public var invariant: String?

    public init(_ ref: DocumentReference, status: Status) {
      self.ref = ref
      self.status = status
    }
  }

  /// The epoch; 0 if nothing was stored.
  public var transactionID: Int64
  /// RFC 3339, UTC.
  public var committedAt: String?
  /// Of each write, in the transaction's order.
  public var results: [Result]
  /// Whatever was refused, reads included. Empty if and only if the transaction is stored.
  public var conflicts: [Result]

  /// Whether the transaction is stored. It outlives a loss of power then.
  public var isStored: Bool { transactionID > 0 }

  public init(
    transactionID: Int64, committedAt: String?, results: [Result], conflicts: [Result]
  ) {
    self.transactionID = transactionID
    self.committedAt = committedAt
    self.results = results
    self.conflicts = conflicts
  }
}

extension DocumentReceipt: DocumentMessage {
  package init() { self.init(transactionID: 0, committedAt: nil, results: [], conflicts: []) }

  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.number(&transactionID)
    try coder.text(&committedAt)
    try coder.messages(&results, byteCount: 23)
    try coder.messages(&conflicts, byteCount: 23)
  }
}

extension DocumentReceipt.Result: DocumentMessage {
  package init() { self.init(DocumentReference(), status: .ok) }

  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    try ref.code(&coder)
    try coder.choice(&status)
    try coder.optional(&heads, []) { (coder, heads) throws(WireError) in
      try coder.hashes(&heads)
    }
    try coder.number(&sequence)
    try coder.number(&applied)
    try coder.optional(&root, .genesis) { (coder, root) throws(WireError) in
      try coder.choice(&root)
    }
    try coder.text(&code)
    try coder.text(&reason)
    try coder.text(&invariant)
  }
}
