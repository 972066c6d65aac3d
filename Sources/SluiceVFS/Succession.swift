// How a connection goes on when its sidecar is dead: with the next one on the same socket, or with
// a new private one.
//
// What was under way fails, and SQLite rolls it back. A connection that holds nothing opens its file
// again when it takes its next lock. Nobody kept the file for it meanwhile, so two things are made sure
// of.
//
//   It is the same file. Device and inode number may be another's by now: the sidecar's `origin` tells
//   (RemoteFile.isCertainlySame). Where nothing tells, the connection ends, and the program opens anew.
//
//   SQLite drops its pages, for in the same file there may be other content, a snapshot that somebody
//   restored: nothing that SQLite looks at need have changed. In rollback mode it looks, when it has
//   taken SHARED, at the 16 bytes from offset 24 on, the change counter among them, and drops its pages
//   if they are not what it remembers (sqlite3PagerSharedLock in pager.c). It reads those 16 bytes alone
//   for no other purpose, never by pointer, and remembers only what it reads with the whole of page 1.
//   So the first such read after a succession is answered with bytes that no database has.
//
// In WAL mode a connection holds SHARED between its transactions too, and SQLite keeps its WAL open
// and the addresses of the WAL index. So all three are opened anew when it asks for the first lock of
// the index: the new index is mapped where the old one was. Then the first lock of a transaction is
// refused with SQLITE_BUSY_RECOVERY, for which SQLite calls the busy handler, and drops its pages
// (pagerBeginReadTransaction in pager.c): it cannot know whether they are good, since an index that was
// set up anew may look as the old one did and mean other content.
//
// While nobody kept SHARED for it the database may have left WAL mode. Then the connection ends.

internal import CSQLite
internal import SluiceClient
internal import SluiceWire

extension OpenFile {
  /// Opens the database in the next sidecar. Blocks while that is just starting, for half a second at most.
  @inline(never)
  func succeed() throws(VFSError) { move(to: try openSuccessor()) }

  private func openSuccessor() throws(VFSError) -> RemoteFile {
    let session = try Registry.current.session(
      after: remote.channel.session, milliseconds: connectMilliseconds)
    return try openAgain(in: session)
  }

  /// The same for a connection in WAL mode that asked for a lock or a part of the WAL index, and had
  /// this answer. Throws that unless nothing but SHARED is held.
  @inline(never)
  func succeedInWALMode(_ error: CallError) throws(VFSError) {
    guard level == .shared, !wait.holdsWALLocks else { throw .call(error) }
    let successor = try openSuccessor()
    do throws(CallError) {
      try successor.lock(.shared)
    } catch {
      // SQLite would try the lock of the index again and again.
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
  /// Whether this read is SQLite's look at what changes with the file, and was answered with what no
  /// file has there: the number of a free page, in bytes 32 to 35, is never that.
  @inline(never)
  func showsAnotherVersion(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int64) -> Bool {
    guard offset == 24, buffer.count == 16 else { return false }
    mustShowAnotherVersion = false
    unsafe buffer.initializeMemory(as: UInt8.self, repeating: 0)
    for byte in 8..<12 { unsafe buffer[byte] = 0xff }
    return true
  }
}

extension RemoteFile {
  /// Bytes 18 and 19 of the database's header are 2 in WAL mode (file format, section 1.3.3). They are
  /// changed by a transaction in rollback mode, and so stand in the file itself.
  func readsAsWALMode() throws(CallError) -> Bool {
    var versions: UInt16 = 0
    let byteCount = try unsafe withUnsafeMutableBytes(of: &versions) {
      (bytes) throws(CallError) in try unsafe read(into: bytes, at: 18)
    }
    return byteCount == 2 && versions == 0x0202
  }
}
