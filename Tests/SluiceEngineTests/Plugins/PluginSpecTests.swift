// Protocol/PLUGINS.md's table of limits against the code, by its numbers.

import TestSupport
import Testing

@testable import SluiceEngine

@Suite struct PluginSpecTests {
  private let spec: SpecDocument

  init() throws { spec = try SpecDocument("Protocol/PLUGINS.md") }

  /// The numbers in a text, in bytes where a unit stands behind them.
  private func numbers(_ text: String) -> [Int] {
    let words = text.replacing(",", with: "").split(separator: " ")
    return words.indices.compactMap { index in
      guard let number = Int(words[index]) else { return nil }
      let units = ["KiB": 1 << 10, "MiB": 1 << 20]
      return number * (index + 1 < words.count ? units[String(words[index + 1])] ?? 1 : 1)
    }
  }

  @Test func theLimitsAreThoseOfTheCode() throws {
    let name = PluginDescription.nameByteCountMaximum
    let limits: [(String, [Int])] = [
      ("plugin's key", [name]), ("globs, schemas", [1, PluginDescription.listCountMaximum]),
      ("a glob", [PluginDescription.globByteCountMaximum]), ("a schema's key", [name]),
      ("a schema's version", [name]),
      ("a schema's definition", [PluginDescription.definitionByteCountMaximum]),
      ("an entity's id", [PluginFindings.idByteCountMaximum]),
      ("an entity", [Limits.rowByteCountMaximum]),
      ("entities of a call", [PluginFindings.countMaximum, PluginFindings.byteCountMaximum]),
      ("a built file", [Limits.valueByteCountMaximum]),
      ("what a call gets at once", [PluginMessage.byteCountMaximum]),
      ("a query with its arguments", [PluginCall.queryByteCountMaximum]),
      ("a reason", [PluginCall.reasonByteCountMaximum]),
    ]
    let rows = try spec.rows(under: "Limits of a library")
    #expect(rows.map { $0["what"] ?? "" } == limits.map(\.0))
    for (row, (what, values)) in zip(rows, limits) {
      // Of names, the letters stand behind.
      let told = numbers(row["at most"] ?? "").filter { $0 > 0 }
      #expect(Array(told.prefix(values.count)) == values, "\(what): \(told)")
    }
  }

  /// The limits are looked at: what is one more is refused, what is the limit is not.
  @Test func aDescriptionIsRefusedBeyondItsLimits() {
    func isTaken(
      key: String = "k", globs: [String] = ["*"], schemas: Int = 1, schema: String = "s",
      version: String = "1", definition: String = "{}"
    ) -> Bool {
      var bytes: [UInt8] = []
      func number(_ value: Int) {
        for shift in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
      }
      func put(_ text: String) {
        number(text.utf8.count)
        bytes += Array(text.utf8)
      }
      put(key)
      number(1)
      number(globs.count)
      for glob in globs { put(glob) }
      number(schemas)
      for index in 0..<schemas {
        put(schemas == 1 ? schema : "\(schema)\(index)")
        put(version)
        put(definition)
      }
      var reader = PluginMessageReader(bytes)
      return (try? PluginDescription(from: &reader)) != nil
    }
    func long(_ count: Int) -> String { String(repeating: "a", count: count) }
    let object = #"{"":""}"#
    func definition(_ count: Int) -> String {
      #"{"":""# + long(count - object.utf8.count) + #""}"#
    }
    #expect(isTaken(key: long(64)) && !isTaken(key: long(65)) && !isTaken(key: ""))
    #expect(isTaken(schema: long(64)) && !isTaken(schema: long(65)))
    #expect(isTaken(version: long(64)) && !isTaken(version: long(65)))
    #expect(isTaken(globs: [long(1000)]) && !isTaken(globs: [long(1001)]))
    let many = [String](repeating: "*", count: 64)
    #expect(isTaken(globs: many) && !isTaken(globs: many + ["*"]) && !isTaken(globs: []))
    #expect(isTaken(schemas: 64) && !isTaken(schemas: 65) && !isTaken(schemas: 0))
    #expect(isTaken(definition: definition(65536)) && !isTaken(definition: definition(65537)))
  }
}
