// The sleep of a thread that serves many channels: a request on any of them ends it, and so does the
// thread's wake word. Waiting.swift says why no wake is lost.

internal import SluiceSystem
internal import Synchronization

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
    let present = unsafe watch.sequence.pointee.load(ordering: .sequentiallyConsistent)
    unsafe words.append(watch.sequence, while: watch.idle)
    return present == watch.idle
  }

  /// Sleeps until something of that happens, or the time is up. May return early for no reason.
  public func sleep(timeoutNanoseconds: Int64?) {
    words.wait(timeoutNanoseconds: timeoutNanoseconds)
  }
}
