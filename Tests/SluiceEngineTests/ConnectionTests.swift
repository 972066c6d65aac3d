// Statements over the channel, as a client sees them.

import CEngine
import Foundation
import SluiceClient
import Testing

@testable import SluiceSQL

@Suite struct ConnectionTests {
  private let engine: TestEngine

  init() throws { engine = try TestEngine() }

  @Test func rowsColumnsAndTypesArriveAsTheyAre() throws {
    let connection = try engine.connect()
    try connection.rows("CREATE TABLE t(a, b, c, d, e)")
    let values: [TestValue] = [
      .integer(.max), .real(-0.1), .text("a\0ü"), .blob([0, 255]), .null,
    ]
    let insert = try connection.open(
      "INSERT INTO t VALUES(?,?,?,?,?)", values[0], values[1], values[2], values[3], values[4])
    #expect(insert.changes == 1)
    #expect(insert.lastInsertedRowID == 1)
    #expect(try connection.rows("SELECT * FROM t") == [values])
    let doubled = try connection.open("SELECT a AS x, b AS x, x'' AS y FROM t")
    #expect(doubled.columnNames == ["x", "x", "y"])
    #expect(try doubled.rest() == [[.integer(.max), .real(-0.1), .blob([])]])
    let empty = try connection.open("SELECT a FROM t WHERE 0")
    #expect(empty.columnNames == ["a"])
    #expect(try empty.rest() == [])
  }

  @Test func changesAreThoseOfTheStatement() throws {
    let connection = try engine.connect()
    try connection.rows("CREATE TABLE t(a)")
    #expect(try connection.open("INSERT INTO t VALUES(1),(2),(3)").changes == 3)
    #expect(try connection.open("UPDATE t SET a = a + 1").changes == 3)
    #expect(try connection.open("SELECT * FROM t").changes == 0)
    #expect(try connection.open("UPDATE t SET a = 0 WHERE a > 99").changes == 0)
    #expect(try connection.open("CREATE TABLE u(a)").changes == 0)
  }

