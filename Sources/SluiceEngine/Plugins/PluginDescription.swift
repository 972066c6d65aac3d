// What a library says of its plugin, checked.

internal import SluiceJSON

struct PluginDescription {
  let key: String
  let canBuild: Bool
  let globs: [String]
  let schemas: [PluginSchema]

  struct Wrong: Error {
    var text: String
  }

  private static let listCountMaximum = 64
  private static let nameByteCountMaximum = 64
  private static let globByteCountMaximum = 1000
  private static let definitionByteCountMaximum = 64 << 10

  init(from reader: inout PluginMessageReader) throws(Wrong) {
    let cut = Wrong(text: "a text that it gives is missing or not UTF-8")
    guard let key = reader.text(), let canBuild = reader.number() else { throw cut }
    guard Self.isName(key, besides: "_-"), key == key.lowercased() else {
      throw Wrong(text: "its key has to be 1 to 64 of a-z, 0-9, _ and -")
    }
    self.key = key
    self.canBuild = canBuild != 0
    var globs: [String] = []
    for _ in 0..<(try Self.count(of: "globs", from: &reader)) {
      guard let glob = reader.text() else { throw cut }
      guard !glob.isEmpty, glob.utf8.count <= Self.globByteCountMaximum else {
        throw Wrong(text: "a glob has to have 1 to 1,000 bytes")
      }
      globs.append(glob)
    }
    self.globs = globs
    var schemas: [PluginSchema] = []
    for _ in 0..<(try Self.count(of: "schemas", from: &reader)) {
      guard let key = reader.text(), let version = reader.text(), let definition = reader.text()
      else { throw cut }
      guard Self.isName(key, besides: "_-."), Self.isName(version, besides: ".") else {
        throw Wrong(
          text: "a schema's key has to be 1 to 64 of A-Z, a-z, 0-9, _, - and ., and its version "
            + "of letters, digits and .")
      }
      guard !schemas.contains(where: { $0.key == key }) else {
        throw Wrong(text: "it has two schemas \(key)")
      }
      guard definition.utf8.count <= Self.definitionByteCountMaximum,
        case .object = JSONText.root(of: Array(definition.utf8))
      else {
        throw Wrong(text: "the definition of schema \(key) is no JSON object of up to 64 KiB")
      }
      schemas.append(PluginSchema(key: key, version: version, definition: definition))
    }
    self.schemas = schemas
  }

  private static func count(
    of what: String, from reader: inout PluginMessageReader
  ) throws(Wrong) -> Int {
    guard let count = reader.number(), (1...listCountMaximum).contains(count) else {
      throw Wrong(text: "it has to have 1 to 64 \(what)")
    }
    return count
  }

  private static func isName(_ text: String, besides others: String) -> Bool {
    (1...nameByteCountMaximum).contains(text.utf8.count)
      && text.unicodeScalars.allSatisfy { character in
        character.isASCII && (character.properties.isAlphabetic || ("0"..."9").contains(character))
          || others.unicodeScalars.contains(character)
      }
  }
}
