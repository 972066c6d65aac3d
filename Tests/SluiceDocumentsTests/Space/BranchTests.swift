// Branches: where they leave one another, and how they come together.

import SluiceAutomerge
import Testing

@testable import SluiceEngine

@Suite(.timeLimit(.minutes(1)))
struct BranchTests {
  let fixture: SpaceFixture
  let space: Space

  init() throws {
    fixture = try SpaceFixture()
    space = try fixture.space()
  }

  /// Five changes on main, and the heads after each.
  private func history() throws -> (replica: Replica, heads: [Heads]) {
    var replica = try Replica("doc:a")
    var heads: [Heads] = []
    for number in 1...5 {
      try replica.put(.int(Int64(number)), "n", in: space)
      heads.append(replica.heads)
      fixture.clock.advance(by: 1000)
    }
    return (replica, heads)
  }

  private func fork(
    _ name: String, _ point: DocumentPoint, from branch: String = "main"
  ) throws -> BranchDescription {
    try space.createBranch(
      BranchReference("doc:a", branch: name), from: .branch(branch, at: point))
  }

  /// Main with a change of its own, and a branch that left it before.
  private func parted() throws -> (mine: Replica, side: Replica) {
    var (mine, _) = try history()
    _ = try fork("side", .tip)
    let side = Replica(mine, branch: "side")
    try mine.put("m", "main", in: space)
    return (mine, side)
  }

  @Test func branchStartsWhereItLeavesTheOther() throws {
    let (replica, heads) = try history()
    let tip = try fork("tip", .tip)
    #expect(tip.heads == heads[4])
    #expect(tip.sequence == 5)
    #expect(tip.epoch == 5)
    #expect(tip.parent?.branch == "main")
    #expect(try fork("epoch", .epoch(3)).heads == heads[2])
    #expect(try fork("heads", .heads(heads[1])).heads == heads[1])
    #expect(try fork("heads", .tip).sequence == 2)
    let time = try #require(try space.transaction(4)?.committedAt)
    #expect(try fork("time", .time(time)).sequence == 4)
    #expect(try fork("sequence", .sequence(0)).heads == Heads.none)
    #expect(try space.tip(BranchReference("doc:a", branch: "epoch")) == #"{"n":3}"#)
    #expect(try space.branches(of: "doc:a").count == 6)
    var own = Replica(replica, branch: "epoch")
    own.document = try Document(loading: space.bytes(own.ref, at: .tip).bytes)
    let receipt = try own.put("x", "own", in: space)
    #expect(receipt.results[0].sequence == 4)
    #expect(try space.tip(own.ref) == #"{"n":3,"own":"x"}"#)
    #expect(try space.tip(replica.ref) == #"{"n":5}"#)
    let reopened = try fixture.reopened()
    #expect(try reopened.tip(own.ref) == #"{"n":3,"own":"x"}"#)
    #expect(try reopened.json(own.ref, at: .epoch(2)).json == #"{"n":2}"#)
    #expect(try reopened.json(own.ref, at: .epoch(5)).json == #"{"n":3}"#)
    #expect(try reopened.verify().findings == [])
  }

  @Test func branchOfABranchOfABranchIsRebuilt() throws {
    let (replica, _) = try history()
    var name = "main"
    var expected = 5
    for depth in 1...6 {
      _ = try fork("b\(depth)", .tip, from: name)
      name = "b\(depth)"
      var own = Replica(replica, branch: name)
      own.document = try Document(loading: space.bytes(own.ref, at: .tip).bytes)
      try own.put(.int(Int64(depth)), "depth", in: space)
      expected += 1
      if depth == 3 { try space.takeSnapshot(own.ref) }
    }
    let ref = BranchReference("doc:a", branch: name)
    let reopened = try fixture.reopened()
    #expect(try reopened.branch(ref).sequence == Int64(expected))
    #expect(try reopened.tip(ref) == #"{"depth":6,"n":5}"#)
    #expect(try reopened.changes(ref, after: 0).count == expected)
    #expect(try reopened.verify().findings == [])
  }

  @Test func branchMayStartAtHeadsThatAreNoPrefix() throws {
    var left = try Replica("doc:a")
    try left.put("base", "k", in: space)
    var right = Replica(left)
    try left.put("left", "l", in: space)
    let fork = try right.set("right", "r")
    _ = try space.submit(right.write([fork], on: left.heads))
    let branch = try self.fork("right", .heads(Heads([fork.hash])))
    #expect(branch.heads == Heads([fork.hash]))
    #expect(branch.sequence == 2)
    #expect(branch.epoch == 3)
    #expect(try space.tip(branch.ref) == #"{"k":"base","r":"right"}"#)
    let reopened = try fixture.reopened()
    #expect(try reopened.tip(branch.ref) == #"{"k":"base","r":"right"}"#)
    #expect(try reopened.json(branch.ref, at: .epoch(2)).json == #"{"k":"base"}"#)
    var own = Replica(right, branch: "right")
    #expect(try own.put("more", "m", in: reopened).results[0].sequence == 3)
    #expect(try reopened.verify().findings == [])
  }

