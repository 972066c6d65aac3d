// The engines in Swift: the same calls with the same results, in another process's place and in
// this process.

import Foundation
import SluiceSQL
import Testing

@testable import SluiceEngine

enum EngineKind: CaseIterable, Sendable {
  case local, memory, sidecar
}

/// Opens databases of one kind. What it opened lasts as long as it does.
final class EngineWorkshop: Sendable {
  let kind: EngineKind
  private let engine: TestEngine

  init(_ kind: EngineKind) throws {
    self.kind = kind
    engine = try TestEngine()
  }

  func path(_ name: String) -> String { "\(engine.directory)/\(name)" }

  func open(
    _ name: String = "test.db", mode: SQLOpenMode = .either, options: SQLOpenOptions = [],
    seed: [UInt8]? = nil, busyTimeout: Duration = .seconds(5)
  ) async throws -> SQLDatabase {
    switch kind {
    case .memory: try await MemoryEngine.open(options: options, seed: seed)
    case .local:
      try await LocalEngine.open(
        path(name), mode: mode, options: options, seed: seed, busyTimeout: busyTimeout)
    case .sidecar:
      try await SidecarEngine.open(
        path(name),
        onSocket: String(decoding: engine.path.dropLast().map { UInt8($0) }, as: UTF8.self),
        mode: mode, options: options, seed: seed, busyTimeout: busyTimeout)
    }
  }
}

/// The error of a call.
func sqlError<R>(
  _ body: () async throws -> R, sourceLocation: SourceLocation = #_sourceLocation
) async -> SQLError? {
  do {
    _ = try await body()
    Issue.record("no error", sourceLocation: sourceLocation)
    return nil
  } catch let error as SQLError {
    return error
  } catch {
    Issue.record("another error: \(error)", sourceLocation: sourceLocation)
    return nil
  }
}

@Suite struct EngineTests {
  @Test(arguments: EngineKind.allCases)
  func valuesColumnsAndChangesArriveAsTheyAre(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let database = try await workshop.open()
    #expect(database.sqliteVersion > 3_032_000)
    _ = try await database.exec("CREATE TABLE t(a, b, c, d, e)")
    let values: [SQLValue] = [.integer(.max), 0.5, "a\0ü", .blob([0, 255]), nil]
    let insert = try await database.exec("INSERT INTO t VALUES(?,?,?,?,?)", values)
    #expect(insert.changes == 1)
    #expect(insert.lastInsertedRowID == 1)
    #expect(insert.columns == [] && insert.rows == [])
    let result = try await database.exec("SELECT *, a AS a FROM t")
    #expect(result.columns == ["a", "b", "c", "d", "e", "a"])
    #expect(result.rows.map(\.values) == [values + [.integer(.max)]])
    #expect(result.changes == 0)
    let empty = try await database.exec("SELECT a FROM t WHERE 0")
    #expect(empty.columns == ["a"] && empty.rows == [])
    #expect(try await database.exec("UPDATE t SET a = 1").changes == 1)
  }

  @Test(arguments: EngineKind.allCases)
  func anErrorTellsCodeMessageAndPlace(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    defer { withExtendedLifetime(workshop) {} }
    let database = try await workshop.open()
    let error = await sqlError { try await database.exec("SELECT nosuch") }
    #expect(error?.reason == .sqlite)
    #expect(error?.code == 1)
    #expect(error?.message == "no such column: nosuch")
    #expect(error?.offset == 7)
    #expect(error?.isInTransaction == false)
    #expect(try await database.exec("SELECT 1").rows[0][0] == 1)
  }

  @Test(arguments: EngineKind.allCases)
  func aBatchStopsAtItsFailure(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    defer { withExtendedLifetime(workshop) {} }
    let database = try await workshop.open()
    _ = try await database.exec("CREATE TABLE t(a UNIQUE)")
    let steps = [1, 2, 1, 4, 5].map { SQLStep("INSERT INTO t VALUES(?)", [SQLValue($0)]) }
    let loose = await sqlError { try await database.execBatch(steps, isAtomic: false) }
    #expect(loose?.statementIndex == 2)
    #expect(loose?.code == 2067)
    #expect(try await database.exec("SELECT count(*) FROM t").rows[0][0] == 2)
    _ = try await database.exec("DELETE FROM t")
    let atomic = await sqlError { try await database.execBatch(steps) }
    #expect(atomic?.statementIndex == 2)
    #expect(atomic?.isInTransaction == false)
    #expect(try await database.exec("SELECT count(*) FROM t").rows[0][0] == 0)
    // Inside an open transaction only the batch is undone.
    _ = try await database.exec("BEGIN")
    _ = try await database.exec("INSERT INTO t VALUES(100)")
    #expect(await sqlError { try await database.execBatch(steps) }?.isInTransaction == true)
    _ = try await database.exec("COMMIT")
    #expect(try await database.exec("SELECT a FROM t").rows.map(\.values) == [[100]])
    let results = try await database.execBatch(
      [SQLStep("INSERT INTO t VALUES(7)"), SQLStep("SELECT count(*) FROM t")])
    #expect(results[0].changes == 1 && results[1].rows[0][0] == 2)
  }

