// sluice documents: what it lists, shows, moves and checks, and its exit codes.

import Foundation
import SluiceAutomerge
import SluiceDocuments
import Testing

struct DocumentsCommandTests {
  private let fixture: Fixture
  private static let space = "did:key:z6MkCommand"

  init() throws { fixture = try Fixture() }

  private func run(
    _ words: [String], input: [UInt8]? = nil, _ environment: [String: String] = [:]
  ) throws -> Outcome {
    guard let input else {
      return try fixture.run([Fixture.program, "documents"] + words, environment)
    }
    let file = fixture.scratch.appending(path: "input-\(UUID().uuidString)")
    try Data(input).write(to: file)
    return try fixture.run(
      ["sh", "-c", "exec \"$@\" < '\(file.path)'", "sh", Fixture.program, "documents"] + words,
      environment)
  }

  private func inRoot(_ words: String...) throws -> Outcome {
    try run([fixture.root.path] + words)
  }

  /// A document that begins with its genesis, and two changes.
  private func makeDocument() throws -> Document {
    var document = Document(actor: ActorID([1])!)
    try document.apply(DocumentGenesis.change(of: "doc:plan"))
    try document.edit { edit throws(AutomergeError) in
      try edit.set(.text("plan"), forKey: "title")
      let map = try edit.make(.map, forKey: "map")
      try edit.set(.int(1), forKey: "n", in: map)
    }
    try document.edit { edit throws(AutomergeError) in try edit.set(.int(2), forKey: "n") }
    return document
  }

  private func importDocument(_ document: Document, _ options: String...) throws -> Outcome {
    try run(
      options + [fixture.root.path, "import", Self.space, "doc:plan"], input: document.save())
  }

