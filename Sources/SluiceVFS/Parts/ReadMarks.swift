// When a connection goes without a read mark of its own.
//
// A reader of the WAL shares one of the four locks WAL_READ_LOCK(1…4). Each has a mark in the WAL
// index: how many frames its readers may need. A checkpoint copies no more than the least mark whose
// lock is taken. A reader that finds no mark as new as the last commit tries to take one of these locks
// alone, to set its mark. If all are refused, it shares one whose mark is older, which is as good for
// the reader (walTryBeginRead in wal.c of SQLite 3.40.1).
//
// After each commit every reader looks for a new mark. To ask the sidecar costs up to four requests,
// and those whose standing locks are taken back for it ask as well. So a connection that asks often
// goes without: the marks are some milliseconds old then, and so is what a checkpoint leaves in the
// WAL. A connection that asks now and then always asks.

struct ReadMarks {
  /// The locks whose marks readers set. The mark of the lock before them is always zero.
  static let locks = 4..<8
  private static let interval: Int64 = 10_000_000
  /// So many rounds may come at once after a time without any.
  private static let burst: Int64 = 20

  /// Each round of questions moves it on by an interval. It may lie ahead of now by the burst.
  private var paidUntil: Int64 = .min / 2
  private var asks = true
  private var asksOften = false

  /// SQLite wants the lock of a mark alone, and it does not stand with the connection. Whether the
  /// refusal is to come from here. SQLite tries the locks in their order, each time from the first.
  /// - Parameter newest: the lock whose mark the reader shares without a mark of its own, if any.
  mutating func goWithout(_ lock: Int, newest: @autoclosure () -> Int?, now: Int64) -> Bool {
    if lock == Self.locks.lowerBound {
      paidUntil = max(paidUntil, now - Self.burst * Self.interval)
      asks = paidUntil <= now
      asksOften = paidUntil > now - Self.burst / 2 * Self.interval
      if asks { paidUntil += Self.interval }
    }
    guard asksOften, let shared = newest() else { return false }
    // Others probably read by the newest mark. It is taken from nobody.
    return !asks || lock == shared
  }
}
