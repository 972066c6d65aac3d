// Honest sessions beside a hostile one: a model run on files of their own, whose answers must all be
// right, and whose times are kept apart by phase.
//
// One thread drives all of them, so that on two processors one is left for the sidecar: more
// spinning threads than processors would measure the scheduler.

internal import SluiceSystem
internal import Synchronization

final class HonestWorker: Sendable {
  struct Result {
    /// By phase: even ones undisturbed, odd ones beside the hostile session.
    var phases: [Int: LatencyHistogram] = [:]
    var done = 0
    /// What was wrong, or why it could not go on.
    var failure: HarnessError?

    /// All times of the one or the other kind of phase.
    func latencies(beside hostile: Bool) -> LatencyHistogram {
      var sum = LatencyHistogram()
      for (phase, latencies) in phases where phase & 1 == (hostile ? 1 : 0) { sum.add(latencies) }
      return sum
    }

    /// How many times longer it took beside the hostile session: the middle one of all pairs of
    /// neighbouring phases, for what else the machine does disturbs some phases more than others.
    func ratio(_ fraction: Double) -> Double {
      let ratios = phases.keys.filter { $0 & 1 == 1 }.compactMap { phase -> Double? in
        guard let calm = phases[phase - 1], let hostile = phases[phase] else { return nil }
        return Double(hostile.percentile(fraction)) / Double(max(1, calm.percentile(fraction)))
      }
      return ratios.isEmpty ? 0 : ratios.middle
    }
  }

  /// The phase between two, whose times count for nothing.
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

  /// From now on times count for this phase.
  func enter(_ phase: Int) { self.phase.store(phase, ordering: .relaxed) }

  func stop() { isStopping.store(true, ordering: .relaxed) }

  /// Whether there is no point in going on.
  var isFailed: Bool { hasFailed.load(ordering: .relaxed) }

  /// After `stop` and the thread's end.
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
    var mix = HarnessRandom(seed: seed ^ (epoch &* 0x9e37_79b9_7f4a_7c15))
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
