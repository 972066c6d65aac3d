// The file operations. One function for each operation: decode, do, answer. A FileError that is
// thrown is answered as its status. A ProtocolViolation ends the session.

internal import SluiceChannel
internal import SluiceServer
internal import SluiceSystem
internal import SluiceWire

/// Why an operation was not done: because of the file, or because the client broke the protocol.
enum ServeError: Error {
  case file(FileError)
  case violation(ProtocolViolation)
}

extension FileSession {
  /// Does one request and answers it. False if the workers have it now.
  @inline(__always)
  func serve(_ request: Request, _ operation: Operation, on channel: FileChannel, now: Int64)
    throws(ServeError) -> Bool
  {
    switch operation {
    case .nothing, .channelOpen, .channelClose: preconditionFailure("the server does these")
    case .sqlOpen, .sqlExecute, .sqlFetch, .sqlReset, .sqlValueRead, .sqlValueWrite, .sqlExport,
      .sqlChangesAwait, .recordsOpen, .recordsStore, .recordsStage, .recordsLoad, .recordsNext,
      .recordsKnownState, .recordsErase, .recordsUnmount, .recordsTrack, .recordsUnsynced,
      .recordsStopTracking, .recordsIDs, .recordsCount, .recordsLock, .recordsVerify,
      .recordsImport, .recordsClose, .documentsOpen, .documentsStage, .documentsNext,
      .documentsTransact, .documentsRead, .documentsValue, .documentsChanges, .documentsDocuments,
      .documentsBranches, .documentsBranch, .documentsCreateBranch, .documentsCloseBranch,
      .documentsMerge, .documentsLog, .documentsContentPut, .documentsContentGet,
      .documentsSettings, .documentsInvariants, .documentsVerify, .documentsCollect,
      .documentsClose:
      preconditionFailure("no operation of this service")
    case .sync:
      let work = try syncWork(request, channel, now: now)
      return try sync(work, request, .sync, channel, now: now)
    case .delete:
      let work = try deleted(request, channel)
      return try sync(work, request, .delete, channel, now: now)
    case .syncPromise: return try promiseSync(request, channel, now: now)
    case .syncAwait: try awaitPromise(request, channel, now: now)
    case .fullPathname: try fullPathname(request, channel)
    case .open: try open(request, channel, now: now)
    case .access: try access(request, channel)
    case .close: try closeFile(request, channel)
    case .read: try read(request, channel, now: now)
    case .write: try write(request, channel, now: now)
    case .truncate: try truncate(request, channel, now: now)
    case .fileSize: try fileSize(request, channel, now: now)
    case .lock: try lock(request, channel, now: now)
    case .unlock: try unlock(request, channel, now: now)
    case .checkReservedLock: try checkReservedLock(request, channel, now: now)
    case .allocate: try allocate(request, channel, now: now)
    case .hasMoved: try hasMoved(request, channel)
    case .openWindow: try openWindow(request, channel)
    case .pinWindow: try pinWindow(request, channel)
    case .lockAwait: try awaitLock(request, channel, now: now)
    case .walIndexMap: try mapWALIndex(request, channel)
    case .walIndexLock: try lockWALIndex(request, channel, now: now)
    case .walIndexUnmap: try unmapWALIndex(request, channel)
    case .hasExternalReader: try hasExternalReader(request, channel)
    }
    return true
  }

  /// Makes something durable before the request is answered. False if the workers do it.
  func sync(
    _ work: SyncWork?, _ request: Request, _ operation: Operation, _ channel: FileChannel,
    now: Int64
  ) throws(ServeError) -> Bool {
    defer { thread.serving.noteSlowRequest() }
    if let work {
      let errand = SyncErrand(
        session: link.id, channel: channel.number, operation: operation, file: request.file)
      let isDone = try file { () throws(FileError) in
        try thread.sync(work, errand, of: self, now: now)
      }
      guard isDone else { return false }
    }
    channel.end.complete(.done)
    return true
  }

