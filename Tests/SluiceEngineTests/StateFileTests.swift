// Files of the state pipeline (scenarios 37 to 46 of the acceptance list), on every engine.

import SluiceSQL
import Testing

@testable import SluiceEngine

@Suite struct StateFileTests {
  @Test(arguments: EngineKind.allCases)
  func aFileIsWhatItsEntitiesAre(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let database = try await workshop.open(options: .state)
    #expect(
      try await database.exec(
        "INSERT INTO file(path, data) VALUES('/a', x'00'), ('/b', x'01')", [], timeout: nil
      ).changes == 2)
    let data = "SELECT data FROM file WHERE path = '/team.json'"
    try await database.run(
      #"INSERT INTO file(path, data) VALUES('/team.json', CAST('{"lead":"Ada","size":3}' AS BLOB))"#
    )
    #expect(
      try await database.lines(
        "SELECT entity_id, snapshot_content FROM state WHERE plugin_key = 'json' ORDER BY 1")
        == [#"lead|{"value":"Ada"}"#, #"size|{"value":3}"#])
    #expect(
      try await database.line(
        "SELECT json(CAST(data AS TEXT)) = json('{\"lead\":\"Ada\",\"size\":3}') FROM file WHERE path = '/team.json'"
      ) == "1")
    var count = try await database.line("SELECT count(*) FROM change")
    try await database.run(
      #"UPDATE file SET data = CAST('{"lead":"Bo","size":3}' AS BLOB) WHERE path = '/team.json'"#)
    #expect(
      try await database.line("SELECT count(*) - ? FROM change", [.integer(Int64(count)!)]) == "1")
    try await database.run(
      #"UPDATE file SET data = CAST('{"lead":"Bo"}' AS BLOB) WHERE path = '/team.json'"#)
    #expect(
      try await database.line(
        "SELECT snapshot_content FROM change WHERE entity_id = 'size' ORDER BY id DESC LIMIT 1")
        == "-")
    try await database.run(
      #"UPDATE state SET snapshot_content = '{"value":"Cy"}' WHERE entity_id = 'lead'"#)
    #expect(try await database.line(data) == #"{"lead":"Cy"}"#)

    // The same bytes are no commit.
    count = try await database.line("SELECT count(*) FROM \"commit\"")
    try await database.run("UPDATE file SET data = data")
    try await database.run(
      #"UPDATE file SET data = CAST('{ "lead": "Cy" }' AS BLOB) WHERE path = '/team.json'"#)
    #expect(try await database.line("SELECT count(*) FROM \"commit\"") == count)

    try await database.run("DELETE FROM file WHERE path = '/team.json'")
    #expect(try await database.line("SELECT count(*) FROM file WHERE path = '/team.json'") == "0")
    #expect(
      try await database.line(
        """
        SELECT count(*) FROM (SELECT snapshot_content, max(id) FROM change
          WHERE schema_key LIKE 'json%' OR schema_key = 'lix_file_descriptor'
            AND entity_id NOT IN (SELECT id FROM file) GROUP BY entity_id)
        WHERE snapshot_content IS NOT NULL
        """) == "0")
    #expect(try await database.cacheFaults() == "")
    try await database.close()
  }

