// Whether a shared file is ours alone. Beside each lease call stands what else must happen: locks
// come off the file or go onto it, the read window begins or ends, standing locks are taken back.
// Under `state`.

internal import SluiceSystem

extension SharedFile {
  /// Tries to make the file ours alone, if it is not and was not tried just now. Locks that stand
  /// on the file are taken off: while we own it they are in nobody's way.
  @inline(__always)
  func own(_ state: inout State, now: Int64) {
    if state.lease.isToBeTried(now: now) { tryToOwn(&state, now: now) }
  }

  @inline(never)
  private func tryToOwn(_ state: inout State, now: Int64) {
    guard state.lease.take(on: description.descriptor, now: now) else { return }
    do throws(Errno) {
      try clearLocks(state)
    } catch {
      // The locks cannot be taken off. Nobody may wait for the lease in vain.
      state.lease.endForGood()
      try? putLocks(state)
      try? state.lease.giveBack(on: description.descriptor)
      return
    }
    metrics.leaseTaken()
    if let byteCount = try? description.descriptor.status().byteCount {
      withWindow { $0.begin(fileByteCount: byteCount) }
    }
    beginWindowOfWAL(state)
  }

  /// An outsider's open stands waiting: put our locks on the file, then let it go on. Harmless when
  /// there is nothing to answer.
  func answerLeaseBreak() {
    state.withLock { state in
      if state.lease.isBroken(on: description.descriptor) { disown(&state) }
    }
  }

  private func disown(_ state: inout State) {
    // First of all: from here on others change the file.
    withWindow { $0.end() }
    endWindowOfWAL(state)
    takeBack(.all, besides: nil, &state)
    state.lease.end(now: Clock.coarseNanoseconds())
    metrics.leaseBroken()
    keepPromises(state)
    do throws(FileError) {
      try putLocks(state)
      try system { () throws(Errno) in try state.lease.giveBack(on: description.descriptor) }
      return
    } catch {
      // The kernel took the lease before we answered: others may have changed the file meanwhile.
      // Or the locks cannot be placed, which must not happen while we own the file.
    }
    try? state.lease.giveBack(on: description.descriptor)
    if state.ladder.sharedCount > 0 || state.walIndex != nil { description.noteLoss() }
  }

  private func beginWindowOfWAL(_ state: borrowing State) {
    guard let wal = state.shownWAL, !wal.isLost else { return }
    wal.withWindow { window in
      // The size under the window's lock: others may write to the WAL now.
      if window.database == identity, let status = try? wal.description.descriptor.status() {
        window.begin(fileByteCount: status.byteCount)
      }
    }
  }

  /// `forGood` if the database is about to be closed.
  func endWindowOfWAL(_ state: borrowing State, forGood: Bool = false) {
    state.shownWAL?.withWindow { window in
      guard window.database == identity else { return }
      window.end()
      if forGood { window.database = nil }
    }
  }

  /// Puts on the file all that our clients hold.
  private func putLocks(_ state: borrowing State) throws(FileError) {
    if let index = state.walIndex { try index.putLocks() }
    try description.mirrorLocks(from: .nothing, to: state.ladder.locksOnFile)
  }

  private func clearLocks(_ state: borrowing State) throws(Errno) {
    _ = try description.descriptor.setLock(.none, start: 0, byteCount: 0)
    if let index = state.walIndex {
      _ = try index.descriptor.setLock(.none, start: 0, byteCount: 0)
      try index.endLastingLocks()
    }
  }

  /// How many losses of locks there have been; with `now`, looks for one more if the sidecar may
  /// have stood still.
  @inline(__always)
  func lossCount(now: Int64) -> UInt32 {
    if leaseTrust.isOver(now: now) { verifyLease(now: now) }
    return lossCount
  }

  @inline(__always)
  var lossCount: UInt32 { description.lossCount }

  @inline(never)
  private func verifyLease(now: Int64) {
    leaseTrust.begin(now: now)
    answerLeaseBreak()
  }
}
