// What one handle holds of a file, and which of it stands beyond its use. See StandingLocks.
//
// All of it is under the file's `state`: who needs a lock takes it from others that do not use it,
// on whatever reactor they are.

internal import SluiceChannel
internal import SluiceWire

final class LockHolder: @unchecked Sendable {
  let id: UInt64
  var level = LockLevel.none
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
  /// Lets a lock that `holder` has stand, until it is taken back. Only while nobody outside can have
  /// the file open.
  @inline(__always)
  func letStand(_ lock: LockSet, of holder: LockHolder, isUsed: Bool, _ state: inout State) {
    guard let standing = holder.standing, mayStand(holder, state) else { return }
    standing.grant(lock, isUsed: isUsed)
    if holder.granted.isEmpty { state.standers.append(holder) }
    holder.granted.insert(lock)
  }

  @inline(__always)
  func mayStand(_ holder: LockHolder, _ state: State) -> Bool {
    holder.standing != nil && !state.isMirrored
  }

  /// Takes those of `locks` that stand unused from all holders but one, and has the others given
  /// back as soon as they are not used any more.
  @inline(__always)
  func takeBack(_ locks: LockSet, besides holder: LockHolder?, _ state: inout State) {
    if !state.standers.isEmpty { takeBackStanding(locks, besides: holder, &state) }
  }

  @inline(never)
  private func takeBackStanding(
    _ locks: LockSet, besides holder: LockHolder?, _ state: inout State
  ) {
    for other in state.standers where other !== holder {
      let asked = other.granted.intersection(locks)
      guard !asked.isEmpty, let freed = other.standing?.takeBack(asked) else { continue }
      other.granted.subtract(freed)
      if freed.contains(.file) {
        precondition(other.level == .shared, "only SHARED stands")
        other.level = .none
        state.sharedCount -= 1
      }
      if let index = state.walIndex { index.release(freed.walIndexBits, of: other) }
    }
    state.standers.removeAll { $0.granted.isEmpty }
  }

  /// None of these stands any more: a request has taken or given them back.
  @inline(__always)
  func endStanding(_ locks: LockSet, of holder: LockHolder, _ state: inout State) {
    guard holder.stands(locks) else { return }
    holder.granted.subtract(locks)
    holder.standing?.forget(locks)
    if holder.granted.isEmpty { state.standers.removeAll { $0 === holder } }
  }
}
