// Transactions of several threads share a commit, and nobody sees one before it is durable.

import Foundation
import SluiceAutomerge
import Testing

@testable import SluiceEngine

@Suite(.timeLimit(.minutes(1)))
struct GroupTests {
  let fixture: SpaceFixture
  let space: Space

  init() throws {
    fixture = try SpaceFixture()
    space = try fixture.space()
  }

  /// Has the writer's turn taken by `body`, and goes on when that has begun. The semaphore that it
  /// gets lets it end.
  private func hold(
    _ body: @escaping @Sendable (SpaceWriter) throws(DatabaseError) -> Void
  ) -> (release: DispatchSemaphore, ended: DispatchSemaphore) {
    let begun = DispatchSemaphore(value: 0)
    let release = DispatchSemaphore(value: 0)
    let ended = DispatchSemaphore(value: 0)
    let space = space
    Thread.detachNewThread {
      try? space.write { (writer) throws(DatabaseError) in
        try body(writer)
        begun.signal()
        release.wait()
      }
      ended.signal()
    }
    begun.wait()
    return (release, ended)
  }

  @Test func stateIsShownOnlyOnceItIsDurable() throws {
    var replica = try Replica("doc:a")
    try replica.put("old", "k", in: space)
    let base = replica.heads
    let change = try replica.set("new", "k")
    var fresh = try Replica("doc:fresh")
    let freshBase = fresh.heads
    let request = TransactionRequest(writes: [
      replica.write([change], on: base), fresh.write([try fresh.set(1, "k")], on: freshBase),
    ])
    let prepared = PreparedTransaction(request, space.notary)
    let (release, ended) = hold { (writer) throws(DatabaseError) in
      _ = try writer.submit(prepared)
    }
    #expect(try space.json(replica.ref, at: ["k"]) == #""old""#)
    #expect(try space.tip(replica.ref) == #"{"k":"old"}"#)
    #expect(try space.state(replica.ref, at: .tip).heads == base)
    #expect(try space.state(replica.ref, at: .epoch(9)).epoch == 1)
    #expect(throws: SpaceError.self) {
      try space.json(replica.ref, at: .heads(Heads([change.hash])))
    }
    #expect(try Heads(Document(loading: space.bytes(replica.ref, at: .tip).bytes).heads) == base)
    #expect(throws: SpaceError.self) { try space.tip(fresh.ref) }
    try space.takeSnapshotWithoutWriting(replica.ref)
    release.signal()
    ended.wait()
    #expect(try space.tip(replica.ref) == #"{"k":"new"}"#)
    #expect(try space.tip(fresh.ref) == #"{"k":1}"#)
    #expect(try space.verify().findings == [])
  }

  @Test func groupThatFailsIsTakenBackInMemory() throws {
    var replica = try Replica("doc:a")
    try replica.put("old", "k", in: space)
    let base = replica.heads
    let change = try replica.set("new", "k")
    let prepared = PreparedTransaction(
      TransactionRequest(writes: [replica.write([change], on: base)]), space.notary)
    #expect(throws: SpaceError.self) {
      try space.write { (writer) throws(DatabaseError) in
        _ = try writer.submit(prepared)
        throw DatabaseError(10, "the disk is gone")
      }
    }
    #expect(try space.tip(replica.ref) == #"{"k":"old"}"#)
    let receipt = try space.submit(replica.write([change], on: base))
    #expect(receipt.transactionID == 2)
    #expect(try fixture.reopened().verify().findings == [])
  }

  @Test func transactionsThatWaitTogetherShareASignature() throws {
    let (release, ended) = hold { (_) throws(DatabaseError) in }
    let group = DispatchGroup()
    let space = space
    for number in 0..<6 {
      group.enter()
      Thread.detachNewThread {
        var replica = try! Replica("doc:\(number)")
        _ = try? replica.put(1, "k", in: space)
        group.leave()
      }
    }
    usleep(300_000)
    release.signal()
    ended.wait()
    #expect(group.wait(timeout: .now() + 30) == .success)
    let counts = try space.readers.read { (connection) throws(DatabaseError) in
      try connection.first("SELECT count(*), count(server_sig) FROM tx") {
        ($0.integer(0), $0.integer(1))
      }
    }
    #expect(counts?.0 == 6)
    #expect(try #require(counts).1 < 6)
    #expect(try space.verify().findings == [])
  }
}

extension Space {
  /// A snapshot must be of what is durable.
  fileprivate func takeSnapshotWithoutWriting(_ ref: BranchReference) throws {
    let copy = try copy(ref)
    #expect(copy.isAhead)
    #expect(try copy.document.prefix(copy.changeCount).heads == copy.state.heads.hashes)
  }
}
