// The SQL that finds what a version sees: for each entity its untracked row, else its tracked one,
// else what the nearest ancestor has, by the same order. A tombstone ends the search. Pure.

/// An entity in a version's state: what a row is known by.
struct StateKey: Hashable {
  var schema: String
  var entity: String
  var file: String

  /// By bytes, as in SQLite: to Swift, two forms of one character are equal.
  static func == (one: StateKey, other: StateKey) -> Bool {
    ExactText(one.schema) == ExactText(other.schema)
      && ExactText(one.entity) == ExactText(other.entity)
      && ExactText(one.file) == ExactText(other.file)
  }

  func hash(into hasher: inout Hasher) {
    for text in [schema, entity, file] { ExactText(text).hash(into: &hasher) }
  }
}

struct StateQuery {
  /// Which versions are looked at.
  enum Scope: Equatable {
    /// The one that is parameter 1.
    case one
    /// All of them.
    case all
  }

  var scope = Scope.one
  var showsTombstones = false
  /// Further conditions on `r`, the row, and on "c", its change, if that is wanted.
  var conditions: [String] = []
  /// The result's columns.
  var columns: [String]
  /// Whether the columns name "c", the row's change (not of an untracked row).
  var needsChange = false
  /// Whether all rows are found before the first is told. Needed where rows are read from one of the
  /// state's tables and inserted into another one: the query would find what was inserted.
  var isFoundFirst = false
  /// Whether they name "m", the change's commit.
  var needsCommit = false

  static let content = "CASE r.untracked WHEN 1 THEN r.snapshot_content ELSE c.snapshot_content END"
  static let commit =
    "CASE WHEN r.untracked = 1 THEN 'untracked' WHEN m.number > (SELECT value FROM main.state_settings WHERE name = 'number') THEN 'pending' ELSE m.id END"
  static let updatedAt = "CASE r.untracked WHEN 1 THEN r.updated_at ELSE m.created_at END"
  static let inheritedFrom = "CASE a.depth WHEN 0 THEN NULL ELSE r.version_id END"

  /// The order of joins is told, because SQLite knows nothing of how many rows there are.
  var sql: String {
    var parts = [
      "SELECT \(columns.joined(separator: ", "))",
      "FROM main.state_ancestors a CROSS JOIN main.state_current r",
    ]
    if needsChange { parts.append("LEFT JOIN main.state_changes c ON c.id = r.change_id") }
    if needsCommit { parts.append("LEFT JOIN main.state_commits m ON m.seq = r.\"commit\"") }
    parts.append("WHERE r.version_id = a.ancestor_id")
    if scope == .one { parts.append("AND a.version_id = ?1") }
    if !showsTombstones { parts.append("AND NOT r.is_tombstone") }
    parts += conditions.map { "AND \($0)" }
    parts.append(Self.isNearest)
    // No index has this order, so SQLite sorts.
    if isFoundFirst { parts.append("ORDER BY r.entity_id || ''") }
    return parts.joined(separator: " ")
  }

  private static let isNearest = """
    AND NOT EXISTS (SELECT 1 FROM main.state_ancestors b CROSS JOIN main.state_current n
      WHERE b.version_id = a.version_id AND b.depth <= a.depth AND n.version_id = b.ancestor_id
        AND n.schema_key = r.schema_key AND n.entity_id = r.entity_id AND n.file_id = r.file_id
        AND (b.depth < a.depth OR n.untracked > r.untracked))
    """
}