  @inline(__always)
  func arguments<M: Message>(
    _ request: Request, _ channel: FileChannel, as type: M.Type
  ) throws(ServeError) -> M {
    do throws(ProtocolViolation) {
      return try channel.end.arguments(of: request, as: type)
    } catch {
      throw .violation(error)
    }
  }

  @inline(__always)
  func handle(_ request: Request) throws(ServeError) -> Handle {
    guard let handle = handles.find(request.file) else { throw .file(.badFile) }
    return handle
  }

  /// The handle, if it may be used for content now.
  @inline(__always)
  func usableHandle(_ request: Request, now: Int64) throws(ServeError) -> Handle {
    let handle = try handle(request)
    try file { () throws(FileError) in try handle.checkLocks(now: now) }
    return handle
  }

  @inline(__always)
  func file<R>(_ body: () throws(FileError) -> R) throws(ServeError) -> R {
    do throws(FileError) { return try body() } catch { throw .file(error) }
  }

  // MARK: By name

  private func fullPathname(_ request: Request, _ channel: FileChannel) throws(ServeError) {
    let path = try arguments(request, channel, as: PathFields.self).path
    let full = try file { () throws(FileError) in try parts.roots.fullPathname(path) }
    channel.end.complete(
      full.isThroughLink ? .doneThroughLink : .done, PathFields(path: full.path))
  }

  private func open(_ request: Request, _ channel: FileChannel, now: Int64) throws(ServeError) {
    var wanted = try arguments(request, channel, as: OpenRequest.self)
    // A file that the client may not write it may still read.
    if wanted.options.contains(.create) { wanted.options.insert(.readWrite) }
    let handle = try file { () throws(FileError) in try openFile(wanted, channel) }
    handles.insert(handle)
    if handle.kind == .mainDatabase { channel.database = handle }
    let isDatabase = handle.kind == .mainDatabase && handle.location != nil
    channel.end.complete(
      .done,
      OpenReply(
        file: handle.id, isWritable: handle.isWritable, identity: handle.file.identity,
        origin: isDatabase ? SluiceFiles.origin(of: handle.file.descriptor) : 0,
        isLocal: isDatabase && handle.file.isLocal))
  }

  private func openFile(
    _ request: OpenRequest, _ channel: FileChannel
  ) throws(FileError) -> Handle {
    guard !handles.isFull else { throw .tooManyFiles }
    guard let path = request.path else {
      let temporary = try parts.roots.main.openTemporaryDirectory()
      let file = try parts.files.openTemporary(in: temporary.descriptor)
      return newHandle(file, request, channel, location: nil)
    }
    let location = try locate(path, on: channel)
    if !request.options.isDisjoint(with: [.deleteBeforeOpen, .deleteOnClose]) {
      try location.directory.root.checkWritable()
    }
    if request.options.contains(.deleteBeforeOpen) { try deleteDatabase(location) }
    let model: FileStatus? =
      request.kind == .mainJournal || request.kind == .wal
      ? try database(of: path, on: channel)?.file.status() : nil
    let mode = FileTable.Mode(
      isWritable: request.options.contains(.readWrite),
      creates: request.options.contains(.create),
      isExclusive: request.options.contains(.exclusive), model: model,
      permissions: (request.options.contains(.deleteOnClose) ? 0o600 : 0o644)
        & ~UInt32(request.umask))
    let neighbour = mode.creates ? neighbour(of: path, on: channel) : nil
    func forget() {
      guard let neighbour else { return }
      neighbour.database.file.withWindow { $0.forget(neighbour.file) }
    }
    // Before the open, so that no client is told that the file is absent once it is there. After
    // the open too, because another client may have looked in between.
    forget()
    defer { forget() }
    let file: SharedFile
    do throws(FileError) {
      file = try parts.files.open(location, mode)
    } catch .system(.accessDenied)
      where request.kind.isJournal && request.options.contains(.create)
    {
      let exists = unsafe (try? location.directory.descriptor.status(of: location.name)) != nil
      throw exists ? .system(.accessDenied) : .readOnlyDirectory
    }
    file.noteUse(byReactor: thread.number)
    if request.options.contains(.deleteOnClose) {
      try? unsafe location.directory.descriptor.unlink(location.name)
    }
    return newHandle(file, request, channel, location: location)
  }

