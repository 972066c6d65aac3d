// The erasure of deleted values: when a client asks for it, and between requests when it is due.

internal import SluiceServer
internal import SluiceWire

extension RecordSession {
  func erase(
    _ request: RecordsErasureRequest, _ payload: UnsafeMutableRawBufferPointer
  ) -> (RecordOutcome, RecordsNumberReply) {
    unsafe withOpen(payload) { (open) throws(DatabaseError) in
      let now = clock.monotonicMilliseconds
      switch request.action {
      case .enable: schedule.enable(now: now)
      case .marked: schedule.mark(now: now)
      case .all:
        // What an import erases would not be erased before its commit.
        guard open.import == nil else {
          return (RecordOutcome(status: .misuse), RecordsNumberReply())
        }
        return (RecordOutcome(), RecordsNumberReply(number: try eraseAll(open)))
      }
      return (RecordOutcome(), RecordsNumberReply())
    }
  }

  /// When `eraseIfDue` is wanted next (milliseconds of the monotonic clock); nil for never.
  var erasureDueAt: Int64? { open == nil ? nil : schedule.dueAt }

  /// Does what the schedule says, between two requests.
  func eraseIfDue() {
    guard let open, open.import == nil, schedule.dueAt != nil else { return }
    let now = clock.monotonicMilliseconds
    guard schedule.isDue(now: now) else { return }
    var remaining = false
    do throws(DatabaseError) {
      let run = try eraseWaiting(open, until: now + ErasureSchedule.budget)
      remaining = run.stoppedBehind != nil || run.loadedCount > 0
    } catch {
      Log.warning("erasure in a record store: \(error.message)")
    }
    schedule.runEnded(remaining: remaining, now: clock.monotonicMilliseconds)
  }

  /// Erases all that wait. How many wait still.
  private func eraseAll(_ open: OpenRecords) throws(DatabaseError) -> UInt64 {
    let run = try eraseWaiting(open, until: .max)
    let passedCount = run.withoutTombstoneCount + run.loadedCount
    guard let last = run.stoppedBehind else { return passedCount }
    return try read(open) { (store) throws(DatabaseError) in
      passedCount + (try store.waitingForErasureCount(behind: last))
    }
  }

  private struct ErasureRun {
    /// Values that wait for their delete session.
    var withoutTombstoneCount: UInt64 = 0
    /// Values that are being loaded.
    var loadedCount: UInt64 = 0
    /// The last value that was looked at, if others behind it wait.
    var stoppedBehind: [UInt8]?
  }

  /// Erases one value after another, until it is time or a request has come.
  private func eraseWaiting(
    _ open: OpenRecords, until end: Int64
  ) throws(DatabaseError) -> ErasureRun {
    var run = ErasureRun()
    var last: [UInt8] = []
    while true {
      let id = try read(open) { (store) throws(DatabaseError) in
        try store.waitingForErasure(behind: last, limit: 1).first
      }
      guard let id else { return run }
      if !last.isEmpty, clock.monotonicMilliseconds >= end || hasFurtherRequest() {
        run.stoppedBehind = last
        return run
      }
      switch try erase(id, open) {
      case .done: counts.erased += 1
      case .hasNoTombstone: run.withoutTombstoneCount += 1
      case nil: run.loadedCount += 1
      }
      last = id
    }
  }

  /// Erases a value; nil if it is being loaded.
  private func erase(
    _ id: [UInt8], _ open: OpenRecords
  ) throws(DatabaseError) -> RecordStore.Erasure? {
    var erasure: RecordStore.Erasure?
    var isBegun = false
    defer { if isBegun { open.hub.values.endErasure(id) } }
    try write(open) { (store) throws(DatabaseError) in
      if !isBegun { isBegun = open.hub.values.beginErasure(id) }
      if isBegun { erasure = try store.erase(id) }
    }
    return erasure
  }
}
