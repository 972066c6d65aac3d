// The entities that a call of a plugin reports, each checked when it comes.

internal import SluiceJSON

struct PluginFindings {
  private let plugin: ProcessPlugin
  private(set) var entities: [PluginEntity] = []
  private var ids: Set<EntityDifference.ID> = []
  private var byteCount = 0

  static let countMaximum = 1_000_000
  static let byteCountMaximum = 256 << 20
  static let idByteCountMaximum = 4096

  init(of plugin: ProcessPlugin) { self.plugin = plugin }

  mutating func add(_ body: [UInt8]) throws(PluginError) {
    byteCount += body.count
    guard entities.count < Self.countMaximum, byteCount <= Self.byteCountMaximum else {
      throw plugin.error("reported more than 1,000,000 entities, or 256 MiB of them")
    }
    var reader = PluginMessageReader(body)
    guard let id = reader.text(), let key = reader.text(), let version = reader.text(),
      let content = reader.optionalText(), reader.isAtEnd
    else {
      throw plugin.error(
        "reported an entity without an id, schema key or schema version, or with a text that is "
          + "not UTF-8")
    }
    guard id.utf8.count <= Self.idByteCountMaximum else {
      throw plugin.error("reported an entity with an id of more than 4,096 bytes")
    }
    guard plugin.schemas.contains(where: { $0.key == key && $0.version == version }) else {
      throw plugin.error(
        "reported entity \(id.prefix(100)) with a schema that it does not have: "
          + "\(key.prefix(100)) \(version.prefix(100)); name it in sluice_plugin()")
    }
    if let content {
      guard case .object = JSONText.root(of: Array(content.utf8)) else {
        throw plugin.error(
          "reported entity \(id.prefix(100)) with a content that is no JSON object")
      }
    }
    let entity = PluginEntity(
      entityID: id, schemaKey: key, schemaVersion: version, content: content)
    guard ids.insert(EntityDifference.ID(of: entity)).inserted else {
      throw plugin.error("reported entity \(id.prefix(100)) twice")
    }
    entities.append(entity)
  }
}
