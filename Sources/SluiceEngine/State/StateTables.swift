// The tables of the state pipeline in a database, and how a database gets them.
//
// `state_changes` and `state_commits` are the history, which only grows. `state_current` is what each
// version has now, derived from the history but for its untracked rows. A change is pending while
// the number of its commit is above the setting `number`, that is until its transaction commits;
// nobody else ever sees it so. All are shadow tables of the virtual table `state`: SQLite lets no
// statement of a client write them.

internal import CEngine

enum StateTables {
  /// Names behind "state_" of the tables that only the pipeline writes.
  static let shadowNames: Set = [
    "settings", "commits", "changes", "adopted", "current", "versions", "ancestors", "paths",
    "touched",
  ]

  static let module = unsafe VirtualTableModule(isShadow: { name in
    unsafe shadowNames.contains(String(cString: name!)) ? 1 : 0
  })
  /// The module of the tables that have no shadow tables.
  static let viewModule = unsafe VirtualTableModule()

  /// The version that every other one inherits from unless it is told otherwise.
  static let global = "global"
  /// The version that is active in a new database.
  static let main = "main"
  static let format: Int64 = 1
  /// The present time as SQL: UTC with milliseconds.
  static let timestamp = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"

  /// The virtual tables, with the name of each in `StateContext.table`.
  static let virtualTables = [
    "state", "state_all", "state_with_tombstones", "version", "version_merge", "active_version",
    "active_account", "key_value", "key_value_all", "account", "account_all", "stored_schema",
    "file", "file_all", "state_history", "file_history",
  ]

  static let views = [
    "change", "commit", "commit_edge", "change_set_element", "change_author",
    "state_commit", "state_rebuilt",
  ]

  /// Makes the tables in a database that does not have them.
  static func boot(_ connection: Connection) throws(DatabaseError) {
    if try areIn(connection) { return try checkFormat(connection) }
    guard !connection.isReadOnly else {
      throw DatabaseError(
        SQLITE_CANTOPEN, "the database has no state; open it once without read-only")
    }
    try connection.run("BEGIN IMMEDIATE")
    do throws(DatabaseError) {
      // Another connection may have been faster.
      if try areIn(connection) { try checkFormat(connection) } else { try create(connection) }
      try connection.run("COMMIT")
    } catch {
      try? connection.run("ROLLBACK")
      throw error
    }
  }

  private static func checkFormat(_ connection: Connection) throws(DatabaseError) {
    let format = try connection.number("SELECT value FROM state_settings WHERE name = 'format'")
    guard format == Self.format else {
      throw DatabaseError(
        SQLITE_CANTOPEN,
        "the database's state has format \(format), and this engine knows \(Self.format); use the engine that made it"
      )
    }
  }

  static func areIn(_ connection: Connection) throws(DatabaseError) -> Bool {
    try connection.number(
      "SELECT count(*) FROM sqlite_schema WHERE name = 'state' AND sql = '\(creation("state"))'"
    ) != 0
  }

  private static func create(_ connection: Connection) throws(DatabaseError) {
    let names = (virtualTables + views + shadowNames.map { "state_" + $0 }).map { "'\($0)'" }
    let taken = try connection.number(
      "SELECT count(*) FROM sqlite_schema WHERE name IN (\(names.joined(separator: ",")))")
    guard taken == 0 else {
      throw DatabaseError(
        SQLITE_CANTOPEN, "the database has tables with names of the state pipeline; rename them")
    }
    try connection.run(tables)
    // Once the virtual tables are there, only they write these.
    try connection.run(firstRows)
    for name in virtualTables { try connection.run(creation(name)) }
    try connection.run(viewTexts)
  }

  /// The statement that makes a virtual table. A client may have a table `state` of another module.
  private static func creation(_ name: String) -> String {
    let module = name == "state" ? "state" : "state_view"
    return "CREATE VIRTUAL TABLE \(name) USING \(module)(\(name))"
  }

  /// Refuses a statement of a client that would change what the state is made of. A client's own
  /// table may have such a name where there is no state.
  static func check(
    _ effects: StatementEffects, on connection: Connection
  ) throws(DatabaseError) {
    guard effects.changesSourceSchema, try areIn(connection) else { return }
    throw DatabaseError(
      SQLITE_AUTH, "not authorized: the statement changes a table or view of the state")
  }

  /// The names of all tables and views.
  static let ownNames = Set(virtualTables + views + shadowNames.map { "state_" + $0 })

