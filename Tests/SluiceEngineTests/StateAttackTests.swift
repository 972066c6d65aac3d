// A client that tries to harm the state by what SQL allows. Each statement is refused with a clear
// error or does what it says; nothing is lost, and the cache stays equal to the history.

import Foundation
import SluiceSQL
import Testing

@testable import SluiceEngine

@Suite struct StateAttackTests {
  private static let names = StateTables.ownNames.sorted()

  /// What a client must not do to each of the state's tables and views.
  private static func attacks(on name: String) -> [String] {
    let name = "\"\(name)\""
    return [
      "DROP TABLE \(name)", "DROP VIEW \(name)", "ALTER TABLE \(name) RENAME TO other",
      "ALTER TABLE \(name) ADD COLUMN more", "ALTER TABLE \(name) DROP COLUMN name",
      "CREATE INDEX i ON \(name)(1)", "CREATE UNIQUE INDEX i ON \(name)(id)",
      "CREATE TRIGGER t AFTER INSERT ON \(name) BEGIN SELECT 1; END",
      "CREATE TRIGGER t INSTEAD OF INSERT ON \(name) BEGIN SELECT 1; END",
      "CREATE TEMP TRIGGER t AFTER DELETE ON \(name) BEGIN SELECT 1; END",
      "CREATE TEMP TRIGGER t INSTEAD OF DELETE ON \(name) BEGIN SELECT 1; END",
      "CREATE TABLE \(name)(x)", "CREATE VIEW \(name) AS SELECT 1",
      "CREATE VIRTUAL TABLE \(name) USING fts5(x)",
    ]
  }

  @Test(arguments: [EngineKind.local, .memory])
  func itsTablesAndViewsStayAsTheyAre(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let plain = kind == .local ? try await workshop.open() : nil
    let database = try await workshop.open(options: .state)
    try await database.note("a", "1")
    let schema = try await database.lines("SELECT sql FROM sqlite_schema ORDER BY name")
    for connection in [plain, database].compactMap({ $0 }) {
      for name in Self.names {
        for sql in Self.attacks(on: name) {
          let error = await sqlError { try await connection.run(sql) }
          #expect(error != nil, "\(sql)")
        }
      }
      for sql in [
        "DROP INDEX state_changes_by_commit", "PRAGMA writable_schema = 1",
        "DELETE FROM sqlite_schema", "CREATE TABLE json_tree(a)",
        "CREATE VIEW json_each AS SELECT 1",
        "CREATE VIRTUAL TABLE json_tree USING fts5(id, parent, type, key, atom)",
        "CREATE VIRTUAL TABLE x USING state(state)",
        "CREATE VIRTUAL TABLE x USING state_view(file)",
        "CREATE TABLE plain(a); ALTER TABLE plain RENAME TO json_tree",
        "REINDEX nothing", "PRAGMA schema_version = 1",
      ] {
        let error = await sqlError { try await connection.run(sql) }
        #expect(error != nil, "\(sql)")
      }
      try? await connection.run("CREATE TABLE plain(a)")
      let rename = await sqlError {
        try await connection.run("ALTER TABLE plain RENAME TO [json_tree]")
      }
      #expect(rename != nil)
      try await connection.run("DROP TABLE plain")
    }
    #expect(try await database.lines("SELECT sql FROM sqlite_schema ORDER BY name") == schema)
    try await database.run("VACUUM")
    try await database.note("b", "2")
    #expect(try await database.notes() == "a|1 b|2")
    #expect(try await database.cacheFaults() == "")
    try await plain?.close()
    try await database.close()
  }

