// A plugin makes entities of the bytes of a file, and bytes of the entities. The state engine keeps
// the entities only, and calls a plugin within the statement that reads or writes a file.
//
// A plugin is a function of its arguments. It may be called for each of several connections at a
// time, and by each of them for one file after the other. Whatever it does wrong is a `PluginError`,
// which fails the statement and nothing else.

internal import CEngine

/// A file, as a plugin sees it.
struct PluginFile {
  var id: String
  /// Begins with a slash.
  var path: String
  /// JSON.
  var metadata: String?
  var isHidden: Bool
  var data: [UInt8]
}

/// A piece of a file. Its id is unique among the entities of one schema in a file.
struct PluginEntity: Equatable {
  var entityID: String
  var schemaKey: String
  var schemaVersion: String
  /// A JSON object. nil: the entity is gone.
  var content: String?

  /// To the byte. Strings are equal already if they look equal: "é" is one character or two.
  static func == (one: PluginEntity, other: PluginEntity) -> Bool {
    one.entityID.utf8.elementsEqual(other.entityID.utf8)
      && one.schemaKey.utf8.elementsEqual(other.schemaKey.utf8)
      && one.schemaVersion.utf8.elementsEqual(other.schemaVersion.utf8)
      && one.content.map { Array($0.utf8) } == other.content.map { Array($0.utf8) }
  }
}

/// What the content of entities looks like.
struct PluginSchema: Equatable {
  var key: String
  var version: String
  /// A JSON Schema, of which counts: type, required, properties, additionalProperties, enum.
  var definition: String
}

package struct PluginError: Error, Equatable {
  /// Names the plugin, what was wrong, and what to do.
  package var message: String
  /// Whether the statement was told to stop.
  var isInterruption = false

  init(message: String) { self.message = message }

  /// What the state said to a plugin's question.
  init(_ error: DatabaseError) {
    message = error.message
    isInterruption = error.code & 0xff == SQLITE_INTERRUPT
  }

  static func interrupted(_ key: String) -> PluginError {
    var error = PluginError(message: "interrupted in a call of plugin \(key)")
    error.isInterruption = true
    return error
  }
}

extension DatabaseError {
  /// What a plugin's error is to the statement that has called it.
  init(_ error: PluginError) {
    self.init(error.isInterruption ? SQLITE_INTERRUPT : SQLITE_ERROR, error.message)
  }
}

/// A read-only look at the state that the statement sees, with its staged rows.
protocol StateReader: AnyObject {
  /// The live entities of the file that this plugin made.
  func entities(ofFile id: String, plugin key: String) throws(PluginError) -> [PluginEntity]
  /// The rows of a SELECT as text. A statement that writes is refused.
  func query(_ sql: String, _ arguments: [String]) throws(PluginError) -> [[String?]]
}

protocol Plugin: AnyObject, Sendable {
  /// Its name, under which its entities are stored.
  var key: String { get }
  /// The paths that it matches: SQLite's GLOB on the whole path.
  var globs: [String] { get }
  var schemas: [PluginSchema] { get }
  /// Whether it has `applyChanges`.
  var canBuild: Bool { get }
  /// The entities that differ between two contents of a file. `before` is nil for a new file.
  /// A call that takes long looks at `interruption`, and fails when that is due.
  func detectChanges(
    before: PluginFile?, after: PluginFile, _ state: any StateReader,
    _ interruption: Interruption
  ) throws(PluginError) -> [PluginEntity]
  /// The bytes of a file, whose `data` is empty, from all its live entities in any order.
  func applyChanges(
    _ file: PluginFile, _ entities: [PluginEntity], _ interruption: Interruption
  ) throws(PluginError) -> [UInt8]
}