  private func newHandle(
    _ file: SharedFile, _ request: OpenRequest, _ channel: FileChannel, location: Location?
  ) -> Handle {
    let keepMilliseconds =
      request.options.contains(.unlockAsSoonAsPossible)
      ? 0
      : request.implicitLockMilliseconds >= 0
        ? request.implicitLockMilliseconds
        : Int64(parts.configuration.implicitLockMilliseconds)
    return Handle(
      id: handles.nextID(), file: file, request: request, channel: channel.number,
      location: location,
      needsDirectorySync: request.kind.isJournal && request.options.contains(.create),
      keepNanoseconds: keepMilliseconds * 1_000_000,
      standing: keepMilliseconds == 0 ? standingLocks(for: request, channel) : nil)
  }

  /// The word in which a file's locks may stand. The first database on a channel has the channel's
  /// word; others have none.
  private func standingLocks(for request: OpenRequest, _ channel: FileChannel) -> StandingLocks? {
    guard request.options.contains(.standingLocks), request.kind == .mainDatabase,
      !request.options.contains(.unlockAsSoonAsPossible), channel.number != 0,
      parts.configuration.shortcuts.contains(.standingLocks), !channel.hasStandingLocks
    else { return nil }
    channel.hasStandingLocks = true
    return channel.end.standingLocks
  }

  /// Deletes a database that no program has open, with its journal, WAL and index. A journal that
  /// stays behind would be rolled back into the next database of that name.
  private func deleteDatabase(_ location: Location) throws(FileError) {
    try parts.files.deleteUnused(location)
    for suffix in ["-journal", "-wal", "-shm"] {
      do throws(FileError) {
        try parts.files.unlink(location.beside(suffix))
      } catch .system(.noEntry) {
      }
    }
  }

  /// Deletes a file. Gives the sync that must be done before the answer; nil for none.
  func deleted(_ request: Request, _ channel: FileChannel) throws(ServeError) -> SyncWork? {
    let wanted = try arguments(request, channel, as: DeleteRequest.self)
    let look = Look(after: wanted.path, session: self, channel)
    return try file { () throws(FileError) in
      let location = try locate(wanted.path, on: channel)
      try location.directory.root.checkWritable()
      try proveLocks(toEnd: wanted.path, channel)
      try parts.files.unlink(location)
      look.foundNothing()
      return wanted.syncDirectory ? SyncWork(directory: location.directory) : nil
    }
  }

  /// Whoever deletes, cuts or overwrites a database's journal commits. So the database's lock is
  /// proved before.
  private func proveLocks(
    toEnd path: [UInt8], _ channel: FileChannel
  ) throws(FileError) {
    guard let neighbour = neighbour(of: path, on: channel), neighbour.file == .journal else {
      return
    }
    let database = neighbour.database
    if database.file.isLocal { return }
    try database.checkLocks(now: Clock.coarseNanoseconds())
    if database.file.holdsAnything(database.holder) { try database.file.proveLocks() }
  }

  /// Whether a write at the start of a journal ends it. With journal_mode=PERSIST SQLite overwrites
  /// a part of the header with zeros. It writes a header as a whole.
  private func endsJournal(_ payload: UnsafeMutableRawBufferPointer) -> Bool {
    unsafe payload.count < 512 && payload.first == 0
  }

