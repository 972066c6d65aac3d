// A storage on a real engine: what the vectors do not say.

import EngineTestSupport
import SluiceRecords
import SluiceSystem
import SluiceWire
import TestSupport
import Testing

@testable import SluiceEngine

@Suite(.timeLimit(.minutes(5))) struct RecordStorageTests {
  private func loadAll(
    _ id: RecordID, _ storage: RecordStorage
  ) async -> (isFound: Bool, messages: [RecordMessage]) {
    let messages = FutexLock<[RecordMessage]>([])
    let isFound = await storage.load(id) { message in messages.withLock { $0.append(message) } }
    return (isFound, messages.withLock { $0 })
  }

  @Test(arguments: EnginePlace.allCases)
  func aLargeMessageGoesInPiecesAndComesBackWhole(_ engine: EnginePlace) async throws {
    let store = try VectorStore(engine)
    let storage = try await store.open()
    // Far larger than a transfer and the ring, among small ones.
    let large = message("co_large", count: 40, byteCount: 50_000)
    let ids = FutexLock<[String]>([])
    for stored in [message("co_a"), message("co_b"), large, message("co_c")] {
      let id = String(decoding: stored.id, as: UTF8.self)
      storage.store(stored, correction: { _ in nil }) { isDone in
        ids.withLock { $0.append(isDone ? id : "failed") }
      }
    }
    #expect(await storage.count() == 4)
    #expect(ids.withLock { $0 } == ["co_a", "co_b", "co_large", "co_c"])
    let loaded = await loadAll("co_large", storage)
    #expect(loaded.isFound)
    #expect(
      loaded.messages.flatMap(\.sessions).flatMap(\.transactions)
        == Array(large.sessions[0].transactions))
    #expect(storage.knownState(of: "co_large")["s"] == 40)
  }

  @Test func aMessageThatIsTooLargeFailsAloneAndInItsTurn() async throws {
    let store = try VectorStore(.inProcess)
    let storage = try await store.open()
    var large = message("co_large")
    large.sessions = Array(repeating: large.sessions[0], count: 7001)
    let order = FutexLock<[Bool]>([])
    for stored in [message("co_a"), large, message("co_b")] {
      storage.store(stored, correction: { _ in nil }) { isDone in
        order.withLock { $0.append(isDone) }
      }
    }
    #expect(await storage.count() == 2)
    #expect(order.withLock { $0 } == [true, false, true])
  }

  @Test func queuedStoresBehindACorrectionComeAfterIt() async throws {
    let store = try VectorStore(.inProcess)
    let storage = try await store.open()
    await storage.store(message("co_v"))
    let events = FutexLock<[String]>([])
    // Each needs what the ones before it store; every third lacks something.
    for index in 1..<60 {
      let after = UInt64(2 * index - 1)
      let isGap = index % 3 == 0
      let stored = message(
        "co_v", after: isGap ? after + 1 : after, count: isGap ? 1 : 2, hasHeader: false)
      storage.store(stored) { known in
        events.withLock { $0.append("correct \(index) at \(known["s"])") }
        return [message("co_v", after: known["s"], count: 2, hasHeader: false)]
      } done: { isDone in
        events.withLock { $0.append("\(isDone) \(index)") }
      }
    }
    let expected = (1..<60).flatMap { index in
      (index % 3 == 0 ? ["correct \(index) at \(2 * index - 1)"] : []) + ["true \(index)"]
    }
    // `count` may come before stores that wait for a correction.
    while events.withLock({ $0.count }) < expected.count { _ = await storage.count() }
    #expect(events.withLock { $0 } == expected)
    #expect(storage.knownState(of: "co_v")["s"] == 119)
    let loaded = await loadAll("co_v", storage)
    #expect(loaded.messages.map { $0.sessions[0].transactions.count } == [119])
  }

  @Test func aLargeCorrectionIsStoredInItsOrder() async throws {
    let store = try VectorStore(.inProcess)
    let storage = try await store.open()
    let isStored = await storage.store(message("co_v", after: 90, hasHeader: false)) { _ in
      (0..<9).map { index in
        message(
          "co_v", after: UInt64(10 * index), count: 10, byteCount: index % 4 == 3 ? 20_000 : 2000)
      } + [message("co_v", after: 90, hasHeader: false)]
    }
    #expect(isStored)
    #expect(storage.knownState(of: "co_v")["s"] == 91)
    #expect(await storage.loadKnownState(of: "co_v")?["s"] == 91)
  }

  @Test func theKnownStateOfManySessionsComesInPages() async throws {
    let store = try VectorStore(.inProcess)
    let storage = try await store.open()
    var stored = message("co_v")
    let first = stored.sessions[0]
    stored.sessions = (0..<3000).map { index in
      var session = first
      session.session = Array("sealer_z\(index)/signer_z\(index)_session_z\(index)".utf8)
      return session
    }
    #expect(await storage.store(stored))
    let state = await storage.loadKnownState(of: "co_v")
    #expect(state?.sessions.count == 3000)
    #expect(state == storage.knownState(of: "co_v"))
    // A correction is asked for with all of it.
    let gap = message("co_v", "sealer_z7/signer_z7_session_z7", after: 5, hasHeader: false)
    let seen = FutexLock<RecordKnownState?>(nil)
    await storage.store(gap) { known in
      seen.withLock { $0 = known }
      return nil
    }
    #expect(seen.withLock { $0 } == state)
  }

  @Test func enumerationGivesEachIDOnceHoweverItIsCut() async throws {
    let store = try VectorStore(.inProcess)
    let storage = try await store.open()
    let ids = (0..<3000).map { RecordID("co_z\($0)" + String(repeating: "p", count: 20)) }
    for id in ids {
      storage.store(message(id.description), correction: { _ in nil }) { _ in }
    }
    #expect(await storage.count() == 3000)
    for limit in [1000, 2999, 3000, 5000] as [UInt64] {
      var found: [RecordID] = []
      var offset: UInt64 = 0
      while true {
        let page = try #require(await storage.ids(limit: limit, offset: offset))
        found += page
        if UInt64(page.count) < limit { break }
        offset += limit
      }
      #expect(found == ids)
    }
    #expect(await storage.ids(limit: 0, offset: 0) == [])
    await storage.trackSyncState(
      ids.map { RecordSyncUpdate(id: $0.bytes, peer: Array("any".utf8), isSynced: false) })
    #expect(await storage.unsyncedIDs() == ids.sorted { $0.description < $1.description })
  }

  @Test func theReconciliationLockHasOneHolder() async throws {
    let store = try VectorStore(.inProcess)
    let storage = try await store.open()
    func acquire(_ holder: RecordID) async -> RecordLockAnswer? {
      await storage.acquireReconciliationLock(of: "peer", holder: holder)
    }
    #expect(await acquire("a") == .done(offset: 0))
    #expect(await acquire("b") == .held)
    #expect(
      await storage.renewReconciliationLock(of: "peer", holder: "a", offset: 7) == .done(offset: 0))
    #expect(
      await storage.renewReconciliationLock(of: "peer", holder: "b", offset: 9) == .notHolder)
    #expect(await acquire("a") == .done(offset: 7))
    store.clock.advance(25 * 3_600_000)
    #expect(await acquire("b") == .done(offset: 7))
    #expect(await storage.releaseReconciliationLock(of: "peer", holder: "b") == .done(offset: 0))
    #expect(await acquire("a") == .notDue)
    store.clock.advance(30 * 24 * 3_600_000)
    #expect(await acquire("a") == .done(offset: 0))
  }

  @Test func closeFinishesWhatIsBegunAndFailsTheRest() async throws {
    for _ in 0..<30 {
      let store = try VectorStore(.inProcess)
      let storage = try await store.open()
      let results = FutexLock<[Bool?]>(Array(repeating: nil, count: 40))
      for index in 0..<40 {
        storage.store(message("co_v", after: UInt64(index)), correction: { _ in nil }) { isDone in
          results.withLock { $0[index] = isDone }
        }
      }
      await storage.close()
      #expect(await eventually { results.withLock { !$0.contains(nil) } })
      let told = results.withLock { $0 }
      // The first was in progress since its call, and those that are done are done in order.
      #expect(told[0] == true)
      let doneCount = told.prefix { $0 == true }.count
      #expect(told.dropFirst(doneCount).allSatisfy { $0 == false })
      #expect(try store.tables.values.first?.sessions.first?.count == UInt64(doneCount))
      #expect(await !storage.store(message("co_w")))
      #expect(await !storage.load("co_v") { _ in })
      #expect(storage.knownState(of: "co_v") == RecordKnownState("co_v"))
      await storage.close()
    }
  }

  @Test func anAbandonedStorageStillStoresWhatItWasAskedFor() async throws {
    let store = try VectorStore(.inProcess)
    let doneCount = FutexLock(0)
    var storage: RecordStorage? = try await store.open()
    for index in 0..<500 {
      storage?.store(message("co_z\(index)"), correction: { _ in nil }) { isDone in
        if isDone { doneCount.withLock { $0 += 1 } }
      }
    }
    storage = nil
    #expect(await eventually { doneCount.withLock { $0 } == 500 })
    let next = try await store.open()
    #expect(await next.count() == 500)
  }

  @Test func severalStoragesOfOneStoreDoNotDisturbEachOther() async throws {
    let store = try VectorStore(.onSocket)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for client in 0..<4 {
        group.addTask {
          let storage = try await store.open()
          for index in 0..<100 {
            let isStored = await storage.store(
              message("co_v", "s\(client)", after: UInt64(index)))
            #expect(isStored)
          }
          await storage.close()
        }
      }
      try await group.waitForAll()
    }
    let storage = try await store.open()
    let state = await storage.loadKnownState(of: "co_v")
    for client in 0..<4 { #expect(state?[RecordID("s\(client)")] == 100) }
  }

  @Test func aLoadWithinAMessageOfALoadIsServed() async throws {
    let store = try VectorStore(.inProcess)
    let storage = try await store.open()
    await storage.store(message("co_a"))
    await storage.store(message("co_b"))
    let found = FutexLock<[String]>([])
    let isFound = await storage.load("co_a") { [storage] _ in
      storage.load("co_b", message: { _ in }) { _ in found.withLock { $0.append("b") } }
    }
    #expect(isFound)
    #expect(await eventually { found.withLock { $0 } == ["b"] })
  }

  @Test func aStoreThatCannotBeOpenedTellsWhy() async throws {
    let store = try VectorStore(.inProcess)
    var options = RecordOpenOptions()
    options.mode = .open
    do throws(RecordFailure) {
      _ = try await LocalRecords.open(store.path, options: options)
      Issue.record("there is no store")
    } catch {
      #expect(!error.message.isEmpty)
    }
    await #expect(throws: RecordFailure.self) {
      try await SidecarRecords.open("x", onSocket: store.path)
    }
  }

  @Test func anyInterleavingEndsAsAPlainModelSays() async throws {
    var random = SeededRandom(for: "anyInterleavingEndsAsAPlainModelSays")
    for _ in 0..<20 {
      let store = try VectorStore(.inProcess)
      let storage = try await store.open()
      // What the program has of each value and session; the store may lag behind.
      var counts: [String: [String: UInt64]] = [:]
      for _ in 0..<200 {
        let id = "co_z\(Int.random(in: 0..<4, using: &random))"
        let session = "s\(Int.random(in: 0..<3, using: &random))"
        let present = counts[id]?[session] ?? 0
        let count = Int.random(in: 1...3, using: &random)
        counts[id, default: [:]][session] = present + UInt64(count)
        // Some messages are lost on their way; their successors have a gap.
        if Int.random(in: 0..<5, using: &random) == 0 { continue }
        let all = counts[id] ?? [:]
        storage.store(
          message(id, session, after: present, count: count, hasHeader: Bool.random(using: &random))
        ) { known in
          all.map { (session, end) in
            let start = known[RecordID(session)]
            return message(id, session, after: start, count: Int(end) - Int(min(start, end)))
          }.filter { !$0.sessions[0].transactions.isEmpty }
        } done: { isDone in
          #expect(isDone)
        }
        if Int.random(in: 0..<20, using: &random) == 0 { storage.unmount(RecordID(id)) }
      }
      for (id, sessions) in counts {
        for (session, count) in sessions {
          await storage.store(message(id, session, after: count, count: 0)) { known in
            [
              message(
                id, session, after: known[RecordID(session)],
                count: Int(count - known[RecordID(session)]))
            ]
          }
        }
        let state = await storage.loadKnownState(of: RecordID(id))
        for (session, count) in sessions { #expect(state?[RecordID(session)] == count) }
        let loaded = await loadAll(RecordID(id), storage)
        #expect(
          loaded.messages.flatMap(\.sessions).map(\.transactions.count).reduce(0, +)
            == Int(sessions.values.reduce(0, +)))
      }
    }
  }

  @Test func aStorageForgetsWhatAnotherErasedOnceItAsks() async throws {
    let store = try VectorStore(.inProcess)
    let (first, second) = (try await store.open(), try await store.open())
    await first.store(message("co_v", count: 3))
    #expect(first.knownState(of: "co_v")["s"] == 3)
    second.markDeleteAsValid("co_v")
    await second.store(message("co_v", "x$"))
    await second.eraseDeletedValues()
    #expect(await first.loadKnownState(of: "co_v")?["s"] == 0)
    #expect(first.knownState(of: "co_v")["s"] == 0)
    #expect(first.knownState(of: "co_v")["x$"] == 1)
    // What it does not know it does not begin to know by asking.
    #expect(await second.loadKnownState(of: "co_w") == nil)
    #expect(second.knownState(of: "co_w") == RecordKnownState("co_w"))
  }
}
