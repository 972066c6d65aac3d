// What a SharedFile does with its WAL index: join, lock, leave.

internal import SluiceChannel
internal import SluiceSystem
internal import SluiceWire

extension SharedFile {
  /// Has `holder` join the index unless it has already, and gives its size, after extending it if
  /// asked, which file it is, and whether it is there for reading only. `pass` is called with a descriptor of it if the
  /// client wants one. Who joins an index that is not set up and cannot be has joined all the same,
  /// for he may read the WAL without it.
  ///
  /// Clients of a dead sidecar have its index mapped still, and write there until they learn of its
  /// death. So the first one here gets a new file, by `remove` of the old: nobody outside uses it
  /// while the database is owned.
  func mapWALIndex(
    _ holder: LockHolder, _ request: WALIndexMapRequest, at location: Location,
    opensForWriting: Bool, remove: (borrowing Location) -> Void,
    pass: (Int32) throws(Errno) -> Void
  ) throws(FileError) -> (byteCount: Int64, identity: FileIdentity, isReadOnly: Bool) {
    // It is memory that all who have the database open share, and they may be on several hosts.
    guard isLocal else { throw .misuse }
    return try state.withLock { (state) throws(FileError) in
      let index: WALIndex
      if let present = state.walIndex {
        index = present
      } else {
        let place = location.beside("-shm")
        // Whoever may not write to it finds it as it is.
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
        holder.walIndex = WALIndexMembership()
      }
      try index.setUp(forReading: request.isReadOnly, isMirrored: state.isMirrored)
      let isReadOnly = index.isReadOnly || request.isReadOnly
      let byteCount = try index.byteCount(
        extendingTo: request.byteCount, extends: request.extends && !isReadOnly)
      if request.wantsDescriptor {
        try system { () throws(Errno) in
          let view = try index.openView()
          try pass(view.rawValue)
        }
      }
      return (byteCount, index.identity, isReadOnly)
    }
  }

  /// Takes or gives back locks of the index, or throws that somebody is in the way.
  func lockWALIndex(
    _ holder: LockHolder, _ request: WALIndexLockRequest, now: Int64
  ) throws(FileError) {
    try state.withLock { (state) throws(FileError) in
      guard let index = state.walIndex, let had = holder.walIndex else { throw .misuse }
      if request.kind != .unlock { self.own(&state, now: now) }
      let locks = Int(request.first)..<Int(request.first + request.count)
      let set = WALIndex.set(locks)
      switch request.kind {
      case .unlock:
        // What cannot be taken off the file is given back all the same.
        defer { state.locksOfIndexWereReleased(by: holder.id, had, holder.walIndex!) }
        self.endStanding(set, of: holder, &state)
        try index.unlock(locks, of: holder, isMirrored: state.isMirrored)
      case .shared:
        // What the client has itself and does not use is in its way as well.
        if index.areHeldAlone(locks) {
          self.takeBack(set, toShare: true, besides: nil, &state)
        }
        try index.lockShared(locks, by: holder, isMirrored: state.isMirrored)
        self.letStand(set, of: holder, .shared, index, &state)
      case .exclusive:
        let takesTurn = locks.contains(0) && had.exclusive & 1 == 0
        if takesTurn, !holder.stands(WALIndex.writeLock) {
          try self.respectStandingWriter(state, index)
        }
        self.takeBack(set, besides: nil, &state)
        if takesTurn, index.holders[0] == 0, !state.lineAdmits(holder.id) { throw .busyInLine }
        try index.lockExclusive(locks, by: holder, isMirrored: state.isMirrored)
        if takesTurn { state.turnWasTaken(by: holder.id) }
        self.letStand(set, of: holder, .alone, index, &state)
      }
    }
  }

  /// Who has the right to write may take it again and again for a while, as in a turn: to hand it
  /// over costs more than a small transaction.
  private func respectStandingWriter(
    _ state: borrowing State, _ index: WALIndex
  ) throws(FileError) {
    guard index.holders[0] < 0, state.standers.contains(where: { $0.stands(WALIndex.writeLock) })
    else { return }
    let now = Clock.monotonicNanoseconds()
    if state.queue.standsUntil(now) != nil { throw .busyInLine }
    if now - state.writeGrantedAt < LockQueue.Patience.standingSliceNanoseconds { throw .standsYet }
  }

  /// Lets locks stand that were just granted: alone where nobody else has them.
  @inline(__always)
  private func letStand(
    _ set: LockSet, of holder: LockHolder, _ use: StandingLocks.Use, _ index: WALIndex,
    _ state: inout State
  ) {
    guard mayStand(holder, state) else { return }
    var set = set
    // The line counts who has the right to write, and for how long.
    if set.contains(WALIndex.writeLock) {
      if state.turnMayStand(for: holder.id) {
        state.writeGrantedAt = Clock.monotonicNanoseconds()
      } else {
        set.subtract(WALIndex.writeLock)
        // What stood unused is in use now, and its client's word does not say so.
        endStanding(WALIndex.writeLock, of: holder, &state)
      }
    }
    letStand(set, alone: index.keepAlone(set.walIndexBits, of: holder), of: holder, use, &state)
  }

  /// Leaves the index; the last one closes it, and removes the file if asked.
  func unmapWALIndex(_ holder: LockHolder, deletes: Bool) throws(FileError) {
    try state.withLock { (state) throws(FileError) in
      guard let had = holder.walIndex, let index = state.walIndex else { return }
      defer { state.locksOfIndexWereReleased(by: holder.id, had, WALIndexMembership()) }
      self.endStanding(.all.subtracting(.file), of: holder, &state)
      defer { holder.walIndex = nil }
      try index.unlock(0..<WALIndex.lockCount, of: holder, isMirrored: state.isMirrored)
      index.userCount -= 1
      guard index.userCount == 0 else { return }
      if deletes, !index.isReadOnly {
        try? unsafe index.location.directory.descriptor.unlink(index.location.name)
      }
      state.walIndex = nil
    }
  }

  /// Whether anybody but these holders reads the WAL: the read locks are the last five.
  func hasExternalReader(besides holders: [LockHolder]) throws(FileError) -> Bool {
    try state.withLock { (state) throws(FileError) in
      guard let index = state.walIndex else { return false }
      self.takeBack(WALIndex.set(WALIndex.readLocks), toShare: true, besides: nil, &state)
      for lock in WALIndex.readLocks {
        let own = holders.count { $0.walIndex?.holds(lock) ?? false }
        let all = index.holders[lock] < 0 ? 1 : index.holders[lock]
        if all > own { return true }
      }
      guard state.isMirrored else { return false }
      return try system { () throws(Errno) in
        try index.descriptor.blocker(
          of: .exclusive, start: WALIndex.firstLockByte + 3, byteCount: 5) != nil
      }
    }
  }
}
