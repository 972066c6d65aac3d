// What a SharedFile does with its WAL index: join, lock, leave.

internal import SluiceChannel
internal import SluiceSystem
internal import SluiceWire

extension SharedFile {
  /// Has `holder` join the index unless it has already, and gives its size, after extending it if
  /// asked, and whether it is there for reading only. `pass` is called with a descriptor of it if the
  /// client wants one. Who joins an index that is not set up and cannot be has joined all the same,
  /// for he may read the WAL without it.
  func mapWALIndex(
    _ holder: LockHolder, _ request: WALIndexMapRequest, at location: Location,
    pass: (Int32) throws(Errno) -> Void
  ) throws(FileError) -> (byteCount: Int64, isReadOnly: Bool) {
    try state.withLock { (state) throws(FileError) in
      let index: WALIndex
      if let present = state.walIndex {
        index = present
      } else {
        index = try WALIndex.open(
          besideDatabase: location, creates: !request.isReadOnly, like: try self.status())
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
      return (byteCount, isReadOnly)
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
      // What the client has itself and does not use is in its way as well.
      let set = WALIndex.set(locks)
      switch request.kind {
      case .unlock:
        // What cannot be taken off the file is given back all the same.
        defer { state.locksOfIndexWereReleased(by: holder.id, had, holder.walIndex!) }
        self.endStanding(set, of: holder, &state)
        try index.unlock(locks, of: holder, isMirrored: state.isMirrored)
      case .shared:
        if index.areHeldAlone(locks) { self.takeBack(set, besides: nil, &state) }
        try index.lockShared(locks, by: holder, isMirrored: state.isMirrored)
        if WALIndex.standShared.isSuperset(of: set) {
          self.letStand(set, of: holder, isUsed: true, &state)
        } else {
          // What stood unused among them is in use now, and its client's word does not say so.
          self.endStanding(set, of: holder, &state)
        }
      case .exclusive:
        let takesTurn = locks.contains(0) && had.exclusive & 1 == 0
        self.takeBack(set, besides: nil, &state)
        if takesTurn, index.holders[0] == 0, !state.lineAdmits(holder.id) { throw .busyInLine }
        defer {
          if takesTurn, holder.walIndex!.exclusive & 1 == 1 { state.turnWasTaken(by: holder.id) }
        }
        try index.lockExclusive(locks, by: holder, isMirrored: state.isMirrored)
        // The line counts who has the right to write, and for how long.
        if set == WALIndex.standAlone, state.queue.isIdle {
          self.letStand(set, of: holder, isUsed: true, &state)
        }
      }
    }
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
      self.takeBack(WALIndex.standShared, besides: nil, &state)
      for lock in WALIndex.readLocks {
        let own = holders.count { ($0.walIndex?.shared ?? 0) >> lock & 1 == 1 }
        if index.holders[lock] > own { return true }
        let isForeign = !holders.contains { ($0.walIndex?.exclusive ?? 0) >> lock & 1 == 1 }
        if index.holders[lock] < 0, isForeign { return true }
      }
      guard state.isMirrored else { return false }
      return try system { () throws(Errno) in
        try index.descriptor.blocker(
          of: .exclusive, start: WALIndex.firstLockByte + 3, byteCount: 5) != nil
      }
    }
  }
}
