// Honest sessions beside a hostile one: a model run on files of their own, whose answers must all be
// right, and whose times are kept apart by phase.
//
// One thread drives all of them, so that on two processors one is left for the sidecar: more
// spinning threads than processors would measure the scheduler.

internal import SluiceSystem
internal import Synchronization

final class HonestWorker: Sendable {
  struct Result {
    /// By phase: undisturbed, then beside the hostile session.
    var latencies = [LatencyHistogram(), LatencyHistogram()]
    var done = 0
    /// What was wrong, or why it could not go on.
    var failure: HarnessError?
  }

  /// What times count for.
  enum Phase: Int {
    case calm = 0
    case hostile = 1
    /// Between the two: for nothing.
    case between = 2
  }

  private static let epochLength = 20_000

  private let socket: String
  private let sessions: Int
  private let seed: UInt64
  private let phase = Atomic<Int>(Phase.between.rawValue)
  private let isStopping = Atomic<Bool>(false)
  private let result = FutexLock<Result>(Result())
  private let hasFailed = Atomic<Bool>(false)

  init(socket: String, sessions: Int, seed: UInt64) {
    self.socket = socket
    self.sessions = sessions
    self.seed = seed
  }

  func enter(_ phase: Phase) { self.phase.store(phase.rawValue, ordering: .relaxed) }

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
      if current < 2, let measured = driver.latencies { own.latencies[current].add(measured) }
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
