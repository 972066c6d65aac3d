// The virtual table `version`: the versions with their tips, and what they inherit from.
//
// A new version has the tip of the active one, or of the commit that `commit_id` names, and all
// state at that tip. Then both move apart.

internal import CEngine

final class VersionTable: VirtualTable {
  private let state: StateContext

  init(_ state: StateContext) { self.state = state }

  override var declaration: String {
    """
    CREATE TABLE x(id TEXT PRIMARY KEY, name TEXT, commit_id TEXT, working_commit_id TEXT,
      inherits_from_version_id TEXT, hidden INTEGER) WITHOUT ROWID
    """
  }
  override var keyColumns: [Int] { [0] }
  override var refusesKnownKeys: Bool { true }
  override func rowCount(_ plan: TablePlan) -> Int64 { plan.has(0) ? 1 : 20 }

  override func open() -> VirtualCursor { PlannedRows(state) { Self.query($0) } }

  private static func query(_ plan: TablePlan) -> String {
    """
    SELECT v.id, v.name, m.id, NULL, v.inherits, v.hidden
    FROM main.state_versions v JOIN main.state_commits m ON m.seq = v."commit"
    """ + (plan.has(0) ? " WHERE v.id = ?1" : "")
  }

  /// Longer chains of versions are refused.
  private static let depthMaximum = 64

  override func insert(_ row: TableRow) throws(DatabaseError) {
    let id = try row[0].text(of: "id") ?? state.ids.next()
    let source = try tip(try row[2].text(of: "commit_id"))
    var inherits: String? = try row[4].text(of: "inherits_from_version_id") ?? StateTables.global
    if inherits == "" { inherits = nil }
    guard !id.isEmpty else { throw DatabaseError(SQLITE_CONSTRAINT, "a version needs an id") }
    try state.query("SELECT 1 FROM main.state_versions WHERE id = ?1") {
      (found) throws(DatabaseError) in
      found.bind(1, id)
      if try found.step() {
        throw DatabaseError(cengine_constraint_primary_key, "there is a version '\(id)' already")
      }
    }
    let name = try row[1].text(of: "name") ?? id
    try state.query("INSERT INTO main.state_versions VALUES(?1, ?2, ?3, NULL, ?4)") {
      (statement) throws(DatabaseError) in
      statement.bind(1, id)
      statement.bind(2, name)
      statement.bind(3, source.commit)
      statement.bind(4, row[5].integer)
      try statement.run()
    }
    try inheritFirst(id, from: inherits)
    try copyState(of: source, to: id)
    try FileDescriptors(state).checkPaths(under: id)
  }

  private struct Tip {
    var commit: Int64
    /// A version that has it; nil if none has.
    var version: String?
  }

  private func tip(_ commit: String?) throws(DatabaseError) -> Tip {
    let sql =
      commit == nil
      ? "SELECT \"commit\", id FROM main.state_versions WHERE id = ?1"
      : """
      SELECT m.seq, (SELECT id FROM main.state_versions WHERE "commit" = m.seq LIMIT 1)
      FROM main.state_commits m
      WHERE m.id = ?1 AND m.number <= (SELECT value FROM main.state_settings WHERE name = 'number')
      """
    return try state.query(sql) { (row) throws(DatabaseError) in
      row.bind(1, commit ?? state.activeVersion.value)
      guard try row.step() else {
        throw DatabaseError(SQLITE_CONSTRAINT, "there is no commit '\(commit ?? "")'")
      }
      return Tip(commit: row.integer(0), version: row.optionalText(1))
    }
  }

  /// The new version's rows are those of a version with the same tip, as they were committed; or else
  /// they are found in the history.
  private func copyState(of tip: Tip, to id: String) throws(DatabaseError) {
    let columns = """
      (version_id, schema_key, entity_id, file_id, untracked, is_tombstone, plugin_key, schema_version,
        created_at, change_id, "commit")
      """
    if let version = tip.version {
      return try state.query(
        """
        INSERT INTO main.state_current\(columns)
        SELECT ?2, r.schema_key, r.entity_id, r.file_id, 0, c.snapshot_content IS NULL,
          c.plugin_key, c.schema_version, r.created_at, c.id,
          CASE WHEN m.number > s.value THEN r.was_commit ELSE r."commit" END
        FROM main.state_settings s CROSS JOIN main.state_current r JOIN main.state_commits m ON m.seq = r."commit"
          JOIN main.state_changes c
            ON c.id = CASE WHEN m.number > s.value THEN r.was_change ELSE r.change_id END
        WHERE s.name = 'number' AND r.version_id = ?1 AND r.untracked = 0
        """
      ) { (statement) throws(DatabaseError) in
        statement.bind(1, version)
        statement.bind(2, id)
        try statement.run()
      }
    }
    try state.query(
      """
      INSERT INTO main.state_current\(columns)
      SELECT version_id, schema_key, entity_id, file_id, 0, is_tombstone, plugin_key, schema_version,
        created_at, change_id, "commit"
      FROM (\(StateTables.rebuilt(from: "SELECT ?1, ?2", in: "main.")))
      """
    ) { (statement) throws(DatabaseError) in
      statement.bind(1, id)
      statement.bind(2, tip.commit)
      try statement.run()
    }
  }

