// Work for threads that may block, put in by threads that must not block.
//
// A taker sleeps on the count of all changes so far. It reads the count under the lock, and
// releases the lock before it sleeps. An element that is put in after that changes the count, so
// the sleep does not begin.

internal import Synchronization

/// A queue that any thread may use.
public final class WorkQueue<Element: Sendable>: Sendable {
  private struct State {
    var elements: [Element] = []
    var isClosed = false
    var takerCount = 0
  }

  private let state = FutexLock<State>(State())
  /// Grows with every change that a sleeping taker must see.
  private let changes = Atomic<UInt32>(0)

  public init() {}

  /// Puts an element in. Returns the number of elements that no waiting taker will take at once.
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

  /// Waits for an element and takes it. Nil after the queue was closed.
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

  /// Drops all elements. Takers get nil from now on.
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
