// What became of a wish for the lock of the reconciliation with a peer.

internal import SluiceWire

public enum RecordLockAnswer: Equatable, Sendable {
  /// Acquired, renewed or released. The offset of an acquired lock says where to go on.
  case done(offset: UInt64)
  /// The reconciliation was done too short a time ago.
  case notDue
  /// Another holds the lock.
  case held
  /// Renewed or released by one who does not hold the lock.
  case notHolder

  init?(_ answer: RecordAnswer) {
    guard case .lock(let reply) = answer.reply else { return nil }
    switch reply.outcome {
    case .done: self = .done(offset: reply.offset)
    case .notDue: self = .notDue
    case .held: self = .held
    case .notHolder: self = .notHolder
    }
  }
}
