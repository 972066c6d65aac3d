// A channel as its users see it: typed calls, one at a time, from any thread.

internal import SluiceChannel
internal import SluiceSystem
internal import SluiceWire

/// One pair of regions, and the lock that lets one call through at a time.
final class ChannelLine: Sendable {
  let number: UInt32
  let end: FutexLock<ClientEnd>

  init(number: UInt32, regions: consuming ChannelRegions) {
    self.number = number
    end = FutexLock(ClientEnd(regions))
  }
}

/// A channel of a session. The last reference to it closes it; files opened on it must be closed
/// before.
public final class Channel: Sendable {
  public let session: Session
  private let line: ChannelLine

  init(session: Session, line: ChannelLine) {
    self.session = session
    self.line = line
  }

  /// Whether other connections may use it too: the home channel, where there are no more.
  public var isShared: Bool { line.number == 0 }

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

  /// Sends one request and waits for the answer; throws unless it was done.
  @inline(__always)
  func call<Request: Message, Reply: Message>(
    _ operation: Operation, file: UInt64 = 0, _ request: Request,
    sending: UnsafeRawBufferPointer = unsafe UnsafeRawBufferPointer(start: nil, count: 0),
    receiving: UnsafeMutableRawBufferPointer = unsafe UnsafeMutableRawBufferPointer(
      start: nil, count: 0),
    sleepsAtOnce: Bool = false, replyingWith: Reply.Type
  ) throws(CallError) -> Answer<Reply> {
    if let obstacle = session.callObstacle { throw obstacle }
    let answer: Answer<Reply>
    do throws(ChannelFailure) {
      answer = try line.end.withLock { (end) throws(ChannelFailure) in
        try unsafe end.call(
          operation, file: file, request, sending: sending, receiving: receiving,
          timeoutNanoseconds: Session.callTimeoutNanoseconds,
          peerIsGone: { session.socket.peerIsGone() }, sleepsAtOnce: sleepsAtOnce,
          replyingWith: replyingWith)
      }
    } catch {
      switch error {
      case .notSent: break
      case .peerGone, .timedOut, .violation: session.lose()
      }
      throw .failed(error)
    }
    guard answer.status.isDone else { throw .refused(answer.status, answer.errno) }
    return answer
  }
}
