// A file and its entities as the state engine keeps them, for tests of plugins: each write goes
// through detectChanges, each read through applyChanges, and what a plugin may not do is looked at.

import Testing

@testable import SluiceEngine

final class PluginDesk: StateReader {
  let plugin: any Plugin
  private var table: [EntityDifference.ID: PluginEntity] = [:]
  private var exists = false
  /// What `query` answers.
  var rows: [[String?]] = []
  var queries: [String] = []

  /// What a call looks at while it waits.
  var interruption = Interruption(isCancelled: { false }, isClientGone: { false })

  private let schemas: Set<String>

  init(_ plugin: any Plugin) {
    self.plugin = plugin
    schemas = Set(plugin.schemas.map { $0.key + " " + $0.version })
  }

  func file(_ data: [UInt8]) -> PluginFile {
    PluginFile(id: "f1", path: "/dir/file", metadata: nil, isHidden: false, data: data)
  }

  /// The file's bytes.
  func read() throws(PluginError) -> [UInt8] {
    // In any order.
    try plugin.applyChanges(file([]), Array(table.values), interruption)
  }

  /// What the plugin reports of a new content.
  func detect(_ data: [UInt8]) throws(PluginError) -> [PluginEntity] {
    let before = exists ? file(try read()) : nil
    return try plugin.detectChanges(before: before, after: file(data), self, interruption)
  }

  /// Writes the file, and gives the reported changes.
  @discardableResult
  func write(_ data: [UInt8]) throws(PluginError) -> [PluginEntity] {
    let changes = try detect(data)
    for change in changes { put(change) }
    exists = true
    return changes
  }

  /// Writes an entity, as a client does through `state`.
  func put(_ entity: PluginEntity) {
    if !schemas.contains(entity.schemaKey + " " + entity.schemaVersion) {
      Issue.record("unknown schema \(entity.schemaKey)")
    }
    let id = EntityDifference.ID(of: entity)
    if entity.content != nil {
      table[id] = entity
    } else {
      #expect(table.removeValue(forKey: id) != nil, "an entity is gone that was not there")
    }
  }

  /// In the order of their ids.
  var entities: [PluginEntity] {
    table.values.sorted { $0.entityID.utf8.lexicographicallyPrecedes($1.entityID.utf8) }
  }

  func content(_ id: String) -> String? { entities.first { $0.entityID == id }?.content }

  // MARK: StateReader

  func entities(ofFile id: String, plugin key: String) throws(PluginError) -> [PluginEntity] {
    #expect(id == "f1" && key == plugin.key)
    return Array(table.values)
  }

  func query(_ sql: String, _ arguments: [String]) throws(PluginError) -> [[String?]] {
    queries.append(sql + arguments.map { "|" + $0 }.joined())
    guard sql.hasPrefix("SELECT") else {
      throw PluginError(message: "a plugin's query may not write")
    }
    return rows
  }
}

func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }
func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
