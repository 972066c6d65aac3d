// How much of a value somebody has: whether its header, and how many transactions of each session.
// A value with the rules by which such states are compared and joined. A session without transactions
// counts as absent everywhere.

public import SluiceWire

public struct RecordKnownState: Equatable, Sendable {
  public let id: RecordID
  public var hasHeader: Bool
  /// How many transactions there are of each session; of none, 0 of them.
  public private(set) var sessions: [RecordID: UInt64] = [:]

  /// Nothing of the value.
  public init(_ id: RecordID, hasHeader: Bool = false) {
    self.id = id
    self.hasHeader = hasHeader
  }

  public init(_ id: RecordID, hasHeader: Bool, _ counters: [RecordCounter]) {
    self.init(id, hasHeader: hasHeader)
    for counter in counters { self[RecordID(counter.session)] = counter.count }
  }

  /// What whoever has all of the message has at least.
  public init(of message: RecordMessage) {
    self.init(RecordID(message.id), hasHeader: message.header != nil)
    for session in message.sessions {
      let (end, overflow) = session.after.addingReportingOverflow(
        UInt64(session.transactions.count))
      self[RecordID(session.session)] = overflow ? .max : end
    }
  }

  public subscript(session: RecordID) -> UInt64 {
    get { sessions[session] ?? 0 }
    set { sessions[session] = newValue == 0 ? nil : newValue }
  }

  // MARK: Rules

  /// Takes over what the other has more of.
  public mutating func merge(_ other: RecordKnownState) {
    hasHeader = hasHeader || other.hasHeader
    for (session, count) in other.sessions where count > self[session] { self[session] = count }
  }

  /// Without the sessions of which the other has nothing.
  func limited(to other: RecordKnownState) -> RecordKnownState {
    var limited = RecordKnownState(id, hasHeader: hasHeader && other.hasHeader)
    for (session, count) in sessions where other[session] > 0 { limited[session] = count }
    return limited
  }

  /// The sessions of which this has more than the other, with their counts here.
  public func sessions(above other: RecordKnownState) -> [RecordID: UInt64] {
    sessions.filter { $0.value > other[$0.key] }
  }

  /// Whether the other has at least as much of every session. The header is not looked at.
  public func isCovered(by other: RecordKnownState) -> Bool {
    sessions.allSatisfy { $0.value <= other[$0.key] }
  }

  /// Whether a peer has all that is here. Nil is a peer of which nothing is known.
  public func isAll(with peer: RecordKnownState?) -> Bool {
    guard let peer, peer.hasHeader || !hasHeader else { return false }
    return isCovered(by: peer)
  }

  /// Whether the store has exactly what this state of a value in memory says. Sessions that are in the
  /// store alone do not matter.
  public func isInSync(with stored: RecordKnownState) -> Bool {
    (stored.hasHeader || !hasHeader) && sessions.allSatisfy { $0.value == stored[$0.key] }
  }
}
