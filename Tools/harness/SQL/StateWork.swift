// What a client of `sql state-kill` does to the state, and what must be true of it. A transaction is
// a number n, which three entities of the client have in version main afterwards.

internal import SluiceSQL
internal import ToolSupport

struct StateWork {
  /// Does a statement and gives its rows.
  typealias Call<E: Error> = (String, [SQLValue]) throws(E) -> [[SQLValue]]

  private static let columns =
    "state_all(entity_id, schema_key, file_id, plugin_key, schema_version, snapshot_content, version_id)"
  private static let row = "(?1||'-'||%, 'kill', 'f', 'p', '1', json_object('n', ?2), ?3)"

  private static func insert(_ parts: [Int]) -> String {
    let rows = parts.map { part in
      row.split(separator: "%").joined(separator: "\(part)")
    }
    return "INSERT INTO \(columns) VALUES\(rows.joined(separator: ", "))"
  }

  /// The numbers that the client's entities have in main, and the file's beside its entity's.
  static func numbers<E: Error>(
    _ client: Int, _ call: Call<E>
  ) throws(E) -> (last: UInt64, isWhole: Bool, found: String) {
    let rows = try call(
      """
      SELECT coalesce(max(n), 0), coalesce(min(n), 0), count(*),
        (SELECT count(*) FROM file_all f WHERE f.id = 'f' || ?1 AND f.lixcol_version_id = 'main'
          AND CAST(f.data AS TEXT) IS NOT (SELECT snapshot_content FROM state_all
            WHERE entity_id = 'c' || ?1 || '-file' AND version_id = 'main'))
      FROM (SELECT json_extract(snapshot_content, '$.n') AS n FROM state_all
        WHERE version_id = 'main' AND schema_key = 'kill'
          AND entity_id IN ('c' || ?1 || '-1', 'c' || ?1 || '-2', 'c' || ?1 || '-3'))
      """, [.integer(Int64(client))])
    let numbers = (rows.first ?? []).compactMap { value -> Int64? in
      if case .integer(let number) = value { number } else { nil }
    }
    guard numbers.count == 4 else { return (0, false, "no counts") }
    let isWhole =
      numbers[0] == numbers[1] && [0, 3].contains(numbers[2]) && numbers[3] == 0
    return (UInt64(numbers[0]), isWhole, "\(numbers)")
  }

  /// Does transaction `number`. `early` is called before what makes it durable.
  static func transact<E: Error>(
    _ client: Int, _ number: UInt64, _ random: inout SplitMix64, early: () -> Void,
    _ call: Call<E>
  ) throws(E) {
    let name = SQLValue.text(Array("c\(client)".utf8))
    let n = SQLValue.integer(Int64(number))
    let main = SQLValue.text(Array("main".utf8))
    switch random.below(6) {
    case 0:
      early()
      _ = try call(insert([1, 2, 3]), [name, n, main])
    case 1:
      _ = try call("BEGIN IMMEDIATE", [])
      for part in 1...3 { _ = try call(insert([part]), [name, n, main]) }
      _ = try call("DELETE FROM state_all WHERE entity_id = ? || '-4'", [name])
      early()
      _ = try call("COMMIT", [])
    case 2:
      _ = try call("SAVEPOINT outer", [])
      _ = try call(insert([1]), [name, n, main])
      _ = try call("SAVEPOINT inner", [])
      _ = try call(insert([2, 3, 4]), [name, .integer(-1), main])
      _ = try call("ROLLBACK TO inner", [])
      _ = try call(insert([2, 3]), [name, n, main])
      early()
      _ = try call("RELEASE outer", [])
    case 3:
      _ = try call("BEGIN IMMEDIATE", [])
      _ = try call(insert([1, 2, 3, 4]), [name, .integer(-1), main])
      _ = try call("INSERT INTO version(id) VALUES(?1 || '-gone')", [name])
      _ = try call("ROLLBACK", [])
      early()
      _ = try call(insert([3, 2, 1]), [name, n, main])
    case 4: try merge(name, n, early: early, call)
    default: try writeFile(client, name, n, early: early, call)
    }
  }

  private static func merge<E: Error>(
    _ name: SQLValue, _ n: SQLValue, early: () -> Void, _ call: Call<E>
  ) throws(E) {
    // One is left over where a client was killed.
    _ = try call("DELETE FROM version WHERE id = ?1 || '-' || ?2", [name, n])
    _ = try call(
      "INSERT INTO version(id, commit_id) SELECT ?1 || '-' || ?2, commit_id FROM version WHERE id = 'main'",
      [name, n])
    _ = try call(
      insert([1, 2, 3]).split(separator: "?3").joined(separator: "?1 || '-' || ?2"), [name, n])
    early()
    _ = try call(
      "INSERT INTO version_merge(source_version_id, target_version_id) VALUES(?1 || '-' || ?2, 'main')",
      [name, n])
    _ = try call("DELETE FROM version WHERE id = ?1 || '-' || ?2", [name, n])
  }

  private static func writeFile<E: Error>(
    _ client: Int, _ name: SQLValue, _ n: SQLValue, early: () -> Void, _ call: Call<E>
  ) throws(E) {
    let main = SQLValue.text(Array("main".utf8))
    _ = try call("BEGIN IMMEDIATE", [])
    _ = try call(
      """
      INSERT INTO file_all(id, path, data, lixcol_version_id)
      VALUES('f' || ?1, '/f' || ?1, json_object('n', ?2), 'main')
      """, [.integer(Int64(client)), n])
    _ = try call(
      insert([1]).split(separator: "?1||'-'||1").joined(separator: "?1||'-file'"), [name, n, main])
    _ = try call(insert([1, 2, 3]), [name, n, main])
    early()
    _ = try call("COMMIT", [])
  }

  /// Queries that must have no row.
  static let faults: [(String, String)] = [
    (
      "something is pending",
      """
      SELECT seq FROM state_commits
      WHERE number > (SELECT value FROM state_settings WHERE name = 'number')
      """
    ),
    (
      "a transaction is there in part",
      """
      SELECT e.change_set_id, count(*) FROM change_set_element e
      WHERE e.schema_key = 'kill' AND e.entity_id NOT LIKE '%-file'
      GROUP BY 1 HAVING count(*) <> 3
      """
    ),
    (
      "a tip is not the last commit",
      """
      SELECT id FROM state_versions v WHERE "commit" < (
        SELECT max(seq) FROM state_commits m WHERE m.version_id = v.id)
      """
    ),
    (
      "a commit has lost its parent, or has nothing in it",
      """
      SELECT seq FROM state_commits m WHERE seq > 0 AND (
        NOT EXISTS (SELECT 1 FROM state_commits p WHERE p.seq = m.parent)
        OR NOT EXISTS (SELECT 1 FROM change_set_element e WHERE e.change_set_id = m.id))
      """
    ),
    (
      "a change belongs to no commit",
      """
      SELECT id FROM state_changes
      WHERE "commit" NOT IN (SELECT seq FROM state_commits)
      """
    ),
    ("the cache is not what the history says", cacheFaults),
  ]

  private static let cacheColumns = """
    version_id, schema_key, entity_id, file_id, is_tombstone, plugin_key, schema_version, created_at,
      change_id, "commit"
    """
  private static let cacheFaults = """
    SELECT * FROM (SELECT \(cacheColumns) FROM state_current WHERE untracked = 0
      EXCEPT SELECT \(cacheColumns) FROM state_rebuilt)
    UNION ALL SELECT * FROM (SELECT \(cacheColumns) FROM state_rebuilt
      EXCEPT SELECT \(cacheColumns) FROM state_current WHERE untracked = 0)
    """
}
