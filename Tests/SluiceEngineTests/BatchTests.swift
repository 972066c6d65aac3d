// Batches of statements, of which several are under way at a time.

import SluiceSQL
import Testing

@testable import SluiceSQL

private struct TestSteps: SQLBatchSteps {
  let steps: [(sql: String, values: [TestValue])]
  var stepCount: Int { steps.count }
  var none: TestParameters { TestParameters(values: []) }

  func withStep<R, E: Error>(
    _ index: Int, _ body: (UnsafeRawBufferPointer, TestParameters) throws(E) -> R
  ) throws(E) -> R {
    let result = unsafe Array(steps[index].sql.utf8).withUnsafeBytes { sql -> Result<R, E> in
      do throws(E) {
        return .success(try unsafe body(sql, TestParameters(values: steps[index].values)))
      } catch { return .failure(error) }
    }
    return try result.get()
  }
}

extension SQLConnection {
  /// The rows that each step changed, and the failure.
  fileprivate func batch(
    _ steps: [(sql: String, values: [TestValue])], isAtomic: Bool = false,
    deadlineMilliseconds: UInt32 = 0
  ) -> (changes: [Int64], failure: SQLBatchFailure?) {
    var changes: [Int64] = []
    do throws(SQLBatchFailure) {
      try batch(
        TestSteps(steps: steps), isAtomic: isAtomic, deadlineMilliseconds: deadlineMilliseconds
      ) { (index, result) in
        #expect(index == changes.count)
        changes.append(result.changes)
      }
      return (changes, nil)
    } catch {
      return (changes, error)
    }
  }

  fileprivate func numbers() throws -> [TestValue] {
    try rows("SELECT x FROM t ORDER BY rowid").map { $0[0] }
  }
}

struct BatchTests {
  private let engine: TestEngine
  private let connection: SQLConnection
  private static let insert = "INSERT INTO t VALUES (?)"

  init() throws {
    engine = try TestEngine()
    connection = try engine.connect()
    try connection.rows("CREATE TABLE t(x UNIQUE)")
  }

  private func inserts(_ numbers: some Sequence<Int>) -> [(sql: String, values: [TestValue])] {
    numbers.map { (BatchTests.insert, [.integer(Int64($0))]) }
  }

  @Test(arguments: [false, true])
  func stepsAreDoneInOrder(isAtomic: Bool) throws {
    var steps = inserts(1...1000)
    steps.insert(("UPDATE t SET x = -x", []), at: 500)
    steps.insert(("SELECT x FROM t", []), at: 700)
    let (changes, failure) = connection.batch(steps, isAtomic: isAtomic)
    #expect(failure == nil)
    #expect(changes.count == 1002 && changes[500] == 500 && changes[700] == 0)
    #expect(try connection.numbers().prefix(502).suffix(3) == [-500, 501, 502])
    #expect(connection.isAutocommit)
  }

  @Test(arguments: [0, 1, 2, 30, 99])
  func failureStopsABatchAndTellsItsStep(place: Int) throws {
    var steps = inserts(1...100)
    steps[place] = ("INSERT INTO nothing VALUES (1)", [])
    let (changes, failure) = connection.batch(steps)
    #expect(failure?.stepIndex == place)
    #expect(failure?.failure.code == 1)
    #expect(changes.count == place)
    #expect(try connection.numbers().count == place)
  }

  @Test(arguments: [1, 2, 30, 99])
  func knownStatementThatFailsSkipsTheOthers(place: Int) throws {
    var steps = inserts(1...100)
    steps[place] = (BatchTests.insert, [1])
    #expect(connection.batch(steps).failure?.stepIndex == place)
    #expect(try connection.numbers().count == place)
    try connection.rows("DELETE FROM t")
    #expect(connection.batch(steps, isAtomic: true).failure?.stepIndex == place)
    #expect(try connection.numbers().isEmpty)
    #expect(connection.isAutocommit)
  }

  @Test func failedAtomicBatchUndoesItselfAndNotTheTransactionAround() throws {
    try connection.rows("BEGIN")
    try connection.rows(BatchTests.insert, 7)
    let (_, failure) = connection.batch(inserts([1, 2, 1]), isAtomic: true)
    #expect(failure?.stepIndex == 2)
    #expect(!connection.isAutocommit)
    #expect(try connection.numbers() == [7])
    try connection.rows("COMMIT")
    #expect(try connection.numbers() == [7])
  }

