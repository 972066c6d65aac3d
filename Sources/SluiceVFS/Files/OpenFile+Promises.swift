// Syncs that are promised to a commit (group commit).
//
// In WAL mode a commit writes its frames, calls xSync on the WAL, writes the index header, gives back
// the right to write, and calls SQLITE_FCNTL_COMMIT_PHASETWO, whose error fails the COMMIT. (Read in
// SQLite 3.40.1: sqlite3WalFrames, pager_end_transaction, vdbeCommit.) So xSync may return with the
// sidecar's promise, and COMMIT_PHASETWO waits until it is kept. Meanwhile the next writer has its
// turn, and one sync serves both.
//
// Only the sync that ends a transaction on one database may be promised. Where a COMMIT spans several
// databases, SQLite may ignore the result of COMMIT_PHASETWO. The sync of a new WAL's header and that
// of a checkpoint are relied on at once. The sidecar decides the rest (SharedFile+Promises).

internal import CSQLite
internal import SluiceClient
internal import SluiceWire

extension OpenFile {
  /// xSync.
  func sync() throws(CallError) {
    promised = nil
    guard kind == .wal, mayBePromised else { return try remote.sync() }
    if try remote.promiseSync() { promised = remote }
    remote.hasReadPromised = false
  }

  private var mayBePromised: Bool {
    guard remote.channel.shortcuts.contains(.groupCommit), walWrites.endsTransaction, let database,
      database.wal === self, database.wait.writesWAL, database.level == .shared,
      let place = unsafe UnsafePointer<OpaquePointer?>(bitPattern: database.connectionAddress),
      let connection = unsafe place.pointee
    else { return false }
    return unsafe csqlite_commits_one_database(connection) != 0
  }

  /// The connection gives back its right to write. Until now it was shown what others were promised,
  /// because its own commit, behind that in the WAL, would have made it durable. If it has not
  /// committed, it waits here.
  @inline(__always)
  func awaitWhatWriterRead() {
    guard let wal, wal.remote.hasReadPromised else { return }
    // If the promise is broken, the connection is lost too. SQLite ignores the result of this call, so
    // a transaction that only rolls back is not told.
    try? wal.remote.awaitSync()
  }

  /// Waits until the sync is done that was promised last; false if none was.
  func awaitPromise() throws(CallError) -> Bool {
    guard let promised else { return false }
    self.promised = nil
    // If its sidecar is dead, nobody keeps the promise, whatever the next sidecar says.
    try promised.awaitSync()
    return true
  }
}
