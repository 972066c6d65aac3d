// Locks of a shared file that stand beyond their use, until another handle needs them. Under
// `state`.
//
// A standing lock counts as held, in the ladder and among the WAL's locks. When one is taken back
// unused, it is counted out there.

internal import SluiceChannel
internal import SluiceSystem

extension SharedFile {
  /// Lets locks that `holder` has stand, until they are taken back; those in `alone` it has alone.
  /// Only while nobody outside can have the file open.
  @inline(__always)
  func letStand(
    _ locks: LockSet, alone: LockSet = [], of holder: LockHolder, _ use: StandingLocks.Use,
    _ state: inout State
  ) {
    guard mayStand(holder, state), !locks.isEmpty else { return }
    state.standers.grant(locks, alone: alone, to: holder, use)
  }

  @inline(__always)
  func mayStand(_ holder: LockHolder, _ state: borrowing State) -> Bool {
    holder.hasWord && !state.isMirrored
  }

  /// Takes those of `locks` that stand unused from all holders but one. The others are given back
  /// as soon as they are not used any more; with `toShare` those that can be shared are only
  /// shared.
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
    if locks.contains(WALLocks.writeLock) { state.line.endStanding() }
    for other in state.standers.holders where other !== holder {
      guard let taken = other.takeBack(locks, toShare: toShare) else { continue }
      if taken.freed.contains(.file) {
        precondition(other.level == .shared, "only SHARED stands")
        other.level = .none
        state.ladder.removeReader()
      }
      guard let index = state.walIndex else { continue }
      index.release(taken.freed.walIndexBits, of: other)
      index.share(taken.shared.walIndexBits, of: other)
    }
    state.standers.sweep()
  }

  /// None of these stands any more: a request has taken or given them back.
  @inline(__always)
  func endStanding(_ locks: LockSet, of holder: LockHolder, _ state: inout State) {
    guard holder.stands(locks) else { return }
    if holder.stands(locks.intersection(WALLocks.writeLock)) { state.line.endStanding() }
    state.standers.end(locks, of: holder)
  }

  // MARK: The right to write in WAL mode

  /// Throws where the right to write stands with another holder, which may take it again and again
  /// for a while, as in a turn: to hand it over costs more than a small transaction.
  func respectStandingWriter(
    _ state: borrowing State, _ index: WALIndex
  ) throws(FileError) {
    guard index.locks.isWriteTaken, state.standers.contains(WALLocks.writeLock) else { return }
    let now = Clock.monotonicNanoseconds()
    if state.line.standsUntil(now) != nil { throw .busyInLine }
    if now - state.writeGrantedAt < LinePatience.standingSliceNanoseconds { throw .standsYet }
  }

  /// Lets locks of the WAL index stand that were just granted: alone where nobody else has them.
  @inline(__always)
  func letStand(
    _ set: LockSet, of holder: LockHolder, _ use: StandingLocks.Use, _ index: WALIndex,
    _ state: inout State
  ) {
    guard mayStand(holder, state) else { return }
    var set = set
    // The line counts who has the right to write, and for how long.
    if set.contains(WALLocks.writeLock) {
      if state.turnMayStand(for: holder.id) {
        state.writeGrantedAt = Clock.monotonicNanoseconds()
      } else {
        set.subtract(WALLocks.writeLock)
        // What stood unused is in use now, and its client's word does not say so.
        endStanding(WALLocks.writeLock, of: holder, &state)
      }
    }
    letStand(set, alone: index.keepAlone(set.walIndexBits, of: holder), of: holder, use, &state)
  }
}