  private func access(_ request: Request, _ channel: FileChannel) throws(ServeError) {
    let wanted = try arguments(request, channel, as: AccessRequest.self)
    let answer = try file { () throws(FileError) in
      let location: Location
      do throws(FileError) {
        location = try locateAny(wanted.path, on: channel)
      } catch .system(let errno) where !errno.leavesOpenWhatIsThere {
        return false
      }
      let directory = location.directory
      let look = Look(after: wanted.path, session: self, channel)
      var status: FileStatus
      do throws(Errno) {
        status = try unsafe directory.descriptor.status(of: location.name)
      } catch {
        if error == .noEntry { look.foundNothing() }
        if error.leavesOpenWhatIsThere { throw .system(error) }
        return false
      }
      if wanted.mode == .exists, status.isSymbolicLink {
        guard let target = try statusBehindLink(wanted.path, channel) else { return false }
        status = target
      }
      switch wanted.mode {
      case .exists: return !status.isRegular || status.byteCount > 0
      case .read: return unsafe directory.descriptor.allows(location.name, writing: false)
      case .readWrite:
        return unsafe !location.isReadOnly
          && directory.descriptor.allows(location.name, writing: true)
      }
    }
    channel.end.complete(.done, AnswerReply(answer: answer))
  }

  /// The status of the file to which the link at `path` leads; nil if none is there, or if it leads
  /// out of what is served.
  private func statusBehindLink(
    _ path: [UInt8], _ channel: FileChannel
  ) throws(FileError) -> FileStatus? {
    do throws(FileError) {
      let target = try locateAny(try parts.roots.fullPathname(path).path, on: channel)
      return try system { () throws(Errno) in
        try unsafe target.directory.descriptor.status(of: target.name)
      }
    } catch .system(let errno) where errno.leavesOpenWhatIsThere {
      throw .system(errno)
    } catch {
      return nil
    }
  }

  /// The place of `path`, which may be a directory without a name: `/`, `.` or `sub/..`.
  private func locateAny(
    _ path: [UInt8], on channel: FileChannel
  ) throws(FileError) -> Location {
    do throws(FileError) {
      return try locate(path, on: channel)
    } catch .system(.isDirectory) {
      do throws(FileError) {
        return try parts.roots.locateDirectory(path)
      } catch .outsideRoot {
        // A directory outside is no file that could be opened.
        throw .system(.isDirectory)
      }
    }
  }

  // MARK: By handle

  private func closeFile(_ request: Request, _ channel: FileChannel) throws(ServeError) {
    close(try handle(request), byClient: true)
    channel.end.complete(.done)
  }

  private func read(_ request: Request, _ channel: FileChannel, now: Int64) throws(ServeError) {
    let offset = try arguments(request, channel, as: OffsetFields.self).offset
    let handle = try usableHandle(request, now: now)
    var isDurable = true
    let byteCount = try file { () throws(FileError) in
      if handle.kind == .wal {
        isDurable = try unsafe self.isDurable(
          handle, at: offset, byteCount: request.payload.count, channel)
      }
      return try unsafe handle.file.read(into: request.payload, at: offset, thread.fill)
    }
    // A client that uses addresses looks for the pages as soon as it has the answer.
    if handle.isPinned { handle.file.take(thread.fill) }
    unsafe channel.end.complete(
      !isDurable ? .donePromised : byteCount == request.payload.count ? .done : .doneShort,
      sentByteCount: byteCount)
    handle.file.take(thread.fill)
  }

  private func write(_ request: Request, _ channel: FileChannel, now: Int64) throws(ServeError) {
    let offset = try arguments(request, channel, as: OffsetFields.self).offset
    let handle = try writableHandle(request, now: now)
    try file { () throws(FileError) in
      if handle.kind == .mainJournal, offset == 0, unsafe endsJournal(request.payload) {
        try proveLocks(toEnd: handle.path, channel)
      }
      try unsafe handle.file.write(UnsafeRawBufferPointer(request.payload), at: offset)
      if handle.kind == .wal {
        unsafe handle.file.promises.wrote(at: offset, byteCount: request.payload.count)
      }
    }
    channel.end.complete(.done)
  }

