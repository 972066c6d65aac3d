// The past of a document: by epoch, by time, by heads.

import SluiceAutomerge
import Testing

@testable import SluiceEngine

@Suite(.timeLimit(.minutes(1)))
struct PointInTimeTests {
  let fixture: SpaceFixture
  let space: Space

  init() throws {
    fixture = try SpaceFixture()
    space = try fixture.space()
  }

  /// Five transactions, one second apart.
  private func history() throws -> (replica: Replica, heads: [Heads], times: [String]) {
    var replica = try Replica("doc:a")
    var heads: [Heads] = []
    var times: [String] = []
    for number in 1...5 {
      let receipt = try replica.put(.int(Int64(number)), "n", in: space)
      heads.append(replica.heads)
      times.append(try #require(receipt.committedAt))
      fixture.clock.advance(by: 1000)
    }
    return (replica, heads, times)
  }

  @Test func epochsShowTheStateAfterTheirTransaction() throws {
    let (replica, heads, _) = try history()
    for epoch in 1...5 {
      let read = try space.json(replica.ref, at: .epoch(Int64(epoch)))
      #expect(read.json == #"{"n":\#(epoch)}"#)
      #expect(read.state.heads == heads[epoch - 1])
      #expect(read.state.sequence == Int64(epoch))
    }
    #expect(try space.json(replica.ref, at: .epoch(0)).json == "{}")
    #expect(try space.json(replica.ref, at: .epoch(99)).json == #"{"n":5}"#)
    #expect(throws: SpaceError.self) { try space.json(replica.ref, at: .epoch(-1)) }
  }

  @Test func timesShowTheLastTransactionUpToThem() throws {
    let (replica, _, times) = try history()
    #expect(try space.json(replica.ref, at: .time(times[2])).json == #"{"n":3}"#)
    #expect(try space.json(replica.ref, at: .time("2000-01-01T00:00:00Z")).json == "{}")
    #expect(
      try space.json(replica.ref, at: .time("2999-01-01T00:00:00.5+01:00")).json == #"{"n":5}"#)
    #expect(throws: SpaceError.self) { try space.json(replica.ref, at: .time("yesterday")) }
  }

  @Test func headsShowTheirAncestors() throws {
    let (replica, heads, _) = try history()
    #expect(try space.json(replica.ref, at: .heads(heads[1])).json == #"{"n":2}"#)
    #expect(try space.json(replica.ref, at: .heads(.none)).json == "{}")
    let unknown = Heads([try Genesis.change(of: "doc:z").hash])
    #expect(throws: SpaceError.self) { try space.json(replica.ref, at: .heads(unknown)) }
  }

  @Test func sequenceNumbersShowThePrefix() throws {
    let (replica, _, _) = try history()
    #expect(try space.json(replica.ref, at: .sequence(4)).json == #"{"n":4}"#)
    #expect(try space.json(replica.ref, at: .sequence(0)).json == "{}")
  }

  @Test func projectionHoldsOnlyThePathsAtTheirPlaces() throws {
    var replica = try Replica("doc:a")
    let base = replica.heads
    let change = try replica.document.edit { edit throws(AutomergeError) in
      try edit.set("t", forKey: "title")
      let inner = try edit.make(.map, forKey: "inner")
      try edit.set(1, forKey: "one", in: inner)
      try edit.set(2, forKey: "two", in: inner)
      let list = try edit.make(.list, forKey: "list")
      try edit.append("a", to: list)
      try edit.append("b", to: list)
    }
    _ = try space.submit(replica.write([try #require(change)], on: base))
    func json(_ paths: [[String]]) throws -> String {
      try space.json(replica.ref, at: .tip, paths: paths).json
    }
    #expect(try json([["inner", "two"]]) == #"{"inner":{"two":2}}"#)
    #expect(try json([["title"], ["inner"]]) == #"{"title":"t","inner":{"one":1,"two":2}}"#)
    #expect(try json([["list", "1"]]) == #"{"list":{"1":"b"}}"#)
    #expect(try json([["nothing"], ["inner", "x"], ["title", "deeper"]]) == "{}")
    #expect(try json([]) == "{}")
    #expect(
      try json([[]]) == #"{"inner":{"one":1,"two":2},"list":["a","b"],"title":"t"}"#)
    #expect(try space.json(replica.ref, at: ["inner", "one"]) == "1")
    #expect(try space.json(replica.ref, at: ["inner", "none"]) == nil)
  }

  @Test func bytesLoadAnywhereAndDoNotDependOnSnapshots() throws {
    let (replica, heads, _) = try history()
    let before = try space.bytes(replica.ref, at: .epoch(3))
    let loaded = try Document(loading: before.bytes)
    #expect(Heads(loaded.heads) == heads[2])
    #expect(loaded.view.json() == #"{"n":3}"#)
    try space.takeSnapshot(replica.ref)
    let reopened = try fixture.reopened()
    #expect(try reopened.bytes(replica.ref, at: .epoch(3)).bytes == before.bytes)
    #expect(try reopened.deleteSnapshots() == 1)
    #expect(try fixture.reopened().bytes(replica.ref, at: .heads(heads[2])).bytes == before.bytes)
    #expect(try fixture.space().bytes(replica.ref, at: .epoch(0)).state.sequence == 0)
  }

  @Test func unknownDocumentsAndBranchesAreErrors() throws {
    let (replica, _, _) = try history()
    func code(_ ref: BranchReference) -> SpaceError.Code? {
      do throws(SpaceError) { _ = try space.json(ref, at: .tip) } catch { return error.code }
      return nil
    }
    #expect(code(BranchReference("doc:none")) == .invalidDoc)
    #expect(code(BranchReference(replica.ref.docID, branch: "none")) == .invalidBranch)
  }

  @Test func timesHaveOneForm() {
    #expect(SpaceTime.text(millisecondsSince1970: 0) == "1970-01-01T00:00:00.000Z")
    #expect(SpaceTime.text(millisecondsSince1970: 951_782_400_123) == "2000-02-29T00:00:00.123Z")
    #expect(SpaceTime.text(millisecondsSince1970: -1) == "1969-12-31T23:59:59.999Z")
    #expect(
      SpaceTime.normalised("2024-02-29T23:30:00.98765-01:30") == "2024-03-01T01:00:00.987Z")
    #expect(SpaceTime.normalised("2023-02-29T00:00:00Z") == nil)
    #expect(SpaceTime.normalised("2024-01-01") == nil)
    #expect(SpaceTime.normalised("2024-01-01T00:00:00") == nil)
  }

  @Test func snapshotIsTakenWhenChangesAreMany() throws {
    var settings = SpaceSettings()
    settings.snapshotCadence = 5
    try space.set(settings)
    let (replica, _, _) = try history()
    space.takeDueSnapshots()
    var result = try space.verify()
    #expect(result.snapshotCount == 1)
    var other = replica
    for number in 6...20 {
      try other.put(.int(Int64(number)), "n", in: space); space.takeDueSnapshots()
    }
    result = try space.verify()
    #expect(result.snapshotCount == 2)
    #expect(result.findings == [])
    let reopened = try fixture.reopened()
    #expect(try reopened.tip(replica.ref) == #"{"n":20}"#)
    #expect(try reopened.json(replica.ref, at: .epoch(7)).json == #"{"n":7}"#)
  }

  @Test func damagedSnapshotIsPassedOver() throws {
    let (replica, _, _) = try history()
    try space.takeSnapshot(replica.ref)
    try fixture.tamper("UPDATE am_snapshots SET bytes = x'00'")
    let reopened = try fixture.reopened()
    #expect(try reopened.tip(replica.ref) == #"{"n":5}"#)
    #expect(try reopened.verify().findings.count == 1)
  }
}
