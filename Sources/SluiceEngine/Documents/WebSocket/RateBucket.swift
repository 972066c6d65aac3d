// A rate limit: a bucket that fills at the rate, up to the amount of one second. It may be overdrawn, and
// is empty until the debt is paid.

struct RateBucket: Sendable {
  private let perSecond: Int
  /// In thousandths.
  private var level: Int64
  private var last: Int64

  init(perSecond: Int, now: Int64) {
    self.perSecond = perSecond
    level = Int64(perSecond) * 1000
    last = now
  }

  mutating func take(_ count: Int) { level -= Int64(count) * 1000 }

  /// Whether something is in it at the time `now`, in milliseconds.
  mutating func hasSome(now: Int64) -> Bool {
    level = min(Int64(perSecond) * 1000, level + (now - last) * Int64(perSecond))
    last = now
    return level > 0
  }
}
