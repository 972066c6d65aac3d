// Locks that a client keeps after their use until another client needs them. Taking such a lock
// again costs one atomic operation and no request. The locks stand in one word of the channel's
// control region. Both sides change this word. It has five bits for each lock:
//
//   granted  alone   the client has the lock: shared with others, or alone (then for either use)
//   used  usedAlone  the client uses the lock: shared, or as its only holder
//   wanted           another client waits for the lock: its holder gives it back with a request
//
//   client   granted, not used, not wanted      → used                (alone too for usedAlone)
//            granted, used, not wanted          → not used
//   proxy    nothing                            → granted, used       with the answer to a request
//            granted, not used                  → nothing             takes it back
//            granted, alone, used, not usedAlone → granted, used      lets others share it
//            granted, used                      → wanted too
//
// The proxy's count of held locks does not depend on the bits that a client writes here. A client
// that lies about its use loses a lock that it relies on, or keeps a lock as any client may.

internal import CSluice
internal import Synchronization

/// The locks that can stand: the locks of the WAL index, and SHARED on the database, which no
/// client has alone.
public struct LockSet: OptionSet, Equatable, Sendable {
  public let rawValue: UInt32
  @inline(__always)
  public init(rawValue: UInt32) { self.rawValue = rawValue & Self.mask }

  private static var mask: UInt32 { 1 << UInt32(SLUICE_STANDING_COUNT) - 1 }

  /// SHARED on the database.
  @inline(__always)
  public static var file: LockSet { LockSet(rawValue: 1 << UInt32(SLUICE_STANDING_FILE)) }
  public static var all: LockSet { LockSet(rawValue: mask) }

  /// Locks of the WAL index: a bit for each.
  @inline(__always)
  public static func walIndex(_ bits: UInt8) -> LockSet { LockSet(rawValue: UInt32(bits)) }

  public var walIndexBits: UInt8 { UInt8(truncatingIfNeeded: rawValue) }
}

/// The word of one channel. Valid while the channel's regions are mapped.
@safe
public struct StandingLocks: @unchecked Sendable {
  public enum Use: Sendable { case none, shared, alone }

  private let word: UnsafePointer<Atomic<UInt64>>

  init(_ word: UnsafePointer<Atomic<UInt64>>) { unsafe self.word = unsafe word }

  @inline(__always)
  private static func bits(_ locks: LockSet, _ shift: UInt32) -> UInt64 {
    UInt64(locks.rawValue) << UInt64(shift)
  }
  @inline(__always)
  private static func granted(_ locks: LockSet) -> UInt64 {
    bits(locks, UInt32(SLUICE_STANDING_GRANTED_SHIFT))
  }
  @inline(__always)
  private static func alone(_ locks: LockSet) -> UInt64 {
    bits(locks, UInt32(SLUICE_STANDING_ALONE_SHIFT))
  }
  @inline(__always)
  private static func used(_ locks: LockSet) -> UInt64 {
    bits(locks, UInt32(SLUICE_STANDING_USED_SHIFT))
  }
  @inline(__always)
  private static func usedAlone(_ locks: LockSet) -> UInt64 {
    bits(locks, UInt32(SLUICE_STANDING_USED_ALONE_SHIFT))
  }
  @inline(__always)
  private static func wanted(_ locks: LockSet) -> UInt64 {
    bits(locks, UInt32(SLUICE_STANDING_WANTED_SHIFT))
  }
  private static func every(_ locks: LockSet) -> UInt64 {
    granted(locks) | alone(locks) | used(locks) | usedAlone(locks) | wanted(locks)
  }
  private static func locks(_ word: UInt64, _ shift: Int32) -> LockSet {
    LockSet(rawValue: UInt32(truncatingIfNeeded: word >> UInt64(shift)))
  }

  // MARK: The client's side

  /// Takes all of `locks`, which stand unused; false if they must be requested.
  @inline(__always)
  public func take(_ locks: LockSet, alone: Bool) -> Bool {
    change(
      of: Self.granted(locks) | Self.used(locks) | Self.wanted(locks)
        | (alone ? Self.alone(locks) : 0),
      from: Self.granted(locks) | (alone ? Self.alone(locks) : 0),
      setting: Self.used(locks) | (alone ? Self.usedAlone(locks) : 0), clearing: 0)
  }

  /// Gives back locks that were taken or granted, and lets them stand; false if a request must give
  /// them back.
  @inline(__always)
  public func giveBack(_ locks: LockSet) -> Bool {
    change(
      of: Self.granted(locks) | Self.used(locks) | Self.wanted(locks),
      from: Self.granted(locks) | Self.used(locks), setting: 0,
      clearing: Self.used(locks) | Self.usedAlone(locks))
  }

  @inline(__always)
  private func change(
    of mask: UInt64, from old: UInt64, setting: UInt64, clearing: UInt64
  ) -> Bool {
    var present = unsafe word.pointee.load(ordering: .relaxed)
    while present & mask == old {
      // SYNC standing
      let (exchanged, original) = unsafe word.pointee.compareExchange(
        expected: present, desired: present & ~clearing | setting,
        ordering: .acquiringAndReleasing)
      if exchanged { return true }
      present = original
    }
    return false
  }

  // MARK: The proxy's side, under the file's lock

  /// Lets locks stand, those in `alone` alone. Meanwhile their client waits for an answer.
  public func grant(_ locks: LockSet, alone: LockSet, _ use: Use) {
    forget(locks)
    var bits = Self.granted(locks) | Self.alone(alone)
    if use != .none { bits |= Self.used(locks) }
    if use == .alone { bits |= Self.usedAlone(locks) }
    unsafe word.pointee.bitwiseOr(bits, ordering: .acquiringAndReleasing)
  }

  /// Whether the client uses one of these, which were granted.
  public func uses(_ locks: LockSet) -> Bool {
    let present = unsafe word.pointee.load(ordering: .relaxed)
    return !Self.locks(present, SLUICE_STANDING_USED_SHIFT).isDisjoint(with: locks)
  }

  /// Takes back the unused ones of `locks`, all of which stand (`freed`). Locks in shared use are
  /// no longer the client's alone (`shared`). From now on every lock in use is wanted back, unless
  /// it may be shared.
  public func takeBack(_ locks: LockSet, toShare: Bool) -> (freed: LockSet, shared: LockSet) {
    var present = unsafe word.pointee.load(ordering: .relaxed)
    for _ in 0..<Self.attemptMaximum {
      let used = Self.locks(present, SLUICE_STANDING_USED_SHIFT).intersection(locks)
      let usedAlone = Self.locks(present, SLUICE_STANDING_USED_ALONE_SHIFT).intersection(used)
      let freed = locks.subtracting(used)
      let shared = used.subtracting(usedAlone)
      let wanted = toShare ? usedAlone : used
      let new =
        present & ~Self.every(freed) & ~Self.alone(shared) | Self.granted(used)
        | Self.wanted(wanted)
      // SYNC standing
      let (exchanged, original) = unsafe word.pointee.compareExchange(
        expected: present, desired: new, ordering: .acquiringAndReleasing)
      if exchanged { return (freed, shared) }
      present = original
    }
    // Its client changes the word all the time. No use of locks does that, so the client loses
    // them.
    forget(locks)
    return (locks, [])
  }

  /// A client that uses its locks changes the word once or twice during the attempts.
  private static var attemptMaximum: Int { 1000 }

  /// From now on these locks do not stand.
  public func forget(_ locks: LockSet) {
    unsafe word.pointee.bitwiseAnd(~Self.every(locks), ordering: .acquiringAndReleasing)
  }
}
