// A model run: epochs of steps, each with new sessions and without files. So the steps of one epoch
// are the whole history of a difference in it.

internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

struct ModelRun {
  let sidecar: HarnessSidecar
  let sessions: Int
  let operations: Int
  let seed: UInt64
  let canary: ModelCanary?
  let stop: StopRequest

  /// The steps of an epoch: few enough to shrink, and enough to make up for the cost of new
  /// sessions.
  private static let epochLength = 50_000
  private static let burstMaximum = 24

  /// The evidence of a difference.
  struct Failure {
    var text: String
    var steps: [ModelStep]
    /// False where the steps did not fail again.
    var isRepeated: Bool
  }

  struct Outcome {
    var done = 0
    /// How many of them needed no request, because the lock stood.
    var standing = 0
    var nanoseconds: Int64 = 0
    var failure: Failure?
  }

  /// Runs until all steps are done or something is wrong.
  func run() throws(HarnessError) -> Outcome {
    var outcome = Outcome()
    let start = Clock.monotonicNanoseconds()
    let progress = Progress()
    defer { progress.clear() }
    var epoch: UInt64 = 0
    var ids: Set<UInt64> = []
    while outcome.done < operations {
      let left = operations - outcome.done
      var trace: [ModelStep] = []
      trace.reserveCapacity(ModelRun.epochLength)
      do throws(HarnessError) {
        try runEpoch(epoch, left: left, &trace, &ids, &outcome)
      } catch .difference(let text) {
        outcome.nanoseconds = Clock.monotonicNanoseconds() - start
        progress.show("model: a difference; looking for the shortest way to it")
        outcome.failure = try shrink(text, trace)
        return outcome
      }
      epoch += 1
      outcome.nanoseconds = Clock.monotonicNanoseconds() - start
      progress.show(progressText(outcome))
    }
    return outcome
  }

  private func progressText(_ outcome: Outcome) -> String {
    let rate = Double(outcome.done) / (Double(max(1, outcome.nanoseconds)) / 1e9)
    return "model: \(grouped(UInt64(outcome.done))) of \(grouped(UInt64(operations))) operations, "
      + "\(grouped(UInt64(rate))) a second"
  }

  /// Counts the right answers. If it throws, `trace` has the steps that matter.
  private func runEpoch(
    _ epoch: UInt64, left: Int, _ trace: inout [ModelStep], _ ids: inout Set<UInt64>,
    _ outcome: inout Outcome
  ) throws(HarnessError) {
    let driver = try ModelDriver(
      socket: sidecar.socket, tag: ModelRun.tag(seed), sessions: sessions, canary: canary)
    driver.idsSeen = ids
    ids = []
    var mix = SplitMix64(seed: seed ^ (epoch &* 0x9e37_79b9_7f4a_7c15))
    var generator = ModelGenerator(
      seed: mix.next(), sessionCount: sessions, burstMaximum: ModelRun.burstMaximum)
    defer {
      outcome.done += max(1, driver.doneCount)
      outcome.standing += driver.standingCount
    }
    do throws(HarnessError) {
      // A step that was not sent may have been the first of its burst.
      var beginsBurst = false
      for _ in 0..<min(ModelRun.epochLength, left) {
        var step = generator.next(driver.model)
        if beginsBurst { step.joins = false }
        trace.append(step)
        if try driver.run(step, index: trace.count - 1) {
          beginsBurst = false
        } else {
          beginsBurst = !step.joins
          trace.removeLast()
        }
        if trace.count & 0xfff == 0 { try stop.check() }
      }
      try driver.flush()
      ids = driver.idsSeen
      try driver.finish()
    } catch {
      if let failed = driver.failedIndex { trace.removeSubrange((failed + 1)...) }
      driver.abandon()
      if case .difference(let text) = error, let ending = sidecar.howItEnded() {
        throw .difference("\(text); the sidecar: \(ending)")
      }
      throw error
    }
  }

  static func tag(_ seed: UInt64) -> String { "model-\(String(seed, radix: 36))-" }

  private func shrink(_ text: String, _ trace: [ModelStep]) throws(HarnessError) -> Failure {
    var shrinker = ScriptShrinker { (steps) throws(HarnessError) in
      try stop.check()
      guard sidecar.revive() else { throw .failed("the sidecar cannot be started again") }
      return try ModelRun.replay(
        ModelScript(sessions: sessions, steps: steps), on: sidecar, canary: canary)?.text
    }
    do throws(HarnessError) {
      if let shortest = try shrinker.shrink(trace) {
        return Failure(text: shortest.text, steps: shortest.steps, isRepeated: true)
      }
    } catch .failed {
      // For example, the user's own sidecar has died.
    }
    return Failure(text: text, steps: trace, isRepeated: false)
  }

  /// Replays a script. Returns what went wrong and at which step, or nil.
  static func replay(
    _ script: ModelScript, on sidecar: HarnessSidecar, canary: ModelCanary?
  ) throws(HarnessError) -> (text: String, index: Int)? {
    let driver = try ModelDriver(
      socket: sidecar.socket, tag: tag(0), sessions: script.sessions, canary: canary)
    do throws(HarnessError) {
      for (index, step) in script.steps.enumerated() { try driver.run(step, index: index) }
      try driver.flush()
      try driver.finish()
      return nil
    } catch .difference(let text) {
      let index = driver.failedIndex ?? script.steps.count - 1
      driver.abandon()
      if let ending = sidecar.howItEnded() { return ("\(text); the sidecar: \(ending)", index) }
      return (text, index)
    } catch {
      driver.abandon()
      throw error
    }
  }
}
