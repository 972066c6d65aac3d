// Why a call on a record store failed.

public import SluiceClient

public enum RecordFailure: Error, Equatable, Sendable {
  /// SQLite refused: its extended result code, and its message (UTF-8).
  case sqlite(code: Int32, message: [UInt8])
  /// The engine refused before the store had the request.
  case refused(Status)
  /// A message or a name is larger than the engine takes, or a loaded message larger than this
  /// client takes.
  case tooLarge
  /// There is no session with an engine.
  case notConnected(ConnectError)
  /// No engine answers any more, or no request could be sent.
  case call(CallError)
  /// The engine sent what cannot be. The connection is over.
  case malformed
  /// The storage was closed.
  case closed

  /// The reason and, where there is one, the remedy, in words for the user (UTF-8).
  public var message: [UInt8] {
    switch self {
    case .sqlite(_, let message): message
    case .refused(.unknownOperation):
      utf8("this is no engine with records; start one with 'sluice engine --services records'")
    case .refused(.misuse): utf8("the connection has no open store, or has it in another use")
    case .refused(.limitReached): utf8("the messages are larger than the engine takes (64 MiB)")
    case .refused(let status): utf8(status.text)
    case .tooLarge: utf8("a message is too large (64 MiB, 7,000 sessions; loaded 256 MiB)")
    case .notConnected(.unreachable):
      utf8("no engine can be reached on the socket; start one with 'sluice engine'")
    case .notConnected(let error): utf8(error.text)
    case .call(.failed(.peerGone)), .call(.sessionLost):
      utf8("the engine is gone; what was not told as stored may be missing; open a new connection")
    case .call(.failed(.timedOut)):
      utf8("the engine shows no sign of life; see whether it is stopped, and open a new connection")
    case .call(let error): utf8(error.text)
    case .malformed: utf8("the engine broke the protocol; use client and engine of one release")
    case .closed: utf8("the storage is closed")
    }
  }

  /// Whether the connection cannot be used any more.
  var endsConnection: Bool {
    switch self {
    case .call(.failed(.notSent)): false
    case .call, .malformed, .notConnected, .closed: true
    case .sqlite, .refused, .tooLarge: false
    }
  }
}

@inline(never)
private func utf8(_ text: StaticString) -> [UInt8] {
  unsafe Array(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
}
