// The virtual tables `file` and `file_all`: files, of which the state has a descriptor and the
// entities that plugins made of the bytes.

internal import CEngine

final class FileTable: VirtualTable {
  private let state: StateContext
  /// Whether it shows all versions.
  private let isForAll: Bool
  private let rowColumns: RowColumns

  init(_ state: StateContext, isForAll: Bool) {
    self.state = state
    self.isForAll = isForAll
    rowColumns = RowColumns(isForAll: isForAll, first: 5)
  }

  enum Column {
    static let id = 0
    static let path = 1
    static let data = 2
    static let metadata = 3
    static let hidden = 4
  }

  override var declaration: String {
    """
    CREATE TABLE x(id TEXT, path TEXT, data BLOB, metadata TEXT, hidden INTEGER,
      \(rowColumns.declaration)) WITHOUT ROWID
    """
  }

  override var keyColumns: [Int] {
    [Column.id, Column.path] + (isForAll ? [rowColumns.version!] : [])
  }

  override func open() -> VirtualCursor {
    FileRows(state, isForAll: isForAll, keyColumn: rowColumns.key) { [self] in query($0) }
  }

  private func query(_ plan: TablePlan) -> StateRows.Choice {
    let content = StateQuery.content
    var query = StateQuery(
      conditions: ["r.schema_key = '\(OwnSchemas.file)'"],
      columns: [
        "r.entity_id", FileDescriptors.path, "NULL", "json_extract(\(content), '$.metadata')",
        "json_extract(\(content), '$.hidden')",
      ] + rowColumns.expressions)
    query.needsChange = true
    query.needsCommit = true
    return StateRows.Choice(
      query: query,
      keys: (plan.has(0) ? ["r.entity_id"] : [])
        + (plan.has(1) ? [FileDescriptors.hasPath] : []),
      tellsVersion: isForAll && plan.has(2))
  }

  private final class FileRows: StateRows {
    override func column(_ number: Int32, _ result: TableResult) throws(DatabaseError) {
      guard number == FileTable.Column.data else { return try super.column(number, result) }
      if result.isForNoChange { return }
      let file = PluginFile(
        id: entity, path: statement!.text(Int32(FileTable.Column.path)),
        metadata: statement!.optionalText(Int32(FileTable.Column.metadata)),
        isHidden: statement!.integer(Int32(FileTable.Column.hidden)) != 0, data: [])
      let bytes = try FileContent(state, version).bytes(of: file)
      guard bytes.count <= Limits.valueByteCountMaximum else {
        throw DatabaseError(SQLITE_TOOBIG, "the file '\(file.path)' has more than 64 MiB")
      }
      result.set(bytes)
    }
  }

  // MARK: Writing

  /// The version in which a new row is written.
  private func version(_ row: TableRow) throws(DatabaseError) -> String {
    guard let column = rowColumns.version else { return state.activeVersion.value }
    guard let version = try row[column].text(of: "lixcol_version_id") else {
      throw DatabaseError(cengine_constraint_not_null, "a file of file_all needs lixcol_version_id")
    }
    return version
  }

  /// The row's columns but its data.
  private func file(_ row: TableRow, id: String) throws(DatabaseError) -> PluginFile {
    guard let path = try row[Column.path].text(of: "path") else {
      throw DatabaseError(cengine_constraint_not_null, "a file needs a path")
    }
    return PluginFile(
      id: id, path: path, metadata: try row[Column.metadata].text(of: "metadata"),
      isHidden: row[Column.hidden].integer != 0, data: [])
  }

  override func insert(_ row: TableRow) throws(DatabaseError) {
    let version = try version(row)
    let given = try row[Column.id].text(of: "id")
    var after = try file(row, id: given ?? state.ids.next())
    after.data = row[Column.data].bytes
    // No file has a new id.
    var before: PluginFile?
    if let given { before = try present(given, version) }
    try put(after, before: before, in: version, isUntracked: untracked(row))
  }

  private func untracked(_ row: TableRow) -> Bool {
    row[rowColumns.untracked].integer != 0
  }

  override func update(_ old: TableValue, to row: TableRow) throws(DatabaseError) {
    let (version, id) = try rowColumns.parts(of: old)
    guard try row[Column.id].text(of: "id").map(ExactText.init) == ExactText(id) else {
      throw DatabaseError(SQLITE_CONSTRAINT, "a file's id stays; delete it and insert another")
    }
    let before = try present(id, version)
    var after = try file(row, id: id)
    after.data =
      row[Column.data].isUnchanged ? before?.data ?? [] : row[Column.data].bytes
    try put(after, before: before, in: version, isUntracked: untracked(row))
  }

  /// The file as the version sees it.
  private func present(_ id: String, _ version: String) throws(DatabaseError) -> PluginFile? {
    let content = StateQuery.content
    let query = StateQuery(
      conditions: ["r.schema_key = '\(OwnSchemas.file)'", "r.entity_id = ?2"],
      columns: [
        FileDescriptors.path, "json_extract(\(content), '$.metadata')",
        "json_extract(\(content), '$.hidden')",
      ], needsChange: true)
    let found = try state.query(query.sql) { (row) throws(DatabaseError) -> PluginFile? in
      row.bind(1, version)
      row.bind(2, id)
      guard try row.step() else { return nil }
      return PluginFile(
        id: id, path: row.text(0), metadata: row.optionalText(1), isHidden: row.integer(2) != 0,
        data: [])
    }
    guard var file = found else { return nil }
    file.data = try FileContent(state, version).bytes(of: file)
    return file
  }

  /// Writes the descriptor, if it differs, and then the entities.
  private func put(
    _ after: PluginFile, before: PluginFile?, in version: String, isUntracked: Bool
  ) throws(DatabaseError) {
    let descriptorDiffers =
      before.map {
        $0.path != after.path || $0.metadata != after.metadata || $0.isHidden != after.isHidden
      } ?? true
    if descriptorDiffers {
      let content = try descriptor(after)
      try StateWriter(state).put(
        FileDescriptors.key(after.id),
        StateValue(
          plugin: OwnSchemas.noPlugin, schemaVersion: OwnSchemas.version, content: content),
        in: version, isUntracked: isUntracked)
    }
    if before == nil || before?.data != after.data || before?.path != after.path {
      try FileContent(state, version).write(after, before: before, isUntracked: isUntracked)
    }
  }

  private func descriptor(_ file: PluginFile) throws(DatabaseError) -> String {
    do throws(DatabaseError) {
      return try state.query(
        """
        SELECT json_object('id', ?1, 'path', ?2, 'metadata', json(?3),
          'hidden', json(CASE ?4 WHEN 1 THEN 'true' ELSE 'false' END))
        """
      ) { (row) throws(DatabaseError) in
        row.bind(1, file.id)
        row.bind(2, file.path)
        row.bind(3, file.metadata)
        row.bind(4, file.isHidden ? 1 : Int64(0))
        return try row.step() ? row.text(0) : ""
      }
    } catch {
      throw error.code != SQLITE_ERROR
        ? error
        : DatabaseError(
          SQLITE_CONSTRAINT, "the metadata of file '\(file.path)' is no JSON: \(error.message)")
    }
  }

  override func delete(_ old: TableValue) throws(DatabaseError) {
    let (version, id) = try rowColumns.parts(of: old)
    let writer = StateWriter(state)
    for piece in try FileContent(state, version).pieces(ofFile: id) {
      try writer.remove(
        StateKey(schema: piece.entity.schemaKey, entity: piece.entity.entityID, file: id),
        from: version)
    }
    try writer.remove(FileDescriptors.key(id), from: version)
  }
}