  private static let tables = """
    CREATE TABLE state_settings(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE state_versions(
      id TEXT PRIMARY KEY, name TEXT NOT NULL, "commit" INTEGER NOT NULL, inherits TEXT,
      hidden INTEGER NOT NULL) WITHOUT ROWID;
    -- Each version with itself (depth 0) and those that it inherits from, nearest first.
    CREATE TABLE state_ancestors(
      version_id TEXT, depth INTEGER, ancestor_id TEXT NOT NULL,
      PRIMARY KEY(version_id, depth)) WITHOUT ROWID;
    -- "number" counts the transactions; one makes at most one commit in a version.
    CREATE TABLE state_commits(
      seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, number INTEGER NOT NULL,
      version_id TEXT NOT NULL, parent INTEGER, merged INTEGER, authors TEXT NOT NULL,
      created_at TEXT NOT NULL) WITHOUT ROWID;
    CREATE INDEX state_commits_by_number ON state_commits(number);
    CREATE TABLE state_changes(
      id TEXT PRIMARY KEY, "commit" INTEGER NOT NULL, entity_id TEXT NOT NULL,
      schema_key TEXT NOT NULL, file_id TEXT NOT NULL, plugin_key TEXT NOT NULL,
      schema_version TEXT NOT NULL, snapshot_content TEXT) WITHOUT ROWID;
    CREATE INDEX state_changes_by_commit ON state_changes("commit");
    CREATE INDEX state_changes_by_entity ON state_changes(entity_id);
    -- Changes of another version that a merge took over.
    CREATE TABLE state_adopted(
      "commit" INTEGER, change_id TEXT, PRIMARY KEY("commit", change_id)) WITHOUT ROWID;
    CREATE INDEX state_adopted_by_change ON state_adopted(change_id);
    -- The content is that of the change, but for untracked rows, which have none. The columns "was_"
    -- tell what the row was before the transaction that has changed it; they count while it is pending.
    CREATE TABLE state_current(
      version_id TEXT NOT NULL, schema_key TEXT NOT NULL, entity_id TEXT NOT NULL,
      file_id TEXT NOT NULL, untracked INTEGER NOT NULL, is_tombstone INTEGER NOT NULL, plugin_key TEXT NOT NULL, schema_version TEXT NOT NULL,
      created_at TEXT NOT NULL, change_id TEXT, "commit" INTEGER, was_change TEXT,
      was_commit INTEGER, updated_at TEXT, snapshot_content TEXT);
    CREATE UNIQUE INDEX state_current_by_entity
      ON state_current(entity_id, version_id, schema_key, file_id, untracked);
    CREATE INDEX state_current_by_schema ON state_current(version_id, schema_key);
    CREATE INDEX state_current_by_file ON state_current(file_id, version_id);
    -- The last transaction that has written or deleted each untracked row.
    CREATE TABLE state_touched(
      version_id TEXT, schema_key TEXT, entity_id TEXT, file_id TEXT, number INTEGER NOT NULL,
      plugin_key TEXT NOT NULL, schema_version TEXT NOT NULL,
      PRIMARY KEY(version_id, schema_key, entity_id, file_id)) WITHOUT ROWID;
    CREATE INDEX state_touched_by_number ON state_touched(number);
    -- The files that have, or once had, a path.
    CREATE TABLE state_paths(path TEXT, file_id TEXT, PRIMARY KEY(path, file_id)) WITHOUT ROWID;
    """

  /// The root commit is the tip of both versions.
  private static var firstRows: String {
    var ids = UniqueIDs()
    return """
      INSERT INTO state_settings VALUES('format', \(format)), ('number', 0),
        ('active_version', '\(main)'), ('active_accounts', '[]');
      INSERT INTO state_commits VALUES(0, '\(ids.next())', 0, '\(global)', NULL, NULL, '[]',
        \(timestamp));
      INSERT INTO state_versions VALUES('\(global)', '\(global)', 0, NULL, 1),
        ('\(main)', '\(main)', 0, '\(global)', 0);
      INSERT INTO state_ancestors VALUES('\(global)', 0, '\(global)'), ('\(main)', 0, '\(main)'),
        ('\(main)', 1, '\(global)');
      """
  }

