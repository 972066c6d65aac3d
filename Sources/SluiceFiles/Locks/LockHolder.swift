// What one handle holds of a file, and which of it stands beyond its use. See StandingLocks.
//
// All of it is under the file's `state`: who needs a lock takes it from others that do not use it,
// on whatever reactor they are.

internal import SluiceChannel
internal import SluiceWire

final class LockHolder: @unchecked Sendable {
  let id: UInt64
  var level = LockLevel.none
  /// The file's count of losses when it was certain last that this holder had lost none.
  var lossCount: UInt32 = 0
  /// Nil until it joins the database's WAL index.
  var walIndex: WALIndexMembership?
  /// Those of its locks that were granted to stand, in use or not.
  fileprivate var granted: LockSet = []
  /// The word in which they stand; nil where none may. Valid until `dropLocks`.
  fileprivate let standing: StandingLocks?

  init(id: UInt64, standing: StandingLocks?) {
    self.id = id
    self.standing = standing
  }

  /// Whether this one was granted to stand.
  @inline(__always)
  func stands(_ lock: LockSet) -> Bool { !granted.isDisjoint(with: lock) }
}

extension SharedFile {
  /// Lets locks that `holder` has stand, until they are taken back; those in `alone` are his alone.
  /// Only while nobody outside can have the file open.
  @inline(__always)
  func letStand(
    _ locks: LockSet, alone: LockSet = [], of holder: LockHolder, _ use: StandingLocks.Use,
    _ state: inout State
  ) {
    guard let standing = holder.standing, mayStand(holder, state), !locks.isEmpty else { return }
    standing.grant(locks, alone: alone, use)
    if holder.granted.isEmpty { state.standers.append(holder) }
    holder.granted.formUnion(locks)
  }

  @inline(__always)
  func mayStand(_ holder: LockHolder, _ state: State) -> Bool {
    holder.standing != nil && !state.isMirrored
  }

  /// Takes those of `locks` that stand unused from all holders but one, and has the others given
  /// back as soon as they are not used any more, or only shared where that will do.
  @inline(__always)
  func takeBack(
    _ locks: LockSet, toShare: Bool = false, besides holder: LockHolder?, _ state: inout State
  ) {
    if state.standers.isEmpty { return }
    takeBackStanding(locks, toShare: toShare, besides: holder, &state)
  }

  @inline(never)
  private func takeBackStanding(
    _ locks: LockSet, toShare: Bool, besides holder: LockHolder?, _ state: inout State
  ) {
    if locks.contains(WALIndex.writeLock) { state.queue.endStanding() }
    for other in state.standers where other !== holder {
      let asked = other.granted.intersection(locks)
      guard !asked.isEmpty, let taken = other.standing?.takeBack(asked, toShare: toShare) else {
        continue
      }
      other.granted.subtract(taken.freed)
      if taken.freed.contains(.file) {
        precondition(other.level == .shared, "only SHARED stands")
        other.level = .none
        state.sharedCount -= 1
      }
      guard let index = state.walIndex else { continue }
      index.release(taken.freed.walIndexBits, of: other)
      index.share(taken.shared.walIndexBits, of: other)
    }
    state.standers.removeAll { $0.granted.isEmpty }
  }

  /// None of these stands any more: a request has taken or given them back.
  @inline(__always)
  func endStanding(_ locks: LockSet, of holder: LockHolder, _ state: inout State) {
    guard holder.stands(locks) else { return }
    if holder.stands(locks.intersection(WALIndex.writeLock)) { state.queue.endStanding() }
    holder.granted.subtract(locks)
    holder.standing?.forget(locks)
    if holder.granted.isEmpty { state.standers.removeAll { $0 === holder } }
  }
}
