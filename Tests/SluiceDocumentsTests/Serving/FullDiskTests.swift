// A disk that is full: the transaction fails with its code, nothing of it is stored, and with room the
// same call works.

import Foundation
import SluiceDocuments
import Testing

@testable import SluiceEngine

@Suite(.timeLimit(.minutes(2))) struct FullDiskTests {
  @Test func aTransactionForWhichThereIsNoRoomStoresNothing() throws {
    let engine = try DocumentEngine()
    let connection = try engine.connect()
    try connection.set("a", 1)
    let hub = try #require(engine.offer.documents)
    let space = try hub.space(try SpaceName(DocumentEngine.space), in: [], creates: false)
    func limit(_ pageCount: Int64) throws {
      try space.write { (writer) throws(DatabaseError) in
        try writer.connection.limit(pageCount: pageCount)
      }
    }
    // As few pages as there are.
    try limit(1)
    var random = SystemRandomNumberGenerator()
    let noise = (0..<200_000).map { _ in UInt8.random(in: 0...255, using: &random) }
    let failure = #expect(throws: DocumentFailure.self) {
      try connection.put(DocumentContent(.blob, noise))
    }
    guard case .space("DiskFull", let message) = failure else {
      Issue.record("\(String(describing: failure))")
      return
    }
    #expect(!message.isEmpty)
    var storedCount = 1
    while true {
      do throws(DocumentFailure) {
        try connection.set("b", Int64(storedCount))
        storedCount += 1
      } catch {
        guard case .space("DiskFull", _) = error else {
          Issue.record("\(error)")
          return
        }
        break
      }
    }
    #expect(try connection.branch(plan).sequence == Int64(storedCount))
    #expect(try connection.verify().findings == [])
    try limit(1 << 20)
    #expect(try connection.set("c", 3)?.isStored == true)
    let digest = try connection.put(DocumentContent(.blob, noise))
    #expect(try connection.content(digest)?.bytes == noise)
    #expect(try connection.json(plan).state.sequence == Int64(storedCount + 1))
    #expect(try connection.verify().findings == [])
  }
}