  @Test func onlyThePipelineWritesItsShadowTables() async throws {
    let workshop = try EngineWorkshop(.local)
    let plain = try await workshop.open()
    let database = try await workshop.open(options: .state)
    try await database.note("a", "1")
    try await database.run("CREATE TABLE t(x)")
    for connection in [plain, database] {
      for name in StateTables.shadowNames.map({ "state_" + $0 }) {
        for sql in [
          "DELETE FROM \(name)", "INSERT INTO \(name) SELECT * FROM \(name)",
          "REPLACE INTO \(name) SELECT * FROM \(name)", "UPDATE \(name) SET rowid = 1",
          "CREATE TEMP TRIGGER t AFTER INSERT ON t BEGIN DELETE FROM \(name); END",
        ] {
          let error = await sqlError {
            try await connection.run(sql)
            // A trigger is looked at when it is used.
            try await connection.run("INSERT INTO t VALUES(1)")
          }
          #expect(error != nil, "\(sql)")
          try? await connection.run("DROP TRIGGER IF EXISTS temp.t")
        }
      }
    }
    #expect(try await database.notes() == "a|1")
    #expect(try await database.cacheFaults() == "")
    for connection in [plain, database] { try await connection.close() }
  }

  @Test func valuesOfAnyKindAreStoredOrRefused() async throws {
    let workshop = try EngineWorkshop(.memory)
    let database = try await workshop.open(options: .state)
    let insert = """
      INSERT INTO state(entity_id, schema_key, file_id, plugin_key, schema_version,
        snapshot_content, row_key) VALUES(?, ?, ?, ?, ?, ?, 'by hand')
      """
    let good: [SQLValue] = ["e", "s", "f", "p", "1", .text(#"{"a":1}"#)]
    let bad: [SQLValue] = [nil, .blob([0xff, 0xfe]), .blob([0xed, 0xa0, 0x80])]
    for index in good.indices {
      for value in bad {
        var values = good
        values[index] = value
        let error = await sqlError { try await database.run(insert, values) }
        #expect(error != nil, "\(index)")
      }
    }
    for content in ["", " ", "null", "1", "[]", "{", "{}x", "{'a':1}", "\"{}\"", "{\"a\":}"] {
      let error = await sqlError {
        try await database.run(insert, ["e", "s", "f", "p", "1", .text(content)])
      }
      #expect(error != nil, "\(content)")
    }
    let deep = String(repeating: #"{"a":"#, count: 5000) + "1" + String(repeating: "}", count: 5000)
    let error = await sqlError {
      try await database.run(insert, ["e", "s", "f", "p", "1", .text(deep)])
    }
    #expect(error != nil)
    #expect(try await database.line("SELECT count(*) FROM state_all") == "0")

    // Keys are text, of any length and with any characters.
    let keys: [SQLValue] = [
      5, 5.5, .blob(Array("blob".utf8)), .text("zero\0byte"), .text("a:b.1:"), .text(""),
      .text("ü😀"), .text(String(repeating: "k", count: 1 << 20)),
    ]
    let large = #"{"text":""# + String(repeating: "x", count: 1 << 20) + #""}"#
    for key in keys {
      try await database.run(insert, [key, key, key, "p", "1", .text(large)])
      #expect(
        try await database.line(
          "SELECT count(*) FROM state WHERE entity_id = CAST(?1 AS TEXT) AND schema_key = CAST(?1 AS TEXT) AND file_id = CAST(?1 AS TEXT)",
          [key]) == "1")
      #expect(
        try await database.exec(
          "UPDATE state SET snapshot_content = '{}' WHERE entity_id = CAST(? AS TEXT)", [key],
          timeout: nil
        ).changes == 1)
    }
    #expect(try await database.line("SELECT count(*) FROM state") == "\(keys.count)")
    #expect(try await database.cacheFaults() == "")
    #expect(
      try await database.exec("DELETE FROM state", [], timeout: nil).changes == Int64(keys.count))
    #expect(try await database.line("SELECT count(*) FROM state") == "0")
    #expect(try await database.cacheFaults() == "")
    try await database.close()
  }

