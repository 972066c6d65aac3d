// Which pieces of a value's sessions go into which message of a load: the layout of the original's
// asynchronous engine. A piece ends where a signature covers it: at each kept signature, and at the
// session's last transaction.
//
// A value with functions: it reads nothing.

struct Piece: Equatable {
  /// The session's place in the list of sessions.
  var session: Int
  var first: UInt32
  var last: UInt32
  var signature: [UInt8]
}

struct PiecePlan: Equatable {
  /// The pieces of each message.
  private(set) var messages: [[Piece]] = []
  /// Whether the first message tells how far all of them go.
  private(set) var isStreamed = false

  /// A session, and its kept signatures in order.
  struct Session {
    var stored: StoredSession
    var signatures: [(index: UInt32, signature: [UInt8])]
  }

  /// Sessions of one piece go into one message together, up to about so many UTF-16 code units, so
  /// that nobody has to keep a value of many sessions whole.
  private static let messageSizeMaximum: UInt64 = 1 << 20

  init(_ sessions: [Session]) {
    isStreamed = sessions.contains { !$0.signatures.isEmpty }
    var message: [Piece] = []
    var size: UInt64 = 0
    for (index, session) in sessions.enumerated() {
      let pieces = Self.pieces(of: session, at: index)
      size += UInt64(session.stored.sizeSinceSignature)
      for piece in pieces {
        message.append(piece)
        if pieces.count > 1 || size > Self.messageSizeMaximum {
          messages.append(message)
          message = []
          size = 0
        }
      }
    }
    if !message.isEmpty || messages.isEmpty { messages.append(message) }
    if messages.count > 1 { isStreamed = true }
  }

  private static func pieces(of session: Session, at index: Int) -> [Piece] {
    var pieces: [Piece] = []
    var first: UInt32 = 0
    for (last, signature) in session.signatures {
      pieces.append(Piece(session: index, first: first, last: last, signature: signature))
      first = last + 1
    }
    // A last signature that equals the last kept one covers nothing more.
    if session.stored.count > first,
      session.signatures.last?.signature != session.stored.lastSignature
    {
      pieces.append(
        Piece(
          session: index, first: first, last: session.stored.count - 1,
          signature: session.stored.lastSignature))
    }
    return pieces
  }
}
