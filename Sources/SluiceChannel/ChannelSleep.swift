// The sleep of a thread that serves many channels: a request on any of them ends it, and so does
// the thread's wake word. Waiting.swift says why no wake is lost.

internal import SluiceSystem
internal import Synchronization

/// A word with which other threads of this process end a `ChannelSleep`, or a client's wait for an
/// answer.
public final class WakeWord: Sendable {
  private let count = Atomic<UInt32>(0)

  public init() {}

  /// Ends the wait under way, or the next one.
  public func signal() {
    count.wrappingAdd(1, ordering: .sequentiallyConsistent)
    unsafe Futex.wake(address)
  }

  /// The number of signals so far. Every signal changes it.
  @inline(__always)
  public var signals: UInt32 { count.load(ordering: .acquiring) }

  var address: SharedWord { unsafe withUnsafePointer(to: count) { unsafe $0 } }

  /// Sleeps until there are other signals than `signals`. May return early for no reason.
  public func wait(after signals: UInt32, timeoutNanoseconds: Int64) {
    unsafe Futex.wait(address, while: signals, timeoutNanoseconds: timeoutNanoseconds)
  }
}

/// The proxy's sleep: on all channels of a reactor at once, and on its wake word.
public struct ChannelSleep: ~Copyable {
  private var words = FutexSet()

  /// How many channels fit beside the wake word.
  public static var channelCountMaximum: Int { FutexSet.capacity - 1 }

  public init() {}

  /// Starts a new list of words: a signal of `wake` after it showed `signals` ends the sleep.
  public mutating func prepare(wake: WakeWord, signals: UInt32) {
    words.removeAll()
    unsafe words.append(wake.address, while: signals)
  }

  /// Adds a channel on which the sleep was announced: a request on it ends the sleep. False if a
  /// request is there already.
  public mutating func add(_ watch: RequestWatch) -> Bool {
    // SYNC nap
    let present = unsafe watch.sequence.pointee.load(ordering: .sequentiallyConsistent)
    unsafe words.append(watch.sequence, while: watch.idle)
    return present == watch.idle
  }

  /// Sleeps until one of these events happens or the time is up. May return early for no reason.
  public func sleep(timeoutNanoseconds: Int64?) {
    words.wait(timeoutNanoseconds: timeoutNanoseconds)
  }
}
