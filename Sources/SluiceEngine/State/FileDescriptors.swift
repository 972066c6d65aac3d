// The entities that name files: id, path, metadata and hidden. Their entity id is their file id.
//
// A path begins with a slash, has no empty part and no backslash, and does not end with a slash. A
// version sees each path once.

internal import CEngine

struct FileDescriptors {
  private let state: StateContext

  init(_ state: StateContext) { self.state = state }

  static let pathByteCountMaximum = 4096

  /// What is wrong with a path; nil if nothing is.
  static func fault(inPath path: String) -> String? {
    if !path.hasPrefix("/") { return "it does not begin with a slash" }
    if path.hasSuffix("/") { return "it ends with a slash" }
    if path.contains("//") { return "it has two slashes in a row" }
    if path.contains("\\") { return "it has a backslash" }
    if path.utf8.contains(0) { return "it has a zero byte" }
    if path.utf8.count > pathByteCountMaximum {
      return "it has more than \(pathByteCountMaximum) bytes"
    }
    return nil
  }

  static func key(_ id: String) -> StateKey {
    StateKey(schema: OwnSchemas.file, entity: id, file: id)
  }

  /// Checks what is about to be written as a descriptor, and notes its path.
  func check(_ key: StateKey, _ content: String, in version: String) throws(DatabaseError) {
    let (id, path, scalarCount) = try state.query(
      """
      SELECT json_extract(?1, '$.id'), json_extract(?1, '$.path'), json_type(?1, '$.path'),
        length(json_extract(?1, '$.path'))
      """
    ) { (row) throws(DatabaseError) in
      row.bind(1, content)
      _ = try row.step()
      return (row.optionalText(0), row.text(2) == "text" ? row.text(1) : nil, row.integer(3))
    }
    guard key.entity == key.file, id == key.entity else {
      throw DatabaseError(
        SQLITE_CONSTRAINT, "a file's descriptor has the file's id as id, entity_id and file_id")
    }
    guard let path else {
      throw DatabaseError(cengine_constraint_not_null, "a file needs a path")
    }
    // JSON can have half a surrogate pair, which no other text is equal to.
    guard path.unicodeScalars.count == scalarCount else {
      throw DatabaseError(SQLITE_CONSTRAINT, "the path of file '\(key.entity)' is no UTF-8")
    }
    if let fault = Self.fault(inPath: path) {
      throw DatabaseError(
        SQLITE_CONSTRAINT, "the path '\(path)' is none: \(fault); use one like /notes/a.json")
    }
    try requireFree(path, forFile: id ?? "", in: version)
    try state.query("INSERT OR IGNORE INTO main.state_paths VALUES(?1, ?2)") {
      (statement) throws(DatabaseError) in
      statement.bind(1, path)
      statement.bind(2, id)
      try statement.run()
    }
  }

  /// Checks the path that a file has.
  func checkPath(ofFile id: String, in version: String) throws(DatabaseError) {
    let query = StateQuery(
      conditions: ["r.schema_key = '\(OwnSchemas.file)'", "r.entity_id = ?2"],
      columns: [Self.path], needsChange: true)
    let path = try state.query(query.sql) { (row) throws(DatabaseError) in
      row.bind(1, version)
      row.bind(2, id)
      return try row.step() ? row.text(0) : nil
    }
    if let path { try requireFree(path, forFile: id, in: version) }
  }

  /// Checks that a version, and each that inherits from it, sees no path twice.
  func checkPaths(under version: String) throws(DatabaseError) {
    var query = StateQuery(
      conditions: [
        "r.schema_key = '\(OwnSchemas.file)'",
        "a.version_id IN (SELECT version_id FROM main.state_ancestors WHERE ancestor_id = ?1)",
      ],
      columns: ["a.version_id AS version", "\(Self.path) AS path", "r.entity_id AS id"],
      needsChange: true)
    query.scope = .all
    try state.query(
      """
      SELECT version, path, min(id), max(id) FROM (\(query.sql))
      GROUP BY version, path HAVING count(*) > 1 LIMIT 1
      """
    ) { (row) throws(DatabaseError) in
      row.bind(1, version)
      guard try row.step() else { return }
      throw DatabaseError(
        cengine_constraint_unique,
        "version '\(row.text(0))' would have two files '\(row.text(1))' (ids '\(row.text(2))' and "
          + "'\(row.text(3))'); rename or delete one of them first")
    }
  }

  static let path = "json_extract(\(StateQuery.content), '$.path')"

  /// The condition that a descriptor has a path, the parameter "?": of the files
  /// that ever had it, those that still have it.
  static let hasPath = """
    r.entity_id IN (SELECT file_id FROM main.state_paths WHERE path = ?)
    AND \(path) = ?
    """

  /// No other file has the path in the version, or in one that inherits from it.
  private func requireFree(
    _ path: String, forFile id: String, in version: String
  ) throws(DatabaseError) {
    var query = StateQuery(
      conditions: [
        "r.schema_key = '\(OwnSchemas.file)'",
        "a.version_id IN (SELECT version_id FROM main.state_ancestors WHERE ancestor_id = ?1)",
        "r.entity_id <> ?2", Self.hasPath.replacing("?", with: "?3"),
      ], columns: ["a.version_id", "r.entity_id"], needsChange: true)
    query.scope = .all
    try state.query(query.sql) { (row) throws(DatabaseError) in
      row.bind(1, version)
      row.bind(2, id)
      row.bind(3, path)
      guard try row.step() else { return }
      throw DatabaseError(
        cengine_constraint_unique,
        "version '\(row.text(0))' has another file '\(path)' (id '\(row.text(1))')")
    }
  }
}