  @Test(arguments: EngineKind.allCases)
  func anAtomicBatchCannotEndOrBeginATransaction(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    defer { withExtendedLifetime(workshop) {} }
    let database = try await workshop.open()
    _ = try await database.exec("CREATE TABLE t(a)")
    for word in ["BEGIN", "COMMIT", "ROLLBACK", "END", "SAVEPOINT x", "RELEASE \"sluice batch\""] {
      let steps = [SQLStep("INSERT INTO t VALUES(1)"), SQLStep(word)]
      let error = await sqlError { try await database.execBatch(steps) }
      #expect(error?.statementIndex == 1, "\(word)")
      #expect(try await database.exec("SELECT count(*) FROM t").rows[0][0] == 0, "\(word)")
    }
    // Not atomic: left open, as it says.
    let open = try await database.execBatch([SQLStep("BEGIN")], isAtomic: false)
    #expect(open[0].isInTransaction)
    _ = try await database.exec("ROLLBACK")
  }

  @Test(arguments: EngineKind.allCases)
  func aTransactionKeepsOrUndoesAllOfIt(kind: EngineKind) async throws {
    struct Stop: Error {}
    let workshop = try EngineWorkshop(kind)
    defer { withExtendedLifetime(workshop) {} }
    let database = try await workshop.open()
    _ = try await database.exec("CREATE TABLE t(a)")
    let sum = try await database.transaction { outer in
      _ = try await outer.exec("INSERT INTO t VALUES(1)")
      await #expect(throws: Stop.self) {
        try await outer.transaction { inner in
          _ = try await inner.exec("INSERT INTO t VALUES(10)")
          throw Stop()
        }
      }
      try await outer.transaction { _ = try await $0.exec("INSERT INTO t VALUES(100)") }
      return try await outer.exec("SELECT sum(a) FROM t").rows[0][0]
    }
    #expect(sum == 101)
    await #expect(throws: Stop.self) {
      try await database.transaction { transaction in
        _ = try await transaction.exec("DELETE FROM t")
        throw Stop()
      }
    }
    #expect(try await database.exec("SELECT sum(a) FROM t").rows[0][0] == 101)
  }

  @Test(arguments: EngineKind.allCases)
  func nobodyElsesStatementLandsInATransaction(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    defer { withExtendedLifetime(workshop) {} }
    let database = try await workshop.open()
    _ = try await database.exec("CREATE TABLE t(a)")
    let flag = Flag()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        try await database.transaction { transaction in
          _ = try await transaction.exec("INSERT INTO t VALUES(1)")
          flag.set()
          try await Task.sleep(for: .milliseconds(100))
          _ = try await transaction.exec("DELETE FROM t")
        }
      }
      for _ in 0..<20 {
        group.addTask {
          while !flag.isSet {
            try await Task.sleep(for: .milliseconds(1))
          }
          _ = try await database.exec("INSERT INTO t VALUES(2)")
        }
      }
      try await group.waitForAll()
    }
    #expect(try await database.exec("SELECT count(*) FROM t WHERE a = 2").rows[0][0] == 20)
    let misuse = await sqlError {
      try await database.transaction { _ in _ = try await database.exec("SELECT 1") }
    }
    #expect(misuse?.reason == .misuse)
    #expect(try await database.exec("SELECT 1").isInTransaction == false)
  }

  @Test(arguments: EngineKind.allCases)
  func callsOfManyTasksEachGetTheirOwnAnswer(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    defer { withExtendedLifetime(workshop) {} }
    let database = try await workshop.open()
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for number in 0..<200 {
        group.addTask {
          try await database.exec("SELECT ? * 2", [SQLValue(number)]).rows[0][0]
            == SQLValue(2 * number)
        }
      }
      for try await isRight in group { #expect(isRight) }
    }
  }

  @Test(arguments: EngineKind.allCases)
  func theCancellationOfATaskInterruptsItsStatementOnly(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    defer { withExtendedLifetime(workshop) {} }
    let database = try await workshop.open()
    let endless =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    for _ in 0..<10 {
      let first = Task { try await database.exec(endless) }
      try await Task.sleep(for: .milliseconds(10))
      let second = Task { try await database.exec("SELECT 2") }
      let waiting = Task { try await database.exec("SELECT 3") }
      waiting.cancel()
      first.cancel()
      #expect(await sqlError { try await first.value }?.reason == .interrupted)
      #expect(try await second.value.rows[0][0] == 2)
      switch await waiting.result {
      case .success(let result): #expect(result.rows[0][0] == 3)
      case .failure(let error): #expect((error as? SQLError)?.reason == .interrupted)
      }
    }
    let late = await sqlError {
      try await database.exec(endless, [], timeout: .milliseconds(50))
    }
    #expect(late?.reason == .interrupted)
  }

  @Test(arguments: EngineKind.allCases)
  func rowsAreReadAsTheyAreWanted(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    defer { withExtendedLifetime(workshop) {} }
    let database = try await workshop.open()
    let numbers =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
      + " SELECT i FROM n"
    var sum: Int64 = 0
    for try await row in database.rows(numbers) { sum += row[0].integer ?? 0 }
    #expect(sum == 5_000_050_000)
    // Endless, and left after ten.
    let endless =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
    var count = 0
    for try await _ in database.rows(endless) {
      count += 1
      if count == 10 { break }
    }
    #expect(try await database.exec("SELECT 1").rows[0][0] == 1)
    #expect(
      await sqlError { for try await _ in database.rows("SELECT nosuch") {} }?.code == 1)
  }

  @Test(arguments: EngineKind.allCases)
  func rowsAreDecodedByTheirColumns(kind: EngineKind) async throws {
    struct Person: Decodable, Equatable {
      var id: Int
      var name: String
      var height: Double?
      var isThere: Bool
    }
    let workshop = try EngineWorkshop(kind)
    defer { withExtendedLifetime(workshop) {} }
    let database = try await workshop.open()
    let sql =
      "SELECT 1 AS id, 'Ada' AS name, 1.5 AS height, 1 AS isThere, 'x' AS other"
      + " UNION ALL SELECT 2, 'Bo', NULL, 0, 'y'"
    let people = try await database.query(sql, as: Person.self)
    #expect(
      people == [
        Person(id: 1, name: "Ada", height: 1.5, isThere: true),
        Person(id: 2, name: "Bo", height: nil, isThere: false),
      ])
    #expect(try await database.query("SELECT 5", as: Int.self) == [5])
    await #expect(throws: DecodingError.self) {
      _ = try await database.query("SELECT 1 AS id", as: Person.self)
    }
    await #expect(throws: DecodingError.self) {
      _ = try await database.query("SELECT 300", as: UInt8.self)
    }
  }

  @Test(arguments: EngineKind.allCases)
  func afterTheCloseCallsFailAndASecondOneIsHarmless(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    defer { withExtendedLifetime(workshop) {} }
    let database = try await workshop.open()
    _ = try await database.exec("CREATE TABLE t(a)")
    _ = try await database.exec("BEGIN")
    _ = try await database.exec("INSERT INTO t VALUES(1)")
    #expect(await sqlError { try await database.close() }?.reason == .misuse)
    _ = try await database.exec("COMMIT")
    let underWay = Task { try await database.exec("SELECT count(*) FROM t") }
    _ = try await underWay.value
    try await database.close()
    try await database.close()
    #expect(await sqlError { try await database.exec("SELECT 1") }?.reason == .closed)
  }

  @Test(arguments: EngineKind.allCases)
  func anImageSeedsAnotherDatabase(kind: EngineKind) async throws {
    let workshop = try EngineWorkshop(kind)
    let database = try await workshop.open()
    _ = try await database.exec("CREATE TABLE t(a)")
    for number in 0..<500 {
      _ = try await database.exec("INSERT INTO t VALUES(?)", [SQLValue(number)])
    }
    let image = try await database.export()
    let other = try await workshop.open("other.db", mode: .create, seed: image)
    #expect(try await other.exec("SELECT sum(a) FROM t").rows[0][0] == 124_750)
    #expect(try await other.exec("PRAGMA integrity_check").rows[0][0] == "ok")
    _ = try await database.exec("BEGIN")
    #expect(await sqlError { try await database.export() }?.isInTransaction == true)
  }

  @Test func allEnginesGiveTheSameBytes() async throws {
    let script = [
      SQLStep("CREATE TABLE t(a, b)"), SQLStep("INSERT INTO t VALUES(1, 'x'), (2, x'00ff')"),
      SQLStep("SELECT *, typeof(b), 1.0/3 FROM t"), SQLStep("UPDATE t SET a = a + 1"),
      SQLStep("SELECT * FROM t ORDER BY a DESC"), SQLStep("EXPLAIN QUERY PLAN SELECT * FROM t"),
      SQLStep("INSERT INTO t VALUES(3, NULL) RETURNING rowid, b"),
    ]
    var results: [[SQLResult]] = []
    for kind in EngineKind.allCases {
      let workshop = try EngineWorkshop(kind)
      defer { withExtendedLifetime(workshop) {} }
      results.append(try await workshop.open().execBatch(script))
    }
    #expect(results[0] == results[1])
    #expect(results[0] == results[2])
  }
}

@Suite struct CancellationTests {
  /// However early the cancellation comes, the statement does not run for ever.
  @Test func noCancellationIsLost() async throws {
    let database = try await MemoryEngine.open()
    let endless =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    for number in 0..<2000 {
      let task = Task { try await database.exec(endless) }
      for _ in 0..<(number % 40) { await Task.yield() }
      task.cancel()
      #expect(await sqlError { try await task.value }?.reason == .interrupted)
    }
    #expect(try await database.exec("SELECT 1").rows[0][0] == 1)
  }
}
