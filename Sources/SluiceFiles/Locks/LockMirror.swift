// Puts the locks that our clients hold together on the file itself, where programs outside see
// them, and asks for the locks of those programs. Needed while others may have the file open; no
// call waits.
//
// These are the locks of one open file description (F_OFD_SETLK), so they do not conflict with each
// other. Under the file's `state`.

internal import SluiceSystem
internal import SluiceWire

extension FileDescription {
  /// Brings the file from what stands there to `new`. Throws `busy`, or a kind of it, where an
  /// outsider is in the way. After a failure half-way, what was changed before it stays.
  func mirrorLocks(from old: LocksOnFile, to new: LocksOnFile) throws(FileError) {
    try old.change(to: new) { (call) throws(FileError) in try putLock(call) }
  }

  /// Throws where an outsider holds PENDING; else keeps PENDING shared, until `endLookAtPending`,
  /// so that no outsider takes it.
  ///
  /// A new reader of ours looks there even if we have SHARED on the file already, so that our
  /// readers do not starve an outside writer that waits for the readers to go.
  func beginLookAtPending() throws(FileError) {
    try putLock(LocksOnFile.Call(lock: .shared, start: LockByte.pending, byteCount: 1))
  }

  func endLookAtPending() {
    try? putLock(LocksOnFile.Call(lock: .none, start: LockByte.pending, byteCount: 1))
  }

  private func putLock(_ call: LocksOnFile.Call) throws(FileError) {
    let isPlaced = try use { () throws(Errno) in
      try descriptor.setLock(call.lock, start: call.start, byteCount: call.byteCount)
    }
    if isPlaced || call.lock == .none { return }
    // A writer that waits for readers outside keeps PENDING.
    let isForReadersToGo = call.lock == .exclusive && call.start == LockByte.shared
    // Where the holder may be on another host, nobody can say who it is.
    if !isLocal { throw isForReadersToGo ? .busyPending : .busy }
    let blocker = try system { () throws(Errno) in
      try descriptor.blocker(of: call.lock, start: call.start, byteCount: call.byteCount)
    }
    // A lock that is gone by now was perhaps that of a dying client's sidecar.
    let isSidecars = blocker?.isDescription ?? true
    if isForReadersToGo { throw isSidecars ? .busyPendingPerhaps : .busyPending }
    throw isSidecars ? .busyPerhaps : .busy
  }

  // MARK: Questions

  /// Whether an outsider holds RESERVED.
  func isReservedOutside() throws(FileError) -> Bool {
    try isLockRefused(.exclusive, LockByte.reserved, 1)
  }

  /// Whether the kernel would refuse `level` now to a handle of ours that holds `held`. Where that
  /// cannot be learned because the file is not this kernel's own, the answer is yes.
  func isTakenOutside(_ level: LockLevel, from held: LockLevel) throws(FileError) -> Bool {
    if held == .none {
      if try isBlockedOrUnknown(.shared, LockByte.pending, 1) { return true }
      if try isBlockedOrUnknown(.shared, LockByte.shared, LockByte.sharedByteCount) { return true }
    }
    switch level {
    case .none, .shared, .pending: return false
    case .reserved: return try isBlockedOrUnknown(.exclusive, LockByte.reserved, 1)
    case .exclusive:
      return try isBlockedOrUnknown(.exclusive, LockByte.shared, LockByte.sharedByteCount)
    }
  }

  private func isBlockedOrUnknown(
    _ lock: ByteRangeLock, _ start: Int64, _ byteCount: Int64
  ) throws(FileError) -> Bool {
    if isLocal { return try isLockRefused(lock, start, byteCount) }
    return (try? isLockRefused(lock, start, byteCount)) ?? true
  }

  /// Whether an outsider is in the way of such a lock. Servers that each know a part of a file
  /// cannot answer (EIO) while a lock is on its way to them: they are asked again.
  private func isLockRefused(
    _ lock: ByteRangeLock, _ start: Int64, _ byteCount: Int64
  ) throws(FileError) -> Bool {
    for _ in 0..<(isLocal ? 0 : 10) {
      do throws(Errno) {
        return try descriptor.blocker(of: lock, start: start, byteCount: byteCount) != nil
      } catch .inputOutput {
        Clock.sleep(nanoseconds: 2_000_000)
      } catch {
        break
      }
    }
    // No failure of the description: what asks for a lock would have met that.
    return try system { () throws(Errno) in
      try descriptor.blocker(of: lock, start: start, byteCount: byteCount) != nil
    }
  }
}
