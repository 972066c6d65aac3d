// Why a statement stops before its end: its client asked for it, its deadline has passed, or its
// client is gone. SQLite asks every 1,000 instructions of its virtual machine, and whenever it waits
// for a lock; a plugin's call asks every millisecond.
//
// Confined to the connection's thread.

internal import SluiceSystem

final class Interruption {
  /// Whether the client wants the request under way stopped. Costs one load.
  private let isCancelled: () -> Bool
  /// Whether the client is gone. Costs system calls.
  private let isClientGone: () -> Bool
  /// When the statement has to end, by the monotonic clock; `max` for never.
  private var deadline = Int64.max
  private var nextLookAtClient = Int64.max
  /// Once true, what the client had submitted besides is not given another 10 ms each.
  private var clientHasGone = false
  /// Whether the statement was told to stop. One that waited for a lock then says `busy`.
  private(set) var wasDue = false

  private static let clientLookNanoseconds: Int64 = 10_000_000

  init(isCancelled: @escaping () -> Bool, isClientGone: @escaping () -> Bool) {
    self.isCancelled = isCancelled
    self.isClientGone = isClientGone
  }

  /// A statement begins, or goes on. 0 milliseconds stand for no deadline.
  @inline(__always)
  func begin(deadlineMilliseconds: UInt32) {
    // The clock is read only where a statement takes long.
    nextLookAtClient = 0
    wasDue = false
    deadline = .max
    if deadlineMilliseconds > 0 {
      deadline = Clock.monotonicNanoseconds() + Int64(deadlineMilliseconds) * 1_000_000
    }
  }

  /// Whether the statement has to stop now.
  func isDue() -> Bool {
    wasDue = mustStop()
    return wasDue
  }

  private func mustStop() -> Bool {
    if isCancelled() { return true }
    let now = Clock.monotonicNanoseconds()
    if now >= deadline { return true }
    if clientHasGone { return true }
    guard now >= nextLookAtClient else { return false }
    let isFirst = nextLookAtClient == 0
    nextLookAtClient = now + Self.clientLookNanoseconds
    clientHasGone = !isFirst && isClientGone()
    return clientHasGone
  }
}
