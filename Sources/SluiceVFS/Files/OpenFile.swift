// The object behind a sqlite3_file: its state, how it is opened, and its content.
//
// Its other files hold one concern each: the handle that SQLite has (+Handle), locks (+Locks),
// waiting for locks (+Waiting), promised syncs (+Promises), the next sidecar (+Succession), sizes
// (+Chunks), the registry (+Registry).

internal import CSQLite
internal import CSluice
internal import SluiceClient
internal import SluiceSystem
internal import SluiceWire
internal import Synchronization

/// SQLite uses a file in one thread at a time.
final class OpenFile: @unchecked Sendable {
  /// The file in the sidecar. Replaced, with `knowledge`, when the file is opened again in another
  /// sidecar.
  private(set) var remote: RemoteFile
  let kind: FileKind
  /// For messages; empty for a temporary file.
  let path: [UInt8]
  /// The registry's token if this is a database, or 0.
  private(set) var token: UInt64 = 0
  var isPowersafeOverwrite: Bool
  /// Whether the WAL index is to be opened for reading only.
  let isWALIndexReadOnly: Bool
  var level = LockLevel.none
  /// Set from the first xShmMap to xShmUnmap.
  var walIndex: WALIndexMap?
  /// What the connection knows of its database without asking the sidecar.
  private(set) var knowledge: Knowledge?
  /// How the file was opened, and which shortcuts it may use if the sidecar allows them.
  private let request: OpenRequest
  private let shortcuts: Shortcuts
  /// How long it may take to get a session.
  let connectMilliseconds: Int64
  /// The database's WAL that SQLite opened last.
  var wal: OpenFile?
  /// Whether SQLite must drop its pages of a WAL database, because it cannot know whether they are
  /// valid.
  var mustDropPages = false
  /// The same for a database in rollback mode.
  var mustShowAnotherVersion = false
  var wait = LockWait()
  var readMarks = ReadMarks()
  /// How many bytes of the file SQLite wants by pointer (`PRAGMA mmap_size`); 0 for none.
  private var fetchByteCountMaximum: Int64 = 0
  /// Used by a WAL only.
  private(set) var walWrites = WALWrites()
  private var journalWrites = JournalWrites()
  private var walWindow: WALWindow
  /// Of a WAL: the file whose sync was promised to the commit under way. See OpenFile+Promises.
  var promised: RemoteFile?
  /// Of a database: why what the connection was shown was taken back, if its program has not been told
  /// yet. See OpenFile+Promises.
  var untold: CallError?
  /// Of a database: the address where SQLite keeps its connection; 0 if SQLite has not said so.
  var connectionAddress: UInt = 0
  /// Of a database in WAL mode: how many transactions the WAL index had seen when the connection's
  /// snapshot was taken, or when its own last transaction ended.
  var snapshot: UInt32 = 0
  /// The unit in which the file grows and shrinks, in bytes; 0 for none (SQLITE_FCNTL_CHUNK_SIZE).
  var chunkByteCount: Int64 = 0
  var persistsWAL = false
  var sizeLimit = FileSizeLimit()
  /// The last errno of a failed operation on this file.
  var lastErrno: Int32 = 0
  /// Of a database: the connection's last failure. Under a lock, because a thread that used the
  /// connection before may write it.
  let lastFailure = FutexLock<Failure?>(nil)

  /// Opens the file that SQLite names in xOpen.
  init(name: UnsafePointer<CChar>?, path: [UInt8]?, flags: Int32) throws(VFSError) {
    let isMain = flags & SQLITE_OPEN_MAIN_DB != 0
    let parameters =
      if isMain, let name = unsafe name { try unsafe URIParameters(name) } else { URIParameters() }
    kind = fileKind(flags)
    shortcuts = parameters.shortcuts
    connectMilliseconds = parameters.connectMilliseconds
    let channel: Channel
    var ended: Knowledge?
    if isMain, let name = unsafe name {
      let session = try unsafe OpenFile.registry.sessions.session(
        socket: URIParameters.socket(of: name), milliseconds: connectMilliseconds)
      ended = OpenFile.idle(path, in: session, shortcuts)
      channel =
        if let ended { ended.remote.channel } else {
          try OpenFile.channel(in: session, shortcuts)
        }
    } else {
      channel = try OpenFile.registry.channel(for: path)
    }
    let path = try path.map { (path) throws(VFSError) in
      try completed(path, in: channel.session)
    }
    request = OpenRequest(
      path: path, kind: kind, options: OpenOptions(sqlite: flags).union(parameters.options),
      implicitLockMilliseconds: parameters.implicitLockMilliseconds)
    remote = try OpenFile.open(request, on: channel)
    walWindow = WALWindow(on: channel)
    self.path = path ?? []
    isPowersafeOverwrite = parameters.isPowersafeOverwrite
    isWALIndexReadOnly = parameters.isWALIndexReadOnly
    wait.milliseconds = parameters.waitMilliseconds
    if isMain, let path {
      let knowledge = Knowledge(of: remote, after: ended)
      self.knowledge = knowledge
      token = OpenFile.registry.enter(path: path, file: self, knowledge)
      noteThreadUses(token)
    }
    if kind == .wal {
      channel.openWALCount.add(1, ordering: .relaxed)
      OpenFile.registry.database(for: path)?.file.wal = self
    }
  }

