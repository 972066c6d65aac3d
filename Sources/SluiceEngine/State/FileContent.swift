// The bytes of a file and its entities, made of one another by plugins. Bytes are not kept.

internal import CEngine

struct FileContent {
  private let state: StateContext
  /// The version whose view counts, and which is written.
  private let version: String

  init(_ state: StateContext, _ version: String) {
    self.state = state
    self.version = version
  }

  /// An entity of a file with the plugin that made it.
  struct Piece {
    var plugin: String
    var entity: PluginEntity
  }

  /// The live entities of a file but its descriptor.
  func pieces(ofFile id: String) throws(DatabaseError) -> [Piece] {
    let query = StateQuery(
      conditions: ["r.file_id = ?2", "r.schema_key <> '\(OwnSchemas.file)'"],
      columns: [
        "r.plugin_key", "r.entity_id", "r.schema_key", "r.schema_version", StateQuery.content,
      ],
      needsChange: true)
    return try state.query(query.sql) { (row) throws(DatabaseError) in
      row.bind(1, version)
      row.bind(2, id)
      var pieces: [Piece] = []
      while try row.step() {
        pieces.append(
          Piece(
            plugin: row.text(0),
            entity: PluginEntity(
              entityID: row.text(1), schemaKey: row.text(2), schemaVersion: row.text(3),
              content: row.text(4))))
      }
      return pieces
    }
  }

  // MARK: Bytes of entities

  /// The file's bytes. `file` has no data yet.
  func bytes(of file: PluginFile) throws(DatabaseError) -> [UInt8] {
    try Self.bytes(of: file, try pieces(ofFile: file.id), state)
  }

  static func bytes(
    of file: PluginFile, _ pieces: [Piece], _ state: StateContext
  ) throws(DatabaseError) -> [UInt8] {
    let plugins = state.plugins
    let matching = plugins.matching(path: file.path).filter { $0.canBuild }
    let makers = Set(pieces.map { $0.plugin })
    guard
      let plugin = matching.first(where: { makers.contains($0.key) })
        ?? makers.sorted().lazy.compactMap({ plugins.plugin(named: $0) }).first(where: {
          $0.canBuild
        })
        ?? (pieces.isEmpty ? matching.first : nil)
    else {
      guard let maker = makers.sorted().first else { return [] }
      throw DatabaseError(
        SQLITE_ERROR,
        "the file '\(file.path)' is made of entities of plugin '\(maker)', which this engine does not have; start it with that plugin"
      )
    }
    let entities = pieces.filter { $0.plugin == plugin.key }.map { $0.entity }
    // No plugin makes bytes of nothing.
    if entities.isEmpty { return [] }
    do throws(PluginError) {
      return try plugin.applyChanges(file, entities, state.interruption)
    } catch {
      throw DatabaseError(error)
    }
  }

  // MARK: Entities of bytes

  /// Writes the entities of a new content. `before` is the file as it was, nil for a new one.
  func write(
    _ after: PluginFile, before: PluginFile?, isUntracked: Bool
  ) throws(DatabaseError) {
    var makers = state.plugins.matching(path: after.path)
    if makers.isEmpty { makers = [state.plugins.fallback] }
    let pieces = before == nil ? [] : try pieces(ofFile: after.id)
    for piece in pieces where !makers.contains(where: { $0.key == piece.plugin }) {
      try StateWriter(state).remove(
        StateKey(
          schema: piece.entity.schemaKey, entity: piece.entity.entityID, file: after.id),
        from: version)
    }
    let former = before.map { state.plugins.matching(path: $0.path) } ?? []
    for plugin in makers {
      let knowsFile = pieces.contains { $0.plugin == plugin.key }
      let wasMatching = former.contains { $0 === plugin }
      try detect(
        plugin, after, before: knowsFile || wasMatching ? before : nil, isUntracked: isUntracked)
    }
  }

  private func detect(
    _ plugin: any Plugin, _ after: PluginFile, before: PluginFile?, isUntracked: Bool
  ) throws(DatabaseError) {
    let changes: [PluginEntity]
    do throws(PluginError) {
      changes = try plugin.detectChanges(
        before: before, after: after, PipelineReader(state, version), state.interruption)
    } catch {
      throw DatabaseError(error)
    }
    let writer = StateWriter(state)
    for change in changes {
      guard
        let schema = plugin.schemas.first(where: {
          $0.key == change.schemaKey && $0.version == change.schemaVersion
        })
      else {
        throw DatabaseError(
          SQLITE_ERROR,
          "plugin '\(plugin.key)' made an entity of schema '\(change.schemaKey)' \(change.schemaVersion), which it has not declared"
        )
      }
      let key = StateKey(schema: change.schemaKey, entity: change.entityID, file: after.id)
      guard let content = change.content else {
        try writer.remove(key, from: version)
        continue
      }
      try store(schema)
      try writer.put(
        key,
        StateValue(plugin: plugin.key, schemaVersion: change.schemaVersion, content: content),
        in: version, isUntracked: isUntracked)
    }
  }

  /// Stores the schema of a plugin, if it is not there.
  private func store(_ schema: PluginSchema) throws(DatabaseError) {
    guard try StateRules(state).schema(schema.key, schema.version) == nil else { return }
    let content = try state.query(
      "SELECT json_object('key', ?1, 'version', ?2, 'value', json(?3))"
    ) { (row) throws(DatabaseError) in
      row.bind(1, schema.key)
      row.bind(2, schema.version)
      row.bind(3, schema.definition)
      return try row.step() ? row.text(0) : ""
    }
    try StateWriter(state).put(
      StateKey(
        schema: OwnSchemas.storedSchema, entity: StateRules.schemaID(schema.key, schema.version),
        file: OwnSchemas.noFile),
      StateValue(
        plugin: OwnSchemas.noPlugin, schemaVersion: OwnSchemas.version, content: content),
      in: StateTables.global, isUntracked: false)
  }
}

/// What a plugin may ask of the state while it looks at a file.
final class PipelineReader: StateReader {
  private let state: StateContext
  private let version: String

  init(_ state: StateContext, _ version: String) {
    self.state = state
    self.version = version
  }

  private static let rowCountMaximum = 1_000_000

  func entities(
    ofFile id: String, plugin key: String
  ) throws(PluginError) -> [PluginEntity] {
    do throws(DatabaseError) {
      return try FileContent(state, version).pieces(ofFile: id).filter { $0.plugin == key }
        .map { $0.entity }
    } catch {
      throw PluginError(error)
    }
  }

  /// The authorizer of the connection looks at it, too.
  func query(_ sql: String, _ arguments: [String]) throws(PluginError) -> [[String?]] {
    do throws(DatabaseError) {
      let statement = try unsafe EngineStatement(sql, on: state.handle)
      guard unsafe sqlite3_stmt_readonly(statement.handle) != 0 else {
        throw DatabaseError(SQLITE_READONLY, "a plugin's query may only read")
      }
      for (index, argument) in arguments.enumerated() {
        statement.bind(Int32(index + 1), argument)
      }
      let columnCount = unsafe sqlite3_column_count(statement.handle)
      var rows: [[String?]] = []
      while try statement.step() {
        guard rows.count < Self.rowCountMaximum else {
          throw DatabaseError(SQLITE_TOOBIG, "a plugin's query has more than a million rows")
        }
        rows.append((0..<columnCount).map { statement.optionalText($0) })
      }
      return rows
    } catch {
      throw PluginError(error)
    }
  }
}
