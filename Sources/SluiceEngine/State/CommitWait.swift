// Waits for a later commit of a state.
//
// A commit in this process wakes those who wait at once. What another process commits is seen by a
// look at the database, which is also when an interruption is looked at.

internal import CEngine
internal import SluiceSystem

struct CommitWait {
  private let state: StateContext
  private let interruption: Interruption

  init(_ state: StateContext, _ interruption: Interruption) {
    self.state = state
    self.interruption = interruption
  }

  private static let shortNanoseconds: Int64 = 5_000_000
  private static let longNanoseconds: Int64 = 20_000_000
  /// So long it looks often.
  private static let eagerNanoseconds: Int64 = 1_000_000_000

  /// The number of the last commit, once that is above `seen`, or the time is over.
  func number(after seen: Int64, milliseconds: Int64) throws(DatabaseError) -> Int64 {
    guard state.isPresent else {
      throw DatabaseError(SQLITE_MISUSE, "the database has no state; open it with the state once")
    }
    guard state.isAutocommit else {
      throw DatabaseError(
        SQLITE_MISUSE, "a transaction is open, which sees no later commit; end it first")
    }
    guard !state.keepsSnapshot else {
      throw DatabaseError(
        SQLITE_MISUSE,
        "a statement is half read, which sees no later commit; read its rows to the end first")
    }
    let start = Clock.monotonicNanoseconds()
    let end = start + milliseconds * 1_000_000
    while true {
      let present = CommitNotice.shared.present
      let number = try state.number()
      let now = Clock.monotonicNanoseconds()
      if number > seen || now >= end { return number }
      if interruption.isDue() {
        throw DatabaseError(SQLITE_INTERRUPT, "interrupted while it waited for a commit")
      }
      let isEager = now - start < Self.eagerNanoseconds
      CommitNotice.shared.wait(
        since: present,
        nanoseconds: min(isEager ? Self.shortNanoseconds : Self.longNanoseconds, end - now))
    }
  }
}
