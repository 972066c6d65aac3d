// The object behind a sqlite3_file.

internal import CSQLite
internal import CSluice
internal import SluiceClient
internal import SluiceWire
internal import Synchronization

/// SQLite uses a file in one thread at a time.
final class OpenFile: @unchecked Sendable {
  /// Replaced where the file is opened again in another sidecar, with `knowledge`.
  private(set) var remote: RemoteFile
  let kind: FileKind
  /// For messages; empty for a temporary file.
  let path: [UInt8]
  /// The registry's token of the database that this is, or 0.
  private(set) var token: UInt64 = 0
  var isPowersafeOverwrite: Bool
  /// Whether the WAL index is to be opened for reading only.
  let isWALIndexReadOnly: Bool
  var level = LockLevel.none
  /// There from the first xShmMap to xShmUnmap.
  var walIndex: WALIndexMap?
  /// What is known of a database without asking.
  private(set) var knowledge: Knowledge?
  /// How it was opened, and with which shortcuts if the sidecar allows them.
  private let request: OpenRequest
  private let shortcuts: Shortcuts
  /// How long a session may take to get.
  let connectMilliseconds: Int64
  /// A database's WAL: that which SQLite opened last.
  private(set) var wal: OpenFile?
  /// Whether SQLite has pages of a WAL database that it cannot know to be good or bad.
  var mustDropPages = false
  /// The same of a database in rollback mode.
  var mustShowAnotherVersion = false
  var wait = LockWait()
  /// How much of the file SQLite wants by pointer, in bytes; 0 for nothing (`PRAGMA mmap_size`).
  private var fetchByteCountMaximum: Int64 = 0
  /// For a WAL.
  private var walWrites = WALWrites()
  /// The unit in which the file grows and shrinks, in bytes; 0 for none (SQLITE_FCNTL_CHUNK_SIZE).
  var chunkByteCount: Int64 = 0
  var persistsWAL = false
  var sizeLimit = FileSizeLimit()
  /// The last errno of a failed operation on this file.
  var lastErrno: Int32 = 0

  /// Opens the file that SQLite asks xOpen for.
  init(name: UnsafePointer<CChar>?, path: [UInt8]?, flags: Int32) throws(VFSError) {
    let isMain = flags & SQLITE_OPEN_MAIN_DB != 0
    let parameters =
      if isMain, let name = unsafe name { try unsafe URIParameters(name) } else { URIParameters() }
    kind = fileKind(flags)
    shortcuts = parameters.shortcuts
    connectMilliseconds = parameters.connectMilliseconds
    let channel: Channel
    if isMain, let name = unsafe name {
      let session = try unsafe Registry.current.session(
        socket: URIParameters.socket(of: name), milliseconds: connectMilliseconds)
      channel = try OpenFile.channel(in: session, shortcuts)
    } else {
      channel = try Registry.current.channel(for: path)
    }
    let path = try path.map { (path) throws(VFSError) in
      try completed(path, in: channel.session)
    }
    request = OpenRequest(
      path: path, kind: kind, options: OpenOptions(sqlite: flags).union(parameters.options),
      implicitLockMilliseconds: parameters.implicitLockMilliseconds)
    remote = try OpenFile.open(request, on: channel)
    self.path = path ?? []
    isPowersafeOverwrite = parameters.isPowersafeOverwrite
    isWALIndexReadOnly = parameters.isWALIndexReadOnly
    wait.milliseconds = parameters.waitMilliseconds
    if isMain, let path {
      let knowledge = Knowledge(of: remote)
      self.knowledge = knowledge
      token = Registry.current.enter(path: path, file: self, knowledge)
      Registry.use(token)
      explainMissingWALIndex()
    }
    if kind == .wal {
      channel.openWALCount.add(1, ordering: .relaxed)
      Registry.current.database(for: path)?.file.wal = self
    }
  }

  /// A database has a channel of its own, and its other files share it.
  @inline(never)
  private static func channel(
    in session: Session, _ shortcuts: Shortcuts
  ) throws(VFSError) -> Channel {
    do throws(CallError) {
      return try session.openChannel(shortcuts)
    } catch .refused(.limitReached, _) {
      return session.home
    } catch {
      throw .call(error)
    }
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

  /// Opens the database in `session`, which must be the same file; it is not used until `move`.
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

  /// From now on the file is `successor`, and SQLite must look at all of it anew.
  func move(to successor: RemoteFile) {
    if kind == .wal {
      remote.channel.openWALCount.subtract(1, ordering: .relaxed)
      successor.channel.openWALCount.add(1, ordering: .relaxed)
      walWrites = WALWrites()
    }
    remote = successor
    mustShowAnotherVersion = kind == .mainDatabase
    guard token != 0 else { return }
    let knowledge = Knowledge(of: successor)
    self.knowledge = knowledge
    guard !Registry.current.renew(token, knowledge) else { return }
    token = Registry.current.enter(path: path, file: self, knowledge)
    Registry.use(token)
  }

  /// The sidecar has granted a lock.
  @inline(__always)
  func wasGranted() {
    guard let knowledge else { return }
    if knowledge.isRetired { renewKnowledge() }
    self.knowledge?.wasGranted()
  }

  /// The sidecar has given the window up: lets go of its memory, and maps the next one.
  @inline(never)
  private func renewKnowledge() {
    guard let next = knowledge?.successor() else { return }
    knowledge = next
    Registry.current.renew(token, next)
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
    }
    return try unsafe remote.read(into: buffer, at: offset)
  }

