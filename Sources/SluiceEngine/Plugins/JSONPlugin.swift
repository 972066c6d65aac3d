// JSON files. What an entity is depends on the file:
//
//   an object       one entity for each property: schema json_property, its id is the property's name
//   another value   one entity: schema json_root
//   anything else   one entity with the bytes: schema json_bytes. So it is for a text that is no
//                   JSON, has a byte order mark or is empty; for an object with a name twice, or
//                   with a name that is no entity id: one with a zero character or a lone surrogate;
//                   for more than 250,000 properties, and values of more than 999 levels.
//
// The first two hold a value as {"value":…}, in the form of JSONText. A file is built from them
// without blanks, its properties in the order of their names. The bytes are built as they were.

internal import SluiceJSON

final class JSONPlugin: Plugin {
  let key = "json"
  let globs = ["*.json"]
  let canBuild = true
  let schemas = [valueSchema(propertyKey), valueSchema(rootKey), whole.schema]

  private static let propertyKey = "json_property"
  private static let rootKey = "json_root"
  private static let version = "1.0"
  private static let rootID = "root"
  private static let propertyCountMaximum = 250_000
  private static let whole = WholeContent(schemaKey: "json_bytes", plugin: "json")

  private static func valueSchema(_ key: String) -> PluginSchema {
    PluginSchema(
      key: key, version: version,
      definition: """
        {"type":"object","properties":{"value":{}},"required":["value"],\
        "additionalProperties":false}
        """)
  }

  func detectChanges(
    before: PluginFile?, after: PluginFile, _ state: any StateReader, deadline: Int64
  ) throws(PluginError) -> [PluginEntity] {
    if let before, before.data == after.data { return [] }
    let old = before == nil ? [] : try state.entities(ofFile: after.id, plugin: key)
    let new = try entities(of: after.data)
    return EntityDifference.changes(from: old, to: new) { old, new in
      if old == new { return true }
      // A client may have written the old one, with blanks.
      guard let value = try? form(of: old) else { return false }
      return value == (try? form(of: new))
    }
  }

  private func entities(of data: [UInt8]) throws(PluginError) -> [PluginEntity] {
    switch JSONText.root(of: data) {
    case .other(let form): [entity(Self.rootKey, Self.rootID, form)]
    case .object(let members):
      if let entities = properties(members) { entities } else { [try Self.whole.entity(of: data)] }
    case nil: [try Self.whole.entity(of: data)]
    }
  }

  private func properties(_ members: [JSONText.Member]) -> [PluginEntity]? {
    guard members.count <= Self.propertyCountMaximum else { return nil }
    var names: Set<[UInt8]> = []
    var entities: [PluginEntity] = []
    entities.reserveCapacity(members.count)
    for member in members {
      guard let name = JSONText.string(of: member.name), !name.utf8.contains(0),
        names.insert(member.name).inserted
      else { return nil }
      entities.append(entity(Self.propertyKey, name, member.value))
    }
    return entities
  }

  private func entity(_ schemaKey: String, _ id: String, _ form: [UInt8]) -> PluginEntity {
    PluginEntity(
      entityID: id, schemaKey: schemaKey, schemaVersion: Self.version,
      content: #"{"value":"# + String(decoding: form, as: UTF8.self) + "}")
  }

  private func form(of entity: PluginEntity) throws(PluginError) -> [UInt8] {
    guard let content = entity.content, let members = JSONText.members(of: content),
      let value = members["value"]
    else {
      throw PluginError(
        message: "plugin json: the content of entity \(entity.entityID) is not {\"value\":…}, "
          + "with a value of at most 999 levels; write it like that")
    }
    return value
  }

  func applyChanges(
    _ file: PluginFile, _ entities: [PluginEntity], deadline: Int64
  ) throws(PluginError) -> [UInt8] {
    if let bytes = try Self.whole.bytes(in: entities) { return bytes }
    if let root = entities.first(where: { $0.schemaKey == Self.rootKey }) {
      return try form(of: root)
    }
    var out = [UInt8(ascii: "{")]
    let properties = entities.map { (name: Array($0.entityID.utf8), entity: $0) }
      .sorted { $0.name.lexicographicallyPrecedes($1.name) }
    for (name, entity) in properties {
      if out.count > 1 { out.append(UInt8(ascii: ",")) }
      out += JSONText.quoted(name)
      out.append(UInt8(ascii: ":"))
      out += try form(of: entity)
    }
    out.append(UInt8(ascii: "}"))
    return out
  }
}
