// The line pauses while a client copies a long WAL into the database. Under `state`.
//
// A writer begins the WAL anew if all of it was copied when the writer's transaction began. Where
// the right to write goes from one client to the next without a gap, the next one has always begun
// before the copy is done, and leaves frames behind it that are not copied. So the WAL grew by 80 MB
// a second (four writers, transactions of 20 rows of 2 KB). SQLite's own unix VFS has gaps, because
// its waiting writers sleep.

internal import SluiceChannel
internal import SluiceSystem

extension SharedFile {
  /// Has the line wait for the checkpoint under way, if there is one of a long WAL. `seeker` wants the
  /// right to write.
  func pauseForCheckpoint(_ seeker: LockHolder, _ state: inout State, now: Int64) {
    guard let index = state.walIndex, index.locks.isOneHeldAlone(WALLocks.checkpointLock) else {
      return state.line.endPause()
    }
    // A checkpoint that waits for the writers to leave.
    if seeker.walIndex?.holds(WALLocks.checkpoint) == true { return state.line.cutPause() }
    guard index.frameCount > LinePatience.frameCountMaximum else { return }
    // If the lock is in use, its holder gives it back with a request, of which the line hears.
    takeBack(.walIndex(WALLocks.checkpointLock), besides: nil, &state)
    guard index.locks.isOneHeldAlone(WALLocks.checkpointLock) else { return state.line.endPause() }
    state.line.pause(until: now + LinePatience.pauseNanoseconds)
  }
}
