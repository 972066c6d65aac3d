// Why a client's request has no answer.

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
