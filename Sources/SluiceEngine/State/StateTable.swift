// The virtual tables `state`, `state_all` and `state_with_tombstones`: what versions see, by entity.
//
// INSERT of what is there is an update. UPDATE and DELETE of an inherited row write a row of the
// version and leave the ancestor's.

internal import CEngine

final class StateTable: VirtualTable {
  enum Kind: Equatable { case active, all, tombstones }

  private let state: StateContext
  private let kind: Kind

  private let columns: [Column]
  /// Where each column is; nil for the one that is not there.
  private let places: [Int?]

  init(_ state: StateContext, _ kind: Kind) {
    self.state = state
    self.kind = kind
    let columns = Column.allCases.filter { kind != .active || $0 != .version }
    self.columns = columns
    places = Column.allCases.map { columns.firstIndex(of: $0) }
  }

  /// The columns in their order; `state` has no `version_id`.
  enum Column: Int, CaseIterable {
    case entity, schema, file, version, plugin, content, schemaVersion, createdAt, updatedAt
    case inheritedFrom, change, untracked, commit, key

    var name: String {
      switch self {
      case .entity: "entity_id"
      case .schema: "schema_key"
      case .file: "file_id"
      case .version: "version_id"
      case .plugin: "plugin_key"
      case .content: "snapshot_content"
      case .schemaVersion: "schema_version"
      case .createdAt: "created_at"
      case .updatedAt: "updated_at"
      case .inheritedFrom: "inherited_from_version_id"
      case .change: "change_id"
      case .untracked: "untracked"
      case .commit: "commit_id"
      case .key: "row_key"
      }
    }

    /// What it is in the query; the key is made of others.
    var expression: String {
      switch self {
      case .version: "a.version_id"
      case .content: StateQuery.content
      case .updatedAt: StateQuery.updatedAt
      case .inheritedFrom: StateQuery.inheritedFrom
      case .commit: StateQuery.commit
      case .key: "NULL"
      default: "r.\(name)"
      }
    }
  }

  private func index(_ column: Column) -> Int { places[column.rawValue]! }

  override var declaration: String {
    let texts = columns.map { column in
      switch column {
      case .untracked: "untracked INTEGER"
      case .key: "row_key TEXT HIDDEN PRIMARY KEY"
      default: "\(column.name) TEXT"
      }
    }
    return "CREATE TABLE x(\(texts.joined(separator: ", "))) WITHOUT ROWID"
  }

  /// The keys in the order of a plan's bits.
  private static let keys: [Column] = [.entity, .schema, .file, .plugin, .version]
  override var keyColumns: [Int] {
    Self.keys.compactMap { columns.firstIndex(of: $0) }
  }

  private static let needsChange: Int32 = 1
  private static let needsCommit: Int32 = 2

  override func needs(_ used: UInt64) -> Int32 {
    func uses(_ column: Column) -> Bool { used & 1 << UInt64(index(column)) != 0 }
    return (uses(.content) ? Self.needsChange : 0)
      | (uses(.commit) || uses(.updatedAt) ? Self.needsCommit : 0)
  }

  override func open() -> VirtualCursor { Rows(self) }

  private func query(_ plan: TablePlan) -> StateQuery {
    var query = StateQuery(columns: [])
    query.scope = kind == .active || plan.has(Self.keys.count - 1) ? .one : .all
    query.showsTombstones = kind == .tombstones
    query.needsChange = plan.needs & Self.needsChange != 0
    query.needsCommit = plan.needs & Self.needsCommit != 0
    query.columns = columns.map { column in
      switch column {
      case .content where !query.needsChange: "NULL"
      case .updatedAt where !query.needsCommit, .commit where !query.needsCommit: "NULL"
      default: column.expression
      }
    }
    // The version is parameter 1, if it is told.
    var parameter = query.scope == .one ? 2 : 1
    for (bit, column) in Self.keys.enumerated() where plan.has(bit) && column != .version {
      query.conditions.append("r.\(column.name) = ?\(parameter)")
      parameter += 1
    }
    return query
  }

