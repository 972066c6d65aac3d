// The virtual table `state_history`: what each commit has changed, from a root commit backwards. The
// root is the tip of the active version unless `root_commit_id` names another commit.

internal import CEngine

final class StateHistoryTable: VirtualTable {
  fileprivate let state: StateContext

  init(_ state: StateContext) { self.state = state }

  override var declaration: String {
    """
    CREATE TABLE x(entity_id TEXT, schema_key TEXT, file_id TEXT, plugin_key TEXT,
      snapshot_content TEXT, schema_version TEXT, created_at TEXT, change_id TEXT, commit_id TEXT,
      root_commit_id TEXT, depth INTEGER, row_key TEXT HIDDEN PRIMARY KEY) WITHOUT ROWID
    """
  }

  fileprivate static let keys = ["entity_id", "schema_key", "file_id", "root_commit_id"]
  override var keyColumns: [Int] { [0, 1, 2, 9] }

  override func open() -> VirtualCursor { HistoryRows(state) }
}

/// The elements of one commit after the other.
private final class HistoryRows: StatementRows {
  private var walk: CommitWalk?
  private var rootID = ""
  private var commits: ArraySlice<Int64> = []
  private var filters: [(column: String, text: String)] = []

  override func filter(_ plan: TablePlan, _ arguments: [TableValue]) throws(DatabaseError) {
    close()
    filters = []
    var root: String?
    var rest = arguments[...]
    for (bit, column) in StateHistoryTable.keys.enumerated() where plan.has(bit) {
      let text = try rest.removeFirst().text(of: column) ?? ""
      if column == "root_commit_id" { root = text } else { filters.append((column, text)) }
    }
    commits = []
    guard let found = try CommitWalk.root(root, state) else { return }
    rootID = found.id
    let walk = try CommitWalk(from: found.seq, state)
    self.walk = walk
    commits = walk.order[...]
    if let entity = filters.first(where: { $0.column == "entity_id" }) {
      let having = try Self.commits(withEntity: entity.text, state)
      commits = walk.order.filter { having.contains($0) }[...]
    }
    // With an entity, its index is better than the commit's.
    let plus = filters.contains { $0.column == "entity_id" } ? "+" : ""
    let conditions = filters.enumerated().map { " AND c.\($1.column) = ?\($0 + 2)" }.joined()
    let sql = """
      SELECT c.entity_id, c.schema_key, c.file_id, c.plugin_key, c.snapshot_content,
        c.schema_version, m.created_at, c.id, m.id
      FROM main.state_commits m CROSS JOIN main.state_changes c ON \(plus)c."commit" = m.seq
      WHERE m.seq = ?1\(conditions)
      UNION ALL
      SELECT c.entity_id, c.schema_key, c.file_id, c.plugin_key, c.snapshot_content,
        c.schema_version, m.created_at, c.id, m.id
      FROM main.state_commits m CROSS JOIN main.state_adopted a ON a."commit" = m.seq
        CROSS JOIN main.state_changes c ON c.id = a.change_id
      WHERE m.seq = ?1\(conditions)
      """
    _ = try begin(sql)
    try beginCommit()
    try next()
  }

  private static func commits(
    withEntity entity: String, _ state: StateContext
  ) throws(DatabaseError) -> Set<Int64> {
    try state.query(
      """
      SELECT "commit" FROM main.state_changes WHERE entity_id = ?1
      UNION SELECT a."commit" FROM main.state_changes c JOIN main.state_adopted a ON a.change_id = c.id
      WHERE c.entity_id = ?1
      """
    ) { (row) throws(DatabaseError) in
      row.bind(1, entity)
      var commits: Set<Int64> = []
      while try row.step() { commits.insert(row.integer(0)) }
      return commits
    }
  }

  private func beginCommit() throws(DatabaseError) {
    guard let commit = commits.first, let statement else { return }
    statement.reset()
    statement.bind(1, commit)
    for (index, filter) in filters.enumerated() { statement.bind(Int32(index + 2), filter.text) }
  }

  override func next() throws(DatabaseError) {
    while !commits.isEmpty, try !statement!.step() {
      commits.removeFirst()
      try beginCommit()
    }
  }

  override var isAtEnd: Bool { commits.isEmpty }

  override func column(_ number: Int32, _ result: TableResult) throws(DatabaseError) {
    guard let commit = commits.first else { return }
    switch number {
    case 9: result.set(rootID)
    case 10: result.set(walk?.depths[commit] ?? 0)
    case 11: result.set(RowKey.text([rootID, "\(commit)", statement!.text(7)]))
    default: try super.column(number, result)
    }
  }
}
