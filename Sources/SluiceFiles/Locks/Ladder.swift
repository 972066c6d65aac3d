// SQLite's five-level ladder of one file: which of our clients' handles hold what, and what is
// refused.
//
//   SHARED     any number of handles, as long as no other holds PENDING or more
//   RESERVED   one handle, which holds SHARED; others may still come to read
//   PENDING    the same handle, or one that goes from SHARED straight to EXCLUSIVE: no new readers
//   EXCLUSIVE  the same handle, when it is the last that reads
//
// Only one handle holds more than SHARED: the writer. So of two readers that want to write the
// second is refused at once.
//
// A value without system calls, kept under the file's `state`. What a handle holds is kept with the
// handle (LockHolder.level), and is an argument here. Each step is made in three parts: `admit`
// says whether the step is allowed; a copy of the ladder makes it; and when the file has what the
// copy asks for (`locksOnFile`), the copy becomes the ladder. A call that fails in between changes
// nothing.

internal import SluiceWire

struct Ladder: Equatable {
  /// How many handles hold SHARED or more.
  private(set) var sharedCount = 0
  /// The handle that holds more than SHARED, and how much more.
  private(set) var writer: UInt64?
  private(set) var writerLevel = LockLevel.none
  /// Whether the writer came by RESERVED, as a handle does that writes. A handle that rolls back a
  /// hot journal does not.
  private(set) var writerIsReserved = false

  // MARK: Decisions

  /// Throws unless `holder`, which holds `held`, may try for `level`: `misuse` where SQLite never
  /// asks that, `busy` where another writer is in the way.
  ///
  /// A holder of nothing may take SHARED; RESERVED and EXCLUSIVE need SHARED; PENDING is never
  /// asked for.
  @inline(__always)
  func admit(
    _ holder: UInt64, from held: LockLevel, to level: LockLevel
  ) throws(FileError) {
    guard level != .none, level != .pending, level == .shared || held >= .shared else {
      throw .misuse
    }
    guard held < level, let writer, writer != holder else { return }
    if writerLevel >= .pending || level > .shared { throw .busy }
  }

  /// Whether the writer, which holds PENDING, is the only one that reads and so may rise to
  /// EXCLUSIVE.
  var mayExclude: Bool { writerLevel >= .pending && sharedCount == 1 }

  /// Whether another of our handles keeps `holder` from `level` now.
  func isTaken(_ level: LockLevel, for holder: UInt64, at held: LockLevel) -> Bool {
    let isOthers = writer != nil && writer != holder
    switch level {
    case .shared: return isOthers && writerLevel >= .pending
    case .reserved: return isOthers
    case .none, .pending, .exclusive:
      return isOthers || sharedCount > (held == .none ? 0 : 1)
    }
  }

  /// Whether `holder` and the writer would wait for each other for ever: a reader that wants to
  /// write is in the way of a writer that waits for the readers to go.
  func isDeadlock(_ holder: UInt64, at held: LockLevel, awaiting level: LockLevel) -> Bool {
    guard held >= .shared, level > .shared else { return false }
    return writer != nil && writer != holder && writerLevel >= .pending
  }

  // MARK: Steps

  mutating func addReader() { sharedCount += 1 }

  /// A handle that held SHARED, and no more, holds nothing now.
  mutating func removeReader() {
    precondition(sharedCount > 0, "nobody unlocks what it does not hold")
    sharedCount -= 1
  }

  mutating func reserve(for holder: UInt64) {
    writer = holder
    writerLevel = .reserved
    writerIsReserved = true
  }

  mutating func pend(for holder: UInt64) {
    writer = holder
    writerLevel = .pending
  }

  mutating func exclude() { writerLevel = .exclusive }

  /// If `holder` is the writer it holds SHARED now; whether it was.
  mutating func endWriting(by holder: UInt64) -> Bool {
    guard writer == holder else { return false }
    writer = nil
    writerLevel = .none
    writerIsReserved = false
    return true
  }

  // MARK: The file

  /// What has to stand on the file while others may have it open.
  var locksOnFile: LocksOnFile {
    guard sharedCount > 0 else { return .nothing }
    return LocksOnFile(
      shared: writerLevel == .exclusive ? .exclusive : .shared,
      hasPending: writerLevel >= .pending, hasReserved: writerIsReserved)
  }
}
