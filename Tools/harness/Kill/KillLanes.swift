// Several kill runs side by side, each with its own sidecar and databases. A sleeping client checks
// only every 100 ms whether its sidecar lives; the other lanes use the processor meanwhile.

internal import SluiceCommand
internal import SluiceSystem
internal import Synchronization
internal import ToolSupport

struct KillLanes {
  let parameters: HarnessParameters
  let lanes: Int
  let clients: Int
  let kills: Int
  /// Of so many lives of a sidecar's last client one is that of stock SQLite.
  let stockInterval: Int
  let acknowledgesEarly: Bool
  /// Keeps the files of a run that found something.
  let keepsFiles: Bool
  let stop: StopRequest

  private struct Result {
    var outcome = KillRun.Outcome()
    var failure: HarnessError?
    var count = 0
  }

  /// Runs until all kills are done, or until a lane finds something wrong.
  func run() throws(HarnessError) -> KillRun.Outcome {
    let tally = KillTally()
    let result = FutexLock<Result>(Result())
    let progress = Progress()
    defer { progress.clear() }
    let start = Clock.monotonicNanoseconds()
    var threads: [JoinableThread] = []
    defer {
      // No lane goes on when another thread could not be started.
      tally.hasFailed.store(true, ordering: .relaxed)
      for thread in threads { thread.join() }
    }
    for lane in 0..<lanes {
      let share = kills * (lane + 1) / lanes - kills * lane / lanes
      let thread = try needed("thread") { () throws(Errno) in
        try Thread("kill-lane") {
          do throws(HarnessError) {
            let outcome = try run(lane, kills: share, tally)
            result.withLock { $0.outcome.add(outcome) }
          } catch {
            tally.hasFailed.store(true, ordering: .relaxed)
            // Only the first failure counts: the later ones say that a lane was stopped.
            result.withLock { if $0.failure == nil { $0.failure = error } }
          }
          result.withLock { $0.count += 1 }
        }
      }
      threads.append(JoinableThread(thread))
    }
    while result.withLock({ $0.count }) < threads.count {
      Clock.sleep(nanoseconds: 20_000_000)
      _ = try? stop.check()
      let done = tally.kills.load(ordering: .relaxed)
      let seconds = Double(Clock.monotonicNanoseconds() - start) / 1e9
      progress.show(
        "kill: \(grouped(UInt64(done))) of \(grouped(UInt64(kills))) kills, \(seconds.fixed(0)) s")
    }
    let end = result.withLock { $0 }
    if let failure = end.failure { throw failure }
    return end.outcome
  }

  private func run(
    _ lane: Int, kills: Int, _ tally: KillTally
  ) throws(HarnessError) -> KillRun.Outcome {
    let sidecar = try parameters.sidecar()
    let outcome: KillRun.Outcome
    do throws(HarnessError) {
      outcome = try KillRun(
        sidecar: sidecar, clients: clients, kills: kills, stockInterval: stockInterval,
        seed: parameters.seed &+ UInt64(lane),
        acknowledgesEarly: acknowledgesEarly, tally: tally, stop: stop
      ).run()
    } catch {
      guard keepsFiles, case .difference(let text) = error, let path = sidecar.path else {
        sidecar.stop()
        throw error
      }
      sidecar.stop(keepingFiles: true)
      throw .difference("\(text); the files are in \(path)")
    }
    if let ending = sidecar.stop() { throw .difference("the sidecar: \(ending)") }
    return outcome
  }
}
