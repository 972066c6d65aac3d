// How long a cancelled statement without an end goes on: one thread waits for it, another one cancels.

internal import CSluice
internal import CSluiceSQL
internal import CSQLite
internal import SluiceSystem
internal import Synchronization
internal import ToolSupport

/// What both threads see.
private final class CancelBoard: @unchecked Sendable {
  /// Counts up when a statement is about to be sent, and when it has ended.
  let step = Atomic<Int>(0)
  let endedAt = Atomic<Int64>(0)
  let isWrong = Atomic<Bool>(false)
}

/// Times `count` cancels. `execute` gives SQLite's result code.
private func timesOfCancels(
  _ count: Int, execute: @escaping @Sendable () -> Int32, cancel: () -> Void
) throws(ToolError) -> Samples {
  let board = CancelBoard()
  let thread: JoinableThread
  do throws(Errno) {
    thread = JoinableThread(
      try Thread("endless") {
        for _ in 0..<count {
          board.step.add(1, ordering: .sequentiallyConsistent)
          let code = execute()
          board.endedAt.store(Clock.monotonicNanoseconds(), ordering: .relaxed)
          if code & 0xff != SQLITE_INTERRUPT { board.isWrong.store(true, ordering: .relaxed) }
          board.step.add(1, ordering: .sequentiallyConsistent)
          Clock.sleep(nanoseconds: 200_000)
        }
      })
  } catch {
    throw .system("a thread", error)
  }
  var random = SplitMix64(seed: 1)
  var samples = Samples(capacity: count)
  for run in 0..<count {
    while board.step.load(ordering: .sequentiallyConsistent) < 2 * run + 1 {
      Clock.sleep(nanoseconds: 20_000)
    }
    Clock.sleep(nanoseconds: Int64(1_000_000 + random.below(1_000_000)))
    var began = Clock.monotonicNanoseconds()
    cancel()
    while board.step.load(ordering: .sequentiallyConsistent) < 2 * run + 2 {
      Clock.sleep(nanoseconds: 20_000)
      // It had not begun when it was cancelled.
      if Clock.monotonicNanoseconds() > began + 500_000_000 {
        began = Clock.monotonicNanoseconds()
        cancel()
      }
    }
    samples.append(board.endedAt.load(ordering: .relaxed) - began)
  }
  thread.join()
  guard !board.isWrong.load(ordering: .relaxed) else {
    throw .failed("a cancelled statement was not interrupted")
  }
  return samples
}

extension StockSQLSide {
  func cancelTimes(_ count: Int) throws(ToolError) -> Samples {
    let (run, interrupt) = endless()
    return try timesOfCancels(count, execute: run, cancel: interrupt)
  }
}

extension SluiceSQLSide {
  func cancelTimes(_ count: Int) throws(ToolError) -> Samples {
    let (run, cancel) = endless()
    return try timesOfCancels(count, execute: run, cancel: cancel)
  }
}
