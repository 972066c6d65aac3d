// Whether a thread that spins shares its processor with one that never sleeps.
//
// A spinning thread yields now and then, because the peer for which it waits may need the processor.
// But a yield gives it to whoever waits there. A thread that never sleeps keeps it for its whole time
// slice, 3 to 4 ms, and Linux 6.18 puts the one that has yielded behind it. A thread that sleeps on
// a futex runs some 5 to 20 µs after its wake, also there. (Measured beside two readers that never
// pause, on two processors: 2 writers that yielded waited 740 of 1,000 ms for the processor.)
//
// A yield that takes a few microseconds has met a thread that works or spins in turns with this one:
// most often the peer. Then a wait yields before it looks, because each look keeps the peer from
// running. (Three processes of a record store on two processors: a store takes 10 % less.)

internal import SluiceSystem

public struct Crowd: Sendable {
  private var until: Int64 = .min / 2
  private var memoryNanoseconds = Self.memoryRange.lowerBound
  /// Whether the last yield let another thread run.
  private(set) var takesTurns = false

  public init() {}

  /// A yield that takes longer has met such a thread. Other users of the sidecar do less at a time.
  private static let hogNanoseconds: Int64 = 1_000_000
  /// A yield that takes longer has let another thread run. Where none is, it takes 0.3 to 0.6 µs.
  private static let longYieldNanoseconds: Int64 = 1_200
  /// For so long it is believed to be there still: twice as long each time when it is.
  private static let memoryRange: ClosedRange<Int64> = 20_000_000...320_000_000

  /// Whether one was there lately. Then a wait sleeps at once.
  func isThere(at now: Int64) -> Bool { now < until }

  /// Lets others have the processor. `now` is updated; false if one of them kept it for long.
  mutating func yield(_ now: inout Int64) -> Bool {
    let before = now
    yieldProcessor()
    now = Clock.monotonicNanoseconds()
    return yielded(from: before, to: now)
  }

  /// The same for a yield that took that time.
  mutating func yielded(from before: Int64, to now: Int64) -> Bool {
    takesTurns = now - before >= Self.longYieldNanoseconds
    if now - before < Self.hogNanoseconds { return true }
    let isThereStill = before < until + Self.memoryRange.lowerBound
    memoryNanoseconds =
      isThereStill
      ? min(2 * memoryNanoseconds, Self.memoryRange.upperBound) : Self.memoryRange.lowerBound
    until = now + memoryNanoseconds
    return false
  }
}
