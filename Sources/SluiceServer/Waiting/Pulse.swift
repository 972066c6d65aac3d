// A sign of life for clients whose requests may rightly take long: a thread that beats the pulse of
// every channel now and then. A client that sees no beat for long knows that this process is
// stopped.
//
// Threads: any.

package import SluiceChannel
internal import SluiceSystem
internal import Synchronization

package final class Pulse: Sendable {
  /// Clients wait for several of these.
  private static let intervalNanoseconds: Int64 = 5_000_000_000

  private struct Beaten: @unchecked Sendable {
    var ends: [ObjectIdentifier: ProxyEnd] = [:]
    var thread: JoinableThread?
  }

  private let state = FutexLock(Beaten())
  private let isOver = Atomic<UInt32>(0)

  package init() {}

  /// Beats for this channel until `remove`. The thread starts with the first.
  package func add(_ end: ProxyEnd) {
    state.withLock { state in
      state.ends[ObjectIdentifier(end)] = end
      guard state.thread == nil else { return }
      do throws(Errno) {
        state.thread = JoinableThread(try Thread("sluice-pulse") { self.beat() })
      } catch {
        Log.warning("no thread for the pulse: \(error.message); long requests seem stuck")
      }
    }
  }

  package func remove(_ end: ProxyEnd) {
    state.withLock { _ = $0.ends.removeValue(forKey: ObjectIdentifier(end)) }
  }

  /// Ends the thread and waits for it.
  package func stop() {
    isOver.store(1, ordering: .releasing)
    unsafe withWord { unsafe Futex.wake($0) }
    let thread = state.withLock { $0.thread.take() }
    thread?.join()
  }

  private func beat() {
    while isOver.load(ordering: .acquiring) == 0 {
      state.withLock { for end in $0.ends.values { end.beatPulse() } }
      unsafe withWord {
        unsafe Futex.wait($0, while: 0, timeoutNanoseconds: Self.intervalNanoseconds)
      }
    }
  }

  private func withWord<R>(_ body: (UnsafePointer<Atomic<UInt32>>) -> R) -> R {
    unsafe withUnsafePointer(to: isOver) { unsafe body($0) }
  }
}
