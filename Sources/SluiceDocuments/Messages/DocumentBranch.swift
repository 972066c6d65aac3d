// What is known of a branch besides its content, and what transactions have done to it.

public import SluiceAutomerge
package import SluiceWire

/// How the history of a branch begins.
public enum DocumentRoot: UInt8, Sendable, CaseIterable {
  /// With the document's genesis.
  case genesis = 0
  /// With changes that depend on nothing.
  case plain = 1
}

/// A branch, without its content.
public struct DocumentBranch: Sendable, Hashable {
  /// Where a branch leaves another.
  public struct Parent: Sendable, Hashable {
    public var branch: String
    /// Of the last change of the parent that is the branch's too.
    public var sequence: Int64

    public init(branch: String, sequence: Int64) {
      self.branch = branch
      self.sequence = sequence
    }
  }

  public var ref: DocumentReference
  /// Ascending.
  public var heads: [ChangeHash] = []
  /// Of the last change; 0 without one.
  public var sequence: Int64 = 0
  /// Of the transaction that changed the branch last; 0 if none has.
  public var epoch: Int64 = 0
  /// The digest of the heads' merkle reference.
  public var rootHash: [UInt8] = []
  /// Nil as long as the branch has no change.
  public var root: DocumentRoot?
  public var isClosed = false
  public var closedAt: String?
  public var createdAt = ""
  public var parent: Parent?
  /// The branch into which this one was merged when it was closed.
  public var mergedInto: String?

  public init(_ ref: DocumentReference) { self.ref = ref }
}

extension DocumentBranch: DocumentMessage {
  package init() { self.init(DocumentReference()) }

  /// The least bytes of one.
  static let byteCountMinimum = 47

  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    try ref.code(&coder)
    try coder.hashes(&heads)
    try coder.number(&sequence)
    try coder.number(&epoch)
    try coder.bytes(&rootHash)
    try coder.optional(&root, .genesis) { (coder, root) throws(WireError) in
      try coder.choice(&root)
    }
    try coder.flag(&isClosed)
    try coder.text(&closedAt)
    try coder.text(&createdAt)
    try coder.optional(&parent, Parent(branch: "", sequence: 0)) {
      (coder, parent) throws(WireError) in
      try coder.text(&parent.branch)
      try coder.number(&parent.sequence)
    }
    try coder.text(&mergedInto)
  }
}

/// What one transaction has done to one branch.
public struct DocumentCommit: Sendable, Hashable {
  public var epoch: Int64
  /// RFC 3339, UTC.
  public var committedAt: String
  /// The sequence numbers that were new; empty if the branch was only closed or made.
  public var sequences: Range<Int64>
  /// The branch's heads behind it, ascending.
  public var heads: [ChangeHash]

  public init(epoch: Int64, committedAt: String, sequences: Range<Int64>, heads: [ChangeHash]) {
    self.epoch = epoch
    self.committedAt = committedAt
    self.sequences = sequences
    self.heads = heads
  }
}

extension DocumentCommit: DocumentMessage {
  package init() { self.init(epoch: 0, committedAt: "", sequences: 0..<0, heads: []) }

  static let byteCountMinimum = 32

  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.number(&epoch)
    try coder.text(&committedAt)
    var (first, end) = (sequences.lowerBound, sequences.upperBound)
    try coder.number(&first)
    try coder.number(&end)
    guard first <= end else { throw .outOfRange }
    sequences = first..<end
    try coder.hashes(&heads)
  }
}

/// A change of a branch.
public struct DocumentChange: Sendable, Hashable {
  public var sequence: Int64
  /// Of the transaction that brought it to the branch.
  public var epoch: Int64
  public var hash: ChangeHash
  /// The uncompressed chunk.
  public var bytes: [UInt8]

  public init(sequence: Int64, epoch: Int64, hash: ChangeHash, bytes: [UInt8]) {
    self.sequence = sequence
    self.epoch = epoch
    self.hash = hash
    self.bytes = bytes
  }
}

extension DocumentChange: DocumentMessage {
  package init() { self.init(sequence: 0, epoch: 0, hash: blankHash, bytes: []) }

  static let byteCountMinimum = 52

  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.number(&sequence)
    try coder.number(&epoch)
    try coder.hash(&hash)
    try coder.bytes(&bytes)
  }
}
