// Content by its digest.

import SluiceAutomerge
import Testing

@testable import SluiceEngine

@Suite(.timeLimit(.minutes(1)))
struct ContentStoreTests {
  let fixture: SpaceFixture
  let space: Space

  init() throws {
    fixture = try SpaceFixture()
    space = try fixture.space()
  }

  @Test func eachKindComesBack() throws {
    var replica = try Replica("doc:a")
    let change = try replica.set("x", "k")
    let file = replica.document.save()
    let changeDigest = try space.put(.change, change.compressedBytes)
    let fileDigest = try space.put(.snapshot, file, meta: #"{"docId":"doc:a"}"#)
    let blobDigest = try space.put(.blob, [1, 2, 3], meta: #"{"n":1}"#)
    #expect(changeDigest == change.hash.description)
    #expect(blobDigest == "039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81")
    #expect(try space.put(.blob, [1, 2, 3], meta: #"{"n":2}"#) == blobDigest)
    for space in [space, try fixture.reopened()] {
      #expect(try space.content(changeDigest) == Content(kind: .change, bytes: change.bytes))
      #expect(
        try space.content(fileDigest)
          == Content(kind: .snapshot, bytes: file, meta: #"{"docId":"doc:a"}"#))
      #expect(
        try space.content(blobDigest) == Content(kind: .blob, bytes: [1, 2, 3], meta: #"{"n":1}"#))
      #expect(try space.hasContent(blobDigest))
      #expect(try space.hasContent(changeDigest))
      #expect(try !space.hasContent(String(repeating: "0", count: 64)))
      #expect(try space.content(String(repeating: "0", count: 64)) == nil)
    }
  }

  @Test func whatIsNotItsKindIsRefused() throws {
    #expect(throws: SpaceError.self) { try space.put(.change, [1, 2]) }
    #expect(throws: SpaceError.self) { try space.put(.snapshot, [1, 2]) }
    #expect(throws: SpaceError.self) { try space.put(.blob, [1], meta: "[1]") }
    #expect(throws: SpaceError.self) { try space.content("xyz") }
    #expect(throws: SpaceError.self) { try space.hasContent(String(repeating: "g", count: 64)) }
  }

  @Test func damagedContentIsNotGiven() throws {
    let digest = try space.put(.blob, [1, 2, 3])
    try fixture.tamper("UPDATE cas_blobs SET bytes = x'00'")
    #expect(throws: SpaceError.self) { try space.content(digest) }
  }

  @Test func changesAreFoundBySequenceAndByTransaction() throws {
    var replica = try Replica("doc:a")
    let base = replica.heads
    let changes = [try replica.set("x", "k"), try replica.set("y", "k")]
    _ = try space.submit(replica.write(changes, on: base))
    try replica.put("z", "k", in: space)
    #expect(try space.change(replica.ref, sequence: 2)?.hash == changes[1].hash)
    #expect(try space.changes(replica.ref, ofTransaction: 1).map(\.hash) == changes.map(\.hash))
    #expect(try space.changes(replica.ref, ofTransaction: 2).map(\.sequence) == [3])
    #expect(try space.changes(replica.ref, ofTransaction: 9).isEmpty)
    let log = try space.log(replica.ref)
    #expect(log.map(\.epoch) == [2, 1])
    #expect(log.map(\.changes[0].sequences) == [3..<4, 1..<3])
  }
}
