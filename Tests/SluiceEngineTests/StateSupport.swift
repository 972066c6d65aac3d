// A database with the state pipeline, and statements as one line of text each.

import SluiceSQL

@testable import SluiceEngine

extension SQLRunner {
  /// The rows of a statement: values with "|" between them, NULL as "-".
  func lines(_ sql: String, _ parameters: [SQLValue] = []) async throws -> [String] {
    try await exec(sql, parameters, timeout: nil).rows.map { row in
      row.values.map { value in
        switch value {
        case .integer(let number): "\(number)"
        case .real(let number): "\(number)"
        case .text(let text): text
        case .blob(let bytes): String(decoding: bytes, as: UTF8.self)
        case .null: "-"
        }
      }.joined(separator: "|")
    }
  }

  func line(_ sql: String, _ parameters: [SQLValue] = []) async throws -> String {
    try await lines(sql, parameters).joined(separator: "\n")
  }

  /// Writes an entity of schema `note` in file `f`.
  func note(_ id: String, _ text: String, table: String = "state") async throws {
    _ = try await exec(
      """
      INSERT INTO \(table)(entity_id, schema_key, file_id, plugin_key, schema_version,
        snapshot_content) VALUES(?, 'note', 'f', 'notes', '1.0', json_object('text', ?))
      """, [.text(id), .text(text)], timeout: nil)
  }

  /// Writes an entity of schema `note` into a version.
  func note(_ id: String, _ text: String, in version: String) async throws {
    _ = try await exec(
      """
      INSERT INTO state_all(entity_id, schema_key, file_id, plugin_key, schema_version,
        snapshot_content, version_id) VALUES(?, 'note', 'f', 'notes', '1.0', json_object('text', ?), ?)
      """, [.text(id), .text(text), .text(version)], timeout: nil)
  }

  func run(_ sql: String, _ parameters: [SQLValue] = []) async throws {
    _ = try await exec(sql, parameters, timeout: nil)
  }

  /// Entities of schema `note` with their text.
  func notes() async throws -> String {
    try await lines(
      """
      SELECT entity_id, json_extract(snapshot_content, '$.text') FROM state
      WHERE schema_key = 'note' ORDER BY entity_id
      """
    ).joined(separator: " ")
  }

  /// What is wrong with the cache of the present state; empty if nothing is.
  func cacheFaults() async throws -> String { try await line(StateCache.faults) }
}

/// What the present state must be by its history.
enum StateCache {
  private static let columns = """
    version_id, schema_key, entity_id, file_id, is_tombstone, plugin_key, schema_version, created_at,
      change_id, "commit"
    """
  /// The rows that only one of both has.
  static let faults = """
    SELECT * FROM (SELECT \(columns) FROM state_current WHERE untracked = 0
      EXCEPT SELECT \(columns) FROM state_rebuilt)
    UNION ALL SELECT * FROM (SELECT \(columns) FROM state_rebuilt
      EXCEPT SELECT \(columns) FROM state_current WHERE untracked = 0)
    """
  static let faultCount = "SELECT count(*) FROM (\(faults))"
}
