// Invariants: declared in data, over the state after all writes, and closed if they fail.

import SluiceAutomerge
import Testing

@testable import SluiceEngine

@Suite(.timeLimit(.minutes(1)))
struct InvariantTests {
  let fixture: SpaceFixture
  let space: Space

  init() throws {
    fixture = try SpaceFixture()
    space = try fixture.space()
  }

  private func declare(_ texts: String...) throws {
    try space.set(texts.map { try Invariant(try #require(SpaceValue(parsing: $0))) })
  }

  @Test func schemaRefusesAndLeavesNothing() throws {
    try declare(
      #"""
      {"name":"task","prefix":"doc:task","kind":"schema","schema":{"type":"object",
       "required":["title"],"properties":{"title":{"type":"string","maxLength":5},
       "state":{"enum":["open","done"]},"rank":{"type":"integer","minimum":1}}}}
      """#)
    var task = try Replica("doc:task1")
    let before = task
    let refused = try task.put("open", "state", in: space)
    #expect(refused.transactionID == 0)
    #expect(refused.results[0].status == .rejected)
    #expect(refused.code == .invariantFailed)
    #expect(refused.conflicts[0].invariant == "task")
    #expect(refused.reason == "invariant/materialize failed: task: title is missing")
    #expect(try space.documents().isEmpty)
    task = before
    #expect(try task.put("plan", "title", in: space).isStored)
    let good = task
    #expect(try task.put(0, "rank", in: space).code == .invariantFailed)
    task = good
    #expect(try task.put("too long", "title", in: space).code == .invariantFailed)
    task = good
    #expect(try task.put("gone", "state", in: space).code == .invariantFailed)
    task = good
    #expect(try task.put("done", "state", in: space).isStored)
    #expect(try space.tip(task.ref) == #"{"state":"done","title":"plan"}"#)
    var other = try Replica("doc:other")
    #expect(try other.put("anything", "k", in: space).isStored)
    #expect(try space.verify().findings == [])
  }

  @Test func appendOnlyListsGrowAtTheirEnd() throws {
    try declare(#"{"name":"log","doc":"doc:a","kind":"appendOnly","path":["log"]}"#)
    var replica = try Replica("doc:a")
    func put(_ body: (inout Edit) throws(AutomergeError) -> Void) throws -> TransactionReceipt {
      let base = replica.heads
      let before = replica
      let change = try #require(try replica.document.edit(body))
      let receipt = try space.submit(replica.write([change], on: base))
      if !receipt.isStored { replica = before }
      return receipt
    }
    var list = ObjectID.root
    #expect(
      try put { (edit) throws(AutomergeError) in
        list = try edit.make(.list, forKey: "log")
        try edit.append("a", to: list)
      }.isStored)
    #expect(try put { (edit) throws(AutomergeError) in try edit.append("b", to: list) }.isStored)
    #expect(
      try put { (edit) throws(AutomergeError) in try edit.insert("x", at: 0, in: list) }.code
        == .invariantFailed)
    #expect(
      try put { (edit) throws(AutomergeError) in try edit.remove(at: 1, in: list) }.code
        == .invariantFailed)
    #expect(
      try put { (edit) throws(AutomergeError) in try edit.removeValue(forKey: "log") }.code
        == .invariantFailed)
    #expect(try space.tip(replica.ref) == #"{"log":["a","b"]}"#)
  }

  @Test func monotonicNumbersNeverFall() throws {
    try declare(#"{"name":"version","prefix":"doc:","kind":"monotonic","path":["v"]}"#)
    var replica = try Replica("doc:a")
    #expect(try replica.put(2, "v", in: space).isStored)
    let good = replica
    #expect(try replica.put(1, "v", in: space).code == .invariantFailed)
    replica = good
    #expect(try replica.put("three", "v", in: space).code == .invariantFailed)
    replica = good
    #expect(try replica.put(3, "v", in: space).isStored)
  }

  @Test func documentsAreComparedAfterAllWrites() throws {
    try declare(
      #"""
      {"name":"newer","doc":"doc:copy","kind":"equalOrNewer","path":["v"],"otherDoc":"doc:origin",
       "otherPath":["v"]}
      """#)
    var origin = try Replica("doc:origin")
    var copy = try Replica("doc:copy")
    let bases = (origin.heads, copy.heads)
    let writes = [
      origin.write([try origin.set(1, "v")], on: bases.0),
      copy.write([try copy.set(1, "v")], on: bases.1),
    ]
    #expect(try space.submit(TransactionRequest(writes: writes)).isStored)
    let good = origin
    let refused = try origin.put(2, "v", in: space)
    #expect(refused.code == .invariantFailed)
    origin = good
    let next = (origin.heads, copy.heads)
    // The origin goes first, and yet the two are compared as they are in the end.
    let both = [
      origin.write([try origin.set(2, "v")], on: next.0),
      copy.write([try copy.set(2, "v")], on: next.1),
    ]
    #expect(try space.submit(TransactionRequest(writes: both)).isStored)
  }

  @Test func whatIsNotUnderstoodIsRefusedWhenItIsDeclared() throws {
    for text in [
      #"{"name":"x","doc":"d","kind":"other"}"#,
      #"{"name":"","doc":"d","kind":"schema","schema":{}}"#,
      #"{"name":"x","kind":"monotonic","path":["v"]}"#,
      #"{"name":"x","doc":"d","prefix":"p","kind":"monotonic","path":["v"]}"#,
      #"{"name":"x","doc":"d","kind":"schema","schema":{"pattern":"a*"}}"#,
      #"{"name":"x","doc":"d","kind":"schema","schema":{"type":"objekt"}}"#,
      #"{"name":"x","doc":"d","kind":"monotonic","path":["v"],"extra":1}"#,
      #"{"name":"x","prefix":"d","kind":"equalOrNewer","path":[],"otherDoc":"o","otherPath":[]}"#,
    ] {
      let value = try #require(SpaceValue(parsing: text))
      #expect(throws: SpaceError.self, "\(text)") { try Invariant(value) }
    }
    let invariant = try Invariant(
      try #require(SpaceValue(parsing: #"{"name":"v","doc":"d","kind":"monotonic","path":["v"]}"#)))
    #expect(throws: SpaceError.self) { try space.set([invariant, invariant]) }
    try space.set([invariant])
    #expect(try fixture.reopened().invariants() == [invariant])
  }

  @Test func invariantThatCannotBeReadFailsClosed() throws {
    try declare(#"{"name":"v","doc":"d","kind":"monotonic","path":["v"]}"#)
    try fixture.tamper(
      "UPDATE space_settings SET value_json = '[{}]' WHERE key = 'invariants'")
    #expect(throws: SpaceError.self) { try fixture.reopened() }
  }

  @Test func exhaustedBudgetRefuses() throws {
    var budget = InvariantBudget()
    #expect(throws: InvariantFailure.self) { try budget.spend(2_000_000) }
  }
}
