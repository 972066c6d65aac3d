// Which writes to a rollback journal end a part of it, with the orders in which SQLite's pager.c makes
// writes.

import Testing

@testable import SluiceVFS

struct JournalWritesTests {
  private static let pageByteCount = 1024

  private func ends(_ byteCount: Int, at offset: Int64, _ writes: inout JournalWrites) -> Bool {
    writes.endsPart(byteCount: byteCount, at: offset)
  }

  private func mayPost(_ byteCount: Int, at offset: Int64, _ writes: inout JournalWrites) -> Bool {
    writes.mayPost(byteCount: byteCount, at: offset)
  }

  /// Writes pieces that follow one another. Returns which of them ended a part.
  private func append(
    _ byteCounts: [Int], at offset: Int64, to writes: inout JournalWrites
  ) -> [Bool] {
    var end = offset
    return byteCounts.map { byteCount in
      defer { end += Int64(byteCount) }
      return writes.endsPart(byteCount: byteCount, at: end)
    }
  }

  @Test(arguments: [512, 1024, 65536])
  func aRecordEndsWithItsChecksum(pageByteCount: Int) {
    var writes = JournalWrites()
    #expect(append([4096], at: 0, to: &writes) == [true])
    for record in 0..<3 {
      let offset = Int64(4096 + record * (pageByteCount + 8))
      #expect(append([4, pageByteCount, 4], at: offset, to: &writes) == [false, false, true])
    }
  }

  /// The write that commits with journal_mode=PERSIST, and the others that are no records.
  @Test(arguments: [28, 12, 4096, 512])
  func everyOtherWriteIsAPartByItself(byteCount: Int) {
    var writes = JournalWrites()
    _ = append([4096, 4, 1024, 4], at: 0, to: &writes)
    #expect(ends(byteCount, at: 0, &writes))
    // A record that was given up has no part in it.
    _ = append([4, 1024], at: 4096, to: &writes)
    #expect(ends(byteCount, at: 0, &writes))
    #expect(append([4, 1024, 4], at: 4096, to: &writes) == [false, false, true])
  }

  @Test func theWriteThatEndsTheJournalIsWaitedFor() {
    var writes = JournalWrites()
    #expect(mayPost(4096, at: 0, &writes))
    #expect(mayPost(512, at: 0, &writes))
    #expect(append([4096, 4, 1024], at: 0, to: &writes) == [true, false, false])
    #expect(mayPost(28, at: 5124, &writes))
    #expect(!mayPost(28, at: 0, &writes))
    #expect(append([4], at: 5124, to: &writes) == [false], "no record is left")
  }

  @Test func aChecksumElsewhereIsTheNumberOfAnotherRecord() {
    var writes = JournalWrites()
    _ = append([4, 1024], at: 4096, to: &writes)
    #expect(append([4, 1024, 4], at: 9000, to: &writes) == [false, false, true])
  }
}

struct PostedWritesTests {
  @Test func piecesThatFollowOneAnotherTakeOnePlace() throws {
    var posted = PostedWrites(requestCountMaximum: 32)
    for frame in 0..<32 {
      // The frames lie apart, the pieces of each follow one another.
      posted.add(at: Int64(frame * 5000), byteCount: 24)
      posted.add(at: Int64(frame * 5000 + 24), byteCount: 4096)
    }
    for frame in 0..<32 {
      #expect(posted.overlap(Int64(frame * 5000), byteCount: 1))
      #expect(posted.overlap(Int64(frame * 5000 + 4119), byteCount: 1))
      #expect(!posted.overlap(Int64(frame * 5000 + 4120), byteCount: 100))
    }
    posted.removeAll()
    #expect(!posted.overlap(0, byteCount: 5000))
  }
}
