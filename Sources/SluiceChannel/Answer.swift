// What a client gets for a request.

public import SluiceSystem
public import SluiceWire

/// Why a call has no answer. The channel and its session cannot be used any more.
public enum ChannelFailure: Error, Equatable, Sendable {
  case peerGone
  /// The peer lives but did not answer in time.
  case timedOut
  case violation(ProtocolViolation)
  /// The request was never sent, because its arguments cannot be encoded. The channel still works.
  case notSent(WireError)
}

/// The answer to a request.
public struct Answer<Reply: Message>: Sendable {
  public var status: Status
  /// The system's reason if `status` is `systemError`.
  public var errno: Errno
  /// How many bytes came back.
  public var receivedByteCount: Int
  /// The results; empty unless the request was done.
  public var reply: Reply
}

/// A posted request that was not done.
public struct PostedFailure: Equatable, Sendable {
  public var status: Status
  public var errno: Errno
}
