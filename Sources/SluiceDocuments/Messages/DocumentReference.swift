// What names a document's branch, a state of it, and a state's heads.

public import SluiceAutomerge
package import SluiceWire

/// A branch of a document.
public struct DocumentReference: Hashable, Sendable, CustomStringConvertible {
  /// Any text of 1 to 1,024 bytes; by custom "doc:" and a reference.
  public var docID: String
  public var branch: String

  public static let mainBranch = "main"

  public init(_ docID: String, branch: String = mainBranch) {
    self.docID = docID
    self.branch = branch
  }

  public var description: String { "\(docID)@\(branch)" }
}

extension DocumentReference: DocumentMessage {
  package init() { self.init("", branch: "") }

  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.text(&docID)
    try coder.text(&branch)
  }
}

/// Which state of a branch is meant.
public enum DocumentPoint: Sendable, Hashable {
  /// The present one.
  case tip
  /// After the transaction of this epoch. The future is the present.
  case epoch(Int64)
  /// At this time of RFC 3339.
  case time(String)
  /// At these heads, which the branch knows.
  case heads([ChangeHash])
  /// After the change with this sequence number.
  case sequence(Int64)
}

package enum DocumentPointKind: UInt8, CaseIterable {
  case tip = 0
  case epoch = 1
  case time = 2
  case heads = 3
  case sequence = 4
}

extension DocumentPoint: DocumentMessage {
  package init() { self = .tip }

  private var kind: DocumentPointKind {
    switch self {
    case .tip: .tip
    case .epoch: .epoch
    case .time: .time
    case .heads: .heads
    case .sequence: .sequence
    }
  }

  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    var kind = kind
    try coder.choice(&kind)
    var number: Int64 = 0
    var text = ""
    var hashes: [ChangeHash] = []
    switch self {
    case .tip: break
    case .epoch(let value), .sequence(let value): number = value
    case .time(let value): text = value
    case .heads(let value): hashes = value
    }
    switch kind {
    case .tip: self = .tip
    case .epoch, .sequence:
      try coder.number(&number)
      self = kind == .epoch ? .epoch(number) : .sequence(number)
    case .time:
      try coder.text(&text)
      self = .time(text)
    case .heads:
      try coder.hashes(&hashes)
      self = .heads(hashes)
    }
  }
}

/// Where a branch stood.
public struct DocumentState: Sendable, Hashable {
  /// Of the transaction that made the state; nil if the state was asked for by heads.
  public var epoch: Int64?
  /// Of the last change; nil if the state was asked for by heads.
  public var sequence: Int64?
  /// Ascending.
  public var heads: [ChangeHash]

  public init(epoch: Int64?, sequence: Int64?, heads: [ChangeHash]) {
    self.epoch = epoch
    self.sequence = sequence
    self.heads = heads
  }
}

extension DocumentState: DocumentMessage {
  package init() { self.init(epoch: nil, sequence: nil, heads: []) }

  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.number(&epoch)
    try coder.number(&sequence)
    try coder.hashes(&heads)
  }
}
