// Any bytes as a JSON text: JSONText takes it apart, SQLite takes what JSONText takes, and the plugin
// for JSON files makes entities of it that build the same file again.

import CEngine
import SluiceJSON

@testable import SluiceEngine

struct JSONTarget: FuzzTarget {
  static let name = "json"

  static func seeds(from vectors: SeedVectors) -> [[UInt8]] {
    [
      #"{"a":1,"b":[true,false,null,-0.5e+10],"c":{"d":"x","d":"y"},"":{}}"#,
      #"[[[[{"\u0041\ud83d\ude00\ud800\n\/":"\u0000\u001f é \"\\"}]]]]"#,
      #"{"a":1,"a":2}"#, "  \"text\" ", "{} x", "\u{feff}{}", "-", "",
    ].map { Array($0.utf8) }
  }

  func run(_ input: [UInt8]) {
    checkText(input)
    checkPlugin(input)
  }

  private func checkText(_ text: [UInt8]) {
    guard let root = JSONText.root(of: text) else { return }
    require(isJSON(text), "SQLite takes no such JSON")
    // The form is a text that has itself as its form.
    switch root {
    case .other(let form): require(JSONText.root(of: form) == root, "the form has another form")
    case .object(let members):
      let parts = members.map { $0.name + [UInt8(ascii: ":")] + $0.value }
      let form = Array("{".utf8) + parts.joined(separator: [UInt8(ascii: ",")]) + Array("}".utf8)
      require(JSONText.root(of: form) == root, "the form has another form")
      for member in members { check(string: member.name) }
    }
  }

  private func check(string form: [UInt8]) {
    guard let bytes = JSONText.bytes(ofString: form) else { return }
    require(String(validating: bytes, as: UTF8.self) != nil, "a string that is not UTF-8")
    require(JSONText.quoted(bytes) == form, "a string has two forms")
  }

  private func isJSON(_ text: [UInt8]) -> Bool {
    var database: OpaquePointer?
    var statement: OpaquePointer?
    defer {
      unsafe sqlite3_finalize(statement)
      unsafe sqlite3_close(database)
    }
    unsafe sqlite3_open(":memory:", &database)
    unsafe sqlite3_prepare_v2(database, "SELECT json_valid(?)", -1, &statement, nil)
    return unsafe text.withUnsafeBytes {
      unsafe cengine_bind_text(statement, 1, $0.baseAddress, UInt64($0.count), 0)
      return unsafe sqlite3_step(statement) == SQLITE_ROW
        && sqlite3_column_int(statement, 0) == 1
    }
  }

  private func checkPlugin(_ bytes: [UInt8]) {
    let plugin = JSONPlugin()
    let desk = EmptyDesk()
    func file(_ data: [UInt8]) -> PluginFile {
      PluginFile(id: "f", path: "/f.json", metadata: nil, isHidden: false, data: data)
    }
    do throws(PluginError) {
      let entities = try plugin.detectChanges(
        before: nil, after: file(bytes), desk, .never)
      let built = try plugin.applyChanges(file([]), entities, .never)
      let again = try plugin.detectChanges(before: nil, after: file(built), desk, .never)
      func sorted(_ entities: [PluginEntity]) -> [PluginEntity] {
        entities.sorted { $0.entityID.utf8.lexicographicallyPrecedes($1.entityID.utf8) }
      }
      require(sorted(entities) == sorted(again), "the built file has other entities")
      // A client may write any content.
      _ = try? plugin.applyChanges(
        file([]),
        entities.map { entity in
          var entity = entity
          entity.content = String(decoding: bytes, as: UTF8.self)
          return entity
        }, .never)
    } catch { broken("the plugin fails: \(error.message)") }
  }
}

/// A state without entities.
final class EmptyDesk: StateReader {
  func entities(ofFile id: String, plugin key: String) throws(PluginError) -> [PluginEntity] { [] }
  func query(_ sql: String, _ arguments: [String]) throws(PluginError) -> [[String?]] { [] }
}

extension Interruption {
  static var never: Interruption {
    Interruption(isCancelled: { false }, isClientGone: { false })
  }
}
