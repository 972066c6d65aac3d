// Which pieces of sessions go into which message.

import TestSupport
import Testing

@testable import SluiceEngine

struct PiecePlanTests {
  private func session(
    _ count: UInt32, signatures: [(UInt32, String)] = [], last: String = "end", size: UInt32 = 1
  ) -> PiecePlan.Session {
    PiecePlan.Session(
      stored: StoredSession(
        row: 1, count: count, sizeSinceSignature: size, lastSignature: Array(last.utf8)),
      signatures: signatures.map { (index: $0.0, signature: Array($0.1.utf8)) })
  }

  private func shape(_ plan: PiecePlan) -> [[String]] {
    plan.messages.map { $0.map { "\($0.session):\($0.first)-\($0.last)" } }
  }

  @Test func aValueWithoutSessionsIsOneEmptyMessage() {
    let plan = PiecePlan([])
    #expect(shape(plan) == [[]])
    #expect(!plan.isStreamed)
  }

  @Test func smallSessionsGoTogether() {
    let plan = PiecePlan([session(3), session(1)])
    #expect(shape(plan) == [["0:0-2", "1:0-0"]])
    #expect(!plan.isStreamed)
  }

  @Test func smallOnesRideWithTheNextThatIsSent() {
    let big = session(9, signatures: [(2, "a"), (5, "b")])
    let plan = PiecePlan([session(2), big, session(1)])
    #expect(shape(plan) == [["0:0-1", "1:0-2"], ["1:3-5"], ["1:6-8"], ["2:0-0"]])
    #expect(plan.isStreamed)
  }

  @Test func aSignatureAtTheEndNeedsNoFurtherPiece() {
    let plan = PiecePlan([session(3, signatures: [(2, "end")]), session(1)])
    #expect(shape(plan) == [["0:0-2", "1:0-0"]])
    #expect(plan.isStreamed)
  }

  @Test func nothingIsPlannedBehindTheCount() {
    let plan = PiecePlan([session(3, signatures: [(2, "other")])])
    #expect(shape(plan) == [["0:0-2"]])
  }

  @Test func manySessionsAreNotOneMessage() {
    let plan = PiecePlan((0..<100).map { _ in session(1, size: 100_000) })
    #expect(plan.isStreamed)
    #expect(plan.messages.count > 5)
    #expect(plan.messages.joined().map(\.session) == Array(0..<100))
  }

  /// Every transaction is in one piece, in order.
  @Test func piecesCoverEverySessionOnce() {
    var random = SeededRandom(for: #function)
    for _ in 0..<500 {
      let sessions = (0..<Int.random(in: 0...5, using: &random)).map { _ in
        let count = UInt32.random(in: 1...20, using: &random)
        let marks = (0..<count).filter { _ in Int.random(in: 0..<4, using: &random) == 0 }
        return session(count, signatures: marks.map { ($0, $0 == count - 1 ? "end" : "s\($0)") })
      }
      let plan = PiecePlan(sessions)
      for (index, session) in sessions.enumerated() {
        let pieces = plan.messages.joined().filter { $0.session == index }
        #expect(pieces.first?.first == 0)
        #expect(pieces.last?.last == session.stored.count - 1)
        for (former, next) in zip(pieces, pieces.dropFirst()) {
          #expect(next.first == former.last + 1)
        }
      }
    }
  }
}
