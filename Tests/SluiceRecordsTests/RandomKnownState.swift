// Random values for tests of the pure parts.

import SluiceRecords
import SluiceWire
import TestSupport

extension SeededRandom {
  /// A known state of few sessions with small counts, so that states often meet.
  mutating func knownState() -> RecordKnownState {
    var state = RecordKnownState("co_z1", hasHeader: Bool.random(using: &self))
    for session in ["a", "b", "c", "d"] as [RecordID] where Bool.random(using: &self) {
      state[session] = UInt64.random(in: 0...3, using: &self)
    }
    return state
  }

  mutating func bytes(_ count: ClosedRange<Int>) -> [UInt8] {
    (0..<Int.random(in: count, using: &self)).map { _ in UInt8.random(in: 0...255, using: &self) }
  }

  mutating func message(sessions: ClosedRange<Int> = 0...3) -> RecordMessage {
    var message = RecordMessage(id: bytes(1...30))
    if Bool.random(using: &self) { message.header = bytes(0...50) }
    message.priority = UInt8.random(in: 0...6, using: &self)
    for _ in 0..<Int.random(in: sessions, using: &self) {
      var transactions = RecordTransactions()
      for _ in 0..<Int.random(in: 0...4, using: &self) { transactions.append(bytes(0...60)) }
      message.sessions.append(
        RecordSessionContent(
          session: bytes(1...20), after: UInt64.random(in: 0...9, using: &self),
          transactions: transactions, lastSignature: bytes(0...20)))
    }
    return message
  }
}
