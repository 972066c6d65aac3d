// Which writes to a WAL are waited for. With synchronous=NORMAL no sync follows a transaction, so
// that the last write that it makes must not be posted: when it is done, all before it are.
//
// SQLite's wal.c writes a frame's header by itself, then its page; the header's bytes 4 to 7 are the
// size of the database if the frame ends a transaction, else zero (file format, section 4.1). The
// last write is the page behind such a header, unless the transaction wrote a page a second time,
// after the cache had spilled it: then the headers from there on are written again at the end, for
// their checksums have changed (walRewriteChecksums), and the last write is that same header.

/// What one WAL was written lately. Used by its connection alone.
struct WALWrites {
  private var isCommitFrame = false
  /// Where the last header stands that ends a transaction.
  private var commitOffset: Int64 = -1

  private static let frameHeaderByteCount = 24

  /// Whether a write need not be waited for. Called once for each, in their order.
  mutating func mayPost(_ bytes: UnsafeRawBufferPointer, at offset: Int64) -> Bool {
    guard bytes.count == Self.frameHeaderByteCount else { return !isCommitFrame }
    isCommitFrame = unsafe bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self) != 0
    guard isCommitFrame else { return true }
    // The page that follows tells whether this failed; none follows a header that is written again.
    let isWrittenAgain = offset == commitOffset
    commitOffset = offset
    return !isWrittenAgain
  }
}
