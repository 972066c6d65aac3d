// Transactions: all or nothing, and an answer that says why.

import Foundation
import SluiceAutomerge
import Testing

@testable import SluiceEngine

@Suite(.timeLimit(.minutes(1)))
struct TransactionTests {
  let fixture: SpaceFixture
  let space: Space

  init() throws {
    fixture = try SpaceFixture()
    space = try fixture.space()
  }

  @Test func twoDocumentsAreWrittenTogether() throws {
    var a = try Replica("doc:a")
    var b = try Replica("doc:b")
    let bases = (a.heads, b.heads)
    let receipt = try space.submit(
      a.write([try a.set(1, "k")], on: bases.0), b.write([try b.set(2, "k")], on: bases.1))
    #expect(receipt.transactionID == 1)
    #expect(receipt.results.map(\.applied) == [1, 1])
    #expect(try space.branch(a.ref).epoch == 1)
    #expect(try space.branch(b.ref).epoch == 1)
    #expect(try space.transaction(1)?.changes.map(\.ref) == [a.ref, b.ref])
  }

  @Test func oneBadDocumentRollsBothBack() throws {
    var a = try Replica("doc:a")
    try a.put(0, "k", in: space)
    var b = try Replica("doc:b")
    let base = a.heads
    let lost = try b.set(1, "k")
    let change = try b.set(2, "k")
    let receipt = try space.submit(
      a.write([try a.set(1, "k")], on: base),
      b.write([change], on: Heads([try Genesis.change(of: "doc:b").hash])))
    #expect(receipt.transactionID == 0)
    #expect(receipt.results.map(\.status) == [.ok, .rejected])
    #expect(receipt.conflicts.count == 1)
    #expect(receipt.reason == "missing dep \(lost.hash)")
    #expect(try space.documents() == ["doc:a"])
    #expect(try space.branch(a.ref).heads == base)
    #expect(try space.tip(a.ref) == #"{"k":0}"#)
    #expect(throws: SpaceError.self) { try space.tip(b.ref) }
    #expect(try space.verify().findings == [])
  }

  @Test func staleBaseConflictsAndNamesTheHeads() throws {
    var left = try Replica("doc:a")
    try left.put("x", "k", in: space)
    var right = Replica(left)
    try left.put("y", "k", in: space)
    let receipt = try right.put("z", "k", in: space)
    #expect(receipt.code == .staleBaseHeads)
    #expect(receipt.reason == "baseHeads mismatch")
    #expect(receipt.conflicts[0].status == .conflict)
    #expect(receipt.conflicts[0].heads == left.heads)
  }

  @Test func staleBaseForksWhereServerMergeIsAllowed() throws {
    var left = try Replica("doc:a")
    try left.put("x", "k", in: space)
    var right = Replica(left)
    try left.put("y", "l", in: space)
    let base = right.heads
    let change = try right.set("z", "r")
    let refused = try space.submit(right.write([change], on: base, serverMerge: true))
    #expect(refused.code == .serverMergeDisabled)
    #expect(refused.reason == "cannot server-merge")
    try space.allowServerMerge()
    let receipt = try space.submit(right.write([change], on: base, serverMerge: true))
    #expect(receipt.results[0].heads?.count == 2)
    let unknown = try Replica("doc:z").heads
    let lost = try space.submit(right.write([], on: unknown, serverMerge: true))
    #expect(lost.code == .staleBaseHeads)
  }

