// Writes of entities into versions, one by one: the history's pending change, and the row of
// `state_current`.
//
// A transaction has at most one change of an entity in a version. What was inserted and deleted in
// one transaction leaves nothing.

internal import CEngine

/// What an entity is in a version.
struct StateValue: Equatable {
  var plugin: String
  var schemaVersion: String
  /// A JSON object.
  var content: String
}

struct StateWriter {
  let state: StateContext

  init(_ state: StateContext) { self.state = state }

  /// An entity's own rows of a version, the untracked one and the tracked one.
  private struct Own {
    var hasUntracked = false
    var tracked: Tracked?
  }

  private struct Tracked {
    var isTombstone: Bool
    var change: String
    var commit: Int64
    var plugin: String
    var schemaVersion: String
    var createdAt: String
    var wasChange: String?
    var wasCommit: Int64?
  }

  private func own(_ key: StateKey, _ version: String) throws(DatabaseError) -> Own {
    try state.query(.ownRows) { (row) throws(DatabaseError) in
      bind(row, version, key)
      var own = Own()
      while try row.step() {
        if row.integer(0) == 1 {
          own.hasUntracked = true
        } else {
          own.tracked = Tracked(
            isTombstone: row.integer(1) == 1, change: row.text(2), commit: row.integer(3),
            plugin: row.text(4), schemaVersion: row.text(5), createdAt: row.text(6),
            wasChange: row.optionalText(7), wasCommit: row.optionalInteger(8))
        }
      }
      return own
    }
  }

  private func bind(_ statement: EngineStatement, _ version: String, _ key: StateKey) {
    statement.bind(1, version)
    statement.bind(2, key.schema)
    statement.bind(3, key.entity)
    statement.bind(4, key.file)
  }

  // MARK: Put

  /// Writes an entity into a version. Of what is there it is an update.
  func put(
    _ key: StateKey, _ value: StateValue, in version: String, isUntracked: Bool
  ) throws(DatabaseError) {
    let transaction = try state.transaction()
    try state.requireVersion(version)
    try StateRules(state).check(key, value, in: version)
    let own = try own(key, version)
    if isUntracked {
      return try putUntracked(
        key, plugin: value.plugin, schemaVersion: value.schemaVersion, content: value.content,
        version, transaction)
    }
    if own.hasUntracked { try deleteUntracked(key, version, transaction) }
    try putChange(
      key, plugin: value.plugin, schemaVersion: value.schemaVersion, content: value.content,
      version, own.tracked, transaction)
  }

  /// Writes an untracked row. Content nil is a tombstone.
  private func putUntracked(
    _ key: StateKey, plugin: String, schemaVersion: String, content: String?, _ version: String,
    _ transaction: StateTransaction
  ) throws(DatabaseError) {
    try state.query(
      """
      INSERT INTO main.state_current(version_id, schema_key, entity_id, file_id, untracked,
        is_tombstone, plugin_key, schema_version, created_at, updated_at, snapshot_content)
      VALUES(?1, ?2, ?3, ?4, 1, ?7 IS NULL, ?5, ?6, ?8, ?8, ?7)
      ON CONFLICT DO UPDATE SET is_tombstone = ?7 IS NULL, plugin_key = ?5, schema_version = ?6,
        created_at = CASE WHEN is_tombstone THEN ?8 ELSE created_at END, updated_at = ?8,
        snapshot_content = ?7
      """
    ) { (statement) throws(DatabaseError) in
      bind(statement, version, key)
      statement.bind(5, plugin)
      statement.bind(6, schemaVersion)
      statement.bind(7, content)
      statement.bind(8, transaction.time)
      try statement.run()
    }
    try touch(key, plugin: plugin, schemaVersion: schemaVersion, version, transaction)
  }

  func deleteUntracked(
    _ key: StateKey, _ version: String, _ transaction: StateTransaction
  ) throws(DatabaseError) {
    let deleted = try state.query(
      """
      DELETE FROM main.state_current WHERE version_id = ?1 AND schema_key = ?2 AND entity_id = ?3
        AND file_id = ?4 AND untracked = 1 RETURNING plugin_key, schema_version
      """
    ) { (row) throws(DatabaseError) -> (String, String)? in
      bind(row, version, key)
      guard try row.step() else { return nil }
      let deleted = (row.text(0), row.text(1))
      while try row.step() {}
      return deleted
    }
    guard let (plugin, schemaVersion) = deleted else { return }
    try touch(key, plugin: plugin, schemaVersion: schemaVersion, version, transaction)
  }

