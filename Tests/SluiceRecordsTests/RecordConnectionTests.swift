// The blocking connection on a real engine.

import EngineTestSupport
import SluiceRecords
import SluiceSystem
import SluiceWire
import TestSupport
import Testing

@testable import SluiceEngine

@Suite(.timeLimit(.minutes(5))) struct RecordConnectionTests {
  @Test(arguments: EnginePlace.allCases)
  func manyMessagesAreStoredUpToTheFirstThatIsNot(_ engine: EnginePlace) throws {
    let store = try VectorStore(engine)
    let connection = try store.connect()
    #expect(connection.schemaVersion == 1)
    let sound = (0..<2000).map { RecordStore(message("co_z\($0)")) }
    let lame = RecordStore(message("co_none", after: 3, hasHeader: false))
    let late = RecordStore(message("co_late"))
    let results = try connection.store(sound + [lame] + Array(repeating: late, count: 500))
    #expect(results.count == 2001)
    #expect(results.dropLast().allSatisfy { $0 == .stored([1]) })
    #expect(results.last == .noHeader)
    #expect(try connection.knownState(late.message.id) == nil)
    #expect(try connection.count() == 2000)
    let gap = try connection.store([
      RecordStore(message("co_z1", after: 5)), RecordStore(late.message),
    ])
    #expect(gap == [.gaps([1])])
    #expect(try connection.store([late]) == [.stored([1])])
    #expect(try connection.store([]) == [])
    try connection.close()
    #expect(throws: RecordFailure.self) { try connection.count() }
  }

  @Test func severalLoadsAreUnderWayBesideOtherCalls() throws {
    let store = try VectorStore(.inProcess)
    let connection = try store.connect()
    for value in 0..<5 {
      // Pages of several messages each.
      for part in 0..<10 {
        let content = message(
          "co_z\(value)", after: UInt64(10 * part), count: 10, byteCount: 12_000)
        #expect(try connection.store([RecordStore(content)]).first?.isStored == true)
      }
    }
    var ends: [UInt32: UInt64] = [:]
    var numbers: [UInt32: String] = [:]
    for value in 0..<5 {
      numbers[try connection.beginLoad(Array("co_z\(value)".utf8))] = "co_z\(value)"
    }
    numbers[try connection.beginLoad(Array("co_none".utf8))] = "co_none"
    var foundCount = 0
    var callCount = 0
    while let (load, event) = try connection.loadedNext() {
      switch event {
      case .message(let message):
        #expect(String(decoding: message.id, as: UTF8.self) == numbers[load])
        #expect(message.sessions[0].after == ends[load] ?? 0)
        ends[load] = message.sessions[0].after + UInt64(message.sessions[0].transactions.count)
        callCount += 1
        // Other calls come between the pages.
        #expect(try connection.count() == 5)
        try connection.unmount(Array("co_z0".utf8))
        let more = RecordStore(message, deleteIsValid: false)
        #expect(try connection.store([more]).first?.isStored == true)
      case .found: foundCount += 1
      case .notFound: #expect(numbers[load] == "co_none")
      case .failed(let reason): Issue.record("\(String(decoding: reason, as: UTF8.self))")
      }
    }
    #expect(foundCount == 5 && callCount >= 5)
    #expect(ends.values.allSatisfy { $0 == 100 } && ends.count == 5)
    #expect(try connection.loadedNext() == nil)
  }

  @Test func anImportIsWholeOrNotAtAll() throws {
    let store = try VectorStore(.inProcess)
    let connection = try store.connect()
    try connection.importing(.begin)
    _ = try connection.store((0..<100).map { RecordStore(message("co_z\($0)")) })
    try connection.importing(.giveUp)
    #expect(try connection.count() == 0)
    try connection.importing(.begin)
    _ = try connection.store((0..<100).map { RecordStore(message("co_z\($0)")) })
    try connection.importing(.commit)
    #expect(try connection.count() == 100)
    try connection.importing(.begin)
    _ = try connection.store([RecordStore(message("co_lost"))])
    connection.end()
    let other = try store.connect()
    #expect(try other.count() == 100)
    var findings: [[UInt8]] = []
    try other.verify { findings.append($0) }
    #expect(findings == [])
  }

  @Test func theRestOfTheCallsWorkBlocking() throws {
    let store = try VectorStore(.inProcess)
    let connection = try store.connect()
    let id = Array("co_z1".utf8)
    let deletion = message("co_z1", "x$")
    _ = try connection.store([
      RecordStore(message("co_z1")), RecordStore(deletion, deleteIsValid: true),
    ])
    #expect(
      try connection.knownState(id) == [
        RecordCounter(session: Array("s".utf8), count: 1),
        RecordCounter(session: Array("x$".utf8), count: 1),
      ])
    #expect(try connection.erase(.all) == 0)
    #expect(
      try connection.knownState(id) == [RecordCounter(session: Array("x$".utf8), count: 1)])
    try connection.track([
      RecordSyncUpdate(id: id, peer: [1], isSynced: false),
      RecordSyncUpdate(id: [2], peer: [1], isSynced: false),
      RecordSyncUpdate(id: [2], peer: [1], isSynced: true),
    ])
    var unsynced: [[UInt8]] = []
    try connection.unsynced { unsynced.append($0) }
    #expect(unsynced == [id])
    try connection.stopTracking(id)
    unsynced = []
    try connection.unsynced { unsynced.append($0) }
    #expect(unsynced == [])
    #expect(try connection.ids(limit: 10, offset: 0) == [id])
    #expect(try connection.lock(.acquire, peer: [1], holder: [2]) == (.done, 0))
    #expect(try connection.load(id) { _ in })
    #expect(try !connection.load([9]) { _ in })
    try connection.roundTrip()
  }

  @Test func anErasureTellsHowManyValuesWait() throws {
    let store = try VectorStore(.inProcess)
    let connection = try store.connect()
    for value in 0..<5 {
      let id = "co_z\(value)"
      // The third has its delete session behind a gap, which is not stored.
      let deletion = message(id, "x$", after: value == 3 ? 1 : 0)
      _ = try connection.store([
        RecordStore(message(id)), RecordStore(deletion, deleteIsValid: true),
      ])
    }
    #expect(try connection.erase(.enable) == 0)
    #expect(try connection.erase(.all) == 1)
    #expect(try connection.erase(.all) == 1)
    _ = try connection.store([RecordStore(message("co_z3", "x$"))])
    #expect(try connection.erase(.all) == 0)
  }

  @Test(arguments: EnginePlace.allCases)
  func aValueIsNotErasedWhileItIsLoaded(_ engine: EnginePlace) throws {
    let store = try VectorStore(engine)
    let (connection, eraser) = (try store.connect(), try store.connect())
    for part in 0..<20 {
      let content = message("co_z1", after: UInt64(10 * part), count: 10, byteCount: 12_000)
      #expect(try connection.store([RecordStore(content)]).first?.isStored == true)
    }
    let deletion = RecordStore(message("co_z1", "x$"), deleteIsValid: true)
    #expect(try eraser.store([deletion]).first?.isStored == true)
    var count = 0
    var waitingCount: UInt64 = 0
    let isFound = try connection.load(Array("co_z1".utf8)) { message throws(RecordFailure) in
      if count == 0 { waitingCount = try eraser.erase(.all) }
      for session in message.sessions { count += session.transactions.count }
    }
    #expect(isFound && count == 201 && waitingCount == 1)
    #expect(try eraser.erase(.all) == 0)
    #expect(try connection.knownState(Array("co_z1".utf8))?.count == 1)
    // A client that ends in the middle of a load holds nothing up.
    let other = RecordStore(message("co_z2", count: 90, byteCount: 12_000))
    let gone = RecordStore(message("co_z2", "x$"), deleteIsValid: true)
    _ = try eraser.store([other, gone])
    _ = try connection.beginLoad(Array("co_z2".utf8))
    _ = try connection.loadedNext()
    connection.end()
    while try eraser.erase(.all) > 0 { Clock.sleep(nanoseconds: 1_000_000) }
  }

  @Test func aRefusedLoadConcernsNoOtherOne() throws {
    let store = try VectorStore(.inProcess)
    let connection = try store.connect()
    _ = try connection.store([RecordStore(message("co_z1"))])
    // More than an argument area holds.
    #expect(throws: RecordFailure.tooLarge) {
      try connection.load([UInt8](repeating: 1, count: 5000)) { _ in }
    }
    #expect(try connection.load(Array("co_z1".utf8)) { _ in })
    let refusing = FutexLock(1)
    let engine = try ScriptedEngine { (operation, _, _) in
      let isRefused = refusing.withLock { left in
        left -= 1
        return left == 0
      }
      if operation == .recordsLoad, isRefused { return .refused(.limitReached) }
      return .done(ScriptedEngine.page(2, .found))
    }
    let refused = try engine.connection()
    #expect(throws: RecordFailure.refused(.limitReached)) { try refused.load([1]) { _ in } }
    #expect(try refused.load([2]) { _ in })
  }
}
