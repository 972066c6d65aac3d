// How transactions of the state end where something comes between.

import Foundation
import SluiceSQL
import SluiceWire
import Testing

@testable import SluiceEngine
@testable import SluiceSQL

@Suite struct StateTransactionTests {
  private static let note = """
    INSERT INTO state(entity_id, schema_key, file_id, plugin_key, schema_version, snapshot_content)
    VALUES(?, 'note', 'f', 'p', '1.0', '{}')
    """
  private static let commits = #"SELECT count(*) FROM "commit" WHERE version_id = 'main'"#

  @Test func aCommitThatIsBusyCanBeTriedAgain() throws {
    let engine = try TestEngine()
    let writer = try engine.connect(options: .state, busyMilliseconds: 0)
    try writer.rows("PRAGMA journal_mode = delete")
    let reader = try engine.connect(options: .state, busyMilliseconds: 0)
    for id in ["a", "b", "c"] { try writer.rows(Self.note, .text(id)) }
    for isLeft in [false, true] {
      let before = try writer.rows(Self.commits)
      try reader.rows("BEGIN")
      let transaction = try reader.rows("SELECT value FROM state_settings WHERE name = 'number'")
      try writer.rows("BEGIN")
      try writer.rows(Self.note, .text("d\(isLeft)"))
      // The reader's lock keeps the commit from writing.
      guard case .sqlite(let code, _, _) = writer.failure("COMMIT") else {
        Issue.record("COMMIT was not refused")
        return
      }
      #expect(code & 0xff == 5)
      #expect(!writer.isAutocommit)
      // The next writes are a transaction of their own for the state.
      try writer.rows(Self.note, .text("e\(isLeft)"))
      #expect(
        try reader.rows("SELECT value FROM state_settings WHERE name = 'number'") == transaction)
      try reader.rows("COMMIT")
      try writer.rows(isLeft ? "ROLLBACK" : "COMMIT")
      #expect(
        try writer.rows("SELECT count(*) FROM state WHERE entity_id LIKE '_\(isLeft)'")
          == [[isLeft ? 0 : 2]])
      if isLeft { #expect(try writer.rows(Self.commits) == before) }
      #expect(try writer.rows("SELECT count(*) FROM state WHERE commit_id = 'pending'") == [[0]])
      #expect(try writer.rows(StateCache.faultCount) == [[0]])
    }
  }

  @Test func anInterruptedCommitRollsBack() async throws {
    let workshop = try EngineWorkshop(.local)
    let database = try await workshop.open(options: .state)
    try await database.run(
      """
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000)
      INSERT INTO state(entity_id, schema_key, file_id, plugin_key, schema_version, snapshot_content)
      SELECT 'n' || i, 'note', 'f', 'n', '1.0', '{"text":"x"}' FROM n
      """)
    let number = try await database.line("SELECT value FROM state_settings WHERE name = 'number'")
    for milliseconds in [1, 5, 20] {
      try await database.run("BEGIN")
      try await database.note("more", "1")
      try await database.run(
        #"INSERT INTO stored_schema(key, version, value) VALUES('note', '1.0', '{"type":"object"}')"#
      )
      // The late check looks at all entities of the schema.
      let error = await sqlError {
        _ = try await database.exec("COMMIT", [], timeout: .milliseconds(milliseconds))
      }
      #expect(error?.code == 9, "\(error?.message ?? "")")
      if error?.isInTransaction == true { try await database.run("ROLLBACK") }
      #expect(try await database.line("SELECT count(*) FROM state WHERE entity_id = 'more'") == "0")
      #expect(try await database.line("SELECT count(*) FROM stored_schema") == "0")
      #expect(
        try await database.line("SELECT value FROM state_settings WHERE name = 'number'") == number)
      #expect(try await database.cacheFaults() == "")
    }
    try await database.note("more", "2")
    #expect(try await database.line("SELECT count(*) FROM state WHERE entity_id = 'more'") == "1")
    try await database.close()
  }

  @Test func aSessionEndsWithStatementsHalfReadAndWritesOpen() throws {
    let engine = try TestEngine()
    for sql in [
      "SELECT * FROM state", "SELECT * FROM state_all s JOIN state t USING(entity_id)",
      "SELECT * FROM file", "SELECT * FROM state_history", "SELECT * FROM file_history",
      "SELECT * FROM version", "SELECT * FROM key_value", "SELECT * FROM change",
    ] {
      for isWriting in [false, true] {
        var connection: SQLConnection? = try engine.connect(options: .state)
        try connection!.rows(Self.note, "a")
        try connection!.rows(Self.note, "b")
        try connection!.rows("INSERT INTO file(path, data) VALUES('/\(UUID())', 'x')")
        let cursors = try (0..<5).map { _ in
          let cursor = try connection!.open(sql)
          _ = try cursor.step()
          return cursor
        }
        if isWriting {
          try connection!.rows("BEGIN")
          try connection!.rows(Self.note, "open")
          // Another one's change of the schema makes SQLite connect the tables again.
        } else {
          let other = try engine.connect(options: .state)
          try other.rows("CREATE TABLE IF NOT EXISTS t\(sql.utf8.count)(x)")
          try connection!.rows("SELECT count(*) FROM state")
        }
        connection = nil
        _ = cursors
      }
    }
    let connection = try engine.connect(options: .state)
    #expect(try connection.rows("SELECT count(*) FROM state WHERE entity_id = 'open'") == [[0]])
    #expect(try connection.rows(StateCache.faultCount) == [[0]])
  }

  @Test func aDatabaseInUTF16IsTheSame() async throws {
    let workshop = try EngineWorkshop(.memory)
    let plain = try await workshop.open()
    try await plain.run("PRAGMA encoding = 'UTF-16le'")
    try await plain.run("CREATE TABLE t(x)")
    let image = try await plain.export()
    try await plain.close()
    let database = try await workshop.open(options: .state, seed: image)
    #expect(try await database.line("PRAGMA encoding") == "UTF-16le")
    try await database.note("ü😀", "é")
    try await database.run("INSERT INTO file(path, data) VALUES('/ü', x'ff00')")
    #expect(try await database.notes() == "ü😀|é")
    #expect(try await database.line("SELECT hex(data) FROM file WHERE path = '/ü'") == "FF00")
    try await database.run(
      "UPDATE state SET snapshot_content = '{\"text\":\"ö\"}' WHERE entity_id = 'ü😀'")
    #expect(try await database.notes() == "ü😀|ö")
    try await database.run("DELETE FROM state WHERE entity_id = 'ü😀'")
    #expect(try await database.notes() == "")
    #expect(try await database.cacheFaults() == "")
    try await database.close()
  }

  @Test func aPathThatIsFreeOnlyWhileItIsHiddenIsNotGivenTwice() async throws {
    let workshop = try EngineWorkshop(.memory)
    let database = try await workshop.open(options: .state)
    try await database.run("INSERT INTO file(id, path, data) VALUES('f', '/a', 'x')")
    try await database.run(
      "INSERT INTO file(id, path, data, lixcol_untracked) VALUES('f', '/b', 'x', 1)")
    try await database.run("INSERT INTO file(id, path, data) VALUES('g', '/a', 'y')")
    let error = await sqlError { try await database.run("DELETE FROM file WHERE id = 'f'") }
    #expect(error?.message.contains("another file '/a'") == true)
    #expect(
      try await database.lines("SELECT id, path FROM file ORDER BY id") == ["f|/b", "g|/a"])
    try await database.close()
  }
}
