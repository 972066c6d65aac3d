// Keeps the whole content of a file as one entity. It is called where no plugin matches.

final class FallbackPlugin: Plugin {
  let key = "fallback"
  let globs: [String] = []
  let canBuild = true
  let schemas = [WholeContent.schema]

  func detectChanges(
    before: PluginFile?, after: PluginFile, _ state: any StateReader, deadline: Int64
  ) throws(PluginError) -> [PluginEntity] {
    if let before, before.data == after.data { return [] }
    return [WholeContent.entity(of: after.data)]
  }

  func applyChanges(
    _ file: PluginFile, _ entities: [PluginEntity], deadline: Int64
  ) throws(PluginError) -> [UInt8] {
    guard let entity = entities.first(where: WholeContent.isMade) else { return [] }
    return try WholeContent.bytes(of: entity, plugin: key)
  }
}

/// The entity that holds all bytes of a file.
enum WholeContent {
  static let schema = PluginSchema(
    key: "file_content", version: "1.0",
    definition: """
      {"type":"object","properties":{"base64":{"type":"string"}},"required":["base64"],\
      "additionalProperties":false}
      """)

  private static let entityID = "content"
  private static let head = #"{"base64":""#
  private static let tail = #""}"#

  static func isMade(_ entity: PluginEntity) -> Bool { entity.schemaKey == schema.key }

  /// nil: the file is no longer kept whole.
  static func entity(of bytes: [UInt8]?) -> PluginEntity {
    PluginEntity(
      entityID: entityID, schemaKey: schema.key, schemaVersion: schema.version,
      content: bytes.map { head + Base64.text(of: $0) + tail })
  }

  static func bytes(of entity: PluginEntity, plugin key: String) throws(PluginError) -> [UInt8] {
    let content = entity.content ?? ""
    guard content.hasPrefix(head), content.hasSuffix(tail),
      let bytes = Base64.bytes(of: content.dropFirst(head.count).dropLast(tail.count).utf8)
    else {
      throw PluginError(
        message: "plugin \(key): the content of entity \(entity.entityID) is not {\"base64\":…} "
          + "with the bytes in base64 (RFC 4648, with padding); write it like that")
    }
    return bytes
  }
}
