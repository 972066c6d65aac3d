// What an entity's content must be: a JSON object, as its stored schema says, and for the pipeline's
// own schemas what they promise besides.

internal import CEngine

/// The schemas of entities that the pipeline itself reads.
enum OwnSchemas {
  static let file = "lix_file_descriptor"
  static let keyValue = "lix_key_value"
  static let account = "lix_account"
  static let storedSchema = "lix_stored_schema"
  /// The file and the plugin of entities that belong to none.
  static let noFile = "lix"
  static let noPlugin = "lix_own_entity"
  static let version = "1.0"
}

struct StateRules {
  private let state: StateContext

  init(_ state: StateContext) { self.state = state }

  func check(
    _ key: StateKey, _ value: StateValue, in version: String
  ) throws(DatabaseError) {
    try requireObject(value.content, of: key)
    switch key.schema {
    case OwnSchemas.file: try FileDescriptors(state).check(key, value.content, in: version)
    case OwnSchemas.storedSchema: try checkDefinition(key, value.content, in: version)
    default: break
    }
    if let schema = try schema(key.schema, value.schemaVersion) {
      try check(value.content, of: key, schema)
    }
  }

  /// A stored schema stays.
  func checkRemoval(of key: StateKey) throws(DatabaseError) {
    guard key.schema == OwnSchemas.storedSchema else { return }
    throw DatabaseError(
      SQLITE_CONSTRAINT,
      "the schema '\(key.entity)' is stored for good; store another version of it")
  }

  private func requireObject(_ content: String, of key: StateKey) throws(DatabaseError) {
    let type: String?
    do throws(DatabaseError) {
      type = try state.query(.contentType) { (row) throws(DatabaseError) in
        row.bind(1, content)
        return try row.step() ? row.text(0) : nil
      }
    } catch {
      throw error.code != SQLITE_ERROR
        ? error
        : DatabaseError(
          SQLITE_CONSTRAINT, "the content of entity '\(key.entity)' is no JSON: \(error.message)")
    }
    guard type == "object" else {
      throw DatabaseError(
        SQLITE_CONSTRAINT,
        "the content of entity '\(key.entity)' is a JSON \(type ?? "nothing"), and must be an object"
      )
    }
  }

  private func check(
    _ content: String, of key: StateKey, _ schema: ContentSchema
  ) throws(DatabaseError) {
    guard let fault = schema.fault(in: try JSONTree.parse(content, state)) else { return }
    throw DatabaseError(
      SQLITE_CONSTRAINT, "entity '\(key.entity)' does not fit schema '\(key.schema)': \(fault)")
  }

  // MARK: Stored schemas

  /// The id of the entity that stores a schema.
  static func schemaID(_ key: String, _ version: String) -> String { "\(key)~\(version)" }

  private static let knownSchemaCountMaximum = 256

  /// The stored schema of a key and version; nil if none is stored.
  func schema(_ key: String, _ version: String) throws(DatabaseError) -> ContentSchema? {
    let transaction = try state.transaction()
    if let last = transaction.lastSchema, ExactText(last.key) == ExactText(key),
      ExactText(last.version) == ExactText(version)
    {
      return last.schema
    }
    let id = Self.schemaID(key, version)
    if let schema = transaction.schemas[ExactText(id)] {
      transaction.lastSchema = (key, version, schema)
      return schema
    }
    // Each entity may have a schema of its own.
    if transaction.schemas.count >= Self.knownSchemaCountMaximum { transaction.schemas = [:] }
    var schema: ContentSchema?
    if let definition = try definition(id) { schema = try compiled(definition, id) }
    transaction.schemas[ExactText(id)] = .some(schema)
    return schema
  }

  private func definition(_ id: String) throws(DatabaseError) -> String? {
    let query = StateQuery(
      conditions: [
        "r.schema_key = '\(OwnSchemas.storedSchema)'", "r.entity_id = ?2",
        "r.file_id = '\(OwnSchemas.noFile)'",
      ], columns: ["json_extract(\(StateQuery.content), '$.value')"], needsChange: true)
    return try state.query(query.sql) { (row) throws(DatabaseError) in
      row.bind(1, StateTables.global)
      row.bind(2, id)
      return try row.step() ? row.text(0) : nil
    }
  }

  private func compiled(_ definition: String, _ id: String) throws(DatabaseError) -> ContentSchema {
    let tree: JSONTree
    do throws(DatabaseError) { tree = try JSONTree.parse(definition, state) } catch {
      guard error.code == SQLITE_ERROR else { throw error }
      throw DatabaseError(SQLITE_CONSTRAINT, "schema '\(id)' is malformed: \(error.message)")
    }
    do throws(ContentSchema.Malformed) { return try ContentSchema(tree) } catch {
      throw DatabaseError(SQLITE_CONSTRAINT, "schema '\(id)' is malformed: \(error.text)")
    }
  }

  /// A schema is stored in `global`, once, under its key and version.
  private func checkDefinition(
    _ key: StateKey, _ content: String, in version: String
  ) throws(DatabaseError) {
    guard version == StateTables.global else {
      throw DatabaseError(
        SQLITE_CONSTRAINT, "schemas belong to version '\(StateTables.global)'; store them there")
    }
    let (id, definition, schemaKey) = try state.query(
      """
      SELECT json_extract(?1, '$.key') || '~' || json_extract(?1, '$.version'),
        json_extract(?1, '$.value'), json_extract(?1, '$.key')
      """
    ) { (row) throws(DatabaseError) in
      row.bind(1, content)
      _ = try row.step()
      return (row.text(0), row.optionalText(1), row.text(2))
    }
    guard id == key.entity, key.file == OwnSchemas.noFile, let definition else {
      throw DatabaseError(
        SQLITE_CONSTRAINT,
        "a stored schema has the content {key, version, value}, the entity_id 'key~version' and the file_id '\(OwnSchemas.noFile)'"
      )
    }
    _ = try compiled(definition, id)
    let transaction = try state.transaction()
    guard let stored = try self.definition(id) else {
      transaction.schemas[ExactText(id)] = nil
      transaction.lastSchema = nil
      transaction.newSchemas[id] = schemaKey
      return
    }
    guard try JSONTree.parse(stored, state) == JSONTree.parse(definition, state) else {
      throw DatabaseError(
        SQLITE_CONSTRAINT, "schema '\(id)' is stored with another definition; give it a new version"
      )
    }
  }

  /// Looks at what was there before its schema was stored in this transaction.
  func checkLate(_ transaction: StateTransaction) throws(DatabaseError) {
    for (id, schemaKey) in transaction.newSchemas.sorted(by: { $0.key < $1.key }) {
      guard let definition = try definition(id) else { continue }
      let schema = try compiled(definition, id)
      try state.query(
        """
        SELECT r.schema_key, r.entity_id, r.file_id, \(StateQuery.content)
        FROM main.state_versions v CROSS JOIN main.state_current r
          LEFT JOIN main.state_changes c ON c.id = r.change_id
        WHERE r.version_id = v.id AND r.schema_key = ?2 AND NOT r.is_tombstone
          AND r.schema_key || '~' || r.schema_version = ?1
        """
      ) { (row) throws(DatabaseError) in
        row.bind(1, id)
        row.bind(2, schemaKey)
        while try row.step() {
          let key = StateKey(schema: row.text(0), entity: row.text(1), file: row.text(2))
          try check(row.text(3), of: key, schema)
        }
      }
    }
  }
}
