// Locks that a client keeps beyond their use until somebody else needs them, so that to take them
// again costs one atomic operation and no request. They stand in one word of the channel's control
// region, which both sides change:
//
//   granted  used  wanted
//      0      0      0     the client has to ask
//      1      0      0     stands: the client may take it, the proxy may take it back
//      1      1      0     the client uses it
//      1      1      1     the same, and somebody waits: the client gives it back with a request
//
//   client: 100 → 110 takes it, 110 → 100 gives it back
//   proxy:  000 → 110 grants it with a request, 100 → 000 takes it back, 110 → 111 wants it back
//
// What the proxy counts as held does not depend on what a client writes here: one that lies about
// its use loses a lock that it relies on, or keeps one as any client may.

internal import CSluice
internal import Synchronization

/// Locks that can stand: WRITE and the readers' locks of the WAL index, the one alone and the others
/// shared, and SHARED on the database.
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

/// The word of one channel, valid as long as that is mapped.
@safe
public struct StandingLocks: @unchecked Sendable {
  private let word: SharedWord

  init(_ word: SharedWord) { unsafe self.word = unsafe word }

  private static func granted(_ locks: LockSet) -> UInt32 {
    locks.rawValue << UInt32(SLUICE_STANDING_GRANTED_SHIFT)
  }
  private static func used(_ locks: LockSet) -> UInt32 {
    locks.rawValue << UInt32(SLUICE_STANDING_USED_SHIFT)
  }
  private static func wanted(_ locks: LockSet) -> UInt32 {
    locks.rawValue << UInt32(SLUICE_STANDING_WANTED_SHIFT)
  }

  // MARK: The client's side

  /// Takes a lock that stands unused; false where it has to be asked for.
  @inline(__always)
  public func take(_ lock: LockSet) -> Bool {
    change(lock, from: Self.granted(lock), to: Self.granted(lock) | Self.used(lock))
  }

  /// Gives back a lock that was taken or granted, and lets it stand; false where a request has to
  /// give it back.
  @inline(__always)
  public func giveBack(_ lock: LockSet) -> Bool {
    change(lock, from: Self.granted(lock) | Self.used(lock), to: Self.granted(lock))
  }

  @inline(__always)
  private func change(_ lock: LockSet, from old: UInt32, to new: UInt32) -> Bool {
    let mask = Self.granted(lock) | Self.used(lock) | Self.wanted(lock)
    var present = unsafe word.pointee.load(ordering: .relaxed)
    while present & mask == old {
      // SYNC standing
      let (exchanged, original) = unsafe word.pointee.compareExchange(
        expected: present, desired: present & ~mask | new, ordering: .acquiringAndReleasing)
      if exchanged { return true }
      present = original
    }
    return false
  }

  // MARK: The proxy's side, under the file's lock

  /// Lets a lock stand; its client waits for an answer meanwhile.
  public func grant(_ lock: LockSet, isUsed: Bool) {
    forget(lock)
    let bits = Self.granted(lock) | (isUsed ? Self.used(lock) : 0)
    unsafe word.pointee.bitwiseOr(bits, ordering: .acquiringAndReleasing)
  }

  /// Takes back those of `locks`, which stand, that are not in use, and gives them; has the client
  /// give back the others with a request.
  public func takeBack(_ locks: LockSet) -> LockSet {
    var present = unsafe word.pointee.load(ordering: .relaxed)
    while true {
      let used = LockSet(rawValue: present >> UInt32(SLUICE_STANDING_USED_SHIFT))
        .intersection(locks)
      let free = locks.subtracting(used)
      let new =
        present & ~(Self.granted(free) | Self.wanted(free)) | Self.granted(used)
        | Self.wanted(used)
      // SYNC standing
      let (exchanged, original) = unsafe word.pointee.compareExchange(
        expected: present, desired: new, ordering: .acquiringAndReleasing)
      if exchanged { return free }
      present = original
    }
  }

  /// These do not stand any more.
  public func forget(_ locks: LockSet) {
    let mask = Self.granted(locks) | Self.used(locks) | Self.wanted(locks)
    unsafe word.pointee.bitwiseAnd(~mask, ordering: .acquiringAndReleasing)
  }
}