  private final class Rows: StatementRows {
    private let table: StateTable

    init(_ table: StateTable) {
      self.table = table
      super.init(table.state)
    }

    override func filter(
      _ plan: TablePlan, _ arguments: [TableValue]
    ) throws(DatabaseError) {
      var query = table.query(plan)
      query.isFoundFirst = state.isInserting
      let statement = try begin(query.sql)
      var arguments = arguments
      var parameter: Int32 = 1
      if query.scope == .one {
        if table.kind == .active {
          statement.bind(1, state.activeVersion.value)
        } else {
          statement.bind(1, arguments.removeLast())
        }
        parameter = 2
      }
      for argument in arguments {
        statement.bind(parameter, argument)
        parameter += 1
      }
      try next()
    }

    override func column(_ number: Int32, _ result: TableResult) throws(DatabaseError) {
      guard table.columns[Int(number)] == .key else { return try super.column(number, result) }
      func text(_ column: Column) -> String { statement!.text(Int32(table.index(column))) }
      let version = table.kind == .active ? state.activeVersion.value : text(.version)
      result.set(RowKey.text([version, text(.schema), text(.entity), text(.file)]))
    }
  }

  // MARK: Writing

  private func value(_ row: TableRow, _ column: Column) throws(DatabaseError) -> String? {
    try row[index(column)].text(of: column.name)
  }

  private func required(_ row: TableRow, _ column: Column) throws(DatabaseError) -> String {
    guard let text = try value(row, column) else {
      throw DatabaseError(cengine_constraint_not_null, "a row of the state needs \(column.name)")
    }
    return text
  }

  override func insert(_ row: TableRow) throws(DatabaseError) {
    let version =
      kind == .active ? state.activeVersion.value : try required(row, .version)
    try put(row, as: try key(row), in: version)
  }

  private func key(_ row: TableRow) throws(DatabaseError) -> StateKey {
    StateKey(
      schema: try required(row, .schema), entity: try required(row, .entity),
      file: try required(row, .file))
  }

  private func put(
    _ row: TableRow, as key: StateKey, in version: String
  ) throws(DatabaseError) {
    let value = StateValue(
      plugin: try required(row, .plugin), schemaVersion: try required(row, .schemaVersion),
      content: try required(row, .content))
    let isUntracked = row[index(.untracked)].integer != 0
    try writer().put(key, value, in: version, isUntracked: isUntracked)
  }

  override func update(_ old: TableValue, to row: TableRow) throws(DatabaseError) {
    let (version, key) = try parts(of: old)
    let newKey = try self.key(row)
    let newVersion = kind == .active ? version : try required(row, .version)
    guard newKey == key, ExactText(newVersion) == ExactText(version) else {
      throw DatabaseError(
        SQLITE_CONSTRAINT,
        "entity_id, schema_key, file_id and version_id of a row stay; delete it and insert another")
    }
    try put(row, as: key, in: version)
  }

  override func delete(_ old: TableValue) throws(DatabaseError) {
    let (version, key) = try parts(of: old)
    try writer().remove(key, from: version)
  }

  private func writer() throws(DatabaseError) -> StateWriter {
    guard kind != .tombstones else {
      throw DatabaseError(
        SQLITE_READONLY, "state_with_tombstones can only be read; write to state or state_all")
    }
    return StateWriter(state)
  }

  private func parts(of key: TableValue) throws(DatabaseError) -> (String, StateKey) {
    guard let text = try key.text(of: "row_key"), let parts = RowKey.parts(text, count: 4)
    else { throw DatabaseError(SQLITE_CONSTRAINT, "row_key is made by the engine; do not set it") }
    return (parts[0], StateKey(schema: parts[1], entity: parts[2], file: parts[3]))
  }
}
