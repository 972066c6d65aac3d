// What the table `file` and its plugins do for each other (scenarios 41, 42 and 44): with plugins of
// this test, which do what they are told.

import SluiceWire
import Testing

@testable import SluiceEngine

/// Makes one entity of a file, whose content is the file's text. Notes what it was called with.
private final class TestPlugin: Plugin, @unchecked Sendable {
  let key: String
  let globs: [String]
  let canBuild = true
  let schemas: [PluginSchema]
  /// What it was given, "before → after".
  var calls: [String] = []
  var answer: (any StateReader) throws(PluginError) -> [PluginEntity]? = { _ in nil }

  init(_ key: String, _ globs: [String]) {
    self.key = key
    self.globs = globs
    schemas = [PluginSchema(key: key, version: "1", definition: #"{"type":"object"}"#)]
  }

  func detectChanges(
    before: PluginFile?, after: PluginFile, _ state: any StateReader,
    _ interruption: Interruption
  ) throws(PluginError) -> [PluginEntity] {
    let text = String(decoding: after.data, as: UTF8.self)
    calls.append(
      (before.map { String(decoding: $0.data, as: UTF8.self) } ?? "nothing") + " → " + text)
    if let answer = try answer(state) { return answer }
    return [
      PluginEntity(
        entityID: "text", schemaKey: key, schemaVersion: "1", content: #"{"text":"\#(text)"}"#)
    ]
  }

  func applyChanges(
    _ file: PluginFile, _ entities: [PluginEntity], _ interruption: Interruption
  ) throws(PluginError) -> [UInt8] {
    Array((entities.first?.content ?? "").dropFirst(#"{"text":""#.count).dropLast(2).utf8)
  }
}

@Suite struct StatePluginTests {
  private let plugin = TestPlugin("test", ["*.json"])
  private let raw: RawSQLSession

  init() throws {
    raw = try RawSQLSession(options: .state, plugins: PluginSet([plugin]))
  }

  private func run(_ sql: String) throws -> String {
    let answer = try raw.execute(sql)
    if answer.status == .sqlError { return answer.message }
    return answer.cells.map { cell in
      switch cell {
      case .text(let text): text
      case .blob(let bytes): String(decoding: bytes, as: UTF8.self)
      case .integer(let number): "\(number)"
      default: "-"
      }
    }.joined(separator: "|")
  }

  private func put(_ path: String, _ text: String) throws -> String {
    try run(
      "INSERT INTO file(id, path, data) VALUES('\(path)', '\(path)', CAST('\(text)' AS BLOB))")
  }

  @Test func aPluginThatFailsFailsItsStatementOnly() throws {
    _ = try run("BEGIN")
    #expect(try put("/good.json", "one") == "")
    plugin.answer = { (_) throws(PluginError) in throw PluginError(message: "plugin test: no") }
    #expect(try put("/bad.json", "two") == "plugin test: no")
    plugin.answer = { _ in
      [PluginEntity(entityID: "x", schemaKey: "unknown", schemaVersion: "1", content: "{}")]
    }
    #expect(try put("/bad.json", "two").contains("'unknown' 1, which it has not declared"))
    plugin.answer = { [plugin] _ in
      [PluginEntity(entityID: "x", schemaKey: plugin.key, schemaVersion: "1", content: "[]")]
    }
    #expect(try put("/bad.json", "two").contains("must be an object"))
    plugin.answer = { _ in nil }
    #expect(try run("COMMIT") == "")
    #expect(try run("SELECT path, data FROM file") == "/good.json|one")
    #expect(try run("SELECT count(*) FROM change WHERE file_id = '/bad.json'") == "0")
  }

  @Test func aPluginSeesTheFileAsItWasBeforeTheStatement() throws {
    _ = try run("BEGIN")
    _ = try put("/a.json", "one")
    _ = try run("UPDATE file SET data = CAST('two' AS BLOB)")
    _ = try run("UPDATE file SET data = CAST('three' AS BLOB)")
    _ = try run("COMMIT")
    #expect(plugin.calls == ["nothing → one", "one → two", "two → three"])
  }

  @Test func aPluginsQuerySeesWhatIsNotCommittedAndWritesNothing() throws {
    _ = try run("BEGIN")
    _ = try put("/a.json", "one")
    var seen: [[String?]] = []
    var refused: [String] = []
    plugin.answer = { (state) throws(PluginError) in
      seen = try state.query(
        "SELECT entity_id, commit_id FROM state WHERE file_id = ?1 AND schema_key = 'test'",
        ["/a.json"])
      for sql in [
        "DELETE FROM state", "INSERT INTO key_value(key, value) VALUES('x', 1)", "DROP TABLE state",
        "ATTACH 'x' AS y", "SAVEPOINT s", "COMMIT", "CREATE TABLE t(x)",
      ] {
        do throws(PluginError) { _ = try state.query(sql, []) } catch { refused.append(sql) }
      }
      return nil
    }
    _ = try put("/b.json", "two")
    #expect(seen == [["text", "pending"]])
    #expect(refused.count == 7, "\(refused)")
    #expect(try run("COMMIT") == "")
    #expect(try run("SELECT count(*) FROM file") == "2")
  }

  @Test func aRenameMovesTheEntitiesFromPluginToPlugin() throws {
    let second = TestPlugin("second", ["*.json", "*.txt"])
    let raw = try RawSQLSession(options: .state, plugins: PluginSet([plugin, second]))
    func makers() throws -> [String] {
      try raw.execute("SELECT plugin_key FROM state WHERE file_id = 'f' ORDER BY 1").cells.map {
        if case .text(let text)? = $0 { text } else { "-" }
      }
    }
    _ = try raw.execute(
      "INSERT INTO file(id, path, data) VALUES('f', '/x/y.json', CAST('one' AS BLOB))")
    // Both match, and are called in their order.
    #expect(try makers() == [OwnSchemas.noPlugin, "second", "test"])
    #expect(plugin.calls == ["nothing → one"])
    #expect(second.calls == ["nothing → one"])
    _ = try raw.execute("UPDATE file SET path = '/x/y.txt'")
    #expect(try makers() == [OwnSchemas.noPlugin, "second"])
    _ = try raw.execute("UPDATE file SET path = '/x/y.JSON'")
    #expect(try makers() == ["fallback", OwnSchemas.noPlugin])
    #expect(plugin.calls.count == 1)
    guard case .blob(let bytes)? = try raw.execute("SELECT data FROM file").cells[0] else {
      Issue.record("no data")
      return
    }
    #expect(bytes == Array("one".utf8))
  }
}
