// Locks that stand in the file's channel, taken and given back without a request. See
// StandingLocks.

public import SluiceChannel

extension RemoteFile {
  /// Takes standing locks, to share them or `alone`. False if they must be requested, and always
  /// once the sidecar is dead. Never blocks.
  @inline(__always)
  public func takeStanding(_ locks: LockSet, alone: Bool = false, _ life: Life) -> Bool {
    // A forked child has no mapping of the regions and the life.
    channel.session.callObstacle == nil && !life.isOver
      && channel.line.standingLocks.take(locks, alone: alone)
  }

  /// Gives locks back and lets them stand. False if a request must give them back. Blocks only if
  /// they are locks to write and writes are under way (after a ROLLBACK; a COMMIT has waited).
  @inline(__always)
  public func giveBackStanding(_ locks: LockSet) -> Bool {
    guard channel.session.callObstacle == nil else { return false }
    // Others may write as soon as the lock is free. A write that is done later would overwrite theirs.
    if !locks.isDisjoint(with: .ofWriters), (try? channel.finishWrites()) == nil { return false }
    guard channel.line.standingLocks.giveBack(locks) else { return false }
    if !locks.isDisjoint(with: .ofTransactions) { channel.transactionEnded() }
    return true
  }
}

extension LockSet {
  /// The locks under which a connection may write. (SHARED on the database stands only for readers.)
  @inline(__always)
  fileprivate static var ofWriters: LockSet { .walIndex(0b111) }

  /// The locks whose release ends a transaction: SHARED on the database, and the lock to write the
  /// WAL.
  @inline(__always)
  fileprivate static var ofTransactions: LockSet { LockSet.file.union(.walIndex(1)) }
}
