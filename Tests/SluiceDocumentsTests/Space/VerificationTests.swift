// Verification finds what a stranger with the right to write has changed.

import SluiceAutomerge
import Testing

@testable import SluiceEngine

@Suite(.timeLimit(.minutes(1)))
struct VerificationTests {
  let fixture: SpaceFixture

  init() throws {
    fixture = try SpaceFixture()
    let space = try fixture.space()
    var replica = try Replica("doc:a")
    for number in 1...4 {
      let base = replica.heads
      let change = try replica.set(.int(Int64(number)), "n")
      _ = try space.submit(
        TransactionRequest(
          clientTransactionID: "t\(number)", client: .init(name: "c"),
          reads: number == 1 ? [] : [.init(replica.ref, heads: base)],
          writes: [replica.write([change], on: base)]))
    }
    try space.takeSnapshot(replica.ref)
    _ = try space.createBranch(
      BranchReference("doc:a", branch: "b"), from: .branch("main", at: .epoch(2)))
  }

  @Test func spaceThatNobodyTouchedIsGood() throws {
    let result = try fixture.reopened().verify()
    #expect(result.isGood)
    #expect(result.transactionCount == 4)
    #expect(result.branchCount == 2)
    #expect(result.changeCount == 4)
    #expect(result.snapshotCount == 1)
    #expect(result.receiptCount == 4)
  }

  @Test(arguments: [
    "UPDATE tx SET committed_at = '2030-01-01T00:00:00.000Z' WHERE tx_id = 2",
    "UPDATE tx SET client = 'other' WHERE tx_id = 2",
    "UPDATE tx SET server_sig = zeroblob(64) WHERE tx_id = 3",
    "UPDATE tx SET server_sig = NULL WHERE tx_id = 4",
    "UPDATE tx SET tx_hash = zeroblob(32) WHERE tx_id = 3",
    "DELETE FROM tx WHERE tx_id = 2",
    "DELETE FROM tx_reads WHERE tx_id = 3",
    "DELETE FROM tx_docs WHERE tx_id = 3",
    "UPDATE tx_docs SET heads_json = '[]' WHERE tx_id = 4",
    "UPDATE am_heads SET root_hash = zeroblob(32)",
    "UPDATE am_heads SET tx_id = 1 WHERE branch_id = 1",
    "UPDATE am_snapshots SET upto_seq_no = 3",
    "UPDATE am_change_index SET change_id = 1 WHERE seq_no = 2",
    "DELETE FROM am_change_index WHERE seq_no = 3",
    "UPDATE am_change_blobs SET bytes = x'00' WHERE change_id = 2",
    "UPDATE branches SET origin_heads_json = '[]' WHERE name = 'b'",
    "UPDATE branches SET parent_seq_no = 1 WHERE name = 'b'",
    "UPDATE tx_dedup SET tx_id = 1",
    "UPDATE branches SET root = 'plain'",
  ])
  func whatAStrangerChangesIsFound(_ sql: String) throws {
    try fixture.tamper(sql)
    let directory = SpaceDirectory(.beneath(fixture.path), TestNotary.make())
    #expect(try !directory.space(SpaceFixture.name).verify().isGood)
    directory.close()
  }

  @Test func damagedDocumentsAreNotRead() throws {
    try fixture.tamper(
      "DELETE FROM am_snapshots; UPDATE am_change_blobs SET bytes = x'00' WHERE change_id = 2")
    let space = try fixture.reopened()
    do throws(SpaceError) {
      _ = try space.json(BranchReference("doc:a"), at: .tip)
      Issue.record("the damaged document was read")
    } catch {
      #expect(error.code == .damaged)
    }
  }
}
