// Faults of the state pipeline that were found by attacks and by the model: each was there once.

import SluiceSQL
import Testing

@testable import SluiceEngine

@Suite struct StateFaultTests {
  /// A schema that no file's content fits.
  private static let refusesFiles = """
    INSERT INTO stored_schema(key, version, value)
    VALUES('file_content', '1.0', '{"type":"object","required":["never"]}')
    """

  @Test(arguments: EngineKind.allCases)
  func aSessionEndsWithItsTransactionOpen(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let database = try await workshop.open(options: .state)
    try await database.run("BEGIN")
    try await database.note("a", "1")
    try await database.close(rollingBack: true)
    guard kind != .memory else { return }
    let again = try await workshop.open(options: .state)
    #expect(try await again.notes() == "")
    try await again.close()
  }

  @Test(arguments: EngineKind.allCases)
  func aStatementOfOneRowThatFailsLeavesNothingInItsTransaction(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let database = try await workshop.open(options: .state)
    try await database.run(Self.refusesFiles)
    try await database.run("BEGIN")
    let error = await sqlError {
      try await database.run("INSERT INTO file(path, data) VALUES('/x', 'y')")
    }
    #expect(error?.message.contains("never") == true)
    #expect(error?.isInTransaction == true)
    #expect(try await database.line("SELECT count(*) FROM file") == "0")
    try await database.run("INSERT INTO active_account VALUES('ada')")
    let null = await sqlError {
      try await database.run("UPDATE active_account SET account_id = NULL")
    }
    #expect(null != nil)
    #expect(try await database.line("SELECT account_id FROM active_account") == "ada")
    try await database.run("COMMIT")
    #expect(try await database.cacheFaults() == "")
    try await database.close()
  }