  /// A database has its own channel, and its other files share that channel.
  @inline(never)
  private static func channel(
    in session: Session, _ shortcuts: Shortcuts
  ) throws(VFSError) -> Channel {
    do throws(CallError) {
      return try session.openChannel(shortcuts)
    } catch .refused(.limitReached, _) {
      return idle([], in: session, shortcuts, orAny: true)?.remote.channel ?? session.home
    } catch {
      throw .call(error)
    }
  }

  private static func idle(
    _ path: [UInt8]?, in session: Session, _ shortcuts: Shortcuts, orAny: Bool = false
  ) -> Knowledge? {
    registry.idleChannels.take(
      path: path ?? [], in: session, shortcuts, formerCount: registry.sessions.formerCount,
      orAny: orAny)
  }

  /// Closes the file. If nothing of it is left in its channel, the channel is kept for the next
  /// open.
  ///
  /// This waits if programs outside may have the database open. They look at the locks on the file,
  /// and a lock may be kept there until the close (`implicit-locks`). While the sidecar owns the
  /// file, it does what was submitted before it lets such a program in.
  func close() throws(CallError) {
    let waits = kind == .mainDatabase && !(knowledge?.isOwned ?? false)
    guard let knowledge, token != 0, walIndex == nil, !knowledge.isInUse, !knowledge.wasPinned,
      !remote.channel.isShared, remote.channel.openWALCount.load(ordering: .relaxed) == 0
    else { return try remote.close(waits: waits) }
    // A change that failed would fail the next connection.
    let isClean = (try? remote.settle()) != nil
    try remote.close(waits: waits)
    guard isClean else { return }
    let registry = OpenFile.registry
    registry.idleChannels.add(
      path: path, knowledge, formerCount: registry.sessions.formerCount)
  }

  @inline(never)
  private static func open(
    _ request: OpenRequest, on channel: Channel
  ) throws(VFSError) -> RemoteFile {
    var request = request
    if request.kind == .mainDatabase, channel.shortcuts.contains(.standingLocks) {
      request.options.insert(.standingLocks)
    }
    return try call { () throws(CallError) in try channel.open(request) }
  }

  // MARK: In another session

  /// Opens the database in `session`, and throws unless it is the same file. It is not used until
  /// `move`.
  func openAgain(in session: Session) throws(VFSError) -> RemoteFile {
    var request = request
    request.options.subtract([.create, .exclusive, .deleteBeforeOpen])
    let channel = try OpenFile.channel(in: session, shortcuts)
    let successor = try OpenFile.open(request, on: channel)
    guard successor.isCertainlySame(as: remote) else { throw .replaced }
    return successor
  }

  /// Opens the WAL on the channel of its database.
  func openAgain(besides database: RemoteFile) throws(VFSError) -> RemoteFile {
    try OpenFile.open(request, on: database.channel)
  }

  /// Replaces the file by `successor`. SQLite must read everything again.
  func move(to successor: RemoteFile) {
    if kind == .wal {
      remote.channel.openWALCount.subtract(1, ordering: .relaxed)
      successor.channel.openWALCount.add(1, ordering: .relaxed)
      walWrites = WALWrites()
      walWindow = WALWindow(on: successor.channel)
    }
    remote = successor
    mustShowAnotherVersion = kind == .mainDatabase
    guard token != 0 else { return }
    let knowledge = Knowledge(of: successor)
    self.knowledge = knowledge
    guard !OpenFile.registry.renew(token, knowledge) else { return }
    token = OpenFile.registry.enter(path: path, file: self, knowledge)
    noteThreadUses(token)
  }

  /// The sidecar has granted a lock.
  @inline(__always)
  func wasGranted() {
    guard let knowledge else { return }
    if knowledge.isRetired { renewKnowledge() }
    self.knowledge?.wasGranted()
  }

  /// The sidecar has given up the window. Releases its memory and maps the next window.
  @inline(never)
  private func renewKnowledge() {
    guard let next = knowledge?.successor() else { return }
    knowledge = next
    OpenFile.registry.renew(token, next)
  }

  // MARK: Content