  private static let viewTexts = """
    CREATE VIEW change AS
      SELECT c.id, c.entity_id, c.schema_key, c.schema_version, c.file_id, c.plugin_key,
        m.created_at, c.snapshot_content
      FROM state_changes c JOIN state_commits m ON m.seq = c."commit";
    CREATE VIEW "commit" AS
      SELECT m.id, m.id AS change_set_id, m.version_id, m.number, m.authors, m.created_at
      FROM state_commits m
      WHERE m.number <= (SELECT value FROM state_settings WHERE name = 'number');
    CREATE VIEW commit_edge AS
      SELECT p.id AS parent_id, m.id AS child_id
      FROM state_commits m JOIN state_commits p ON p.seq IN (m.parent, m.merged)
      WHERE m.number <= (SELECT value FROM state_settings WHERE name = 'number');
    CREATE VIEW change_set_element AS
      SELECT m.id AS change_set_id, c.id AS change_id, c.entity_id, c.schema_key, c.file_id
      FROM state_commits m JOIN state_changes c ON c."commit" = m.seq
      WHERE m.number <= (SELECT value FROM state_settings WHERE name = 'number')
      UNION ALL
      SELECT m.id, c.id, c.entity_id, c.schema_key, c.file_id
      FROM state_adopted a JOIN state_commits m ON m.seq = a."commit"
        JOIN state_changes c ON c.id = a.change_id
      WHERE m.number <= (SELECT value FROM state_settings WHERE name = 'number');
    CREATE VIEW change_author AS
      SELECT c.id AS change_id, a.value AS account_id
      FROM state_changes c JOIN state_commits m ON m.seq = c."commit", json_each(m.authors) a;
    -- What each transaction has changed, by its number.
    CREATE VIEW state_commit AS
      SELECT m.number, m.id AS commit_id, m.version_id, c.entity_id, c.schema_key, c.file_id,
        c.plugin_key, c.schema_version, c.id AS change_id, 0 AS untracked, c.snapshot_content
      FROM state_commits m JOIN state_changes c ON c."commit" = m.seq
      WHERE m.number <= (SELECT value FROM state_settings WHERE name = 'number')
      UNION ALL
      SELECT m.number, m.id, m.version_id, c.entity_id, c.schema_key, c.file_id, c.plugin_key,
        c.schema_version, c.id, 0, c.snapshot_content
      FROM state_commits m JOIN state_adopted a ON a."commit" = m.seq
        JOIN state_changes c ON c.id = a.change_id
      WHERE m.number <= (SELECT value FROM state_settings WHERE name = 'number')
      UNION ALL
      SELECT t.number, 'untracked', t.version_id, t.entity_id, t.schema_key, t.file_id,
        t.plugin_key, t.schema_version, NULL, 1, r.snapshot_content
      FROM state_touched t LEFT JOIN state_current r ON r.version_id = t.version_id
        AND r.schema_key = t.schema_key AND r.entity_id = t.entity_id AND r.file_id = t.file_id
        AND r.untracked = 1
      WHERE t.number <= (SELECT value FROM state_settings WHERE name = 'number');
    -- What the tracked rows of `state_current` must be, derived from the history alone.
    CREATE VIEW state_rebuilt AS
      \(rebuilt(from: "SELECT id, \"commit\" FROM state_versions"));
    """

  /// The tracked rows of versions, derived from the history alone. `start` gives each version and its
  /// tip; `schema` is what the tables' names begin with. A commit's parent has a lower `seq`, so the
  /// highest of an entity is the newest.
  static func rebuilt(from start: String, in schema: String = "") -> String {
    """
    WITH RECURSIVE chain(version_id, seq) AS (
        \(start)
        UNION ALL
        SELECT chain.version_id, m.parent FROM chain
          JOIN \(schema)state_commits m ON m.seq = chain.seq
        WHERE m.parent IS NOT NULL),
      element(version_id, seq, change_id) AS (
        SELECT version_id, seq, c.id FROM chain
          JOIN \(schema)state_changes c ON c."commit" = seq
        UNION ALL
        SELECT version_id, seq, a.change_id FROM chain
          JOIN \(schema)state_adopted a ON a."commit" = seq),
      -- The newest change with its commit's number before it, so that one aggregate finds both.
      span(version_id, schema_key, entity_id, file_id, newest, seq, oldest) AS (
        SELECT version_id, schema_key, entity_id, file_id,
          max(printf('%016x', seq) || change_id), max(seq), min(seq)
        FROM element JOIN \(schema)state_changes c ON c.id = change_id GROUP BY 1, 2, 3, 4)
    SELECT s.version_id, s.schema_key, s.entity_id, s.file_id, c.snapshot_content IS NULL AS is_tombstone,
      c.plugin_key, c.schema_version, o.created_at, c.id AS change_id, s.seq AS "commit"
    FROM span s JOIN \(schema)state_changes c ON c.id = substr(s.newest, 17)
      JOIN \(schema)state_commits o ON o.seq = s.oldest
    """
  }
}
