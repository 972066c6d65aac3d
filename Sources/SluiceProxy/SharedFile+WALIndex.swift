// What a SharedFile does with its WAL index: join, lock, leave.

internal import SluiceSystem
internal import SluiceWire

extension SharedFile {
  /// Joins the index if `membership` is nil, and gives its size, after extending it if asked, and
  /// whether it is there for reading only. `pass` is called with a descriptor of it if the client
  /// wants one. Who joins an index that is not set up and cannot be has joined all the same, for he
  /// may read the WAL without it.
  func mapWALIndex(
    _ membership: inout WALIndexMembership?, _ request: WALIndexMapRequest, at location: Location,
    pass: (Int32) throws(Errno) -> Void
  ) throws(FileError) -> (byteCount: Int64, isReadOnly: Bool) {
    var joined = membership
    defer { membership = joined }
    return try state.withLock { (state) throws(FileError) in
      let index: WALIndex
      if let present = state.walIndex {
        index = present
      } else {
        index = try WALIndex.open(
          besideDatabase: location, creates: !request.isReadOnly, like: try self.status())
        state.walIndex = index
      }
      if joined == nil {
        index.userCount += 1
        joined = WALIndexMembership()
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
    _ membership: inout WALIndexMembership, _ request: WALIndexLockRequest, now: Int64
  ) throws(FileError) {
    var held = membership
    defer { membership = held }
    try state.withLock { (state) throws(FileError) in
      guard let index = state.walIndex else { throw .misuse }
      if request.kind != .unlock { self.own(&state, now: now) }
      let locks = Int(request.first)..<Int(request.first + request.count)
      switch request.kind {
      case .unlock:
        try self.unlock(index, locks, &held, isMirrored: state.isMirrored)
      case .shared:
        try self.lockShared(index, locks, &held, isMirrored: state.isMirrored)
      case .exclusive:
        try self.lockExclusive(index, locks, &held, isMirrored: state.isMirrored)
      }
    }
  }

  /// Leaves the index; the last one closes it, and removes the file if asked.
  func unmapWALIndex(_ membership: inout WALIndexMembership?, deletes: Bool) throws(FileError) {
    guard var held = membership else { return }
    membership = nil
    try state.withLock { (state) throws(FileError) in
      guard let index = state.walIndex else { return }
      try self.unlock(index, 0..<WALIndex.lockCount, &held, isMirrored: state.isMirrored)
      index.userCount -= 1
      guard index.userCount == 0 else { return }
      if deletes, !index.isReadOnly {
        try? unsafe index.location.directory.descriptor.unlink(index.location.name)
      }
      state.walIndex = nil
    }
  }

  /// Whether anybody but the holders of `memberships` reads the WAL: the read locks are the last
  /// five.
  func hasExternalReader(_ memberships: [WALIndexMembership]) throws(FileError) -> Bool {
    try state.withLock { (state) throws(FileError) in
      guard let index = state.walIndex else { return false }
      for lock in 3..<WALIndex.lockCount {
        let own = memberships.count { $0.shared >> lock & 1 == 1 }
        if index.holders[lock] > own { return true }
        let isForeign = !memberships.contains { $0.exclusive >> lock & 1 == 1 }
        if index.holders[lock] < 0, isForeign { return true }
      }
      guard state.isMirrored else { return false }
      return try system { () throws(Errno) in
        try index.descriptor.blocker(
          of: .exclusive, start: WALIndex.firstLockByte + 3, byteCount: 5) != nil
      }
    }
  }

  // MARK: Locks, under `state`

  private func unlock(
    _ index: WALIndex, _ locks: Range<Int>, _ held: inout WALIndexMembership, isMirrored: Bool
  ) throws(FileError) {
    for lock in locks {
      let bit = UInt8(1) << lock
      if held.exclusive & bit != 0 {
        index.holders[lock] = 0
      } else if held.shared & bit != 0 {
        index.holders[lock] -= 1
      } else {
        continue
      }
      held.exclusive &= ~bit
      held.shared &= ~bit
      if isMirrored, index.holders[lock] == 0 {
        try index.lock(.none, at: WALIndex.firstLockByte + Int64(lock))
      }
    }
  }

  private func lockShared(
    _ index: WALIndex, _ locks: Range<Int>, _ held: inout WALIndexMembership, isMirrored: Bool
  ) throws(FileError) {
    for lock in locks {
      let bit = UInt8(1) << lock
      if held.shared & bit != 0 { continue }
      if index.holders[lock] < 0 { throw .busy }
      if isMirrored, index.holders[lock] == 0 {
        try index.lock(.shared, at: WALIndex.firstLockByte + Int64(lock))
      }
      index.holders[lock] += 1
      held.shared |= bit
    }
  }

  /// All of them or none.
  private func lockExclusive(
    _ index: WALIndex, _ locks: Range<Int>, _ held: inout WALIndexMembership, isMirrored: Bool
  ) throws(FileError) {
    for lock in locks where held.exclusive >> lock & 1 == 0 && index.holders[lock] != 0 {
      throw .busy
    }
    if isMirrored {
      let start = WALIndex.firstLockByte + Int64(locks.lowerBound)
      try index.lock(.exclusive, at: start, count: locks.count)
    }
    for lock in locks {
      index.holders[lock] = -1
      held.exclusive |= UInt8(1) << lock
    }
  }
}
