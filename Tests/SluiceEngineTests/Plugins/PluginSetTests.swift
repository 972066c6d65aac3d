// Which plugins match a path, and the fallback.

import TestSupport
import Testing

@testable import SluiceEngine

@Suite struct PluginSetTests {
  private func keys(_ path: String) -> [String] {
    PluginSet.builtIn.matching(path: path).map(\.key)
  }

  @Test func globsAreSQLitesOnTheWholePath() {
    #expect(keys("/x/y.json") == ["json"])
    #expect(keys("/x/y.JSON") == [])
    #expect(keys("/notes.txt") == ["lines"])
    #expect(keys("/x.json/y") == [])
    #expect(keys("") == [])
    final class Named: Plugin {
      let key: String
      let globs: [String]
      let schemas: [PluginSchema] = []
      let canBuild = false
      init(_ key: String, _ globs: [String]) {
        self.key = key
        self.globs = globs
      }
      func detectChanges(
        before: PluginFile?, after: PluginFile, _ state: any StateReader,
        _ interruption: Interruption
      ) throws(PluginError) -> [PluginEntity] { [] }
      func applyChanges(
        _ file: PluginFile, _ entities: [PluginEntity], _ interruption: Interruption
      ) throws(PluginError) -> [UInt8] { [] }
    }
    let set = PluginSet(libraries: [
      Named("second", ["/a/*", "*.[jt]s?"]), Named("first", ["*"]), Named("lines", ["/only"]),
    ])
    #expect(set.matching(path: "/a/b.json").map(\.key) == ["second", "first", "json"])
    #expect(set.matching(path: "/b.jsx").map(\.key) == ["second", "first"])
    // A library took the place of the built-in one.
    #expect(set.matching(path: "/b.txt").map(\.key) == ["first"])
    #expect(set.plugin(named: "lines")?.globs == ["/only"])
    #expect(set.plugin(named: "fallback") === set.fallback)
  }

  @Test func theFallbackKeepsTenMebibytesToTheByte() throws {
    var random = SeededRandom(for: "theFallbackKeepsTenMebibytesToTheByte")
    let desk = PluginDesk(PluginSet.builtIn.fallback)
    for byteCount in [0, 1, 2, 3, 255, 10 << 20] {
      var bytes: [UInt8] = []
      bytes.reserveCapacity(byteCount)
      while bytes.count < byteCount { bytes.append(UInt8(truncatingIfNeeded: random.next())) }
      try desk.write(bytes)
      #expect(desk.entities.count == 1)
      #expect(try desk.read() == bytes)
      #expect(try desk.write(bytes) == [])
    }
    let error = #expect(throws: PluginError.self) {
      try desk.write([UInt8](repeating: 0, count: 48_000_001))
    }
    #expect(error?.message.contains("48,000,000") == true)
    desk.put(
      PluginEntity(
        entityID: "content", schemaKey: "file_content", schemaVersion: "1.0",
        content: #"{ "base64" : "AAE=" }"#))
    #expect(try desk.read() == [0, 1])
    for wrong in [#"{"base64":"AAE"}"#, #"{"base64":"A==="}"#, #"{"base64":"AAF="}"#, "{}"] {
      desk.put(
        PluginEntity(
          entityID: "content", schemaKey: "file_content", schemaVersion: "1.0", content: wrong))
      #expect(throws: PluginError.self) { try desk.read() }
    }
  }
}
