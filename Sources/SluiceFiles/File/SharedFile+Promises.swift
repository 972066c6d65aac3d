// Promises of a database's WAL (group commit), and the end of a database whose promise was broken.
// Under the database's `state` where locks or the lease decide.

internal import SluiceServer
internal import SluiceSystem
internal import Synchronization

extension SharedFile {
  /// Promises that the WAL will be durable as it is now; the number is that of the promise. Nil where
  /// nothing may be promised:
  ///
  ///   - while programs outside may have the database open: they would see what is not durable;
  ///   - unless `holder` has the right to write, which keeps others from writing meanwhile;
  ///   - where nobody else wants to write, or syncs are fast: then a promise costs more than the sync.
  func promiseSync(of wal: SharedFile, for holder: LockHolder) -> UInt64? {
    state.withLock { state in
      guard !state.isMirrored, holder.writesWAL, wal.promises.doPay,
        othersWrite(besides: holder, state)
      else { return nil }
      state.promisedWAL = wal
      self.passOn(from: holder, &state)
      let number = wal.promises.promise(to: holder.id)
      // Before the client shows others that there is a transaction more.
      wal.content.show(wal.promises)
      return number
    }
  }

  /// `holder` gives the right to write back in a moment, and waits for the disk then. Nobody keeps it
  /// for that holder, nor may it stand there.
  private func passOn(from holder: LockHolder, _ state: inout State) {
    state.line.leaves(holder.id)
    state.writeGrantedAt = .min / 2
    if !state.line.isIdle { takeBack(WALLocks.writeLock, besides: nil, &state) }
  }

  private func othersWrite(besides holder: LockHolder, _ state: borrowing State) -> Bool {
    if !state.line.isIdle { return true }
    let last = state.lastWriter
    let other = last.holder == holder.id ? last.before : last.holder
    return other != 0 && Clock.coarseNanoseconds() - last.at < Self.recentNanoseconds
  }

  /// For so long after the last change of writers others count as writing too.
  private static var recentNanoseconds: Int64 { 1_000_000_000 }

  /// Whether `holder` writes to the WAL now.
  func isWriter(_ holder: LockHolder) -> Bool { state.withLock { _ in holder.writesWAL } }

  /// Whether `holder` writes to the WAL now, or was called to do so. It may be shown what others were
  /// promised: its own commit, behind that, makes it durable.
  func isOrWillBeWriter(_ holder: LockHolder) -> Bool {
    state.withLock { state in
      holder.writesWAL
        || state.line.isClaimed(by: holder.id, now: Clock.monotonicNanoseconds())
    }
  }

  /// Keeps what was promised, before a program outside sees the database.
  func keepPromises(_ state: borrowing State) {
    guard let wal = state.promisedWAL, !wal.promises.isSettled else { return }
    // If this fails, those that wait for the promise are told.
    try? wal.synchronize()
  }

  /// Nobody may open the database until all that have it open have closed it. True for the first
  /// caller.
  func giveUp() -> Bool {
    wasGivenUp.compareExchange(expected: false, desired: true, ordering: .sequentiallyConsistent)
      .exchanged
  }

  /// Whether programs outside may have it open.
  var isOpenOutside: Bool { state.withLock { $0.isMirrored } }

  /// Of a WAL whose commit could not be synced: cuts it to what is durable, now and again when the
  /// last has closed it, because those that still have it open may write until they are told.
  func loseTail() {
    hasLostTail.store(true, ordering: .sequentiallyConsistent)
    withWindow { $0.end() }
    cutLostTail()
  }

  /// To be called when nobody has the file open any more.
  func cutLostTail() {
    guard hasLostTail.load(ordering: .sequentiallyConsistent) else { return }
    let byteCount = promises.durableByteCount
    do throws(FileError) {
      if try status().byteCount > byteCount { try truncate(toByteCount: byteCount) }
    } catch {
      Log.warning("the WAL cannot be cut to what is durable: \(error)")
    }
  }

  /// Whether nobody may open it before all that have it open have closed it.
  var isLost: Bool {
    wasGivenUp.load(ordering: .sequentiallyConsistent)
      || hasLostTail.load(ordering: .sequentiallyConsistent)
  }
}
