// Which writes to a rollback journal end a part of it, and which are waited for. SQLite writes a record
// in three pieces that follow one another: the page's number, the page, its checksum (file format,
// section 3). All other writes are parts by themselves: headers, the name of a super-journal, the zeros
// that end a journal.
//
// Only the pieces of one record are gathered. A program that looks at the journal of a transaction
// under way sees whole records, and a write that ends a journal is never held back. (To gather several
// records, frames or pages, up to 64 KiB, was no faster in transactions of thousands of pages.)
//
// A journal that stays ends with zeros over its header (journal_mode=PERSIST, locking_mode=EXCLUSIVE):
// that write is the commit. With synchronous=OFF no sync follows, so it must not be posted. If it fails
// unseen, the journal undoes a transaction that was acknowledged.

/// The record that a connection writes to its journal.
struct JournalWrites {
  /// Where the record's next piece begins; -1 without a record.
  private var end: Int64 = -1
  private var hasPage = false

  private static let numberByteCount = 4
  /// SQLite's smallest page.
  static let pageByteCountMinimum = 512

  /// Whether a write may be posted: it is not the one that ends the journal. A header has the size of
  /// a sector or a page.
  mutating func mayPost(byteCount: Int, at offset: Int64) -> Bool {
    guard offset == 0, byteCount < Self.pageByteCountMinimum else { return true }
    self = JournalWrites()
    return false
  }

  /// Whether a posted write ends a part. To be called once for each, in their order.
  mutating func endsPart(byteCount: Int, at offset: Int64) -> Bool {
    let isChecksum = hasPage && offset == end
    let isPage = !hasPage && offset == end && byteCount >= Self.pageByteCountMinimum
    let isNumber = byteCount == Self.numberByteCount && !isChecksum
    hasPage = isPage
    end = isPage || isNumber ? offset + Int64(byteCount) : -1
    return !isPage && !isNumber
  }
}