  @Test func anErrorSaysWhatAndWhere() throws {
    let connection = try engine.connect()
    let syntax = connection.failure("SELECT 1 +")
    #expect(
      syntax == .sqlite(code: SQLITE_ERROR, message: Array("incomplete input".utf8), offset: -1))
    guard case .sqlite(_, _, let offset)? = connection.failure("SELECT nosuch FROM sqlite_schema")
    else {
      Issue.record("no error")
      return
    }
    #expect(offset == 7)
    try connection.rows("CREATE TABLE t(a UNIQUE)")
    try connection.rows("INSERT INTO t VALUES(1)")
    let unique = try #require(connection.failure("INSERT INTO t VALUES(1)"))
    #expect(unique.code == SQLITE_CONSTRAINT | (8 << 8))
    #expect(unique.text == "UNIQUE constraint failed: t.a")
    #expect(try connection.rows("SELECT a FROM t") == [[1]])
  }

  @Test func aMillionRowsComePageByPageBesideOtherStatements() throws {
    let connection = try engine.connect()
    let cursor = try connection.open(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)"
        + " SELECT i, 'row ' || i FROM n")
    var count: Int64 = 0
    while try cursor.step() {
      count += 1
      guard case .integer(let number) = try cursor.value(0), number == count else {
        Issue.record("row \(count) is another")
        return
      }
      if count % 100_000 == 1 {
        #expect(try connection.rows("SELECT ? + 1", .integer(count)) == [[.integer(count + 1)]])
      }
    }
    #expect(count == 1_000_000)
  }

  @Test func manyHalfReadCursorsKeepTheirRows() throws {
    let connection = try engine.connect()
    let sql =
      "WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 + 4999)"
      + " SELECT i, 'row ' || i FROM n"
    var cursors: [SQLCursor] = []
    for number in 0..<40 {
      let cursor = try connection.open(sql, .integer(Int64(number) * 10_000))
      for _ in 0..<300 { #expect(try cursor.step()) }
      cursors.append(cursor)
    }
    for (number, cursor) in cursors.enumerated() {
      var expected = Int64(number) * 10_000 + 300
      while try cursor.step() {
        guard try cursor.row()[0] == .integer(expected) else {
          Issue.record("cursor \(number) has another row than \(expected)")
          return
        }
        expected += 1
      }
      #expect(expected == Int64(number) * 10_000 + 5000)
    }
  }

  @Test func longValuesGoInAndComeBack() throws {
    let connection = try engine.connect()
    try connection.rows("CREATE TABLE t(a, b, c)")
    for byteCount in [0, 1, 15_000, 16_300, 65_000, 65_536, 1_000_000, 20 << 20] {
      let blob = TestValue.blob((0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 31) })
      let text = TestValue.text(String(repeating: "ä", count: byteCount / 2))
      try connection.rows("INSERT INTO t VALUES(?,?,?)", blob, .integer(Int64(byteCount)), text)
      let found = try connection.rows(
        "SELECT a, b, c FROM t WHERE b = ?", .integer(Int64(byteCount)))
      #expect(found == [[blob, .integer(Int64(byteCount)), text]], "\(byteCount)")
    }
    #expect(try connection.rows("SELECT b FROM t ORDER BY length(a)").count == 8)
    // Rows with long values among short ones.
    let all = try connection.rows("SELECT c, a, b FROM t ORDER BY b DESC")
    #expect(all.count == 8)
    #expect(all[0][2] == .integer(20 << 20))
  }

  @Test func aLongTextOfSQLIsOne() throws {
    let connection = try engine.connect()
    let numbers = (0..<20_000).map { String($0) }.joined(separator: ",")
    #expect(
      try connection.rows("SELECT count(*) FROM sqlite_schema WHERE rootpage IN (\(numbers))") == [
        [0]
      ])
    let tooLong = "SELECT 1 --" + String(repeating: "x", count: 1 << 20)
    #expect(connection.failure(tooLong)?.code == SQLITE_TOOBIG)
    #expect(try connection.rows("SELECT 1") == [[1]])
  }

  @Test func returnedRowsAreReadAfterTheStatementIsDone() throws {
    let connection = try engine.connect()
    try connection.rows("CREATE TABLE t(a INTEGER PRIMARY KEY, b)")
    try connection.rows("BEGIN")
    let cursor = try connection.open(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
        + " INSERT INTO t SELECT i, 'value ' || i FROM n RETURNING a, b")
    #expect(cursor.changes == 5000)
    // A half-done statement would make this busy.
    try connection.rows("COMMIT")
    let rows = try cursor.rest()
    #expect(rows.count == 5000)
    #expect(rows.last == [5000, "value 5000"])
  }

  @Test func aTextIsCompiledAgainWhenTheSchemaChanges() throws {
    let connection = try engine.connect()
    try connection.rows("CREATE TABLE t(a)")
    try connection.rows("INSERT INTO t VALUES(1)")
    for _ in 0..<3 { #expect(try connection.rows("SELECT * FROM t") == [[1]]) }
    try connection.rows("ALTER TABLE t ADD COLUMN b DEFAULT 2")
    let cursor = try connection.open("SELECT * FROM t")
    #expect(cursor.columnNames == ["a", "b"])
    #expect(try cursor.rest() == [[1, 2]])
    for number in 0..<1000 { #expect(try connection.rows("SELECT \(number)").count == 1) }
    #expect(try connection.rows("SELECT * FROM t") == [[1, 2]])
  }

  @Test func autocommitIsToldWithEachAnswer() throws {
    let connection = try engine.connect()
    try connection.rows("CREATE TABLE t(a UNIQUE ON CONFLICT ROLLBACK)")
    #expect(connection.isAutocommit)
    try connection.rows("BEGIN")
    #expect(!connection.isAutocommit)
    try connection.rows("INSERT INTO t VALUES(1)")
    #expect(!connection.isAutocommit)
    #expect(connection.failure("INSERT INTO t VALUES(1)") != nil)
    #expect(connection.isAutocommit)
    #expect(try connection.rows("SELECT * FROM t") == [])
  }

  @Test func anEndlessQueryIsCancelledAndNoOther() throws {
    let connection = try engine.connect()
    let endless =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    for _ in 0..<20 {
      try connection.rows("BEGIN")
      let box = Unchecked(connection)
      let canceller = Foundation.Thread {
        usleep(20_000)
        box.value.cancel()
      }
      canceller.start()
      #expect(connection.failure(endless)?.code == SQLITE_INTERRUPT)
      #expect(try connection.rows("SELECT 1") == [[1]])
      try connection.rows("ROLLBACK")
    }
    // When nothing is under way, a cancel does nothing.
    connection.cancel()
    #expect(try connection.rows("SELECT 2") == [[2]])
  }

  @Test func aDeadlineEndsAStatement() throws {
    let connection = try engine.connect()
    let endless =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    #expect(connection.failure(endless, deadlineMilliseconds: 50)?.code == SQLITE_INTERRUPT)
    #expect(try connection.rows("SELECT 1") == [[1]])
  }

  @Test func whatAClientMayNotDoIsRefused() throws {
    let connection = try engine.connect()
    try connection.rows("CREATE TABLE t(a)")
    for sql in [
      "ATTACH '/etc/passwd' AS x", "ATTACH ':memory:' AS x", "DETACH main",
      "VACUUM INTO '\(engine.directory)/copy.db'",
      "PRAGMA writable_schema = 1", "PRAGMA temp_store_directory = '/tmp'",
      "PRAGMA busy_timeout = 1", "PRAGMA mmap_size = 1000000", "PRAGMA nosuch",
      "CREATE VIRTUAL TABLE v USING dbstat",
    ] {
      #expect(connection.failure(sql)?.code == SQLITE_AUTH, "\(sql)")
    }
    for call in ["load_extension('x')", "fts3_tokenizer('simple')"] {
      let text = connection.failure("SELECT \(call)")?.text ?? ""
      #expect(text.hasPrefix("not authorized to use function"), "\(text)")
    }
    #expect(connection.failure("INSERT INTO sqlite_schema VALUES(1,2,3,4,5)") != nil)
    try connection.rows("VACUUM")
    #expect(try connection.rows("PRAGMA integrity_check") == [["ok"]])
  }

  @Test func aReadOnlyConnectionChangesNothing() throws {
    let writer = try engine.connect()
    try writer.rows("CREATE TABLE t(a)")
    let reader = try engine.connect(mode: .open, options: .readOnly)
    #expect(try reader.rows("SELECT count(*) FROM t") == [[0]])
    #expect(try reader.rows("EXPLAIN SELECT * FROM t").count > 3)
    for sql in [
      "INSERT INTO t VALUES(1)", "CREATE TABLE u(a)", "PRAGMA journal_mode = DELETE",
      "PRAGMA user_version = 3", "DROP TABLE t",
    ] {
      let code = reader.failure(sql)?.code ?? 0
      #expect(code & 0xff == SQLITE_READONLY || code == SQLITE_AUTH, "\(sql): \(code)")
    }
    #expect(throws: SQLFailure.self) { _ = try engine.connect("new.db", options: .readOnly) }
  }

  @Test func openKeepsToItsMode() throws {
    #expect(throws: SQLFailure.self) { _ = try engine.connect("absent.db", mode: .open) }
    #expect(!FileManager.default.fileExists(atPath: engine.directory + "/absent.db"))
    let first = try engine.connect("new.db", mode: .create)
    try first.rows("CREATE TABLE t(a)")
    #expect(throws: SQLFailure.self) { _ = try engine.connect("new.db", mode: .create) }
    #expect(
      try engine.connect("new.db", mode: .open).rows("SELECT name FROM sqlite_schema") == [["t"]])
    #expect(try first.rows("PRAGMA journal_mode") == [["wal"]])
    try Data("no database at all, but long enough".utf8).write(
      to: URL(fileURLWithPath: engine.directory + "/text.db"))
    #expect(throws: SQLFailure.self) { _ = try engine.connect("text.db", mode: .open) }
  }

  @Test func anImageIsADatabaseAndMakesAnother() throws {
    let connection = try engine.connect()
    try connection.rows("CREATE TABLE t(a, b)")
    try connection.rows("BEGIN")
    for number in 0..<3000 {
      try connection.rows("INSERT INTO t VALUES(?, ?)", .integer(Int64(number)), "some text")
    }
    var image: [UInt8] = []
    #expect(throws: SQLFailure.self) { try unsafe connection.export { _ in } }
    try connection.rows("COMMIT")
    try unsafe connection.export { unsafe image.append(contentsOf: $0) }
    let file = engine.directory + "/copy.db"
    try Data(image).write(to: URL(fileURLWithPath: file))
    #expect(
      try engine.connect("copy.db").rows("SELECT count(*), sum(a) FROM t") == [[3000, 4_498_500]])
    for name in ["seeded.db", ":memory:"] {
      let seeded = try engine.connect(name, mode: .create, seed: image)
      #expect(try seeded.rows("PRAGMA integrity_check") == [["ok"]], "\(name)")
      #expect(try seeded.rows("SELECT count(*) FROM t") == [[3000]], "\(name)")
    }
    #expect(throws: SQLFailure.self) {
      _ = try engine.connect("bad.db", mode: .create, seed: [1, 2, 3])
    }
  }

  @Test func severalStatementsAreOneOnlyWhereThatIsWanted() throws {
    let connection = try engine.connect()
    let failure = connection.failure("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    #expect(failure?.code == SQLITE_MISUSE)
    #expect(try connection.rows("SELECT count(*) FROM sqlite_schema") == [[0]])
    #expect(try connection.rows("SELECT 1; -- a comment\n ;") == [[1]])
    #expect(try connection.rows("-- nothing") == [])
    let script = "CREATE TABLE t(a); INSERT INTO t VALUES(1); SELECT a FROM t;"
    var rest = script
    var rows: [[TestValue]] = []
    while !rest.isEmpty {
      let cursor = try connection.open(rest, options: .firstOnly)
      rows += try cursor.rest()
      rest =
        cursor.tail == 0 ? "" : String(decoding: Array(rest.utf8)[cursor.tail...], as: UTF8.self)
    }
    #expect(rows == [[1]])
  }

  @Test func twoClientsDoNotMeetInOneTransaction() throws {
    let first = try engine.connect()
    let second = try engine.connect(busyMilliseconds: 50)
    try first.rows("CREATE TABLE t(a)")
    try first.rows("BEGIN IMMEDIATE")
    try first.rows("INSERT INTO t VALUES(1)")
    #expect(try second.rows("SELECT count(*) FROM t") == [[0]])
    #expect(second.failure("INSERT INTO t VALUES(2)")?.code == SQLITE_BUSY)
    try first.rows("ROLLBACK")
    try second.rows("INSERT INTO t VALUES(2)")
    #expect(try first.rows("SELECT a FROM t") == [[2]])
  }

  @Test func aClientThatEndsIsRolledBackAtOnce() throws {
    let first = try engine.connect()
    try first.rows("CREATE TABLE t(a)")
    try first.rows("BEGIN IMMEDIATE")
    try first.rows("INSERT INTO t VALUES(1)")
    first.end()
    let second = try engine.connect()
    try second.rows("INSERT INTO t VALUES(2)")
    #expect(try second.rows("SELECT a FROM t") == [[2]])
    #expect(throws: SQLFailure.self) { _ = try first.rows("SELECT 1") }
  }

  @Test func aWrongNumberOfValuesIsRefused() throws {
    let connection = try engine.connect()
    let failure = connection.failure("SELECT ?, ?", 1)
    #expect(failure?.code == SQLITE_RANGE)
    #expect(failure?.text == "the statement has 2 parameters, and 1 values came")
    #expect(try connection.rows("SELECT ?2, ?1", 1, 2) == [[2, 1]])
  }
}

/// Passes what one thread uses at a time to another.
struct Unchecked<Value>: @unchecked Sendable {
  let value: Value
  init(_ value: Value) { self.value = value }
}
