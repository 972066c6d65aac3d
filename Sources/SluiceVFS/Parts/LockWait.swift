// How a connection waits for a lock: in the sidecar's line, instead of asking again and again.
//
// SQLite does not announce that it waits. If a lock is refused with SQLITE_BUSY, SQLite releases
// its locks and calls the busy handler. The handler of sqlite3_busy_timeout calls xSleep, for 1 to
// 100 ms by a fixed table, and SQLite tries again. So the connection remembers the lock that was
// refused last, and an xSleep right after a refusal stands in line for it. The xSleep returns when
// the connection's turn has come, so that SQLite tries again and finds the lock free.
//
// SQLite counts the time that it asked for as slept. All sleeps of one wait together may take that
// time and a little more, which spares the waker interruptions in a short wait. If one sleep was
// too short, the next may be longer.
//
// With `wait=MS` in the URI, or SQLITE_FCNTL_LOCK_TIMEOUT, the lock call itself stands in line.
// During this wait SQLite keeps its locks. A reader that wants to write would keep the writer
// before it from committing, or would wait for a snapshot that is stale by then. So it is refused
// at once. To avoid this, a transaction that will probably write waits for its turn before it
// begins to read. A transaction will probably write if the last one wrote, or was refused just now.

internal import CSQLite
internal import CSluice
internal import SluiceChannel
internal import SluiceClient
internal import SluiceSystem
internal import SluiceWire

/// What one connection knows about its waits.
struct LockWait {
  /// The lock that was refused last, and when; nil once a lock was granted.
  private(set) var refused: AwaitedLock?
  private var refusedAt: Int64 = 0
  /// Whether a grant must change this state.
  private var isUnsettled = false
  /// The sleeps of the present wait: their start, the time that SQLite asked for, the number of
  /// calls, and the end of the last sleep.
  private var beganAt: Int64 = 0
  private var askedNanoseconds: Int64 = 0
  private var turnCount: Int64 = 0
  /// Whether the last sleep ended because the connection's turn came.
  private var wasCalled = false
  private var endedAt: Int64 = 0

  /// How long a lock call itself may stand in line.
  var milliseconds: Int64 = 0
  /// Whether the present and the last transaction wrote, or wanted to.
  private var writes = false
  private(set) var writesUsually = false
  /// Until this time, a transaction that will write stands in line before it reads.
  private var contendedUntil: Int64 = 0
  /// Whether the last transaction shared a sync with others (OpenFile+Promises).
  var waitedForDisk = false
  /// Whether the right to write is kept for this transaction, which has not asked for it yet.
  var hasClaim = false
  /// Until then a checkpoint does not wait for readers, because one of them has not come to its end.
  private var hurriesUntil: Int64 = 0
  /// Whether SQLite will find that its snapshot is stale when it has the lock for it.
  var mustReadAgain = false
  /// The locks of the WAL index that the connection holds, a bit for each.
  private var walLocks: UInt8 = 0
  /// Those of them that it holds alone.
  private var aloneWALLocks: UInt8 = 0
  /// The bits of the readers' locks.
  private static let readLocks: UInt8 = 0xf8
  /// The lock of the mark that is always zero. A reader shares it only if it needs no frame, and takes
  /// another one if it is refused.
  private static let zeroMark: UInt8 = 0x08

  /// How much longer all sleeps of a wait may take than SQLite asked for. A hand-over among eight
  /// writers takes less. One sleep instead of three spares the holder two interruptions.
  private static let slack: Int64 = 20_000_000
  /// An xSleep that comes later than this after a refusal has another reason. A sleep that comes
  /// later than this after the last sleep begins another wait.
  private static let freshness: Int64 = 50_000_000
  private static let contention: Int64 = 1_000_000_000
  /// How long a connection waits for those with which it shared a sync, in milliseconds: longer than 32
  /// writers take, or two large syncs of a slow disk, and no longer than others pause for a checkpoint.
  static let patience: Int64 = 100

  // MARK: What happens to the connection