  /// Notes that the transaction has written or deleted an untracked row.
  private func touch(
    _ key: StateKey, plugin: String, schemaVersion: String, _ version: String,
    _ transaction: StateTransaction
  ) throws(DatabaseError) {
    try state.query("INSERT OR REPLACE INTO main.state_touched VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")
    {
      (statement) throws(DatabaseError) in
      bind(statement, version, key)
      statement.bind(5, transaction.number)
      statement.bind(6, plugin)
      statement.bind(7, schemaVersion)
      try statement.run()
    }
  }

  /// Writes the transaction's change of an entity. Content nil is a tombstone.
  private func putChange(
    _ key: StateKey, plugin: String, schemaVersion: String, content: String?, _ version: String,
    _ tracked: Tracked?, _ transaction: StateTransaction
  ) throws(DatabaseError) {
    let commit = try pendingCommit(version, transaction)
    let isTombstone = content == nil
    if let tracked, tracked.commit == commit {
      try state.query(
        """
        UPDATE main.state_changes SET plugin_key = ?2, schema_version = ?3, snapshot_content = ?4
        WHERE id = ?1
        """
      ) { (statement) throws(DatabaseError) in
        statement.bind(1, tracked.change)
        statement.bind(2, plugin)
        statement.bind(3, schemaVersion)
        statement.bind(4, content)
        try statement.run()
      }
      guard
        tracked.isTombstone != isTombstone || tracked.plugin != plugin
          || tracked.schemaVersion != schemaVersion
      else { return }
      return try putTracked(
        key, version, isTombstone, plugin, schemaVersion, tracked.createdAt, tracked.change, commit,
        was: tracked.wasChange, tracked.wasCommit)
    }
    let change = state.ids.next()
    try state.query(.insertChange) { (statement) throws(DatabaseError) in
      bind(statement, change, key)
      statement.bind(5, commit)
      statement.bind(6, plugin)
      statement.bind(7, schemaVersion)
      statement.bind(8, content)
      try statement.run()
    }
    try putTracked(
      key, version, isTombstone, plugin, schemaVersion, tracked?.createdAt ?? transaction.time,
      change,
      commit, was: tracked?.change, tracked?.commit)
  }

  private func putTracked(
    _ key: StateKey, _ version: String, _ isTombstone: Bool, _ plugin: String,
    _ schemaVersion: String,
    _ createdAt: String, _ change: String, _ commit: Int64, was wasChange: String?,
    _ wasCommit: Int64?
  ) throws(DatabaseError) {
    try state.query(.putTracked) { (statement) throws(DatabaseError) in
      bind(statement, version, key)
      statement.bind(5, isTombstone ? 1 : Int64(0))
      statement.bind(6, plugin)
      statement.bind(7, schemaVersion)
      statement.bind(8, createdAt)
      statement.bind(9, change)
      statement.bind(10, commit)
      statement.bind(11, wasChange)
      statement.bind(12, wasCommit)
      try statement.run()
    }
  }

  /// The commit that the transaction will make in a version.
  func pendingCommit(
    _ version: String, _ transaction: StateTransaction
  ) throws(DatabaseError) -> Int64 {
    if let commit = transaction.commits[ExactText(version)] { return commit }
    let commit: Int64
    if let found = try foundCommit(version, transaction) {
      commit = found
    } else {
      commit = try newCommit(version, transaction)
    }
    transaction.commits[ExactText(version)] = commit
    return commit
  }

  private func foundCommit(
    _ version: String, _ transaction: StateTransaction
  ) throws(DatabaseError) -> Int64? {
    try state.query(
      "SELECT seq, merged FROM main.state_commits WHERE number = ?1 AND version_id = ?2"
    ) { (statement) throws(DatabaseError) in
      statement.bind(1, transaction.number)
      statement.bind(2, version)
      guard try statement.step() else { return nil }
      // Its changes belong to another version.
      guard statement.isNull(1) else {
        throw DatabaseError(
          SQLITE_CONSTRAINT,
          "this transaction has merged into version '\(version)'; commit it before you write there")
      }
      return statement.integer(0)
    }
  }

  private func newCommit(
    _ version: String, _ transaction: StateTransaction
  ) throws(DatabaseError) -> Int64 {
    try state.query(
      """
      INSERT INTO main.state_commits(seq, id, number, version_id, parent, authors, created_at)
      VALUES((SELECT max(seq) + 1 FROM main.state_commits), ?1, ?2, ?3,
        (SELECT "commit" FROM main.state_versions WHERE id = ?3), ?4, ?5) RETURNING seq
      """
    ) { (statement) throws(DatabaseError) in
      statement.bind(1, state.ids.next())
      statement.bind(2, transaction.number)
      statement.bind(3, version)
      statement.bind(4, state.activeAccounts.value)
      statement.bind(5, transaction.time)
      guard try statement.step() else {
        throw DatabaseError(SQLITE_CORRUPT, "a commit got no number; the database is damaged")
      }
      let seq = statement.integer(0)
      while try statement.step() {}
      return seq
    }
  }
}