  @Test func whatIsImportedIsShownAndExportedAndExtended() throws {
    var document = try makeDocument()
    #expect(try importDocument(document).ending == .exited(2))
    try importDocument(document, "--create")
      .expectLines(["imported snapshot for doc:plan@main upto_seq_no=2"])
    // Once more changes nothing.
    try importDocument(document).expectLines(["imported snapshot for doc:plan@main upto_seq_no=2"])
    try inRoot("spaces").expectLines([Self.space])
    try inRoot("branches", Self.space).expectLines(["doc:plan\tmain\t2"])
    try inRoot("heads", Self.space, "doc:plan").expectLines(document.heads.map { "\($0)" })
    try inRoot("cat", Self.space, "doc:plan")
      .expectLines([#"{"map":{"n":1},"n":2,"title":"plan"}"#])
    try inRoot("--path", "map/n", "cat", Self.space, "doc:plan").expectLines(["1"])
    try inRoot("--at", "seq:1", "cat", Self.space, "doc:plan")
      .expectLines([#"{"map":{"n":1},"title":"plan"}"#])
    try inRoot("--at", "0", "cat", Self.space, "doc:plan").expectLines(["{}"])
    try inRoot("--at", "\(document.heads[0])", "--path", "n", "cat", Self.space, "doc:plan")
      .expectLines(["2"])
    let nowhere = try inRoot("--path", "none", "cat", Self.space, "doc:plan")
    #expect(nowhere.ending == .exited(1))
    let log = try inRoot("log", Self.space, "doc:plan")
    #expect(log.lines.count == 1 && log.output.contains("1–2"))
    #expect(log.output.contains("\(document.heads[0])"))
    let verified = try inRoot("verify", Self.space)
    verified.expectSuccess()
    #expect(verified.output.contains("nothing wrong"))
    try inRoot("gc", Self.space).expectLines(["0 snapshots deleted"])
    // The fixture's programs run in its root.
    try run([".", "heads", Self.space, "doc:plan"]).expectLines(document.heads.map { "\($0)" })
    // Further changes of the same file.
    try document.edit { edit throws(AutomergeError) in try edit.set(.int(3), forKey: "n") }
    try importDocument(document).expectLines(["imported snapshot for doc:plan@main upto_seq_no=3"])
    let path = fixture.scratch.appending(path: "exported").path
    let export = try fixture.run([
      "sh", "-c", "\"$0\" documents \"$1\" export \"$2\" doc:plan > \"$3\"", Fixture.program,
      fixture.root.path, Self.space, path,
    ])
    export.expectSuccess()
    let loaded = try Document(loading: Array(try Data(contentsOf: URL(filePath: path))))
    #expect(loaded.heads == document.heads)
  }

  @Test func aFileThatIsWrongOrLacksChangesIsNotBelieved() throws {
    let document = try makeDocument()
    try importDocument(document, "--create").expectSuccess()
    var other = try makeDocument()
    other = try Document(loading: other.save())
    var fork = Document(actor: ActorID([9])!)
    try fork.apply(DocumentGenesis.change(of: "doc:plan"))
    try fork.edit { edit throws(AutomergeError) in try edit.set(.int(7), forKey: "x") }
    let refused = try importDocument(fork)
    #expect(refused.ending == .exited(2) && refused.errors.contains("lacks changes"))
    // As another branch it is welcome.
    try run(
      ["--branch", "fork", fixture.root.path, "import", Self.space, "doc:plan"],
      input: fork.save()
    ).expectLines(["imported snapshot for doc:plan@fork upto_seq_no=1"])
    let nonsense = try run(
      [fixture.root.path, "import", Self.space, "doc:plan"], input: [1, 2, 3])
    #expect(nonsense.ending == .exited(2) && !nonsense.errors.isEmpty)
    try inRoot("--branch", "fork", "cat", Self.space, "doc:plan").expectLines([#"{"x":7}"#])
    try inRoot("cat", Self.space, "doc:plan")
      .expectLines([#"{"map":{"n":1},"n":2,"title":"plan"}"#])
  }

  @Test func theOriginalsFormsWork() throws {
    let document = try makeDocument()
    let environment = ["SPACES_DIR": fixture.root.path]
    try importDocument(document, "--create").expectSuccess()
    try run(["list-spaces"], environment).expectLines([Self.space])
    try run(["list-branches", "--space", Self.space], environment)
      .expectLines(["doc:plan\tmain\t2"])
    let path = fixture.scratch.appending(path: "snapshot").path
    let export = try run(
      [
        "export-snapshot", "--space", Self.space, "--doc", "doc:plan", "--branch", "main", "--seq",
        "1", "--out", path,
      ], environment)
    let bytes = Array(try Data(contentsOf: URL(filePath: path)))
    export.expectLines(["wrote \(bytes.count) bytes to \(path)"])
    #expect(try Document(loading: bytes).history.count == 2)
    try run(
      [
        "import-snapshot", "--space", Self.space, "--doc", "doc:plan", "--branch", "old", "--file",
        path,
      ], environment
    ).expectLines(["imported snapshot for doc:plan@old upto_seq_no=1"])
    #expect(try run(["list-branches"], environment).ending == .exited(64))
    #expect(
      try run(["export-snapshot", "--space", Self.space, "--doc", "d"], environment).ending
        == .exited(64))
  }

  @Test func theEngineOnASocketIsAskedToo() throws {
    let engine = try fixture.start([
      Fixture.engineProgram, "--root", fixture.root.path, "--socket", fixture.engineSocket.path,
      "--services", "documents",
    ])
    #expect(eventually { engine.output.contains("SQL for") || !engine.isRunning })
    let environment = ["SLUICE_SQL_SOCKET": fixture.engineSocket.path]
    try run(
      ["--create", ".", "import", Self.space, "doc:plan"], input: try makeDocument().save(),
      environment
    ).expectSuccess()
    let json = try run(["--json", ".", "branches", Self.space], environment)
    json.expectSuccess()
    let object = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
    #expect(object?["seq"] as? Int == 2 && object?["docId"] as? String == "doc:plan")
    #expect(try run([".", "spaces"], environment).ending == .exited(64))
    let key = fixture.inRoot("server.key")
    let attributes = try FileManager.default.attributesOfItem(atPath: key.path)
    #expect(attributes[.posixPermissions] as? Int == 0o600 && attributes[.size] as? Int == 32)
  }

  @Test func wrongUsageAndFailuresHaveTheirCodes() throws {
    #expect(try run([]).ending == .exited(64))
    #expect(try inRoot().ending == .exited(64))
    #expect(try inRoot("none").ending == .exited(64))
    #expect(try inRoot("cat", Self.space).ending == .exited(64))
    #expect(try inRoot("verify", Self.space, "doc:plan").ending == .exited(64))
    #expect(try inRoot("--at", "seq:x", "cat", Self.space, "doc:plan").ending == .exited(64))
    let missing = try inRoot("verify", Self.space)
    #expect(missing.ending == .exited(2) && missing.errors.contains("there is no space"))
    let wrong = try inRoot("verify", "did:web:x")
    #expect(wrong.ending == .exited(2))
    #expect(try run(["/nowhere/at/all", "spaces"]).ending == .exited(2))
    #expect(try run(["--help"]).ending == .exited(0))
  }
}
