// The built-in plugin for text files.

import TestSupport
import Testing

@testable import SluiceEngine

@Suite struct LinesPluginTests {
  private let desk = PluginDesk(LinesPlugin())

  /// The ids in the order of the file.
  private var ids: [String] {
    desk.entities.sorted { one, other in
      order(one) == order(other)
        ? one.entityID < other.entityID
        : order(one).lexicographicallyPrecedes(order(other))
    }.map(\.entityID)
  }

  private func order(_ entity: PluginEntity) -> [UInt8] {
    entity.content.flatMap { LineContent($0) }?.order ?? []
  }

  @Test(arguments: [
    "", "a", "a\n", "a\nb", "a\r\nb\r\n", "\n", "\r\n", "\r", "a\rb\n", "\n\n\n", "a\r\r\n",
    "tab\t\"quoted\" \\ back\n", "zero\0inside\n", "ä€𝄞\u{2028}x\n",
  ])
  func aFileComesBackToTheByte(_ file: String) throws {
    try desk.write(utf8(file))
    #expect(try desk.read() == utf8(file))
    #expect(try desk.write(utf8(file)) == [])
    for entity in desk.entities { #expect(try SQLiteFunctions.isValidJSON(entity.content ?? "")) }
  }

  @Test func bytesThatAreNoUTF8ComeBack() throws {
    let file: [UInt8] = [0xff, 0x0a, 0x41, 0xe2, 0x82, 0x0d, 0x0a, 0xed, 0xa0, 0x80]
    try desk.write(file)
    #expect(desk.entities.count == 3)
    #expect(try desk.read() == file)
  }

  @Test func contentsAreAsDocumented() throws {
    try desk.write(utf8("one\ntwo\r\nthree"))
    let contents = ids.map { desk.content($0) ?? "" }
    #expect(contents[0].hasSuffix(#","text":"one"}"#))
    #expect(contents[1].hasSuffix(#","text":"two","end":"\r\n"}"#))
    #expect(contents[2].hasSuffix(#","text":"three","end":""}"#))
  }

  @Test func linesKeepTheirIDs() throws {
    try desk.write(utf8("a\nb\nc\nd\n"))
    let first = ids
    // One changed.
    #expect(try desk.write(utf8("a\nB\nc\nd\n")).map(\.entityID) == [first[1]])
    #expect(ids == first)
    // One inserted.
    #expect(try desk.write(utf8("a\nB\nnew\nc\nd\n")).count == 1)
    #expect(ids.filter { first.contains($0) } == first)
    // One removed, the last one without an end.
    let changes = try desk.write(utf8("B\nnew\nc\nd"))
    #expect(changes.count == 2)
    #expect(changes.last?.entityID == first[0] && changes.last?.content == nil)
    #expect(ids.filter { first.contains($0) } == Array(first[1...]))
    // Another end makes no other line. A moved one is another one.
    try desk.write(utf8("new\nc\nd\nB\n"))
    #expect(ids.prefix(3).filter { first.contains($0) } == Array(first[2...]))
  }

  @Test func theSameInsertionIsTheSameLine() throws {
    let other = PluginDesk(LinesPlugin())
    for desk in [desk, other] { try desk.write(utf8("a\nb\n")) }
    let one = try desk.write(utf8("a\nx\nb\n"))
    #expect(try other.write(utf8("a\nx\nb\n")) == one)
    let third = PluginDesk(LinesPlugin())
    try third.write(utf8("a\nb\n"))
    let two = try third.write(utf8("a\ny\nb\n"))
    #expect(one[0].entityID != two[0].entityID)
    // Both, as after a merge.
    desk.put(two[0])
    #expect(["a\nx\ny\nb\n", "a\ny\nx\nb\n"].contains(text(try desk.read())))
    // Between two lines of one key there is no room; it is made.
    let merged = text(try desk.read())
    let between = merged.replacing("x\ny", with: "x\nm\ny").replacing("y\nx", with: "y\nm\nx")
    #expect(between != merged)
    try desk.write(utf8(between))
    #expect(text(try desk.read()) == between)
  }

  @Test func whatClientsWriteIsAFile() throws {
    try desk.write(utf8("a\nb"))
    func put(_ id: String, _ content: String) {
      desk.put(
        PluginEntity(
          entityID: id, schemaKey: "text_line", schemaVersion: "1.0", content: content))
    }
    put("mine", #"{ "text" : "c\nd", "order" : "z" }"#)
    #expect(text(try desk.read()) == "a\nb\nc\nd\n")
    put("odd", #"{"order":"","text":"first"}"#)
    #expect(text(try desk.read()) == "first\na\nb\nc\nd\n")
    try desk.write(utf8("first\na\nb\nc\nD\n"))
    #expect(text(try desk.read()) == "first\na\nb\nc\nD\n")
    put("wrong", #"{"order":"z"}"#)
    let error = #expect(throws: PluginError.self) { try desk.read() }
    #expect(error?.message.hasPrefix("plugin lines: the content of entity wrong is") == true)
  }

  @Test func keysStayShort() throws {
    for place in ["append", "prepend", "middle"] {
      let desk = PluginDesk(LinesPlugin())
      var lines = ["first", "last"]
      for number in 0..<150 {
        let index = place == "append" ? lines.count : place == "prepend" ? 0 : 1
        lines.insert("line \(number)", at: index)
        try desk.write(utf8(lines.joined(separator: "\n")))
      }
      #expect(text(try desk.read()) == lines.joined(separator: "\n"))
      let longest = desk.entities.map { order($0).count }.max() ?? 0
      #expect(longest <= (place == "middle" ? 100 : 6))
    }
  }

  @Test func manyLinesAreFollowed() throws {
    var lines = (0..<10_000).map { "line \($0 % 1000)" }
    try desk.write(utf8(lines.joined(separator: "\n")))
    lines[5_000] = "changed"
    lines.insert("new", at: 10)
    lines.remove(at: 9_000)
    #expect(try desk.write(utf8(lines.joined(separator: "\n"))).count == 3)
    #expect(text(try desk.read()) == lines.joined(separator: "\n"))
    // Nothing is in common but the order of a few.
    lines = (0..<10_000).map { "\($0 % 7) \($0 % 10_007)" }
    try desk.write(utf8(lines.joined(separator: "\n")))
    #expect(text(try desk.read()) == lines.joined(separator: "\n"))
    try desk.write(utf8(String(repeating: "\n", count: 250_001)))
    #expect(desk.entities.map(\.schemaKey) == ["text_bytes"])
    #expect(try desk.read().count == 250_001)
    try desk.write(utf8("a\n"))
    #expect(desk.entities.map(\.schemaKey) == ["text_line"])
  }

  @Test func randomEditsAreFollowed() throws {
    var random = SeededRandom(for: "randomEditsAreFollowed")
    for round in 0..<16 {
      let desk = PluginDesk(LinesPlugin())
      var lines: [String] = []
      let wordCount = round % 2 == 0 ? 5 : 1000
      for _ in 0..<40 {
        for _ in 0..<Int.random(in: 0...4, using: &random) {
          let line = "w\(Int.random(in: 0..<wordCount, using: &random))"
          let place = Int.random(in: 0...lines.count, using: &random)
          switch Int.random(in: 0..<4, using: &random) {
          case 0, 1: lines.insert(line, at: place)
          case 2: if place < lines.count { lines[place] = line }
          default: if place < lines.count { lines.remove(at: place) }
          }
        }
        let file = utf8(
          lines.joined(separator: Bool.random(using: &random) ? "\n" : "\r\n")
            + (Bool.random(using: &random) ? "\n" : ""))
        try desk.write(file)
        #expect(try desk.read() == file)
        #expect(try desk.write(file) == [])
        #expect(Set(desk.entities.map(\.entityID)).count == desk.entities.count)
      }
    }
  }
}

@Suite struct LineDifferenceTests {
  private func origins(_ new: String, in old: String) -> [Int?] {
    LineDifference.origins(
      of: new.map { utf8(String($0))[...] }, in: old.map { utf8(String($0))[...] })
  }

  @Test func theShortestEditIsFound() {
    #expect(origins("abcd", in: "abcd") == [0, 1, 2, 3])
    #expect(origins("", in: "abc") == [])
    #expect(origins("abc", in: "") == [nil, nil, nil])
    #expect(origins("axc", in: "abc") == [0, 1, 2])
    #expect(origins("axyc", in: "abc") == [0, nil, nil, 2])
    #expect(origins("ac", in: "abc") == [0, 2])
    // The example of Myers' paper: three deleted, two inserted.
    let found = origins("cbabac", in: "abcabba")
    #expect(found.count { $0 == nil } == 2)
  }

  @Test func randomRowsKeepALongestCommonPart() {
    var random = SeededRandom(for: "randomRowsKeepALongestCommonPart")
    for _ in 0..<500 {
      func row() -> [Int32] {
        (0..<Int.random(in: 0...12, using: &random)).map { _ in
          Int32.random(in: 0..<4, using: &random)
        }
      }
      let (old, new) = (row(), row())
      let pairs = ShortestEdit.pairs(old, new, editCountMaximum: 500)?.reversed().map { $0 } ?? []
      for pair in pairs { #expect(old[pair.old] == new[pair.new]) }
      for (one, next) in zip(pairs, pairs.dropFirst()) {
        #expect(one.old < next.old && one.new < next.new)
      }
      #expect(pairs.count == longestCommonPart(old, new))
    }
  }

  private func longestCommonPart(_ old: [Int32], _ new: [Int32]) -> Int {
    var lengths = [Int](repeating: 0, count: new.count + 1)
    for one in old {
      var diagonal = 0
      for (index, other) in new.enumerated() {
        let above = lengths[index + 1]
        lengths[index + 1] = one == other ? diagonal + 1 : max(above, lengths[index])
        diagonal = above
      }
    }
    return lengths[new.count]
  }

  @Test func tooManyEditsKeepTheLinesThatStandOnce() {
    // Every second line is another one, and 2,000 of them are more than the edits that are tried.
    let old = (0..<4000).map { utf8($0 % 2 == 0 ? "keep \($0)" : "old \($0)")[...] }
    let new = (0..<4000).map { utf8($0 % 2 == 0 ? "keep \($0)" : "new \($0)")[...] }
    #expect(LineDifference.origins(of: new, in: old) == (0..<4000).map { $0 })
    let origins = LineDifference.origins(of: Array(new.reversed()), in: old)
    let kept = origins.compactMap { $0 }
    #expect(zip(kept, kept.dropFirst()).allSatisfy { $0 < $1 })
  }
}

@Suite struct OrderKeyTests {
  @Test func thereIsAlwaysRoom() {
    var random = SeededRandom(for: "thereIsAlwaysRoom")
    for _ in 0..<50 {
      var keys = OrderKey.keys(3, between: nil, and: nil)
      for _ in 0..<60 {
        let place = Int.random(in: 0...keys.count, using: &random)
        let new = OrderKey.keys(
          Int.random(in: 1...5, using: &random), between: place > 0 ? keys[place - 1] : nil,
          and: place < keys.count ? keys[place] : nil)
        keys.insert(contentsOf: new, at: place)
      }
      #expect(keys.allSatisfy(OrderKey.isValid))
      #expect(zip(keys, keys.dropFirst()).allSatisfy { $0.lexicographicallyPrecedes($1) })
    }
  }

  @Test func oneEndIsEnough() {
    let low = utf8("zzzzzzzzzzzzzzz")
    #expect(low.lexicographicallyPrecedes(OrderKey.keys(1, between: low, and: nil)[0]))
    let high = utf8("000000000000001")
    #expect(OrderKey.keys(1, between: nil, and: high)[0].lexicographicallyPrecedes(high))
    let middle = OrderKey.keys(2, between: utf8("1"), and: utf8("1000000000000001"))
    #expect(utf8("1").lexicographicallyPrecedes(middle[0]))
    #expect(middle[0].lexicographicallyPrecedes(middle[1]))
    #expect(middle[1].lexicographicallyPrecedes(utf8("1000000000000001")))
    #expect(!OrderKey.isValid([]) && !OrderKey.isValid(utf8("10")) && !OrderKey.isValid(utf8("-")))
  }
}
