// The bound on an evaluation's time. It counts steps, not seconds, so that the same documents give
// the same verdict on each machine.

struct StepMeter {
  private(set) var left: Int
  /// What was taken or lost, without what was taken for others.
  var usedCount: Int { stepCount - left - othersCount }

  private let stepCount: Int
  private var othersCount = 0

  init(_ stepCount: Int) {
    self.stepCount = stepCount
    left = stepCount
  }

  /// False if not so many steps are left; then none is left from now on.
  mutating func take(_ stepCount: Int) -> Bool {
    guard stepCount <= left else {
      left = 0
      return false
    }
    left -= stepCount
    return true
  }

  /// Takes steps that another evaluation answers for.
  mutating func takeForOther(_ stepCount: Int) -> Bool {
    guard take(stepCount) else { return false }
    othersCount += stepCount
    return true
  }
}
