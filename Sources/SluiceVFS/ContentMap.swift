// The database's content, mapped for reading, so that SQLite can use pages where they lie: xFetch
// and `PRAGMA mmap_size`. The kernel keeps the mapping coherent with every writer; SQLite's locks
// keep writers off the pages that are in use.

internal import CSQLite
internal import SluiceClient
internal import SluiceSystem

@safe
final class ContentMap {
  /// How much may be mapped, in bytes; 0 for nothing.
  private(set) var byteCountMaximum: Int64 = 0
  private var view: SharedMapping?
  /// How much of the mapping there is a file behind, as far as this connection knows.
  private var byteCount: Int64 = 0
  /// How many pages SQLite has in use; the mapping stays where it is meanwhile.
  private var useCount = 0
  /// There was no room for it in the address space: not tried again.
  private var isRefused = false

  /// Close to 2^31, as SQLite's own default for SQLITE_MAX_MMAP_SIZE.
  private static let byteCountLimit: Int64 = 0x7fff_0000

  /// Sets how much may be mapped; a negative number only asks. The value before.
  func setMaximum(_ byteCount: Int64) -> Int64 {
    let before = byteCountMaximum
    if byteCount >= 0, byteCount != before, useCount == 0 {
      byteCountMaximum = min(byteCount, ContentMap.byteCountLimit)
      drop()
    }
    return before
  }

  /// The address of a stretch of the file, in use until `giveBack`; nil where it is not mapped.
  func fetch(
    at offset: Int64, byteCount count: Int, of file: OpenFile
  ) throws(VFSError) -> UnsafeMutableRawPointer? {
    guard byteCountMaximum > 0, !isRefused else { return nil }
    let end = offset + Int64(count)
    if end > byteCount, useCount == 0, end <= byteCountMaximum { try map(file) }
    guard end <= byteCount, let view else { return nil }
    useCount += 1
    return unsafe view.start + Int(offset)
  }

  func giveBack() {
    precondition(useCount > 0, "SQLite gives back what it fetched")
    useCount -= 1
  }

  /// Forgets the mapping, for the file may have changed its size. SQLite uses no page of it.
  func drop() {
    view = nil
    byteCount = 0
  }

  /// The file has been cut: what lies behind the end must not be touched.
  func fileWasTruncated(toByteCount byteCount: Int64) {
    self.byteCount = min(self.byteCount, byteCount)
  }

  private func map(_ file: OpenFile) throws(VFSError) {
    let size = try call { () throws(CallError) in try file.remote.byteCount() }
    let wanted = min(size, byteCountMaximum)
    guard wanted > byteCount else { return }
    drop()
    // In a corrupt database SQLite may read a little beyond a page: into the zeros.
    view = try call { () throws(CallError) in try file.remote.mapContent(byteCount: Int(wanted)) }
    if view == nil { isRefused = true } else { byteCount = wanted }
  }
}
