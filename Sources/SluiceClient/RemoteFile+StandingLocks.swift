// Taking a lock again that stands in the file's channel. See StandingLocks.

public import SluiceChannel

extension RemoteFile {
  /// Takes locks that stand, to share them or `alone`; false where they have to be asked for, as
  /// everything once the sidecar is dead. Never blocks.
  @inline(__always)
  public func takeStanding(_ locks: LockSet, alone: Bool = false, _ life: Life) -> Bool {
    // Only this process's own regions and life are mapped.
    channel.session.callObstacle == nil && !life.isOver
      && channel.line.standingLocks.take(locks, alone: alone)
  }

  /// Gives locks back and lets them stand; false where a request has to give them back. Never blocks.
  @inline(__always)
  public func giveBackStanding(_ locks: LockSet) -> Bool {
    guard channel.session.callObstacle == nil, channel.line.standingLocks.giveBack(locks) else {
      return false
    }
    if !locks.isDisjoint(with: .ofTransactions) { channel.transactionEnded() }
    return true
  }
}

extension LockSet {
  /// Those with which a transaction ends: SHARED on the database, and the lock to write the WAL.
  @inline(__always)
  fileprivate static var ofTransactions: LockSet { LockSet.file.union(.walIndex(1)) }
}
