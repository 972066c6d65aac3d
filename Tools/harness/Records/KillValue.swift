// A value of `records kill`: its messages by their numbers, and what is found of it. Every signature names
// the number of transactions that it covers, so one that covers others shows itself.

internal import SluiceRecords

struct KillValue {
  private static let sessions = ["sealer_z1/signer_z1_session_z1", "co_zNobody_session_z2"]
  private static let deleteSession = "co_zNobody_session_d3$"
  private static let header = Array(
    #"{"type":"comap","ruleset":{"type":"unsafeAllowAll"},"meta":null}"#.utf8)
  private static let transactionsOfMessage: UInt64 = 2
  private static let transactionsOfTombstone = 2

  /// How many transactions came of each session.
  private var counts: [String: UInt64] = [:]
  private var expected: [String: UInt64]?
  private(set) var flaw: String?

  // MARK: Messages

  /// Message `number` adds two transactions to each session.
  static func message(_ id: String, _ number: UInt64, byteCount: Int) -> RecordMessage {
    let after = number * transactionsOfMessage
    return RecordMessage(
      id: Array(id.utf8), header: number == 0 ? header : nil,
      sessions: sessions.map {
        content($0, after, count: Int(transactionsOfMessage), byteCount: byteCount)
      })
  }

  static func tombstone(_ id: String) -> RecordMessage {
    RecordMessage(
      id: Array(id.utf8),
      sessions: [content(deleteSession, 0, count: transactionsOfTombstone, byteCount: 10)])
  }

  private static func content(
    _ session: String, _ after: UInt64, count: Int, byteCount: Int
  ) -> RecordSessionContent {
    var transactions = RecordTransactions()
    for index in after..<after + UInt64(count) {
      let text =
        beginning(session, index) + String(repeating: "x", count: byteCount) + #"","madeAt":1}"#
      transactions.append(Array(text.utf8))
    }
    return RecordSessionContent(
      session: Array(session.utf8), after: after, transactions: transactions,
      lastSignature: signature(after + UInt64(count)))
  }

  private static func beginning(_ session: String, _ index: UInt64) -> String {
    #"{"privacy":"trusting","changes":"\#(session) \#(index) "#
  }

  private static func signature(_ count: UInt64) -> [UInt8] { Array("signature_z\(count)".utf8) }

  // MARK: What is there

  var isDeleted: Bool { counts[Self.deleteSession] != nil }
  var messageCount: UInt64 { (counts[Self.sessions[0]] ?? 0) / Self.transactionsOfMessage }

  /// Takes a message of a load.
  mutating func take(_ message: RecordMessage) {
    if let counters = message.expectContentUntil {
      expected = Dictionary(
        counters.map { (String(decoding: $0.session, as: UTF8.self), $0.count) },
        uniquingKeysWith: { first, _ in first })
    }
    if message.header != Self.header { note("another header") }
    for session in message.sessions {
      let name = String(decoding: session.session, as: UTF8.self)
      if session.after != counts[name] ?? 0 {
        note("\(name): a piece from \(session.after), after \(counts[name] ?? 0)")
      }
      var index = session.after
      for transaction in session.transactions {
        if !transaction.starts(with: Self.beginning(name, index).utf8) {
          note("\(name): transaction \(index) is another one")
        }
        index += 1
      }
      if session.lastSignature != Self.signature(index) {
        note("\(name): the signature behind \(index) transactions is of others")
      }
      counts[name] = index
    }
    checkWhole()
  }

  /// A value streamed in several messages is whole behind the last one alone.
  private mutating func checkWhole() {
    if let expected, expected != counts { return }
    let plain = Self.sessions.map { counts[$0] ?? 0 }
    if plain[0] != plain[1] { note("a message is there in part: \(plain)") }
    if let count = counts[Self.deleteSession], count != Self.transactionsOfTombstone {
      note("a tombstone is there in part")
    }
  }

  /// All messages of the load have come.
  mutating func end() {
    if let expected, expected != counts { note("\(expected) was announced, \(counts) came") }
  }

  private mutating func note(_ text: String) { if flaw == nil { flaw = text } }
}
