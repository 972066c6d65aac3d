// Locks of an open file description and its lease. No call waits.

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

/// A lock of somebody else's.
public struct LockBlocker: Sendable {
  /// An open file description's, as those of sidecars are, rather than a process's, as those of
  /// SQLite's own VFS are.
  public var isDescription: Bool
  public var isExclusive: Bool
}

extension FileDescriptor {
  /// Sets this description's lock on `range`, in place of any it has there. False when somebody
  /// else's lock is in the way.
  public borrowing func setLock(
    _ lock: ByteRangeLock, start: Int64, byteCount: Int64
  ) throws(Errno) -> Bool {
    let result = sluice_ofd_lock(rawValue, lock.kind, start, byteCount)
    if result == -EAGAIN { return false }
    _ = try check(result)
    return true
  }

  /// Who holds a lock that excludes `lock`, if anybody does.
  public borrowing func blocker(
    of lock: ByteRangeLock, start: Int64, byteCount: Int64
  ) throws(Errno) -> LockBlocker? {
    let answer = try check(sluice_ofd_lock_blocker(rawValue, lock.kind, start, byteCount))
    guard answer != 0 else { return nil }
    return LockBlocker(
      isDescription: answer & SLUICE_BLOCKER_IS_DESCRIPTION != 0,
      isExclusive: answer & SLUICE_BLOCKER_IS_EXCLUSIVE != 0)
  }

  /// Locks the whole file or directory, by flock(2), until this description is closed. Throws
  /// `again` where somebody else has it.
  public borrowing func keepExclusively() throws(Errno) {
    _ = try check(sluice_flock_exclusive(rawValue))
  }

  /// Takes a write lease: granted only while this is the sole open description of the file.
  /// Its break is announced by `LeaseSignals` and must be answered with `giveBackLease`.
  public borrowing func takeLease() throws(Errno) {
    _ = try check(sluice_lease_take(rawValue, sluice_lease_signal))
  }

  public borrowing func giveBackLease() throws(Errno) {
    _ = try check(sluice_lease_give_back(rawValue))
  }

  /// False once somebody else's open has begun to break the lease, or the kernel has taken it.
  public borrowing func leaseIsWhole() throws(Errno) -> Bool {
    try check(sluice_lease_is_held(rawValue)) == 1
  }
}