  @Test func serverCollapsesHeadsOnRequestWithAnEmptyChange() throws {
    try space.allowServerMerge()
    var left = try Replica("doc:a")
    try left.put("x", "k", in: space)
    var right = Replica(left)
    try left.put("y", "l", in: space)
    let base = right.heads
    var write = right.write([try right.set("z", "r")], on: base, serverMerge: true)
    write.mergesHeads = true
    let receipt = try space.submit(write)
    #expect(receipt.results[0].heads?.count == 1)
    #expect(receipt.results[0].applied == 2)
    let merge = try Change(try #require(try space.change(left.ref, sequence: 4)).bytes)
    #expect(merge.operationCount == 0)
    #expect(merge.dependencies.count == 2)
    #expect(try space.tip(left.ref) == #"{"k":"x","l":"y","r":"z"}"#)
  }

  @Test func readsAreComparedAsSets() throws {
    var left = Replica(plain: "doc:a")
    var right = Replica(plain: "doc:a")
    let changes = [try left.set("l", "l"), try right.set("r", "r")]
    _ = try space.submit(left.write(changes, on: .none))
    let other = try Replica("doc:b")
    let reversed = Heads([changes[1].hash, changes[0].hash, changes[1].hash])
    let receipt = try space.submit(
      TransactionRequest(
        reads: [.init(left.ref, heads: reversed)], writes: [other.write([], on: other.heads)]))
    #expect(receipt.isStored)
    let base = try space.submit(left.write([], on: reversed))
    #expect(base.isStored)
  }

  @Test func readConflictIsToldAndRollsBack() throws {
    var a = try Replica("doc:a")
    let genesis = a.heads
    try a.put("x", "k", in: space)
    var b = try Replica("doc:b")
    let base = b.heads
    let receipt = try space.submit(
      TransactionRequest(
        reads: [.init(a.ref, heads: genesis)],
        writes: [b.write([try b.set("y", "k")], on: base)]))
    #expect(receipt.transactionID == 0)
    #expect(receipt.code == .readConflict)
    #expect(receipt.reason == "read conflict")
    #expect(receipt.conflicts[0].heads == a.heads)
    #expect(try space.documents() == ["doc:a"])
    let missing = try space.submit(
      TransactionRequest(reads: [.init(BranchReference("doc:none"), heads: .none)], writes: []))
    #expect(missing.code == .invalidBranch)
  }

  @Test func oneDocumentTwiceSeesTheFirstWrite() throws {
    var a = try Replica("doc:a")
    let base = a.heads
    let first = a.write([try a.set("x", "k")], on: base)
    let middle = a.heads
    let second = a.write([try a.set("y", "k")], on: middle)
    let receipt = try space.submit(first, second)
    #expect(receipt.results.map(\.applied) == [1, 1])
    #expect(receipt.results.map(\.sequence) == [1, 2])
    #expect(try space.verify().findings == [])
  }

  @Test func sameClientTransactionGetsItsReceiptAgain() throws {
    var a = try Replica("doc:a")
    let base = a.heads
    var request = TransactionRequest(
      clientTransactionID: "t1", client: .init(name: "did:key:zClient"),
      writes: [a.write([try a.set("x", "k")], on: base)])
    let first = try space.submit(request)
    #expect(first.isStored)
    #expect(try space.submit(request) == first)
    #expect(try fixture.reopened().submit(request) == first)
    let reopened = try fixture.space()
    request.writes[0].changes = []
    let other = try reopened.submit(request)
    #expect(other.code == .clientTransactionReused)
    #expect(other.reason == "clientTxId reused")
    request.client = .init(name: "did:key:zOther")
    #expect(try reopened.submit(request).code == .staleBaseHeads)
    #expect(try reopened.epoch() == 1)
    #expect(try reopened.verify().receiptCount == 1)
  }

  @Test func emptyWritesAreStored() throws {
    let a = try Replica("doc:a")
    let receipt = try space.submit(a.write([], on: a.heads))
    #expect(receipt.isStored)
    #expect(receipt.results[0].applied == 0)
    #expect(receipt.results[0].heads == Heads.none)
    #expect(try space.documents() == ["doc:a"])
  }

  @Test func committedTimesNeverFall() throws {
    var a = try Replica("doc:a")
    let first = try a.put(1, "k", in: space)
    fixture.clock.advance(by: -3_600_000)
    let second = try a.put(2, "k", in: space)
    #expect(try #require(second.committedAt) >= #require(first.committedAt))
    #expect(try fixture.reopened().epoch(at: try #require(first.committedAt)) == 2)
  }

  @Test func namesThatAreNoneAreRefused() throws {
    for (id, branch, code) in [
      ("", "main", TransactionReceipt.Code.invalidDoc), ("a\0b", "main", .invalidDoc),
      (String(repeating: "x", count: 1025), "main", .invalidDoc), ("doc:a", "", .invalidBranch),
      ("doc:a", "a\nb", .invalidBranch),
    ] {
      let receipt = try space.submit(
        .init(BranchReference(id, branch: branch), base: .current, changes: []))
      #expect(receipt.code == code)
      #expect(receipt.conflicts[0].status == .rejected)
    }
  }

  @Test func manyThreadsAreSerialised() throws {
    let space = space
    try space.allowServerMerge()
    var first = try Replica("doc:a")
    try first.put(0, "k", in: space)
    let group = DispatchGroup()
    for number in 0..<100 {
      group.enter()
      let replica = Replica(first)
      Thread.detachNewThread {
        var replica = replica
        let base = replica.heads
        let receipt = try? space.submit(
          replica.write(
            [try! replica.set(.int(Int64(number)), "n\(number)")], on: base, serverMerge: true))
        if receipt?.isStored != true { Issue.record("thread \(number) was refused") }
        group.leave()
      }
    }
    #expect(group.wait(timeout: .now() + 50) == .success)
    let branch = try space.branch(first.ref)
    #expect(branch.sequence == 101)
    #expect(branch.heads.count == 100)
    #expect(try space.verify().findings == [])
  }
}
