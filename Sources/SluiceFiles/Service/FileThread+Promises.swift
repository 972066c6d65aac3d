// Group commit in a thread that serves: who does the syncs that commits were promised, and what
// happens when one fails.

internal import SluiceChannel
internal import SluiceServer
internal import SluiceSystem
internal import SluiceWire

extension FileSession {
  /// Answers `donePromised` where a promise will do, and makes the file durable where not. False if
  /// the workers do that.
  func promiseSync(
    _ request: Request, _ channel: FileChannel, now: Int64
  ) throws(ServeError) -> Bool {
    let handle = try usableHandle(request, now: now)
    // The first sync of a WAL makes its directory durable too.
    if handle.kind == .wal, !handle.needsDirectorySync,
      parts.configuration.shortcuts.contains(.groupCommit),
      let database = database(of: handle.path, on: channel),
      let number = database.file.promiseSync(of: handle.file, for: database.holder)
    {
      handle.promise = number
      parts.metrics.add(to: \.syncs_promised)
      thread.keepPromises(of: handle.file, to: database.file)
      channel.end.complete(.donePromised)
      return true
    }
    let work = try syncWork(request, channel, now: now)
    return try sync(work, request, .syncPromise, channel, now: now)
  }

  /// Answers when the last promise to the file is kept, at once if there was none.
  func awaitPromise(_ request: Request, _ channel: FileChannel, now: Int64) throws(ServeError) {
    let handle = try handle(request)
    if handle.promise > 0 {
      guard let database = database(of: handle.path, on: channel) else { throw .file(.misuse) }
      try file { () throws(FileError) in
        try awaitPromise(handle.promise, of: handle.file, to: database.file, channel)
      }
    }
    channel.end.complete(.done)
  }

  /// Returns once this part of the WAL may be shown to the client. False if it is only promised to be
  /// durable: the client, which writes, must not be done with its transaction before that is kept.
  @inline(__always)
  func isDurable(
    _ handle: Handle, at offset: Int64, byteCount: Int, _ channel: FileChannel
  ) throws(FileError) -> Bool {
    // The frames may be cut off. The session ends soon.
    if handle.file.hasLostTail.load(ordering: .sequentiallyConsistent) { throw .locksLost }
    guard let number = handle.file.promises.promiseAwaited(at: offset, byteCount: byteCount),
      let database = database(of: handle.path, on: channel)
    else { return true }
    // On the home channel nothing tells which connection reads.
    if channel.number != 0, database.file.isOrWillBeWriter(database.holder) {
      handle.promise = max(handle.promise, number)
      return false
    }
    handle.file.promises.press(number)
    do throws(FileError) {
      try awaitPromise(number, of: handle.file, to: database.file, channel)
    } catch .system {
      // The WAL can be read. What was written there is gone, with the connection.
      throw .locksLost
    }
    return true
  }

  /// Throws `notDurableYet` while the request must stay in its slot.
  func awaitPromise(
    _ number: UInt64, of wal: SharedFile, to database: SharedFile, _ channel: FileChannel
  ) throws(FileError) {
    let waiter = channel.durabilityWaiter ?? Waiter(deadline: .max, alarm: thread.post.alarm)
    // Before it can be told anything.
    waiter.rest(until: .max)
    switch wal.promises.fate(of: number, waiter) {
    case .kept: return
    case .broken(let errno):
      parts.giveUp(database, wal, errno)
      throw .system(errno)
    case .open:
      channel.awaitDurability(waiter)
      thread.keepPromises(of: wal, to: database)
      throw .notDurableYet
    }
  }
}

extension FileThread {
  /// Ends the sessions that have this file open, as if the sidecar had died. Any thread may call
  /// this.
  func cutOff(_ file: SharedFile) {
    post.send {
      for session in self.sessions.values where session.handles.contains(file) {
        session.link.socket.descriptor.shutDown()
      }
    }
  }

  /// Has the workers keep what was promised, unless they are about it.
  func keepPromises(of wal: SharedFile, to database: SharedFile) {
    guard wal.promises.takeKeeping() else { return }
    parts.files.countAnother(wal)
    parts.files.countAnother(database)
    let parts = parts
    if parts.workers.areReady() {
      parts.workers.take { parts.keepPromises(of: wal, to: database) }
    } else {
      parts.keepPromises(of: wal, to: database)
    }
  }
}

extension FileParts {
  /// Syncs the WAL until no promise is open. Any thread may call this.
  fileprivate func keepPromises(of wal: SharedFile, to database: SharedFile) {
    repeat {
      while wal.promises.isSyncWanted {
        metrics.add(to: \.syncs_shared)
        do throws(FileError) {
          try wal.synchronize(gathers: true)
        } catch {
          giveUp(database, wal, error.status.errno)
        }
      }
    } while !wal.promises.endKeeping()
    files.close(wal)
    files.close(database)
  }

  /// The sync of a commit has failed: nothing that was written to the WAL since the last one can be
  /// trusted to reach the disk, whatever later syncs say. As when a sidecar dies, every session that
  /// has the database open ends, and with it its locks. The next to open the database finds what is
  /// durable.
  func giveUp(_ database: SharedFile, _ wal: SharedFile, _ errno: Errno) {
    guard database.giveUp() else { return }
    Log.warning(
      "a sync of a WAL failed: \(errno.message); its database is given up: programs that use it lose "
        + "their connections, and no commit that returned is lost")
    wal.loseTail()
    for settler in settlers.besides(nil, using: database) { settler.cutOff(database) }
  }
}
