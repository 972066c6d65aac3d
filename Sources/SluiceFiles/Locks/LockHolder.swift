// What one handle holds of a file, and which of it stands beyond its use. See StandingLocks.
//
// All of it is under the file's `state`: a handle that needs a lock takes it from others that do
// not use it, on whatever reactor they are.

internal import SluiceChannel
internal import SluiceSystem
internal import SluiceWire

final class LockHolder: @unchecked Sendable {
  let id: UInt64
  var level = LockLevel.none
  /// The file's count of losses when it was certain last that this holder had lost none.
  var lossCount: UInt32 = 0
  /// Nil until it joins the database's WAL index.
  var walIndex: WALMembership?
  /// The description of the WAL index that the client has mapped, so that its locks last; see
  /// WALIndex+LastingLocks.
  var view: SharedDescriptor?
  /// Those of its locks that were granted to stand, in use or not.
  private(set) var granted: LockSet = []
  /// The word in which they stand; nil where none may. Valid until `dropLocks`.
  private let standing: StandingLocks?

  init(id: UInt64, standing: StandingLocks?) {
    self.id = id
    self.standing = standing
  }

  /// Whether locks of this handle may stand at all.
  @inline(__always)
  var hasWord: Bool { standing != nil }

  /// Whether one of these was granted to stand.
  @inline(__always)
  func stands(_ lock: LockSet) -> Bool { !granted.isDisjoint(with: lock) }

  /// Whether it writes to the WAL now, and copies nothing from there.
  var writesWAL: Bool { uses(WALLocks.write) && !uses(WALLocks.checkpoint) }

  /// Whether it holds this lock of the WAL index alone and uses it: it may only stand with it.
  private func uses(_ lock: Int) -> Bool {
    guard let own = walIndex, own.exclusive >> lock & 1 == 1 else { return false }
    let set = WALLocks.set(lock..<lock + 1)
    return !stands(set) || standing?.uses(set) ?? false
  }

  /// Lets locks that it holds stand; those in `alone` it holds alone.
  @inline(__always)
  func grant(_ locks: LockSet, alone: LockSet, _ use: StandingLocks.Use) {
    standing?.grant(locks, alone: alone, use)
    granted.formUnion(locks)
  }

  /// None of these stands any more: a request has taken or given them back.
  @inline(__always)
  func endStanding(_ locks: LockSet) {
    granted.subtract(locks)
    standing?.forget(locks)
  }

  /// Takes back those of `locks` that stand unused (`freed`); what is in use, but not alone, it
  /// shares from now on (`shared`). Nil where none of them stands.
  func takeBack(_ locks: LockSet, toShare: Bool) -> (freed: LockSet, shared: LockSet)? {
    let asked = granted.intersection(locks)
    guard !asked.isEmpty, let taken = standing?.takeBack(asked, toShare: toShare) else {
      return nil
    }
    granted.subtract(taken.freed)
    return taken
  }
}