  private func truncate(_ request: Request, _ channel: FileChannel, now: Int64) throws(ServeError) {
    let byteCount = try arguments(request, channel, as: OffsetFields.self).offset
    let handle = try writableHandle(request, now: now)
    try file { () throws(FileError) in
      if handle.kind == .mainJournal { try proveLocks(toEnd: handle.path, channel) }
      try handle.file.truncate(toByteCount: byteCount)
      if handle.kind == .wal { handle.file.promises.changedSize(to: byteCount) }
    }
    channel.end.complete(.done)
  }

  func writableHandle(_ request: Request, now: Int64) throws(ServeError) -> Handle {
    let handle = try usableHandle(request, now: now)
    guard handle.isWritable else { throw .file(.readOnly) }
    return handle
  }

  /// The file and the directory that a sync makes durable.
  func syncWork(
    _ request: Request, _ channel: FileChannel, now: Int64
  ) throws(ServeError) -> SyncWork {
    let handle = try usableHandle(request, now: now)
    var work = SyncWork(
      file: handle.file, directory: handle.needsDirectorySync ? handle.location?.directory : nil)
    if handle.kind == .wal, let database = database(of: handle.path, on: channel) {
      if database.file.isWriter(database.holder) {
        work.committed = database.file
      } else {
        work.checkpointer = database.holder.id
      }
    }
    return work
  }

  /// A sync of the open file with this id is done.
  func synced(_ file: UInt64) { handles.find(file)?.needsDirectorySync = false }

  private func fileSize(_ request: Request, _ channel: FileChannel, now: Int64) throws(ServeError) {
    let handle = try usableHandle(request, now: now)
    let byteCount = try file { () throws(FileError) in try handle.file.status().byteCount }
    channel.end.complete(.done, OffsetFields(offset: byteCount))
  }

  private func lock(_ request: Request, _ channel: FileChannel, now: Int64) throws(ServeError) {
    let level = try arguments(request, channel, as: LockFields.self).level
    let handle = try usableHandle(request, now: now)
    try file { () throws(FileError) in try handle.lock(to: level, now: now) }
    channel.end.complete(.done)
  }

  private func unlock(_ request: Request, _ channel: FileChannel, now: Int64) throws(ServeError) {
    let level = try arguments(request, channel, as: LockFields.self).level
    let handle = try handle(request)
    try file { () throws(FileError) in try handle.unlock(to: level, now: now) }
    if let time = handle.keptUntil { keepsLock(handle, until: time) }
    channel.end.complete(.done)
  }

  private func checkReservedLock(
    _ request: Request, _ channel: FileChannel, now: Int64
  ) throws(ServeError) {
    let handle = try usableHandle(request, now: now)
    let answer = try file { () throws(FileError) in try handle.file.isReserved() }
    channel.end.complete(.done, AnswerReply(answer: answer))
  }
}

extension Errno {
  /// Whether the error leaves open what is there, because the system could not look. If that were
  /// taken for an absence, a client would read a database without the journal that belongs to it.
  fileprivate var leavesOpenWhatIsThere: Bool {
    // A file server that does not answer leaves it open too.
    mayEndDescriptions
      || [.outOfMemory, .tooManyOpen, .tooManyOpenInSystem].contains(self)
  }
}

/// A look for a database's journal or WAL. If it finds nothing, the database's clients may know
/// that.
private struct Look {
  private let neighbour: (database: Handle, file: AbsentFiles)?
  private let creationCount: Int

  /// Must be made before the look.
  init(after path: [UInt8], session: FileSession, _ channel: FileChannel) {
    neighbour = session.neighbour(of: path, on: channel)
    creationCount = neighbour?.database.file.withWindow { $0.creationCount } ?? 0
  }

  func foundNothing() {
    guard let neighbour else { return }
    neighbour.database.file.withWindow {
      $0.note(absent: neighbour.file, besides: neighbour.database.path, since: creationCount)
    }
  }
}
