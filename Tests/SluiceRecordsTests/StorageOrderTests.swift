// What a storage sends and when, before an engine that a test scripts.

import SluiceChannel
import SluiceRecords
import SluiceSystem
import SluiceWire
import Testing

@Suite(.timeLimit(.minutes(2))) struct StorageOrderTests {
  @Test func aStoreAndALoadAreOneRoundTripEach() async throws {
    let engine = try ScriptedEngine { (operation, end, request) in
      switch operation {
      case .recordsStore: ScriptedEngine.storeAll(end, request)
      case .recordsLoad: .done(ScriptedEngine.page(1, .found))
      default: .refused(.misuse)
      }
    }
    let storage = try await engine.storage()
    for value in 0..<10 { #expect(await storage.store(message("co_z\(value)"))) }
    #expect(engine.seen.withLock { $0 } == Array(repeating: .recordsStore, count: 10))
    #expect(await storage.load("co_z1") { _ in })
    #expect(engine.seen.withLock { $0.count } == 11)
  }

  @Test func storesThatAreQueuedWhileOneIsUnderWayGoOutTogether() async throws {
    let gate = Flag()
    let engine = try ScriptedEngine { (operation, end, request) in
      while !gate.isSet { Clock.sleep(nanoseconds: 100_000) }
      return ScriptedEngine.storeAll(end, request)
    }
    let storage = try await engine.storage()
    let done = FutexLock<[Int]>([])
    for index in 0..<300 {
      storage.store(message("co_z\(index)"), correction: { _ in nil }) { isDone in
        if isDone { done.withLock { $0.append(index) } }
      }
    }
    gate.set()
    #expect(await eventually { done.withLock { $0.count } == 300 })
    #expect(done.withLock { $0 } == Array(0..<300))
    #expect(engine.seen.withLock { $0.count } <= 10)
  }

  @Test func aLoadIsSentWhileAStoreIsUnderWay() async throws {
    let hasLoad = Flag()
    let engine = try ScriptedEngine { (operation, end, request) in
      if operation == .recordsLoad { return .done(ScriptedEngine.page(1, .notFound)) }
      // The store is answered only when the load has come.
      let deadline = Clock.monotonicNanoseconds() + 20_000_000_000
      while !end.hasFurtherRequest, Clock.monotonicNanoseconds() < deadline {
        Clock.sleep(nanoseconds: 100_000)
      }
      if end.hasFurtherRequest { hasLoad.set() }
      return ScriptedEngine.storeAll(end, request)
    }
    let storage = try await engine.storage()
    async let isStored = storage.store(message("co_z1"))
    #expect(await eventually { engine.seen.withLock { $0.count } == 1 })
    #expect(await !storage.load("co_z2") { _ in })
    #expect(await isStored)
    #expect(hasLoad.isSet)
  }

  @Test func requestsOfOtherKindsKeepTheirPlaceAmongStores() async throws {
    let engine = try ScriptedEngine { (operation, end, request) in
      operation == .recordsStore ? ScriptedEngine.storeAll(end, request) : .number(0)
    }
    let storage = try await engine.storage()
    storage.markDeleteAsValid("co_z1")
    storage.store(message("co_z1"), correction: { _ in nil }) { _ in }
    storage.unmount("co_z1")
    storage.store(message("co_z2"), correction: { _ in nil }) { _ in }
    storage.stopTrackingSyncState(of: "co_z2")
    #expect(await storage.count() == 0)
    #expect(
      engine.seen.withLock { $0 } == [
        .recordsErase, .recordsStore, .recordsUnmount, .recordsStore, .recordsStopTracking,
        .recordsCount,
      ])
  }

  @Test func questionsForOneKnownStateShareARequestUntilAStoreComes() async throws {
    let engine = try ScriptedEngine { (operation, end, request) in
      switch operation {
      case .recordsStore: return ScriptedEngine.storeAll(end, request)
      case .recordsUnmount: return .number(0)
      default: break
      }
      // Answered only when the next call has come, and so all questions before it.
      let deadline = Clock.monotonicNanoseconds() + 20_000_000_000
      while !end.hasFurtherRequest, Clock.monotonicNanoseconds() < deadline {
        Clock.sleep(nanoseconds: 100_000)
      }
      return .page(RecordsPageReply(itemCount: 0, hasMore: false), [])
    }
    let storage = try await engine.storage()
    let answers = FutexLock(0)
    let count: @Sendable (RecordKnownState?) -> Void = { state in
      if state?.hasHeader == true { answers.withLock { $0 += 1 } }
    }
    for _ in 0..<5 { storage.loadKnownState(of: "co_z1", done: count) }
    storage.store(message("co_z1"), correction: { _ in nil }) { _ in }
    for _ in 0..<5 { storage.loadKnownState(of: "co_z1", done: count) }
    storage.unmount("co_z2")
    #expect(await eventually { answers.withLock { $0 } == 10 })
    #expect(
      engine.seen.withLock { $0 } == [
        .recordsKnownState, .recordsStore, .recordsKnownState, .recordsUnmount,
      ])
  }

  @Test func aLoadIsAskedForPageByPageAndEndsOnce() async throws {
    let pages = FutexLock(0)
    let content = message("co_z1")
    let engine = try ScriptedEngine { (operation, _, _) in
      let page = pages.withLock { pages in
        pages += 1
        return pages
      }
      if page == 5 { return .done(ScriptedEngine.page(1, .found)) }
      var writer = RecordByteWriter()
      content.write(to: &writer)
      return .done(ScriptedEngine.page(1, .message, writer.bytes, hasMore: true))
    }
    let storage = try await engine.storage()
    let messages = FutexLock<[RecordMessage]>([])
    #expect(await storage.load("co_z1") { message in messages.withLock { $0.append(message) } })
    #expect(messages.withLock { $0 } == Array(repeating: content, count: 4))
    #expect(
      engine.seen.withLock { $0 }
        == [.recordsLoad] + Array(repeating: .recordsNext, count: 4))
  }
}
