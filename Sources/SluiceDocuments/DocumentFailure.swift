// Why a call on a space failed. A transaction that is refused is no failure: its receipt says why.

public import SluiceAutomerge
public import SluiceClient
public import SluiceWire

public enum DocumentFailure: Error, Equatable, Sendable {
  /// The space refused. The code is for programs; Protocol/DOCUMENTS.md has them all.
  case space(code: String, message: String)
  /// The engine refused before the space had the request.
  case refused(Status)
  /// A request is larger than the engine takes.
  case tooLarge
  /// There is no session with an engine.
  case notConnected(ConnectError)
  /// No engine answers any more, or no request could be sent.
  case call(CallError)
  /// The engine sent what cannot be. The connection is over.
  case malformed
  /// What the space holds, or what an edit makes of it, is no Automerge document.
  case automerge(AutomergeError)
  /// An edit was refused: the receipt says why. If by conflicts, it was tried several times.
  case notStored(DocumentReceipt)
  /// The space was closed.
  case closed

  /// The reason and, where there is one, the remedy, in words for the user.
  public var message: String {
    switch self {
    case .space(_, let message): message
    case .refused(.unknownOperation):
      "this is no engine with documents; start one with 'sluice engine --services documents'"
    case .refused(.misuse): "the connection has no open space"
    case .refused(.limitReached), .tooLarge: "a request is larger than the engine takes (64 MiB)"
    case .refused(let status): "\(status.text)"
    case .notConnected(.unreachable):
      "no engine can be reached on the socket; start one with 'sluice engine --services documents'"
    case .notConnected(let error): "\(error.text)"
    case .call(.failed(.peerGone)), .call(.sessionLost):
      "the engine is gone; ask for the receipt on a new connection, with the same transaction id"
    case .call(.failed(.timedOut)):
      "the engine shows no sign of life; see whether it is stopped, and open a new connection"
    case .call(let error): "\(error.text)"
    case .malformed: "the engine broke the protocol; use client and engine of one release"
    case .automerge(let error): "\(error)"
    case .notStored(let receipt): receipt.conflicts.first?.reason ?? "the transaction was refused"
    case .closed: "the space is closed"
    }
  }
}
