// How SQLite finds the rows of the state's common queries: by an index on what is known, never by
// all rows of a version.

import SluiceSQL
import Testing

@testable import SluiceEngine

@Suite struct StatePlanTests {
  private func plan(_ database: SQLDatabase, _ query: StateQuery) async throws -> String {
    var sql = query.sql
    for number in 1...4 { sql = sql.replacing("?\(number)", with: "'x'") }
    return try await database.lines("EXPLAIN QUERY PLAN \(sql)").map {
      $0.split(separator: "|").last.map(String.init) ?? ""
    }.joined(separator: "\n")
  }

  @Test func aKnownKeyIsFoundByAnIndex() async throws {
    let workshop = try EngineWorkshop(.memory)
    let database = try await workshop.open(options: .state)
    let descriptor = "r.schema_key = 'lix_file_descriptor'"
    for (conditions, index) in [
      (["r.entity_id = ?2"], "state_current_by_entity (entity_id=? AND version_id=?"),
      (
        ["r.entity_id = ?2", "r.schema_key = ?3"],
        "state_current_by_entity (entity_id=? AND version_id=? AND schema_key=?"
      ),
      (["r.schema_key = ?2"], "state_current_by_schema (version_id=? AND schema_key=?"),
      (["r.file_id = ?2"], "state_current_by_file (file_id=? AND version_id=?"),
      (
        ["r.file_id = ?2", "r.schema_key <> 'x'"],
        "state_current_by_file (file_id=? AND version_id=?"
      ),
      (
        [descriptor, FileDescriptors.hasPath.replacing("?", with: "?2")],
        "state_current_by_entity (entity_id=? AND version_id=? AND schema_key=?"
      ),
      ([], "state_current_by_schema (version_id=?"),
    ] {
      for scope in [StateQuery.Scope.one, .all] {
        var query = StateQuery(conditions: conditions, columns: ["r.entity_id"])
        query.scope = scope
        query.needsChange = true
        let plan = try await plan(database, query)
        #expect(plan.contains("SEARCH r USING ") && plan.contains(index), "\(conditions)\n\(plan)")
        #expect(!plan.contains("SCAN r"), "\(plan)")
        #expect(!plan.contains("SCAN n") && !plan.contains("SCAN c"), "\(plan)")
        // What hides a row is found by its whole key, in one index or another.
        let hiding = plan.split(separator: "\n").first { $0.hasPrefix("SEARCH n USING") } ?? ""
        for column in ["version_id=?", "schema_key=?", "entity_id=?", "file_id=?"] {
          #expect(hiding.contains(column), "\(plan)")
        }
      }
    }
    try await database.close()
  }
}
