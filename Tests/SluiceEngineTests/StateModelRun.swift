// Random steps on connections to one state, and on the model: what each sees must be the same.

import SluiceSQL

@testable import SluiceEngine

/// One connection and what the model knows of it.
struct ModelledConnection {
  var database: SQLDatabase
  var active = "main"
  /// What it sees in its transaction, and the savepoints with what was seen there.
  var open: (model: StateModel, active: String)?
  var savepoints: [(model: StateModel, active: String)] = []
  /// The time of its transaction.
  var time: Int?
}

/// A difference between the engine and the model.
struct ModelDifference: Error, CustomStringConvertible {
  var description: String
}

struct StateModelRun {
  private var random: Xorshift
  private var connections: [ModelledConnection]
  /// What is committed.
  private var committed = StateModel()
  private var time = 0
  private var comparison = StateComparison()
  private(set) var log: [String] = []
  private(set) var refusals = 0

  private let entities = ["e0", "e1", "e2", "e3"]
  private let schemas = ["k1", "k2"]
  private let files = ["f", "g"]
  private let names = ["global", "main", "a", "b", "z", "zz"]

  init(seed: UInt64, _ databases: [SQLDatabase]) {
    random = Xorshift(seed)
    connections = databases.map { ModelledConnection(database: $0) }
  }

  private mutating func pick<T>(_ values: [T]) -> T {
    values[Int(random.below(UInt64(values.count)))]
  }
  private mutating func chance(_ percent: UInt64) -> Bool { random.below(100) < percent }

  // MARK: Steps

  mutating func step() async throws {
    let other = connections.firstIndex { $0.open != nil }
    let index =
      other.map { chance(90) ? $0 : Int(random.below(UInt64(connections.count))) }
      ?? Int(random.below(UInt64(connections.count)))
    // Another one's transaction has the lock; this one can read.
    if other == nil || other == index {
      if try await control(index) == false { try await write(index) }
    }
    try await compare(index)
    if connections[index].open == nil, connections.allSatisfy({ $0.open == nil }) {
      let faults = try await connections[index].database.cacheFaults()
      if !faults.isEmpty { throw ModelDifference(description: "cache: \(faults)") }
    }
    if chance(10) { try await compare(Int(random.below(UInt64(connections.count)))) }
  }

  private mutating func run(_ index: Int, _ sql: String) async throws {
    log.append("\(index): \(sql)")
    if log.count > 60 { log.removeFirst(20) }
    try await connections[index].database.run(sql)
  }

  /// Begins and ends transactions and savepoints. False if it did nothing.
  private mutating func control(_ index: Int) async throws -> Bool {
    let isOpen = connections[index].open != nil
    switch random.below(100) {
    case 0..<8 where !isOpen:
      try await run(index, "BEGIN IMMEDIATE")
      begin(index)
    case 0..<9 where isOpen:
      try await run(index, "COMMIT")
      end(index)
    case 9..<12 where isOpen:
      try await run(index, "ROLLBACK")
      connections[index].open = nil
      connections[index].savepoints = []
      connections[index].time = nil
    case 12..<22 where isOpen:
      try await run(index, "SAVEPOINT s\(connections[index].savepoints.count)")
      connections[index].savepoints.append(connections[index].open!)
    case 22..<30 where isOpen && !connections[index].savepoints.isEmpty:
      let number = Int(random.below(UInt64(connections[index].savepoints.count)))
      try await run(index, "ROLLBACK TO s\(number)")
      connections[index].open = connections[index].savepoints[number]
      connections[index].savepoints.removeLast(connections[index].savepoints.count - number - 1)
    case 30..<35 where isOpen && !connections[index].savepoints.isEmpty:
      let number = Int(random.below(UInt64(connections[index].savepoints.count)))
      try await run(index, "RELEASE s\(number)")
      connections[index].savepoints.removeLast(connections[index].savepoints.count - number)
    default: return false
    }
    return true
  }

