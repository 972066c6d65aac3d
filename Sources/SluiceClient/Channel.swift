// The client's interface to a channel: typed calls, one at a time, from any thread.

internal import SluiceChannel
internal import SluiceSystem
public import SluiceWire
public import Synchronization

/// A channel of a session. The last reference to it closes it. Files opened on it must be closed
/// before.
public final class Channel: Sendable {
  public let session: Session
  public let shortcuts: Shortcuts
  /// The number of WAL files that are open on it.
  public let openWALCount = Atomic<Int>(0)
  let line: ChannelLine

  init(session: Session, line: ChannelLine, shortcuts: Shortcuts) {
    self.session = session
    self.line = line
    self.shortcuts = shortcuts
  }

  /// Whether other connections may use it too. True for the home channel, which connections share
  /// when the sidecar gives no more channels.
  public var isShared: Bool { line.number == 0 }

  /// How many requests may be under way on it.
  public var requestCountMaximum: Int { line.requestCountMaximum }

  /// Whether a call found the sidecar dead, stuck or lying. Every later call fails then.
  public var isLost: Bool { session.lossNanoseconds != nil }

  deinit {
    guard line.number != 0 else { return }
    // If the sidecar is dead, the channel is closed already.
    _ = try? unsafe session.home.call(
      .channelClose, ChannelFields(channel: UInt64(line.number)), replyingWith: NoFields.self)
  }

  /// Does nothing in the sidecar. Measures a round trip, or shows that the sidecar answers.
  public func roundTrip() throws(CallError) {
    try callRarely(.nothing)
  }

  // MARK: Calls

  /// Sends one request and waits for the answer; throws unless the request was done. With
  /// `tellsFailure` it also throws if a posted change has failed.
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

  /// Writes, and waits for the answer.
  func write(
    _ bytes: UnsafeRawBufferPointer, file: UInt64, at offset: Int64
  ) throws(CallError) {
    var failed: PostedFailure?
    let answer = try withEnd { (end) throws(ChannelFailure) in
      let answer = try unsafe end.write(
        bytes, file: file, at: offset, timeoutNanoseconds: Session.callTimeoutNanoseconds,
        peerIsGone: { session.socket.peerIsGone() })
      if end.hasFailure { failed = end.failureOfChange }
      return answer
    }
    if let failed { throw tell(failed) }
    guard answer.status.isDone else { throw .refused(answer.status, answer.errno) }
  }

  /// Writes, and does not wait. If an earlier posted change has failed, this throws that failure and
  /// posts nothing, until `transactionEnded`. See `ClientEnd.post`.
  @inline(__always)
  func post(
    _ bytes: UnsafeRawBufferPointer, file: UInt64, at offset: Int64, handsOver: Bool
  ) throws(CallError) {
    var hasFailure = true
    try withEnd { (end) throws(ChannelFailure) in
      if end.hasFailure { return }
      try unsafe end.post(
        bytes, file: file, at: offset, handsOver: handsOver,
        timeoutNanoseconds: Session.callTimeoutNanoseconds,
        peerIsGone: { session.socket.peerIsGone() })
      hasFailure = end.hasFailure
    }
    // Other changes under way may fail as well. `settle` waits for them too.
    if hasFailure { try settle() }
  }

  /// Waits until all writes are done or have failed. To be called before a lock to write is given
  /// back without a request, because the sidecar may grant it to others before it does these writes.
  func finishWrites() throws(CallError) {
    try withEnd { (end) throws(ChannelFailure) in
      try end.settle(
        timeoutNanoseconds: Session.callTimeoutNanoseconds,
        peerIsGone: { session.socket.peerIsGone() })
    }
  }

  /// Sends a request that ends something, and does not wait. Nobody is told whether it was done.
  @inline(never)
  func postEnd<Request: Message>(
    _ operation: Operation, file: UInt64, _ request: Request
  ) throws(CallError) {
    try withEnd { (end) throws(ChannelFailure) in
      try end.postEnd(
        operation, file: file, request, timeoutNanoseconds: Session.callTimeoutNanoseconds,
        peerIsGone: { session.socket.peerIsGone() })
    }
  }

  /// Waits until all posted changes are done, and throws if one has failed. With `file`, it does
  /// not wait if all of them change that file.
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

  /// Whether a caller has learned of a failed change.
  private let hasTold = Atomic<Bool>(false)

  /// The error for a failed change. It is thrown again and again: the caller believes that the
  /// journal or page was written, and must not rely on it, neither to continue nor to roll back.
  @inline(never)
  private func tell(_ failed: PostedFailure) -> CallError {
    hasTold.store(true, ordering: .relaxed)
    return .writeRefused(failed.status, failed.errno)
  }

  /// The caller has given back its right to write, and no longer relies on its writes. A failure
  /// that it has learned of is forgotten. A failure that it has not learned of is still thrown
  /// later.
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
