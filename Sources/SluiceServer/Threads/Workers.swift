// Threads for work that waits for a device. A service hands work to them that would hold up the
// other channels of its thread.
//
// The threads start when they are needed and end with the server.

internal import SluiceSystem

package final class Workers: Sendable {
  private static let threadCountMaximum = 4

  private let queue = WorkQueue<@Sendable () -> Void>()
  private let threads = FutexLock<[JoinableThread]>([])

  package init() {}

  /// Whether there is a thread that can take work, after starting the first one if need be.
  package func areReady() -> Bool { threads.withLock { !$0.isEmpty } || startAnother() }

  /// Takes work over. `areReady` must have said yes.
  package func take(_ work: @escaping @Sendable () -> Void) {
    if queue.add(work) > 0 { _ = startAnother() }
  }

  /// Drops work that no thread has begun and waits for the rest. The threads that serve must have
  /// ended, because nobody hears the results.
  package func stop() {
    queue.close()
    let last = threads.withLock { threads in
      defer { threads = [] }
      return threads
    }
    for thread in last { thread.join() }
  }

  private func startAnother() -> Bool {
    threads.withLock { threads in
      guard threads.count < Workers.threadCountMaximum else { return true }
      do throws(Errno) {
        let thread = try Thread("sluice-worker") { while let work = self.queue.next() { work() } }
        threads.append(JoinableThread(thread))
        return true
      } catch {
        Log.warning("no thread for work that waits for a device: \(error.message)")
        return false
      }
    }
  }
}
