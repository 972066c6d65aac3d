// All waiting of the channel: spin a little, for a sleep costs 500 round trips; then sleep on a
// futex, but never for longer than it takes to see whether the peer still lives.
//
// Who sleeps announces it, then looks once more; who publishes looks for sleepers afterwards. Both
// use sequentially consistent order, so one of the two sees the other: a wake is never lost. Were
// it lost all the same (a peer that lies), the time slice ends the sleep.
//
//   sleeper                          publisher
//   sleeps.store(1)      SYNC nap    word.store(new)
//   word.load() == old?              sleeps.load() == 1?  → wake

internal import SluiceSystem
internal import Synchronization

/// How long to spin before sleeping; learns from how the last waits went.
public struct SpinPolicy: Sendable {
  private var budgetNanoseconds: Int64
  private let range: ClosedRange<Int64>

  /// On a single processor spinning only keeps the peer from running.
  public init(range: ClosedRange<Int64> = 2_000...100_000) {
    self.range = processorCount > 1 ? range : 0...0
    budgetNanoseconds = self.range.upperBound
  }

  mutating func spinWasEnough() {
    budgetNanoseconds = min(range.upperBound, budgetNanoseconds + budgetNanoseconds / 8 + 1)
  }

  mutating func spinWasWasted() {
    budgetNanoseconds = max(range.lowerBound, budgetNanoseconds - budgetNanoseconds / 4)
  }

  /// Spins until `condition` holds; false when the budget is used up first.
  @inline(__always)
  public mutating func spin(until condition: () -> Bool) -> Bool {
    if condition() { return true }
    if budgetNanoseconds == 0 { return false }
    for _ in 0..<64 {
      spinHint()
      if condition() {
        spinWasEnough()
        return true
      }
    }
    return spinByTheClock(until: condition)
  }

  @inline(never)
  private mutating func spinByTheClock(until condition: () -> Bool) -> Bool {
    let end = Clock.monotonicNanoseconds() + budgetNanoseconds
    repeat {
      for _ in 0..<32 {
        spinHint()
        if condition() {
          spinWasEnough()
          return true
        }
      }
    } while Clock.monotonicNanoseconds() < end
    spinWasWasted()
    return false
  }
}

enum WaitResult {
  case reached, peerGone, timedOut
  /// The word has a value that it cannot have.
  case impossible
}

/// The client's wait for `word` to count up to `goal`, from at most `distance` below it: with a
/// watchdog.
@inline(__always)
func waitForValue(
  _ goal: UInt32, in word: SharedWord, within distance: UInt32, announcing sleeps: SharedWord,
  policy: inout SpinPolicy, timeoutNanoseconds: Int64, peerIsGone: () -> Bool
) -> WaitResult {
  // SYNC completed
  if policy.spin(until: { unsafe word.pointee.load(ordering: .acquiring) == goal }) {
    return .reached
  }
  return unsafe sleepUntil(
    goal, in: word, within: distance, announcing: sleeps, timeoutNanoseconds: timeoutNanoseconds,
    peerIsGone: peerIsGone)
}

/// The same without the spinning.
@inline(never)
func sleepUntil(
  _ goal: UInt32, in word: SharedWord, within distance: UInt32, announcing sleeps: SharedWord,
  timeoutNanoseconds: Int64, peerIsGone: () -> Bool
) -> WaitResult {
  let sliceNanoseconds: Int64 = 100_000_000
  let deadline = Clock.monotonicNanoseconds() + timeoutNanoseconds
  unsafe sleeps.pointee.store(1, ordering: .sequentiallyConsistent)  // SYNC nap
  defer { unsafe sleeps.pointee.store(0, ordering: .relaxed) }
  while true {
    let value = unsafe word.pointee.load(ordering: .sequentiallyConsistent)
    if value == goal { return .reached }
    if goal &- value > distance { return .impossible }
    unsafe Futex.wait(word, while: value, timeoutNanoseconds: sliceNanoseconds)
    if Clock.monotonicNanoseconds() >= deadline { return .timedOut }
    if unsafe word.pointee.load(ordering: .acquiring) != value { continue }
    // What a dying peer completed before its end still counts: look again after the look.
    if peerIsGone() {
      return unsafe word.pointee.load(ordering: .acquiring) == goal ? .reached : .peerGone
    }
  }
}

/// Publishes `value` in `word` and wakes the peer if it may be asleep on it.
@inline(__always)
func publish(_ value: UInt32, in word: SharedWord, waking sleeps: SharedWord) {
  // SYNC submitted, completed, nap
  unsafe word.pointee.store(value, ordering: .sequentiallyConsistent)
  if unsafe sleeps.pointee.load(ordering: .sequentiallyConsistent) != 0 { unsafe Futex.wake(word) }
}

/// A word with which other threads of this process interrupt a `ChannelSet` wait.
public final class WakeWord: Sendable {
  private let count = Atomic<UInt32>(0)

  public init() {}

  /// Ends the wait under way, or the next one.
  public func signal() {
    count.wrappingAdd(1, ordering: .sequentiallyConsistent)
    unsafe Futex.wake(address)
  }

  /// How often it was signalled; changes with every signal.
  @inline(__always)
  public var signals: UInt32 { count.load(ordering: .acquiring) }

  fileprivate var address: SharedWord { unsafe withUnsafePointer(to: count) { unsafe $0 } }
}

/// The proxy's sleep: on every channel of a reactor at once, and on its wake word.
public struct ChannelSleep: ~Copyable {
  private var words = FutexSet()

  /// How many channels fit beside the wake word.
  public static var channelCountMaximum: Int { FutexSet.capacity - 1 }

  public init() {}

  /// Begins anew: to be woken when `wake` is signalled after it showed `signals`.
  public mutating func prepare(wake: WakeWord, signals: UInt32) {
    words.removeAll()
    unsafe words.append(wake.address, while: signals)
  }

  /// To be woken by requests on a channel whose sleep was announced; false when one is there.
  public mutating func add(_ watch: RequestWatch) -> Bool {
    // SYNC nap
    let submitted = unsafe watch.submitted.pointee.load(ordering: .sequentiallyConsistent)
    unsafe words.append(watch.submitted, while: watch.completed)
    return submitted == watch.completed
  }

  /// Sleeps until something of that happens, or the time is up. May return early for no reason.
  public func sleep(timeoutNanoseconds: Int64?) {
    words.wait(timeoutNanoseconds: timeoutNanoseconds)
  }
}
