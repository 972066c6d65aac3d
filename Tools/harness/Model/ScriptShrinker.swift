// Finds a short list of steps that still fails: it leaves out stretches, long ones first, as long
// as the rest fails. Any difference will do, even another one.

internal import SluiceSystem

struct ScriptShrinker {
  /// The failure of these steps, or nil.
  let attempt: ([ModelStep]) throws(HarnessError) -> String?
  private var end: Int64 = 0

  /// After this the shortest list so far is good enough.
  private static let nanosecondsMaximum: Int64 = 60_000_000_000

  init(_ attempt: @escaping ([ModelStep]) throws(HarnessError) -> String?) {
    self.attempt = attempt
  }

  /// Nil where the steps do not fail again.
  mutating func shrink(
    _ steps: [ModelStep]
  ) throws(HarnessError) -> (text: String, steps: [ModelStep])? {
    guard var text = try attempt(steps) else { return nil }
    end = Clock.monotonicNanoseconds() + ScriptShrinker.nanosecondsMaximum
    var best = steps
    var before: Int
    repeat {
      before = best.count
      try leaveOutSessions(&best, &text)
      var stretch = max(1, best.count / 2)
      while true {
        try leaveOut(stretch, &best, &text)
        if stretch == 1 { break }
        stretch /= 2
      }
    } while best.count < before && !isLate
    try waitForEach(&best, &text)
    return (text, best)
  }

  private var isLate: Bool { Clock.monotonicNanoseconds() > end }

  private func leaveOutSessions(
    _ best: inout [ModelStep], _ text: inout String
  ) throws(HarnessError) {
    for session in Set(best.map(\.session)).sorted() {
      let rest = best.filter { $0.session != session }
      if rest.isEmpty || isLate { continue }
      if let found = try attempt(rest) { (best, text) = (rest, found) }
    }
  }

  private func leaveOut(
    _ stretch: Int, _ best: inout [ModelStep], _ text: inout String
  ) throws(HarnessError) {
    // From the end: mostly the last steps make a run fail.
    var upper = best.count
    while upper > 0, !isLate {
      let lower = max(0, upper - stretch)
      if upper - lower < best.count {
        let rest = Array(best[..<lower] + best[upper...])
        if let found = try attempt(rest) { (best, text) = (rest, found) }
      }
      upper = lower
    }
  }

  /// Waits for the steps one by one, where that still fails.
  private func waitForEach(
    _ best: inout [ModelStep], _ text: inout String
  ) throws(HarnessError) {
    for index in best.indices where best[index].joins && !isLate {
      var changed = best
      changed[index].joins = false
      if let found = try attempt(changed) { (best, text) = (changed, found) }
    }
  }
}
