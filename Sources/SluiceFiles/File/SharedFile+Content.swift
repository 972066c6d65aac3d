// The content of a shared file, and a new description for it where the old one has gone bad.

internal import SluiceSystem

extension SharedFile {
  /// Reads; `take` is to be called with `fill` once the client has its answer.
  func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int64, _ fill: WindowFill
  ) throws(FileError) -> Int {
    do throws(FileError) {
      return try unsafe content.read(into: buffer, at: offset, of: description, fill)
    } catch {
      // SQLite looks into a database before its first lock.
      guard description.isDoubtful, renewIfUnused() else { throw error }
      return try unsafe content.read(into: buffer, at: offset, of: description, fill)
    }
  }

  /// Puts what was read into the read window.
  @inline(__always)
  func take(_ fill: WindowFill) { content.take(fill) }

  func write(_ buffer: UnsafeRawBufferPointer, at offset: Int64) throws(FileError) {
    try unsafe content.write(buffer, at: offset, of: description)
  }

  func truncate(toByteCount byteCount: Int64) throws(FileError) {
    try content.truncate(description, toByteCount: byteCount)
  }

  /// Makes the file at least so large, with its space reserved where the file system can do that.
  func allocate(byteCount: Int64) throws(FileError) {
    try content.allocate(description, byteCount: byteCount)
  }

  /// Makes the content durable. Syncs of one file follow one another. If one fails that is the last
  /// hope of a commit (`isFinal`), no later one succeeds.
  func synchronize(isFinal: Bool = false, gathers: Bool = false) throws(FileError) {
    defer { content.show(promises) }
    try description.use { () throws(Errno) in
      try promises.sync(isFinal: isFinal, gathers: gathers) { () throws(Errno) in
        if syncDelayNanoseconds > 0 { Clock.sleep(nanoseconds: syncDelayNanoseconds) }
        try description.descriptor.synchronizeData()
      }
    }
  }

  func status() throws(FileError) -> FileStatus { try description.status() }

  // MARK: The window

  /// The descriptor by which a client maps this database's window, which is made for the first one.
  func openWindow(_ budget: WindowBudget) throws(FileError) -> SharedDescriptor {
    try state.withLock { (state) throws(FileError) in
      try content.openWindow(budget) { () throws(FileError) in
        state.isMirrored ? nil : try description.status().byteCount
      }
    }
  }

  /// The same for the WAL of this database.
  func openWindow(
    ofWAL wal: SharedFile, _ budget: WindowBudget
  ) throws(FileError) -> SharedDescriptor {
    try state.withLock { (state) throws(FileError) in
      guard isLocal, state.shownWAL.map({ $0 === wal }) ?? true else { throw .misuse }
      let descriptor = try wal.content.openWindow(budget, ofWALOf: identity, wal.promises) {
        () throws(FileError) in
        state.isMirrored || wal.isLost ? nil : try wal.description.status().byteCount
      }
      state.shownWAL = wal
      return descriptor
    }
  }

  /// Calls `body` with the window, if there is one.
  func withWindow<R>(_ body: (ReadWindow) -> R) -> R? { content.withWindow(body) }

  // MARK: A new description

  /// Gives the file a new description. Throws `busy` while a lock stands on the old one, because
  /// its holder has yet to learn that the lock is gone.
  func renew(_ state: borrowing State) throws(FileError) {
    guard state.ladder.sharedCount == 0 else { throw .busy }
    try description.renew(isWritable: isWritable)
  }

  /// The same for a client that holds no lock; whether the file is free of doubt now.
  @discardableResult
  func renewIfUnused() -> Bool {
    guard description.isDoubtful else { return true }
    return state.withLock { state in
      if description.isDoubtful { try? renew(state) }
      return !description.isDoubtful
    }
  }

  /// Throws unless the description is as it was when the locks were put on it, as far as that can
  /// be asked: a file system that has lost them says so.
  func proveLocks() throws(FileError) { try description.proveLocks() }
}

extension SharedFile: WindowOwner {
  func giveBackWindow(granuleCount: Int) -> Int {
    content.giveBackWindow(granuleCount: granuleCount)
  }
}
