// Time, chance and pauses.

internal import CSluice

public enum Clock {
  /// Nanoseconds since some point in the past; never goes back.
  @inline(__always)
  public static func monotonicNanoseconds() -> Int64 { sluice_monotonic_ns() }

  /// The same, as of the last timer tick some milliseconds ago, at a tenth of the cost.
  @inline(__always)
  public static func coarseNanoseconds() -> Int64 { sluice_monotonic_coarse_ns() }

  /// Milliseconds since 1970-01-01 00:00 UTC.
  public static func realtimeMilliseconds() -> Int64 { sluice_realtime_ms() }

  public static func sleep(nanoseconds: Int64) { sluice_sleep_ns(nanoseconds) }
}

/// Tells the processor that the caller is spinning.
@inline(__always)
public func spinHint() { sluice_spin_hint() }

/// Lets another thread run that waits for this processor. Returns at once if no thread waits.
public func yieldProcessor() { sluice_yield() }

/// Orders all memory accesses before this call before all accesses after it.
@inline(__always)
public func fullMemoryBarrier() { sluice_full_barrier() }

/// Fills `buffer` with random bytes from the kernel.
public func fillWithRandomBytes(_ buffer: UnsafeMutableRawBufferPointer) throws(Errno) {
  guard let start = buffer.baseAddress else { return }
  _ = try unsafe check(sluice_random(start, buffer.count))
}
