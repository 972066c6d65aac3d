// The judgement of loads finds each kind of wrong answer.

import SluiceRecords
import Testing

@Suite struct LoadJudgementTests {
  /// The synchronous engine sends g, a, v; the asynchronous one sends one of them twice, and v's
  /// first message before the value on which the second depends.
  private static let wanted = ["a 0", "g 0", "a 0", "v 0", "b 0", "v 1"]
  private static let depthFirst = ["g 0", "a 0", "b 0", "v 0", "v 1"]

  private static func message(_ text: String) -> RecordMessage {
    let parts = text.split(separator: " ")
    return RecordMessage(
      id: Array(parts[0].utf8), header: Array("{}".utf8),
      sessions: [
        RecordSessionContent(
          session: Array("s".utf8), after: UInt64(parts[1])!, transactions: RecordTransactions(),
          lastSignature: [])
      ])
  }

  private static func events(_ texts: [String]) throws -> [JSONValue] {
    try texts.map { ["content": try message($0).vector] } + [["done": .bool(true)]]
  }

  private func difference(
    _ found: [String], isFound: Bool? = true, wanted: [String] = wanted,
    depthFirst: [String]? = depthFirst
  ) throws -> String? {
    let store = try VectorStore(.inProcess)
    _ = try store.connect()
    var loads = VectorLoads(["v"])
    loads.messages = found.map { (0, Self.message($0)) }
    loads.areFound = [isFound]
    return try LoadJudgement(
      Self.events(wanted), depthFirst: try depthFirst.map { try Self.events($0) }, store.tables
    ).difference(loads)
  }

  @Test func theRightAnswerIsTaken() throws {
    #expect(try difference(["g 0", "a 0", "v 0", "b 0", "v 1"]) == nil)
    #expect(try difference(["g 0", "v 0"], wanted: ["g 0", "v 0"], depthFirst: nil) == nil)
  }

  @Test(arguments: [
    ["a 0", "g 0", "v 0", "b 0", "v 1"],  // another order
    ["g 0", "a 0", "b 0", "v 0", "v 1"],  // too early
    ["g 0", "a 0", "v 0", "v 1"],  // missing
    ["g 0", "a 0", "v 0", "v 1", "b 0"],  // too late
    ["g 0", "a 0", "a 0", "v 0", "b 0", "v 1"],  // twice
    ["g 0", "a 1", "v 0", "b 0", "v 1"],  // another content
    ["g 0", "a 0", "v 1", "b 0", "v 0"],  // chunks in another order
    ["g 0", "a 0", "v 0", "b 0"],  // not to its end
    [],
  ])
  func aWrongOrderIsSeen(_ found: [String]) throws {
    #expect(try difference(found) != nil)
  }

  @Test func aWrongEndIsSeen() throws {
    #expect(try difference(["g 0", "a 0", "v 0", "b 0", "v 1"], isFound: false) != nil)
    #expect(try difference(["v 0", "g 0"], wanted: ["g 0", "v 0"], depthFirst: nil) != nil)
  }

  @Test func aDependencyThatNoLoadOfSeveralSendsIsSeen() throws {
    let store = try VectorStore(.inProcess)
    _ = try store.connect()
    func difference(_ found: [(Int, String)]) throws -> String? {
      var loads = VectorLoads(["v", "w"])
      loads.messages = found.map { ($0.0, Self.message($0.1)) }
      loads.areFound = [true, true]
      let events = try Self.events(["g 0", "v 0", "w 0"])
      return try LoadJudgement(events, depthFirst: nil, store.tables).difference(loads)
    }
    #expect(try difference([(0, "g 0"), (0, "v 0"), (1, "w 0")]) == nil)
    #expect(try difference([(0, "v 0"), (1, "w 0")]) != nil)
    #expect(try difference([(0, "v 0"), (0, "g 0"), (1, "w 0")]) != nil)
    #expect(try difference([(0, "g 0"), (0, "v 0"), (1, "v 0")]) != nil)
  }
}
