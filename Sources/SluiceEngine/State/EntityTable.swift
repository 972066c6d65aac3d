// The virtual tables `key_value`, `account` and `stored_schema`: the entities of one schema, with a
// column for each property.
//
// A text that is a JSON object or array is stored as such, and read back as text; another text is a
// JSON string.

internal import CEngine

/// An entity view: a schema key and its properties.
struct EntityView: Sendable {
  var schema: String
  /// The first one is the entity's id, unless `id` says otherwise.
  var properties: [String]
  /// The id of an entity, from its first properties' texts.
  var id: @Sendable ([String]) -> String = { $0[0] }
  /// How many properties the id is made of.
  var idPropertyCount = 1
  var isAlwaysGlobal = false

  static let keyValue = EntityView(schema: OwnSchemas.keyValue, properties: ["key", "value"])
  static let account = EntityView(schema: OwnSchemas.account, properties: ["id", "name"])
  static let storedSchema = EntityView(
    schema: OwnSchemas.storedSchema, properties: ["key", "version", "value"],
    id: { StateRules.schemaID($0[0], $0[1]) }, idPropertyCount: 2, isAlwaysGlobal: true)
}

final class EntityTable: VirtualTable {
  private let state: StateContext
  private let view: EntityView
  /// Whether it shows all versions.
  private let isForAll: Bool
  private let rowColumns: RowColumns

  init(_ state: StateContext, _ view: EntityView, isForAll: Bool) {
    self.state = state
    self.view = view
    self.isForAll = isForAll
    rowColumns = RowColumns(isForAll: isForAll, first: view.properties.count)
  }

  override var declaration: String {
    // Keys are text, so that a number is compared as one.
    let columns = view.properties.enumerated().map { (index, name) in
      index < view.idPropertyCount ? "\(name) TEXT" : name
    }
    return
      "CREATE TABLE x(\(columns.joined(separator: ", ")), \(rowColumns.declaration)) WITHOUT ROWID"
  }

  private var isFoundByID: Bool { view.idPropertyCount == 1 }

  override var keyColumns: [Int] {
    (isFoundByID ? [0] : []) + (isForAll ? [rowColumns.version!] : [])
  }

  override func open() -> VirtualCursor {
    StateRows(state, isForAll: isForAll, keyColumn: rowColumns.key) { [self] in query($0) }
  }

  private func query(_ plan: TablePlan) -> StateRows.Choice {
    var keys = isFoundByID && plan.has(0) ? ["r.entity_id"] : []
    let versionBit = isFoundByID ? 1 : 0
    let tellsVersion = isForAll && plan.has(versionBit)
    if view.isAlwaysGlobal { keys = [] }
    var query = StateQuery(
      conditions: ["r.schema_key = '\(view.schema)'", "r.file_id = '\(OwnSchemas.noFile)'"],
      columns: view.properties.enumerated().map { (index, name) in
        // Rows are found by it, whatever the content says.
        index == 0 && isFoundByID
          ? "r.entity_id" : "json_extract(\(StateQuery.content), '$.\(name)')"
      } + rowColumns.expressions)
    query.needsChange = true
    query.needsCommit = true
    return StateRows.Choice(query: query, keys: keys, tellsVersion: tellsVersion)
  }

  // MARK: Writing

  private func texts(_ row: TableRow) throws(DatabaseError) -> [String] {
    var texts: [String] = []
    for index in 0..<view.idPropertyCount {
      let name = view.properties[index]
      if let text = try row[index].text(of: name) {
        texts.append(text)
      } else if name == "id" {
        texts.append(state.ids.next())
      } else {
        throw DatabaseError(cengine_constraint_not_null, "the row needs \(name)")
      }
    }
    return texts
  }

  private func put(_ row: TableRow, _ version: String) throws(DatabaseError) {
    let texts = try texts(row)
    let members = view.properties.enumerated().map { (index, name) in
      let value = "?\(index + 1)"
      return index < view.idPropertyCount
        ? "'\(name)', \(value)"
        : """
        '\(name)', CASE WHEN typeof(\(value)) = 'text' AND json_valid(\(value))
          AND substr(ltrim(\(value)), 1, 1) IN ('{', '[') THEN json(\(value)) ELSE \(value) END
        """
    }
    let sql = "SELECT json_object(\(members.joined(separator: ", ")))"
    let content = try state.query(sql) { (statement) throws(DatabaseError) in
      for index in view.properties.indices {
        if index < texts.count {
          statement.bind(Int32(index + 1), texts[index])
        } else {
          statement.bind(Int32(index + 1), row[index])
        }
      }
      return try statement.step() ? statement.text(0) : ""
    }
    let isUntracked = row[rowColumns.untracked].integer != 0
    try StateWriter(state).put(
      StateKey(schema: view.schema, entity: view.id(texts), file: OwnSchemas.noFile),
      StateValue(
        plugin: OwnSchemas.noPlugin, schemaVersion: OwnSchemas.version, content: content),
      in: version, isUntracked: isUntracked)
  }

  override func insert(_ row: TableRow) throws(DatabaseError) {
    if view.isAlwaysGlobal { return try put(row, StateTables.global) }
    guard let column = rowColumns.version else {
      return try put(row, state.activeVersion.value)
    }
    guard let version = try row[column].text(of: "lixcol_version_id") else {
      throw DatabaseError(cengine_constraint_not_null, "the row needs lixcol_version_id")
    }
    try put(row, version)
  }

  override func update(_ old: TableValue, to row: TableRow) throws(DatabaseError) {
    let (version, id) = try rowColumns.parts(of: old)
    guard ExactText(view.id(try texts(row))) == ExactText(id) else {
      throw DatabaseError(
        SQLITE_CONSTRAINT,
        "\(view.properties[0]) of a row stays; delete the row and insert another")
    }
    try put(row, view.isAlwaysGlobal ? StateTables.global : version)
  }

  override func delete(_ old: TableValue) throws(DatabaseError) {
    let (version, id) = try rowColumns.parts(of: old)
    try StateWriter(state).remove(
      StateKey(schema: view.schema, entity: id, file: OwnSchemas.noFile), from: version)
  }
}
