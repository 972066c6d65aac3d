// Many random histories, on several threads. Seeds tell them apart, so that a run may go on where
// another has ended.

import AutomergeScenarios
import Dispatch
import Synchronization

struct ScenarioRun {
  var count = 1000
  var firstSeed = 1
  var threadCount = 2
  /// One scenario of so many is checked in its past and its patches too.
  var pastEvery = 16
  /// Breaks ties the wrong way, so that most scenarios must fail.
  var isCanary = false

  /// Nil if the words are not understood.
  init?(_ words: [String]) {
    var rest = words[...]
    while let word = rest.popFirst() {
      if word == "--canary" {
        isCanary = true
        continue
      }
      guard let number = rest.popFirst().flatMap({ Int($0) }), number > 0 else { return nil }
      switch word {
      case "--count": count = number
      case "--seed": firstSeed = number
      case "--threads": threadCount = number
      case "--past-every": pastEvery = number
      default: return nil
      }
    }
  }

  /// Prints what was done, and whether all is as it must be.
  func run() -> Bool {
    let next = Atomic(firstSeed)
    let end = firstSeed + count
    let tally = Mutex(Tally())
    DispatchQueue.concurrentPerform(iterations: threadCount) { _ in
      while true {
        let seed = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard seed < end else { return }
        var check = ScenarioCheck()
        check.changeCountMax = 200
        check.checksPast = !isCanary && seed % pastEvery == 0
        check.breaksTiesWrong = isCanary
        do throws(ScenarioFailure) {
          let changeCount = try check.run(seed: UInt64(seed))
          tally.withLock { $0.changeCount += changeCount }
        } catch {
          tally.withLock { $0.failures.append(error) }
        }
      }
    }
    return report(tally.withLock { $0 })
  }

  private struct Tally {
    var changeCount = 0
    var failures: [ScenarioFailure] = []
  }

  private func report(_ tally: Tally) -> Bool {
    let seeds = "seeds \(firstSeed) to \(firstSeed + count - 1)"
    if isCanary {
      print("canary: \(seeds): found in \(tally.failures.count) of \(count) scenarios")
      return tally.failures.count > count / 2
    }
    for failure in tally.failures { print("\(failure)") }
    print(
      "scenarios: \(seeds): \(count - tally.failures.count) right with \(tally.changeCount) changes, "
        + "\(tally.failures.count) wrong")
    return tally.failures.isEmpty
  }
}
