// What every engine is behind its face: a connection, the thread that alone uses it, and the queue
// of calls. The thread waits for answers, so that no thread of Swift's own pool does.
//
// Threads: any.

internal import SluiceSystem
internal import Synchronization

/// What an engine does beside its calls, in its thread.
package protocol EngineChores: AnyObject, Sendable {
  /// A call has ended. `hasWritten` says whether it did a statement that does not only read.
  func callEnded(hasWritten: Bool, _ connection: SQLConnection)
  /// When `due` is wanted (by the monotonic clock); `max` for not.
  var dueAt: Int64 { get }
  func due(_ connection: SQLConnection)
  /// An error that the next call has to tell, once.
  func takeFailure() -> SQLError?
  /// The engine ends; its connection still works.
  func end(_ connection: SQLConnection)
}

package final class EngineCore: Sendable {
  private let queue = CallQueue()
  private let running = FutexLock(Running())
  private let lastTransaction = Atomic<UInt64>(0)
  private let chores: (any EngineChores)?

  private struct Running: @unchecked Sendable {
    var call: EngineCall?
    var connection: SQLConnection?
  }

  /// Starts the thread, in which `open` makes the connection.
  package static func start(
    chores: (any EngineChores)? = nil,
    _ open: @escaping @Sendable () throws(SQLFailure) -> SQLConnection
  ) async throws(SQLError) -> EngineCore {
    let core = EngineCore(chores)
    let failure: SQLError? = unsafe await withUnsafeContinuation { continuation in
      do throws(Errno) {
        try Thread("sluice-sql") { core.work(open) { unsafe continuation.resume(returning: $0) } }
          .detach()
      } catch {
        let message = "no thread for the engine; the process may have no more"
        unsafe continuation.resume(returning: SQLError(.engineGone, code: 7, message))
      }
    }
    if let failure { throw failure }
    return core
  }

  private init(_ chores: (any EngineChores)?) { self.chores = chores }

  // MARK: In the thread

  private func work(
    _ open: @Sendable () throws(SQLFailure) -> SQLConnection, _ opened: (SQLError?) -> Void
  ) {
    let place: EngineWorkplace
    do throws(SQLFailure) { place = EngineWorkplace(try open()) } catch {
      return opened(SQLError(error))
    }
    running.withLock { $0.connection = place.connection }
    opened(nil)
    while true {
      switch queue.next(until: chores?.dueAt ?? .max) {
      case .call(let call): run(call, place)
      case .due: chores?.due(place.connection)
      case .end:
        finish(place)
        running.withLock { $0 = Running() }
        return
      }
    }
  }

  private func run(_ call: EngineCall, _ place: EngineWorkplace) {
    place.hasWritten = false
    running.withLock { $0.call = call }
    // A cancellation stores its word before it looks whether this call runs, so one of the two sees
    // the other.
    if call.isCancelled.load(ordering: .acquiring) {
      call.body(place, .cancelled)
    } else {
      call.body(place, place.isFinished ? .closed : chores?.takeFailure())
    }
    running.withLock { running in
      running.call = nil
      place.connection.endInterrupt()
    }
    chores?.callEnded(hasWritten: place.hasWritten, place.connection)
  }

  // MARK: Calls

  /// Does `body` in the engine's thread when its turn comes. The cancellation of the task interrupts
  /// the statement under way, or takes the call out of the queue.
  func perform<R: Sendable>(
    owner: UInt64 = 0,
    _ body: @escaping @Sendable (EngineWorkplace) throws(SQLError) -> R
  ) async throws(SQLError) -> R {
    let handle = CallHandle<R>()
    let result = await withTaskCancellationHandler {
      unsafe await withUnsafeContinuation {
        (continuation: UnsafeContinuation<Result<R, SQLError>, Never>) in
        let call = EngineCall(owner: owner) { (place, failure) in
          if let failure { return unsafe continuation.resume(returning: .failure(failure)) }
          do throws(SQLError) {
            unsafe continuation.resume(returning: .success(try body(place)))
          } catch {
            unsafe continuation.resume(returning: .failure(error))
          }
        }
        switch unsafe handle.begin(call, continuation) {
        case false: unsafe continuation.resume(returning: .failure(.cancelled))
        case true where !queue.add(call): unsafe continuation.resume(returning: .failure(.closed))
        case true: break
        }
      }
    } onCancel: {
      guard let (call, continuation) = unsafe handle.cancel() else { return }
      call.isCancelled.store(true, ordering: .releasing)
      if queue.remove(call) {
        unsafe continuation.resume(returning: .failure(.cancelled))
      } else {
        running.withLock { if $0.call === call { $0.connection?.interrupt() } }
      }
    }
    return try result.get()
  }

  /// From now on only the transaction's own calls are done, until `endTransaction`. To be called in
  /// the thread. Returns the transaction's number.
  func beginTransaction() -> UInt64 {
    let number = lastTransaction.wrappingAdd(1, ordering: .relaxed).newValue
    queue.keepTo(number)
    return number
  }

  func endTransaction() { queue.keepTo(0) }

  /// Puts a call in that no cancellation touches; false if the engine is closed.
  func post(owner: UInt64, _ body: @escaping @Sendable (EngineWorkplace) -> Void) -> Bool {
    queue.add(EngineCall(owner: owner) { (place, _) in body(place) })
  }

  /// Takes no further call in, and lets the thread end when it has done those that are in.
  func close() { queue.close() }

  /// The same at once. To be called in the thread. Returns what failed at the end.
  @discardableResult
  func finish(_ place: EngineWorkplace) -> SQLError? {
    queue.close()
    guard !place.isFinished else { return nil }
    place.isFinished = true
    chores?.end(place.connection)
    place.connection.end()
    return chores?.takeFailure()
  }
}

/// A call that its task may cancel before, while or after it is in the queue.
private final class CallHandle<R: Sendable>: Sendable {
  typealias Continuation = UnsafeContinuation<Result<R, SQLError>, Never>
  private let state = FutexLock(State())

  @safe
  private struct State: @unchecked Sendable {
    var call: (EngineCall, Continuation)?
    var isCancelled = false
  }

  /// False if it was cancelled before.
  func begin(_ call: EngineCall, _ continuation: Continuation) -> Bool {
    state.withLock { state in
      unsafe state.call = unsafe (call, continuation)
      return !state.isCancelled
    }
  }

  func cancel() -> (EngineCall, Continuation)? {
    unsafe state.withLock { state in
      state.isCancelled = true
      return unsafe state.call
    }
  }
}
