// What an engine answers to requests that no client of ours sends: the rules of Protocol/SQL.md
// where they are narrow.

import CEngine
import CSluice
import Foundation
import SluiceWire
import Testing

@testable import SluiceEngine

@Suite(.timeLimit(.minutes(2))) struct SessionTests {
  private let raw: RawSQLSession

  init() throws { raw = try RawSQLSession() }

  // MARK: Statements that are kept

  /// While the table is there it changes nothing, and an engine that believed this would tell the
  /// owner of a snapshot that there is nothing to save when it creates the table again.
  @Test func aKeptCreateIfNotExistsThatCreatesAgainDoesNotSayThatItOnlyReads() throws {
    let sql = "CREATE TABLE IF NOT EXISTS again(a)"
    #expect(try raw.execute(sql).reads == false)
    let kept = try raw.execute("CREATE TABLE IF NOT EXISTS  again(a)")
    #expect(kept.reads == false)
    #expect(try raw.execute("SELECT 1").reads)
    #expect(try raw.execute("DROP TABLE again").status == .done)
    let second = try raw.execute(id: kept.head.statement)
    #expect(second.status == .done)
    #expect(second.reads == false)
    #expect(try raw.execute("SELECT count(*) FROM again").cells == [0])
    // And the other way.
    #expect(try raw.execute(id: kept.head.statement).status == .done)
  }

  /// Short values are copied into memory of the statement's own, which grows between executions.
  @Test func valuesOfAnyLengthAreBoundAgainAndAgain() throws {
    let text = "SELECT ?1, ?2, ?3"
    var id: UInt64 = 0
    for count in [0, 1, 300, 5, 4000, 4096, 4097, 9000, 2, 4095, 0] {
      let values: [TestValue] = [
        .text(String(repeating: "a", count: count)), .blob([UInt8](repeating: 7, count: count / 2)),
        .text("b"),
      ]
      let answer = try raw.execute(id == 0 ? text : nil, id: id, values, room: 64 << 10)
      id = answer.head.statement
      #expect(answer.cells == values)
    }
    // A statement that stands on its row has the values that it was given.
    let other = try raw.execute(
      "SELECT ?1 UNION ALL SELECT ?1", [.text("kept")], rowCountMaximum: 1)
    _ = try raw.execute(nil, id: id, [.text("c"), .null, .text("d")])
    #expect(try raw.fetch(other.head.statement).cells == [.text("kept")])
  }

  @Test func aSessionCountsRowsAndKeptStatements() throws {
    raw.session.counts = StatementCounts()
    for _ in 0..<3 { _ = try raw.execute("SELECT 1 UNION ALL SELECT 2") }
    #expect(raw.session.counts.misses == 1)
    #expect(raw.session.counts.hits == 2)
    #expect(raw.session.counts.rows == 6)
    _ = try raw.execute("no statement")
    #expect(raw.session.counts.misses == 2)
    #expect(raw.session.counts.rows == 6)
  }

  // MARK: Several statements, chains

  @Test func aTextTellsWhereItGoesOnHoweverOftenItIsDone() throws {
    for _ in 0..<3 {
      let first = try raw.execute("SELECT 1; /* two */ SELECT 2 -- end", flags: 8)
      #expect(first.cells == [1])
      #expect(first.head.tail == 20)
      let whole = try raw.execute("SELECT 1; /* two */ SELECT 2 -- end")
      #expect(whole.outcome.errorNumber == SQLITE_MISUSE)
      #expect(whole.head.row_id == 20)
    }
    let commented = try raw.execute("SELECT 1; -- and no more\n ;/* no */")
    #expect(commented.status == .done)
    #expect(commented.head.tail == 0)
  }

  @Test func aChainedExecutionIsOnlyDoneBehindOneThatWas() throws {
    let chained = SLUICE_SQL_CHAINED
    let steps: [(String, flags: UInt32, room: Int, Status)] = [
      ("CREATE TABLE t(a UNIQUE)", chained, 16384, .done),
      ("INSERT INTO t VALUES(1)", chained, 16384, .done),
      ("INSERT INTO t VALUES(1)", chained, 16384, .sqlError),
      ("INSERT INTO t VALUES(2)", chained, 16384, .skipped),
      ("INSERT INTO t VALUES(3)", 0, 128, .tooLittleRoom),
      ("INSERT INTO t VALUES(4)", chained, 16384, .skipped),
      ("INSERT INTO t VALUES(5)", 0, 16384, .done),
      ("SELECT nosuch", 0, 16384, .sqlError),
      ("INSERT INTO t VALUES(6)", chained, 16384, .skipped),
      ("-- nothing", 0, 16384, .done),
      ("INSERT INTO t VALUES(7)", chained, 16384, .done),
    ]
    for (sql, flags, room, status) in steps {
      #expect(try raw.execute(sql, flags: flags, room: room).status == status, "\(sql)")
    }
    #expect(try raw.execute(id: 999).status == .unknownStatement)
    #expect(try raw.execute("SELECT 1", flags: chained).status == .skipped)
    #expect(try raw.execute("SELECT a FROM t ORDER BY a").cells == [1, 5, 7])
  }

  @Test func aBatchIsNotEndedFromWithin() throws {
    _ = try raw.execute("SAVEPOINT batch")
    for sql in [
      "BEGIN", "COMMIT", "ROLLBACK", "END", "SAVEPOINT x", "RELEASE batch", "ROLLBACK TO batch",
    ] {
      let answer = try raw.execute(sql, flags: SLUICE_SQL_IN_BATCH)
      #expect(answer.outcome.errorNumber == SQLITE_MISUSE, "\(sql)")
    }
    #expect(try raw.execute("RELEASE batch").status == .done)
  }

  // MARK: Room

  @Test func aLongNameIsCutAndTheStatementDoneOnce() throws {
    _ = try raw.execute("CREATE TABLE t(a)")
    let name = String(repeating: "ä", count: 10_000)
    let answer = try raw.execute(
      "INSERT INTO t VALUES(1) RETURNING a AS \"\(name)\"", room: 32 << 10)
    #expect(answer.cells == [1])
    #expect(answer.names == [Array(name.utf8)])
    let cut = try raw.execute("INSERT INTO t VALUES(2) RETURNING a AS \"\(name)\"", room: 20_100)
    #expect(cut.status == .done)
    #expect(cut.cells == [2])
    #expect(String(validating: cut.names?.first ?? [], as: UTF8.self) != nil)
    #expect(try raw.execute("SELECT count(*) FROM t").cells == [2])
  }

  @Test func aStatementWhoseColumnsGrewIsNotDoneTwice() throws {
    _ = try raw.execute("CREATE TABLE t(a)")
    let first = try raw.execute("INSERT INTO t(a) VALUES(1) RETURNING *", room: 512)
    #expect(first.status == .done)
    for number in 0..<40 { _ = try raw.execute("ALTER TABLE t ADD COLUMN c\(number)") }
    let second = try raw.execute(id: first.head.statement, room: 512)
    #expect(second.outcome.errorNumber == SQLITE_TOOBIG)
    #expect(second.message.contains("the rows are done"))
    #expect(try raw.execute("SELECT count(*) FROM t").cells == [2])
    let read = try raw.execute("SELECT * FROM t", room: 512)
    #expect(read.status == .tooLittleRoom)
  }

  @Test func anErrorThatDoesNotFitIsCutBetweenCharacters() throws {
    for count in 40..<60 {
      let name = "x" + String(repeating: "ä", count: count) + String(repeating: "😀", count: 60)
      let answer = try raw.execute(
        "SELECT * FROM \"\(String(repeating: "y", count: count))\(name)\"",
        room: 1000)
      #expect(answer.status == .sqlError)
      let short = try raw.execute(id: 0, [], farSQL: false, room: 256)
      #expect(short.message == "the request has no SQL")
      let bytes = answer.bytes.suffix(from: min(56, answer.bytes.count))
      #expect(String(validating: bytes.drop { $0 == 0 }, as: UTF8.self) != nil, "\(count)")
    }
  }

  @Test func aReturningStatementIsRefusedBeforeItIsDone() throws {
    _ = try raw.execute("CREATE TABLE t(a)")
    let rows =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<9) SELECT i FROM n"
    var cursors: [UInt64] = []
    for _ in 0..<Limits.cursorCountMaximum {
      let answer = try raw.execute(rows, rowCountMaximum: 1)
      #expect(answer.hasMore)
      cursors.append(answer.head.statement)
    }
    #expect(Set(cursors).count == Limits.cursorCountMaximum)
    #expect(try raw.execute(rows, rowCountMaximum: 1).status == .limitReached)
    #expect(try raw.execute("INSERT INTO t VALUES(1),(2) RETURNING a").status == .limitReached)
    #expect(try raw.execute("INSERT INTO t VALUES(3)").status == .done)
    #expect(try raw.execute("SELECT a FROM t").cells == [3])
    #expect(raw.session.reset(cursors[7]).status == .done)
    #expect(try raw.execute("INSERT INTO t VALUES(4) RETURNING a").cells == [4])
  }

  @Test func aPageOfEmptyValuesIsWhole() throws {
    let first = try raw.execute("SELECT '', x'', 1")
    #expect(first.cells == ["", .blob([]), 1])
    // Without names it has no bytes but its cells.
    let second = try raw.execute(id: first.head.statement)
    #expect(second.names == nil)
    #expect(second.cells == ["", .blob([]), 1])
    #expect(second.bytes.count == 40 + 3 * 16)
  }

  // MARK: Values in pieces

  @Test func piecesAreForOneExecution() throws {
    _ = try raw.execute("CREATE TABLE t(a, b)")
    #expect(raw.write(Array("ab".utf8), parameter: 1, of: 3) == .done)
    #expect(raw.write(Array("c".utf8), parameter: 1, offset: 2, of: 3) == .done)
    let wrong = try raw.execute("INSERT INTO nosuch VALUES(?)", [""], far: [0])
    #expect(wrong.status == .sqlError)
    let late = try raw.execute("INSERT INTO t(a) VALUES(?)", [""], far: [0])
    #expect(late.message == "parameter 1 was not sent whole")
    #expect(raw.write(Array("SELECT 7".utf8), parameter: 0xffff) == .done)
    #expect(try raw.execute(farSQL: true).cells == [7])
    #expect(try raw.execute(farSQL: true).message == "the request has no SQL")
    #expect(raw.session.pieces.isEmpty)
    // An image is for an open to come, and no statement has so many parameters.
    #expect(raw.write([1], parameter: 0) == .misuse)
    #expect(raw.write([1], parameter: UInt64(Limits.parameterCountMaximum) + 1) == .misuse)
    #expect(
      raw.write([1], parameter: 1, of: Int64(Limits.valueByteCountMaximum) + 1) == .limitReached)
  }

  @Test func aStatementThatIsDoneKeepsNoValueOfPieces() throws {
    let before = sqlite3_memory_used()
    for number in 0..<20 {
      let piece = [UInt8](repeating: 65, count: 64 << 10)
      for part in 0..<64 {
        let offset = Int64(part * piece.count)
        #expect(raw.write(piece, parameter: 1, offset: offset, of: 4 << 20) == .done)
      }
      let answer = try raw.execute("SELECT length(?) + \(number)", [.blob([])], far: [0])
      #expect(answer.cells == [.integer(Int64(4 << 20) + Int64(number))])
    }
    // Other tests run beside this one.
    #expect(sqlite3_memory_used() - before < 60 << 20)
  }

  @Test func valuesOfTheLargestSizeGoInAndComeBack() throws {
    _ = try raw.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a, b)")
    let size = Limits.valueByteCountMaximum
    let piece = (0..<64 << 10).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    for offset in stride(from: 0, to: size, by: piece.count) {
      guard raw.write(piece, parameter: 1, offset: Int64(offset), of: Int64(size)) == .done else {
        Issue.record("piece \(offset)")
        return
      }
    }
    let insert = try raw.execute("INSERT INTO t VALUES(1, ?, 'short')", [.blob([])], far: [0])
    #expect(insert.status == .done, "\(insert.message)")
    let answer = try raw.execute("SELECT a, b FROM t")
    #expect(answer.cells == [nil, "short"])
    let (status, last) = raw.readValue(
      answer.head.statement, column: 0, offset: Int64(size - 10), room: 100)
    #expect(status == .done)
    #expect(last == Array(piece.suffix(10)))
    #expect(raw.readValue(answer.head.statement, column: 0, offset: .max, room: 100).1 == [])
    #expect(raw.readValue(answer.head.statement, column: 2, offset: 0, room: 100).0 == .misuse)
  }

  // MARK: Statements

  @Test func anIdIsNeverUsedAgain() throws {
    let first = try raw.execute("SELECT 1").head.statement
    var last = first
    for number in 0..<2 * Limits.statementCountMaximum {
      let id = try raw.execute("SELECT \(number) + 1").head.statement
      #expect(id > last)
      last = id
    }
    #expect(raw.session.statements.count == Limits.statementCountMaximum)
    #expect(try raw.execute(id: first).status == .unknownStatement)
    #expect(try raw.execute("SELECT 1").head.statement > last)
  }

  @Test func anOpenThatFailsLeavesNothingBehind() throws {
    let directory = FileManager.default.temporaryDirectory.path + "/sluice-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try Data(
      "this is no database, but longer than a header of one, which has 100 bytes.........."
        .utf8 + [UInt8](repeating: 1, count: 4096)
    ).write(to: URL(filePath: directory + "/text"))
    for _ in 0..<200 {
      #expect(throws: RawSQLSession.Refused.self) {
        _ = try RawSQLSession(opening: directory + "/missing", mode: .open)
      }
      #expect(throws: RawSQLSession.Refused.self) {
        _ = try RawSQLSession(opening: directory + "/text", mode: .open)
      }
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["text"])
  }
}
