// A request that waits for something, and how its thread learns when to look at it again. Any
// thread may tell it; only its own thread looks.

internal import Synchronization

package final class Waiter: Sendable {
  /// When it gives up (monotonic nanoseconds).
  package let deadline: Int64
  private let alarm: Alarm
  private let nextLook: Atomic<Int64>
  private let wasPutOff = Atomic<Bool>(false)
  /// How long to rest between two looks at something whose change is not told.
  private let untoldRest = Atomic<Int64>(200_000)

  package init(deadline: Int64, alarm: Alarm) {
    self.deadline = deadline
    self.alarm = alarm
    nextLook = Atomic(.max)
  }

  /// When its thread looks at it next.
  package var lookAt: Int64 { nextLook.load(ordering: .acquiring) }

  /// Whether it was not answered at once.
  package var hasRested: Bool { wasPutOff.load(ordering: .relaxed) }

  /// Its thread has looked, and looks again at `time` unless it is told before.
  package func rest(until time: Int64) {
    let time = min(time, deadline)
    wasPutOff.store(true, ordering: .relaxed)
    nextLook.store(time, ordering: .releasing)
    alarm.set(time)
  }

  /// Something has changed: look at `time`. Any thread may call this; two calls at once must be
  /// kept apart by the caller.
  package func tell(_ time: Int64) {
    guard time < nextLook.load(ordering: .relaxed) else { return }
    nextLook.store(time, ordering: .releasing)
    alarm.set(time)
  }

  /// When to look again at something whose change is not told: soon at first, then less often.
  package func nextUntoldLook(now: Int64) -> Int64 {
    let rest = untoldRest.load(ordering: .relaxed)
    untoldRest.store(min(rest * 2, 1_000_000), ordering: .relaxed)
    return now + rest
  }
}
