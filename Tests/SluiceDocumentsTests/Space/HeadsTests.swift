// Changes and heads: what a branch takes, and where it stands then.

import SluiceAutomerge
import Testing

@testable import SluiceEngine

@Suite(.timeLimit(.minutes(1)))
struct HeadsTests {
  let fixture: SpaceFixture
  let space: Space

  init() throws {
    fixture = try SpaceFixture()
    space = try fixture.space()
  }

  @Test func emptyBranchStandsAtNothing() throws {
    let branch = try space.createBranch(BranchReference("doc:a"))
    #expect(branch.heads == .none)
    #expect(branch.sequence == 0)
    #expect(branch.epoch == 0)
    #expect(
      hexText(branch.rootHash) == "27ebb33d2dfb4aeaa35d3e5b9337f4bd5feed3d2a469cf852634b32612bf253d"
    )
    #expect(try space.tip(branch.ref) == "{}")
  }

  @Test func linearChangesAdvanceTheSequenceAndReplaceTheHead() throws {
    var replica = try Replica("doc:a")
    let first = try replica.put("x", "title", in: space)
    #expect(first.transactionID == 1)
    #expect(first.results[0].applied == 1)
    #expect(first.results[0].root == .genesis)
    let second = try replica.put("y", "title", in: space)
    #expect(second.transactionID == 2)
    #expect(second.results[0].heads == replica.heads)
    #expect(second.results[0].sequence == 2)
    let branch = try space.branch(replica.ref)
    #expect(branch.heads == replica.heads)
    #expect(branch.rootHash == space.notary.digest(replica.heads.rootValue))
  }

  @Test func documentsWrittenByTheProtocolReadBack() throws {
    var replica = try Replica("doc:a")
    try replica.put("x", "title", in: space)
    #expect(try space.tip(replica.ref) == #"{"title":"x"}"#)
    #expect(try fixture.reopened().tip(replica.ref) == #"{"title":"x"}"#)
  }

  @Test func independentChangesOfAPlainDocumentLeaveTwoSortedHeads() throws {
    var left = Replica(plain: "doc:a")
    var right = Replica(plain: "doc:a")
    let first = try left.set("l", "l")
    let second = try right.set("r", "r")
    let receipt = try space.submit(left.write([first, second], on: .none))
    #expect(receipt.results[0].root == .plain)
    #expect(receipt.results[0].heads?.hashes == [first.hash, second.hash].sorted())
    #expect(try space.tip(left.ref) == #"{"l":"l","r":"r"}"#)
    try left.document.apply(second)
    let merged = try left.put("m", "m", in: space)
    #expect(merged.results[0].heads?.count == 1)
    #expect(merged.results[0].sequence == 3)
  }

  @Test func unknownDependencyIsRefusedAndNothingChanges() throws {
    var replica = try Replica("doc:a")
    try replica.put("x", "k", in: space)
    let base = replica.heads
    let lost = try replica.set("y", "k")
    let change = try replica.set("z", "k")
    let receipt = try space.submit(replica.write([change], on: base))
    #expect(receipt.transactionID == 0)
    #expect(receipt.code == .missingDependency)
    #expect(receipt.reason == "missing dep \(lost.hash)")
    #expect(receipt.results[0].status == .rejected)
    #expect(try space.branch(replica.ref).heads == base)
    #expect(try space.epoch() == 1)
  }

  @Test func forkFromAnOlderPointIsAccepted() throws {
    var left = try Replica("doc:a")
    try left.put("x", "k", in: space)
    var right = Replica(left)
    try left.put("y", "l", in: space)
    let fork = try right.set("z", "r")
    let receipt = try space.submit(right.write([fork], on: left.heads))
    #expect(receipt.isStored)
    #expect(receipt.results[0].heads?.count == 2)
    #expect(try space.tip(left.ref) == #"{"k":"x","l":"y","r":"z"}"#)
  }

  @Test func sequenceOfAnAuthorIsLastPlusOne() throws {
    let actor = try #require(ActorID([1, 2, 3]))
    var replica = try Replica("doc:a", actor: actor)
    try replica.put("x", "k", in: space)
    var twin = try Replica("doc:a", actor: actor)
    let again = try twin.set("other", "k")
    let receipt = try space.submit(replica.write([again], on: replica.heads))
    #expect(receipt.code == .nonMonotonicSequence)
    #expect(receipt.reason == "non-monotonic seq for actor 010203: 1 <= 1")
    // The author's second change, without the first.
    var lone = try Replica("doc:b", actor: actor)
    let base = lone.heads
    _ = try lone.set("first", "k")
    let second = try lone.set("second", "k")
    #expect(try space.submit(lone.write([second], on: base)).code == .missingDependency)
    var other = Replica(replica)
    let upon = try other.set("o", "o")
    #expect(try space.submit(other.write([upon], on: replica.heads)).isStored)
    #expect(try space.branch(replica.ref).sequence == 2)
  }

  @Test func replayLeavesHeadsAlone() throws {
    var replica = try Replica("doc:a")
    let genesis = replica.heads
    let first = try replica.set("x", "k")
    _ = try space.submit(replica.write([first], on: genesis))
    try replica.put("y", "k", in: space)
    let receipt = try space.submit(replica.write([first], on: genesis))
    #expect(receipt.isStored)
    #expect(receipt.results[0].applied == 0)
    #expect(receipt.results[0].heads == replica.heads)
    #expect(try space.branch(replica.ref).sequence == 2)
  }

  @Test func acceptedChangesAppearBySequence() throws {
    var replica = try Replica("doc:a")
    let genesis = replica.heads
    let changes = [try replica.set("x", "k"), try replica.set("y", "k")]
    let receipt = try space.submit(replica.write(changes, on: genesis))
    let stored = try space.changes(replica.ref, after: 0)
    #expect(stored.map(\.hash) == changes.map(\.hash))
    #expect(stored.map(\.sequence) == [1, 2])
    #expect(stored.map(\.epoch) == [receipt.transactionID, receipt.transactionID])
    #expect(try space.change(replica.ref, sequence: 2)?.bytes == changes[1].bytes)
    #expect(try space.change(replica.ref, sequence: 3) == nil)
  }

  @Test func wrongGenesisIsAConflictThatNamesTheRightOne() throws {
    var replica = try Replica("doc:other")
    let base = replica.heads
    let change = try replica.set("x", "k")
    let receipt = try space.submit(
      .init(BranchReference("doc:a"), base: .heads(base), changes: [change.bytes]))
    #expect(receipt.code == .incorrectGenesis)
    #expect(receipt.conflicts[0].status == .conflict)
    #expect(receipt.conflicts[0].heads?.hashes == [try Genesis.change(of: "doc:a").hash])
    #expect(try space.documents().isEmpty)
  }

  @Test func genesisIsThatOfTheOriginal() throws {
    #expect(
      try Genesis.change(of: "doc:test").hash.description
        == "c474c5c6b0cab50d5b90c79769fc6b26955e4e074b6aaf572d7cd16bc572cb49")
  }

  @Test func authorOfTheGenesisWritesNothingElse() throws {
    let actor = try #require(ActorID(Array("doc:a".utf8)))
    var replica = try Replica("doc:a", actor: actor)
    let receipt = try replica.put("x", "k", in: space)
    #expect(receipt.code == .invalidChange)
  }

  @Test func documentsWithAGenesisTakeNoChangeWithoutDependencies() throws {
    var replica = try Replica("doc:a")
    try replica.put("x", "k", in: space)
    var stranger = Replica(plain: "doc:a")
    let change = try stranger.set("y", "k")
    let receipt = try space.submit(stranger.write([change], on: replica.heads))
    #expect(receipt.code == .missingDependency)
  }

  @Test func nothingAsBaseIsRefusedWhereThereIsAGenesis() throws {
    var replica = try Replica("doc:a")
    let change = try replica.set("x", "k")
    #expect(try space.submit(replica.write([change], on: .none)).code == .incorrectGenesis)
    let other = try Replica("doc:a")
    #expect(try space.submit(other.write([], on: other.heads)).isStored)
    #expect(try space.submit(other.write([], on: .none)).code == .incorrectGenesis)
  }

  @Test func changeIsStoredOnceForTheWholeSpace() throws {
    var replica = try Replica("doc:a")
    let genesis = replica.heads
    let change = try replica.set("x", "k")
    let other = Replica(replica, branch: "other")
    _ = try space.submit(replica.write([change], on: genesis), other.write([change], on: genesis))
    #expect(try space.changes(other.ref, after: 0).map(\.hash) == [change.hash])
    let count = try space.readers.read { (connection) throws(DatabaseError) in
      try connection.first("SELECT count(*) FROM am_change_blobs") { $0.integer(0) }
    }
    #expect(count == 1)
  }

  @Test func bytesThatAreNoChangeAreRefused() throws {
    let ref = BranchReference("doc:a")
    let genesis = Heads([try Genesis.change(of: "doc:a").hash])
    for bytes in [[], [1, 2, 3], Array("not automerge".utf8)] as [[UInt8]] {
      let receipt = try space.submit(.init(ref, base: .heads(genesis), changes: [bytes]))
      #expect(receipt.code == .invalidChange)
    }
    var replica = try Replica("doc:a")
    var bytes = try replica.set("x", "k").bytes
    bytes[bytes.count - 1] ^= 1
    let receipt = try space.submit(.init(ref, base: .heads(genesis), changes: [bytes]))
    #expect(receipt.code == .invalidChange)
    #expect(try space.documents().isEmpty)
  }

  @Test func duplicateWithinAWriteIsRefused() throws {
    var replica = try Replica("doc:a")
    let genesis = replica.heads
    let change = try replica.set("x", "k")
    let receipt = try space.submit(replica.write([change, change], on: genesis))
    #expect(receipt.code == .duplicateChange)
  }

  @Test func compressedChangesAreTheSameChanges() throws {
    var replica = try Replica("doc:a")
    let genesis = replica.heads
    let change = try replica.set(.text(String(repeating: "long ", count: 200)), "k")
    #expect(change.compressedBytes.count < change.bytes.count)
    let receipt = try space.submit(
      .init(replica.ref, base: .heads(genesis), changes: [change.compressedBytes]))
    #expect(receipt.results[0].heads == replica.heads)
    #expect(try space.changes(replica.ref, after: 0)[0].bytes == change.bytes)
  }
}
