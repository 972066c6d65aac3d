// The bound on an evaluation's time. It counts steps, not seconds, so that the same documents give
// the same verdict on each machine.

struct StepMeter {
  private(set) var left: Int

  init(_ stepCount: Int) { left = stepCount }

  /// False if not so many steps are left; then none is left from now on.
  mutating func take(_ stepCount: Int) -> Bool {
    guard stepCount <= left else {
      left = 0
      return false
    }
    left -= stepCount
    return true
  }

  /// The steps of looking at a text.
  static func steps(ofText text: String) -> Int { 1 + text.utf8.count >> 6 }
}
