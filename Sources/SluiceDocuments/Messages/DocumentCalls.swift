// What each call asks for, and what it is answered where that is no message of its own.

package import SluiceWire

/// A request that names a branch and nothing else.
package struct BranchCall: DocumentMessage {
  package var ref = DocumentReference()

  package init() {}
  package init(_ ref: DocumentReference) { self.ref = ref }

  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    try ref.code(&coder)
  }
}

/// How a state is written.
public enum DocumentForm: UInt8, Sendable, CaseIterable {
  /// JSON text.
  case json = 0
  /// An Automerge file: equal states of one branch are equal bytes.
  case automerge = 1
}

package struct ReadCall: DocumentMessage {
  package var ref = DocumentReference()
  package var point = DocumentPoint.tip
  package var form = DocumentForm.json
  /// Of JSON: only what stands at these, each at its place.
  package var paths: [[String]]?

  package init() {}
  package init(
    _ ref: DocumentReference, _ point: DocumentPoint, _ form: DocumentForm, paths: [[String]]? = nil
  ) {
    self.ref = ref
    self.point = point
    self.form = form
    self.paths = paths
  }

  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    try ref.code(&coder)
    try point.code(&coder)
    try coder.choice(&form)
    try coder.optional(&paths, []) { (coder, paths) throws(WireError) in
      try coder.list(&paths, of: [], byteCount: 4) { (coder, path) throws(WireError) in
        try coder.texts(&path)
      }
    }
  }
}

package struct ReadAnswer: DocumentMessage {
  package var state = DocumentState()
  package var content: [UInt8] = []

  package init() {}
  package init(_ state: DocumentState, _ content: [UInt8]) {
    self.state = state
    self.content = content
  }

  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    try state.code(&coder)
    try coder.bytes(&content)
  }
}

package struct ValueCall: DocumentMessage {
  package var ref = DocumentReference()
  package var point = DocumentPoint.tip
  package var path: [String] = []

  package init() {}
  package init(_ ref: DocumentReference, _ point: DocumentPoint, _ path: [String]) {
    self.ref = ref
    self.point = point
    self.path = path
  }

  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    try ref.code(&coder)
    try point.code(&coder)
    try coder.texts(&path)
  }
}

// The call that is made most often has code of its own, because code that is generic over messages
// looks up types as it runs, and other targets get no other.
extension ValueCall {
  @inline(never)
  package init(ofBytes bytes: [UInt8]) throws(WireError) { self = try ValueCall(decoding: bytes) }

  @inline(never)
  var asBytes: [UInt8] { encoded }
}

extension OptionalText {
  @inline(never)
  init(ofBytes bytes: [UInt8]) throws(WireError) { self = try OptionalText(decoding: bytes) }

  @inline(never)
  package var asBytes: [UInt8] { encoded }
}

/// A text that may be missing: the JSON at a path, or new settings.
package struct OptionalText: DocumentMessage {
  package var text: String?

  package init() {}
  package init(_ text: String?) { self.text = text }

  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.text(&text)
  }
}

package struct OneText: DocumentMessage {
  package var text = ""

  package init() {}
  package init(_ text: String) { self.text = text }

  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.text(&text)
  }
}

/// A part of a branch's history.
package struct HistoryCall: DocumentMessage {
  package var ref = DocumentReference()
  /// Changes: those behind this sequence number. A log: what came before this epoch.
  package var number: Int64 = 0
  package var countMax: Int64 = 0

  package init() {}
  package init(_ ref: DocumentReference, _ number: Int64, countMax: Int64) {
    self.ref = ref
    self.number = number
    self.countMax = countMax
  }

  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    try ref.code(&coder)
    try coder.number(&number)
    try coder.number(&countMax)
    guard number >= 0, countMax >= 0 else { throw .outOfRange }
  }
}

package struct ChangesAnswer: DocumentMessage {
  package var changes: [DocumentChange] = []

  package init() {}
  package init(_ changes: [DocumentChange]) { self.changes = changes }

  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.messages(&changes, byteCount: DocumentChange.byteCountMinimum)
  }
}

package struct LogAnswer: DocumentMessage {
  package var commits: [DocumentCommit] = []

  package init() {}
  package init(_ commits: [DocumentCommit]) { self.commits = commits }

  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.messages(&commits, byteCount: DocumentCommit.byteCountMinimum)
  }
}

package struct TextsAnswer: DocumentMessage {
  package var texts: [String] = []

  package init() {}
  package init(_ texts: [String]) { self.texts = texts }

  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.texts(&texts)
  }
}

