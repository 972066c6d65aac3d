// Which handles of a file have locks that stand. A need of another handle takes those back that are
// not in use; what becomes of the ladder and of the WAL locks then is the file's business
// (SharedFile+Standing).

internal import SluiceChannel

/// The handles with locks that stand, each once. Under the file's `state`.
struct Standers {
  private(set) var holders: [LockHolder] = []

  @inline(__always)
  var isEmpty: Bool { holders.isEmpty }

  func contains(_ lock: LockSet, besides holder: LockHolder? = nil) -> Bool {
    holders.contains { $0 !== holder && $0.stands(lock) }
  }

  @inline(__always)
  mutating func grant(
    _ locks: LockSet, alone: LockSet, to holder: LockHolder, _ use: StandingLocks.Use
  ) {
    if holder.granted.isEmpty { holders.append(holder) }
    holder.grant(locks, alone: alone, use)
  }

  @inline(__always)
  mutating func end(_ locks: LockSet, of holder: LockHolder) {
    holder.endStanding(locks)
    if holder.granted.isEmpty { holders.removeAll { $0 === holder } }
  }

  /// Forgets those of which nothing stands any more.
  mutating func sweep() { holders.removeAll { $0.granted.isEmpty } }
}
