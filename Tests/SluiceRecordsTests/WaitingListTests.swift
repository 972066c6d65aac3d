// Who waits for a value, against a plain list.

import SluiceSystem
import TestSupport
import Testing

@testable import SluiceRecords

@Suite struct WaitingListTests {
  @Test func waitersAreKeptByValueAndRemovedOnce() {
    var random = SeededRandom(for: "waitersAreKeptByValueAndRemovedOnce")
    var list = WaitingList()
    var plain: [(id: RecordID, waiter: SyncWaiter)] = []
    let ids = ["a", "b", "c"] as [RecordID]
    for _ in 0..<5000 {
      let id = ids.randomElement(using: &random)!
      switch Int.random(in: 0...9, using: &random) {
      case 0:
        let removed = list.removeAll(for: id).map(\.number)
        #expect(removed == plain.filter { $0.id == id }.map(\.waiter.number))
        plain.removeAll { $0.id == id }
      case 1...4:
        guard let (id, waiter) = plain.randomElement(using: &random) else { continue }
        #expect(list.remove(waiter, for: id))
        #expect(!list.remove(waiter, for: id))
        plain.removeAll { $0.waiter.number == waiter.number }
      default:
        let waiter = SyncWaiter(current: { RecordKnownState(id) }, done: { _ in })
        plain.append((id, list.add(waiter, for: id)))
      }
      for id in ids {
        #expect(
          list.waiters(for: id).map(\.number)
            == plain.filter { $0.id == id }.map(\.waiter.number))
      }
    }
    #expect(list.removeAll().map(\.number) == plain.map(\.waiter.number))
    #expect(list.removeAll().isEmpty)
  }

  @Test func aWaiterIsToldOnceAlthoughManyThreadsLook() throws {
    for _ in 0..<50 {
      let known = KnownStates()
      let current = FutexLock(RecordKnownState("v", hasHeader: true))
      current.withLock { $0["s"] = 1 }
      let told = FutexLock(0)
      for _ in 0..<10 {
        known.wait(
          SyncWaiter(current: { current.withLock { $0 } }) { isInSync in
            if isInSync { told.withLock { $0 += 1 } }
          }, for: "v")
      }
      var stored = RecordKnownState("v", hasHeader: true)
      stored["s"] = 1
      known.noteLoad(stored)
      let threads = try (0..<4).map { _ in
        JoinableThread(try Thread("test") { known.changed("v") })
      }
      for thread in threads { thread.join() }
      #expect(told.withLock { $0 } == 10)
    }
  }

  @Test func whoWaitsLearnsOfTheEnd() {
    let known = KnownStates()
    let results = FutexLock<[Bool]>([])
    let waiter = SyncWaiter(current: { RecordKnownState("v", hasHeader: true) }) { isInSync in
      results.withLock { $0.append(isInSync) }
    }
    known.wait(waiter, for: "v")
    known.wait(waiter, for: "w")
    known.drop("v")
    #expect(results.withLock { $0 } == [true])
    known.close()
    #expect(results.withLock { $0 } == [true, false])
    known.wait(waiter, for: "v")
    #expect(results.withLock { $0 } == [true, false, false])
  }

  @Test func aStoreAssignsALoadMergesAndAnAbsenceForgets() {
    let known = KnownStates()
    func content(_ session: String, after: UInt64) -> RecordMessage {
      var message = RecordMessage(id: Array("v".utf8))
      message.sessions = [
        RecordSessionContent(
          session: Array(session.utf8), after: after, transactions: RecordTransactions(),
          lastSignature: [])
      ]
      return message
    }
    known.noteStore(of: content("s", after: 0), [5])
    known.noteStore(of: content("t", after: 3), [nil])
    #expect(known.state(of: "v").sessions == ["s": 5])
    var loaded = RecordKnownState("v", hasHeader: true)
    loaded["s"] = 4
    loaded["t"] = 1
    known.noteLoad(loaded)
    #expect(known.state(of: "v").sessions == ["s": 5, "t": 1])
    known.noteStore(of: content("s", after: 0), [2])
    #expect(known.state(of: "v").sessions == ["s": 2, "t": 1])
    known.noteAbsence(of: "v")
    #expect(known.state(of: "v") == RecordKnownState("v"))
  }
}
