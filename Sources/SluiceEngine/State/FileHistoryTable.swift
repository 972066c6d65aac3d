// The virtual table `file_history`: the bytes of files at each commit that has changed them, from a
// root commit backwards. The root is the tip of the active version unless `root_commit_id` names
// another commit.

internal import CEngine

final class FileHistoryTable: VirtualTable {
  fileprivate let state: StateContext

  init(_ state: StateContext) { self.state = state }

  override var declaration: String {
    """
    CREATE TABLE x(id TEXT, path TEXT, data BLOB, metadata TEXT, hidden INTEGER,
      lixcol_commit_id TEXT, lixcol_root_commit_id TEXT, lixcol_depth INTEGER,
      lixcol_created_at TEXT, row_key TEXT HIDDEN PRIMARY KEY) WITHOUT ROWID
    """
  }

  fileprivate static let keys = ["id", "path", "lixcol_root_commit_id"]
  override var keyColumns: [Int] { [0, 1, 6] }

  override func open() -> VirtualCursor { FileHistoryRows(state) }
}

/// A file's elements in the history, newest first.
private struct FileElement {
  var commit: Int64
  var schema: String
  var entity: String
  var change: String
}

private final class FileHistoryRows: VirtualCursor {
  private let state: StateContext
  private var walk: CommitWalk?
  private var rootID = ""
  private var files: ArraySlice<String> = []
  private var elements: [FileElement] = []
  private var commits: ArraySlice<Int64> = []
  /// The state of the file at the present commit.
  private var file: PluginFile?
  private var pieces: [FileContent.Piece] = []
  private var pathFilter: String?
  /// The line of commits of the root, which most commits are in.
  private var rootLine: Set<Int64> = []

  init(_ state: StateContext) { self.state = state }

  override func filter(_ plan: TablePlan, _ arguments: [TableValue]) throws(DatabaseError) {
    var texts: [String: String] = [:]
    var rest = arguments[...]
    for (bit, column) in FileHistoryTable.keys.enumerated() where plan.has(bit) {
      texts[column] = try rest.removeFirst().text(of: column) ?? ""
    }
    files = []
    commits = []
    file = nil
    pathFilter = texts["path"]
    guard let root = try CommitWalk.root(texts["lixcol_root_commit_id"], state) else { return }
    rootID = root.id
    let walk = try CommitWalk(from: root.seq, state)
    self.walk = walk
    rootLine = walk.line(from: root.seq)
    if let id = texts["id"] { files = [id] } else { files = try fileIDs() }
    try next()
  }

  private func fileIDs() throws(DatabaseError) -> ArraySlice<String> {
    let condition = pathFilter == nil ? "" : "WHERE path = ?1"
    return try state.query(
      "SELECT DISTINCT file_id FROM main.state_paths \(condition) ORDER BY 1"
    ) { (row) throws(DatabaseError) in
      if let pathFilter { row.bind(1, pathFilter) }
      var ids: [String] = []
      while try row.step() { ids.append(row.text(0)) }
      return ids[...]
    }
  }

  override var isAtEnd: Bool { file == nil }

  override func next() throws(DatabaseError) {
    file = nil
    while file == nil {
      if let commit = commits.popFirst() {
        try load(at: commit)
      } else if let id = files.popFirst() {
        elements = try elements(ofFile: id)
        let touched = Set(elements.map { $0.commit })
        commits = walk!.order.filter { touched.contains($0) }[...]
      } else {
        return
      }
    }
  }

  /// All that the history has of a file. An entity that ever was in it has a row in some version.
  private func elements(ofFile id: String) throws(DatabaseError) -> [FileElement] {
    let found = """
      (SELECT DISTINCT entity_id, schema_key FROM main.state_current WHERE file_id = ?1) e
      CROSS JOIN main.state_changes c
        ON c.entity_id = e.entity_id AND c.schema_key = e.schema_key AND c.file_id = ?1
      """
    return try state.query(
      """
      SELECT c."commit" AS seq, c.schema_key, c.entity_id, c.id FROM \(found)
      UNION ALL
      SELECT a."commit", c.schema_key, c.entity_id, c.id
      FROM \(found) JOIN main.state_adopted a ON a.change_id = c.id
      ORDER BY seq DESC
      """
    ) { (row) throws(DatabaseError) in
      row.bind(1, id)
      var elements: [FileElement] = []
      while try row.step() {
        elements.append(
          FileElement(
            commit: row.integer(0), schema: row.text(1), entity: row.text(2), change: row.text(3)))
      }
      return elements
    }
  }

  private var commit: Int64 = 0

  /// The file at a commit, if it is there and has the path that is wanted.
  private func load(at commit: Int64) throws(DatabaseError) {
    self.commit = commit
    let line = rootLine.contains(commit) ? rootLine : walk!.line(from: commit)
    var seen: Set<StateKey> = []
    pieces = []
    var found: PluginFile?
    for element in elements where element.commit <= commit && line.contains(element.commit) {
      let key = StateKey(schema: element.schema, entity: element.entity, file: "")
      guard seen.insert(key).inserted else { continue }
      try state.query(
        """
        SELECT plugin_key, schema_version, snapshot_content,
          json_extract(snapshot_content, '$.path'), json_extract(snapshot_content, '$.metadata'),
          json_extract(snapshot_content, '$.hidden')
        FROM main.state_changes WHERE id = ?1
        """
      ) { (row) throws(DatabaseError) in
        row.bind(1, element.change)
        guard try row.step(), let content = row.optionalText(2) else { return }
        if element.schema == OwnSchemas.file {
          found = PluginFile(
            id: element.entity, path: row.text(3), metadata: row.optionalText(4),
            isHidden: row.integer(5) != 0, data: [])
        } else {
          pieces.append(
            FileContent.Piece(
              plugin: row.text(0),
              entity: PluginEntity(
                entityID: element.entity, schemaKey: element.schema, schemaVersion: row.text(1),
                content: content)))
        }
      }
    }
    if let found, pathFilter == nil || found.path == pathFilter { file = found }
  }

  override func column(_ number: Int32, _ result: TableResult) throws(DatabaseError) {
    guard let file else { return }
    switch number {
    case 0: result.set(file.id)
    case 1: result.set(file.path)
    case 2: result.set(try FileContent.bytes(of: file, pieces, state))
    case 3: result.set(file.metadata)
    case 4: result.set(file.isHidden ? 1 : Int64(0))
    case 6: result.set(rootID)
    case 7: result.set(walk?.depths[commit] ?? 0)
    case 9: result.set(RowKey.text([rootID, "\(commit)", file.id]))
    default:
      let column = number == 5 ? "id" : "created_at"
      result.set(
        try state.query("SELECT \(column) FROM main.state_commits WHERE seq = ?1") {
          (row) throws(DatabaseError) in
          row.bind(1, commit)
          return try row.step() ? row.text(0) : nil
        })
    }
  }
}
