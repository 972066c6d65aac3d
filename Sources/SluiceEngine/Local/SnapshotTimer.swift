// When a database in memory is saved: some time after its last commit, and not too long after the
// first one that is not saved. A value without a clock; times are in nanoseconds of one clock.

struct SnapshotTimer: Equatable {
  /// After the last commit.
  static let restNanoseconds: Int64 = 300_000_000
  /// After the first commit that is not saved.
  static let delayNanosecondsMaximum: Int64 = 2_000_000_000

  /// Whether something was written that is not committed.
  private var isWritten = false
  private var firstCommit: Int64?
  private var lastCommit: Int64 = 0
  /// Whether a transaction is open. Its end makes what was due due again.
  private var isInTransaction = false

  /// A call has ended.
  mutating func callEnded(hasWritten: Bool, isInTransaction: Bool, at now: Int64) {
    if hasWritten { isWritten = true }
    self.isInTransaction = isInTransaction
    guard isWritten, !isInTransaction else { return }
    isWritten = false
    lastCommit = now
    if firstCommit == nil { firstCommit = now }
  }

  var isUnsaved: Bool { firstCommit != nil }

  /// When to save; `max` for not before another call.
  var dueAt: Int64 {
    guard let firstCommit, !isInTransaction else { return .max }
    return min(lastCommit + Self.restNanoseconds, firstCommit + Self.delayNanosecondsMaximum)
  }

  /// A snapshot was taken, or could not be.
  mutating func noteSaved() { firstCommit = nil }
}