  @inline(__always)
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(CallError) -> Int {
    if mustShowAnotherVersion, unsafe showsAnotherVersion(buffer, at: offset) {
      return buffer.count
    }
    if let knowledge {
      if try unsafe knowledge.read(into: buffer, at: offset) { return buffer.count }
      if knowledge.isRetired { renewKnowledge() }
    } else if kind == .wal {
      if try unsafe walWindow.copy(into: buffer, at: offset, of: remote) { return buffer.count }
      if let database, database.wait.hasClaim { database.keepClaimToWrite() }
      return try unsafe walWindow.ask(into: buffer, at: offset, of: remote)
    }
    return try unsafe remote.read(into: buffer, at: offset)
  }

  @inline(__always)
  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(CallError) {
    try sizeLimit.allow(offset + Int64(bytes.count))
    let isPosted = unsafe mayPost(bytes, at: offset)
    if isPosted, let knowledge {
      unsafe knowledge.posted.add(at: offset, byteCount: bytes.count)
    }
    if isPosted, kind == .wal { walWindow.willPost(at: offset, byteCount: bytes.count) }
    if isPosted {
      let handsOver = unsafe isHandedOver(bytes, at: offset)
      try unsafe remote.post(bytes, at: offset, handsOver: handsOver)
      // SQLite adds the frame to the WAL index next, which others may use by now.
      if kind == .wal, handsOver, database?.knowledge?.sidecarIsDead ?? false { throw .sessionLost }
    } else {
      try unsafe remote.write(bytes, at: offset)
      if kind == .wal { walWindow.allIsWritten() }
    }
  }

  /// Whether the sidecar gets a posted write at once. The first pieces of a frame or record go with the
  /// next ones. A whole one is never held back, because a program may look at the file.
  @inline(__always)
  private func isHandedOver(_ bytes: UnsafeRawBufferPointer, at offset: Int64) -> Bool {
    switch kind {
    case .wal: bytes.count >= JournalWrites.pageByteCountMinimum
    case .mainJournal: journalWrites.endsPart(byteCount: bytes.count, at: offset)
    case .mainDatabase, .superJournal, .temporary: true
    }
  }

  /// Whether a write may be posted: a failure will be reported before anything relies on the write.
  @inline(__always)
  private func mayPost(_ bytes: UnsafeRawBufferPointer, at offset: Int64) -> Bool {
    switch kind {
    case .mainDatabase:
      // With a WAL, a checkpoint notes its progress in the WAL index right after its last write.
      return remote.channel.openWALCount.load(ordering: .relaxed) == 0
    case .wal:
      return unsafe walWrites.mayPost(bytes, at: offset)
    case .mainJournal:
      return journalWrites.mayPost(byteCount: bytes.count, at: offset)
    case .superJournal, .temporary:
      return true
    }
  }

  /// The size as SQLite sees it. A file of one byte counts as empty, as in SQLite's unix VFS. On
  /// some systems that VFS itself writes one byte into an empty file (ticket 3260 in os_unix.c).
  func byteCount() throws(CallError) -> Int64 {
    let known = try knowledge?.byteCount()
    let byteCount = if let known { known } else { try remote.byteCount() }
    return byteCount == 1 ? 0 : byteCount
  }

  /// Sets how many bytes may be fetched; a negative number changes nothing. Returns the former
  /// value.
  func setFetchMaximum(_ byteCount: Int64) -> Int64 {
    let before = fetchByteCountMaximum
    if byteCount >= 0, !(knowledge?.isInUse ?? false) {
      fetchByteCountMaximum = min(byteCount, OpenFile.fetchByteCountLimit)
    }
    return before
  }

  /// SQLite's SQLITE_MAX_MMAP_SIZE on Linux.
  private static let fetchByteCountLimit: Int64 = 0x7fff_0000

  func fetch(at offset: Int64, byteCount: Int) throws(CallError) -> UnsafeMutableRawPointer? {
    guard let knowledge, offset + Int64(byteCount) <= fetchByteCountMaximum else { return nil }
    return try unsafe knowledge.fetch(at: offset, byteCount: byteCount)
  }
}

private func fileKind(_ flags: Int32) -> FileKind {
  if flags & SQLITE_OPEN_MAIN_DB != 0 { return .mainDatabase }
  if flags & SQLITE_OPEN_MAIN_JOURNAL != 0 { return .mainJournal }
  if flags & SQLITE_OPEN_WAL != 0 { return .wal }
  if flags & SQLITE_OPEN_SUPER_JOURNAL != 0 { return .superJournal }
  return .temporary
}

extension OpenOptions {
  init(sqlite flags: Int32) {
    self = []
    if flags & SQLITE_OPEN_READWRITE != 0 { insert(.readWrite) }
    if flags & SQLITE_OPEN_CREATE != 0 { insert(.create) }
    if flags & SQLITE_OPEN_EXCLUSIVE != 0 { insert(.exclusive) }
    if flags & SQLITE_OPEN_DELETEONCLOSE != 0 { insert(.deleteOnClose) }
  }
}
