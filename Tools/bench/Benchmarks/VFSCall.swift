// The calls of a VFS that are timed, in the order in which one process makes them.

enum VFSCall: String, CaseIterable {
  case read = "xRead 4 KiB"
  case fileSize = "xFileSize"
  case checkReservedLock = "xCheckReservedLock"
  case access = "xAccess of an absent journal"
  case sharedLock = "xLock to SHARED, xUnlock"
  case exclusiveLock = "xLock to EXCLUSIVE, xUnlock"
  case walLock = "xShmLock shared, unlock"
  case write = "xWrite 4 KiB"
  case writeSync = "xWrite 4 KiB, xSync"
  case journal = "journal: xOpen, xWrite, xSync, xClose, xDelete"
  case openClose = "database: xOpen, xClose"

  /// About as many pages as a small transaction changes.
  static let writesBetweenSyncs = 16

  /// Whether this call can show a difference between the variant and plain Sluice.
  func concerns(_ variant: Variant) -> Bool {
    switch variant {
    case .withoutReadWindow: self == .read
    case .withoutPostedWrites: self == .write || self == .writeSync || self == .journal
    case .withoutOwnedKnowledge: self == .fileSize || self == .access
    case .withoutStandingLocks:
      self == .sharedLock || self == .exclusiveLock || self == .walLock
    default: true
    }
  }

  /// How often this call is timed, where a fast call is timed `count` times.
  func times(of count: Int) -> Int {
    switch self {
    case .write: max(10, count / 4)
    case .writeSync, .journal, .openClose: max(10, count / 100)
    default: count
    }
  }
}