package struct BranchesAnswer: DocumentMessage {
  package var branches: [DocumentBranch] = []

  package init() {}
  package init(_ branches: [DocumentBranch]) { self.branches = branches }

  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.messages(&branches, byteCount: DocumentBranch.byteCountMinimum)
  }
}

package struct CreateBranchCall: DocumentMessage {
  /// Where a new branch leaves another one of its document.
  package struct Origin: Sendable, Equatable {
    package var branch: String
    package var point: DocumentPoint

    package init(_ branch: String, _ point: DocumentPoint) {
      self.branch = branch
      self.point = point
    }
  }

  package var ref = DocumentReference()
  /// Nil for an empty branch.
  package var origin: Origin?

  package init() {}
  package init(_ ref: DocumentReference, from origin: Origin?) {
    self.ref = ref
    self.origin = origin
  }

  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    try ref.code(&coder)
    try coder.optional(&origin, Origin("", .tip)) { (coder, origin) throws(WireError) in
      try coder.text(&origin.branch)
      try origin.point.code(&coder)
    }
  }
}

package struct MergeCall: DocumentMessage {
  package var source = ""
  package var target = DocumentReference()
  package var closesSource = true

  package init() {}
  package init(_ source: String, into target: DocumentReference, closesSource: Bool) {
    self.source = source
    self.target = target
    self.closesSource = closesSource
  }

  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.text(&source)
    try target.code(&coder)
    try coder.flag(&closesSource)
  }
}

/// What a piece of content is.
public enum DocumentContentKind: UInt8, Sendable, CaseIterable {
  /// A change of Automerge. Its digest is the change's hash.
  case change = 0
  /// An Automerge file, by the SHA-256 of its bytes.
  case snapshot = 1
  /// Any bytes, by their SHA-256.
  case blob = 2
}

/// Content that is kept by its digest.
public struct DocumentContent: Sendable, Hashable {
  public var kind: DocumentContentKind
  public var bytes: [UInt8]
  /// A JSON object.
  public var meta: String?

  public init(_ kind: DocumentContentKind, _ bytes: [UInt8], meta: String? = nil) {
    self.kind = kind
    self.bytes = bytes
    self.meta = meta
  }
}

extension DocumentContent: DocumentMessage {
  package init() { self.init(.blob, []) }

  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.choice(&kind)
    try coder.bytes(&bytes)
    try coder.text(&meta)
  }
}

package struct ContentAnswer: DocumentMessage {
  package var content: DocumentContent?

  package init() {}
  package init(_ content: DocumentContent?) { self.content = content }

  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.optional(&content, DocumentContent()) { (coder, content) throws(WireError) in
      try content.code(&coder)
    }
  }
}

/// What a check of the whole space has counted and found.
public struct DocumentVerification: Sendable, Hashable {
  public var transactionCount: Int64 = 0
  public var branchCount: Int64 = 0
  public var changeCount: Int64 = 0
  public var snapshotCount: Int64 = 0
  public var receiptCount: Int64 = 0
  /// What is wrong, at most 1,000 of it. Empty if all is right.
  public var findings: [String] = []

  public init() {}
}

extension DocumentVerification: DocumentMessage {
  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.number(&transactionCount)
    try coder.number(&branchCount)
    try coder.number(&changeCount)
    try coder.number(&snapshotCount)
    try coder.number(&receiptCount)
    try coder.texts(&findings)
  }
}

package struct OneNumber: DocumentMessage {
  package var number: Int64 = 0

  package init() {}
  package init(_ number: Int64) { self.number = number }

  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.number(&number)
  }
}

/// A call without a request of its own.
package struct NoRequest: DocumentMessage {
  package init() {}
  package mutating func code<Coder: DocumentCoder>(_: inout Coder) throws(WireError) {}
}

/// Why a space refused a call.
package struct SpaceRefusal: DocumentMessage {
  package var code = ""
  package var message = ""

  /// The least room of a range: a refusal always fits.
  package static let byteCountMax = 512

  package init() {}
  package init(_ code: String, _ message: String) {
    self.code = code
    // Cut where a character ends.
    self.message = String(decoding: message.utf8.prefix(400), as: UTF8.self)
    while self.message.utf8.count > 400 { self.message.removeLast() }
  }

  package mutating func code<Coder: DocumentCoder>(_ coder: inout Coder) throws(WireError) {
    try coder.text(&code)
    try coder.text(&message)
  }
}
