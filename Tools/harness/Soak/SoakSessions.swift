// The raw sessions that come and go during a run of `soak`: short model runs, one after the other.
// All answers must be right; the times are handed over as they come.

internal import SluiceSystem
internal import Synchronization
internal import ToolSupport

final class SoakSessions: Sendable {
  private let socket: String
  private let sessions: Int
  private let seed: UInt64
  private let isStopping = Atomic<Bool>(false)
  private let latencies = FutexLock<LatencyHistogram>(LatencyHistogram())
  private let failure = FutexLock<HarnessError?>(nil)

  private static let epochLength = 2000
  /// The times are handed over after so many steps.
  private static let portion = 100

  init(socket: String, sessions: Int, seed: UInt64) {
    self.socket = socket
    self.sessions = sessions
    self.seed = seed
  }

  func stop() { isStopping.store(true, ordering: .relaxed) }

  /// The wrong answer, or the reason why the sessions ended; nil if there is none.
  var whatFailed: HarnessError? { failure.withLock { $0 } }

  /// The times since the last call.
  func takeLatencies() -> LatencyHistogram {
    latencies.withLock { latencies in
      defer { latencies = LatencyHistogram() }
      return latencies
    }
  }

  /// The body of its thread.
  func run() {
    var epoch: UInt64 = 0
    do throws(HarnessError) {
      while !isStopping.load(ordering: .relaxed) {
        try runEpoch(epoch)
        epoch += 1
      }
    } catch {
      failure.withLock { $0 = error }
    }
  }

  private func runEpoch(_ epoch: UInt64) throws(HarnessError) {
    let driver = try ModelDriver(
      socket: socket, tag: ModelRun.tag(seed), sessions: sessions, canary: nil)
    var mix = SplitMix64(seed: seed ^ (epoch &* 0x9e37_79b9_7f4a_7c15))
    var generator = ModelGenerator(seed: mix.next(), sessionCount: sessions, burstMaximum: 1)
    driver.toleratesLimits = true
    driver.latencies = LatencyHistogram()
    for index in 0..<SoakSessions.epochLength {
      try driver.run(generator.next(driver.model), index: index)
      guard index % SoakSessions.portion == SoakSessions.portion - 1 else { continue }
      if let measured = driver.latencies { latencies.withLock { $0.add(measured) } }
      driver.latencies = LatencyHistogram()
      if isStopping.load(ordering: .relaxed) { break }
    }
    try driver.finish()
  }
}
