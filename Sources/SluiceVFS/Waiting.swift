// How a connection waits for a lock: in the sidecar's line, instead of asking again and again.
//
// SQLite does not say that it waits. A lock is refused with SQLITE_BUSY, SQLite gives back what it
// holds and calls the busy handler; that of sqlite3_busy_timeout calls xSleep, for 1 to 100 ms by a
// fixed table, and SQLite tries again. So the file remembers what was refused last, and an xSleep
// that follows at once stands in line for that. It returns when the connection's turn has come, so
// that SQLite tries again and finds the lock free.
//
// SQLite counts what it asked for as slept. All sleeps of one wait together may take what was asked
// for and a little more, to save the waker of a short wait, and what one of them was too short
// the next may be longer.
//
// With `wait=MS` in the URI, or SQLITE_FCNTL_LOCK_TIMEOUT, the lock call itself stands in line. Then
// SQLite holds what it holds: who reads already and wants to write would keep the writer before him
// from his commit, or wait for a snapshot that is stale by then, and is refused at once. The way
// out is that a transaction that probably writes, for the last one did or was refused just now,
// waits for its turn before it begins to read.

internal import CSQLite
internal import CSluice
internal import SluiceChannel
internal import SluiceClient
internal import SluiceSystem
internal import SluiceWire

/// What one connection knows of its waiting.
struct LockWait {
  /// What was refused last, and when; nil once a lock was granted.
  private(set) var refused: AwaitedLock?
  private var refusedAt: Int64 = 0
  /// Whether a grant has anything to change here.
  private var isUnsettled = false
  /// The sleeps of the present wait: since when, what SQLite asked for, how many, the last one's end.
  private var beganAt: Int64 = 0
  private var askedNanoseconds: Int64 = 0
  private var turnCount: Int64 = 0
  /// Whether the last sleep ended with a call.
  private var wasCalled = false
  private var endedAt: Int64 = 0

  /// How long a lock call may stand in line itself.
  var milliseconds: Int64 = 0
  /// Whether the present and the last transaction wrote, or wanted to.
  private var writes = false
  private(set) var writesUsually = false
  /// Until when a transaction that is going to write stands in line before it reads.
  private var contendedUntil: Int64 = 0
  /// The locks of the WAL index that are held, by bits.
  private var walLocks: UInt8 = 0
  /// Those of readers.
  private static let readLocks: UInt8 = 0xf8

  /// By how much all sleeps of a wait may be longer than SQLite asked for: a hand-over among eight
  /// writers takes less, and one sleep instead of three spares their holder two interruptions.
  private static let slack: Int64 = 20_000_000
  /// An xSleep later than this after a refusal has another reason; a sleep later than this after
  /// the last begins another wait.
  private static let freshness: Int64 = 50_000_000
  private static let contention: Int64 = 1_000_000_000

  // MARK: What happens to the connection

  mutating func wants(_ lock: AwaitedLock) {
    if lock == .reserved || lock == .file(.exclusive) || lock == .walWrite { writes = true }
  }

  @inline(__always)
  mutating func wasGranted(_ lock: @autoclosure () -> AwaitedLock) {
    if isUnsettled { settle(lock()) }
  }

  @inline(never)
  private mutating func settle(_ lock: AwaitedLock) {
    refused = nil
    switch lock {
    case .file(.shared), .walIndexShared:
      // Perhaps the first step only.
      isUnsettled = askedNanoseconds > 0
    case .file, .walIndexExclusive:
      isUnsettled = false
      askedNanoseconds = 0
      wasCalled = false
    }
  }

  mutating func wasRefused(_ lock: AwaitedLock) {
    // A reader's lock is in the way of a transaction that means to write.
    refused = lock == .file(.shared) && writesUsually ? .reserved : lock
    isUnsettled = true
    refusedAt = Clock.monotonicNanoseconds()
    if milliseconds > 0, lock.isTurn { contendedUntil = refusedAt + Self.contention }
  }

  @inline(__always)
  mutating func transactionEnded() {
    writesUsually = writes
    writes = false
  }

  mutating func forget() { refused = nil }

  mutating func tookWALLocks(_ locks: UInt8) { walLocks |= locks }

  mutating func gaveBackWALLocks(_ locks: UInt8) {
    walLocks &= ~locks
    if locks & Self.readLocks != 0, !readsWAL { transactionEnded() }
  }

  var holdsWALLocks: Bool { walLocks != 0 }
  private var readsWAL: Bool { walLocks & Self.readLocks != 0 }

