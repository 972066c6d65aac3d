// The virtual table `version_merge`: an INSERT merges one version into another, a SELECT shows the
// merges so far.
//
// What the source has changed since both last met wins; its tombstones delete; what only the target
// has changed stays. The target gets one commit with both tips as parents, which takes over the
// source's changes. Without a difference there is no commit.

internal import CEngine

final class MergeTable: VirtualTable {
  private let state: StateContext

  init(_ state: StateContext) { self.state = state }

  override var declaration: String {
    """
    CREATE TABLE x(source_version_id TEXT, target_version_id TEXT, commit_id TEXT PRIMARY KEY)
      WITHOUT ROWID
    """
  }

  override func open() -> VirtualCursor {
    PlannedRows(state) { _ in
      """
      SELECT s.version_id, m.version_id, m.id
      FROM main.state_commits m JOIN main.state_commits s ON s.seq = m.merged
      WHERE m.number <= (SELECT value FROM main.state_settings WHERE name = 'number')
      """
    }
  }

  override func insert(_ row: TableRow) throws(DatabaseError) {
    guard let source = try row[0].text(of: "source_version_id") else {
      throw DatabaseError(cengine_constraint_not_null, "a merge needs a source_version_id")
    }
    let target =
      try row[1].text(of: "target_version_id") ?? state.activeVersion.value
    let transaction = try state.transaction()
    for version in [source, target] {
      try state.requireVersion(version)
      try requireNothingPending(version, transaction)
    }
    if ExactText(source) != ExactText(target) { try merge(source, into: target, transaction) }
  }

  private func requireNothingPending(
    _ version: String, _ transaction: StateTransaction
  ) throws(DatabaseError) {
    try state.query(
      """
      SELECT 1 FROM main.state_commits m WHERE number = ?1 AND version_id = ?2
        AND (merged IS NOT NULL OR EXISTS (SELECT 1 FROM main.state_changes c WHERE c."commit" = m.seq))
      """
    ) { (found) throws(DatabaseError) in
      found.bind(1, transaction.number)
      found.bind(2, version)
      if try found.step() {
        throw DatabaseError(
          SQLITE_CONSTRAINT,
          "version '\(version)' has changes that are not committed; commit them before you merge")
      }
    }
  }

  private struct Difference {
    var key: StateKey
    var change: String
  }

  private func merge(
    _ source: String, into target: String, _ transaction: StateTransaction
  ) throws(DatabaseError) {
    let differences = try differences(source, target)
    if differences.isEmpty { return }
    let commit = try StateWriter(state).pendingCommit(target, transaction)
    try state.query(
      """
      UPDATE main.state_commits SET merged = (SELECT "commit" FROM main.state_versions WHERE id = ?2)
      WHERE seq = ?1
      """
    ) { (statement) throws(DatabaseError) in
      statement.bind(1, commit)
      statement.bind(2, source)
      try statement.run()
    }
    for difference in differences {
      try adopt(difference, target, commit, transaction)
    }
    for difference in differences where difference.key.schema == OwnSchemas.file {
      try FileDescriptors(state).checkPath(ofFile: difference.key.entity, in: target)
    }
    transaction.forget()
  }

  /// The entities that the source's commits which the target does not have were about, where both
  /// versions differ. There is nothing to delete where the target has a tombstone.
  private func differences(
    _ source: String, _ target: String
  ) throws(DatabaseError) -> [Difference] {
    try state.query(
      """
      WITH RECURSIVE met(seq) AS (
          SELECT "commit" FROM main.state_versions WHERE id = ?2
          UNION SELECT p.seq FROM met JOIN main.state_commits m ON m.seq = met.seq
            JOIN main.state_commits p ON p.seq IN (m.parent, m.merged)),
        new(seq) AS (
          SELECT "commit" FROM main.state_versions WHERE id = ?1 AND "commit" NOT IN met
          UNION SELECT p.seq FROM new JOIN main.state_commits m ON m.seq = new.seq
            JOIN main.state_commits p ON p.seq IN (m.parent, m.merged) WHERE p.seq NOT IN met),
        touched(schema_key, entity_id, file_id) AS (
          SELECT c.schema_key, c.entity_id, c.file_id
          FROM new JOIN main.state_changes c ON c."commit" = new.seq
          UNION SELECT c.schema_key, c.entity_id, c.file_id FROM new
            JOIN main.state_adopted a ON a."commit" = new.seq JOIN main.state_changes c ON c.id = a.change_id)
      SELECT s.schema_key, s.entity_id, s.file_id, s.change_id
      FROM touched t CROSS JOIN main.state_current s ON s.version_id = ?1 AND s.untracked = 0
          AND s.schema_key = t.schema_key AND s.entity_id = t.entity_id AND s.file_id = t.file_id
        LEFT JOIN main.state_current o ON o.version_id = ?2 AND o.untracked = 0
          AND o.schema_key = t.schema_key AND o.entity_id = t.entity_id AND o.file_id = t.file_id
      WHERE o.change_id IS NOT s.change_id
        AND (NOT s.is_tombstone OR NOT o.is_tombstone OR o.is_tombstone IS NULL AND EXISTS (SELECT 1 FROM main.state_ancestors a CROSS JOIN main.state_current r
          WHERE a.version_id = ?2 AND r.version_id = a.ancestor_id AND r.schema_key = t.schema_key
            AND r.entity_id = t.entity_id AND r.file_id = t.file_id AND NOT r.is_tombstone))
      """
    ) { (row) throws(DatabaseError) in
      row.bind(1, source)
      row.bind(2, target)
      var differences: [Difference] = []
      while try row.step() {
        differences.append(
          Difference(
            key: StateKey(schema: row.text(0), entity: row.text(1), file: row.text(2)),
            change: row.text(3)))
      }
      return differences
    }
  }

  private func adopt(
    _ difference: Difference, _ target: String, _ commit: Int64, _ transaction: StateTransaction
  ) throws(DatabaseError) {
    try state.query("INSERT INTO main.state_adopted VALUES(?1, ?2)") {
      (statement) throws(DatabaseError) in
      statement.bind(1, commit)
      statement.bind(2, difference.change)
      try statement.run()
    }
    try state.query(
      """
      INSERT INTO main.state_current(version_id, schema_key, entity_id, file_id, untracked, is_tombstone,
        plugin_key, schema_version, created_at, change_id, "commit")
      SELECT ?1, schema_key, entity_id, file_id, 0, snapshot_content IS NULL, plugin_key,
        schema_version, ?4, id, ?3
      FROM main.state_changes WHERE id = ?2
      ON CONFLICT DO UPDATE SET is_tombstone = excluded.is_tombstone, plugin_key = excluded.plugin_key,
        schema_version = excluded.schema_version, was_change = change_id, was_commit = "commit",
        change_id = excluded.change_id, "commit" = excluded."commit"
      """
    ) { (statement) throws(DatabaseError) in
      statement.bind(1, target)
      statement.bind(2, difference.change)
      statement.bind(3, commit)
      statement.bind(4, transaction.time)
      try statement.run()
    }
    try StateWriter(state).deleteUntracked(difference.key, target, transaction)
  }
}
