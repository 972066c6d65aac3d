// The futex calls on words of shared memory. FutexLock, WorkQueue and SluiceChannel's Waiting.swift
// and ChannelSleep.swift show how to wait without losing a wake. No other code makes these calls.

internal import CSluice
public import Synchronization

public enum Futex {
  /// Sleeps while the word holds `expected`, for at most `timeoutNanoseconds`. May return early for
  /// no reason, so the caller must read the word again.
  public static func wait(
    _ word: UnsafePointer<Atomic<UInt32>>, while expected: UInt32, timeoutNanoseconds: Int64
  ) {
    _ = unsafe sluice_futex_wait(word, expected, timeoutNanoseconds)
  }

  public static func wake(_ word: UnsafePointer<Atomic<UInt32>>, count: Int32 = 1) {
    _ = unsafe sluice_futex_wake(word, count)
  }
}

/// A set of at most `capacity` words. A thread sleeps until any of them changes.
@safe
public struct FutexSet: ~Copyable {
  public static var capacity: Int { Int(SLUICE_WAITV_MAX) }

  private let entries: UnsafeMutablePointer<sluice_waitv_entry>
  public private(set) var count = 0

  public init() { unsafe entries = .allocate(capacity: FutexSet.capacity) }

  deinit { unsafe entries.deallocate() }

  public mutating func removeAll() { count = 0 }

  public mutating func append(_ word: UnsafePointer<Atomic<UInt32>>, while expected: UInt32) {
    precondition(count < FutexSet.capacity, "more words than one thread can await")
    unsafe entries[count] = unsafe sluice_waitv_entry(word, expected)
    count += 1
  }

  /// Sleeps until a word is woken or differs from its expected value, or the time is up. `nil`
  /// waits without limit. May return early for no reason.
  public func wait(timeoutNanoseconds: Int64?) {
    _ = unsafe sluice_futex_waitv(entries, UInt32(count), timeoutNanoseconds ?? -1)
  }
}