  @Test func statementsOfUnusualFormsDoWhatTheySay() async throws {
    let workshop = try EngineWorkshop(.memory)
    let database = try await workshop.open(options: .state)
    for id in ["a", "b", "c"] { try await database.note(id, id) }
    let columns =
      "entity_id, schema_key, file_id, plugin_key, schema_version, snapshot_content"
    try await database.run("REPLACE INTO state(\(columns)) SELECT \(columns) FROM state")
    #expect(try await database.notes() == "a|a b|b c|c")
    try await database.run(
      """
      UPDATE state SET snapshot_content = json_object('text', n.new)
      FROM (SELECT 'a' AS id, 'A' AS new UNION SELECT 'b', 'B') n WHERE entity_id = n.id
      """)
    #expect(try await database.notes() == "a|A b|B c|c")
    let upsert = await sqlError {
      try await database.run(
        "INSERT INTO state(\(columns)) SELECT \(columns) FROM state WHERE 1 ON CONFLICT DO NOTHING")
    }
    #expect(upsert != nil)
    // Triggers of a client's own tables may write the state, and be undone with their statement.
    try await database.run("CREATE TABLE t(id UNIQUE, x CHECK(x < 3))")
    try await database.run(
      """
      CREATE TRIGGER tr AFTER INSERT ON t BEGIN
        INSERT INTO state(\(columns)) VALUES(new.id, 'note', 'f', 'n', '1', '{"text":"' || new.x || '"}');
        DELETE FROM state WHERE entity_id = 'c';
      END
      """)
    try await database.run("BEGIN")
    try await database.run("INSERT INTO t VALUES('x', 1), ('y', 2)")
    #expect(try await database.notes() == "a|A b|B x|1 y|2")
    let check = await sqlError { try await database.run("INSERT INTO t VALUES('z', 2), ('q', 9)") }
    #expect(check != nil)
    #expect(try await database.notes() == "a|A b|B x|1 y|2")
    try await database.run("COMMIT")
    #expect(try await database.cacheFaults() == "")
    // The image has the state.
    let image = try await database.export()
    try await database.close()
    let copy = try await workshop.open(options: .state, seed: image)
    #expect(try await copy.notes() == "a|A b|B x|1 y|2")
    try await copy.note("a", "copy")
    #expect(try await copy.cacheFaults() == "")
    try await copy.close()
  }

  @Test func aReadOnlyConnectionOnlyReads() async throws {
    let workshop = try EngineWorkshop(.local)
    let database = try await workshop.open(options: .state)
    try await database.note("a", "1")
    let reader = try await workshop.open(mode: .open, options: [.state, .readOnly])
    #expect(try await reader.notes() == "a|1")
    for sql in [
      "DELETE FROM state", "UPDATE active_version SET version_id = 'global'",
      "INSERT INTO version(id) VALUES('v')", "INSERT INTO file(path, data) VALUES('/x', 'y')",
      "INSERT INTO version_merge(source_version_id) VALUES('global')",
    ] {
      #expect(await sqlError { try await reader.run(sql) } != nil, "\(sql)")
    }
    #expect(try await reader.notes() == "a|1")
    try await reader.close()
    try await database.close()
  }

  @Test(arguments: [EngineKind.local, .sidecar])
  func anInterruptedWriteLeavesNothing(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let database = try await workshop.open(options: .state)
    try await database.note("a", "1")
    let many = """
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000)
      INSERT INTO state(entity_id, schema_key, file_id, plugin_key, schema_version, snapshot_content)
      SELECT 'n' || i, 'note', 'f', 'n', '1', json_object('text', i) FROM n
      """
    for milliseconds in [1, 3, 10, 30, 60] {
      for isInTransaction in [false, true] {
        if isInTransaction {
          try await database.run("BEGIN")
          try await database.note("b", "2")
        }
        let error = await sqlError {
          _ = try await database.exec(many, [], timeout: .milliseconds(milliseconds))
        }
        #expect(error?.code == 9, "\(error?.message ?? "")")
        if try await database.line("SELECT count(*) FROM state") != "1" {
          // The deadline came before the statement had begun.
          #expect(error?.isInTransaction == true)
          #expect(try await database.notes() == "a|1 b|2")
        }
        if error?.isInTransaction == true { try await database.run("ROLLBACK") }
        #expect(try await database.notes() == "a|1")
        #expect(try await database.cacheFaults() == "")
      }
    }
    try await database.note("c", "3")
    #expect(try await database.notes() == "a|1 c|3")
    #expect(try await database.line("SELECT count(*) FROM change") == "2")
    try await database.close()
  }

