// How a connection goes on when its sidecar is dead: with the next one on the same socket, or with
// a new private one.
//
// What was under way fails, and SQLite rolls it back. A connection that holds nothing opens its file
// again when it takes its next lock, so that SQLite sees nothing of it: it trusts what it knows of a
// database only after a look at the change counter in the file, under that lock.
//
// In WAL mode a connection holds SHARED between its transactions too, and SQLite keeps its WAL open
// and the addresses of the WAL index. So all three are opened anew when it asks for the first lock of
// the index: the new index is mapped where the old one was. Then that lock is refused with
// SQLITE_BUSY_RECOVERY, for which SQLite calls the busy handler, and drops its pages (wal.c and pager.c,
// pagerBeginReadTransaction): they cannot be compared, since an index that was set up anew may look as
// the old one did and mean another database.
//
// While nobody kept SHARED for it the database may have become another file, or have left WAL mode.
// Then the connection ends.

internal import CSQLite
internal import SluiceClient
internal import SluiceWire

extension OpenFile {
  /// Opens the database in the next sidecar. Blocks while that is just starting, for half a second at most.
  @inline(never)
  func succeed() throws(VFSError) { move(to: try openSuccessor()) }

  private func openSuccessor() throws(VFSError) -> RemoteFile {
    try openAgain(in: try Registry.current.session(after: remote.channel.session))
  }

  /// The same for a connection in WAL mode that asked for a lock or a part of the WAL index. What
  /// SQLite is to be told.
  @inline(never)
  func succeedInWALMode(_ error: CallError) -> VFSError {
    walIndex?.letGo()
    guard level == .shared, !wait.holdsWALLocks else { return .call(error) }
    do throws(VFSError) {
      let successor = try openSuccessor()
      try call { () throws(CallError) in try successor.lock(.shared) }
      guard try call({ () throws(CallError) in try successor.isInWALMode }) else { throw .replaced }
      if let wal {
        let next = try wal.openAgain(besides: successor)
        try mapAgain(successor)
        wal.move(to: next)
      } else {
        try mapAgain(successor)
      }
      move(to: successor)
      knowledge?.wasGranted()
      return .recovering
    } catch .call(let error) where error.isBusy {
      return .recovering
    } catch {
      return error
    }
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

extension RemoteFile {
  /// Bytes 18 and 19 of the database's header are 2 in WAL mode (file format, section 1.3.3). They are
  /// changed by a transaction in rollback mode, and so stand in the file itself.
  fileprivate var isInWALMode: Bool {
    get throws(CallError) {
      var versions: UInt16 = 0
      let byteCount = try unsafe withUnsafeMutableBytes(of: &versions) {
        (bytes) throws(CallError) in try unsafe read(into: bytes, at: 18)
      }
      return byteCount == 2 && versions == 0x0202
    }
  }
}
