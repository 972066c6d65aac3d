// The locks and the lease of an open file description. No call waits.

internal import CSluice

public enum ByteRangeLock: Sendable {
  case shared, exclusive, none

  var kind: Int32 {
    switch self {
    case .shared: F_RDLCK
    case .exclusive: F_WRLCK
    case .none: F_UNLCK
    }
  }
}

/// Another holder's lock.
public struct LockBlocker: Sendable {
  /// Whether it belongs to an open file description, as the locks of sidecars do. Otherwise it
  /// belongs to a process, as the locks of SQLite's own VFS do.
  public var isDescription: Bool
  public var isExclusive: Bool
}

extension FileDescriptor {
  /// Sets this description's lock on `range`, in place of any lock that it has there. False if
  /// another holder's lock is in the way.
  public borrowing func setLock(
    _ lock: ByteRangeLock, start: Int64, byteCount: Int64
  ) throws(Errno) -> Bool {
    let result = sluice_ofd_lock(rawValue, lock.kind, start, byteCount)
    if result == -EAGAIN { return false }
    _ = try check(result)
    return true
  }

  /// A lock of another holder that excludes `lock`, or nil.
  public borrowing func blocker(
    of lock: ByteRangeLock, start: Int64, byteCount: Int64
  ) throws(Errno) -> LockBlocker? {
    let answer = try check(sluice_ofd_lock_blocker(rawValue, lock.kind, start, byteCount))
    guard answer != 0 else { return nil }
    return LockBlocker(
      isDescription: answer & SLUICE_BLOCKER_IS_DESCRIPTION != 0,
      isExclusive: answer & SLUICE_BLOCKER_IS_EXCLUSIVE != 0)
  }

  /// Locks the whole file or directory with flock(2), until this description is closed. Throws
  /// `again` if another holder has the lock.
  public borrowing func keepExclusively() throws(Errno) {
    _ = try check(sluice_flock_exclusive(rawValue))
  }

  /// Takes a write lease. The kernel grants it only if this is the sole open description of the
  /// file. It announces a break of the lease through `LeaseSignals`; the answer must be
  /// `giveBackLease`.
  public borrowing func takeLease() throws(Errno) {
    _ = try check(sluice_lease_take(rawValue, sluice_lease_signal))
  }

  public borrowing func giveBackLease() throws(Errno) {
    _ = try check(sluice_lease_give_back(rawValue))
  }

  /// False once another open has begun to break the lease, or the kernel has taken the lease.
  public borrowing func leaseIsWhole() throws(Errno) -> Bool {
    try check(sluice_lease_is_held(rawValue)) == 1
  }
}
