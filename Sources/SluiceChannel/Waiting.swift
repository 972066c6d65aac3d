// All waiting on a channel: spin for a short time, because a sleep costs 500 round trips; then
// sleep on a futex, in slices, and check after each slice whether the peer still lives.
//
// A sleeper announces its sleep, then checks the word once more. A publisher publishes, then checks
// for sleepers. Both use sequentially consistent order, so one of the two sees the other, and no
// wake is lost. If a wake is lost all the same (a peer that lies), the time slice ends the sleep.
//
//   sleeper                          publisher
//   sleeps.store(1)      SYNC nap    word.store(new)
//   word.load() == old?              sleeps.load() == 1?  → wake
//
// The word is the `sequence` of a slot: the next slot for the proxy, the last slot for the client.
// A sleeping client says which answer it awaits, and only that answer wakes it, because several
// answers may be under way. A client that may have further requests meanwhile waits for a wake word
// too.

internal import CSluice
internal import SluiceSystem
internal import Synchronization

/// How long a reactor spins before it sleeps. This time is fixed: if both sides learn to sleep
/// early, they never learn anything else (a round trip then stayed at 10 µs).
public struct SpinPolicy: Sendable {
  private let nanoseconds: Int64

  /// On a single processor the time is 0, because spinning keeps the peer from running.
  public init(nanoseconds: Int64) { self.nanoseconds = processorCount > 1 ? nanoseconds : 0 }

  /// Spins until `condition` holds; false if the time is up first, or if others need the processor.
  /// Yields it now and then, because the peer may be waiting for it.
  @inline(__always)
  public func spin(_ crowd: inout Crowd, until condition: () -> Bool) -> Bool {
    if condition() { return true }
    if nanoseconds == 0 { return false }
    var now = Clock.monotonicNanoseconds()
    if crowd.isThere(at: now) { return false }
    let end = now + nanoseconds
    var isFirst = crowd.takesTurns
    while true {
      for _ in 0..<(isFirst ? 0 : 64) {
        spinHint()
        if condition() { return true }
      }
      isFirst = false
      now = Clock.monotonicNanoseconds()
      if now >= end || !crowd.yield(&now) { return false }
    }
  }
}

/// How a client waits for one kind of request. It spins for about as long as such waits usually
/// take. If they take long, it sleeps at once, because a wake of some 50 µs then matters little.
struct WaitHabit {
  /// How long recent waits took on average, without those that ended at once.
  private var usualNanoseconds: Int64 = 20_000
  /// On the disks we know, a write, its sync and one more wake take about this long.
  private static let limit: Int64 = 400_000

  var spinNanoseconds: Int64 {
    guard processorCount > 1, usualNanoseconds <= Self.limit else { return 0 }
    return min(Self.limit, 10_000 + 2 * usualNanoseconds)
  }

  mutating func note(_ nanoseconds: Int64) {
    // One wait for something that hangs says nothing about the next wait.
    usualNanoseconds += (min(nanoseconds, 4 * Self.limit) - usualNanoseconds) / 8
  }
}

enum WaitResult {
  case reached, peerGone, timedOut
  /// The word has an impossible value.
  case impossible
}

/// The client's wait for the answer to request `number`, with a watchdog.
@safe
struct CompletionWait {
  let sequence: SharedWord
  let sleeps: SharedWord
  let awaited: SharedWord
  let number: UInt32
  let timeoutNanoseconds: Int64
  /// Each change of this word puts the timeout off, where there is one.
  var pulse: SharedWord?
  /// How often it looks before it reads the clock. Where most answers take longer than these looks,
  /// two readings of the clock are added to each of them.
  var firstLookCount = 64

  @inline(__always)
  func wait(
    _ habit: inout WaitHabit, _ crowd: inout Crowd, peerIsGone: () -> Bool
  ) -> WaitResult {
    if isReached { return .reached }
    if processorCount > 1, !crowd.takesTurns {
      for _ in 0..<firstLookCount {
        spinHint()
        if isReached { return .reached }
      }
    }
    return waitLonger(&habit, &crowd, peerIsGone: peerIsGone)
  }

  private var isReached: Bool {
    unsafe sequence.pointee.load(ordering: .acquiring) == ~number  // SYNC answer
  }

