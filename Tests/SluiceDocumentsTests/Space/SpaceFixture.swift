// A space in a directory of its own, and clients that edit documents.

import Foundation
import SluiceAutomerge
import Testing

@testable import SluiceEngine

/// A clock that a test sets.
final class TestClock: RecordClock, @unchecked Sendable {
  private let lock = NSLock()
  private var now: Int64 = 1_700_000_000_000

  var realtimeMilliseconds: Int64 { lock.withLock { now } }
  var monotonicMilliseconds: Int64 { lock.withLock { now } }

  func advance(by milliseconds: Int64) { lock.withLock { now += milliseconds } }
}

final class SpaceFixture {
  static let name = try! SpaceName("did:key:z6MkTestSpace")

  let path: String
  let clock = TestClock()
  var options = SpaceOptions()
  private var directory: SpaceDirectory?

  init() throws {
    path = NSTemporaryDirectory() + "sluice-space-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    options.clock = clock
    options.takesSnapshots = false
  }

  deinit {
    directory?.close()
    try? FileManager.default.removeItem(atPath: path)
  }

  var file: String { "\(path)/\(Self.name.fileName)" }

  /// The space, which is made if there is none.
  func space() throws -> Space {
    let directory = directory ?? SpaceDirectory(.beneath(path), TestNotary.make(), options: options)
    self.directory = directory
    return try directory.space(Self.name, creates: true)
  }

  /// The same file, opened anew.
  func reopened() throws -> Space {
    directory?.close()
    directory = nil
    return try space()
  }

  /// Runs SQL in the file, as a stranger with the right to write might.
  func tamper(_ sql: String) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
    process.arguments = [
      "-c", "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nc.executescript(sys.argv[2])",
      file, sql,
    ]
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
  }
}

extension Space {
  func allowServerMerge() throws {
    var settings = SpaceSettings()
    settings.enableServerMerge = true
    try set(settings)
  }
}

/// A client's copy of a document.
struct Replica {
  var document: Document
  let ref: BranchReference

  /// A copy that begins with the document's genesis.
  init(_ docID: String, branch: String = "main", actor: ActorID = .random()) throws {
    ref = BranchReference(docID, branch: branch)
    document = Document(actor: actor)
    try document.apply(Genesis.change(of: docID))
  }

  /// A copy that begins with nothing.
  init(plain docID: String, branch: String = "main", actor: ActorID = .random()) {
    ref = BranchReference(docID, branch: branch)
    document = Document(actor: actor)
  }

  init(_ other: Replica, branch: String? = nil, actor: ActorID = .random()) {
    ref = BranchReference(other.ref.docID, branch: branch ?? other.ref.branch)
    document = other.document
    document.actor = actor
  }

  var heads: Heads { Heads(document.heads) }

  mutating func set(_ value: ScalarValue, _ key: String) throws -> Change {
    let change = try document.edit { edit throws(AutomergeError) in
      try edit.set(value, forKey: key)
    }
    return try #require(change)
  }

  /// A write of changes upon heads.
  func write(
    _ changes: [Change], on base: Heads, serverMerge: Bool = false
  ) -> TransactionRequest.Write {
    TransactionRequest.Write(
      ref, base: .heads(base), changes: changes.map(\.bytes), allowsServerMerge: serverMerge)
  }

  /// Edits, and asks the space to store it.
  @discardableResult
  mutating func put(
    _ value: ScalarValue, _ key: String, in space: Space
  ) throws -> TransactionReceipt {
    let base = heads
    let change = try set(value, key)
    return try space.submit(TransactionRequest(writes: [write([change], on: base)]))
  }
}

extension Space {
  func submit(_ writes: TransactionRequest.Write...) throws -> TransactionReceipt {
    try submit(TransactionRequest(writes: writes))
  }

  func tip(_ ref: BranchReference) throws -> String { try json(ref, at: .tip).json }
}

extension TransactionReceipt {
  var code: Code? { conflicts.first?.code }
  var reason: String? { conflicts.first?.reason }
}
