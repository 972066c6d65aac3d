// sluice automerge: what it shows, verifies and repairs, and its exit codes.

import Foundation
import SluiceAutomerge
import Testing

struct AutomergeCommandTests {
  private let fixture: Fixture

  init() throws { fixture = try Fixture() }

  // MARK: Files

  private var file: URL { fixture.inRoot("document.automerge") }
  private var damagedFile: URL { fixture.inRoot("document.automerge.damaged") }

  private func put(_ bytes: [UInt8]) throws { try Data(bytes).write(to: file) }

  private func content(_ place: URL) -> [UInt8]? { (try? Data(contentsOf: place)).map(Array.init) }

  private func automerge(_ words: String...) throws -> Outcome {
    try fixture.run([Fixture.program, "automerge"] + words)
  }

  /// Two changes of one writer, and what a second writer set at the same time as the second.
  private func makeDocument() throws -> (document: Document, first: Change) {
    var document = Document(actor: ActorID([1])!)
    let first = try document.edit(message: "first", time: 7) { edit throws(AutomergeError) in
      try edit.set(.text("plan"), forKey: "title")
      let list = try edit.make(.list, forKey: "list")
      try edit.insert(.int(1), at: 0, in: list)
      let map = try edit.insert(.map, at: 1, in: list)
      try edit.set(.bool(true), forKey: "done", in: map)
    }
    var other = Document(actor: ActorID([2])!)
    try other.apply(document.history)
    try other.edit { edit throws(AutomergeError) in try edit.set(.text("B"), forKey: "title") }
    try document.edit(message: "\u{1b}[31m\"red\"") { edit throws(AutomergeError) in
      try edit.set(.text("A"), forKey: "title")
    }
    try document.apply(other.changes(since: document.heads))
    return (document, try #require(first))
  }

  private func json(_ outcome: Outcome) throws -> Any {
    outcome.expectSuccess()
    return try JSONSerialization.jsonObject(
      with: Data(outcome.output.utf8), options: .fragmentsAllowed)
  }

  // MARK: Showing

  @Test func showTellsHeadsNumbersKindsAndConflicts() throws {
    let (document, _) = try makeDocument()
    try put(document.save())
    let expected = [
      "heads: \(document.heads[0]) \(document.heads[1])", "changes: 3", "operations: 7",
      "\"list\": list of 2", "\"title\": string, 2 in conflict",
    ]
    try automerge(file.path).expectLines(expected)
    try automerge(file.path, "show").expectLines(expected)
    let told = try #require(try json(automerge(file.path, "--json")) as? [String: Any])
    #expect(told["heads"] as? [String] == document.heads.map(\.description))
    #expect(told["changes"] as? Int == 3 && told["operations"] as? Int == 7)
    #expect(told["waiting"] as? Int == 0 && told["missing"] as? [String] == [])
    #expect(told["root"] as? [String: String] == ["list": "list of 2", "title": "string"])
  }

  @Test func showTellsWhatWaitsAndForWhat() throws {
    let (document, first) = try makeDocument()
    var partial = Document()
    try partial.apply(document.changes(since: [first.hash]))
    // A document first, so that changes may wait.
    try put(partial.save())
    let outcome = try automerge(file.path)
    outcome.expectSuccess()
    #expect(outcome.lines.contains("waiting changes: 2"))
    #expect(outcome.lines.contains("missing: \(first.hash)"))
    let told = try #require(try json(automerge(file.path, "show", "--json")) as? [String: Any])
    #expect(told["waiting"] as? Int == 2)
    #expect(told["missing"] as? [String] == [first.hash.description])
  }

  @Test func anEmptyFileIsADocumentWithoutChanges() throws {
    try put([])
    try automerge(file.path).expectLines(["heads: ", "changes: 0", "operations: 0"])
    try automerge(file.path, "heads").expectLines([])
    try automerge(file.path, "json").expectLines(["{}"])
    try automerge(file.path, "verify").expectLines(["sound"])
  }

  @Test func headsStandOneALine() throws {
    let (document, _) = try makeDocument()
    try put(document.save())
    let heads = document.heads.map(\.description)
    try automerge(file.path, "heads").expectLines(heads)
    #expect(try json(automerge(file.path, "heads", "--json")) as? [String] == heads)
  }

  @Test func changesStandOneALineAndTheirMessagesAreQuoted() throws {
    let (document, first) = try makeDocument()
    try put(document.save())
    let outcome = try automerge(file.path, "changes")
    outcome.expectSuccess()
    #expect(outcome.lines.count == 3)
    #expect(outcome.lines.first == "\(first.hash) 01 1 1 5 7 \"first\"")
    // What a writer says must not reach the terminal as its commands.
    #expect(outcome.output.contains(#""\u001b[31m\"red\"""#) && !outcome.output.contains("\u{1b}"))
    let told = try #require(
      try json(automerge(file.path, "changes", "--json")) as? [[String: Any]])
    #expect(told.map { $0["hash"] as? String } == document.history.map(\.hash.description))
    #expect(told[0]["message"] as? String == "first" && told[0]["time"] as? Int == 7)
    #expect(told[0]["actor"] as? String == "01" && told[0]["operations"] as? Int == 5)
    #expect(told[1]["dependencies"] as? [String] == [first.hash.description])
    #expect(told[2]["message"] is NSNull || told[1]["message"] is NSNull)
  }

