// The five levels of a shared file's locks: what the ladder decides, the file is made to show, and
// the line is told. All of it under `state`.

internal import SluiceSystem
internal import SluiceWire

extension SharedFile {
  /// Raises what `holder` holds to `level`, or throws that another is in the way. Then it may still
  /// have risen to PENDING, as SQLite expects of a writer that waits for readers. See Ladder.
  func lock(_ holder: LockHolder, to level: LockLevel, now: Int64) throws(FileError) {
    try state.withLock { (state) throws(FileError) in
      try state.ladder.admit(holder.id, from: holder.level, to: level)
      if holder.level < level { try self.raise(holder, to: level, &state, now: now) }
      if level == .shared, holder.level == .shared, state.ladder.writerLevel < .pending {
        self.letStand(.file, of: holder, .shared, &state)
      }
    }
  }

  private func raise(
    _ holder: LockHolder, to level: LockLevel, _ state: inout State, now: Int64
  ) throws(FileError) {
    if level > .shared, state.ladder.writer == nil, !state.lineAdmits(holder.id) {
      throw .busyInLine
    }
    switch level {
    case .none, .pending: return
    case .shared:
      own(&state, now: now)
      try lockSharedOnGoodDescription(holder, &state)
    case .reserved:
      endStanding(.file, of: holder, &state)
      var next = state.ladder
      next.reserve(for: holder.id)
      try step(to: next, &state)
      state.turnWasTaken(by: holder.id)
    case .exclusive where holder.walIndex != nil && holder.level == .shared:
      try lockExclusiveIfAlone(holder, &state)
    case .exclusive:
      endStanding(.file, of: holder, &state)
      try lockExclusive(holder, &state)
    }
    holder.level = level
  }

  /// Makes `next` the ladder, once the file shows what it asks for.
  @inline(__always)
  private func step(to next: Ladder, _ state: inout State) throws(FileError) {
    if state.isMirrored {
      try description.mirrorLocks(from: state.ladder.locksOnFile, to: next.locksOnFile)
    }
    state.ladder = next
  }

  /// Where the description has gone bad, and no lock relies on it, a new one is opened.
  private func lockSharedOnGoodDescription(
    _ holder: LockHolder, _ state: inout State
  ) throws(FileError) {
    if !description.isDoubtful {
      do throws(FileError) {
        return try lockShared(&state)
      } catch {
        guard description.isDoubtful, state.ladder.sharedCount == 0 else { throw error }
      }
    }
    try renew(state)
    holder.lossCount = lossCount
    try lockShared(&state)
  }

  private func lockShared(_ state: inout State) throws(FileError) {
    var next = state.ladder
    next.addReader()
    guard state.isMirrored else {
      state.ladder = next
      return
    }
    try description.beginLookAtPending()
    defer { description.endLookAtPending() }
    try step(to: next, &state)
  }

  private func lockExclusive(_ holder: LockHolder, _ state: inout State) throws(FileError) {
    if holder.level < .pending {
      var next = state.ladder
      next.pend(for: holder.id)
      let isNewWriter = state.ladder.writer == nil
      try step(to: next, &state)
      if isNewWriter { state.turnWasTaken(by: holder.id) }
      holder.level = .pending
      state.writerIsPending()
    }
    takeBack(.file, besides: holder, &state)
    guard state.ladder.mayExclude else {
      throw state.standers.contains(.file, besides: holder) ? .readersYet : .busyPending
    }
    var next = state.ladder
    next.exclude()
    try step(to: next, &state)
  }

  /// EXCLUSIVE in WAL mode: SQLite asks whether the connection is the last one when it closes it,
  /// and when it leaves WAL mode. The others hold SHARED for as long as they are open, so to wait for
  /// them is of no use, and PENDING would keep others from opening the database meanwhile.
  /// When it is refused, which is usual, SHARED stands as before.
  ///
  /// Another that has given back SHARED may still have to leave the index, by a request that was
  /// posted. It is in the way too, because the last one removes the index.
  private func lockExclusiveIfAlone(
    _ holder: LockHolder, _ state: inout State
  ) throws(FileError) {
    takeBack(.file, toShare: true, besides: holder, &state)
    let isNewWriter = state.ladder.writer == nil
    var next = state.ladder
    next.pend(for: holder.id)
    guard next.mayExclude, state.walIndex?.userCount == 1 else { throw .busy }
    next.exclude()
    do throws(FileError) {
      try step(to: next, &state)
    } catch {
      // A part of it may stand on the file.
      if state.isMirrored {
        try? description.mirrorLocks(from: next.locksOnFile, to: state.ladder.locksOnFile)
      }
      switch error {
      case .busyPending: throw .busy
      case .busyPendingPerhaps: throw .busyPerhaps
      default: throw error
      }
    }
    endStanding(.file, of: holder, &state)
    if isNewWriter { state.turnWasTaken(by: holder.id) }
  }

  /// Lowers what `holder` holds to SHARED or nothing; gives what it had. After a write SHARED may
  /// stand instead of nothing.
  @discardableResult
  func unlock(
    _ holder: LockHolder, to level: LockLevel, mayStand: Bool = true
  ) throws(FileError) -> LockLevel {
    guard level <= .shared else { throw .misuse }
    return try state.withLock { (state) throws(FileError) in
      let was = holder.level
      guard was > level else { return was }
      let before = state.ladder
      let isWriter = state.ladder.endWriting(by: holder.id)
      self.endStanding(.file, of: holder, &state)
      // Behind a writer nobody waits for the readers to go.
      let stands = mayStand && isWriter && self.mayStand(holder, state)
      if level == .none, !stands {
        holder.level = .none
        state.ladder.removeReader()
      } else {
        holder.level = .shared
        self.letStand(.file, of: holder, level == .shared ? .shared : .none, &state)
      }
      state.lockWasReleased(by: holder.id, isTurn: isWriter)
      // What cannot be taken off the file is given back here all the same.
      if state.isMirrored {
        try description.mirrorLocks(from: before.locksOnFile, to: state.ladder.locksOnFile)
      }
      return was
    }
  }

  /// Gives back every lock of a handle that goes. Failures are not reported: nobody is there to
  /// hear them.
  func dropLocks(of holder: LockHolder) {
    state.withLock { state in self.endStanding(.all, of: holder, &state) }
    _ = try? unmapWALIndex(holder, deletes: false)
    _ = try? unlock(holder, to: .none, mayStand: false)
    leaveLine(holder.id)
  }

  func holdsAnything(_ holder: LockHolder) -> Bool {
    state.withLock { _ in holder.level > .none }
  }

  /// Whether a writer, here or outside, holds RESERVED, or more that it came to from there. A
  /// handle that goes from SHARED straight to EXCLUSIVE, to roll back a hot journal, does not
  /// count: another reader that took it for the journal's living writer would read what is to be
  /// rolled back, and then write on it.
  func isReserved() throws(FileError) -> Bool {
    try state.withLock { (state) throws(FileError) in
      if state.ladder.writerIsReserved { return true }
      guard state.isMirrored else { return false }
      return try description.isReservedOutside()
    }
  }
}
