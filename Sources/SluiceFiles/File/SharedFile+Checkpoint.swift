// The line pauses while a client copies a long WAL into the database. Under `state`.
//
// A writer begins the WAL anew if all of it was copied when the writer's transaction began. Where
// the right to write goes from one client to the next without a gap, the next one has always begun
// before the copy is done, and leaves frames behind it that are not copied. So the WAL grew by 80 MB
// a second (four writers, transactions of 20 rows of 2 KB). SQLite's own unix VFS has gaps, because
// its waiting writers sleep.
//
// Where writers share syncs, they all hold their snapshots until the sync has ended, and the copy never
// catches up: each commit tried it again, with two syncs of its own. There the line pauses for the first
// checkpoint, which waits for its turn before it begins (OpenFile+Waiting), so nobody is in the middle
// of a transaction.

internal import SluiceChannel
internal import SluiceSystem

extension SharedFile {
  /// Has the line wait for the checkpoint under way, if there is one of a long WAL. `seeker` wants the
  /// right to write.
  func pauseForCheckpoint(_ seeker: LockHolder, _ state: inout State, now: Int64) {
    guard let index = state.walIndex else { return state.line.endPause() }
    // The WAL was begun anew.
    if index.frameCount < state.pausedFrameCount { state.pausedFrameCount = 0 }
    guard index.locks.isOneHeldAlone(WALLocks.checkpointLock) else { return state.line.endPause() }
    // A checkpoint that waits for the writers to leave.
    if seeker.walIndex?.holds(WALLocks.checkpoint) == true { return state.line.cutPause() }
    guard self.callsForPause(frameCount: index.frameCount, state) else { return }
    // If the lock is in use, its holder gives it back with a request, of which the line hears.
    takeBack(.walIndex(WALLocks.checkpointLock), besides: nil, &state)
    guard index.locks.isOneHeldAlone(WALLocks.checkpointLock) else { return state.line.endPause() }
    state.line.pause(until: now + LinePatience.pauseNanoseconds)
    if let wal = state.promisedWAL {
      state.pausedFrameCount = index.frameCount
      // Those that will be answered by the next sync hold their snapshots until then.
      wal.promises.press()
    }
  }

  private func callsForPause(frameCount: UInt32, _ state: borrowing State) -> Bool {
    if frameCount > LinePatience.frameCountMaximum { return true }
    return state.promisedWAL != nil
      && frameCount >= state.pausedFrameCount + LinePatience.sharedFrameCountMaximum
  }
}
