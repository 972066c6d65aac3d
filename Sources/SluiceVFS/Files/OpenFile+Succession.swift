// How a connection continues after its sidecar died: with the next sidecar on the same socket, or
// with a new private one.
//
// A transaction under way fails, and SQLite rolls it back. A connection that holds no lock opens
// its file again when it takes its next lock. In the meantime nothing protected the file, so the
// connection establishes two facts.
//
//   It is the same file. Another file may have the same device and inode number by now, so the
//   sidecar's `origin` decides (RemoteFile.isCertainlySame). If it cannot decide, the connection
//   ends, and the program opens the database again.
//
//   SQLite drops its pages. The same file may have other content, for example a restored snapshot,
//   and the bytes that SQLite compares need not have changed. In rollback mode, SQLite takes SHARED
//   and reads the 16 bytes from offset 24, which contain the change counter. It drops its pages if
//   they differ from what it remembers (sqlite3PagerSharedLock in pager.c). It never reads just
//   these 16 bytes for another purpose, never reads them by pointer, and remembers them only from
//   reads of the whole page 1. So the first such read after a succession returns bytes that no
//   database has.
//
// In WAL mode a connection holds SHARED between its transactions too. SQLite also keeps its WAL
// open and keeps the addresses of the WAL index. So the connection opens all three again when
// SQLite asks for the first lock of the index, and maps the new index at the old addresses. Then
// the first lock of a transaction is refused with SQLITE_BUSY_RECOVERY. SQLite calls the busy
// handler and drops its pages (pagerBeginReadTransaction in pager.c). It cannot know whether they
// are valid, because a rebuilt index may look like the old one and mean other content.
//
// While nobody held SHARED for the connection, the database may have left WAL mode. Then the
// connection ends.

internal import CSQLite
internal import SluiceClient
internal import SluiceWire

extension OpenFile {
  /// Opens the database in the next sidecar. If that sidecar is just starting, this blocks for at
  /// most half a second.
  @inline(never)
  func succeed() throws(VFSError) { move(to: try openSuccessor()) }

  private func openSuccessor() throws(VFSError) -> RemoteFile {
    let session = try OpenFile.registry.sessions.session(
      after: remote.channel.session, milliseconds: connectMilliseconds)
    return try openAgain(in: session)
  }

  /// The same for a connection in WAL mode, whose request for a lock or a part of the WAL index
  /// failed with `error`. Throws `error` if the connection holds more than SHARED.
  @inline(never)
  func succeedInWALMode(_ error: CallError) throws(VFSError) {
    guard level == .shared, !wait.holdsWALLocks else { throw .call(error) }
    let successor = try openSuccessor()
    do throws(CallError) {
      try successor.lock(.shared)
    } catch {
      // SQLite would retry the lock of the index without end.
      throw error.isBusy ? .recovering : .call(error)
    }
    guard try call({ () throws(CallError) in try successor.readsAsWALMode() }) else {
      throw .replaced
    }
    let next = try wal?.openAgain(besides: successor)
    try mapAgain(successor)
    if let next { wal?.move(to: next) }
    move(to: successor)
    wasGranted()
    mustDropPages = true
  }

  private func mapAgain(_ successor: RemoteFile) throws(VFSError) {
    do throws(CallError) {
      try walIndex?.mapAgain(of: successor)
    } catch {
      walIndex?.letGo()
      throw .call(error)
    }
  }
}

extension OpenFile {
  /// Whether this read is SQLite's check for changes of the file. If so, fills `buffer` with bytes
  /// that no file has there: bytes 32 to 35 are the number of a free page, which never has this
  /// value.
  @inline(never)
  func showsAnotherVersion(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int64) -> Bool {
    guard offset == 24, buffer.count == 16 else { return false }
    mustShowAnotherVersion = false
    unsafe buffer.initializeMemory(as: UInt8.self, repeating: 0)
    for byte in 8..<12 { unsafe buffer[byte] = 0xff }
    return true
  }
}
