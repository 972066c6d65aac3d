// Work for threads that block: put in by those who must not, taken out by those who may.
//
// A taker sleeps on the count of what was ever put in, read under the lock that it lets go before
// it sleeps: whatever is put in after that changes the count, and the sleep does not begin.

internal import Synchronization

/// A queue that any thread may use.
public final class WorkQueue<Element: Sendable>: Sendable {
  private struct State {
    var elements: [Element] = []
    var isClosed = false
    var takerCount = 0
  }

  private let state = FutexLock<State>(State())
  /// Moves with every change that a sleeping taker has to see.
  private let changes = Atomic<UInt32>(0)

  public init() {}

  /// Puts an element in; gives how many are there that no waiting taker will take at once.
  @discardableResult
  public func add(_ element: Element) -> Int {
    let excess = state.withLock { state in
      state.elements.append(element)
      _ = changes.wrappingAdd(1, ordering: .releasing)
      return state.elements.count - state.takerCount
    }
    unsafe withChanges { unsafe Futex.wake($0) }
    return max(0, excess)
  }

  /// Waits for an element and takes it; nil after the queue was closed.
  public func next() -> Element? {
    while true {
      var seen: UInt32 = 0
      let outcome: (element: Element?, isClosed: Bool) = state.withLock { state in
        if state.isClosed { return (nil, true) }
        if !state.elements.isEmpty { return (state.elements.removeFirst(), false) }
        seen = changes.load(ordering: .acquiring)
        state.takerCount += 1
        return (nil, false)
      }
      if outcome.isClosed { return nil }
      if let element = outcome.element { return element }
      unsafe withChanges { unsafe Futex.wait($0, while: seen, timeoutNanoseconds: 1_000_000_000) }
      state.withLock { $0.takerCount -= 1 }
    }
  }

  /// Drops what is in the queue and sends the takers away.
  public func close() {
    state.withLock { state in
      state.isClosed = true
      state.elements = []
      _ = changes.wrappingAdd(1, ordering: .releasing)
    }
    unsafe withChanges { unsafe Futex.wake($0, count: .max) }
  }

  /// The word's address: a stored `let` of a class does not move.
  private func withChanges<R>(_ body: (UnsafePointer<Atomic<UInt32>>) -> R) -> R {
    unsafe withUnsafePointer(to: changes) { unsafe body($0) }
  }
}
