// How an open file waits for its locks: in a lock call, before a transaction reads, or in the
// xSleep after a refusal. LockWait decides when.

internal import SluiceChannel
internal import SluiceClient
internal import SluiceSystem
internal import SluiceWire

extension OpenFile {
  /// Runs a lock call, and notes whether the lock was granted.
  @inline(__always)
  func locking(
    _ lock: @autoclosure () -> AwaitedLock, _ body: () throws(CallError) -> Void
  ) throws(CallError) {
    do throws(CallError) {
      try body()
      wait.wasGranted(lock())
    } catch {
      guard error.isBusy, try awaitAndRetry(lock(), body) else { throw error }
    }
  }

  /// A lock was refused. Stands in line for it, if this connection waits in its lock calls. False
  /// if the lock remains refused.
  @inline(never)
  private func awaitAndRetry(
    _ lock: AwaitedLock, _ body: () throws(CallError) -> Void
  ) throws(CallError) -> Bool {
    // An xSleep may follow. It has no file, and finds this one as the file that the thread used
    // last.
    noteThreadUses(token)
    if wait.checkpoints, wait.mayAwaitReaders { return try awaitReaders(lock, body) }
    wait.wasRefused(lock)
    guard wait.mayWait(for: lock, holding: level), !remote.channel.isShared else { return false }
    let deadline = Clock.monotonicNanoseconds() + wait.milliseconds * 1_000_000
    for round in 0... {
      let rest = (deadline - Clock.monotonicNanoseconds() + 999_999) / 1_000_000
      guard rest > 0 else { return false }
      let wasCalled = try remote.awaitLock(lock, milliseconds: rest)
      // Many turns, each refused: the sidecar does not see the lock that is in the way.
      if wasCalled, round > 4 { Clock.sleep(nanoseconds: 1_000_000) }
      do throws(CallError) {
        try body()
        wait.wasGranted(lock)
        return true
      } catch {
        guard error.isBusy else { throw error }
        let isUp = Clock.monotonicNanoseconds() >= deadline
        if !wasCalled, !isUp, rest <= Int64(LockAwaitRequest.millisecondsMaximum) { return false }
      }
    }
    return false
  }

  /// A transaction begins that will probably write, while others write. It waits for its turn now,
  /// because it cannot wait once it reads.
  @inline(__always)
  func waitBeforeReading(_ lock: AwaitedLock) {
    // SQLite has read the index again, and takes this lock once more.
    if wait.hasClaim { return }
    var milliseconds = wait.millisecondsBeforeReading
    if milliseconds == 0, wait.followsSharedSync, isCertainToWrite {
      milliseconds = LockWait.patience
    }
    guard milliseconds > 0, !remote.channel.isShared else { return }
    let count = walIndex?.transactionCount
    let wasCalled = try? remote.awaitLock(lock, milliseconds: milliseconds, sleepsAtOnce: false)
    guard lock == .walWrite, wasCalled == true else { return }
    wait.hasClaim = true
    // SQLite has read the index before, and reads it again after this lock.
    wait.mustReadAgain = walIndex?.transactionCount != count
  }

  /// A checkpoint was refused a reader's mark.
  private func awaitReaders(
    _ lock: AwaitedLock, _ body: () throws(CallError) -> Void
  ) throws(CallError) -> Bool {
    guard !remote.channel.isShared,
      try remote.awaitLock(lock, milliseconds: LockWait.patience)
    else {
      wait.waitedInVain()
      return false
    }
    do throws(CallError) { try body() } catch {
      if error.isBusy { return false }
      throw error
    }
    return true
  }

  /// A checkpoint begins. It waits for its turn, so that no transaction is under way that it would not
  /// copy, and others wait for it then (SharedFile+Checkpoint).
  func waitBeforeCopying() {
    guard wait.mayAwaitReaders, knowledge?.isOwned ?? false,
      !remote.channel.isShared, let walIndex, walIndex.frameCount >= Self.checkpointFrameCount
    else { return }
    let wasCalled = try? remote.awaitLock(.walWrite, milliseconds: LockWait.patience)
    wait.hasClaim = wasCalled ?? false
  }

  /// With so many frames SQLite's own checkpoints begin.
  private static var checkpointFrameCount: UInt32 { 1000 }

  /// The transaction has only read: nobody keeps the right to write for it any more.
  @inline(never)
  func giveUpClaim() {
    wait.hasClaim = false
    try? remote.lockWALIndex(first: WALIndexMap.writeLock, count: 1, .unlock)
  }

  /// xSleep on this connection's behalf.
  func awaitInsteadOfSleep(nanoseconds: Int64, _ knowledge: Knowledge) {
    let remote = knowledge.remote
    if remote.channel.isShared { return Clock.sleep(nanoseconds: nanoseconds) }
    let sleep = wait.beginSleep(nanoseconds, beside: !knowledge.isOwned)
    let began = Clock.monotonicNanoseconds()
    let milliseconds = (sleep.nanoseconds + 999_999) / 1_000_000
    guard let lock = sleep.lock,
      let wasCalled = try? remote.awaitLock(lock, milliseconds: milliseconds)
    else { return Clock.sleep(nanoseconds: sleep.nanoseconds) }
    let slept = Clock.monotonicNanoseconds() - began
    // Refused at once: the wait would be a deadlock. Sleep, because others may release their locks
    // meanwhile.
    if !wasCalled, slept < nanoseconds { Clock.sleep(nanoseconds: nanoseconds - slept) }
    wait.endSleep(wasCalled: wasCalled)
  }

  /// xSleep.
  static func sleep(microseconds: Int32) -> Int32 {
    let nanoseconds = Int64(microseconds) * 1000
    // Every sleep of SQLite's busy handler is within these bounds. A sleep outside them comes from
    // sqlite3_sleep, or from wal.c, which waits for moments.
    if (1000...100_000).contains(microseconds), let last = registry.lastUsed() {
      last.file.awaitInsteadOfSleep(nanoseconds: nanoseconds, last.knowledge)
    } else {
      Clock.sleep(nanoseconds: nanoseconds)
    }
    return microseconds
  }
}
