// A storage goes on when its engine has died and another one listens.

import SluiceClient
import SluiceRecords
import SluiceSystem
import SluiceWire
import Testing

@testable import SluiceEngine

@Suite(.timeLimit(.minutes(2))) struct ReopeningTests {
  /// A store and its engine, which dies and comes again.
  private final class Mortal: Sendable {
    let store: VectorStore
    private let offer: EngineOffer
    private let session = FutexLock<RingSession?>(nil)
    private let isAlive = FutexLock(true)

    init() throws {
      store = try VectorStore(.inProcess)
      offer = EngineOffer(at: .host, services: .records, clock: store.clock)
    }

    func open(
      _ path: String? = nil, log: @escaping RecordLog = { (_, _) in }
    ) async throws -> RecordStorage {
      try await RecordStorage.start(path ?? store.path, RecordOpenOptions(), log) {
        () throws(RecordFailure) in
        guard self.isAlive.withLock({ $0 }) else { throw .notConnected(.hungUp) }
        do throws(ConnectError) {
          let session = try LocalChannel.connect(to: self.offer)
          self.session.withLock { $0 = session }
          return session
        } catch { throw .notConnected(error) }
      }
    }

    func die() {
      isAlive.withLock { $0 = false }
      session.withLock { $0.take() }?.end()
    }

    func revive() { isAlive.withLock { $0 = true } }
  }

  private final class Lines: Sendable {
    let all = FutexLock<[String]>([])
    var log: RecordLog { { (level, text) in self.all.withLock { $0.append("\(level): \(text)") } } }
    func count(of word: String) -> Int { all.withLock { $0.count { $0.contains(word) } } }
  }

  @Test func theNextCallOpensTheStoreOnTheNextEngine() async throws {
    let engine = try Mortal()
    let lines = Lines()
    let storage = try await engine.open(log: lines.log)
    #expect(await storage.store(message("co_z1")))
    engine.die()
    // None listens: every call fails, and one line says why.
    for _ in 0..<3 {
      #expect(await !storage.store(message("co_z2")))
      #expect(await storage.count() == nil)
    }
    #expect(lines.count(of: "error") == 2, "\(lines.all.withLock { $0 })")
    engine.revive()
    #expect(await storage.store(message("co_z1", after: 1, hasHeader: false)))
    #expect(await storage.count() == 1)
    // What was known stays.
    #expect(storage.knownState(of: "co_z1")["s"] == 2)
    #expect(lines.count(of: "open again") == 1)
    #expect(await storage.load("co_z1") { _ in })
    await storage.close()
    #expect(await !storage.store(message("co_z3")))
  }

  @Test func itDiesAndReturnsManyTimes() async throws {
    let engine = try Mortal()
    let storage = try await engine.open()
    for count in 0..<10 as Range<UInt64> {
      let isStored = await storage.store(
        message("co_z1", after: count, hasHeader: count == 0))
      #expect(isStored)
      engine.die()
      engine.revive()
      // The call that finds the engine gone may fail; the next one must not.
      _ = await storage.count()
    }
    #expect(await storage.loadKnownState(of: "co_z1")?["s"] == 10)
  }

  @Test func erasureStaysEnabled() async throws {
    let engine = try Mortal()
    let storage = try await engine.open()
    storage.enableErasure()
    storage.markDeleteAsValid("co_z1")
    #expect(await storage.store(message("co_z1")))
    #expect(await storage.store(message("co_z1", "x$")))
    engine.die()
    engine.revive()
    _ = await storage.count()
    #expect(await storage.count() == 1)
    engine.store.clock.advance(1000)
    _ = await storage.count()
    #expect(try engine.store.tables.deleted == ["co_z1": 1])
  }

  @Test func aStoreInMemoryIsNotTakenForTheOldOne() async throws {
    let engine = try Mortal()
    let storage = try await engine.open(":memory:")
    #expect(await storage.store(message("co_z1")))
    engine.die()
    engine.revive()
    _ = await storage.count()
    #expect(await storage.count() == nil)
    #expect(await !storage.store(message("co_z1")))
  }

  @Test func aStorageWithoutAnEngineCloses() async throws {
    let engine = try Mortal()
    let storage = try await engine.open()
    engine.die()
    _ = await storage.count()
    await storage.close()
    #expect(await storage.count() == nil)
  }
}