  /// Whether a lock call may stand in line for `lock`.
  func mayWait(for lock: AwaitedLock, holding level: LockLevel) -> Bool {
    if milliseconds == 0 { return false }
    return switch lock {
    case .file(let wanted): wanted == .shared || level > .shared
    case .walIndexShared, .walIndexExclusive: lock != .walWrite || !readsWAL
    }
  }

  /// Whether a transaction that begins to read now should wait for its turn to write first.
  @inline(__always)
  var waitsBeforeReading: Bool {
    milliseconds > 0 && !readsWAL
      && (writesUsually || Clock.monotonicNanoseconds() < contendedUntil)
  }

  // MARK: xSleep

  /// What an xSleep of that length should await, nil if it should sleep; and for how many nanoseconds.
  /// Beside programs outside, which take what is free, every other one sleeps, and makes up for the
  /// last one: a call that came to nothing has used up as much of the timeout as a sleep.
  mutating func beginSleep(
    _ nanoseconds: Int64, beside hasOutsiders: Bool
  ) -> (lock: AwaitedLock?, nanoseconds: Int64) {
    let now = Clock.monotonicNanoseconds()
    guard let refused, now - refusedAt < Self.freshness else { return (nil, nanoseconds) }
    if askedNanoseconds == 0 || now - endedAt >= Self.freshness {
      beganAt = now
      askedNanoseconds = 0
      turnCount = 0
    }
    askedNanoseconds += nanoseconds
    if hasOutsiders, wasCalled {
      wasCalled = false
      return (nil, max(nanoseconds, beganAt + askedNanoseconds - now))
    }
    // Called again and again, and always refused: the sidecar does not see what is in the way.
    if turnCount > 4, (now - beganAt) / turnCount < 1_000_000 { return (nil, nanoseconds) }
    return (refused, beganAt + askedNanoseconds + Self.slack - now)
  }

  mutating func endSleep(wasCalled: Bool) {
    if wasCalled { turnCount += 1 }
    self.wasCalled = wasCalled
    endedAt = Clock.monotonicNanoseconds()
  }
}

extension OpenFile {
  /// Runs a lock call, and notes how it went.
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

  /// A lock was refused: stands in line for it if this connection does so in its lock calls. False
  /// where it remains refused.
  @inline(never)
  private func awaitAndRetry(
    _ lock: AwaitedLock, _ body: () throws(CallError) -> Void
  ) throws(CallError) -> Bool {
    // For the xSleep that may follow: it has no file, and finds this one by the thread's last.
    Registry.use(token)
    wait.wasRefused(lock)
    guard wait.mayWait(for: lock, holding: level), !remote.channel.isShared else { return false }
    let deadline = Clock.monotonicNanoseconds() + wait.milliseconds * 1_000_000
    for round in 0... {
      let rest = (deadline - Clock.monotonicNanoseconds() + 999_999) / 1_000_000
      guard rest > 0 else { return false }
      let wasCalled = try remote.awaitLock(lock, milliseconds: rest)
      // Called and refused many times: somebody is in the way whom the sidecar does not see.
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

  /// A transaction begins that probably writes, while others do: it waits for its turn now, for
  /// once it reads it cannot.
  @inline(__always)
  func waitBeforeReading(_ lock: AwaitedLock) {
    if wait.waitsBeforeReading, !remote.channel.isShared {
      _ = try? remote.awaitLock(lock, milliseconds: wait.milliseconds, sleepsAtOnce: false)
    }
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
    // Refused at once: standing in line would be for ever, but others may give way meanwhile.
    if !wasCalled, slept < nanoseconds { Clock.sleep(nanoseconds: nanoseconds - slept) }
    wait.endSleep(wasCalled: wasCalled)
  }
}

extension CallError {
  var isBusy: Bool {
    switch self {
    case .refused(.busy, _), .refused(.busyPending, _): true
    default: false
    }
  }
}

/// xSleep: microseconds.
func sleep(microseconds: Int32) -> Int32 {
  let nanoseconds = Int64(microseconds) * 1000
  // No sleep of SQLite's busy handler is longer or shorter: another comes from sqlite3_sleep, or
  // from wal.c, which waits for moments.
  if (1000...100_000).contains(microseconds), let last = Registry.current.lastUsed() {
    last.file.awaitInsteadOfSleep(nanoseconds: nanoseconds, last.knowledge)
  } else {
    Clock.sleep(nanoseconds: nanoseconds)
  }
  return microseconds
}
