// sluice-harness sql cancel: how long a cancelled statement goes on. One thread waits for a
// statement without an end, another one cancels it after a random time.

internal import SluiceSystem
internal import Synchronization
internal import ToolSupport

/// What both threads see.
private final class CancelBoard: @unchecked Sendable {
  let side: EngineSide
  /// Counts up when a statement is about to be sent, and when it has ended.
  let step = Atomic<Int>(0)
  let endedAt = Atomic<Int64>(0)
  let wrong = Atomic<Int>(0)

  init(_ side: EngineSide) { self.side = side }
}

struct SQLCancelRun {
  let parameters: HarnessParameters
  let runs: Int
  let stop: StopRequest

  struct Outcome {
    var latencies = LatencyHistogram()
    /// Cancelled before the statement was sent, and once more.
    var early = 0
  }

  func run() throws(HarnessError) -> Outcome {
    let engine = try HarnessEngine(below: parameters.directory)
    defer { engine.stop() }
    let board = CancelBoard(try EngineSide(engine.socket, path: ":memory:"))
    var random = SplitMix64(seed: parameters.seed)
    var outcome = Outcome()
    let runs = runs
    let thread = try needed("a thread") { () throws(Errno) in
      JoinableThread(
        try Thread("endless") {
          let sql =
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
          for _ in 0..<runs {
            board.step.add(1, ordering: .sequentiallyConsistent)
            let result = try? board.side.result(sql)
            board.endedAt.store(Clock.monotonicNanoseconds(), ordering: .relaxed)
            if result?.code != 9 { board.wrong.add(1, ordering: .relaxed) }
            if (try? board.side.result("SELECT 1"))?.rows != [[.integer(1)]] {
              board.wrong.add(1, ordering: .relaxed)
            }
            board.step.add(1, ordering: .sequentiallyConsistent)
            Clock.sleep(nanoseconds: 200_000)
          }
        })
    }
    for run in 0..<runs {
      while board.step.load(ordering: .sequentiallyConsistent) < 2 * run + 1 { yieldProcessor() }
      Clock.sleep(nanoseconds: Int64(500_000 + random.below(2_000_000)))
      var began = Clock.monotonicNanoseconds()
      board.side.connection.cancel()
      var deadline = began + 200_000_000
      while board.step.load(ordering: .sequentiallyConsistent) < 2 * run + 2 {
        Clock.sleep(nanoseconds: 20_000)
        guard Clock.monotonicNanoseconds() > deadline else { continue }
        outcome.early += 1
        began = Clock.monotonicNanoseconds()
        deadline = began + 200_000_000
        board.side.connection.cancel()
        if outcome.early > 50 {
          engine.kill()
          throw .difference("statements are not cancelled")
        }
      }
      outcome.latencies.add(nanoseconds: board.endedAt.load(ordering: .relaxed) - began)
    }
    thread.join()
    let wrong = board.wrong.load(ordering: .relaxed)
    guard wrong == 0 else {
      throw .difference("\(wrong) cancelled statements, or statements after them, went wrong")
    }
    return outcome
  }
}

private func yieldProcessor() { Clock.sleep(nanoseconds: 20_000) }
