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
//
// The word is the `sequence` of a slot: of the next one for the proxy, of the last one for the client.
// A client that sleeps says which answer it awaits, and is woken for no other: several requests may be
// on their way to it.

internal import CSluice
internal import SluiceSystem
internal import Synchronization

/// How long a reactor spins before it sleeps: always the same, for two sides that both learn to sleep
/// early never learn anything else (a round trip then took 10 µs for good).
public struct SpinPolicy: Sendable {
  private let nanoseconds: Int64

  /// On a single processor spinning only keeps the peer from running.
  public init(nanoseconds: Int64) { self.nanoseconds = processorCount > 1 ? nanoseconds : 0 }

  /// Spins until `condition` holds; false when the time is up first. Lets others have the processor
  /// now and then, for who is waited for may be waiting for it.
  @inline(__always)
  public func spin(until condition: () -> Bool) -> Bool {
    if condition() { return true }
    if nanoseconds == 0 { return false }
    let end = Clock.monotonicNanoseconds() + nanoseconds
    while true {
      for _ in 0..<64 {
        spinHint()
        if condition() { return true }
      }
      if Clock.monotonicNanoseconds() >= end { return false }
      yieldProcessor()
    }
  }
}

/// How a client waits for one kind of request: it spins for about as long as such waits use to take,
/// and sleeps at once where that is long, for then a wake of some 50 µs matters little.
struct WaitHabit {
  /// How long waits took lately that were not over at once, on average.
  private var usualNanoseconds: Int64 = 20_000
  /// A write, its sync and a wake more cost about as much on the disks we know.
  private static let limit: Int64 = 400_000

  var spinNanoseconds: Int64 {
    guard processorCount > 1, usualNanoseconds <= Self.limit else { return 0 }
    return min(Self.limit, 10_000 + 2 * usualNanoseconds)
  }

  mutating func note(_ nanoseconds: Int64) {
    // One wait for something that hangs says nothing of the next.
    usualNanoseconds += (min(nanoseconds, 4 * Self.limit) - usualNanoseconds) / 8
  }
}

enum WaitResult {
  case reached, peerGone, timedOut
  /// The word has a value that it cannot have.
  case impossible
}

/// The client's wait for the answer of request `number`: with a watchdog.
@safe
struct CompletionWait {
  let sequence: SharedWord
  let sleeps: SharedWord
  let awaited: SharedWord
  let number: UInt32
  let timeoutNanoseconds: Int64

  @inline(__always)
  func wait(_ habit: inout WaitHabit, peerIsGone: () -> Bool) -> WaitResult {
    for _ in 0..<64 {
      if isReached { return .reached }
      spinHint()
    }
    return waitLonger(&habit, peerIsGone: peerIsGone)
  }

  private var isReached: Bool {
    unsafe sequence.pointee.load(ordering: .acquiring) == ~number  // SYNC answer
  }

  @inline(never)
  private func waitLonger(_ habit: inout WaitHabit, peerIsGone: () -> Bool) -> WaitResult {
    let start = Clock.monotonicNanoseconds()
    defer { habit.note(Clock.monotonicNanoseconds() - start) }
    return spin(until: start + habit.spinNanoseconds) ? .reached : sleep(peerIsGone: peerIsGone)
  }

  /// Spins, and lets others have the processor now and then: the peer itself may be waiting for it.
  private func spin(until end: Int64) -> Bool {
    while Clock.monotonicNanoseconds() < end {
      for _ in 0..<64 {
        spinHint()
        if isReached { return true }
      }
      yieldProcessor()
    }
    return isReached
  }

  /// Waits without spinning.
  @inline(never)
  func sleep(peerIsGone: () -> Bool) -> WaitResult {
    let sliceNanoseconds: Int64 = 100_000_000
    let deadline = Clock.monotonicNanoseconds() + timeoutNanoseconds
    unsafe awaited.pointee.store(number, ordering: .relaxed)
    unsafe sleeps.pointee.store(1, ordering: .sequentiallyConsistent)  // SYNC nap
    defer { unsafe sleeps.pointee.store(0, ordering: .relaxed) }
    while true {
      let value = unsafe sequence.pointee.load(ordering: .sequentiallyConsistent)
      if value == ~number { return .reached }
      if value != number { return .impossible }
      unsafe Futex.wait(sequence, while: value, timeoutNanoseconds: sliceNanoseconds)
      if Clock.monotonicNanoseconds() >= deadline { return .timedOut }
      if unsafe sequence.pointee.load(ordering: .acquiring) != value { continue }
      // What a dying peer completed before its end still counts: look again after the look.
      if peerIsGone() { return isReached ? .reached : .peerGone }
    }
  }
}

/// Hands a slot over: publishes `value` in its `sequence` and wakes the peer if it may be asleep, and
/// `isAwaited` says that it sleeps for this.
@inline(__always)
func publish(
  _ value: UInt32, in sequence: SharedWord, waking sleeps: SharedWord,
  isAwaited: () -> Bool = { true }
) {
  // SYNC request, answer, nap
  unsafe sequence.pointee.store(value, ordering: .sequentiallyConsistent)
  guard unsafe sleeps.pointee.load(ordering: .sequentiallyConsistent) != 0, isAwaited() else {
    return
  }
  unsafe Futex.wake(sequence)
}
