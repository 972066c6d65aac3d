// The state pipeline: entities, transactions, commits and versions (scenarios 25 to 36 of the
// acceptance list), on every engine.

import SluiceSQL
import Testing

@testable import SluiceEngine

@Suite struct StateTests {
  @Test(arguments: EngineKind.allCases)
  func aWriteIsPendingUntilItsTransactionCommits(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let database = try await workshop.open(options: .state)
    try await database.run("BEGIN")
    try await database.note("para-1", "first")
    #expect(
      try await database.line(
        "SELECT commit_id, change_id IS NOT NULL FROM state WHERE entity_id = 'para-1'")
        == "pending|1")
    #expect(
      try await database.line("SELECT count(*) FROM change WHERE entity_id = 'para-1'") == "1")
    try await database.note("para-1", "second")
    try await database.run("COMMIT")
    #expect(
      try await database.line(
        """
        SELECT s.commit_id = v.commit_id, c.snapshot_content
        FROM state s JOIN version v ON v.id = 'main' JOIN change c ON c.id = s.change_id
        WHERE s.entity_id = 'para-1'
        """) == #"1|{"text":"second"}"#)
    #expect(
      try await database.line("SELECT count(*) FROM change WHERE entity_id = 'para-1'") == "1")
    #expect(try await database.cacheFaults() == "")
    try await database.close()
  }

  @Test(arguments: EngineKind.allCases)
  func whatIsInsertedAndDeletedInOneTransactionLeavesNothing(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let database = try await workshop.open(options: .state)
    let tip = try await database.line("SELECT commit_id FROM version WHERE id = 'main'")
    try await database.run("BEGIN")
    try await database.note("a", "1")
    #expect(
      try await database.exec("DELETE FROM state WHERE entity_id = 'a'", [], timeout: nil).changes
        == 1)
    try await database.run("COMMIT")
    #expect(try await database.line("SELECT count(*) FROM change") == "0")
    #expect(try await database.line("SELECT commit_id FROM version WHERE id = 'main'") == tip)
    #expect(try await database.line("SELECT count(*) FROM state_current") == "0")

    // Once it was committed and deleted, its tombstone stays as it was.
    try await database.note("a", "1")
    try await database.run("DELETE FROM state WHERE entity_id = 'a'")
    let before = try await database.line("SELECT * FROM state_with_tombstones")
    try await database.run("BEGIN")
    try await database.note("a", "2")
    try await database.run("DELETE FROM state WHERE entity_id = 'a'")
    try await database.run("COMMIT")
    #expect(try await database.line("SELECT * FROM state_with_tombstones") == before)
    #expect(try await database.line("SELECT count(*) FROM change") == "2")
    #expect(try await database.cacheFaults() == "")
    try await database.close()
  }

  @Test(arguments: EngineKind.allCases)
  func aTransactionMakesOneCommitInEachVersionThatItChanges(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let database = try await workshop.open(options: .state)
    try await database.run("INSERT INTO version(id) VALUES('other')")
    try await database.run("INSERT INTO account(id, name) VALUES('ada', 'Ada')")
    try await database.run("INSERT INTO active_account VALUES('ada')")
    let tips = try await database.lines("SELECT id, commit_id FROM version ORDER BY id")
    try await database.run("BEGIN")
    try await database.note("a", "1")
    try await database.run("INSERT INTO key_value(key, value) VALUES('theme', 'dark')")
    try await database.run("INSERT INTO file(path, data) VALUES('/x', x'00')")
    try await database.run("COMMIT")
    #expect(
      try await database.line(
        """
        SELECT count(*), min(c.authors), min(e.parent_id) = ?
        FROM "commit" c LEFT JOIN commit_edge e ON e.child_id = c.id
        WHERE c.version_id = 'main' AND c.number = (SELECT max(number) FROM "commit")
        """, [.text(String(tips[1].dropFirst("main|".count)))]) == #"1|["ada"]|1"#)
    let after = try await database.lines("SELECT id, commit_id FROM version ORDER BY id")
    #expect(after[0] != tips[0], "a plugin's schema is stored in global")
    #expect(after[1] != tips[1])
    #expect(after[2] == tips[2])
    try await database.note("b", "1")
    #expect(
      try await database.line("SELECT commit_id FROM version WHERE id = 'global'")
        == String(after[0].dropFirst("global|".count)))
    #expect(
      try await database.line("SELECT DISTINCT account_id FROM change_author") == "ada")
    #expect(try await database.cacheFaults() == "")
    try await database.close()
  }

  @Test(arguments: EngineKind.allCases)
  func rollbacksLeaveTheStateAsItWas(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let database = try await workshop.open(options: .state)
    try await database.note("a", "1")
    let number = try await database.line("SELECT value FROM state_settings WHERE name = 'number'")
    try await database.run("BEGIN")
    try await database.note("a", "2")
    try await database.note("b", "1")
    try await database.run("ROLLBACK")
    #expect(try await database.notes() == "a|1")

    try await database.run("BEGIN")
    try await database.note("b", "1")
    let error = await sqlError {
      try await database.run(
        """
        INSERT INTO state(entity_id, schema_key, file_id, plugin_key, schema_version,
          snapshot_content)
        VALUES('c', 'note', 'f', 'n', '1', '{}'), ('d', 'note', 'f', 'n', '1', '[]')
        """)
    }
    #expect(error?.message.contains("must be an object") == true)
    #expect(try await database.notes() == "a|1 b|1")
    try await database.run("SAVEPOINT s")
    try await database.note("a", "3")
    try await database.note("e", "1")
    try await database.run("DELETE FROM state WHERE entity_id = 'b'")
    #expect(try await database.notes() == "a|3 e|1")
    try await database.run("ROLLBACK TO s")
    try await database.run("RELEASE s")
    #expect(try await database.notes() == "a|1 b|1")
    try await database.run("COMMIT")
    #expect(try await database.line("SELECT count(*) FROM change") == "2")
    #expect(
      try await database.line(
        "SELECT value - ? FROM state_settings WHERE name = 'number'",
        [.integer(Int64(number)!)]) == "1")
    #expect(try await database.cacheFaults() == "")

    // All of a transaction can be rolled back to a savepoint; then it commits nothing.
    try await database.run("BEGIN")
    try await database.run("SAVEPOINT s")
    try await database.note("z", "1")
    try await database.run("ROLLBACK TO s")
    try await database.run("COMMIT")
    #expect(
      try await database.line(
        "SELECT value - ? FROM state_settings WHERE name = 'number'",
        [.integer(Int64(number)!)]) == "1")
    try await database.close()
  }

  @Test(arguments: EngineKind.allCases)
  func whatTheLateCheckFindsFailsTheCommit(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let database = try await workshop.open(options: .state)
    try await database.run("BEGIN")
    try await database.note("a", "1")
    try await database.run(
      #"INSERT INTO stored_schema(key, version, value) VALUES('note', '1.0', '{"type":"object","properties":{"text":{"type":"number"}}}')"#
    )
    let error = await sqlError { try await database.run("COMMIT") }
    #expect(error?.message.contains("'text'") == true)
    #expect(error?.isInTransaction == false)
    #expect(try await database.notes() == "")
    #expect(try await database.line("SELECT count(*) FROM change") == "0")
    #expect(try await database.line("SELECT count(*) FROM stored_schema") == "0")
    try await database.note("a", "1")
    #expect(try await database.notes() == "a|1")
    try await database.close()
  }

  @Test(arguments: EngineKind.allCases)
  func versionsInheritFromTheNearestThatHasIt(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let database = try await workshop.open(options: .state)
    try await database.note("shared", "global", in: "global")
    try await database.note("mine", "main")
    try await database.run("INSERT INTO version(id, name) VALUES('branch', 'Branch')")
    try await database.run(
      "INSERT INTO version(id, inherits_from_version_id) VALUES('leaf', 'branch')")
    func notes(_ version: String) async throws -> String {
      try await database.lines(
        """
        SELECT entity_id, json_extract(snapshot_content, '$.text'),
          coalesce(inherited_from_version_id, 'own')
        FROM state_all WHERE schema_key = 'note' AND version_id = ? ORDER BY 1
        """, [.text(version)]
      ).joined(separator: " ")
    }
    #expect(try await notes("branch") == "mine|main|own shared|global|global")
    try await database.note("mine", "branch", in: "branch")
    #expect(try await notes("main") == "mine|main|own shared|global|global")
    #expect(try await notes("branch") == "mine|branch|own shared|global|global")

    try await database.run(
      "DELETE FROM state_all WHERE version_id = 'branch' AND entity_id = 'shared'")
    #expect(try await notes("branch") == "mine|branch|own")
    #expect(try await notes("global") == "shared|global|own")
    // The tombstone of the parent hides what the grandparent has.
    #expect(try await notes("leaf") == "mine|main|own")
    try await database.note("near", "global", in: "global")
    try await database.note("near", "branch", in: "branch")
    #expect(try await notes("leaf") == "mine|main|own near|branch|branch")
    // Without a version a deletion is for all that see the entity.
    #expect(
      try await database.exec("DELETE FROM state_all WHERE entity_id = 'near'", [], timeout: nil)
        .changes == 4)
    #expect(
      try await database.line("SELECT count(*) FROM state_all WHERE entity_id = 'near'") == "0")
    #expect(try await database.cacheFaults() == "")
    try await database.close()
  }

  @Test(arguments: EngineKind.allCases)
  func aWriteInGlobalIsSeenByAllAtOnce(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let database = try await workshop.open(options: .state)
    try await database.run("INSERT INTO version(id) VALUES('branch')")
    try await database.run("BEGIN")
    try await database.note("g", "1", in: "global")
    let seen = "SELECT version_id FROM state_all WHERE entity_id = 'g' ORDER BY 1"
    #expect(try await database.lines(seen) == ["branch", "global", "main"])
    #expect(
      try await database.line("SELECT commit_id FROM state WHERE entity_id = 'g'") == "pending")
    try await database.run("COMMIT")
    #expect(try await database.lines(seen) == ["branch", "global", "main"])
    #expect(try await database.line("SELECT count(*) FROM change WHERE entity_id = 'g'") == "1")
    try await database.close()
  }

  @Test(arguments: EngineKind.allCases)
  func untrackedRowsHaveNoHistoryAndComeFirst(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let database = try await workshop.open(options: .state)
    let insert = """
      INSERT INTO state(entity_id, schema_key, file_id, plugin_key, schema_version,
        snapshot_content, untracked) VALUES('cursor', 'note', 'f', 'app', '1.0', ?, 1)
      """
    try await database.note("cursor", "tracked")
    let tip = try await database.line("SELECT commit_id FROM version WHERE id = 'main'")
    try await database.run(insert, [.text(#"{"text":"untracked"}"#)])
    #expect(
      try await database.line(
        "SELECT json_extract(snapshot_content, '$.text'), untracked, commit_id, change_id FROM state WHERE entity_id = 'cursor'"
      ) == "untracked|1|untracked|-")
    #expect(try await database.line("SELECT commit_id FROM version WHERE id = 'main'") == tip)
    #expect(try await database.line("SELECT count(*) FROM change") == "1")
    // Deleted, it lets the tracked one show again.
    try await database.run("DELETE FROM state WHERE entity_id = 'cursor'")
    #expect(try await database.notes() == "cursor|tracked")
    try await database.run(insert, [.text(#"{"text":"untracked"}"#)])
    try await database.note("cursor", "again")
    #expect(try await database.notes() == "cursor|again")
    #expect(
      try await database.line("SELECT count(*) FROM state_current WHERE untracked = 1") == "0")

    // One that is inherited gets a tombstone, which is untracked too.
    try await database.run(
      """
      INSERT INTO state_all(entity_id, schema_key, file_id, plugin_key, schema_version,
        snapshot_content, untracked, version_id)
      VALUES('g', 'note', 'f', 'app', '1.0', '{"text":"g"}', 1, 'global')
      """)
    #expect(try await database.notes() == "cursor|again g|g")
    try await database.run("DELETE FROM state WHERE entity_id = 'g'")
    #expect(try await database.notes() == "cursor|again")
    #expect(
      try await database.line(
        "SELECT version_id, is_tombstone FROM state_current WHERE entity_id = 'g' ORDER BY 1")
        == "global|0\nmain|1")
    #expect(try await database.cacheFaults() == "")
    try await database.close()
  }

  @Test(arguments: [EngineKind.local, .sidecar])
  func anActiveVersionIsTheConnections(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let one = try await workshop.open(options: .state)
    let two = try await workshop.open(options: .state)
    try await one.run("INSERT INTO version(id) VALUES('branch')")
    try await one.run("UPDATE active_version SET version_id = 'branch'")
    try await one.note("a", "branch")
    #expect(try await one.notes() == "a|branch")
    #expect(try await two.notes() == "")
    #expect(try await two.line("SELECT version_id FROM active_version") == "main")
    let three = try await workshop.open(options: .state)
    #expect(try await three.notes() == "a|branch")
    // A rollback takes it back.
    try await two.run("BEGIN")
    try await two.run("SAVEPOINT s")
    try await two.run("UPDATE active_version SET version_id = 'branch'")
    #expect(try await two.notes() == "a|branch")
    try await two.run("ROLLBACK TO s")
    #expect(try await two.notes() == "")
    try await two.run("UPDATE active_version SET version_id = 'branch'")
    try await two.run("ROLLBACK")
    #expect(try await two.notes() == "")
    let error = await sqlError {
      try await two.run("UPDATE active_version SET version_id = 'none'")
    }
    #expect(error?.message.contains("there is no version 'none'") == true)
    for database in [one, two, three] { try await database.close() }
  }

  @Test(arguments: EngineKind.allCases)
  func aMergeTakesWhatTheSourceHasChanged(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let database = try await workshop.open(options: .state)
    for (id, text) in [("both", "0"), ("gone", "0"), ("old", "0")] {
      try await database.note(id, text)
    }
    try await database.run("INSERT INTO version(id) VALUES('branch')")
    try await database.note("both", "branch", in: "branch")
    try await database.note("new", "branch", in: "branch")
    try await database.run(
      "DELETE FROM state_all WHERE version_id = 'branch' AND entity_id = 'gone'")
    try await database.note("both", "main")
    // The branch has not touched it, so the merge must not take it back.
    try await database.note("old", "main")
    try await database.note("mine", "main")
    let tips = try await database.lines(
      "SELECT commit_id FROM version WHERE id IN ('main', 'branch') ORDER BY id")
    try await database.run("INSERT INTO version_merge(source_version_id) VALUES('branch')")
    #expect(try await database.notes() == "both|branch mine|main new|branch old|main")
    #expect(
      try await database.lines(
        """
        SELECT parent_id FROM commit_edge
        WHERE child_id = (SELECT commit_id FROM version WHERE id = 'main')
        """
      ).sorted() == tips.sorted())
    #expect(try await database.cacheFaults() == "")
    let merged = try await database.line("SELECT commit_id FROM version WHERE id = 'main'")
    for source in ["branch", "main"] {
      try await database.run(
        "INSERT INTO version_merge(source_version_id, target_version_id) VALUES(?, 'main')",
        [.text(source)])
    }
    #expect(try await database.line("SELECT commit_id FROM version WHERE id = 'main'") == merged)
    #expect(
      try await database.line("SELECT source_version_id, target_version_id FROM version_merge")
        == "branch|main")
    try await database.close()
  }

  @Test(arguments: EngineKind.allCases)
  func aStoredSchemaIsKept(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let database = try await workshop.open(options: .state)
    let store = "INSERT INTO stored_schema(key, version, value) VALUES('note', '1.0', ?)"
    let definition =
      #"{"type":"object","required":["text"],"properties":{"text":{"type":"string"}},"additionalProperties":false}"#
    try await database.run(store, [.text(definition)])
    try await database.run(store, [.text(definition + " ")])
    try await database.note("a", "1")
    for (content, word) in [
      (#"{"text":1}"#, "'text'"), ("{}", "'text'"), (#"{"text":"x","more":1}"#, "'more'"),
      ("3", "must be an object"), ("{", "no JSON"),
    ] {
      let error = await sqlError {
        try await database.run(
          """
          INSERT INTO state(entity_id, schema_key, file_id, plugin_key, schema_version,
            snapshot_content) VALUES('b', 'note', 'f', 'n', '1.0', ?)
          """, [.text(content)])
      }
      #expect(error?.message.contains(word) == true, "\(content): \(error?.message ?? "")")
    }
    let another = await sqlError { try await database.run(store, [.text(#"{"type":"object"}"#)]) }
    #expect(another?.message.contains("new version") == true)
    let removal = await sqlError { try await database.run("DELETE FROM stored_schema") }
    #expect(removal?.message.contains("for good") == true)
    #expect(try await database.notes() == "a|1")
    try await database.close()
  }
}

@Suite struct StateChangesTests {
  /// Both kinds of engine, and another process's commits are seen by looking.
  @Test(arguments: [EngineKind.local, .sidecar])
  func aWaitEndsWithTheNextCommit(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let writer = try await workshop.open(options: .state)
    let waiter = try await workshop.open(options: .state)
    let seen = try await waiter.awaitChanges(after: 0, timeout: .zero)
    async let number = waiter.awaitChanges(after: seen, timeout: .seconds(60))
    try await Task.sleep(for: .milliseconds(50))
    try await writer.run("BEGIN")
    try await writer.run("SAVEPOINT s")
    try await writer.note("rolled back", "1")
    try await writer.run("ROLLBACK TO s")
    try await writer.run("COMMIT")
    _ = try await writer.line("SELECT * FROM state")
    try await writer.run("BEGIN")
    try await writer.run("SAVEPOINT s")
    try await writer.note("a", "1")
    try await writer.note("b", "1")
    try await writer.run("RELEASE s")
    try await writer.run("COMMIT")
    #expect(try await number == seen + 1)
    #expect(
      try await waiter.lines(
        "SELECT entity_id, snapshot_content FROM state_commit WHERE number > ? ORDER BY 1",
        [.integer(seen)]) == [#"a|{"text":"1"}"#, #"b|{"text":"1"}"#])
    // An outermost savepoint and an autocommitted statement are transactions, too.
    try await writer.run("SAVEPOINT outer")
    try await writer.note("c", "1")
    try await writer.run("RELEASE outer")
    #expect(try await waiter.awaitChanges(after: seen + 1, timeout: .seconds(60)) == seen + 2)
    try await writer.run("UPDATE state SET untracked = 1 WHERE entity_id = 'c'")
    #expect(try await waiter.awaitChanges(after: seen + 2, timeout: .seconds(60)) == seen + 3)
    try await writer.run("DELETE FROM state WHERE entity_id = 'c'")
    #expect(
      try await waiter.lines(
        "SELECT entity_id, untracked, snapshot_content FROM state_commit WHERE number = ?",
        [.integer(seen + 4)]) == ["c|1|-"])
    // Nothing comes.
    #expect(try await waiter.awaitChanges(after: seen + 4, timeout: .milliseconds(30)) == seen + 4)
    for database in [writer, waiter] { try await database.close() }
  }

  @Test(arguments: EngineKind.allCases)
  func aWaitIsRefusedWhereItWouldBeInVain(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let plain = try await workshop.open("plain.db")
    let none = await sqlError { try await plain.awaitChanges(after: 0, timeout: .zero) }
    #expect(none?.message.contains("no state") == true)
    let database = try await workshop.open(options: .state)
    try await database.run("BEGIN")
    let inside = await sqlError { try await database.awaitChanges(after: 0, timeout: .seconds(9)) }
    #expect(inside?.message.contains("transaction") == true)
    try await database.run("ROLLBACK")
    // A half-read statement keeps its snapshot.
    let rows = database.rows(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
        + " SELECT i, key FROM n LEFT JOIN key_value ON key = i"
    ).makeAsyncIterator()
    _ = try await rows.next()
    let halfRead = await sqlError {
      try await database.awaitChanges(after: 0, timeout: .seconds(9))
    }
    #expect(halfRead?.message.contains("half read") == true)
    while try await rows.next() != nil {}
    // The cancellation of the task ends it.
    let task = Task { try await database.awaitChanges(after: 99, timeout: .seconds(600)) }
    try await Task.sleep(for: .milliseconds(50))
    task.cancel()
    let cancelled = await sqlError { try await task.value }
    #expect(cancelled?.reason == .interrupted)
    for database in [plain, database] { try await database.close() }
  }
}