  @Test func theCollationOfAComparisonCounts() async throws {
    let workshop = try EngineWorkshop(.memory)
    let database = try await workshop.open(options: .state)
    try await database.note("Abc", "1")
    #expect(
      try await database.line("SELECT entity_id FROM state WHERE entity_id = 'aBC' COLLATE NOCASE")
        == "Abc")
    try await database.run("INSERT INTO key_value(key, value) VALUES(5, 'five')")
    #expect(try await database.line("SELECT value FROM key_value WHERE key = 5") == "five")
    try await database.close()
  }

  @Test func aTemporaryTableHidesNoneOfTheStates() async throws {
    let workshop = try EngineWorkshop(.memory)
    let database = try await workshop.open(options: .state)
    try await database.run("CREATE TEMP TABLE state(x)")
    try? await database.run(
      "CREATE TEMP TABLE state_versions(id, name, \"commit\", inherits, hidden)")
    try? await database.run("INSERT INTO state_versions VALUES('fake', 'fake', 0, NULL, 0)")
    let error = await sqlError { try await database.note("a", "1", in: "fake") }
    #expect(error?.message.contains("there is no version") == true)
    try await database.note("a", "1", in: "main")
    try await database.close()
  }

  @Test func aTableThatIsReadWhileAnotherOneIsWrittenHasAnEnd() async throws {
    let workshop = try EngineWorkshop(.memory)
    let database = try await workshop.open(options: .state)
    try await database.note("a", "1")
    _ = try await database.exec(
      """
      INSERT INTO state_all(entity_id, schema_key, file_id, plugin_key, schema_version,
        snapshot_content, version_id)
      SELECT entity_id || 'x', schema_key, file_id, plugin_key, schema_version, snapshot_content,
        'main' FROM state
      """, [], timeout: .seconds(2))
    #expect(try await database.notes() == "a|1 ax|1")
    try await database.close()
  }

  @Test func aTableThatIsCalledStateIsATable() async throws {
    let workshop = try EngineWorkshop(.local)
    let database = try await workshop.open()
    try await database.run("CREATE VIRTUAL TABLE state USING fts5(x)")
    try await database.run("INSERT INTO state VALUES('word')")
    try await database.close()
    let again = try await workshop.open()
    #expect(try await again.line("SELECT x FROM state WHERE state MATCH 'word'") == "word")
    try await again.close()
    let error = await sqlError { _ = try await workshop.open(options: .state) }
    #expect(error?.message.contains("rename them") == true)
  }

  @Test func aDatabaseThatGetsItsStateLaterIsAsSafe() async throws {
    let workshop = try EngineWorkshop(.local)
    let plain = try await workshop.open()
    let database = try await workshop.open(options: .state)
    try await database.note("a", "1")
    for sql in [
      "DROP VIEW change", "DROP INDEX state_changes_by_commit", "DROP TABLE state",
      "DROP TABLE state_current", "DELETE FROM state_current", "DROP TABLE version",
      "CREATE INDEX i ON state_current(kind)", "ALTER TABLE state_current ADD COLUMN x",
      "CREATE TRIGGER t AFTER INSERT ON state_current BEGIN SELECT 1; END",
      "CREATE TEMP TRIGGER t AFTER INSERT ON state_current BEGIN SELECT 1; END",
    ] {
      for connection in [plain, database] {
        #expect(await sqlError { try await connection.run(sql) } != nil, "\(sql)")
      }
    }
    try await plain.note("b", "2")
    #expect(try await database.notes() == "a|1 b|2")
    #expect(try await plain.cacheFaults() == "")
    try await plain.close()
    try await database.close()
  }

  @Test func aVersionBeginsAtAnOldCommitOfManyChanges() async throws {
    let workshop = try EngineWorkshop(.memory)
    let database = try await workshop.open(options: .state)
    try await database.run(
      """
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000)
      INSERT INTO state(entity_id, schema_key, file_id, plugin_key, schema_version, snapshot_content)
      SELECT 'n' || i, 'note', 'f', 'n', '1.0', '{}' FROM n
      """)
    let tip = try await database.line("SELECT commit_id FROM version WHERE id = 'main'")
    try await database.note("more", "1")
    // It took minutes.
    _ = try await database.exec(
      "INSERT INTO version(id, commit_id) VALUES('old', ?)", [.text(tip)], timeout: .seconds(20))
    #expect(
      try await database.line("SELECT count(*) FROM state_all WHERE version_id = 'old'") == "20000")
    #expect(try await database.cacheFaults() == "")
    try await database.close()
  }

  @Test(arguments: EngineKind.allCases)
  func deepSchemasAndContentsAreReadOrRefused(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let database = try await workshop.open(options: .state)
    let store = "INSERT INTO stored_schema(key, version, value) VALUES('note', ?, ?)"
    func nested(_ head: String, _ depth: Int, _ core: String, _ tail: String) -> String {
      String(repeating: head, count: depth) + core + String(repeating: tail, count: depth)
    }
    for depth in [400, 900, 990] {
      let schema = nested(#"{"properties":{"a":"#, depth, "{}", "}}")
      try await database.run(store, [.text("p\(depth)"), .text(schema)])
      try await database.run(store, [.text("p\(depth)"), .text(schema + " ")])
      try await database.run(
        store, [.text("e\(depth)"), .text(#"{"enum":["# + nested("[", depth, "1", "]") + "]}")])
      for version in ["p\(depth)", "e\(depth)"] {
        try? await database.run(
          """
          INSERT INTO state(entity_id, schema_key, file_id, plugin_key, schema_version,
            snapshot_content) VALUES('a', 'note', 'f', 'n', ?, ?)
          """, [.text(version), .text(nested(#"{"a":"#, 1900, "1", "}"))])
      }
    }
    #expect(try await database.line("SELECT count(*) FROM state WHERE entity_id = 'a'") == "1")
    try await database.close()
  }

  @Test func keysAndPathsAreTheTextsThatTheyAre() async throws {
    let workshop = try EngineWorkshop(.memory)
    let database = try await workshop.open(options: .state)
    // In JSON a zero byte ends the text, for SQLite.
    try await database.run("INSERT INTO key_value(key, value) VALUES(?, 1)", ["a\0b"])
    try await database.run("UPDATE key_value SET value = 2")
    #expect(try await database.line("SELECT hex(key), value FROM key_value") == "610062|2")
    // A content need not have the key that its entity has.
    let insert = """
      INSERT INTO state(entity_id, schema_key, file_id, plugin_key, schema_version, snapshot_content)
      VALUES(?, ?, ?, 'p', '1', ?)
      """
    try await database.run(insert, ["k", "lix_key_value", "lix", #"{"key":"other","value":3}"#])
    #expect(try await database.line("SELECT value FROM key_value WHERE key = 'k'") == "3")
    // Another file's entity is none of the table's.
    try await database.run(insert, ["k", "lix_key_value", "f", #"{"key":"k","value":4}"#])
    try await database.run("DELETE FROM key_value WHERE key = 'k'")
    #expect(
      try await database.line("SELECT file_id FROM state WHERE entity_id = 'k'") == "f")
    let error = await sqlError {
      try await database.run(
        insert, ["x", "lix_file_descriptor", "x", #"{"id":"x","path":"/\ud800"}"#])
    }
    #expect(error?.message.contains("no UTF-8") == true)
    // Other tables' names may change beside the state.
    try await database.run("CREATE TABLE mine(a, b)")
    try await database.run("ALTER TABLE mine RENAME TO yours")
    try await database.run("ALTER TABLE yours RENAME COLUMN a TO c")
    try await database.run("ALTER TABLE yours DROP COLUMN b")
    try await database.close()
  }
}
