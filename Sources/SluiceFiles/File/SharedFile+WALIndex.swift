// What a SharedFile does with its WAL index: join, lock, leave. Under `state`.

internal import SluiceChannel
internal import SluiceSystem
internal import SluiceWire

extension SharedFile {
  /// Has `holder` join the index unless it has already. Gives the index's size, after extending it
  /// if asked, which file it is, and whether it is there for reading only. `pass` is called with a
  /// descriptor of it if the client wants one, as its view if it maps nothing. A client joins even if the index is not set up and
  /// cannot be, because it may read the WAL without it.
  ///
  /// Clients of a dead sidecar still have its index mapped, and write there until they learn of its
  /// death. So the first client here gets a new file, by `remove` of the old: nobody outside uses
  /// it while the database is owned.
  func mapWALIndex(
    _ holder: LockHolder, _ request: WALIndexMapRequest, at location: Location,
    opensForWriting: Bool, remove: (borrowing Location) -> Void,
    pass: (Int32) throws(Errno) -> Void
  ) throws(FileError) -> (byteCount: Int64, identity: FileIdentity, isReadOnly: Bool) {
    // All that have the database open share this memory, and they may be on several hosts.
    guard isLocal else { throw .misuse }
    return try state.withLock { (state) throws(FileError) in
      let index: WALIndex
      if let present = state.walIndex {
        index = present
      } else {
        let place = location.beside("-shm")
        // A client that may not write to it finds it as it is.
        if isWritable, !state.isMirrored, !request.isReadOnly, WALIndex.mayBeWritten(place) {
          remove(place)
        }
        index = try WALIndex.open(
          place, creates: !request.isReadOnly, forWriting: opensForWriting,
          like: try self.status())
        state.walIndex = index
      }
      if holder.walIndex == nil {
        index.userCount += 1
        holder.walIndex = WALMembership()
      }
      try index.setUp(forReading: request.isReadOnly, isMirrored: state.isMirrored)
      let isReadOnly = index.isReadOnly || request.isReadOnly
      let byteCount = try index.byteCount(
        extendingTo: request.byteCount, extends: request.extends && !isReadOnly)
      if request.wantsDescriptor {
        let view = try system { () throws(Errno) in SharedDescriptor(try index.openView()) }
        // A client that wants to map nothing wants its locks to last.
        if request.byteCount == 0 { try index.letLocksLast(of: holder, on: view) }
        try system { () throws(Errno) in try pass(view.descriptor.rawValue) }
      }
      return (byteCount, index.identity, isReadOnly)
    }
  }

  /// Takes or gives back locks of the index, or throws that another is in the way.
  func lockWALIndex(
    _ holder: LockHolder, _ request: WALIndexLockRequest, now: Int64
  ) throws(FileError) {
    try state.withLock { (state) throws(FileError) in
      guard let index = state.walIndex, let had = holder.walIndex else { throw .misuse }
      if request.kind != .unlock { self.own(&state, now: now) }
      let locks = Int(request.first)..<Int(request.first + request.count)
      let set = WALLocks.set(locks)
      switch request.kind {
      case .unlock:
        // To give back the right to write without having it is to give up one's place in the line.
        if locks.contains(WALLocks.write), had.exclusive & 1 == 0, !state.line.isIdle {
          state.line.leave(holder.id, now: now)
          state.tellFirst(now: now)
        }
        // What cannot be taken off the file is given back all the same.
        defer { state.locksOfIndexWereReleased(by: holder.id, had, holder.walIndex!) }
        self.endStanding(set, of: holder, &state)
        try index.unlock(locks, of: holder, isMirrored: state.isMirrored)
      case .shared:
        // What the client has itself and does not use is in its way as well.
        if index.locks.isOneHeldAlone(locks) {
          self.takeBack(set, toShare: true, besides: nil, &state)
        }
        try index.lockShared(locks, by: holder, isMirrored: state.isMirrored)
        self.letStand(set, of: holder, .shared, index, &state)
      case .exclusive:
        let takesTurn = locks.contains(WALLocks.write) && had.exclusive & 1 == 0
        if takesTurn, !holder.stands(WALLocks.writeLock) {
          try self.respectStandingWriter(state, index)
        }
        self.takeBack(set, besides: nil, &state)
        if takesTurn, !state.line.isIdle {
          self.pauseForCheckpoint(holder, &state, now: Clock.monotonicNanoseconds())
        }
        if takesTurn, index.locks.holderCount(WALLocks.write) == 0, !state.lineAdmits(holder.id) {
          throw .busyInLine
        }
        try index.lockExclusive(locks, by: holder, isMirrored: state.isMirrored)
        if takesTurn { state.turnWasTaken(by: holder.id) }
        self.letStand(set, of: holder, .alone, index, &state)
      }
    }
  }

  /// Leaves the index; the last one closes it, and removes the file if asked.
  func unmapWALIndex(_ holder: LockHolder, deletes: Bool) throws(FileError) {
    try state.withLock { (state) throws(FileError) in
      guard let had = holder.walIndex, let index = state.walIndex else { return }
      defer { state.locksOfIndexWereReleased(by: holder.id, had, WALMembership()) }
      self.endStanding(.all.subtracting(.file), of: holder, &state)
      defer {
        holder.walIndex = nil
        holder.view = nil
      }
      try index.unlock(0..<WALLocks.lockCount, of: holder, isMirrored: state.isMirrored)
      index.userCount -= 1
      guard index.userCount == 0 else { return }
      if deletes, !index.isReadOnly {
        try? unsafe index.location.directory.descriptor.unlink(index.location.name)
      }
      state.walIndex = nil
      state.promisedWAL = nil
    }
  }

  /// Whether a handle that is none of these reads the WAL.
  func hasExternalReader(besides holders: [LockHolder]) throws(FileError) -> Bool {
    try state.withLock { (state) throws(FileError) in
      guard let index = state.walIndex else { return false }
      self.takeBack(
        WALLocks.set(WALLocks.readLocks), toShare: true, besides: nil, &state)
      for lock in WALLocks.readLocks {
        let own = holders.count { $0.walIndex?.holds(lock) ?? false }
        if index.locks.holderCount(lock) > own { return true }
      }
      guard state.isMirrored else { return false }
      return try index.hasReaderOutside()
    }
  }
}
