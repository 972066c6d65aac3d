// The line of those that wait for a lock of a shared file: what the lock functions say to it, and
// how the waiting requests hear of it. See Line. Under `state`.

internal import SluiceChannel
internal import SluiceServer
internal import SluiceSystem
internal import SluiceWire

extension SharedFile {
  /// Returns when `seeker` may come for the lock. Throws `standsInLine` while its request has to
  /// stay in its slot, and `busy` when its time is up or waiting would be for ever: `stopWaiting`
  /// must follow then, as after any other error.
  func awaitLock(
    _ lock: AwaitedLock, for seeker: LockHolder, _ waiter: Waiter
  ) throws(FileError) {
    let now = Clock.monotonicNanoseconds()
    try state.withLock { (state) throws(FileError) in
      state.line.enter(
        seeker.id, lock, waiter, isReader: seeker.level >= .shared, now: now)
      defer { state.tellFirst(now: now) }
      self.takeBackAwaited(lock, by: seeker, &state, now: now)
      let isHeld = self.holds(lock, seeker)
      if !isHeld {
        if case .file(let level) = lock,
          state.ladder.isDeadlock(seeker.id, at: seeker.level, awaiting: level)
        {
          throw .busy
        }
        if let wait = try self.wait(for: lock, seeker, waiter, &state, now: now) {
          if now >= waiter.deadline { throw .busy }
          waiter.rest(until: wait)
          throw .standsInLine
        }
      }
      if lock.isTurn, !isHeld {
        state.line.call(seeker.id, hasWaited: waiter.hasRested, now: now)
      } else {
        state.line.leave(seeker.id, now: now)
      }
    }
  }

  private func holds(_ lock: AwaitedLock, _ seeker: LockHolder) -> Bool {
    switch lock {
    case .file(let level): seeker.level >= level
    case .walIndexShared(let locks): (seeker.walIndex?.shared ?? 0) & locks == locks
    case .walIndexExclusive(let locks): (seeker.walIndex?.exclusive ?? 0) & locks == locks
    }
  }

  /// Nil if the lock can be had now; else when to look again, `max` if there will be a notice.
  private func wait(
    for lock: AwaitedLock, _ seeker: LockHolder, _ waiter: Waiter, _ state: inout State,
    now: Int64
  ) throws(FileError) -> Int64? {
    guard lock.isOfFile || state.walIndex != nil && seeker.walIndex != nil else { throw .misuse }
    if lock.isTurn {
      if lock == .walWrite { pauseForCheckpoint(seeker, &state, now: now) }
      let isTaken = state.isTurnTaken
      let wait = state.line.wait(of: seeker.id, isTaken: isTaken, now: now)
      if let wait { return wait }
    } else if try isTaken(lock, seeker, state) {
      return .max
    }
    guard state.isMirrored, try isTakenOutside(lock, seeker, state) else { return nil }
    return waiter.nextUntoldLook(now: now)
  }

  private func isTaken(
    _ lock: AwaitedLock, _ seeker: LockHolder, _ state: borrowing State
  ) throws(FileError) -> Bool {
    if case .file(let level) = lock {
      return state.ladder.isTaken(level, for: seeker.id, at: seeker.level)
    }
    guard let index = state.walIndex, let own = seeker.walIndex else { throw .misuse }
    switch lock {
    case .file: return false
    case .walIndexShared(let locks): return index.locks.isOneHeldAlone(locks)
    case .walIndexExclusive(let locks): return index.locks.areTaken(locks, besides: own)
    }
  }

  /// What the kernel would say to a lock that is asked for now.
  private func isTakenOutside(
    _ lock: AwaitedLock, _ seeker: LockHolder, _ state: borrowing State
  ) throws(FileError) -> Bool {
    switch lock {
    case .file(let level):
      return try description.isTakenOutside(level, from: seeker.level)
    case .walIndexShared(let locks):
      guard let index = state.walIndex else { throw .misuse }
      return try index.isTakenOutside(locks, .shared)
    case .walIndexExclusive(let locks):
      guard let index = state.walIndex else { throw .misuse }
      return try index.isTakenOutside(locks, .exclusive)
    }
  }

  /// Takes back what stands in the way of an awaited lock without being used; the right to write
  /// not before the turn of its holder is over.
  private func takeBackAwaited(
    _ lock: AwaitedLock, by seeker: LockHolder, _ state: inout State, now: Int64
  ) {
    switch lock {
    case .file(.exclusive): takeBack(.file, besides: seeker, &state)
    case .file: break
    case .walIndexShared(let locks):
      takeBack(.walIndex(locks), toShare: true, besides: seeker, &state)
    case .walIndexExclusive(let locks):
      if lock == .walWrite, state.line.standsUntil(now) != nil { return }
      takeBack(.walIndex(locks), besides: seeker, &state)
    }
  }

