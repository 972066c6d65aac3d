// The calls of an engine, in the order of their arrival. While a transaction is open, only its own
// calls are taken; the others wait, so that no stranger's statement lands in it.
//
// Threads: any puts calls in; the engine's thread takes them.

internal import SluiceSystem
internal import Synchronization

/// What the engine's thread alone uses.
final class EngineWorkplace {
  let connection: SQLConnection
  /// Whether the call under way did a statement that does not only read.
  var hasWritten = false
  /// Whether the connection has ended.
  var isFinished = false

  init(_ connection: SQLConnection) { self.connection = connection }
}

/// One call. Only the engine's thread runs it.
final class EngineCall: Sendable {
  /// The transaction to which it belongs; 0 for none.
  let owner: UInt64
  /// Does it; with an error, tells its caller instead that it cannot be done.
  let body: @Sendable (EngineWorkplace, SQLError?) -> Void
  /// Its caller does not want it any more.
  let isCancelled = Atomic<Bool>(false)

  init(owner: UInt64, _ body: @escaping @Sendable (EngineWorkplace, SQLError?) -> Void) {
    self.owner = owner
    self.body = body
  }
}

final class CallQueue: Sendable {
  private struct State {
    var calls: [EngineCall] = []
    /// The transaction that is open; 0 for none.
    var transaction: UInt64 = 0
    var isClosed = false
  }

  private let state = FutexLock(State())
  private let changes = Atomic<UInt32>(0)

  /// False if the queue is closed.
  func add(_ call: EngineCall) -> Bool {
    let isTaken = state.withLock { state in
      if !state.isClosed { state.calls.append(call) }
      return !state.isClosed
    }
    if isTaken { tell() }
    return isTaken
  }

  /// From now on only calls of this transaction are taken; with 0, all.
  func keepTo(_ transaction: UInt64) { state.withLock { $0.transaction = transaction } }

  /// Takes no call in any more. Those that are in are still given out.
  func close() {
    state.withLock { state in
      state.isClosed = true
      state.transaction = 0
    }
    tell()
  }

  /// Drops what a cancelled caller no longer wants; whether it was still in.
  func remove(_ call: EngineCall) -> Bool {
    state.withLock { state in
      guard let index = state.calls.firstIndex(where: { $0 === call }) else { return false }
      state.calls.remove(at: index)
      return true
    }
  }

  enum Next {
    case call(EngineCall)
    /// The time is up.
    case due
    /// The queue is closed and empty.
    case end
  }

  /// Waits for a call that may run, until `deadline` (by the monotonic clock).
  func next(until deadline: Int64) -> Next {
    while true {
      let seen = changes.load(ordering: .acquiring)
      let found: Next? = state.withLock { state in
        let index = state.calls.firstIndex {
          state.transaction == 0 || $0.owner == state.transaction
        }
        if let index { return .call(state.calls.remove(at: index)) }
        return state.isClosed ? .end : nil
      }
      if let found { return found }
      let rest = deadline - Clock.monotonicNanoseconds()
      if rest <= 0 { return .due }
      unsafe withUnsafePointer(to: changes) {
        unsafe Futex.wait($0, while: seen, timeoutNanoseconds: min(rest, 1_000_000_000))
      }
    }
  }

  private func tell() {
    changes.wrappingAdd(1, ordering: .releasing)
    unsafe withUnsafePointer(to: changes) { unsafe Futex.wake($0) }
  }
}
