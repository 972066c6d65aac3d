// How a connection reads its WAL: in the WAL's read window, or by asking the sidecar.
//
// The window is true while the sidecar owns the database. SQLite's rules do the rest: a connection
// reads no frame before the index says that it was written, and nobody overwrites a frame while a
// reader's mark protects it. So the window may be used only as long as the connection has its locks,
// which it may have lost unknowingly. After each copy it looks whether the sidecar and the session
// live, and once in a second it asks the sidecar for a page.
//
// Only the frames that the connection itself has posted and the sidecar may not have written yet must
// be waited for. Others' frames are written before the index tells of them.
//
// The window says nothing of the WAL's size: it may end before what is not durable yet.

internal import CSluice
internal import SluiceChannel
internal import SluiceClient
internal import SluiceSystem
internal import SluiceWire

/// Only the WAL's connection uses it.
struct WALWindow {
  private var region: WindowRegion?
  private var life: Life?
  /// How often the sidecar was asked for a page while there was no window.
  private var requestCount = 0
  /// When the sidecar last answered a read, by the coarse clock. It answers only if the connection
  /// still has its locks.
  private var confirmedAt: Int64 = .min / 2
  private var posted: PostedWrites

  private static var beliefNanoseconds: Int64 { 1_000_000_000 }
  /// So many pages are read without a window, because a connection that reads a few and ends would
  /// spend more time on the mapping.
  private static var requestCountBeforeOpening: Int { 8 }

  init(on channel: Channel) { posted = PostedWrites(on: channel) }

  /// To be called before a write is posted.
  @inline(__always)
  mutating func willPost(at offset: Int64, byteCount: Int) {
    posted.add(at: offset, byteCount: byteCount)
  }

  /// A write that was waited for is done, and so are all that were posted before it.
  @inline(__always)
  mutating func allIsWritten() { posted.removeAll() }

  /// Fills `buffer` from `offset`. False if the sidecar must be asked: there is no window, or it does not
  /// show that part.
  @inline(__always)
  mutating func copy(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int64, of wal: RemoteFile
  ) throws(CallError) -> Bool {
    if let region, let life,
      Clock.coarseNanoseconds() - confirmedAt < Self.beliefNanoseconds
    {
      if posted.overlap(offset, byteCount: buffer.count) {
        try wal.settle()
        allIsWritten()
      }
      if unsafe region.copy(into: buffer, at: offset), !life.isOver, wal.channel.session.isUsable {
        return true
      }
    }
    return false
  }

  /// Reads into `buffer` from `offset`; how many bytes.
  @inline(never)
  mutating func ask(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int64, of wal: RemoteFile
  ) throws(CallError) -> Int {
    let byteCount = try unsafe wal.read(into: buffer, at: offset)
    // The sidecar reads after it has written what was posted before.
    allIsWritten()
    confirmedAt = Clock.coarseNanoseconds()
    if region?.isRetired ?? false { region = nil }
    if region == nil { open(wal) }
    return byteCount
  }

  private mutating func open(_ wal: RemoteFile) {
    guard wal.channel.shortcuts.contains(.readWindow) else { return }
    requestCount += 1
    guard requestCount >= Self.requestCountBeforeOpening else { return }
    guard let opened = try? wal.openWindow() else {
      // It is not asked for again.
      requestCount = .min
      return
    }
    region = opened.region
    life = opened.life
  }
}
