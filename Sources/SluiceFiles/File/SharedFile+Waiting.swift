// Who waits for a lock of this file, and whether he can be called. See LockQueue.

internal import SluiceChannel
internal import SluiceServer
internal import SluiceSystem
internal import SluiceWire

extension SharedFile.State {
  /// Whether one of our clients has the right to write, in either journal mode.
  var isTurnTaken: Bool { writer != nil || (walIndex?.holders[0] ?? 0) < 0 }
}

extension SharedFile {
  /// Returns when `seeker` may come for the lock. Throws `standsInLine` while its request has to
  /// stay in its slot, and `busy` when its time is up or waiting would be for ever: `stopWaiting`
  /// must follow then, as after any other error.
  func awaitLock(
    _ lock: AwaitedLock, for seeker: LockHolder, _ waiter: Waiter
  ) throws(FileError) {
    let now = Clock.monotonicNanoseconds()
    try state.withLock { (state) throws(FileError) in
      state.queue.enter(
        seeker.id, lock, waiter, isReader: seeker.level >= .shared, now: now)
      defer { state.queue.tellFirst(isTaken: state.isTurnTaken, now: now) }
      self.takeBackAwaited(lock, by: seeker, &state, now: now)
      let isHeld = self.holds(lock, seeker)
      if !isHeld {
        if self.isDeadlock(lock, seeker, state) { throw .busy }
        if let wait = try self.wait(for: lock, seeker, waiter, &state, now: now) {
          if now >= waiter.deadline { throw .busy }
          waiter.rest(until: wait)
          throw .standsInLine
        }
      }
      if lock.isTurn, !isHeld {
        state.queue.call(seeker.id, now: now)
      } else {
        state.queue.leave(seeker.id, now: now)
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

  /// A reader who wants to write is in the way of a writer who waits for the readers to go.
  private func isDeadlock(_ lock: AwaitedLock, _ seeker: LockHolder, _ state: State) -> Bool {
    guard seeker.level >= .shared, case .file(let level) = lock, level > .shared else {
      return false
    }
    return state.writer != nil && state.writer != seeker.id && state.writerLevel >= .pending
  }

  /// Nil if the lock can be had now; else when to look again, `max` if that will be told.
  private func wait(
    for lock: AwaitedLock, _ seeker: LockHolder, _ waiter: Waiter, _ state: inout State,
    now: Int64
  ) throws(FileError) -> Int64? {
    guard lock.isOfFile || state.walIndex != nil && seeker.walIndex != nil else { throw .misuse }
    if lock.isTurn {
      let isTaken = state.isTurnTaken
      let wait = state.queue.wait(of: seeker.id, isTaken: isTaken, now: now)
      if let wait { return wait }
    } else if try isTaken(lock, seeker, state) {
      return .max
    }
    guard state.isMirrored, try isTakenOutside(lock, seeker, state) else { return nil }
    return waiter.nextUntoldLook(now: now)
  }

  private func isTaken(
    _ lock: AwaitedLock, _ seeker: LockHolder, _ state: State
  ) throws(FileError) -> Bool {
    let isOthers = state.writer != nil && state.writer != seeker.id
    switch lock {
    case .file(.shared): return isOthers && state.writerLevel >= .pending
    case .file(.reserved): return isOthers
    case .file: return isOthers || state.sharedCount > (seeker.level == .none ? 0 : 1)
    case .walIndexShared(let locks):
      guard let index = state.walIndex, seeker.walIndex != nil else { throw .misuse }
      for lock in 0..<WALIndex.lockCount where locks >> lock & 1 == 1 {
        if index.holders[lock] < 0 { return true }
      }
    case .walIndexExclusive(let locks):
      guard let index = state.walIndex, let own = seeker.walIndex else { throw .misuse }
      for lock in 0..<WALIndex.lockCount where locks >> lock & 1 == 1 {
        if index.holders[lock] != Int(own.shared >> lock & 1) { return true }
      }
    }
    return false
  }

  /// What the kernel would say to a lock that is asked for now.
  private func isTakenOutside(
    _ lock: AwaitedLock, _ seeker: LockHolder, _ state: State
  ) throws(FileError) -> Bool {
    switch lock {
    case .file(let level):
      return try isTakenOutside(level, seeker.level, state)
    case .walIndexShared(let locks):
      return try isTakenOutside(locks, .shared, state)
    case .walIndexExclusive(let locks):
      return try isTakenOutside(locks, .exclusive, state)
    }
  }

  private func isTakenOutside(
    _ level: LockLevel, _ held: LockLevel, _ state: State
  ) throws(FileError) -> Bool {
    if held == .none {
      if try blocks(.shared, LockByte.pending, 1) { return true }
      if try blocks(.shared, LockByte.shared, LockByte.sharedByteCount) { return true }
    }
    switch level {
    case .none, .shared, .pending: return false
    case .reserved: return try blocks(.exclusive, LockByte.reserved, 1)
    case .exclusive: return try blocks(.exclusive, LockByte.shared, LockByte.sharedByteCount)
    }
  }

  private func isTakenOutside(
    _ locks: UInt8, _ kind: ByteRangeLock, _ state: State
  ) throws(FileError) -> Bool {
    guard let index = state.walIndex else { throw .misuse }
    for lock in 0..<WALIndex.lockCount where locks >> lock & 1 == 1 {
      let byte = WALIndex.firstLockByte + Int64(lock)
      let blocker = try system { () throws(Errno) in
        try index.descriptor.blocker(of: kind, start: byte, byteCount: 1)
      }
      if blocker != nil { return true }
    }
    return false
  }

  /// Notes that `holder` was refused the right to write: he keeps his place until he comes again.
  func wasRefused(_ holder: LockHolder, _ lock: AwaitedLock) {
    let now = Clock.monotonicNanoseconds()
    state.withLock { state in
      if lock == .reserved, holder.level >= .reserved { return }
      state.queue.enter(holder.id, lock, nil, isReader: false, now: now)
    }
  }

  /// The request of `holder` is answered, or never will be. His place is kept for a while.
  func stopWaiting(_ holder: UInt64) {
    let now = Clock.monotonicNanoseconds()
    state.withLock { state in
      state.queue.rest(holder, now: now)
      state.queue.tellFirst(isTaken: state.isTurnTaken, now: now)
    }
  }

  /// Forgets `holder`, who is gone.
  func leaveLine(_ holder: UInt64) {
    state.withLock { state in
      if state.queue.isIdle { return }
      let now = Clock.monotonicNanoseconds()
      state.queue.leave(holder, now: now)
      state.queue.tellOthers(now: now)
      state.queue.tellFirst(isTaken: state.isTurnTaken, now: now)
    }
  }
}

extension SharedFile {
  /// Takes back what stands in the way of an awaited lock without being used; the right to write not
  /// before the turn of who has it is over.
  private func takeBackAwaited(
    _ lock: AwaitedLock, by seeker: LockHolder, _ state: inout State, now: Int64
  ) {
    switch lock {
    case .file(.exclusive): takeBack(.file, besides: seeker, &state)
    case .file: break
    case .walIndexShared(let locks):
      takeBack(.walIndex(locks), toShare: true, besides: seeker, &state)
    case .walIndexExclusive(let locks):
      if lock == .walWrite, state.queue.standsUntil(now) != nil { return }
      takeBack(.walIndex(locks), besides: seeker, &state)
    }
  }
}

extension SharedFile.State {
  // What the lock functions tell the line. Nearly always there is none.

  /// Whether the line lets `holder` take the right to write.
  @inline(__always)
  mutating func lineAdmits(_ holder: UInt64) -> Bool {
    queue.isIdle || queue.mayTake(holder, now: Clock.monotonicNanoseconds())
  }

  /// Whether the right to write may stand: nobody waits for it, or not before this turn is over.
  @inline(__always)
  mutating func turnMayStand(for holder: UInt64) -> Bool {
    queue.isIdle || queue.letTurnStand(for: holder, now: Clock.monotonicNanoseconds())
  }

  @inline(__always)
  mutating func turnWasTaken(by holder: UInt64) {
    if !queue.isIdle { queue.taken(by: holder, now: Clock.monotonicNanoseconds()) }
  }

  /// Something was given back: the right to write if `isTurn`.
  @inline(__always)
  mutating func lockWasReleased(by holder: UInt64, isTurn: Bool) {
    if !queue.isIdle { tellOfRelease(by: holder, isTurn: isTurn) }
  }

  @inline(never)
  private mutating func tellOfRelease(by holder: UInt64, isTurn: Bool) {
    let now = Clock.monotonicNanoseconds()
    queue.sweep(now)
    queue.tellOthers(now: now)
    if isTurn { queue.released(by: holder, isMirrored: isMirrored, now: now) }
  }

  /// `holder` had these locks of the WAL index, and now has those.
  @inline(__always)
  mutating func locksOfIndexWereReleased(
    by holder: UInt64, _ had: WALIndexMembership, _ has: WALIndexMembership
  ) {
    let released = (had.exclusive & ~has.exclusive) | (had.shared & ~has.shared)
    if released != 0 {
      lockWasReleased(by: holder, isTurn: had.exclusive & ~has.exclusive & 1 == 1)
    }
  }

  /// A writer waits for the readers to go.
  @inline(__always)
  func writerIsPending() {
    if !queue.isIdle { queue.tellReaders(now: Clock.monotonicNanoseconds()) }
  }
}
