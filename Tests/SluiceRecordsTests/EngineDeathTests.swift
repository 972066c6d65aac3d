// An engine that dies or lies: everything that is under way fails, and nothing hangs.

import SluiceChannel
import SluiceRecords
import SluiceSystem
import SluiceWire
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(2))) struct EngineDeathTests {
  private final class Results: Sendable {
    let told = FutexLock<[String: String]>([:])
    let errors = FutexLock<[String]>([])

    func tell(_ call: String, _ result: some Sendable) {
      told.withLock { told in
        told[call] = told[call] == nil ? "\(result)" : "twice"
      }
    }
  }

  /// Asks for everything at once.
  private func askForAll(_ storage: RecordStorage, _ results: Results) {
    for index in 0..<3 {
      storage.store(message("co_z\(index)"), correction: { _ in nil }) {
        results.tell("store \(index)", $0)
      }
    }
    storage.load("co_z1", message: { _ in }) { results.tell("load", $0) }
    storage.loadKnownState(of: "co_z1") { results.tell("known state", $0 == nil) }
    storage.waitForSync("co_z9", current: { RecordKnownState("co_z9", hasHeader: true) }) {
      results.tell("wait", $0)
    }
    storage.eraseDeletedValues { results.tell("erase", $0) }
    storage.trackSyncState([]) { results.tell("track", $0) }
    storage.unsyncedIDs { results.tell("unsynced", $0 == nil) }
    storage.ids(limit: 10, offset: 0) { results.tell("ids", $0 == nil) }
    storage.count { results.tell("count", $0 == nil) }
    storage.acquireReconciliationLock(of: "p", holder: "h") { results.tell("lock", $0 == nil) }
  }

  private let failed: [String: String] = [
    "store 0": "false", "store 1": "false", "store 2": "false", "load": "false",
    "known state": "true", "wait": "false", "erase": "false", "track": "false",
    "unsynced": "true", "ids": "true", "count": "true", "lock": "true",
  ]

  @Test func theDeathOfTheEngineFailsAllThatIsUnderWayAndAllThatComesLater() async throws {
    for dyingAt in 0..<8 {
      let count = FutexLock(0)
      let engine = try ScriptedEngine { (operation, end, request) in
        let number = count.withLock { count in
          count += 1
          return count - 1
        }
        if number == dyingAt { return .dies }
        return switch operation {
        case .recordsStore: ScriptedEngine.storeAll(end, request)
        case .recordsLoad: .done(ScriptedEngine.page(1, .found))
        case .recordsKnownState, .recordsUnsynced, .recordsIDs:
          .page(RecordsPageReply(itemCount: 0, hasMore: false), [])
        case .recordsErase, .recordsCount: .number(0)
        default: .done()
        }
      }
      let results = Results()
      let storage = try await engine.storage { (level, text) in
        if level == .error { results.errors.withLock { $0.append(text) } }
      }
      askForAll(storage, results)
      #expect(await eventually { results.told.withLock { $0.count } == failed.count })
      results.told.withLock { #expect(!$0.values.contains("twice"), "\($0)") }
      if dyingAt == 0 { #expect(results.told.withLock { $0 } == failed) }
      #expect(results.errors.withLock { $0.count } == 1)
      #expect(await !storage.store(message("co_z1")))
      #expect(await storage.count() == nil)
      await storage.close()
    }
  }

  @Test func anAnswerThatCannotBeEndsTheSession() async throws {
    let lies: [@Sendable (SluiceWire.Operation) -> ScriptedEngine.Reply] = [
      { _ in .number(1, [9]) },
      { _ in .number(2, [0, 0, 0, 0, 0]) },
      { _ in .number(1, [0, 2, 0, 0, 0]) },
      { _ in .number(1, [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7]) },
      { _ in .number(0) },
      { _ in .done() },
    ]
    for lie in lies {
      let engine = try ScriptedEngine { (operation, _, _) in lie(operation) }
      let storage = try await engine.storage()
      #expect(await !storage.store(message("co_z1")))
      #expect(await storage.count() == nil)
      let connection = try ScriptedEngine { (operation, _, _) in lie(operation) }.connection()
      #expect(throws: RecordFailure.self) { try connection.store([RecordStore(message("v"))]) }
      #expect(throws: RecordFailure.self) { try connection.roundTrip() }
    }
  }

  @Test func aStreamThatCannotBeEndsTheSession() async throws {
    let lies: [[UInt8]] = [
      [], [0, 0, 0], ScriptedEngine.page(2, .found), ScriptedEngine.page(1, .found, [1]),
      ScriptedEngine.page(1, .message, [1, 2, 3]), [0, 0, 0, 0], [0, 0, 0, 0, 1, 0, 0, 0],
      [0, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 0],
    ]
    for lie in lies {
      let engine = try ScriptedEngine { (_, _, _) in .done(lie) }
      let storage = try await engine.storage()
      #expect(await !storage.load("co_z1") { _ in }, "\(lie)")
      #expect(await storage.count() == nil, "\(lie)")
      let connection = try ScriptedEngine { (_, _, _) in .done(lie) }.connection()
      #expect(throws: RecordFailure.malformed, "\(lie)") { try connection.load([1]) { _ in } }
    }
  }

  @Test func listsThatDoNotGoOnEndTheSession() throws {
    let page = RecordsPageReply(itemCount: 0, hasMore: true, nextOffset: 0)
    let connection = { try ScriptedEngine { (_, _, _) in .page(page, []) }.connection() }
    #expect(throws: RecordFailure.malformed) { try connection().knownState([1]) }
    #expect(throws: RecordFailure.malformed) { try connection().unsynced { _ in } }
    #expect(throws: RecordFailure.malformed) { try connection().ids(limit: 5, offset: 0) }
    #expect(throws: RecordFailure.malformed) { try connection().verify { _ in } }
  }

  @Test func aRefusedRequestFailsItsCallAlone() async throws {
    let engine = try ScriptedEngine { (operation, end, request) in
      operation == .recordsStore ? ScriptedEngine.storeAll(end, request) : .refused(.limitReached)
    }
    let storage = try await engine.storage()
    #expect(await !storage.load("co_z1") { _ in })
    #expect(await storage.loadKnownState(of: "co_z1") == nil)
    #expect(await storage.ids(limit: 1, offset: 0) == nil)
    #expect(await storage.store(message("co_z1")))
  }
}
