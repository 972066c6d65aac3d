// A request that stands in line for a lock, and how its reactor learns that it is time to look at
// it again. Any thread may say so; the reactor alone looks.

internal import CSluice
internal import SluiceChannel
internal import SluiceSystem
internal import Synchronization

/// When a reactor has to look at its waiters next.
final class ReactorAlarm: Sendable {
  private let due = Atomic<Int64>(.max)
  private let thread = Atomic<UInt>(0)
  private let wake: WakeWord

  init(wake: WakeWord) { self.wake = wake }

  /// Says which thread needs no wake, for it looks at the alarm before it sleeps.
  func belongsToThisThread() { thread.store(UInt(pthread_self()), ordering: .relaxed) }

  /// Has the reactor look at `time` (monotonic nanoseconds) or before.
  func set(_ time: Int64) {
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

  var time: Int64 { due.load(ordering: .relaxed) }

  /// Whether it is time; takes the alarm back if so, and whoever looks sets it again.
  func takeIfDue() -> Bool {
    let time = due.load(ordering: .relaxed)
    guard time != .max, Clock.monotonicNanoseconds() >= time else { return false }
    _ = due.exchange(.max, ordering: .acquiringAndReleasing)
    return true
  }

  @inline(__always)
  var isDue: Bool {
    let time = due.load(ordering: .relaxed)
    return time != .max && Clock.monotonicNanoseconds() >= time
  }
}

/// One request that waits.
final class LockWaiter: Sendable {
  /// When it gives up, in monotonic nanoseconds.
  let deadline: Int64
  private let alarm: ReactorAlarm
  private let nextLook: Atomic<Int64>
  private let wasPutOff = Atomic<Bool>(false)
  /// How long to rest between looks at an outsider's lock, of which nobody tells.
  private let outsideRest = Atomic<Int64>(200_000)

  init(deadline: Int64, alarm: ReactorAlarm) {
    self.deadline = deadline
    self.alarm = alarm
    nextLook = Atomic(.max)
  }

  /// When its reactor is to look at it next.
  var lookAt: Int64 { nextLook.load(ordering: .acquiring) }

  /// Whether it was not answered at once.
  var hasRested: Bool { wasPutOff.load(ordering: .relaxed) }

  /// Its reactor has looked and will do so again then, unless told before.
  func rest(until time: Int64) {
    let time = min(time, deadline)
    wasPutOff.store(true, ordering: .relaxed)
    nextLook.store(time, ordering: .releasing)
    alarm.set(time)
  }

  /// Something has changed: look at `time`. Any thread, under the file's lock.
  func tell(_ time: Int64) {
    guard time < nextLook.load(ordering: .relaxed) else { return }
    nextLook.store(time, ordering: .releasing)
    alarm.set(time)
  }

  /// When to look at an outsider's lock again: soon at first, then less often.
  func nextOutsideLook(now: Int64) -> Int64 {
    let rest = outsideRest.load(ordering: .relaxed)
    outsideRest.store(min(rest * 2, 1_000_000), ordering: .relaxed)
    return now + rest
  }
}
