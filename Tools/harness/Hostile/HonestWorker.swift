// Honest sessions beside a hostile one: a model run on files of their own. All answers must be
// right; the times are kept apart by phase.
//
// One thread drives all of them, so that on two processors one is left for the sidecar. With more
// spinning threads than processors, the run would measure the scheduler.

internal import SluiceSystem
internal import Synchronization
internal import ToolSupport

final class HonestWorker: Sendable {
  struct Result {
    /// By phase: even phases are undisturbed, odd ones have the hostile session beside them.
    var phases: [Int: LatencyHistogram] = [:]
    var done = 0
    /// The wrong answer, or why the sessions could not go on.
    var failure: HarnessError?

    /// The times of all undisturbed phases, or of all phases beside the hostile session.
    func latencies(beside hostile: Bool) -> LatencyHistogram {
      var sum = LatencyHistogram()
      for (phase, latencies) in phases where phase & 1 == (hostile ? 1 : 0) { sum.add(latencies) }
      return sum
    }

    /// How many times longer an operation took beside the hostile session. This is the median of
    /// all pairs of neighbouring phases, because other work on the machine disturbs some phases
    /// more than others.
    func ratio(_ fraction: Double) -> Double {
      let ratios = phases.keys.filter { $0 & 1 == 1 }.compactMap { phase -> Double? in
        guard let calm = phases[phase - 1], let hostile = phases[phase] else { return nil }
        return Double(hostile.percentile(fraction)) / Double(max(1, calm.percentile(fraction)))
      }
      return ratios.isEmpty ? 0 : ratios.middle
    }
  }

  /// Between two phases, where times do not count.
  static let between = -1

  private static let epochLength = 20_000

  private let socket: String
  private let sessions: Int
  private let seed: UInt64
  private let phase = Atomic<Int>(HonestWorker.between)
  private let isStopping = Atomic<Bool>(false)
  private let result = FutexLock<Result>(Result())
  private let hasFailed = Atomic<Bool>(false)

  init(socket: String, sessions: Int, seed: UInt64) {
    self.socket = socket
    self.sessions = sessions
    self.seed = seed
  }

  /// From now on, times count for this phase.
  func enter(_ phase: Int) { self.phase.store(phase, ordering: .relaxed) }

  func stop() { isStopping.store(true, ordering: .relaxed) }

  /// Whether the sessions cannot go on.
  var isFailed: Bool { hasFailed.load(ordering: .relaxed) }

  /// Valid after `stop` and the thread's end.
  var outcome: Result { result.withLock { $0 } }

  /// The body of its thread.
  func run() {
    var own = Result()
    var epoch: UInt64 = 0
    do throws(HarnessError) {
      while !isStopping.load(ordering: .relaxed) {
        try runEpoch(epoch, &own)
        epoch += 1
      }
    } catch {
      own.failure = error
      hasFailed.store(true, ordering: .relaxed)
    }
    result.withLock { $0 = own }
  }

  private func runEpoch(_ epoch: UInt64, _ own: inout Result) throws(HarnessError) {
    let driver = try ModelDriver(
      socket: socket, tag: ModelRun.tag(seed) + "h-", sessions: sessions, canary: nil)
    var mix = SplitMix64(seed: seed ^ (epoch &* 0x9e37_79b9_7f4a_7c15))
    var generator = ModelGenerator(seed: mix.next(), sessionCount: sessions, burstMaximum: 1)
    driver.toleratesLimits = true
    driver.latencies = LatencyHistogram()
    var current = phase.load(ordering: .relaxed)
    func keep() {
      if current != HonestWorker.between, let measured = driver.latencies {
        own.phases[current, default: LatencyHistogram()].add(measured)
      }
      driver.latencies = LatencyHistogram()
    }
    for index in 0..<HonestWorker.epochLength {
      let now = phase.load(ordering: .relaxed)
      if now != current {
        keep()
        current = now
      }
      if isStopping.load(ordering: .relaxed) { break }
      try driver.run(generator.next(driver.model), index: index)
    }
    keep()
    own.done += driver.doneCount
    try driver.finish()
  }
}
