// Every call of a connection on a real engine.

import EngineTestSupport
import Foundation
import SluiceAutomerge
import SluiceDocuments
import SluiceWire
import Testing

@Suite(.timeLimit(.minutes(5))) struct DocumentConnectionTests {
  private func code(_ body: () throws -> Void) -> String? {
    do { try body() } catch DocumentFailure.space(let code, let message) {
      return message.isEmpty ? nil : code
    } catch {
      return "\(error)"
    }
    return nil
  }

  @Test(arguments: EnginePlace.allCases)
  func whatIsStoredIsReadAtEachPoint(_ place: EnginePlace) throws {
    let engine = try DocumentEngine(place)
    let connection = try engine.connect()
    #expect(connection.facts.epoch == 0 && connection.facts.publicKey.count == 32)
    let first = try #require(try connection.set("a", 1))
    #expect(first.isStored && first.transactionID == 1 && first.conflicts.isEmpty)
    let second = try #require(try connection.set("b", 2))
    let heads = try #require(second.results[0].heads)
    #expect(try connection.value(plan, path: ["b"]) == "2")
    #expect(try connection.value(plan, path: ["c"]) == nil)
    #expect(try connection.value(plan, at: .epoch(1), path: ["b"]) == nil)
    #expect(try connection.value(plan, at: .sequence(1), path: ["a"]) == "1")
    let tip = try connection.json(plan)
    #expect(tip.json == #"{"a":1,"b":2}"#)
    #expect(tip.state == DocumentState(epoch: 2, sequence: 2, heads: heads))
    #expect(try connection.json(plan, at: .epoch(1)).json == #"{"a":1}"#)
    #expect(try connection.json(plan, at: .heads(heads)).json == tip.json)
    let time = try #require(first.committedAt)
    #expect(try connection.json(plan, at: .time("1999-01-01T00:00:00Z")).json == "{}")
    #expect(try connection.json(plan, at: .time(time)).state.epoch ?? 0 >= 1)
    #expect(try connection.json(plan, paths: [["b"], ["none"]]).json == #"{"b":2}"#)
    let bytes = try connection.bytes(plan)
    #expect(try Document(loading: bytes.bytes).heads == heads && bytes.state == tip.state)
    #expect(try connection.bytes(plan).bytes == bytes.bytes)
    let changes = try connection.changes(plan, after: 0)
    #expect(changes.map(\.sequence) == [1, 2] && changes.map(\.epoch) == [1, 2])
    #expect(changes.map(\.hash) == (try changes.map { try Change($0.bytes).hash }))
    #expect(try connection.changes(plan, after: 1, countMax: 5).count == 1)
    #expect(try connection.changes(plan, after: 0, countMax: 1) == [changes[0]])
    try connection.roundTrip()
    try connection.close()
    #expect(throws: DocumentFailure.self) { try connection.documents() }
    // The space is as it was for the next one.
    let next = try engine.connect()
    #expect(next.facts.epoch == 2)
    #expect(try next.json(plan).json == tip.json)
  }

  @Test func documentsAndBranchesAreListedForkedMergedAndClosed() throws {
    let engine = try DocumentEngine()
    let connection = try engine.connect()
    try connection.set("a", 1)
    try connection.set("x", 9, DocumentReference("doc:other"))
    #expect(try connection.documents() == ["doc:other", "doc:plan"])
    let draft = DocumentReference("doc:plan", branch: "draft")
    let made = try connection.createBranch(draft, from: "main")
    #expect(made.parent == DocumentBranch.Parent(branch: "main", sequence: 1))
    #expect(made.heads == (try connection.branch(plan).heads) && made.root == .genesis)
    #expect(try connection.createBranch(draft, from: "main") == made)
    try connection.set("b", 2, draft)
    try connection.set("c", 3)
    #expect(try connection.json(draft).json == #"{"a":1,"b":2}"#)
    #expect(try connection.branches(of: "doc:plan").map(\.ref.branch) == ["draft", "main"])
    #expect(try connection.branches().count == 3)
    // Without the setting, the server merges nothing.
    let refused = try connection.merge("draft", into: plan)
    #expect(!refused.isStored && refused.conflicts[0].code == "ServerMergeDisabled")
    #expect(refused.conflicts[0].reason?.isEmpty == false)
    try connection.set(settings: #"{"enableServerMerge":true}"#)
    #expect(try connection.settings().contains(#""enableServerMerge":true"#))
    let merged = try connection.merge("draft", into: plan)
    #expect(merged.isStored && merged.results[0].heads?.count == 1)
    #expect(try connection.json(plan).json == #"{"a":1,"b":2,"c":3}"#)
    let source = try connection.branch(draft)
    #expect(source.isClosed && source.mergedInto == "main" && source.closedAt != nil)
    let late = #expect(throws: DocumentFailure.self) { try connection.set("d", 4, draft) }
    guard case .notStored(let receipt) = late else {
      Issue.record("\(String(describing: late))")
      return
    }
    #expect(receipt.conflicts[0].code == "BranchClosed" && receipt.conflicts[0].status == .rejected)
    let spare = DocumentReference("doc:plan", branch: "spare")
    #expect(try connection.createBranch(spare).sequence == 0)
    #expect(try connection.closeBranch(spare).isClosed)
    let log = try connection.log(plan)
    #expect(log.map(\.epoch) == log.map(\.epoch).sorted(by: >) && log.count == 3)
    #expect(log[0].heads == merged.results[0].heads && log[2].sequences == 1..<2)
    #expect(try connection.log(plan, before: log[0].epoch, countMax: 1) == [log[1]])
    #expect(try connection.verify().findings == [])
  }

  @Test func contentSettingsAndInvariantsAreKept() throws {
    let engine = try DocumentEngine()
    let connection = try engine.connect()
    try connection.set("a", 1)
    let blob = DocumentContent(.blob, [1, 2, 3], meta: #"{"n":1}"#)
    let digest = try connection.put(blob)
    #expect(digest.count == 64)
    #expect(try connection.content(digest) == blob)
    #expect(try connection.content(String(repeating: "0", count: 64)) == nil)
    let change = try connection.changes(plan, after: 0)[0]
    #expect(try connection.content("\(change.hash)")?.kind == .change)
    #expect(try connection.put(DocumentContent(.change, change.bytes)) == "\(change.hash)")
    let file = try connection.bytes(plan).bytes
    let snapshot = DocumentContent(.snapshot, file)
    #expect(try connection.content(try connection.put(snapshot)) == snapshot)
    #expect(code { _ = try connection.put(DocumentContent(.change, [1])) } == "InvalidArgument")
    #expect(code { _ = try connection.content("zz") } == "InvalidArgument")
    #expect(code { try connection.set(settings: #"{"none":1}"#) } == "InvalidArgument")
    #expect(code { try connection.set(settings: "[") } == "InvalidArgument")
    let rule = #"[{"name":"up","doc":"doc:plan","kind":"monotonic","path":["a"]}]"#
    try connection.set(invariants: rule)
    #expect(try connection.invariants().contains("monotonic"))
    let failure = #expect(throws: DocumentFailure.self) { try connection.set("a", 0) }
    guard case .notStored(let receipt) = failure else {
      Issue.record("\(String(describing: failure))")
      return
    }
    #expect(receipt.conflicts[0].code == "InvariantFailed")
    #expect(receipt.conflicts[0].invariant == "up")
    #expect(code { try connection.set(invariants: "{}") } == "InvalidArgument")
    #expect(try connection.set("a", 2)?.isStored == true)
    #expect(try connection.collect() == 0)
  }

  @Test func aReceiptIsGivenAgainAndAnIdIsNotReused() throws {
    let engine = try DocumentEngine()
    let connection = try engine.connect()
    let other = try engine.connect()
    var (document, base) = try connection.tip(plan)
    let change = try #require(
      try document.edit { edit throws(AutomergeError) in try edit.set(.int(1), forKey: "a") })
    let write = DocumentTransaction.Write(plan, base: base, changes: [change.bytes])
    let request = DocumentTransaction(clientTransactionID: "t1", client: "me", writes: [write])
    let receipt = try connection.transact(request)
    #expect(receipt.isStored)
    #expect(try other.transact(request) == receipt)
    var changed = request
    changed.writes[0].changes = []
    let reused = try other.transact(changed)
    #expect(!reused.isStored && reused.conflicts.first?.code == "ClientTxIdReused")
    // A read that no longer holds.
    let stale = DocumentTransaction(
      reads: [.init(plan, heads: base)], writes: [.init(plan, base: nil, changes: [])])
    let refused = try connection.transact(stale)
    #expect(refused.conflicts.first?.code == "ReadConflict")
    #expect(refused.conflicts.first?.heads == document.heads)
  }

  @Test(arguments: EnginePlace.allCases)
  func whatIsLargerThanATransferGoesInPieces(_ place: EnginePlace) throws {
    let engine = try DocumentEngine(place)
    let connection = try engine.connect()
    let text = String(repeating: "0123456789abcdef", count: 40_000)
    let receipt = try connection.edit(plan) { edit throws(AutomergeError) in
      try edit.set(.text(text), forKey: "long")
    }
    #expect(receipt?.isStored == true)
    #expect(try connection.value(plan, path: ["long"]) == "\"\(text)\"")
    #expect(try connection.json(plan).json == #"{"long":"\#(text)"}"#)
    let bytes = [UInt8]((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
    let digest = try connection.put(DocumentContent(.blob, bytes))
    #expect(try connection.content(digest)?.bytes == bytes)
    for index in 0..<3000 { try connection.createBranch(DocumentReference("doc:\(index)")) }
    #expect(try connection.branches().count == 3001)
    #expect(
      throws: DocumentFailure.refused(.limitReached),
      performing: {
        try connection.put(DocumentContent(.blob, [UInt8](repeating: 0, count: 64 << 20)))
      })
    #expect(try connection.value(plan, path: ["none"]) == nil)
  }

  @Test func aRefusalHasACodeAndAMessage() throws {
    let engine = try DocumentEngine()
    let connection = try engine.connect()
    try connection.set("a", 1)
    let none = DocumentReference("doc:none")
    #expect(code { _ = try connection.branch(none) } == "InvalidDoc")
    #expect(
      code { _ = try connection.json(DocumentReference("doc:plan", branch: "no")) }
        == "InvalidBranch")
    #expect(code { _ = try connection.json(plan, at: .time("soon")) } == "InvalidPoint")
    let unknown = try #require(ChangeHash([UInt8](repeating: 1, count: 32)))
    #expect(code { _ = try connection.json(plan, at: .heads([unknown])) } == "InvalidPoint")
    #expect(code { _ = try connection.json(DocumentReference("")) } == "InvalidDoc")
    let deep = [[String](repeating: "a", count: 600)]
    #expect(code { _ = try connection.json(plan, paths: deep) } == "LimitReached")
    #expect(code { _ = try connection.value(plan, path: deep[0]) } == "LimitReached")
    #expect(code { _ = try engine.connect("did:web:x") } == "InvalidSpace")
    #expect(code { _ = try engine.connect("did:key:../x") } == "InvalidSpace")
    #expect(
      code { _ = try DocumentConnection(try engine.session(), space: "did:key:z9") }
        == "NoSuchSpace")
    #expect(code { _ = try engine.connect(in: "../elsewhere") } != nil)
    let text = DocumentFailure.space(code: "InvalidDoc", message: "no").message
    #expect(text == "no")
    // The connection goes on.
    #expect(try connection.value(plan, path: ["a"]) == "1")
  }

  @Test func aFileThatIsNoSpaceIsRefused() throws {
    let engine = try DocumentEngine()
    try Data("no database at all, but some text that is long enough".utf8)
      .write(to: URL(filePath: engine.file))
    #expect(code { _ = try engine.connect() } == "NotASpace")
  }

  @Test func oneDirectoryHasOneWriterHoweverItIsSpelt() throws {
    let engine = try DocumentEngine()
    try FileManager.default.createDirectory(
      at: engine.directory.appending(path: "sub"), withIntermediateDirectories: true)
    let first = try engine.connect(in: "sub")
    try first.set("a", 1)
    for spelling in ["sub/", "./sub", "sub//."] {
      let other = try engine.connect(in: spelling)
      #expect(other.facts.epoch >= 1)
      try other.set(spelling, 2)
    }
    #expect(try first.json(plan).state.epoch == 4)
    let root = try engine.connect()
    #expect(root.facts.epoch == 0)
  }

  @Test func anEngineWithoutDocumentsSaysSo() throws {
    let engine = try DocumentEngine(services: [.sql, .records])
    let failure = #expect(throws: DocumentFailure.self) { try engine.connect() }
    #expect(failure == .refused(.unknownOperation))
    #expect(failure?.message.contains("--services documents") == true)
  }
}
