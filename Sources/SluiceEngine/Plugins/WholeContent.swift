// The entity that holds all bytes of a file: {"base64":…}, by RFC 4648 with padding.

internal import SluiceJSON

struct WholeContent {
  let schema: PluginSchema
  private let plugin: String

  /// A third more in base64 is a value's largest size (Limits).
  static let byteCountMaximum = 48_000_000

  init(schemaKey: String, plugin: String) {
    self.plugin = plugin
    schema = PluginSchema(
      key: schemaKey, version: "1.0",
      definition: """
        {"type":"object","properties":{"base64":{"type":"string"}},"required":["base64"],\
        "additionalProperties":false}
        """)
  }

  func entity(of bytes: [UInt8]) throws(PluginError) -> PluginEntity {
    guard bytes.count <= Self.byteCountMaximum else {
      throw PluginError(
        message: "plugin \(plugin): the file has \(bytes.count) bytes, and what is kept whole may "
          + "have 48,000,000; keep it in parts, or outside of the state")
    }
    return PluginEntity(
      entityID: "content", schemaKey: schema.key, schemaVersion: schema.version,
      content: #"{"base64":""# + Base64.standard.text(of: bytes) + #""}"#)
  }

  /// The bytes that such an entity holds; nil if none is there.
  func bytes(in entities: [PluginEntity]) throws(PluginError) -> [UInt8]? {
    guard let entity = entities.first(where: { $0.schemaKey == schema.key }) else { return nil }
    guard let content = entity.content, let form = JSONText.members(of: content)?["base64"],
      let text = JSONText.bytes(ofString: form), let bytes = Base64.standard.bytes(of: text)
    else {
      throw PluginError(
        message: "plugin \(plugin): the content of entity \(entity.entityID) is not {\"base64\":…} "
          + "with the bytes in base64 (RFC 4648, with padding); write it like that")
    }
    return bytes
  }
}
