// A call that may take long, from its beginning to its outcome: with the caller's `done`, or with a thread
// that waits.
//
// A thread that gives up waiting takes its context with it. So its callbacks run only while it waits, and
// it does not go while one runs.

internal import CSluiceLibrary
internal import CSluiceRecords
internal import SluiceChannel
internal import SluiceLibrary
internal import SluiceRecords
internal import SluiceSystem

typealias Done = @convention(c) (UnsafeMutableRawPointer?, Int32) -> Void

@safe
final class Call: @unchecked Sendable {
  private struct State {
    var hasEnded = false
    var failure: CallFailure?
    var isInCallback = false
    var isGivenUp = false
    /// A callback has asked for the end.
    var isAborted = false
  }

  let client: Client
  let context: UnsafeMutableRawPointer?
  private let done: Done?
  private let state = FutexLock(State())
  private let wake = WakeWord()

  init(_ client: Client, _ done: Done?, _ context: UnsafeMutableRawPointer?) {
    self.client = client
    unsafe self.done = unsafe done
    unsafe self.context = unsafe context
  }

  // MARK: In the storage's thread

  /// Calls a function of the caller; nil if it must not be called any more.
  func withCallback<R>(_ body: () -> R) -> R? {
    if unsafe done != nil { return isAborted ? nil : body() }
    let isWaiting = state.withLock { state in
      state.isInCallback = !state.isGivenUp && !state.isAborted
      return state.isInCallback
    }
    guard isWaiting else { return nil }
    defer {
      state.withLock { $0.isInCallback = false }
      wake.signal()
    }
    return body()
  }

  /// A callback has asked for the end. No other is called.
  func abort() { state.withLock { $0.isAborted = true } }
  private var isAborted: Bool { state.withLock { $0.isAborted } }

  /// The call is over. Nil: all is well.
  func end(_ failure: CallFailure?) {
    let failure = isAborted ? .own(SLUICE_ABORT, "a callback ended the call") : failure
    if let done = unsafe done {
      unsafe done(context, note(failure))
    } else {
      state.withLock { state in
        state.hasEnded = true
        state.failure = failure
      }
      wake.signal()
    }
  }

  func end(_ isDone: Bool) { end(isDone ? nil : client.takeFailure()) }

  // MARK: In the thread that waits

  func wait() -> Int32 {
    while true {
      let signals = wake.signals
      let outcome = state.withLock { state -> CallFailure?? in
        if state.hasEnded { return .some(state.failure) }
        guard state.isGivenUp, !state.isInCallback else { return nil }
        return .own(SLUICE_INTERRUPT, "sluice_records_cancel ended the wait; the call goes on")
      }
      if let outcome { return note(outcome) }
      wake.wait(after: signals, timeoutNanoseconds: 1_000_000_000)
    }
  }

  func giveUp() {
    state.withLock { $0.isGivenUp = true }
    wake.signal()
  }
}

/// Keeps a failure for the calling thread, and gives its code.
@discardableResult @inline(never)
func note(_ failure: CallFailure?) -> Int32 {
  guard let failure else { return SLUICE_OK }
  let code = failure.code == SLUICE_OK ? SLUICE_ERROR : failure.code
  unsafe failure.message.withUnsafeBufferPointer {
    unsafe records_note(code, $0.baseAddress, $0.count)
  }
  return code
}

extension CallFailure {
  @inline(never)
  static func records(_ failure: RecordFailure) -> CallFailure {
    CallFailure(failure.code, failure.message)
  }

  static var noStore: CallFailure { .own(SLUICE_MISUSE, "no open store") }
}

extension RecordFailure {
  /// SQLite's result code that is nearest to it.
  fileprivate var code: Int32 {
    switch self {
    case .sqlite(let code, _): code
    case .refused(.notFound): SLUICE_CANTOPEN
    case .refused(.limitReached), .tooLarge: SLUICE_TOOBIG
    case .refused(.busy): SLUICE_BUSY
    case .refused, .closed: SLUICE_MISUSE
    case .notConnected: SLUICE_CANTOPEN
    case .call(.failed(.notSent)): SLUICE_MISUSE
    case .call, .malformed: SLUICE_GONE
    }
  }
}

// MARK: What functions of the header begin with

/// Gives the code of what becomes of `body`, and keeps its failure.
@inline(never)
func attempt(_ body: () throws(CallFailure) -> Void) -> Int32 {
  do throws(CallFailure) {
    try body()
    return SLUICE_OK
  } catch {
    return note(error)
  }
}

/// Does something with an open store that takes no time.
@inline(never)
func post(_ handle: OpaquePointer?, _ body: (Client) throws(CallFailure) -> Void) -> Int32 {
  attempt { () throws(CallFailure) in try body(unsafe client(handle)) }
}

/// Begins a call; waits for its outcome if `done` is NULL.
@inline(never)
func call(
  _ handle: OpaquePointer?, _ done: Done?, _ context: UnsafeMutableRawPointer?,
  _ body: (Call) throws(CallFailure) -> Void
) -> Int32 {
  do throws(CallFailure) {
    let client = try unsafe client(handle)
    if unsafe done == nil, client.isInCallback { throw .inCallback }
    let call = unsafe Call(client, done, context)
    try body(call)
    return unsafe done == nil ? client.wait(for: call) : SLUICE_OK
  } catch {
    return note(error)
  }
}

private func client(_ handle: OpaquePointer?) throws(CallFailure) -> Client {
  guard let client = unsafe Handle.object(handle, .client, as: Client.self) else {
    throw .noStore
  }
  guard client.isOfThisProcess else {
    throw .own(SLUICE_GONE, "this process was forked; the store is its parent's; open one here")
  }
  return client
}

extension CallFailure {
  static var inCallback: CallFailure {
    .own(SLUICE_MISUSE, "a callback must not wait for the store; pass a function for `done`")
  }
}
