// When a thread that serves has to look at what waits there. Any thread may set it earlier; the
// thread itself takes it.

internal import CSluice
internal import SluiceChannel
internal import SluiceSystem
internal import Synchronization

package final class Alarm: Sendable {
  private let due = Atomic<Int64>(.max)
  private let thread = Atomic<UInt>(0)
  private let wake: WakeWord

  init(wake: WakeWord) { self.wake = wake }

  /// The calling thread looks at the alarm before it sleeps, so it needs no wake.
  func belongsToThisThread() { thread.store(UInt(pthread_self()), ordering: .relaxed) }

  /// Has the thread look at `time` (monotonic nanoseconds) or before.
  package func set(_ time: Int64) {
    var present = due.load(ordering: .relaxed)
    while time < present {
      let (exchanged, original) = due.compareExchange(
        expected: present, desired: time, ordering: .acquiringAndReleasing)
      if exchanged {
        let isOwn = thread.load(ordering: .relaxed) == UInt(pthread_self())
        if !isOwn { wake.signal() }
        return
      }
      present = original
    }
  }

  /// `Int64.max` where it is not set.
  var time: Int64 { due.load(ordering: .relaxed) }

  /// Whether it is time. Takes the alarm back if so; the thread sets it again for what waits on.
  func takeIfDue() -> Bool {
    guard isDue else { return false }
    _ = due.exchange(.max, ordering: .acquiringAndReleasing)
    return true
  }

  @inline(__always)
  var isDue: Bool {
    let time = due.load(ordering: .relaxed)
    return time != .max && isDue(time)
  }

  /// The coarse clock lags by 10 ms at most, and costs a quarter of the other.
  private func isDue(_ time: Int64) -> Bool {
    Clock.coarseNanoseconds() + 10_000_000 >= time && Clock.monotonicNanoseconds() >= time
  }
}