  @Test func twoWritersGetBusyAndLoseNothing() async throws {
    let workshop = try EngineWorkshop(.local)
    let one = try await workshop.open(options: .state, busyTimeout: .zero)
    let two = try await workshop.open(options: .state, busyTimeout: .zero)
    try await one.run("BEGIN")
    try await one.note("a", "1")
    let writes = [
      "DELETE FROM state", "INSERT INTO version(id) VALUES('v')", "BEGIN IMMEDIATE",
      "UPDATE active_version SET version_id = 'global'",
      "INSERT INTO active_account VALUES('ada')", "INSERT INTO file(path, data) VALUES('/x', 'y')",
      "INSERT INTO version_merge(source_version_id) VALUES('global')",
    ]
    for sql in writes {
      let error = await sqlError { try await two.run(sql) }
      #expect((error?.code ?? 0) & 0xff == 5, "\(sql): \(error?.message ?? "")")
      #expect(error?.isInTransaction == false)
    }
    // A snapshot that is too old.
    try await two.run("BEGIN")
    #expect(try await two.notes() == "")
    try await one.run("COMMIT")
    let error = await sqlError { try await two.note("b", "1") }
    #expect((error?.code ?? 0) & 0xff == 5)
    #expect(try await two.notes() == "")
    try await two.run("ROLLBACK")
    try await two.note("b", "1")
    #expect(try await one.notes() == "a|1 b|1")
    #expect(try await one.line("SELECT version_id FROM active_version") == "main")
    #expect(try await one.cacheFaults() == "")
    for database in [one, two] { try await database.close() }
  }

  @Test func stockSQLiteReadsTheViewsOfAnOpenDatabase() async throws {
    let workshop = try EngineWorkshop(.local)
    let database = try await workshop.open(options: .state)
    try await database.note("a", "1")
    func shell(_ sql: String) throws -> (String, Int32) {
      let process = Process()
      process.executableURL = URL(filePath: "/usr/bin/sqlite3")
      process.arguments = [workshop.path("test.db"), sql]
      let output = Pipe()
      process.standardOutput = output
      process.standardError = output
      try process.run()
      let bytes = output.fileHandleForReading.readDataToEndOfFile()
      process.waitUntilExit()
      return (String(decoding: bytes, as: UTF8.self), process.terminationStatus)
    }
    #expect(try shell("SELECT snapshot_content FROM change").0 == "{\"text\":\"1\"}\n")
    #expect(try shell("SELECT count(*) FROM \"commit\"").0 == "2\n")
    #expect(try shell("SELECT count(*) FROM commit_edge").0 == "1\n")
    #expect(try shell("PRAGMA integrity_check").0 == "ok\n")
    let (text, code) = try shell("SELECT * FROM state")
    #expect(code != 0)
    #expect(text.contains("no such module"))
    #expect(try shell("INSERT INTO state(entity_id) VALUES('x')").1 != 0)
    #expect(try shell("CREATE TABLE mine(x); INSERT INTO mine VALUES(7)").1 == 0)
    #expect(try await database.line("SELECT x FROM mine") == "7")
    try await database.note("b", "2")
    #expect(try await database.notes() == "a|1 b|2")
    #expect(try await database.cacheFaults() == "")
    try await database.close()
  }
}
