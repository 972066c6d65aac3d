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
//
// The connection that has the right to write, or the claim to it, may be shown what others were
// promised, because its own commit makes that durable too. If it commits nothing, it waits when it gives
// the right or its snapshot back. SQLite ignores that result, so `untold` keeps a failure for the next
// call whose result counts:
//
//   COMMIT_PHASETWO, for a COMMIT that did not sync
//   otherwise the next lock of a transaction
//
// A checkpoint takes locks too, but SQLite ignores the failure of one that it begins by itself.

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
      let connection = unsafe database.connection
    else { return false }
    return unsafe csqlite_commits_one_database(connection) != 0
  }

  /// The connection gives back its right to write. Until now it was shown what others were promised.
  /// If it has not committed behind that with a sync, it waits here.
  @inline(__always)
  func awaitWhatWriterRead() {
    if let wal, wal.remote.hasReadPromised { awaitWhatWasRead(wal) }
  }

  @inline(never)
  private func awaitWhatWasRead(_ wal: OpenFile) {
    do throws(CallError) { try wal.remote.awaitSync() } catch { untold = error }
    wal.remote.hasReadPromised = false
  }

  /// The connection has a claim to the right to write, and reads what may not be durable yet. SQLite reads
  /// the first page before it asks for that right: if it had to wait for the disk there, so would all
  /// that stand in line behind it. So who has the claim is shown the page, as a writer is. That must not
  /// be one that only reads.
  @inline(never)
  func keepClaimToWrite() {
    if !isCertainToWrite { giveUpClaim() }
  }

  /// Whether the transaction that begins now will ask for the right to write to this database, the only
  /// one of its connection. (If it writes to a temporary table instead, it does not.)
  var isCertainToWrite: Bool {
    guard let connection = unsafe connection else { return false }
    return unsafe csqlite_has_one_database(connection) != 0
      && csqlite_runs_writers_only(connection) != 0
  }

  /// xShmBarrier. A writer is between its two copies of the index's header. If its sidecar is dead,
  /// another program may already have committed, and the second copy must not be seen: the two differ,
  /// so the next to read sets the index up anew from the WAL. COMMIT_PHASETWO fails.
  @inline(__always)
  func writerPassesBarrier() {
    if wait.writesWAL, let knowledge, knowledge.sidecarIsDead { letGoOfIndex() }
  }

  @inline(never)
  private func letGoOfIndex() {
    walIndex?.letGo()
    untold = .sessionLost
  }

  /// The connection takes its next lock, which is not for a checkpoint.
  @inline(__always)
  func tellWhatWasTakenBack() throws(VFSError) {
    if untold != nil { try tellOnce() }
  }

  @inline(never)
  private func tellOnce() throws(VFSError) {
    guard let error = untold else { return }
    untold = nil
    // SQLite drops its pages when the first lock of a transaction fails, but not after a later one.
    if wait.holdsWALLocks { mustDropPages = true }
    throw .takenBack(error)
  }

  /// SQLite was told of an error. If that ends the transaction because its locks or its sync are lost,
  /// the program need not be told once more.
  func wasTold(_ error: VFSError, _ operation: VFSOperation) {
    if wait.checkpoints { return }
    switch (operation, error) {
    case (.sync, .call(.refused(.systemError, _))): break
    case (.read, _), (.write, _), (.sync, _), (.mapWALIndex, _):
      guard error.losesTransaction else { return }
    // SQLite may ignore the result.
    default: return
    }
    untold = nil
    wal?.remote.hasReadPromised = false
  }

  /// COMMIT_PHASETWO: waits until the promise is kept that the COMMIT was given, and those for what it
  /// has read. Throws if one was broken.
  func finishCommit() throws(VFSError) {
    guard let wal else { return }
    if let promised = wal.promised {
      wal.promised = nil
      // If its sidecar is dead, nobody keeps the promise, whatever the next sidecar says.
      try call { () throws(CallError) in try promised.awaitSync() }
      wait.waitedForDisk = true
    }
    awaitWhatWriterRead()
    guard let error = untold else { return }
    // SQLite may ignore this result where a COMMIT spans several databases.
    if hasOneDatabase { untold = nil }
    throw .takenBack(error)
  }

  private var hasOneDatabase: Bool {
    guard let connection = unsafe connection else { return false }
    return unsafe csqlite_has_one_database(connection) != 0
  }

  private var connection: OpaquePointer? {
    unsafe UnsafePointer<OpaquePointer?>(bitPattern: connectionAddress)?.pointee
  }
}
