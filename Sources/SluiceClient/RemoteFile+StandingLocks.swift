// Taking a lock again that stands in the file's channel. See StandingLocks.

public import SluiceChannel

extension RemoteFile {
  /// Takes a lock that stands; false where it has to be asked for, as everything once the sidecar is
  /// dead. Never blocks.
  @inline(__always)
  public func takeStanding(_ lock: LockSet, _ life: Life) -> Bool {
    // Only this process's own regions and life are mapped.
    channel.session.callObstacle == nil && !life.isOver && channel.line.standingLocks.take(lock)
  }

  /// Gives back a lock and lets it stand; false where a request has to give it back. Never blocks.
  @inline(__always)
  public func giveBackStanding(_ lock: LockSet) -> Bool {
    channel.session.callObstacle == nil && channel.line.standingLocks.giveBack(lock)
  }
}
