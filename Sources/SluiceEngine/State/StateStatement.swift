// The statements that each write of an entity runs. They stand ready by number, because to find a
// statement by its text costs as much as some of them.

enum StateStatement: Int, CaseIterable {
  /// Parameters 1 to 4 of the first and the last: version, schema, entity, file.
  case ownRows, contentType, insertChange, putTracked

  var sql: String {
    switch self {
    case .ownRows:
      """
      SELECT untracked, is_tombstone, change_id, "commit", plugin_key, schema_version, created_at,
        was_change, was_commit
      FROM main.state_current
      WHERE version_id = ?1 AND schema_key = ?2 AND entity_id = ?3 AND file_id = ?4
      """
    case .contentType: "SELECT json_type(?1)"
    case .insertChange:
      "INSERT INTO main.state_changes VALUES(?1, ?5, ?3, ?2, ?4, ?6, ?7, ?8)"
    case .putTracked:
      """
      INSERT INTO main.state_current(version_id, schema_key, entity_id, file_id, untracked, is_tombstone,
        plugin_key, schema_version, created_at, change_id, "commit", was_change, was_commit)
      VALUES(?1, ?2, ?3, ?4, 0, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
      ON CONFLICT DO UPDATE SET is_tombstone = ?5, plugin_key = ?6, schema_version = ?7, change_id = ?9,
        "commit" = ?10, was_change = ?11, was_commit = ?12
      """
    }
  }
}
