// Which writes to a WAL are waited for. With synchronous=NORMAL no sync follows a transaction, so
// its last write must not be posted. When the last write is done, all earlier writes are done too.
//
// SQLite's wal.c writes a frame's header, then its page, in two writes. If the frame ends a
// transaction, the header's bytes 4 to 7 are the size of the database, else zero (file format,
// section 4.1). Usually the page after such a header is the last write. The exception: the cache
// spilled a page, and the transaction wrote it again. Then the checksums from that page on have
// changed, and SQLite rewrites those headers at the end (walRewriteChecksums). The last write is
// then the header that ends the transaction.

/// The recent writes to one WAL. Only its connection uses it.
struct WALWrites {
  private var isCommitFrame = false
  /// Whether the last write was the last of a transaction.
  private(set) var endsTransaction = false
  /// The offset of the last header that ended a transaction.
  private var commitOffset: Int64 = -1

  private static let frameHeaderByteCount = 24

  /// Whether a write may be posted. To be called once for each write, in their order.
  mutating func mayPost(_ bytes: UnsafeRawBufferPointer, at offset: Int64) -> Bool {
    guard bytes.count == Self.frameHeaderByteCount else {
      // At the start of the file it is the header of a new WAL.
      endsTransaction = isCommitFrame && offset > 0
      return !isCommitFrame
    }
    endsTransaction = false
    isCommitFrame = unsafe bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self) != 0
    guard isCommitFrame else { return true }
    // The page that follows reports a failure of this write. No page follows a header that is
    // rewritten.
    let isWrittenAgain = offset == commitOffset
    commitOffset = offset
    endsTransaction = isWrittenAgain
    return !isWrittenAgain
  }
}
