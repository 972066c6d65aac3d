// The built-in plugin for JSON files.

import TestSupport
import Testing

import SluiceJSON

@testable import SluiceEngine

@Suite struct JSONPluginTests {
  private let desk = PluginDesk(JSONPlugin())

  private func roundTrip(_ file: String) throws -> String {
    let desk = PluginDesk(JSONPlugin())
    try desk.write(utf8(file))
    return text(try desk.read())
  }

  @Test func aPropertyIsAnEntity() throws {
    let changes = try desk.write(utf8(#"{"lead":"Ada","size":3}"#))
    #expect(changes.map(\.entityID) == ["lead", "size"])
    #expect(changes.map(\.content) == [#"{"value":"Ada"}"#, #"{"value":3}"#])
    #expect(changes.allSatisfy { $0.schemaKey == "json_property" && $0.schemaVersion == "1.0" })
    #expect(text(try desk.read()) == #"{"lead":"Ada","size":3}"#)
  }

  @Test func onlyWhatDiffersIsReported() throws {
    try desk.write(utf8(#"{"lead":"Ada","size":3,"tags":["a",{"b":1}]}"#))
    let changes = try desk.write(utf8(#"{ "tags" : [ "a", {"b": 1} ], "lead":"B\u006f" }"#))
    #expect(changes.map(\.entityID) == ["lead", "size"])
    #expect(changes.map(\.content) == [#"{"value":"Bo"}"#, nil])
    #expect(text(try desk.read()) == #"{"lead":"Bo","tags":["a",{"b":1}]}"#)
    #expect(try desk.write(utf8("\n{\"lead\":\"\\u0042o\",\"tags\":[\"a\" ,{\"b\":1}]}")) == [])
  }

  @Test func aChangedEntityChangesTheFile() throws {
    try desk.write(utf8(#"{"lead":"Ada","size":3}"#))
    var entity = try #require(desk.entities.first { $0.entityID == "lead" })
    entity.content = #"{ "value" : "Cy" }"#
    desk.put(entity)
    #expect(text(try desk.read()) == #"{"lead":"Cy","size":3}"#)
    #expect(try desk.write(utf8(#"{"size":3,"lead":"Cy"}"#)) == [])
    entity.content = #"{"other":1}"#
    desk.put(entity)
    let error = #expect(throws: PluginError.self) { try desk.read() }
    #expect(error?.message.hasPrefix("plugin json: the content of entity lead is not") == true)
  }

  @Test(arguments: [
    "{}", "[]", "[1,[2],{}]", "null", "true", "3", #""text""#, "9223372036854775808", "1e400",
    "-0.0", #"{"a":9223372036854775808,"b":1e400,"c":-0.0,"d":1E+2,"e":0.10}"#, #"{"":1}"#,
    #"{"\u0001":1,"\n":2,"\"":3,"a b":4,"a\\b":5,"ä":6,"€":7,"𝄞":8}"#,
    #"{"a":"\ud800","b":"\udc00\ud800x","c":"😀","d":"\u0000"}"#, #"{"é":1,"é":2}"#,
  ])
  func aValueComesBackAsItIs(_ file: String) throws {
    // Written in JSONText's form and in the order of names, so nothing at all may change.
    #expect(utf8(try roundTrip(file)) == utf8(file))
  }

  @Test func formattingAndEscapesHaveOneForm() throws {
    #expect(try roundTrip(" [ 1 , { \"b\" : [ ] } ]\r\n") == #"[1,{"b":[]}]"#)
    #expect(try roundTrip(#"["\/\u00e4\ud83d\ude00\u0009\u001F"]"#) == #"["/ä😀\t\u001f"]"#)
    // Repeated names and their order count in what a property holds.
    #expect(try roundTrip(#"{"a":{"z":1,"a":2,"z":3}}"#) == #"{"a":{"z":1,"a":2,"z":3}}"#)
  }

  private static let whole: [[UInt8]] = [
    [], utf8(" "), utf8("{"), utf8("{\"a\":1,}"), utf8("[1,]"), utf8("{\"a\" 1}"), utf8("01"),
    utf8("1."), utf8("+1"), utf8("nul"), utf8("NaN"), utf8("'a'"), utf8("\"a"), utf8("[1] 2"),
    utf8("{\"a\":1}}"), utf8("\u{feff}{}"), utf8("\"\t\""), utf8(#""\x""#), utf8(#""\u12g4""#),
    utf8(#"{"a":1,"a":2}"#), utf8(#"{"a":1,"\u0061":2}"#), utf8(#"{"\ud800":1}"#),
    utf8(#"{"\u0000":1}"#), [0x22, 0xff, 0x22], [0x22, 0xed, 0xa0, 0x80, 0x22],
    [0x22, 0xc0, 0x80, 0x22], [0x22, 0xf4, 0x90, 0x80, 0x80, 0x22], [0x22, 0xe2, 0x82],
    [0x00], utf8("1\0"), utf8("/* */ 1"), utf8("]"), utf8("[}"), utf8("{]"),
  ]

  @Test(arguments: whole) func anythingElseIsKeptToTheByte(_ bytes: [UInt8]) throws {
    let changes = try desk.write(bytes)
    #expect(changes.map(\.schemaKey) == ["json_bytes"])
    #expect(try desk.read() == bytes)
    #expect(try desk.write(bytes) == [])
    try desk.write(utf8(#"{"a":1}"#))
    #expect(desk.entities.map(\.schemaKey) == ["json_property"])
    try desk.write(bytes)
    #expect(desk.entities.map(\.schemaKey) == ["json_bytes"])
    #expect(try desk.read() == bytes)
  }

  @Test func depthIsBoundedWithoutRecursion() throws {
    for depth in [998, 999, 1000, 1_000_000] {
      let file = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
      let desk = PluginDesk(JSONPlugin())
      let changes = try desk.write(utf8(file))
      #expect(changes.map(\.schemaKey) == [depth < 1000 ? "json_root" : "json_bytes"])
      #expect(utf8(file) == (try desk.read()))
      let object = #"{"a":"# + file + "}"
      try desk.write(utf8(object))
      #expect(utf8(object) == (try desk.read()))
    }
  }

  @Test func sqliteTakesEveryContent() throws {
    let desk = PluginDesk(JSONPlugin())
    let deep = String(repeating: "[", count: 998) + String(repeating: "]", count: 998)
    try desk.write(utf8(#"{"a":1e400,"b":"\ud800","c":-0.0,"d":\#(deep),"":{"x":null}}"#))
    for entity in desk.entities {
      let content = try #require(entity.content)
      #expect(try SQLiteFunctions.isValidJSON(content))
    }
  }

  @Test func randomEditsAreFollowed() throws {
    var random = SeededRandom(for: "randomEditsAreFollowed")
    for _ in 0..<30 {
      let desk = PluginDesk(JSONPlugin())
      var properties: [String: String] = [:]
      for _ in 0..<40 {
        for _ in 0..<Int.random(in: 0...3, using: &random) {
          let name = String(repeating: "ü\"", count: Int.random(in: 0...4, using: &random))
          properties[name] = Bool.random(using: &random) ? randomValue(&random, depth: 0) : nil
        }
        let kind = Int.random(in: 0..<10, using: &random)
        let file =
          kind == 0
          ? "[" + randomValue(&random, depth: 0) + "]"
          : kind == 1 ? "{" : formatted(properties, &random)
        let before = desk.entities
        let changes = try desk.write(utf8(file))
        if kind > 1 {
          #expect(text(try desk.read()) == formatted(properties))
          // No more than what differs.
          let untouched = before.filter { old in !changes.contains { $0.entityID == old.entityID } }
          #expect(desk.entities.count { untouched.contains($0) } == untouched.count)
          for change in changes where change.content != nil { #expect(!before.contains(change)) }
        } else {
          #expect(text(try desk.read()) == file)
        }
        #expect(try desk.write(utf8(file)) == [])
      }
    }
  }

  /// Sorted and without blanks, or neither.
  private func formatted(_ properties: [String: String]) -> String {
    let sorted = properties.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    return "{"
      + sorted.map { text(JSONText.quoted($0.key.utf8)) + ":" + $0.value }.joined(separator: ",")
      + "}"
  }

  private func formatted(
    _ properties: [String: String], _ random: inout SeededRandom
  ) -> String {
    let shuffled = properties.shuffled(using: &random)
    return " { "
      + shuffled.map { text(JSONText.quoted($0.key.utf8)) + " :\n" + $0.value }
      .joined(separator: " , ") + "}\n"
  }

  private func randomValue(_ random: inout SeededRandom, depth: Int) -> String {
    switch Int.random(in: 0..<(depth < 4 ? 7 : 5), using: &random) {
    case 0: "null"
    case 1: Bool.random(using: &random) ? "true" : "false"
    case 2: String(Int64.random(in: .min ... .max, using: &random)) + "0e12"
    case 3, 4: #""x\"\\é😀""#
    case 5:
      "["
        + (0..<Int.random(in: 0...3, using: &random)).map { _ in
          randomValue(&random, depth: depth + 1)
        }.joined(separator: ",") + "]"
    default:
      "{"
        + (0..<Int.random(in: 0...3, using: &random)).map { index in
          #""\#(index)":"# + randomValue(&random, depth: depth + 1)
        }.joined(separator: ",") + "}"
    }
  }
}