  private mutating func begin(_ index: Int) {
    connections[index].open = (committed, connections[index].active)
  }

  private mutating func end(_ index: Int) {
    guard var open = connections[index].open else { return }
    open.model.commit()
    committed = open.model
    connections[index].active = open.active
    connections[index].open = nil
    connections[index].savepoints = []
    connections[index].time = nil
  }

  /// Runs a statement, and the same on the model.
  private mutating func both(
    _ index: Int, _ sql: String, _ body: (inout StateModel, inout String) throws -> Void
  ) async throws {
    let isAlone = connections[index].open == nil
    if isAlone { begin(index) }
    let before = connections[index].open!
    if connections[index].time == nil {
      time += 1
      connections[index].time = time
    }
    connections[index].open!.model.time = connections[index].time!
    var reason: String?
    do {
      var (model, active) = connections[index].open!
      try body(&model, &active)
      connections[index].open = (model, active)
    } catch let refusal as StateModel.Refusal {
      reason = refusal.reason
      connections[index].open = before
      refusals += 1
    }
    do {
      try await run(index, sql)
      if let reason { throw ModelDifference(description: "must be refused: \(reason)") }
    } catch let error as SQLError {
      guard let reason, error.message.contains(reason) else {
        throw ModelDifference(description: "\(error.message), not \(reason ?? "nothing")")
      }
      log.append("   refused: \(reason)")
    }
    if isAlone { end(index) }
  }

  // MARK: Writes

  /// A version, which mostly is there.
  private mutating func version(_ index: Int) -> String {
    chance(90)
      ? pick((connections[index].open?.model ?? committed).versions.keys.sorted()) : pick(names)
  }

  private mutating func key() -> StateModel.Key {
    StateModel.Key(schema: pick(schemas), entity: pick(entities), file: pick(files))
  }

