// When a server ends: by a signal, with its client, or with the command for which it was started.
//
// A service manager that stops a program signals the program's whole control group, and the program
// may still have something to commit. So a server that ends with its client or command does not end
// by one signal: while it is needed, only a second signal within some seconds ends it. A shared
// daemon would otherwise run for ever, so it ends at the first signal.
//
// A value. Its owner tells it what happens and when (monotonic nanoseconds); it makes no calls.

struct Ending {
  enum Kind {
    /// A daemon: it serves until it is told to stop.
    case bySignal
    /// A private sidecar: it ends with its only client.
    case withClient
    /// It ends once its lifeline is cut and it has had no session for this time.
    case withLifeline(lingerNanoseconds: Int64)
  }

  /// A second signal within this time ends the server.
  static let secondSignalNanoseconds: Int64 = 5_000_000_000

  private let kind: Kind
  private var signalledAt: Int64?
  private var lifelineCutAt: Int64?
  private var sessionCount = 0
  private var lastSessionEndedAt: Int64 = 0
  /// Whether something has happened that ends it in any case.
  private var isOver = false

  init(_ kind: Kind) { self.kind = kind }

  mutating func signalled(now: Int64) {
    switch kind {
    case .bySignal: isOver = true
    case .withClient, .withLifeline:
      if let signalledAt, now - signalledAt <= Self.secondSignalNanoseconds { isOver = true }
      signalledAt = now
    }
  }

  mutating func lifelineWasCut(now: Int64) {
    lifelineCutAt = now
    if case .withLifeline(0) = kind { isOver = true }
  }

  mutating func sessionBegan() { sessionCount += 1 }

  mutating func sessionEnded(now: Int64) {
    precondition(sessionCount > 0, "a session that began")
    sessionCount -= 1
    lastSessionEndedAt = now
    if case .withClient = kind { isOver = true }
  }

  /// A client came and got no session.
  mutating func clientWasTurnedAway() {
    if case .withClient = kind { isOver = true }
  }

  /// How long until it ends if nothing happens, in nanoseconds: 0 for now, nil for never.
  func remainingNanoseconds(now: Int64) -> Int64? {
    if isOver { return 0 }
    guard case .withLifeline(let linger) = kind, let lifelineCutAt, sessionCount == 0 else {
      return nil
    }
    if signalledAt != nil { return 0 }
    return max(0, max(lifelineCutAt, lastSessionEndedAt) + linger - now)
  }
}