  // MARK: Content

  @Test func jsonIsTheContentOfTheWholeOrOfAPath() throws {
    let (document, _) = try makeDocument()
    try put(document.save())
    let path = file.path
    try automerge(path, "json").expectLines([#"{"list":[1,{"done":true}],"title":"B"}"#])
    try automerge(path, "json", "list").expectLines([#"[1,{"done":true}]"#])
    try automerge(path, "json", "list", "1", "done").expectLines(["true"])
    try automerge(path, "json", "--json", "list", "0").expectLines(["1"])
    for missing in [["nowhere"], ["list", "2"], ["list", "x"], ["title", "0"]] {
      let outcome = try fixture.run([Fixture.program, "automerge", path, "json"] + missing)
      #expect(outcome.ending == .exited(1), "\(missing)")
      #expect(outcome.output.isEmpty && outcome.errors.contains("nothing stands there"))
    }
  }

  @Test func jsonShowsThePastAtHeads() throws {
    let (document, first) = try makeDocument()
    try put(document.save())
    try automerge(file.path, "json", "--at", "\(first.hash)", "title").expectLines(
      [#""plan""#])
    let all = document.heads.map(\.description).joined(separator: ",")
    try automerge(file.path, "json", "--at=\(all)", "title").expectLines([#""B""#])
    let unknown = try automerge(
      file.path, "json", "--at", String(repeating: "0", count: ChangeHash.byteCount * 2))
    #expect(unknown.ending == .exited(2) && unknown.errors.contains("unknown-heads"))
    let wrong = try automerge(file.path, "json", "--at", "abc")
    #expect(wrong.ending == .exited(64) && wrong.errors.contains("--at takes hashes of changes"))
  }

  // MARK: Wrong words and files

  @Test(arguments: [
    ([], "which file?"), (["F", "frobnicate"], "frobnicate: not understood"),
    (["F", "show", "more"], "more: not understood"),
    (["F", "heads", "--frob"], "--frob: not understood"),
    (["F", "show", "--at", "00"], "--at belongs to json"),
    (["F", "json", "--at"], "needs a value"),
  ])
  func wrongWordsAreRefused(words: [String], reason: String) throws {
    try put([])
    let words = words.map { $0 == "F" ? file.path : $0 }
    let outcome = try fixture.run([Fixture.program, "automerge"] + words)
    #expect(outcome.ending == .exited(64), "\(outcome.errors)")
    #expect(outcome.errors.contains(reason), "\(outcome.errors)")
    #expect(outcome.output.isEmpty)
  }

  @Test func filesThatCannotBeReadEndWithTwo() throws {
    for action in ["show", "heads", "changes", "json", "verify", "repair"] {
      let missing = try automerge(file.path, action)
      #expect(missing.ending == .exited(2), "\(action)")
      #expect(missing.errors.contains("No such file"), "\(action)")
      let folder = try automerge(fixture.root.path, action)
      #expect(folder.ending == .exited(2), "\(action): \(folder.errors)")
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.root.path).isEmpty)
  }

  @Test func whatIsNoAutomergeFileIsToldWithPlaceAndReason() throws {
    try put(Array("SQLite format 3\0".utf8))
    for action in ["show", "heads", "changes", "json"] {
      let outcome = try automerge(file.path, action, "--json")
      #expect(outcome.ending == .exited(2) && outcome.output.isEmpty, "\(action)")
      #expect(outcome.errors.contains("bad-magic, byte 0"), "\(outcome.errors)")
    }
  }

  // MARK: Verifying and repairing

  @Test func aSoundFileIsVerifiedAndNeedsNoRepair() throws {
    let bytes = try makeDocument().document.save()
    try put(bytes)
    try automerge(file.path, "verify").expectLines(["sound"])
    let told = try json(automerge(file.path, "verify", "--json")) as? [String: Any]
    #expect(told?["sound"] as? Int == 1 && told?["reason"] is NSNull)
    try automerge(file.path, "repair").expectLines(["sound: nothing to repair"])
    #expect(
      try json(automerge(file.path, "repair", "--json")) as? [String: Int] == ["repaired": 0])
    #expect(content(file) == bytes && content(damagedFile) == nil)
  }

  /// The reference loads such a file, and cannot load what it saves of it: predecessors out of order
  /// do not come back out of a document chunk.
  @Test func aFileThatTheReferenceCannotSaveAndLoadIsRepairedFromItsGoodChanges() throws {
    let chunks = Self.unsortedPredecessors.map { chunk(hex: $0) }
    var document = Document()
    for chunk in chunks[..<2] { try document.apply(Change(chunk)) }
    let bad = chunks[2]
    let bytes = document.save() + bad
    try put(bytes)
    try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: file.path)

    let refused = try automerge(file.path, "verify")
    #expect(refused.ending == .exited(1) && refused.output.isEmpty)
    #expect(refused.errors.contains("bad-predecessor"), "\(refused.errors)")
    let verdict = try automerge(file.path, "verify", "--json")
    #expect(verdict.ending == .exited(1) && verdict.output.contains(#""sound": 0"#))
    #expect(content(file) == bytes)

    let repaired = try automerge(file.path, "repair")
    repaired.expectSuccess()
    #expect(repaired.lines.first?.contains("left out: bytes \(bytes.count - bad.count) to") == true)
    #expect(repaired.lines.contains("kept: 2 changes, 0 waiting"))
    #expect(content(damagedFile) == bytes)
    let kept = try Document(loading: try #require(content(file)))
    #expect(kept.heads == document.heads && kept.view.json() == document.view.json())
    for place in [file, damagedFile] {
      let attributes = try FileManager.default.attributesOfItem(atPath: place.path)
      #expect(attributes[.posixPermissions] as? Int == 0o640)
    }
    try automerge(file.path, "verify").expectLines(["sound"])
  }

  @Test func repairTellsOtherProgramsWhatItLeftOut() throws {
    let (document, first) = try makeDocument()
    // The middle one of three changes is damaged: the last one waits for nothing that is lost.
    let chunks = document.history.map(\.bytes)
    var damaged = chunks[1]
    damaged[damaged.count - 1] ^= 1
    try put(chunks[0] + damaged + chunks[2])
    let told = try #require(try json(automerge(file.path, "repair", "--json")) as? [String: Any])
    #expect(told["repaired"] as? Int == 1 && told["changes"] as? Int == 2)
    let part = try #require((told["leftOut"] as? [[String: Any]])?.first)
    #expect(part["from"] as? Int == chunks[0].count)
    #expect(part["to"] as? Int == chunks[0].count + chunks[1].count)
    #expect((part["reason"] as? String)?.contains("bad-checksum") == true)
    let kept = try Document(loading: try #require(content(file)))
    #expect(kept.contains(first.hash) && kept.history.count == 2)
  }

  @Test func aChangeThatLosesItsDependencyIsKeptAndWaits() throws {
    let chunks = try makeDocument().document.history.map(\.bytes)
    try put([0xff] + chunks[1])
    try automerge(file.path, "repair").expectSuccess()
    let kept = try Document(loading: try #require(content(file)))
    #expect(kept.history.isEmpty && kept.waitingChanges.map(\.bytes) == [chunks[1]])
  }

  @Test func anEarlierRepairsFileIsNotOverwritten() throws {
    let bytes = try makeDocument().document.save() + [0xff]
    try put(bytes)
    try Data("mine".utf8).write(to: damagedFile)
    let outcome = try automerge(file.path, "repair")
    #expect(outcome.ending == .exited(2))
    #expect(outcome.errors.contains("move an earlier repair's file"))
    #expect(content(file) == bytes && content(damagedFile) == Array("mine".utf8))
    let names = try FileManager.default.contentsOfDirectory(atPath: fixture.root.path).sorted()
    #expect(names == ["document.automerge", "document.automerge.damaged"])
  }

  @Test func aFileOfWhichNothingCanBeProvedStaysAsItIs() throws {
    // A document chunk with a right checksum whose content is wrong.
    let bytes = try [UInt8](Data(contentsOf: vector("incorrect_max_op.automerge")))
    let text = Array("no document at all".utf8)
    for unprovable in [text, bytes] {
      try put(unprovable)
      let outcome = try automerge(file.path, "repair")
      #expect(outcome.ending == .exited(1), "\(outcome.output)")
      #expect(outcome.errors.contains("no change in it can be proved"), "\(outcome.errors)")
      #expect(content(file) == unprovable && content(damagedFile) == nil)
    }
  }

  // MARK: Vectors

  /// Two writers set one key at once; a third change names the two in the wrong order. The reference
  /// takes all three. (Vector canonical-0015.)
  private static let unsortedPredecessors = [
    "856f4a836085ab9601200001aa0101000000061503340142025602570170027f0161017f017f14017f00",
    "856f4a83d3dd707d01200001bb0101000000061503340142025602570170027f0161017f017f14017f00",
    "856f4a8377a5596c016c026085ab96a521f2ae779ee1002b053e5209c7a40dc62b8b10e0fb7bdb98b65e36"
      + "d3dd707d098953a7b21faa1adbd722de100ca3633971e964d32be1682afefe3401aa020200000101bb08"
      + "150334014202560257017002710373037f0161017f017f14017f027e01007e0100",
  ]

  private func chunk(hex: String) -> [UInt8] {
    let digits = hex.map { $0.hexDigitValue! }
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
  }

  private func vector(_ name: String) -> URL {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "Protocol/vectors/automerge/\(name)")
  }
}
