// When a store erases its deleted values: 1 s after it was enabled, 60 s after the first mark of a
// quiet time, and every second while some remain. Marks beside are not counted, because the run
// that comes takes all.
//
// A value with functions. Times are milliseconds of a monotonic clock.

struct ErasureSchedule: Equatable {
  private enum State: Equatable {
    case off
    case idle
    case waits(until: Int64)
  }

  private var state = State.off

  static let startupDelay: Int64 = 1000
  static let markDelay: Int64 = 60_000
  static let followUpDelay: Int64 = 1000
  /// How long a run goes on before requests get their turn.
  static let budget: Int64 = 100

  /// When the next run begins; nil for never.
  var dueAt: Int64? { if case .waits(let time) = state { time } else { nil } }

  mutating func enable(now: Int64) {
    if state == .off { state = .waits(until: now + Self.startupDelay) }
  }

  mutating func mark(now: Int64) {
    if state == .idle { state = .waits(until: now + Self.markDelay) }
  }

  func isDue(now: Int64) -> Bool { dueAt.map { $0 <= now } ?? false }

  mutating func runEnded(remaining: Bool, now: Int64) {
    state = remaining ? .waits(until: now + Self.followUpDelay) : .idle
  }
}