  @Test(arguments: EngineKind.allCases)
  func anInheritedFileIsDeletedInOneVersion(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let database = try await workshop.open(options: .state)
    try await database.run(
      """
      INSERT INTO file_all(path, data, lixcol_version_id)
      VALUES('/g.json', CAST('{"a":1}' AS BLOB), 'global')
      """)
    try await database.run("INSERT INTO version(id) VALUES('branch')")
    #expect(try await database.line("SELECT data FROM file") == #"{"a":1}"#)
    try await database.run("UPDATE file SET data = CAST('{\"a\":2}' AS BLOB)")
    #expect(
      try await database.lines("SELECT lixcol_version_id, data FROM file_all ORDER BY 1")
        == [#"branch|{"a":1}"#, #"global|{"a":1}"#, #"main|{"a":2}"#])
    try await database.run("DELETE FROM file")
    #expect(
      try await database.lines("SELECT lixcol_version_id, data FROM file_all ORDER BY 1")
        == [#"branch|{"a":1}"#, #"global|{"a":1}"#])
    #expect(try await database.cacheFaults() == "")
    try await database.close()
  }

  @Test(arguments: EngineKind.allCases)
  func anUnknownTypeComesBackByteForByte(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let database = try await workshop.open(options: .state)
    let large = (0..<10 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    for bytes in [[], [0], Array(0...255), large] {
      try await database.run("DELETE FROM file")
      try await database.run("INSERT INTO file(path, data) VALUES('/x.bin', ?)", [.blob(bytes)])
      let read = try await database.exec("SELECT data FROM file", [], timeout: nil).rows[0].values[
        0]
      #expect(read == .blob(bytes))
    }
    try await database.close()
  }

  @Test(arguments: EngineKind.allCases)
  func aPathIsOfOneFileInAVersion(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let database = try await workshop.open(options: .state)
    for path in ["a.json", "/a//b", "/a/", "\\a", "/a\\b", "", "/", "//"] {
      let error = await sqlError {
        try await database.run("INSERT INTO file(path, data) VALUES(?, x'')", [.text(path)])
      }
      #expect(error?.message.contains("the path") == true, "\(path)")
    }
    try await database.run("INSERT INTO file(id, path, data) VALUES('one', '/a', x'')")
    let error = await sqlError {
      try await database.run("INSERT INTO file(id, path, data) VALUES('two', '/a', x'')")
    }
    #expect(error?.code == 2067)
    let update = await sqlError {
      try await database.run(
        "INSERT INTO file(id, path, data) VALUES('two', '/b', x''); UPDATE file SET path = '/a' WHERE id = 'two'"
      )
    }
    #expect(update != nil)
    try await database.run("INSERT INTO version(id) VALUES('branch')")
    try await database.run(
      "INSERT INTO file_all(id, path, data, lixcol_version_id) VALUES('b', '/other', x'', 'branch')"
    )
    try await database.run("INSERT INTO file(id, path, data) VALUES('m', '/other', x'')")
    // In `global` it would be seen beside them.
    let global = await sqlError {
      try await database.run(
        "INSERT INTO file_all(id, path, data, lixcol_version_id) VALUES('g', '/other', x'', 'global')"
      )
    }
    #expect(global?.code == 2067)
    // And so would a merge.
    let merge = await sqlError {
      try await database.run("INSERT INTO version_merge(source_version_id) VALUES('branch')")
    }
    #expect(merge?.message.contains("/other") == true)
    #expect(try await database.cacheFaults() == "")
    try await database.close()
  }

  @Test(arguments: EngineKind.allCases)
  func aFilesHistoryHasItsBytesAtEachCommit(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let database = try await workshop.open(options: .state)
    try await database.run(
      #"INSERT INTO file(id, path, data) VALUES('f', '/a.json', CAST('{"n":1}' AS BLOB))"#)
    try await database.run("INSERT INTO file(path, data) VALUES('/b.json', CAST('{}' AS BLOB))")
    for text in [#"{"n":2,"m":1}"#, #"{"m":1}"#] {
      try await database.run("UPDATE file SET data = ? WHERE id = 'f'", [.blob(Array(text.utf8))])
    }
    #expect(
      try await database.lines(
        "SELECT lixcol_depth, data FROM file_history WHERE path = '/a.json' ORDER BY lixcol_depth")
        == [#"0|{"m":1}"#, #"1|{"m":1,"n":2}"#, #"3|{"n":1}"#])
    // From an earlier commit, its past.
    #expect(
      try await database.lines(
        """
        SELECT h.lixcol_depth, h.data FROM commit_edge e
          JOIN file_history h ON h.lixcol_root_commit_id = e.parent_id
        WHERE e.child_id = (SELECT commit_id FROM version WHERE id = 'main') AND h.id = 'f'
        ORDER BY 1
        """) == [#"0|{"m":1,"n":2}"#, #"2|{"n":1}"#])
    #expect(
      try await database.lines(
        """
        SELECT depth, snapshot_content FROM state_history WHERE entity_id = 'n' AND file_id = 'f'
        ORDER BY depth
        """) == ["0|-", #"1|{"value":2}"#, #"3|{"value":1}"#])
    #expect(
      try await database.line("SELECT count(*) FROM state_history")
        == database.line(
          "SELECT count(*) FROM change_set_element WHERE change_set_id NOT IN (SELECT id FROM \"commit\" WHERE version_id = 'global')"
        )
    )
    try await database.close()
  }

  @Test(arguments: EngineKind.allCases)
  func aBranchStartsFromAnyCommit(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let database = try await workshop.open(options: .state)
    try await database.note("a", "1")
    let first = try await database.line("SELECT commit_id FROM version WHERE id = 'main'")
    try await database.note("a", "2")
    try await database.note("b", "1")
    try await database.run("INSERT INTO version(id, commit_id) VALUES('past', ?)", [.text(first)])
    try await database.run("UPDATE active_version SET version_id = 'past'")
    #expect(try await database.notes() == "a|1")
    // What is not committed does not come along.
    try await database.run("BEGIN")
    try await database.note("a", "3")
    try await database.note("c", "1")
    try await database.run("INSERT INTO version(id) VALUES('copy')")
    try await database.run("COMMIT")
    #expect(try await database.notes() == "a|3 c|1")
    try await database.run("UPDATE active_version SET version_id = 'copy'")
    #expect(try await database.notes() == "a|1")
    #expect(try await database.cacheFaults() == "")
    try await database.close()
  }

  @Test(arguments: EngineKind.allCases)
  func manyFilesOfOneTransactionAreOneCommit(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let database = try await workshop.open(options: .state)
    try await database.run("BEGIN")
    for number in 0..<200 {
      try await database.run(
        "INSERT INTO file(path, data) VALUES(?, ?)",
        [.text("/\(number).json"), .blob(Array(#"{"number":\#(number)}"#.utf8))])
    }
    try await database.run("COMMIT")
    #expect(
      try await database.line("SELECT count(*) FROM \"commit\" WHERE version_id = 'main'") == "1")
    #expect(
      try await database.line("SELECT data FROM file WHERE path = '/77.json'") == #"{"number":77}"#)
    #expect(
      try await database.line(
        "SELECT count(DISTINCT number), count(*) FROM state_commit WHERE version_id = 'main'")
        == "1|400")
    try await database.close()
  }
}
