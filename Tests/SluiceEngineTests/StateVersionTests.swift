// Versions of the state pipeline: what they may inherit, and how a key that is there is met.

import SluiceSQL
import Testing

@testable import SluiceEngine

@Suite struct StateVersionTests {
  private func file(
    _ path: String, _ id: String, in version: String, _ database: SQLDatabase
  ) async throws {
    try await database.run(
      "INSERT INTO file_all(id, path, data, lixcol_version_id) VALUES(?, ?, x'00', ?)",
      [.text(id), .text(path), .text(version)])
  }

  private func error(_ sql: String, on database: SQLDatabase) async -> String {
    await sqlError { try await database.run(sql) }?.message ?? "(no error)"
  }

  @Test(arguments: EngineKind.allCases)
  func noVersionSeesAPathTwiceByWhatItInherits(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let database = try await workshop.open(options: .state)
    for version in ["base", "other"] {
      try await database.run("INSERT INTO version(id) VALUES(?)", [.text(version)])
    }
    try await database.run(
      "INSERT INTO version(id, inherits_from_version_id) VALUES('leaf', 'base')")
    try await file("/a", "in-other", in: "other", database)
    try await file("/a", "in-leaf", in: "leaf", database)
    try await file("/b", "b", in: "base", database)

    // The version itself, and one that inherits from it.
    let paths = "SELECT lixcol_version_id, path, id FROM file_all ORDER BY 1, 2, 3"
    let before = try await database.lines(paths)
    for version in ["leaf", "base"] {
      let text = await error(
        "UPDATE version SET inherits_from_version_id = 'other' WHERE id = '\(version)'",
        on: database)
      #expect(
        text
          == "version 'leaf' would have two files '/a' (ids 'in-leaf' and 'in-other'); rename or "
          + "delete one of them first")
    }
    #expect(
      await error(
        "INSERT INTO version(id, inherits_from_version_id, commit_id) SELECT 'new', 'other', commit_id FROM version WHERE id = 'leaf'",
        on: database
      ).hasPrefix("version 'new' would have two files '/a'"))
    #expect(try await database.lines(paths) == before)
    #expect(try await database.line("SELECT count(*) FROM version") == "5")

    // A file that is hidden, and one that moved, are in nobody's way.
    try await database.run(
      "UPDATE file_all SET path = '/c' WHERE id = 'in-leaf' AND lixcol_version_id = 'leaf'")
    try await database.run(
      "UPDATE version SET inherits_from_version_id = 'other' WHERE id = 'base'")
    #expect(
      try await database.lines(
        "SELECT path, id FROM file_all WHERE lixcol_version_id = 'leaf' ORDER BY 1")
        == ["/a|in-other", "/b|b", "/c|in-leaf"])
    #expect(try await database.cacheFaults() == "")
    try await database.close()
  }

  @Test(arguments: EngineKind.allCases)
  func aVersionThatIsThereIsIgnoredOnRequest(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let database = try await workshop.open(options: .state)
    try await database.run("INSERT INTO version(id, name) VALUES('there', 'first')")
    let several = "INTO version(id, name) VALUES('one', '1'), ('there', 'second'), ('two', '2')"
    let ids =
      "SELECT group_concat(id || ' ' || name, ', ') FROM (SELECT * FROM version WHERE id NOT IN ('global', 'main') ORDER BY id)"

    for statement in ["INSERT", "INSERT OR ABORT", "INSERT OR REPLACE"] {
      #expect(
        await error("\(statement) \(several)", on: database) == "there is a version 'there' already"
      )
    }
    #expect(try await database.line(ids) == "there first")
    try await database.run("BEGIN")
    let result = try await database.exec("INSERT OR IGNORE \(several)", [], timeout: nil)
    #expect(result.changes == 2)
    #expect(try await database.line(ids) == "one 1, there first, two 2")
    try await database.run("ROLLBACK")
    #expect(try await database.line(ids) == "there first")

    // Nothing else is ignored, because something of such a row may be written already.
    for values in ["('a', 'none')", "('a', 'a')"] {
      let text = await error(
        "INSERT OR IGNORE INTO version(id, inherits_from_version_id) VALUES('b', 'main'), \(values)",
        on: database)
      #expect(text.contains("no version 'none'") || text.contains("inherit from itself"), "\(text)")
      #expect(try await database.line(ids) == "there first")
    }
    try await database.close()
  }

  /// A tracked row in the place of an untracked one, gone with its transaction: the untracked one is
  /// gone too, and that is told.
  @Test(arguments: EngineKind.allCases)
  func theEndOfAnUntrackedRowIsToldHoweverItCame(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let database = try await workshop.open(options: .state)
    let untracked = """
      INSERT INTO state(entity_id, schema_key, file_id, plugin_key, schema_version,
        snapshot_content, untracked) VALUES('n', 'note', 'f', 'notes', '1.0', '{"text":"u"}', 1)
      """
    let events = """
      SELECT number, entity_id, untracked, snapshot_content FROM state_commit
      WHERE entity_id = 'n' ORDER BY number
      """
    try await database.run(untracked)
    #expect(try await database.lines(events) == [#"1|n|1|{"text":"u"}"#])
    try await database.run("BEGIN")
    try await database.note("n", "tracked")
    try await database.run("DELETE FROM state WHERE entity_id = 'n'")
    try await database.run("COMMIT")
    #expect(try await database.notes() == "")
    #expect(try await database.lines(events) == ["2|n|1|-"])

    // Without a row before, nothing has changed, and nothing is told.
    try await database.run("BEGIN")
    try await database.note("other", "tracked")
    try await database.run("DELETE FROM state WHERE entity_id = 'other'")
    try await database.run("COMMIT")
    #expect(try await database.line("SELECT max(number) FROM state_commit") == "2")
    try await database.close()
  }
}