  mutating func wants(_ lock: AwaitedLock) {
    guard lock == .reserved || lock == .file(.exclusive) || lock == .walWrite else { return }
    writes = true
    waitedForDisk = false
    hasClaim = false
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
      // This may be only the first of several locks.
      isUnsettled = askedNanoseconds > 0
    case .file, .walIndexExclusive:
      isUnsettled = false
      askedNanoseconds = 0
      wasCalled = false
    }
  }

  mutating func wasRefused(_ lock: AwaitedLock) {
    // SHARED was refused to a transaction that will probably write, so it waits for RESERVED.
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

  mutating func tookWALLocks(_ locks: UInt8, alone isAlone: Bool) {
    walLocks |= locks
    if isAlone { aloneWALLocks |= locks }
  }

  func sharesWALLocks(_ locks: UInt8) -> Bool { walLocks & ~aloneWALLocks & locks != 0 }

  mutating func gaveBackWALLocks(_ locks: UInt8) {
    // A connection that sets a mark or copies has a reader's lock alone. That is no transaction.
    let hasRead = sharesWALLocks(locks & Self.readLocks)
    walLocks &= ~locks
    aloneWALLocks &= ~locks
    if hasRead, !readsWAL { transactionEnded() }
  }

  var holdsWALLocks: Bool { walLocks != 0 }
  /// Whether the connection has the right to write to the WAL.
  var writesWAL: Bool { walLocks & 1 != 0 }
  /// Whether the connection copies the WAL into the database.
  var checkpoints: Bool { walLocks & 2 != 0 }
  var readsWAL: Bool { walLocks & Self.readLocks != 0 }

  /// Whether a lock call may stand in line for `lock`.
  func mayWait(for lock: AwaitedLock, holding level: LockLevel) -> Bool {
    if milliseconds == 0 { return false }
    return switch lock {
    case .file(let wanted): wanted == .shared || level > .shared
    case .walIndexShared(let locks): locks & Self.zeroMark == 0
    case .walIndexExclusive(let locks):
      locks & Self.readLocks == 0 ? lock != .walWrite || !readsWAL : waitsForReaders
    }
  }

  /// Whether the connection wants a reader's lock alone in order to wait for the reader. To set its own
  /// mark, to begin the WAL anew, to set up the index or to copy what may be copied now, SQLite tries one
  /// after the other, and goes on without those that are refused (wal.c). Only a FULL, RESTART or TRUNCATE
  /// checkpoint waits. It is the only one that has both of these locks, and not the one for recovery.
  private var waitsForReaders: Bool { walLocks & 0b111 == 0b011 }

  /// For how long a transaction may wait for its turn to write before it begins to read; 0 if it need
  /// not wait.
  @inline(__always)
  var millisecondsBeforeReading: Int64 {
    if readsWAL || milliseconds == 0 { return 0 }
    return writesUsually || isContended ? milliseconds : 0
  }

  /// Whether what begins now follows a commit that shared its sync with others. Those that waited for
  /// one sync all begin anew at the same moment, and a snapshot is stale as soon as the first has written.
  /// So a transaction that is certain to write waits for its turn, instead of sleeping in its busy
  /// handler. A checkpoint waits for the others, which are readers until the next sync has ended.
  @inline(__always)
  var followsSharedSync: Bool { !readsWAL && waitedForDisk && isContended }

  /// Whether a checkpoint may wait before it begins, or for the end of a reader's transaction.
  var mayAwaitReaders: Bool {
    followsSharedSync && Clock.monotonicNanoseconds() >= hurriesUntil
  }

  mutating func waitedInVain() { hurriesUntil = Clock.monotonicNanoseconds() + Self.contention }

  private var isContended: Bool { Clock.monotonicNanoseconds() < contendedUntil }

  // MARK: xSleep

  /// The lock for which an xSleep of this length should stand in line, nil if it should sleep; and
  /// for how many nanoseconds. Outside programs take any free lock without a line. So, beside them,
  /// every second xSleep sleeps. It also makes up for the last one, because a turn that failed has
  /// used up as much of the timeout as a sleep.
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
    // Many turns, each refused: the sidecar does not see the lock that is in the way.
    if turnCount > 4, (now - beganAt) / turnCount < 1_000_000 { return (nil, nanoseconds) }
    if refused.isTurn { contendedUntil = now + Self.contention }
    return (refused, beganAt + askedNanoseconds + Self.slack - now)
  }

  mutating func endSleep(wasCalled: Bool) {
    if wasCalled { turnCount += 1 }
    self.wasCalled = wasCalled
    endedAt = Clock.monotonicNanoseconds()
  }
}
