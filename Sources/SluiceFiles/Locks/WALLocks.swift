// The eight locks of a WAL index: how many of our clients' handles hold each, and what each handle
// holds.
//
// A value without system calls, kept under the file's `state`. What a handle holds (WALMembership)
// is kept with the handle and is an argument here. WALIndex puts the locks on its file.

internal import SluiceChannel
internal import SluiceSystem

/// What one handle holds of a WAL index: a bit for each lock.
struct WALMembership: Equatable {
  var shared: UInt8 = 0
  var exclusive: UInt8 = 0

  func holds(_ lock: Int) -> Bool { (shared | exclusive) >> lock & 1 == 1 }
}

struct WALLocks {
  static let lockCount = 8
  /// Readers of the WAL hold one of the last five.
  static let readLocks = 3..<lockCount
  /// The right to write.
  static let write = 0
  @inline(__always)
  static var writeLock: LockSet { .walIndex(1) }
  /// The right to copy the WAL into the database.
  static let checkpoint = 1
  static let checkpointLock: UInt8 = 1 << checkpoint

  /// For each lock: how many hold it shared, or -1 for one that holds it exclusively.
  private var holders = InlineArray<8, Int>(repeating: 0)

  static func set(_ locks: Range<Int>) -> LockSet {
    .walIndex(UInt8(truncatingIfNeeded: (1 << locks.count - 1) << locks.lowerBound))
  }

  // MARK: Questions

  /// How many handles hold it, in either way.
  func holderCount(_ lock: Int) -> Int { holders[lock] < 0 ? 1 : holders[lock] }

  var isWriteTaken: Bool { holders[Self.write] < 0 }

  /// What has to stand on the index file for a lock while others may have it open.
  func kindOnFile(_ lock: Int) -> ByteRangeLock {
    holders[lock] == 0 ? .none : holders[lock] < 0 ? .exclusive : .shared
  }

  /// Whether one of these is held alone.
  func isOneHeldAlone(_ locks: Range<Int>) -> Bool { locks.contains { holders[$0] < 0 } }

  func isOneHeldAlone(_ bits: UInt8) -> Bool {
    (0..<Self.lockCount).contains { bits >> $0 & 1 == 1 && holders[$0] < 0 }
  }

  /// Whether a handle that holds `own` may hold all of these alone. One that it shares already is
  /// in its way: a lock is given back before it is taken in the other way.
  func mayHoldAlone(_ locks: Range<Int>, _ own: WALMembership) -> Bool {
    locks.allSatisfy { own.exclusive >> $0 & 1 == 1 || holders[$0] == 0 }
  }

  /// Whether other handles hold some of these, so that a handle that holds `own` has to wait for
  /// them.
  func areTaken(_ bits: UInt8, besides own: WALMembership) -> Bool {
    (0..<Self.lockCount).contains {
      bits >> $0 & 1 == 1 && holders[$0] != Int(own.shared >> $0 & 1)
    }
  }

  // MARK: Steps

  /// Shares a lock that nobody holds alone.
  mutating func share(_ lock: Int, _ own: inout WALMembership) {
    precondition(holders[lock] >= 0, "a lock held alone is not shared")
    guard own.shared >> lock & 1 == 0 else { return }
    holders[lock] += 1
    own.shared |= UInt8(1) << lock
  }

  /// Takes locks that `mayHoldAlone` allows.
  mutating func holdAlone(_ locks: Range<Int>, _ own: inout WALMembership) {
    for lock in locks {
      holders[lock] = -1
      own.exclusive |= UInt8(1) << lock
    }
  }

  /// Gives back a lock; whether it was held at all.
  @discardableResult
  mutating func release(_ lock: Int, _ own: inout WALMembership) -> Bool {
    let bit = UInt8(1) << lock
    if own.exclusive & bit != 0 {
      holders[lock] = 0
    } else if own.shared & bit != 0 {
      holders[lock] -= 1
    } else {
      return false
    }
    own.exclusive &= ~bit
    own.shared &= ~bit
    return true
  }

  mutating func release(bits: UInt8, _ own: inout WALMembership) {
    for lock in 0..<Self.lockCount where bits >> lock & 1 == 1 { release(lock, &own) }
  }

  // MARK: Locks that stand

  /// Makes shared locks of a handle its alone, where no other handle has them; those of `bits` that
  /// it has alone now.
  mutating func keepAlone(bits: UInt8, _ own: inout WALMembership) -> UInt8 {
    for lock in 0..<Self.lockCount where (own.shared & bits) >> lock & 1 == 1 {
      guard holders[lock] == 1 else { continue }
      own.shared &= ~(UInt8(1) << lock)
      own.exclusive |= UInt8(1) << lock
      holders[lock] = -1
    }
    return own.exclusive & bits
  }

  /// What a handle had alone it shares from now on.
  mutating func shareAgain(bits: UInt8, _ own: inout WALMembership) {
    for lock in 0..<Self.lockCount where (own.exclusive & bits) >> lock & 1 == 1 {
      own.exclusive &= ~(UInt8(1) << lock)
      own.shared |= UInt8(1) << lock
      holders[lock] = 1
    }
  }
}
