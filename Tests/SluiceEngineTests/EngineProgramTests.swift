// Scenarios of clients beside one another on a real engine over a file sidecar.

import CEngine
import Foundation
import SluiceChannel
import SluiceClient
import SluiceSystem
import SluiceWire
import Testing

@testable import SluiceSQL

private let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"

@Suite(.timeLimit(.minutes(3))) struct EngineProgramTests {
  private let engine: EngineProgram

  init() throws { engine = try EngineProgram() }

  // MARK: Two clients

  @Test func aWriteWaitsItsTurnAndNeverLandsInAnothersTransaction() throws {
    let first = try engine.connect()
    let second = try engine.connect()
    let hurried = try engine.connect(busyMilliseconds: 50)
    try first.rows("CREATE TABLE t(a)")
    try first.rows("INSERT INTO t VALUES(1)")
    try first.rows("BEGIN IMMEDIATE")
    try first.rows("INSERT INTO t VALUES(2)")
    #expect(try second.rows("SELECT a FROM t") == [[1]])
    let busy = try #require(hurried.failure("INSERT INTO t VALUES(9)"))
    #expect(busy.code & 0xff == SQLITE_BUSY)
    let box = Handed(second)
    let waiting = try onThread { _ = try? box.value.rows("INSERT INTO t VALUES(3)") }
    usleep(50_000)
    #expect(try hurried.rows("SELECT count(*) FROM t") == [[1]])
    try first.rows("ROLLBACK")
    waiting.join()
    #expect(try first.rows("SELECT a FROM t") == [[1], [3]])
  }

  @Test func manyOpenersOfANewDatabaseAllGetIt() throws {
    for round in 0..<5 {
      let results = FutexLock((opened: 0, created: 0, seeded: 0, failures: [String]()))
      let seeder = try engine.connect(":memory:")
      try seeder.rows("CREATE TABLE s(a)")
      var image: [UInt8] = []
      try unsafe seeder.export { unsafe image.append(contentsOf: $0) }
      let seed = image
      let threads = try (0..<12).map { number in
        try onThread { [engine] in
          let kind = number % 3
          do {
            let connection = try engine.connect(
              "new-\(round)-\(kind)", mode: kind == 0 ? .either : .create,
              seed: kind == 2 ? seed : nil)
            if kind == 0 {
              try connection.rows("CREATE TABLE IF NOT EXISTS t(a)")
              try connection.rows("INSERT INTO t VALUES(1)")
            }
            if kind == 2 { try connection.rows("INSERT INTO s VALUES(1)") }
            results.withLock {
              if kind == 0 {
                $0.opened += 1
              } else if kind == 1 {
                $0.created += 1
              } else {
                $0.seeded += 1
              }
            }
          } catch let failure as SQLFailure {
            let isExpected = kind > 0 && failure.text == "the database exists already"
            results.withLock { if !isExpected { $0.failures.append(failure.text) } }
          } catch { results.withLock { $0.failures.append("\(error)") } }
        }
      }
      for thread in threads { thread.join() }
      results.withLock {
        #expect($0.failures == [])
        #expect($0.opened == 4 && $0.created == 1 && $0.seeded == 1)
      }
      let reader = try engine.connect("new-\(round)-0", mode: .open)
      #expect(try reader.rows("SELECT count(*) FROM t") == [[4]])
      #expect(try reader.rows("PRAGMA journal_mode") == [["wal"]])
      let seeded = try engine.connect("new-\(round)-2", mode: .open)
      #expect(try seeded.rows("SELECT count(*) FROM s") == [[1]])
    }
  }

  @Test func postedRequestsAreAnsweredInOrderAndEachThreadSeesItsOwn() throws {
    let names = ["left", "right"]
    let answers = FutexLock([String: [Int64]]())
    let threads = try names.map { name in
      try onThread { [engine] in
        guard let connection = try? engine.connect(name) else { return }
        _ = try? connection.rows("CREATE TABLE t(a)")
        let got = (try? posted(200, on: connection)) ?? []
        answers.withLock { $0[name] = got }
      }
    }
    for thread in threads { thread.join() }
    for name in names {
      #expect(answers.withLock { $0[name] } == Array(1...200), "\(name)")
      let connection = try engine.connect(name)
      #expect(
        try connection.rows("SELECT group_concat(a) FROM t")
          == [[.text((1...200).map(String.init).joined(separator: ","))]])
    }
  }

  /// Submits inserts without waiting; the row ids that the answers tell.
  private func posted(_ count: Int64, on connection: SQLConnection) throws -> [Int64] {
    let session = connection.session
    // From here on the ring is used behind the connection's back.
    if let free = connection.free.take() {
      try session.withRing { (ring) throws(ChannelFailure) in ring.release(free) }
    }
    var answers: [Int64] = []
    var underWay: [UInt32] = []
    let sql = Array("INSERT INTO t VALUES(?)".utf8)
    func take() throws {
      let number = underWay.removeFirst()
      try session.withRing { (ring) throws(ChannelFailure) in
        let answer = try session.answer(to: number, in: &ring)
        if answer.status == .done, let page = unsafe SQLPage(answer.payload) {
          answers.append(page.head.row_id)
        }
        ring.release(number)
      }
    }
    for value in 1...count {
      while true {
        let number = try session.withRing { (ring) throws(ChannelFailure) in
          try unsafe ring.submit(.sqlExecute, file: 0, NoFields(), room: 512) { range in
            unsafe range.storeBytes(of: 2, as: UInt64.self)
            unsafe range.storeBytes(of: 0, toByteOffset: 8, as: UInt64.self)
            var cells = unsafe SQLCellWriter(range, from: 16)
            unsafe sql.withUnsafeBytes { unsafe cells.text($0) }
            cells.integer(value)
          }
        }
        if let number {
          underWay.append(number)
          break
        }
        try take()
      }
    }
    #expect(underWay.count > 20)
    while !underWay.isEmpty { try take() }
    return answers
  }

  // MARK: Clients that die

  @Test func aClientThatDiesInATransactionLeavesNothing() throws {
    let other = try engine.connect()
    try other.rows("CREATE TABLE t(a)")
    for _ in 0..<20 {
      let doomed = try engine.connect()
      try doomed.rows("BEGIN IMMEDIATE")
      try doomed.rows("INSERT INTO t VALUES(1)")
      doomed.end()
      try other.rows("INSERT INTO t VALUES(2)")
    }
    #expect(try other.rows("SELECT a, count(*) FROM t GROUP BY a") == [[2, 20]])
  }

  @Test func aClientThatDiesInAStatementLeavesNothing() throws {
    let other = try engine.connect()
    try other.rows("CREATE TABLE t(a)")
    for sql in [
      "INSERT INTO t \(endless) SELECT i FROM n", "\(endless) SELECT max(i) FROM n",
      "UPDATE t SET a = (\(endless) SELECT max(i) FROM n)",
    ] {
      let doomed = try engine.connect()
      try doomed.rows("BEGIN IMMEDIATE")
      try doomed.rows("INSERT INTO t VALUES(1)")
      let box = Handed(doomed)
      let running = try onThread { _ = try? box.value.rows(sql) }
      usleep(50_000)
      doomed.end()
      try other.rows("INSERT INTO t VALUES(2)")
      running.join()
    }
    #expect(try other.rows("SELECT a, count(*) FROM t GROUP BY a") == [[2, 3]])
  }

  @Test func aClientThatDiesWithAHalfReadResultKeepsNobody() throws {
    let other = try engine.connect()
    try other.rows("CREATE TABLE t(a)")
    try other.rows(
      "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 50000)"
        + " SELECT i FROM n")
    let doomed = try engine.connect()
    try doomed.rows("BEGIN IMMEDIATE")
    let cursor = try doomed.open("SELECT a FROM t")
    #expect(try cursor.step())
    doomed.end()
    try other.rows("DELETE FROM t WHERE a > 10")
    // Nobody's snapshot is in the way.
    #expect(
      try eventually {
        try other.rows("PRAGMA wal_checkpoint(TRUNCATE)") == [[0, 0, 0]]
      })
    #expect(try other.rows("SELECT count(*) FROM t") == [[10]])
  }

  @Test func aConnectionThatWasEndedFailsAndEndsOnce() throws {
    let connection = try engine.connect()
    let cursor = try connection.open("\(endless) SELECT i FROM n")
    #expect(try cursor.step())
    connection.end()
    connection.end()
    #expect(connection.failure("SELECT 1") == .call(.sessionLost))
    #expect(throws: SQLFailure.self) { while try cursor.step() {} }
    cursor.close()
  }

  // MARK: The engine's death

  @Test func aKilledEngineFailsEachPendingCallAndLosesNoCommit() throws {
    for round in 0..<3 {
      let setup = try engine.connect()
      try setup.rows("CREATE TABLE IF NOT EXISTS t(client, a)")
      let acknowledged = FutexLock([Int64: Int64]())
      let failures = FutexLock([SQLFailure]())
      let clients = (0..<4).compactMap { number in
        try? onThread { [engine] in
          guard let connection = try? engine.connect() else { return }
          let number = Int64(round * 10 + number)
          do {
            for value in 1...Int64.max {
              if number % 10 == 3 {
                try connection.rows("\(endless) SELECT max(i) FROM n")
              }
              try connection.rows("INSERT INTO t VALUES(?, ?)", .integer(number), .integer(value))
              acknowledged.withLock { $0[number] = value }
            }
          } catch let failure as SQLFailure {
            failures.withLock { $0.append(failure) }
          } catch {}
        }
      }
      #expect(eventually { acknowledged.withLock { $0.count == 3 } })
      usleep(100_000)
      engine.destroy()
      for client in clients { client.join() }
      failures.withLock {
        #expect($0.count == 4)
        #expect(
          $0.allSatisfy { $0 == .call(.failed(.peerGone)) || $0 == .call(.sessionLost) }, "\($0)")
      }
      #expect(setup.failure("SELECT 1")?.code == SQLITE_IOERR)
      try engine.start()
      let after = try engine.connect(mode: .open)
      #expect(try after.rows("PRAGMA integrity_check") == [["ok"]])
      for (number, value) in acknowledged.withLock({ $0 }) {
        let row = try after.rows(
          "SELECT max(a), count(*) FROM t WHERE client = ?", .integer(number))
        // The one after the last acknowledged may have been committed, too.
        #expect(
          row == [[.integer(value), .integer(value)]]
            || row == [[.integer(value + 1), .integer(value + 1)]])
      }
    }
  }

  // MARK: Interruption

  @Test func aCancelledStatementIsTheOnlyOne() throws {
    let connection = try engine.connect()
    let other = try engine.connect(busyMilliseconds: 60_000)
    try connection.rows("CREATE TABLE t(a)")
    let box = Handed(connection)
    try connection.rows("BEGIN")
    try connection.rows("INSERT INTO t VALUES(1)")
    for _ in 0..<20 {
      let cancelling = try onThread {
        usleep(20_000)
        box.value.cancel()
      }
      let failure = try #require(connection.failure("\(endless) SELECT max(i) FROM n"))
      #expect(failure.code == SQLITE_INTERRUPT)
      cancelling.join()
      #expect(!connection.isAutocommit)
      #expect(try connection.rows("SELECT a FROM t") == [[1]])
    }
    // One that waits for a lock.
    let waiter = Handed(other)
    let waited = FutexLock<SQLFailure?>(nil)
    let waiting = try onThread {
      let failure = waiter.value.failure("INSERT INTO t VALUES(2)")
      waited.withLock { $0 = failure }
    }
    usleep(100_000)
    waiter.value.cancel()
    waiting.join()
    #expect(waited.withLock { $0 }?.code == SQLITE_INTERRUPT)
    try connection.rows("COMMIT")
    try other.rows("INSERT INTO t VALUES(3)")
    #expect(try connection.rows("SELECT a FROM t") == [[1], [3]])
  }

  @Test func aDeadlineEndsStatementsAndWaits() throws {
    let connection = try engine.connect()
    let other = try engine.connect()
    try connection.rows("CREATE TABLE t(a)")
    try connection.rows("BEGIN IMMEDIATE")
    let running = other.failure("\(endless) SELECT max(i) FROM n", deadlineMilliseconds: 50)
    #expect(running?.code == SQLITE_INTERRUPT)
    let waiting = other.failure("INSERT INTO t VALUES(1)", deadlineMilliseconds: 50)
    #expect(waiting?.code == SQLITE_INTERRUPT)
    #expect(other.isAutocommit)
    try connection.rows("COMMIT")
    try other.rows("INSERT INTO t VALUES(1)")
  }
}