// MARK: - Removal

extension StateWriter {
  /// Deletes what a version sees of an entity; nothing, if it sees nothing.
  func remove(_ key: StateKey, from version: String) throws(DatabaseError) {
    let transaction = try state.transaction()
    try state.requireVersion(version)
    let own = try own(key, version)
    guard let seen = try seen(key, version, fromDepth: 0) else { return }
    try StateRules(state).checkRemoval(of: key)
    if seen.depth == 0, seen.isUntracked {
      try deleteUntracked(key, version, transaction)
      // A row beneath it may show again, with a path that another file has meanwhile.
      guard key.schema == OwnSchemas.file else { return }
      return try FileDescriptors(state).checkPath(ofFile: key.entity, in: version)
    }
    if seen.depth > 0, seen.isUntracked {
      return try putUntracked(
        key, plugin: seen.plugin, schemaVersion: seen.schemaVersion, content: nil, version,
        transaction)
    }
    if let tracked = own.tracked, !tracked.isTombstone,
      try isPending(tracked, version, transaction),
      try isNew(tracked)
    {
      // What was a tombstone hides what it hid.
      let isFree = tracked.wasChange != nil ? true : try !hides(key, version)
      if isFree { return try undo(key, version, tracked) }
    }
    try putChange(
      key, plugin: seen.plugin, schemaVersion: seen.schemaVersion, content: nil,
      version, own.tracked, transaction)
  }

  private struct Seen {
    var depth: Int64
    var isUntracked: Bool
    var plugin: String
    var schemaVersion: String
  }

  /// The row that a version sees, from the version itself or an ancestor of a least depth on.
  private func seen(
    _ key: StateKey, _ version: String, fromDepth depth: Int64
  ) throws(DatabaseError) -> Seen? {
    try state.query(
      """
      SELECT a.depth, r.untracked, r.is_tombstone, r.plugin_key, r.schema_version
      FROM main.state_ancestors a CROSS JOIN main.state_current r
      WHERE a.version_id = ?1 AND a.depth >= ?5 AND r.version_id = a.ancestor_id
        AND r.schema_key = ?2 AND r.entity_id = ?3 AND r.file_id = ?4
      ORDER BY a.depth, r.untracked DESC LIMIT 1
      """
    ) { (row) throws(DatabaseError) in
      bind(row, version, key)
      row.bind(5, depth)
      guard try row.step(), row.integer(2) == 0 else { return nil }
      return Seen(
        depth: row.integer(0), isUntracked: row.integer(1) == 1,
        plugin: row.text(3), schemaVersion: row.text(4))
    }
  }

  private func isPending(
    _ tracked: Tracked, _ version: String, _ transaction: StateTransaction
  ) throws(DatabaseError) -> Bool {
    try tracked.commit == pendingCommit(version, transaction)
  }

  /// Whether a version's own row hides one of an ancestor.
  private func hides(_ key: StateKey, _ version: String) throws(DatabaseError) -> Bool {
    try seen(key, version, fromDepth: 1) != nil
  }

  /// Whether the version had no row, or a tombstone, before this transaction.
  private func isNew(_ tracked: Tracked) throws(DatabaseError) -> Bool {
    guard let was = tracked.wasChange else { return true }
    return try state.query(
      "SELECT 1 FROM main.state_changes WHERE id = ?1 AND snapshot_content IS NULL"
    ) { (row) throws(DatabaseError) in
      row.bind(1, was)
      return try row.step()
    }
  }

  /// Takes back what the transaction has inserted.
  private func undo(
    _ key: StateKey, _ version: String, _ tracked: Tracked
  ) throws(DatabaseError) {
    try state.query("DELETE FROM main.state_changes WHERE id = ?1") {
      (statement) throws(DatabaseError) in
      statement.bind(1, tracked.change)
      try statement.run()
    }
    if let was = tracked.wasChange, let commit = tracked.wasCommit {
      return try state.query(
        """
        UPDATE main.state_current SET (is_tombstone, plugin_key, schema_version, change_id, "commit") =
          (SELECT 1, plugin_key, schema_version, id, ?6 FROM main.state_changes WHERE id = ?5)
        WHERE version_id = ?1 AND schema_key = ?2 AND entity_id = ?3 AND file_id = ?4
          AND untracked = 0
        """
      ) { (statement) throws(DatabaseError) in
        bind(statement, version, key)
        statement.bind(5, was)
        statement.bind(6, commit)
        try statement.run()
      }
    }
    try state.query(
      """
      DELETE FROM main.state_current WHERE version_id = ?1 AND schema_key = ?2 AND entity_id = ?3
        AND file_id = ?4 AND untracked = 0
      """
    ) { (statement) throws(DatabaseError) in
      bind(statement, version, key)
      try statement.run()
    }
  }
}
