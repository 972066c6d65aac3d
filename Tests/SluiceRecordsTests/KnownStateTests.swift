// The rules of known states, by thousands of random ones.

import SluiceRecords
import TestSupport
import Testing

@Suite struct KnownStateTests {
  @Test func mergeTakesTheLargerCounterAndEitherHeader() {
    var random = SeededRandom(for: "mergeTakesTheLargerCounterAndEitherHeader")
    for _ in 0..<5000 {
      let (left, right) = (random.knownState(), random.knownState())
      var merged = left
      merged.merge(right)
      #expect(merged.hasHeader == (left.hasHeader || right.hasHeader))
      for session in ["a", "b", "c", "d"] as [RecordID] {
        #expect(merged[session] == max(left[session], right[session]))
      }
      #expect(left.isCovered(by: merged) && right.isCovered(by: merged))
      var again = merged
      again.merge(left)
      #expect(again == merged)
    }
  }

  @Test func aSessionWithoutTransactionsIsAsIfAbsent() {
    var state = RecordKnownState("co_z1", hasHeader: true)
    state["a"] = 2
    state["a"] = 0
    #expect(state == RecordKnownState("co_z1", hasHeader: true))
    #expect(state.sessions.isEmpty)
    #expect(state.isInSync(with: RecordKnownState("co_z1", hasHeader: true)))
  }

  @Test func coverageAndTheSessionsAboveAgree() {
    var random = SeededRandom(for: "coverageAndTheSessionsAboveAgree")
    for _ in 0..<5000 {
      let (left, right) = (random.knownState(), random.knownState())
      let above = left.sessions(above: right)
      #expect(above.isEmpty == left.isCovered(by: right))
      for (session, count) in above {
        #expect(count == left[session] && count > right[session])
      }
      var merged = right
      merged.merge(left)
      #expect(merged.sessions(above: right) == above)
    }
  }

  @Test func inSyncWantsEqualCountersOfTheValuesOwnSessions() {
    var random = SeededRandom(for: "inSyncWantsEqualCountersOfTheValuesOwnSessions")
    var inSyncCount = 0
    for _ in 0..<5000 {
      let (current, stored) = (random.knownState(), random.knownState())
      let isInSync = current.isInSync(with: stored)
      if isInSync { inSyncCount += 1 }
      let sessions = ["a", "b", "c", "d"] as [RecordID]
      let expected =
        (stored.hasHeader || !current.hasHeader)
        && sessions.allSatisfy { current[$0] == 0 || current[$0] == stored[$0] }
      #expect(isInSync == expected)
      #expect(current.isInSync(with: current))
    }
    #expect(inSyncCount > 100 && inSyncCount < 4900)
  }

  @Test func aPeerHasAllOnlyIfItIsKnownAndHasTheHeader() {
    var random = SeededRandom(for: "aPeerHasAllOnlyIfItIsKnownAndHasTheHeader")
    for _ in 0..<2000 {
      let (here, peer) = (random.knownState(), random.knownState())
      #expect(!here.isAll(with: nil))
      #expect(
        here.isAll(with: peer)
          == (here.isCovered(by: peer) && (peer.hasHeader || !here.hasHeader)))
    }
  }

  @Test func theStateOfAMessageEndsBehindItsTransactions() {
    var random = SeededRandom(for: "theStateOfAMessageEndsBehindItsTransactions")
    for _ in 0..<500 {
      let message = random.message(sessions: 1...1)
      let state = RecordKnownState(of: message)
      let session = message.sessions[0]
      #expect(
        state[RecordID(session.session)] == session.after + UInt64(session.transactions.count))
      #expect(state.hasHeader == (message.header != nil))
    }
  }

  @Test func aCounterDoesNotOverflow() {
    var message = RecordMessage(id: [1])
    var transactions = RecordTransactions()
    transactions.append([])
    message.sessions = [
      RecordSessionContent(
        session: [2], after: .max, transactions: transactions, lastSignature: [])
    ]
    #expect(RecordKnownState(of: message)[RecordID([2])] == .max)
  }
}