  @inline(__always)
  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(CallError) {
    try sizeLimit.allow(offset + Int64(bytes.count))
    let isPosted = unsafe mayPost(bytes, at: offset)
    if isPosted, let knowledge { unsafe knowledge.hasPosted = true }
    try unsafe remote.write(bytes, at: offset, posted: isPosted)
  }

  /// Whether a write need not be waited for, since a failure will be told before it is relied upon
  /// that it was done.
  @inline(__always)
  private func mayPost(_ bytes: UnsafeRawBufferPointer, at offset: Int64) -> Bool {
    switch kind {
    case .mainDatabase:
      // A checkpoint notes how far it came in the WAL index, right after the last write.
      return remote.channel.openWALCount.load(ordering: .relaxed) == 0
    case .wal:
      return unsafe walWrites.mayPost(bytes, at: offset)
    case .mainJournal, .superJournal, .temporary:
      return true
    }
  }

  /// The size that SQLite is told. A file of one byte is empty to it, as with its unix VFS, which wrote
  /// such a byte into empty files itself on some systems (ticket 3260 in os_unix.c).
  func byteCount() throws(CallError) -> Int64 {
    let known = try knowledge?.byteCount()
    let byteCount = if let known { known } else { try remote.byteCount() }
    return byteCount == 1 ? 0 : byteCount
  }

  /// Sets how much may be fetched; a negative number only asks. The value before.
  func setFetchMaximum(_ byteCount: Int64) -> Int64 {
    let before = fetchByteCountMaximum
    if byteCount >= 0, !(knowledge?.isInUse ?? false) {
      fetchByteCountMaximum = min(byteCount, OpenFile.fetchByteCountLimit)
    }
    return before
  }

  /// SQLITE_MAX_MMAP_SIZE, as SQLite sets it on Linux.
  private static let fetchByteCountLimit: Int64 = 0x7fff_0000

  func fetch(at offset: Int64, byteCount: Int) throws(CallError) -> UnsafeMutableRawPointer? {
    guard let knowledge, offset + Int64(byteCount) <= fetchByteCountMaximum else { return nil }
    return try unsafe knowledge.fetch(at: offset, byteCount: byteCount)
  }

  // MARK: In SQLite's hands

  /// Puts the object behind `file`, which keeps it until `detach`.
  func attach(to file: UnsafeMutablePointer<sqlite3_file>) {
    let place = unsafe UnsafeMutableRawPointer(file).assumingMemoryBound(to: sluice_file.self)
    unsafe place.pointee.object = unsafe Unmanaged.passRetained(self).toOpaque()
    unsafe file.pointee.pMethods = unsafe UnsafePointer(
      canHaveWALIndex ? IOMethods.table : IOMethods.tableWithoutWALIndex)
  }

  @inline(__always)
  static func reference(_ file: UnsafeMutablePointer<sqlite3_file>) -> Unmanaged<OpenFile> {
    let place = unsafe UnsafeMutableRawPointer(file).assumingMemoryBound(to: sluice_file.self)
    return unsafe Unmanaged.fromOpaque(place.pointee.object)
  }

  /// Closes the file and takes the object away. A forked child leaves what it inherited alone.
  static func detach(_ file: UnsafeMutablePointer<sqlite3_file>) -> Int32 {
    unsafe file.pointee.pMethods = nil
    let reference = unsafe reference(file)
    let open = unsafe reference.takeUnretainedValue()
    guard open.remote.channel.session.belongsToThisProcess else { return SQLITE_OK }
    open.wal = nil
    if open.token != 0 { Registry.current.leave(open.token) }
    if open.kind == .wal { open.remote.channel.openWALCount.subtract(1, ordering: .relaxed) }
    var code = SQLITE_OK
    do throws(CallError) {
      try open.remote.close()
    } catch .sessionLost {
      // Closed with the sidecar.
    } catch {
      code = report(.call(error), .close, open.path)
    }
    unsafe reference.release()
    return code
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
