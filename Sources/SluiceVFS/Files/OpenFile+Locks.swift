// The locks of an open file: the database's five levels, and the locks of its WAL index.
//
// A standing lock is taken without the sidecar. Any other lock is requested from the sidecar, and
// waited for if it is refused (+Waiting). If the sidecar turns out to be dead, a connection that
// holds nothing moves to the next sidecar (+Succession). A connection that only gives back its lock
// has lost nothing.

internal import CSQLite
internal import SluiceChannel
internal import SluiceClient
internal import SluiceSystem
internal import SluiceWire

extension OpenFile {
  /// Whether a connection to this file may take the lock. A file that was opened for reading gets no
  /// lock to write, as the kernel gives none for such a descriptor to SQLite's unix VFS. SQLite
  /// relies on it: the last reader of a WAL database would otherwise delete its WAL. Such a refusal
  /// is part of normal work and is not logged.
  @inline(__always)
  func mayTake(_ level: LockLevel) -> Bool {
    if level <= .shared || remote.isWritable { return true }
    lastErrno = Errno.badDescriptor.rawValue
    return false
  }

  /// xLock.
  func lock(_ level: LockLevel) throws(VFSError) {
    noteThreadUses(token)
    if self.level >= level { return }
    try tellWhatWasTakenBack()
    if level == .shared { waitBeforeReading(.reserved) }
    var maySucceed = self.level == .none
    while true {
      do throws(CallError) {
        return try ask(for: level)
      } catch {
        guard error.endsSession, maySucceed else { throw .call(error) }
        try succeed()
        maySucceed = false
      }
    }
  }

  @inline(__always)
  private func ask(for level: LockLevel) throws(CallError) {
    wait.wants(.file(level))
    try locking(.file(level)) { () throws(CallError) in
      if level == .shared, knowledge?.take(.file) ?? false {
        self.level = .shared
        return
      }
      do throws(CallError) {
        try remote.lock(level)
        self.level = level
        wasGranted()
      } catch {
        if case .refused(.busyPending, _) = error { self.level = .pending }
        throw error
      }
    }
  }

  /// xUnlock.
  func unlock(_ level: LockLevel) throws(CallError) {
    let held = self.level
    if held <= level { return }
    self.level = level
    if level == .none { wait.transactionEnded() }
    if held == .shared, knowledge?.giveBack(.file) ?? false { return }
    do throws(CallError) {
      try remote.unlock(level)
    } catch {
      // Nobody knows whether a writer's last writes were done. A reader's lock has ended with its
      // sidecar, as it should.
      guard error.endsSession, held == .shared else { throw error }
    }
  }

  // MARK: The WAL index

  /// xShmLock. False if it is refused without a question to the sidecar.
  func lockWALIndex(first: Int, count: Int, _ kind: WALLockKind) throws(VFSError) -> Bool {
    var maySucceed = true
    while true {
      // Without any lock, the next step is a new transaction or a checkpoint. A checkpoint reads no
      // pages.
      if kind != .unlock, first != WALIndexMap.checkpointLock {
        if !wait.checkpoints { try tellWhatWasTakenBack() }
        if mustDropPages, !wait.holdsWALLocks {
          mustDropPages = false
          throw .recovering
        }
      }
      do throws(CallError) {
        return try askForWALIndex(first: first, count: count, kind)
      } catch {
        guard error.endsSession else { throw .call(error) }
        walIndex?.letGo()
        if kind == .unlock { return true }
        guard maySucceed else { throw .call(error) }
        try succeedInWALMode(error)
        maySucceed = false
      }
    }
  }

  @inline(__always)
  private func askForWALIndex(
    first: Int, count: Int, _ kind: WALLockKind
  ) throws(CallError) -> Bool {
    let bits = UInt8(truncatingIfNeeded: ((1 << count) - 1) << first)
    if kind == .unlock {
      // A connection that sets a reader's mark has its lock alone.
      if wait.hasClaim, wait.sharesWALLocks(bits & 0xf8) {
        if !wait.mustReadAgain { giveUpClaim() }
        wait.mustReadAgain = false
      }
      if bits & 2 != 0, wait.hasClaim { giveUpClaim() }
      let reads = bits & 0xf8 != 0
      wait.gaveBackWALLocks(bits)
      defer { if reads, let walIndex, walIndex.isWriting { yieldProcessor() } }
      if bits & 1 != 0 {
        if let walIndex {
          snapshot = walIndex.transactionCount
          walIndex.isWriting = false
        }
      }
      // A writer's right, or the snapshot of one that had only the claim to it.
      if bits & 0xf9 != 0 { awaitWhatWriterRead() }
      if knowledge?.giveBack(.walIndex(bits)) ?? false { return true }
      try remote.lockWALIndex(first: first, count: count, kind)
      return true
    }
    let isAlone = kind == .exclusive
    let lock = isAlone ? AwaitedLock.walIndexExclusive(bits) : .walIndexShared(bits)
    if isAlone {
      if bits == 2 { waitBeforeCopying() }
      wait.wants(lock)
    } else if bits & 0xf8 != 0 {
      waitBeforeReading(.walWrite)
    }
    if knowledge?.take(.walIndex(bits), alone: isAlone) ?? false {
      wait.wasGranted(lock)
    } else if isAlone, let walIndex, count == 1, ReadMarks.locks.contains(first),
      !wait.holdsWALLocks,
      readMarks.goWithout(
        first, newest: walIndex.newestReadMark, now: Clock.coarseNanoseconds())
    {
      return false
    } else {
      do throws(CallError) {
        try locking(lock) { () throws(CallError) in
          if knowledge?.take(.walIndex(bits), alone: isAlone) ?? false { return }
          if isAlone, !(knowledge?.isOwned ?? false) { try walIndex?.makeLocksLast(of: remote) }
          try remote.lockWALIndex(first: first, count: count, kind)
          wasGranted()
        }
      } catch {
        // Another copies: the turn that this one waited for goes to the next.
        if bits == 2, wait.hasClaim { giveUpClaim() }
        throw error
      }
    }
    wait.tookWALLocks(bits, alone: isAlone)
    if let walIndex {
      if isAlone {
        if bits & 1 != 0 {
          walIndex.isWriting = true
          noteStaleSnapshot(walIndex)
        }
      } else if bits & 0xf8 != 0 {
        snapshot = walIndex.transactionCount
      }
    }
    return true
  }

  /// The connection has got the right to write, and others have written since its snapshot was taken.
  /// SQLite gives it back then, and its lock on the snapshot, and sleeps, as if it had been refused.
  @inline(__always)
  private func noteStaleSnapshot(_ walIndex: WALIndexMap) {
    if walIndex.transactionCount != snapshot, wait.readsWAL { wait.wasRefused(.walWrite) }
  }

  /// xShmMap.
  func mapWALIndex(
    region: Int, byteCount: Int, extends: Bool,
    _ out: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  ) throws(VFSError) -> Int32 {
    let index = walIndex ?? WALIndexMap()
    walIndex = index
    var maySucceed = true
    while true {
      do throws(VFSError) {
        return try unsafe index.map(
          region: region, byteCount: byteCount, extends: extends, isReadOnly: isWALIndexReadOnly,
          of: remote, out)
      } catch .call(let error) where error.endsSession && maySucceed {
        index.letGo()
        try succeedInWALMode(error)
        maySucceed = false
      }
    }
  }
}