  @Test func headsThatSayTooMuchAreReduced() throws {
    let (_, heads) = try history()
    let both = Heads(heads[1].hashes + heads[3].hashes)
    #expect(try fork("both", .heads(both)).heads == heads[3])
    let genesis = Heads([try Genesis.change(of: "doc:a").hash])
    let empty = try fork("empty", .heads(genesis))
    #expect(empty.heads == Heads.none)
    #expect(empty.sequence == 0)
    var replica = try Replica("doc:a", branch: "empty")
    #expect(try replica.put("x", "k", in: space).isStored)
    #expect(try fork("nothing", .heads(.none)).sequence == 0)
    #expect(try space.verify().findings == [])
  }

  @Test func unknownPointsAreRefused() throws {
    _ = try history()
    #expect(throws: SpaceError.self) {
      try fork("x", .heads(Heads([try Genesis.change(of: "doc:z").hash])))
    }
    #expect(throws: SpaceError.self) { try fork("x", .tip, from: "none") }
    #expect(throws: SpaceError.self) { try fork("x", .time("soon")) }
    #expect(try space.branches(of: "doc:a").count == 1)
  }

  @Test func closedBranchIsReadAndNotWritten() throws {
    var (replica, _) = try history()
    let closed = try space.closeBranch(replica.ref)
    #expect(closed.isClosed)
    let closedAt = try #require(closed.closedAt)
    fixture.clock.advance(by: 5000)
    #expect(try space.closeBranch(replica.ref).closedAt == closedAt)
    #expect(try space.tip(replica.ref) == #"{"n":5}"#)
    let receipt = try replica.put("x", "k", in: space)
    #expect(receipt.code == .branchClosed)
    #expect(receipt.conflicts[0].status == .rejected)
    #expect(try fixture.reopened().branch(replica.ref).isClosed)
  }

  @Test func clientMergesBranchesByOneChange() throws {
    var (mine, side) = try parted()
    try side.put("s1", "side", in: space)
    try side.put("s2", "side", in: space)
    let base = mine.heads
    try mine.document.merge(side.document)
    let merge = try mine.set("both", "merged")
    var write = mine.write([merge], on: base)
    let refused = try space.submit(write)
    #expect(refused.code == .missingDependency)
    write.mergeOf = [.init(branch: "side", heads: base)]
    #expect(try space.submit(write).code == .staleBaseHeads)
    write.mergeOf = [.init(branch: "side", heads: side.heads)]
    write.closesSources = true
    let receipt = try space.submit(write)
    #expect(receipt.results[0].applied == 3)
    #expect(receipt.results[0].heads == mine.heads)
    #expect(try space.tip(mine.ref) == #"{"main":"m","merged":"both","n":5,"side":"s2"}"#)
    let closed = try space.branch(side.ref)
    #expect(closed.isClosed)
    #expect(closed.mergedInto == "main")
    #expect(try fixture.reopened().verify().findings == [])
  }

  @Test func mergeThatLeavesTwoHeadsClosesNothing() throws {
    let (mine, other) = try parted()
    var side = other
    try side.put("s", "side", in: space)
    var write = mine.write([], on: mine.heads)
    write.mergeOf = [.init(branch: "side", heads: side.heads)]
    write.closesSources = true
    let receipt = try space.submit(write)
    #expect(receipt.results[0].heads?.count == 2)
    #expect(try !space.branch(side.ref).isClosed)
  }

  @Test func serverMergesBranchesOnlyIfTheSettingAllows() throws {
    let (mine, other) = try parted()
    var side = other
    try side.put("s", "side", in: space)
    let refused = try space.merge("side", into: mine.ref)
    #expect(refused.code == .serverMergeDisabled)
    #expect(try space.branch(mine.ref).heads == mine.heads)
    try space.allowServerMerge()
    let receipt = try space.merge("side", into: mine.ref)
    #expect(receipt.results[0].heads?.count == 1)
    #expect(receipt.results[0].applied == 2)
    #expect(try space.branch(side.ref).mergedInto == "main")
    let reopened = try fixture.reopened()
    #expect(try reopened.tip(mine.ref) == #"{"main":"m","n":5,"side":"s"}"#)
    #expect(try reopened.verify().findings == [])
  }

  @Test func serverMergesOnTwoBranchesHaveTwoAuthors() throws {
    try space.allowServerMerge()
    let (main, _) = try history()
    _ = try fork("a", .tip)
    _ = try fork("b", .tip)
    for name in ["a", "b"] {
      var left = Replica(main, branch: name)
      var right = Replica(main, branch: name)
      let base = left.heads
      let changes = [try left.set("l", "l\(name)"), try right.set("r", "r\(name)")]
      var write = left.write(changes, on: base)
      write.mergesHeads = true
      #expect(try space.submit(write).isStored)
    }
    #expect(try space.merge("a", into: main.ref).isStored)
    #expect(try space.merge("b", into: main.ref).isStored)
    #expect(try space.branch(main.ref).heads.count == 1)
    #expect(try space.verify().findings == [])
  }
}
