// The locks of a WAL index: counted (WALLocks), and put on the index file while others may have the
// database open. Under the database's `state`.

internal import SluiceChannel
internal import SluiceSystem

extension WALIndex {
  // MARK: On the file

  /// Places a lock on the file, on a client's view if one is given, or throws that an outsider is in
  /// the way.
  func lock(
    _ lock: ByteRangeLock, at byte: Int64, count: Int = 1, on view: SharedDescriptor? = nil
  ) throws(FileError) {
    let isPlaced = try system { () throws(Errno) in
      guard let view else {
        return try descriptor.setLock(lock, start: byte, byteCount: Int64(count))
      }
      return try view.descriptor.setLock(lock, start: byte, byteCount: Int64(count))
    }
    if isPlaced { return }
    let blocker = try blocker(of: lock, at: byte, count: count)
    // A lock that is gone by now was perhaps that of a dying client's sidecar.
    throw blocker?.isDescription ?? true ? .busyPerhaps : .busy
  }

  func blocker(
    of lock: ByteRangeLock, at byte: Int64, count: Int = 1
  ) throws(FileError) -> LockBlocker? {
    try system { () throws(Errno) in
      try descriptor.blocker(of: lock, start: byte, byteCount: Int64(count))
    }
  }

  func byte(_ lock: Int) -> Int64 { Self.firstLockByte + Int64(lock) }

  /// Puts on the file all that is held here.
  func putLocks() throws(FileError) {
    guard isSetUp else { return }
    try lock(.shared, at: Self.deadManSwitch)
    for index in 0..<WALLocks.lockCount where views[index] == nil {
      let kind = locks.kindOnFile(index)
      if kind != .none { try lock(kind, at: byte(index)) }
    }
  }

  /// Whether an outsider has one of these locks (a bit for each) now, so that the kernel would refuse
  /// it. A lock that a client of ours has is none of an outsider's.
  func isTakenOutside(_ bits: UInt8, _ kind: ByteRangeLock) throws(FileError) -> Bool {
    for lock in 0..<WALLocks.lockCount where bits >> lock & 1 == 1 && views[lock] == nil {
      if try blocker(of: kind, at: byte(lock)) != nil { return true }
    }
    return false
  }

  func hasReaderOutside() throws(FileError) -> Bool {
    try isTakenOutside(WALLocks.set(WALLocks.readLocks).walIndexBits, .exclusive)
  }

  // MARK: Requests

  /// Gives back those that `holder` has. Where one cannot be taken off the file, it is given back
  /// all the same, and those after it are not.
  func unlock(
    _ range: Range<Int>, of holder: LockHolder, isMirrored: Bool
  ) throws(FileError) {
    guard var held = holder.walIndex else { return }
    defer { holder.walIndex = held }
    for lock in range where locks.release(lock, &held) {
      if let view = views[lock] {
        try endLasting(lock, on: view)
      } else if isMirrored, locks.kindOnFile(lock) == .none {
        try self.lock(.none, at: byte(lock))
      }
    }
  }

  /// Throws `busy` where one of them is held alone. Where one cannot be put on the file, those
  /// before it are held.
  func lockShared(
    _ range: Range<Int>, by holder: LockHolder, isMirrored: Bool
  ) throws(FileError) {
    guard var held = holder.walIndex else { throw .misuse }
    defer { holder.walIndex = held }
    if locks.isOneHeldAlone(range) { throw .busy }
    for lock in range {
      if isMirrored, locks.kindOnFile(lock) == .none { try self.lock(.shared, at: byte(lock)) }
      locks.share(lock, &held)
    }
  }

  /// All of them or none.
  func lockExclusive(
    _ range: Range<Int>, by holder: LockHolder, isMirrored: Bool
  ) throws(FileError) {
    guard var held = holder.walIndex else { throw .misuse }
    guard locks.mayHoldAlone(range, held) else { throw .busy }
    if isMirrored, let view = holder.view {
      try lockLasting(range, on: view)
    } else if isMirrored {
      try lock(.exclusive, at: byte(range.lowerBound), count: range.count)
    }
    locks.holdAlone(range, &held)
    holder.walIndex = held
  }

  // MARK: Locks that stand

  /// Makes locks that `holder` has its alone, where no other has them; gives those that are.
  func keepAlone(_ bits: UInt8, of holder: LockHolder) -> LockSet {
    guard var held = holder.walIndex else { return [] }
    defer { holder.walIndex = held }
    return .walIndex(locks.keepAlone(bits: bits, &held))
  }

  /// What `holder` had alone it shares from now on.
  func share(_ bits: UInt8, of holder: LockHolder) {
    guard var held = holder.walIndex else { return }
    locks.shareAgain(bits: bits, &held)
    holder.walIndex = held
  }

  /// Counts locks out that no file has to know of.
  func release(_ bits: UInt8, of holder: LockHolder) {
    guard var held = holder.walIndex else { return }
    locks.release(bits: bits, &held)
    holder.walIndex = held
  }
}
