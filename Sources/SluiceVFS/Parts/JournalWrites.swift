// Which writes to a rollback journal end a part of it. SQLite writes a record in three pieces that
// follow one another: the page's number, the page, its checksum (file format, section 3). All other
// writes are parts by themselves: headers, the name of a super-journal, the zeros that end a journal.
//
// Only the pieces of one record are gathered. A program that looks at the journal of a transaction
// under way sees whole records, and a write that ends a journal is never held back. (To gather several
// records, frames or pages, up to 64 KiB, was no faster in transactions of thousands of pages.)

/// The record that a connection writes to its journal.
struct JournalWrites {
  /// Where the record's next piece begins; -1 without a record.
  private var end: Int64 = -1
  private var hasPage = false

  private static let numberByteCount = 4
  /// SQLite's smallest page.
  static let pageByteCountMinimum = 512

  /// Whether a write ends a part. To be called once for each write, in their order.
  mutating func endsPart(byteCount: Int, at offset: Int64) -> Bool {
    let isChecksum = hasPage && offset == end
    let isPage = !hasPage && offset == end && byteCount >= Self.pageByteCountMinimum
    let isNumber = byteCount == Self.numberByteCount && !isChecksum
    hasPage = isPage
    end = isPage || isNumber ? offset + Int64(byteCount) : -1
    return !isPage && !isNumber
  }
}
