// Which writes to a WAL are waited for, with the orders in which SQLite's wal.c makes writes.

import Testing

@testable import SluiceVFS

struct WALWritesTests {
  private static let pageByteCount = 1024

  private func header(endsTransaction: Bool) -> [UInt8] {
    var header = [UInt8](repeating: 0xa5, count: 24)
    header.replaceSubrange(4..<8, with: endsTransaction ? [0, 0, 0, 3] : [0, 0, 0, 0])
    return header
  }

  private func offset(_ frame: Int) -> Int64 { Int64(32 + frame * (24 + Self.pageByteCount)) }

  /// Writes a frame. Returns whether its header and its page were posted.
  private func append(
    _ frame: Int, endsTransaction: Bool, to writes: inout WALWrites
  ) -> [Bool] {
    [
      write(header(endsTransaction: endsTransaction), at: offset(frame), to: &writes),
      write([UInt8](repeating: 1, count: Self.pageByteCount), at: offset(frame) + 24, to: &writes),
    ]
  }

  private func write(_ bytes: [UInt8], at offset: Int64, to writes: inout WALWrites) -> Bool {
    unsafe bytes.withUnsafeBytes { unsafe writes.mayPost($0, at: offset) }
  }

  @Test func onlyThePageOfTheLastFrameIsWaitedFor() {
    var writes = WALWrites()
    for transaction in 0..<3 {
      let first = transaction * 2
      #expect(append(first, endsTransaction: false, to: &writes) == [true, true])
      #expect(append(first + 1, endsTransaction: true, to: &writes) == [true, false])
    }
  }

  /// The cache spilled frame 0, and its page was then changed again. SQLite overwrites the page and
  /// then all headers. The last of these is the header of the frame that ends the transaction.
  @Test func theLastHeaderIsWaitedForWhereHeadersAreWrittenAgain() {
    var writes = WALWrites()
    _ = append(0, endsTransaction: false, to: &writes)
    _ = append(1, endsTransaction: false, to: &writes)
    let page = [UInt8](repeating: 2, count: Self.pageByteCount)
    #expect(write(page, at: offset(0) + 24, to: &writes))
    #expect(append(2, endsTransaction: true, to: &writes) == [true, false])
    #expect(write(header(endsTransaction: false), at: offset(0), to: &writes))
    #expect(write(header(endsTransaction: false), at: offset(1), to: &writes))
    #expect(!write(header(endsTransaction: true), at: offset(2), to: &writes))
  }
}
