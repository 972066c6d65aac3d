// The file of a space: what is none, what is too new, what is full, and who else writes.

import Foundation
import SluiceAutomerge
import Testing

@testable import SluiceEngine

@Suite(.timeLimit(.minutes(1)))
struct SpaceFileTests {
  let fixture: SpaceFixture

  init() throws { fixture = try SpaceFixture() }

  private func code(_ body: () throws -> Void) -> SpaceError.Code? {
    do { try body() } catch { return (error as? SpaceError)?.code }
    return nil
  }

  @Test func namesThatCouldLeaveTheDirectoryAreNone() throws {
    for text in [
      "", "did:key:", "did:key:../x", "did:key:a/b", "did:key:a\0b", "did:web:x", "../x",
      "did:key:é", "did:key:" + String(repeating: "z", count: 200),
    ] {
      #expect(code { _ = try SpaceName(text) } == .invalidSpace, "\(text)")
    }
    let name = try SpaceName("did:key:z6Mk")
    #expect(SpaceName(fileName: name.fileName) == name)
    #expect(SpaceName(fileName: "other.sqlite") == nil)
  }

  @Test func spaceThatIsNotThereIsAnError() throws {
    let directory = SpaceDirectory(.beneath(fixture.path), TestNotary.make())
    #expect(code { _ = try directory.space(SpaceFixture.name) } == .noSuchSpace)
    #expect(!FileManager.default.fileExists(atPath: fixture.file))
  }

  @Test func fileThatIsNoDatabaseStaysAsItIs() throws {
    let text = Data(String(repeating: "no database ", count: 1000).utf8)
    try text.write(to: URL(fileURLWithPath: fixture.file))
    #expect(code { _ = try fixture.space() } == .notASpace)
    #expect(try Data(contentsOf: URL(fileURLWithPath: fixture.file)) == text)
  }

  @Test func databaseOfSomethingElseIsNoSpace() throws {
    try fixture.tamper("CREATE TABLE t(x); INSERT INTO t VALUES (1);")
    #expect(code { _ = try fixture.space() } == .notASpace)
  }

  @Test func newerSchemaIsRefused() throws {
    _ = try fixture.space()
    try fixture.tamper("PRAGMA user_version = 99")
    #expect(code { _ = try fixture.reopened() } == .newerSchema)
  }

  @Test func spaceIsOneForTheWholeProcess() throws {
    let directory = SpaceDirectory(.beneath(fixture.path), TestNotary.make())
    let first = try directory.space(SpaceFixture.name, creates: true)
    #expect(try directory.space(SpaceFixture.name) === first)
    directory.close()
  }

  @Test func fullDiskStoresNothingAndLosesNothing() throws {
    let space = try fixture.space()
    var replica = try Replica("doc:a")
    try replica.put("x", "k", in: space)
    let before = replica
    try space.write { (writer) throws(DatabaseError) in try writer.connection.limit(pageCount: 30) }
    let large = ScalarValue.bytes((0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
    #expect(code { try replica.put(large, "large", in: space) } == .diskFull)
    replica = before
    #expect(try space.tip(replica.ref) == #"{"k":"x"}"#)
    #expect(try replica.put("y", "k", in: space).transactionID == 2)
    try space.write { (writer) throws(DatabaseError) in
      try writer.connection.limit(pageCount: 1_000_000)
    }
    #expect(try replica.put(large, "large", in: space).transactionID == 3)
    #expect(try fixture.reopened().verify().findings == [])
  }

  @Test func fullDiskFailsOneOfAGroupOnly() throws {
    let space = try fixture.space()
    var first = try Replica("doc:0")
    try first.put(0, "k", in: space)
    try space.write { (writer) throws(DatabaseError) in try writer.connection.limit(pageCount: 60) }
    let large = ScalarValue.bytes((0..<400_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
    let group = DispatchGroup()
    let stored = NSLock()
    nonisolated(unsafe) var count = 0
    for number in 1...8 {
      group.enter()
      Thread.detachNewThread {
        for turn in 0..<5 {
          guard var replica = try? Replica("doc:\(number).\(turn)") else { continue }
          let value: ScalarValue = number == 1 ? large : .int(Int64(turn))
          let receipt = try? replica.put(value, "k", in: space)
          if receipt?.isStored == true { stored.withLock { unsafe count += 1 } }
        }
        group.leave()
      }
    }
    #expect(group.wait(timeout: .now() + 50) == .success)
    #expect(unsafe count == 35)
    #expect(try space.epoch() == 36)
    #expect(try fixture.reopened().verify().findings == [])
  }

  @Test func writesOfAnotherProcessAreSeen() throws {
    let space = try fixture.space()
    var replica = try Replica("doc:a")
    try replica.put("x", "k", in: space)
    let other = SpaceDirectory(.beneath(fixture.path), TestNotary.make(seed: 9))
    let second = try other.space(SpaceFixture.name)
    #expect(try replica.put("y", "k", in: second).transactionID == 2)
    #expect(try replica.put("z", "k", in: space).transactionID == 3)
    #expect(try space.verify().findings == [])
    other.close()
  }

  @Test func branchesThatDoNotFitInMemoryAreLoadedAgain() throws {
    fixture.options.liveByteCountMax = 40_000
    let space = try fixture.space()
    var replicas = try (0..<20).map { try Replica("doc:\($0)") }
    for turn in 0..<5 {
      for index in replicas.indices {
        #expect(try replicas[index].put(.int(Int64(turn)), "k", in: space).isStored)
      }
    }
    for replica in replicas { #expect(try space.tip(replica.ref) == #"{"k":4}"#) }
    let byteCount = space.live.table.withLock { $0.byteCount }
    #expect(byteCount <= 60_000)
    #expect(try space.verify().findings == [])
  }

  @Test func observersHearOfCommitsInOrder() throws {
    final class Listener: SpaceObserver {
      let lock = NSLock()
      nonisolated(unsafe) var epochs: [Int64] = []
      func spaceHasCommitted(_ notices: [SpaceCommit]) {
        lock.withLock { unsafe epochs += notices.map(\.epoch) }
      }
    }
    let space = try fixture.space()
    let listener = Listener()
    space.add(listener)
    var replica = try Replica("doc:a")
    for number in 1...3 { try replica.put(.int(Int64(number)), "k", in: space) }
    let stale = try Replica("doc:a")
    #expect(try !space.submit(stale.write([], on: stale.heads)).isStored)
    space.remove(listener)
    try replica.put(4, "k", in: space)
    #expect(unsafe listener.epochs == [1, 2, 3])
  }
}
