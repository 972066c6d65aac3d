// What an engine's state shows, compared with the model. The model's numbers of changes, commits and
// times are bound to the engine's texts where they are first seen; each must stay what it was.

import SluiceSQL

@testable import SluiceEngine

struct Binding {
  let kind: String
  /// Whether two numbers may have one text.
  let isLoose: Bool
  private var texts: [Int: String] = [:]
  private var numbers: [String: Int] = [:]

  init(_ kind: String, isLoose: Bool = false) {
    self.kind = kind
    self.isLoose = isLoose
  }

  func name(of number: Int) -> String? { texts[number] }

  mutating func bind(_ number: Int, _ text: String) throws {
    if let known = texts[number], known != text {
      throw ModelDifference(description: "\(kind) \(number) is \(text), was \(known)")
    }
    if !isLoose, let known = numbers[text], known != number {
      throw ModelDifference(description: "\(kind) \(text) is \(number), was \(known)")
    }
    texts[number] = text
    numbers[text] = number
  }
}

struct StateComparison {
  var commits = Binding("commit")
  private var changes = Binding("change")
  private var times = Binding("time", isLoose: true)

  mutating func compare(
    _ database: SQLDatabase, _ model: StateModel, active: String
  ) async throws {
    let columns = """
      entity_id, schema_key, file_id, snapshot_content, inherited_from_version_id, untracked,
        change_id, commit_id, created_at, updated_at
      """
    let order = "ORDER BY version_id, schema_key, entity_id, file_id"
    let versions = model.versions.keys.sorted()
    let own = model.versions[active] == nil ? [] : [active]
    try await rows(
      database, "SELECT '\(active)' AS version_id, \(columns) FROM state \(order)", model, own,
      isWithTombstones: false)
    try await rows(
      database, "SELECT version_id, \(columns) FROM state_all \(order)", model, versions,
      isWithTombstones: false)
    try await rows(
      database, "SELECT version_id, \(columns) FROM state_with_tombstones \(order)", model,
      versions, isWithTombstones: true)
    try await self.versions(database, model, active: active)
    try await edges(database, model)
  }

  private mutating func rows(
    _ database: SQLDatabase, _ sql: String, _ model: StateModel, _ versions: [String],
    isWithTombstones: Bool
  ) async throws {
    var found = try await database.lines(sql)[...]
    for version in versions {
      for key in model.keys(version) {
        guard let seen = model.seen(key, version), isWithTombstones || seen.content != nil
        else { continue }
        let line = found.popFirst() ?? "nothing"
        let fields = line.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
        try row(fields, key, version, seen, model)
      }
    }
    if let more = found.first { throw ModelDifference(description: "too much: \(more)") }
  }

  private mutating func row(
    _ fields: [String], _ key: StateModel.Key, _ version: String, _ seen: StateModel.Seen,
    _ model: StateModel
  ) throws {
    let source: String
    var wanted = [version, key.entity, key.schema, key.file, seen.content ?? "-"]
    switch seen {
    case .tracked(_, let from): source = from
    case .untracked(_, let from): source = from
    }
    wanted.append(source == version ? "-" : source)
    guard fields.count == 11, Array(fields[..<6]) == wanted else {
      throw ModelDifference(description: "\(fields) is not \(wanted)")
    }
    switch seen {
    case .untracked(let row, _):
      guard Array(fields[6...8]) == ["1", "-", "untracked"] else {
        throw ModelDifference(description: "\(fields) is not untracked")
      }
      try times.bind(row.created, fields[9])
      try times.bind(row.updated, fields[10])
    case .tracked(let row, _):
      guard fields[6] == "0" else { throw ModelDifference(description: "\(fields) is untracked") }
      try changes.bind(row.change, fields[7])
      if model.isPending(row.commit) {
        guard fields[8] == "pending" else {
          throw ModelDifference(description: "\(fields) is not pending")
        }
      } else {
        try commits.bind(row.commit, fields[8])
      }
      try times.bind(row.created, fields[9])
      try times.bind(model.commits[row.commit]!.time, fields[10])
    }
  }

  private mutating func versions(
    _ database: SQLDatabase, _ model: StateModel, active: String
  ) async throws {
    let lines = try await database.lines(
      "SELECT id, coalesce(inherits_from_version_id, ''), commit_id FROM version ORDER BY id")
    guard lines.count == model.versions.count else {
      throw ModelDifference(description: "versions: \(lines)")
    }
    for line in lines {
      let fields = line.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
      guard let version = model.versions[fields[0]], version.inherits ?? "" == fields[1] else {
        throw ModelDifference(description: "version \(line)")
      }
      try commits.bind(version.tip, fields[2])
    }
    let facts = try await database.line(
      """
      SELECT (SELECT count(*) FROM change), (SELECT version_id FROM active_version),
        (SELECT value FROM state_settings WHERE name = 'active_version')
      """)
    let wanted = "\(model.changeCount)|\(active)|\(model.stored)"
    if facts != wanted { throw ModelDifference(description: "facts \(facts), not \(wanted)") }
  }

  private mutating func edges(_ database: SQLDatabase, _ model: StateModel) async throws {
    let found = Set(try await database.lines("SELECT child_id, parent_id FROM commit_edge"))
    var wanted: Set<String> = []
    for (number, commit) in model.commits where !model.isPending(number) {
      for parent in [commit.parent, commit.merged] {
        guard let parent else { continue }
        // What no version shows has no name here.
        guard let child = commits.name(of: number), let name = commits.name(of: parent) else {
          continue
        }
        wanted.insert("\(child)|\(name)")
      }
    }
    let count = model.commits.filter { !model.isPending($0.key) }
      .reduce(0) { $0 + ($1.value.parent == nil ? 0 : 1) + ($1.value.merged == nil ? 0 : 1) }
    guard wanted.isSubset(of: found), found.count == count else {
      throw ModelDifference(
        description: "edges: \(found.count), not \(count); \(wanted.subtracting(found))")
    }
  }
}