  @inline(never)
  private func waitLonger(
    _ habit: inout WaitHabit, _ crowd: inout Crowd, peerIsGone: () -> Bool
  ) -> WaitResult {
    let start = Clock.monotonicNanoseconds()
    defer { habit.note(Clock.monotonicNanoseconds() - start) }
    if !crowd.isThere(at: start), spin(from: start, for: habit.spinNanoseconds, &crowd) {
      return .reached
    }
    return sleep(peerIsGone: peerIsGone)
  }

  /// The same, unless `wake` has other signals than `signals` before: then nil.
  @inline(never)
  func wait(
    orWake wake: WakeWord, after signals: UInt32, _ habit: inout WaitHabit, _ crowd: inout Crowd,
    peerIsGone: () -> Bool
  ) -> WaitResult? {
    if isReached { return .reached }
    let start = Clock.monotonicNanoseconds()
    let hasOther = { wake.signals != signals }
    if !crowd.isThere(at: start),
      spin(from: start, for: habit.spinNanoseconds, &crowd, orWake: wake, after: signals)
    {
      habit.note(Clock.monotonicNanoseconds() - start)
      return .reached
    }
    var words = FutexSet()
    let result = sleep(peerIsGone: peerIsGone) { (value, nanoseconds) in
      words.removeAll()
      unsafe words.append(wake.address, while: signals)
      unsafe words.append(sequence, while: value)
      words.wait(timeoutNanoseconds: nanoseconds)
      return !hasOther()
    }
    if result != nil { habit.note(Clock.monotonicNanoseconds() - start) }
    return result
  }

  /// Spins, and yields the processor now and then, because the peer may be waiting for it.
  @inline(never)
  private func spin(
    from start: Int64, for nanoseconds: Int64, _ crowd: inout Crowd, orWake wake: WakeWord? = nil,
    after signals: UInt32 = 0
  ) -> Bool {
    var now = start
    var isFirst = crowd.takesTurns
    while now < start + nanoseconds {
      if let wake, wake.signals != signals { break }
      for _ in 0..<(isFirst ? 0 : 64) {
        spinHint()
        if isReached { return true }
      }
      isFirst = false
      now = Clock.monotonicNanoseconds()
      if !crowd.yield(&now) { break }
    }
    return isReached
  }

  /// Waits without spinning.
  @inline(never)
  func sleep(peerIsGone: () -> Bool) -> WaitResult {
    let result = sleep(peerIsGone: peerIsGone) { (value, nanoseconds) in
      unsafe Futex.wait(sequence, while: value, timeoutNanoseconds: nanoseconds)
      return true
    }
    return result ?? .timedOut
  }

  /// Waits in slices. `slice` sleeps while the word holds a value, for at most some nanoseconds; if
  /// it gives false, the wait ends with nil.
  @inline(__always)
  private func sleep(
    peerIsGone: () -> Bool, _ slice: (UInt32, Int64) -> Bool
  ) -> WaitResult? {
    let sliceNanoseconds: Int64 = 100_000_000
    var deadline = Clock.monotonicNanoseconds() + timeoutNanoseconds
    var lastPulse = unsafe pulse?.pointee.load(ordering: .relaxed)
    unsafe awaited.pointee.store(number, ordering: .relaxed)
    unsafe sleeps.pointee.store(1, ordering: .sequentiallyConsistent)  // SYNC nap
    defer { unsafe sleeps.pointee.store(0, ordering: .relaxed) }
    while true {
      let value = unsafe sequence.pointee.load(ordering: .sequentiallyConsistent)
      if value == ~number { return .reached }
      if value != number { return .impossible }
      if !slice(value, sliceNanoseconds) { return nil }
      let present = unsafe pulse?.pointee.load(ordering: .relaxed)
      if present != lastPulse {
        lastPulse = present
        deadline = Clock.monotonicNanoseconds() + timeoutNanoseconds
      }
      if Clock.monotonicNanoseconds() >= deadline { return .timedOut }
      if unsafe sequence.pointee.load(ordering: .acquiring) != value { continue }
      // An answer that a dying peer completed before its end still counts, so check once more.
      if peerIsGone() { return isReached ? .reached : .peerGone }
    }
  }
}

/// Hands a slot over: publishes `value` in its `sequence`, and wakes the peer if it may sleep and
/// `isAwaited` says that it awaits this slot.
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