  override func update(_ old: TableValue, to row: TableRow) throws(DatabaseError) {
    let id = try old.text(of: "id") ?? ""
    let (commit, inherits) = try state.query(
      """
      SELECT m.id, v.inherits FROM main.state_versions v JOIN main.state_commits m ON m.seq = v."commit"
      WHERE v.id = ?1
      """
    ) { (found) throws(DatabaseError) in
      found.bind(1, id)
      _ = try found.step()
      return (found.text(0), found.optionalText(1))
    }
    guard try row[0].text(of: "id").map(ExactText.init) == ExactText(id),
      try row[2].text(of: "commit_id") == commit
    else {
      throw DatabaseError(
        SQLITE_CONSTRAINT, "a version's id and commit_id stay; a commit moves its tip")
    }
    let name = try row[1].text(of: "name") ?? id
    try state.query("UPDATE main.state_versions SET name = ?2, hidden = ?3 WHERE id = ?1") {
      (statement) throws(DatabaseError) in
      statement.bind(1, id)
      statement.bind(2, name)
      statement.bind(3, row[5].integer)
      try statement.run()
    }
    let newInherits = try row[4].text(of: "inherits_from_version_id")
    if newInherits.map(ExactText.init) != inherits.map(ExactText.init) {
      try inherit(id, from: newInherits == "" ? nil : newInherits)
    }
  }

  /// Sets what a new version inherits from.
  private func inheritFirst(_ id: String, from parent: String?) throws(DatabaseError) {
    if let parent { try state.requireVersion(parent) }
    guard parent != id else {
      throw DatabaseError(SQLITE_CONSTRAINT, "version '\(id)' would inherit from itself")
    }
    try state.query("UPDATE main.state_versions SET inherits = ?2 WHERE id = ?1") {
      (statement) throws(DatabaseError) in
      statement.bind(1, id)
      statement.bind(2, parent)
      try statement.run()
    }
    try state.query(
      """
      INSERT INTO main.state_ancestors
      SELECT ?1, 0, ?1
      UNION ALL
      SELECT ?1, depth + 1, ancestor_id FROM main.state_ancestors WHERE version_id = ?2
      """
    ) { (statement) throws(DatabaseError) in
      statement.bind(1, id)
      statement.bind(2, parent)
      try statement.run()
    }
    try checkDepth(id)
  }

  private func checkDepth(_ id: String) throws(DatabaseError) {
    try state.query(
      "SELECT 1 FROM main.state_ancestors WHERE depth >= \(Self.depthMaximum) LIMIT 1"
    ) { (found) throws(DatabaseError) in
      if try found.step() {
        throw DatabaseError(
          SQLITE_CONSTRAINT,
          "version '\(id)' would inherit from itself, or over more than \(Self.depthMaximum) versions"
        )
      }
    }
  }

  /// Sets what a version inherits from, and what follows for those that inherit from it.
  private func inherit(_ id: String, from parent: String?) throws(DatabaseError) {
    if let parent { try state.requireVersion(parent) }
    guard id != StateTables.global || parent == nil else {
      throw DatabaseError(SQLITE_CONSTRAINT, "version '\(id)' inherits from nothing")
    }
    try state.query("UPDATE main.state_versions SET inherits = ?2 WHERE id = ?1") {
      (statement) throws(DatabaseError) in
      statement.bind(1, id)
      statement.bind(2, parent)
      try statement.run()
    }
    try state.query("DELETE FROM main.state_ancestors") { (statement) throws(DatabaseError) in
      try statement.run()
    }
    try state.query(
      """
      INSERT INTO main.state_ancestors
      WITH RECURSIVE chain(version_id, depth, ancestor_id) AS (
        SELECT id, 0, id FROM main.state_versions
        UNION ALL
        SELECT chain.version_id, depth + 1, v.inherits
        FROM chain JOIN main.state_versions v ON v.id = chain.ancestor_id
        WHERE v.inherits IS NOT NULL AND depth < \(Self.depthMaximum))
      SELECT * FROM chain
      """
    ) { (statement) throws(DatabaseError) in
      try statement.run()
    }
    try checkDepth(id)
    try FileDescriptors(state).checkPaths(under: id)
  }

  /// Its rows go with it; its commits stay.
  override func delete(_ old: TableValue) throws(DatabaseError) {
    let id = try old.text(of: "id") ?? ""
    guard id != StateTables.global, id != state.activeVersion.value else {
      throw DatabaseError(
        SQLITE_CONSTRAINT, "version '\(id)' is needed; make another one active first")
    }
    try state.query(
      """
      SELECT 1 FROM main.state_versions WHERE inherits = ?1
      UNION ALL SELECT 1 FROM main.state_settings WHERE name = 'active_version' AND value = ?1
      UNION ALL SELECT 1 FROM main.state_commits
        WHERE version_id = ?1 AND number > (SELECT value FROM main.state_settings WHERE name = 'number')
      """
    ) { (found) throws(DatabaseError) in
      found.bind(1, id)
      if try found.step() {
        throw DatabaseError(
          SQLITE_CONSTRAINT,
          "version '\(id)' is inherited from, or active where others begin, or has changes that are not committed"
        )
      }
    }
    for sql in [
      "DELETE FROM main.state_current WHERE version_id = ?1",
      "DELETE FROM main.state_touched WHERE version_id = ?1",
      "DELETE FROM main.state_ancestors WHERE version_id = ?1",
      "DELETE FROM main.state_versions WHERE id = ?1",
    ] {
      try state.query(sql) { (statement) throws(DatabaseError) in
        statement.bind(1, id)
        try statement.run()
      }
    }
    state.forgetVersions()
  }
}
