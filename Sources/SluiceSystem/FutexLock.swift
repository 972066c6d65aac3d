// A mutual-exclusion lock in one word: 0 free, 1 held, 2 held and perhaps awaited (the third lock
// in Drepper's "Futexes Are Tricky"). Without contention, taking and releasing it are two writing
// instructions. Embedded Swift does not have the standard library's Mutex.

internal import Synchronization

/// A lock that protects `Value`. It is neither recursive nor fair. It is never held during a wait
/// for a peer without a time limit.
public final class FutexLock<Value: ~Copyable>: @unchecked Sendable {
  private let word = Atomic<UInt32>(0)
  private var value: Value

  public init(_ value: consuming Value) { self.value = value }

  @inline(__always)
  public func withLock<R: ~Copyable, E: Error>(
    _ body: (inout Value) throws(E) -> R
  ) throws(E) -> R {
    acquire()
    defer { release() }
    return try body(&value)
  }

  /// The same, if the lock can be taken until `deadline` (by the monotonic clock); otherwise nil.
  public func withLock<R, E: Error>(
    until deadline: Int64, _ body: (inout Value) throws(E) -> R
  ) throws(E) -> R? {
    guard acquire(until: deadline) else { return nil }
    defer { release() }
    return try body(&value)
  }

  private func acquire(until deadline: Int64) -> Bool {
    if word.compareExchange(expected: 0, desired: 1, ordering: .acquiring).exchanged { return true }
    return unsafe withWord { word in
      while self.word.exchange(2, ordering: .acquiring) != 0 {
        let rest = deadline - Clock.monotonicNanoseconds()
        // The holder then makes one wake too many, which does no harm.
        guard rest > 0 else { return false }
        unsafe Futex.wait(word, while: 2, timeoutNanoseconds: rest)
      }
      return true
    }
  }

  @inline(__always)
  private func acquire() {
    if word.compareExchange(expected: 0, desired: 1, ordering: .acquiring).exchanged { return }
    acquireContended()
  }

  @inline(never)
  private func acquireContended() {
    unsafe withWord { word in
      while self.word.exchange(2, ordering: .acquiring) != 0 {
        unsafe Futex.wait(word, while: 2, timeoutNanoseconds: 100_000_000)
      }
    }
  }

  @inline(__always)
  private func release() {
    if word.exchange(0, ordering: .releasing) == 2 { unsafe withWord { unsafe Futex.wake($0) } }
  }

  /// The word's address: a stored `let` of a class does not move.
  private func withWord<R>(_ body: (UnsafePointer<Atomic<UInt32>>) -> R) -> R {
    unsafe withUnsafePointer(to: word) { unsafe body($0) }
  }
}