  /// Notes that `holder` was refused the right to write: it keeps its place until it comes again.
  /// In WAL mode that is the right to write to the WAL, and no level of the file.
  func wasRefused(_ holder: LockHolder, _ lock: AwaitedLock) {
    let now = Clock.monotonicNanoseconds()
    state.withLock { state in
      if lock == .reserved, holder.level >= .reserved || holder.walIndex != nil { return }
      state.line.enter(holder.id, lock, nil, isReader: false, now: now)
    }
  }

  /// The request of `holder` is answered, or never will be. Its place is kept for a while.
  func stopWaiting(_ holder: UInt64) {
    let now = Clock.monotonicNanoseconds()
    state.withLock { state in
      state.line.rest(holder, now: now)
      state.tellFirst(now: now)
    }
  }

  /// Forgets `holder`, which is gone.
  func leaveLine(_ holder: UInt64) {
    state.withLock { state in
      if state.line.isIdle { return }
      let now = Clock.monotonicNanoseconds()
      state.line.leave(holder, now: now)
      state.line.notifyOthers(now: now)
      state.tellFirst(now: now)
    }
  }
}

extension SharedFile.State {
  /// Whether one of our clients has the right to write, in either journal mode.
  var isTurnTaken: Bool { ladder.writer != nil || walIndex?.locks.isWriteTaken ?? false }

  // What the lock functions tell the line. Nearly always there is none.

  /// Whether the line lets `holder` take the right to write.
  @inline(__always)
  mutating func lineAdmits(_ holder: UInt64) -> Bool {
    line.isIdle || line.mayTake(holder, now: Clock.monotonicNanoseconds())
  }

  /// Whether the right to write may stand: nobody waits for it, or not before this turn is over.
  @inline(__always)
  mutating func turnMayStand(for holder: UInt64) -> Bool {
    line.isIdle || askLineWhetherTurnMayStand(for: holder)
  }

  @inline(never)
  private mutating func askLineWhetherTurnMayStand(for holder: UInt64) -> Bool {
    defer { deliverNotices() }
    return line.letTurnStand(for: holder, now: Clock.monotonicNanoseconds())
  }

  @inline(__always)
  mutating func turnWasTaken(by holder: UInt64) {
    if holder != lastWriter.holder {
      lastWriter = (holder, lastWriter.holder, Clock.coarseNanoseconds())
    }
    if !line.isIdle { tellLineOfTaking(by: holder) }
  }

  @inline(never)
  private mutating func tellLineOfTaking(by holder: UInt64) {
    line.taken(by: holder, now: Clock.monotonicNanoseconds())
    deliverNotices()
  }

  /// Something was given back: the right to write if `isTurn`.
  @inline(__always)
  mutating func lockWasReleased(by holder: UInt64, isTurn: Bool) {
    if !line.isIdle { tellLineOfRelease(by: holder, isTurn: isTurn) }
  }

  @inline(never)
  private mutating func tellLineOfRelease(by holder: UInt64, isTurn: Bool) {
    let now = Clock.monotonicNanoseconds()
    line.sweep(now)
    line.notifyOthers(now: now)
    if isTurn { line.released(by: holder, isMirrored: isMirrored, now: now) }
    deliverNotices()
  }

  /// `holder` had these locks of the WAL index, and now has those.
  @inline(__always)
  mutating func locksOfIndexWereReleased(
    by holder: UInt64, _ had: WALMembership, _ has: WALMembership
  ) {
    let released = (had.exclusive & ~has.exclusive) | (had.shared & ~has.shared)
    if released != 0 {
      if had.exclusive & ~has.exclusive & WALLocks.checkpointLock != 0 { checkpointHasEnded() }
      lockWasReleased(by: holder, isTurn: had.exclusive & ~has.exclusive & 1 == 1)
    }
  }

  private mutating func checkpointHasEnded() {
    line.endPause()
    if !line.isIdle { tellFirst(now: Clock.monotonicNanoseconds()) }
  }

  /// A writer waits for the readers to go.
  @inline(__always)
  mutating func writerIsPending() {
    if !line.isIdle { tellLineOfPendingWriter() }
  }

  @inline(never)
  private mutating func tellLineOfPendingWriter() {
    line.notifyReaders(now: Clock.monotonicNanoseconds())
    deliverNotices()
  }

  mutating func tellFirst(now: Int64) {
    line.notifyFirst(isTaken: isTurnTaken, now: now)
    deliverNotices()
  }

  /// Tells the waiting requests what the line has for them.
  @inline(__always)
  private mutating func deliverNotices() {
    line.takeNotices { waiter, lookAt in waiter.tell(lookAt) }
  }
}