  @Test func atomicBatchRefusesTransactionsOfItsOwn() throws {
    for statement in ["BEGIN", "COMMIT", "ROLLBACK"] {
      let (_, failure) = connection.batch(inserts([1]) + [(statement, [])], isAtomic: true)
      #expect(failure?.stepIndex == 1)
      #expect(failure?.failure.text.contains("atomic batch") == true)
    }
    #expect(try connection.numbers().isEmpty)
    #expect(connection.batch([("BEGIN", [])] + inserts([1]) + [("COMMIT", [])]).failure == nil)
    #expect(try connection.numbers() == [1])
  }

  @Test func statementThatRollsEverythingBackLeavesNothingToUndo() throws {
    try connection.rows(BatchTests.insert, 1)
    let steps = inserts([2]) + [("INSERT OR ROLLBACK INTO t VALUES (1)", [])] + inserts([3])
    #expect(connection.batch(steps, isAtomic: true).failure?.stepIndex == 1)
    #expect(connection.isAutocommit)
    #expect(try connection.numbers() == [1])
  }

  @Test func commitThatFailsIsTheEndsFailure() throws {
    try connection.rows("PRAGMA foreign_keys = ON")
    try connection.rows("CREATE TABLE c(x REFERENCES t(x) DEFERRABLE INITIALLY DEFERRED)")
    let (changes, failure) = connection.batch([("INSERT INTO c VALUES (9)", [])], isAtomic: true)
    #expect(changes.count == 1)
    #expect(failure?.stepIndex == 1)
    #expect(connection.isAutocommit)
    #expect(try connection.rows("SELECT count(*) FROM c") == [[0]])
  }

  @Test func forgottenStatementsAreSentOnceMore() throws {
    #expect(connection.batch(inserts(1...5)).failure == nil)
    // The engine keeps 256 statements, and those of another text push this one out. The client
    // forgets its own at another time.
    for number in 0..<250 { try connection.rows("SELECT \(number)") }
    let other = try engine.connect()
    try other.rows("SELECT 1")
    for number in 0..<20 {
      let cursor = try connection.open("SELECT \(number), ? FROM t", 1, rowCountMaximum: 1)
      #expect(try cursor.step())
    }
    #expect(connection.batch(inserts(6...60), isAtomic: true).failure == nil)
    #expect(try connection.numbers().count == 60)
  }

  @Test func valuesOfEverySizeGoThrough() throws {
    try connection.rows("CREATE TABLE b(x)")
    let sizes = [10, 16_000, 20_000, 70_000, 300_000, 10, 0]
    let steps = sizes.map {
      ("INSERT INTO b VALUES (?)", [TestValue.blob(Array(repeating: 7, count: $0))])
    }
    #expect(connection.batch(steps + steps, isAtomic: true).failure == nil)
    let lengths = try connection.rows("SELECT length(x) FROM b").map { $0[0] }
    #expect(lengths == (sizes + sizes).map { .integer(Int64($0)) })
  }

  @Test func deadlineIsThatOfTheWholeBatch() throws {
    let long = """
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
      INSERT INTO t SELECT i + ? FROM n
      """
    let steps = (0..<1000).map { (long, [TestValue.integer(Int64($0) * 1_000_000)]) }
    let (changes, failure) = connection.batch(steps, isAtomic: true, deadlineMilliseconds: 300)
    #expect(failure?.failure.code == 9)
    #expect(failure?.stepIndex == changes.count)
    #expect(try connection.numbers().isEmpty)
  }

  @Test func rowsOfAStepCanBeReadWhenTheBatchIsOver() throws {
    var cursors: [SQLCursor] = []
    let many =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) SELECT i FROM n"
    let steps = inserts(1...20) + [(many, [])] + inserts(21...40) + [(many, [])]
    try connection.batch(TestSteps(steps: steps), isAtomic: true) { (_, result) in
      if let cursor = result.cursor { cursors.append(cursor) }
    }
    for cursor in cursors {
      #expect(try cursor.rest().map { $0[0] } == (1...5000).map { .integer($0) })
    }
  }
}
