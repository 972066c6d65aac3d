// A channel as its users see it: typed calls, one at a time, from any thread.

internal import SluiceChannel
internal import SluiceSystem
public import SluiceWire
public import Synchronization

/// A channel of a session. The last reference to it closes it; files opened on it must be closed
/// before.
public final class Channel: Sendable {
  public let session: Session
  public let shortcuts: Shortcuts
  /// How many WAL files are open on it.
  public let openWALCount = Atomic<Int>(0)
  let line: ChannelLine

  init(session: Session, line: ChannelLine, shortcuts: Shortcuts) {
    self.session = session
    self.line = line
    self.shortcuts = shortcuts
  }

  /// Whether other connections may use it too: the home channel, where there are no more.
  public var isShared: Bool { line.number == 0 }

  /// Whether a call has found the sidecar dead, stuck or lying: every other one fails then.
  public var isLost: Bool { session.lossNanoseconds != nil }

  deinit {
    guard line.number != 0 else { return }
    // A dead sidecar has forgotten the channel anyway.
    _ = try? unsafe session.home.call(
      .channelClose, ChannelFields(channel: UInt64(line.number)), replyingWith: NoFields.self)
  }

  /// Does nothing in the sidecar: measures a round trip, or shows that the sidecar answers.
  public func roundTrip() throws(CallError) {
    _ = try unsafe call(.nothing, NoFields(), replyingWith: NoFields.self)
  }

  // MARK: Calls

  /// Sends one request and waits for the answer; throws unless it was done. With `tellsFailure` it
  /// also throws where a posted change has failed.
  @inline(__always)
  func call<Request: Message, Reply: Message>(
    _ operation: Operation, file: UInt64 = 0, _ request: Request,
    sending: UnsafeRawBufferPointer = unsafe UnsafeRawBufferPointer(start: nil, count: 0),
    receiving: UnsafeMutableRawBufferPointer = unsafe UnsafeMutableRawBufferPointer(
      start: nil, count: 0),
    tellsFailure: Bool = false, sleepsAtOnce: Bool = false, replyingWith: Reply.Type
  ) throws(CallError) -> Answer<Reply> {
    var failed: PostedFailure?
    let answer = try withEnd { (end) throws(ChannelFailure) in
      let answer = try unsafe end.call(
        operation, file: file, request, sending: sending, receiving: receiving,
        timeoutNanoseconds: Session.callTimeoutNanoseconds,
        peerIsGone: { session.socket.peerIsGone() }, sleepsAtOnce: sleepsAtOnce,
        replyingWith: replyingWith)
      if tellsFailure, end.hasFailure { failed = end.failureOfChange }
      return answer
    }
    if let failed { throw tell(failed) }
    guard answer.status.isDone else { throw .refused(answer.status, answer.errno) }
    return answer
  }

  /// Sends a change and does not wait for the answer. Throws what an earlier posted change came
  /// to, and posts nothing then, until `transactionEnded`.
  @inline(__always)
  func post<Request: Message>(
    _ operation: Operation, file: UInt64, _ request: Request, sending: UnsafeRawBufferPointer
  ) throws(CallError) {
    var hasFailure = true
    try withEnd { (end) throws(ChannelFailure) in
      if end.hasFailure { return }
      try unsafe end.post(
        operation, file: file, request, sending: sending,
        timeoutNanoseconds: Session.callTimeoutNanoseconds,
        peerIsGone: { session.socket.peerIsGone() })
      hasFailure = end.hasFailure
    }
    // What is still under way may fail as well, and is told of with this.
    if hasFailure { try settle() }
  }

  /// Waits until all that was posted is done, unless that is about one file only; throws where a
  /// change was not done.
  @inline(never)
  func settle(besides file: UInt64? = nil) throws(CallError) {
    var failed: PostedFailure?
    try withEnd { (end) throws(ChannelFailure) in
      if let file, end.changesOnly(file) { return }
      try end.settle(
        timeoutNanoseconds: Session.callTimeoutNanoseconds,
        peerIsGone: { session.socket.peerIsGone() })
      failed = end.failureOfChange
    }
    if let failed { throw tell(failed) }
  }

  // MARK: Changes that failed

  /// Whether a caller was told of a change that failed.
  private let hasTold = Atomic<Bool>(false)

  /// A change that failed is told again and again. Its caller believes that the journal or page is
  /// there, and must not get as far as to rely on it: not by going on, and not by rolling back.
  @inline(never)
  private func tell(_ failed: PostedFailure) -> CallError {
    hasTold.store(true, ordering: .relaxed)
    return .writeRefused(failed.status, failed.errno)
  }

  /// The caller relies no more on what it wrote: it has given back its right to write. A failure of
  /// which it was told is over; one of which it was not is told yet.
  @inline(__always)
  public func transactionEnded() {
    if hasTold.load(ordering: .relaxed) { forgetFailure() }
  }

  @inline(never)
  private func forgetFailure() {
    hasTold.store(false, ordering: .relaxed)
    line.end.withLock { $0.forgetFailure() }
  }

  @inline(__always)
  private func withEnd<R>(
    _ body: (inout ClientEnd) throws(ChannelFailure) -> R
  ) throws(CallError) -> R {
    if let obstacle = session.callObstacle { throw obstacle }
    do throws(ChannelFailure) { return try line.end.withLock(body) } catch { throw fail(error) }
  }

  @inline(never)
  private func fail(_ failure: ChannelFailure) -> CallError {
    switch failure {
    case .notSent: break
    case .peerGone, .timedOut, .violation: session.lose()
    }
    return .failed(failure)
  }
}
