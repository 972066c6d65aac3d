// How many requests calls take on the channel of a real engine: one for a store, and one for a load with
// all on which the value depends.

import EngineTestSupport
import SluiceRecords
import SluiceSystem
import SluiceWire
import Testing

@testable import SluiceClient
@testable import enum SluiceEngine.LocalChannel
@testable import class SluiceEngine.EngineOffer
@testable import SluiceRecords

@Suite(.timeLimit(.minutes(2))) struct RoundTripTests {
  /// How many requests the channel had meanwhile. Requests are numbered without a gap.
  private func requestCount(
    of connection: RecordConnection, _ body: () throws(RecordFailure) -> Void
  ) throws -> Int {
    func number() throws -> UInt32 {
      let number = try #require(try connection.submit(.count))
      _ = try connection.answer(to: number, of: .count)
      return number
    }
    let first = try number()
    try body()
    return Int(try number() &- first) - 1
  }

  private func value(
    _ id: String, ruleset: String = #"{"type":"unsafeAllowAll"}"#, meta: String = "null",
    session: String = "s", changes: [String] = ["[]"]
  ) -> SluiceRecords.RecordStore {
    var value = message(id, session)
    value.header = Array(
      #"{"type":"comap","ruleset":\#(ruleset),"meta":\#(meta),"uniqueness":"z"}"#.utf8)
    var transactions = RecordTransactions()
    for change in changes {
      let quoted = change.replacing("\"", with: "\\\"")
      transactions.append(
        Array(#"{"privacy":"trusting","madeAt":1,"changes":"\#(quoted)"}"#.utf8))
    }
    value.sessions[0].transactions = transactions
    return SluiceRecords.RecordStore(value)
  }

  /// A value, its group with a parent and a member, its source, and the account that wrote it.
  private var family: [SluiceRecords.RecordStore] {
    [
      value("co_zParent", ruleset: #"{"type":"group","initialAdmin":"x"}"#),
      value("co_zMember"), value("co_zAuthor"), value("co_zSource"),
      value(
        "co_zGroup", ruleset: #"{"type":"group","initialAdmin":"x"}"#,
        changes: [
          #"[{"op":"set","key":"parent_co_zParent","value":"extend"}]"#,
          #"[{"op":"set","key":"co_zMember","value":"reader"}]"#,
        ]),
      value(
        "co_zValue", ruleset: #"{"type":"ownedByGroup","group":"co_zGroup"}"#,
        meta: #"{"source":"co_zSource"}"#, session: "co_zAuthor_session_z1"),
    ]
  }

  @Test(arguments: EnginePlace.allCases)
  func aStoreIsOneRequest(_ engine: EnginePlace) throws {
    let store = try VectorStore(engine)
    let connection = try store.connect()
    #expect(try requestCount(of: connection) {} == 0)
    for _ in 0..<3 {
      var isStored: Bool?
      let count = try requestCount(of: connection) { () throws(RecordFailure) in
        isStored = try connection.store([family[0]]).first?.isStored
      }
      #expect(count == 1 && isStored == true)
    }
    var storedCount = 0
    let many = try requestCount(of: connection) { () throws(RecordFailure) in
      storedCount = try connection.store((0..<100).map { value("co_z\($0)") }).count
    }
    #expect(many == 1 && storedCount == 100)
  }

  @Test(arguments: EnginePlace.allCases)
  func aLoadWithAllDependenciesIsOneRequest(_ engine: EnginePlace) throws {
    let store = try VectorStore(engine)
    _ = try store.connect().store(family)
    // A client that has nothing in memory.
    let connection = try store.connect()
    var ids: [String] = []
    var isFound = false
    let count = try requestCount(of: connection) { () throws(RecordFailure) in
      isFound = try connection.load(Array("co_zValue".utf8)) { message in
        ids.append(String(decoding: message.id, as: UTF8.self))
      }
    }
    #expect(count == 1 && isFound)
    #expect(
      ids == ["co_zParent", "co_zMember", "co_zGroup", "co_zSource", "co_zAuthor", "co_zValue"])
    let unknown = try requestCount(of: connection) { () throws(RecordFailure) in
      isFound = try connection.load(Array("co_zNone".utf8)) { _ in }
    }
    #expect(unknown == 1 && !isFound)
  }

  /// `RecordStorage` on a channel whose requests are counted from beside.
  @Test func aStorageSendsNoMore() async throws {
    let store = try VectorStore(.inProcess)
    _ = try store.connect().store(family)
    let offer = EngineOffer(at: .host, services: .records)
    let session = try LocalChannel.connect(to: offer)
    let storage = try await RecordStorage.start(store.path, RecordOpenOptions(), { (_, _) in }) {
      () throws(RecordFailure) in session
    }
    func requests() throws -> UInt32 { try session.withRing { $0.submittedCount } }
    let first = try requests()
    #expect(await storage.store(message("co_zNew")))
    #expect(try requests() == first + 1)
    let loaded = FutexLock(0)
    #expect(await storage.load("co_zValue") { _ in loaded.withLock { $0 += 1 } })
    #expect(loaded.withLock { $0 } == 6)
    #expect(try requests() == first + 2)
    // With a correction, a store is three: the store, what the engine has, and the correction.
    let isStored = await storage.store(message("co_zNew", after: 3, hasHeader: false)) { known in
      [message("co_zNew", after: known["s"], count: 3, hasHeader: false)]
    }
    #expect(isStored)
    #expect(try requests() == first + 5)
  }
}