  private mutating func content() -> String { #"{"n":\#(random.below(1000))}"# }

  private mutating func write(_ index: Int) async throws {
    switch random.below(100) {
    case 0..<40: try await insert(index)
    case 40..<55: try await update(index)
    case 55..<75: try await delete(index)
    case 75..<80:
      let version = version(index)
      try await both(index, "UPDATE active_version SET version_id = '\(version)'") {
        (model, active) in
        guard model.versions[version] != nil else {
          throw StateModel.Refusal(reason: "there is no version")
        }
        (model.stored, active) = (version, version)
      }
    case 80..<90: try await changeVersions(index)
    default:
      let (source, target) = (version(index), version(index))
      try await both(
        index,
        "INSERT INTO version_merge(source_version_id, target_version_id) VALUES('\(source)', '\(target)')"
      ) { (model, _) in try model.merge(source, into: target) }
    }
  }

  private mutating func insert(_ index: Int) async throws {
    let version = chance(40) ? nil : version(index)
    let isUntracked = chance(25)
    var rows = [(key(), content())]
    while chance(30) { rows.append((key(), content())) }
    let isBad = chance(5)
    var values = rows.map { (key, content) in
      "('\(key.entity)', '\(key.schema)', '\(key.file)', 'p', '1', '\(content)', \(isUntracked ? 1 : 0)"
        + (version.map { ", '\($0)')" } ?? ")")
    }
    if isBad {
      values.append("('x', 'k1', 'f', 'p', '1', '[]', 0" + (version.map { ", '\($0)')" } ?? ")"))
    }
    let sql = """
      INSERT INTO \(version == nil ? "state" : "state_all")(entity_id, schema_key, file_id,
        plugin_key, schema_version, snapshot_content, untracked\(version == nil ? "" : ", version_id"))
      VALUES\(values.joined(separator: ", "))
      """
    try await both(index, sql) { (model, active) in
      for (key, content) in rows {
        try model.put(key, content, in: version ?? active, isUntracked: isUntracked)
      }
      if isBad { throw StateModel.Refusal(reason: "must be an object") }
    }
  }

  private mutating func update(_ index: Int) async throws {
    let (key, content) = (key(), content())
    let isOfAll = chance(30)
    let sql = """
      UPDATE \(isOfAll ? "state_all" : "state") SET snapshot_content = '\(content)'
      WHERE entity_id = '\(key.entity)' AND schema_key = '\(key.schema)'
      """
    try await both(index, sql) { (model, active) in
      for (key, version, isUntracked) in model.targets(key, isOfAll ? nil : active) {
        try model.put(key, content, in: version, isUntracked: isUntracked)
      }
    }
  }

  private mutating func delete(_ index: Int) async throws {
    let key = key()
    let isOfAll = chance(30)
    let sql = """
      DELETE FROM \(isOfAll ? "state_all" : "state")
      WHERE entity_id = '\(key.entity)' AND schema_key = '\(key.schema)'
      """
    try await both(index, sql) { (model, active) in
      for (key, version, _) in model.targets(key, isOfAll ? nil : active) {
        try model.remove(key, from: version)
      }
    }
  }

  private mutating func changeVersions(_ index: Int) async throws {
    let (id, parent) = (pick(names), chance(20) ? "" : version(index))
    let model = connections[index].open?.model ?? committed
    switch random.below(10) {
    case 0..<2:
      guard model.versions[id] != nil else { return }
      try await both(index, "DELETE FROM version WHERE id = '\(id)'") { (model, active) in
        guard model.versions[active] != nil || active != id else { return }
        try model.removeVersion(id, active: active)
      }
    case 2..<4:
      guard model.versions[id] != nil, model.versions[id]!.inherits != parent else { return }
      try await both(
        index, "UPDATE version SET inherits_from_version_id = '\(parent)' WHERE id = '\(id)'"
      ) { (model, _) in try model.inherit(id, from: parent == "" ? nil : parent) }
    case 4..<7:
      // From a commit of long ago.
      let commit = pick(model.commits.keys.sorted())
      guard let name = comparison.commits.name(of: commit) else { return }
      try await both(
        index,
        "INSERT INTO version(id, commit_id, inherits_from_version_id) VALUES('\(id)', '\(name)', '\(parent)')"
      ) { (model, _) in
        try model.createVersion(id, at: commit, inherits: parent == "" ? nil : parent)
      }
    default:
      try await both(
        index, "INSERT INTO version(id, inherits_from_version_id) VALUES('\(id)', '\(parent)')"
      ) { (model, active) in
        guard let tip = model.versions[active]?.tip else {
          throw StateModel.Refusal(reason: "there is no")
        }
        try model.createVersion(id, at: tip, inherits: parent == "" ? nil : parent)
      }
    }
  }

  // MARK: Comparing

  private mutating func compare(_ index: Int) async throws {
    let connection = connections[index]
    let (model, active) = connection.open ?? (committed, connection.active)
    try await comparison.compare(connection.database, model, active: active)
  }
}

extension StateModel {
  /// The rows of an entity and schema that a version sees, or all of them, in the order in which
  /// SQLite writes them: that of the rows' keys.
  func targets(_ key: Key, _ version: String?) -> [(Key, String, isUntracked: Bool)] {
    (version.map { [$0] } ?? versions.keys.sorted()).filter { versions[$0] != nil }
      .flatMap { version in
        keys(version).filter { $0.entity == key.entity && $0.schema == key.schema }
          .compactMap { key in
            guard let seen = seen(key, version), seen.content != nil else { return nil }
            if case .untracked = seen { return (key, version, true) }
            return (key, version, false)
          }
      }
      .sorted { one, other in rowKey(one).lexicographicallyPrecedes(rowKey(other)) }
  }

  private func rowKey(_ row: (Key, String, isUntracked: Bool)) -> [UInt8] {
    Array(RowKey.text([row.1, row.0.schema, row.0.entity, row.0.file]).utf8)
  }
}
