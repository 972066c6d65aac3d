// What a real engine keeps within bounds: its memory, its files, what a reader may do.

import CEngine
import Foundation
import Glibc
import SluiceClient
import SluiceWire
import Testing

@testable import SluiceSQL

@Suite(.timeLimit(.minutes(3))) struct EngineBoundsTests {
  private let engine: EngineProgram

  init() throws { engine = try EngineProgram() }

  private let million =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)"

  @Test func aMillionRowsNeedNoMemory() throws {
    let connection = try engine.connect()
    try connection.rows("CREATE TABLE t(i INTEGER PRIMARY KEY, a)")
    try connection.rows(
      "INSERT INTO t \(million) SELECT i, 'a row of some fifty bytes, number ' || i FROM n")
    let before = engine.memoryPeakByteCount
    let own = EngineProgram.memory("VmHWM", of: getpid())
    let cursor = try connection.open("SELECT i, a FROM t")
    var count: Int64 = 0
    while try cursor.step() {
      count += 1
      if count % 100_000 == 0 {
        #expect(try connection.rows("SELECT a FROM t WHERE i = ?", .integer(count)).count == 1)
      }
    }
    #expect(count == 1_000_000)
    // A result left after a few rows costs a page.
    for _ in 0..<1000 {
      let left = try connection.open("SELECT i, a FROM t")
      for _ in 0..<10 { #expect(try left.step()) }
    }
    #expect(engine.memoryPeakByteCount - before < 8 << 20)
    // Other tests run in this process.
    #expect(EngineProgram.memory("VmHWM", of: getpid()) - own < 400 << 20)
  }

  @Test func manyTextsAndConnectionsLeaveNoMemory() throws {
    func work(_ round: Int) throws {
      let connection = try engine.connect()
      for number in 0..<2000 { try connection.rows("SELECT \(number), \(round) + 1") }
      let values = TestParameters(values: [.blob([UInt8](repeating: 1, count: 1 << 20))])
      for number in 0..<20 {
        try unsafe Array("SELECT length(?), \(number)".utf8).withUnsafeBytes {
          _ = try unsafe connection.execute($0, values)
        }
      }
      for _ in 0..<20 { _ = try engine.connect() }
    }
    for round in 0..<3 { try work(round) }
    let before = engine.memoryByteCount
    for round in 0..<10 { try work(round) }
    #expect(engine.memoryByteCount - before < 24 << 20)
  }

  @Test func aStatementIsCompiledOnceUntilTheSchemaChanges() throws {
    let connection = try engine.connect()
    try connection.rows("CREATE TABLE t(a)")
    try connection.rows("INSERT INTO t VALUES(1)")
    for _ in 0..<10_000 { #expect(try connection.open("SELECT * FROM t").step()) }
    try connection.rows("ALTER TABLE t ADD COLUMN b DEFAULT 2")
    let cursor = try connection.open("SELECT * FROM t")
    #expect(cursor.columnNames == ["a", "b"])
    #expect(try cursor.rest() == [[1, 2]])
    let other = try engine.connect()
    #expect(try other.rows("SELECT * FROM t") == [[1, 2]])
    try connection.rows("ALTER TABLE t RENAME COLUMN b TO c")
    #expect(try other.open("SELECT * FROM t").columnNames == ["a", "c"])
  }

  @Test func theLargestBlobGoesInAndComesBack() throws {
    let connection = try engine.connect()
    try connection.rows("CREATE TABLE t(a, b)")
    let blob = (0..<64 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 16) }
    try connection.rows("INSERT INTO t VALUES(?, 'beside')", .blob(blob))
    let found = try connection.rows("SELECT a, b FROM t")
    #expect(found == [[.blob(blob), "beside"]])
    let failure = connection.failure("SELECT ?", .blob(blob + [0]))
    #expect(failure == .tooLarge)
    #expect(try connection.rows("SELECT 1") == [[1]])
  }

  @Test func aReaderChangesNothingAndNobodyLeavesTheRoot() throws {
    try engine.connect().rows("CREATE TABLE t(a)")
    let reader = try engine.connect(mode: .open, options: .readOnly)
    for sql in [
      "INSERT INTO t VALUES(1)", "ATTACH 'other.db' AS o", "PRAGMA journal_mode = DELETE",
      "SELECT load_extension('x')", "PRAGMA writable_schema = 1", "CREATE TABLE u(a)", "VACUUM",
      "PRAGMA user_version = 3", "DROP TABLE t", "PRAGMA wal_checkpoint(TRUNCATE)",
    ] {
      let failure = reader.failure(sql)
      let code = (failure?.code ?? 0) & 0xff
      // SQLite says only in words that a function is not allowed.
      #expect(
        code == SQLITE_AUTH || code == SQLITE_READONLY
          || failure?.text.hasPrefix("not authorized to use function") ?? false,
        "\(sql): \(code)")
    }
    #expect(try reader.rows("SELECT * FROM t") == [])
    #expect(try !reader.rows("EXPLAIN SELECT * FROM t").isEmpty)
    let outside = engine.directory.appending(path: "outside.db").path
    try FileManager.default.createSymbolicLink(
      atPath: engine.root.appending(path: "link.db").path, withDestinationPath: outside)
    for path in [
      "../outside.db", "/../outside.db", outside, "link.db", "missing/x.db", "", "a\0b",
    ] {
      #expect(throws: SQLFailure.self, "\(path)") { _ = try engine.connect(path) }
    }
    let connection = try engine.connect()
    for sql in ["ATTACH '\(outside)' AS o", "VACUUM INTO '\(outside)'", "VACUUM main INTO 'in.db'"]
    {
      #expect((connection.failure(sql)?.code ?? 0) & 0xff == SQLITE_AUTH, "\(sql)")
    }
    #expect(!FileManager.default.fileExists(atPath: outside))
    let names = try FileManager.default.contentsOfDirectory(atPath: engine.root.path)
    #expect(
      names.allSatisfy { $0.hasPrefix("test.db") || ["link.db", "started-here"].contains($0) },
      "\(names)")
  }

  @Test func anExportBesideAWriterIsADatabase() throws {
    let writer = try engine.connect()
    try writer.rows("CREATE TABLE t(a, b)")
    let box = Handed(writer)
    let isOver = Flag()
    let writing = try onThread {
      for number in 0..<1_000_000 where !isOver.isSet {
        let number = Int64(number)
        guard (try? box.value.rows("BEGIN")) != nil else { return }
        _ = try? box.value.rows("INSERT INTO t VALUES(?, randomblob(500))", .integer(number))
        _ = try? box.value.rows("INSERT INTO t VALUES(?, randomblob(500))", .integer(-number))
        _ = try? box.value.rows("COMMIT")
      }
    }
    let exporter = try engine.connect()
    for round in 0..<5 {
      usleep(50_000)
      var image: [UInt8] = []
      try unsafe exporter.export { unsafe image.append(contentsOf: $0) }
      let file = engine.directory.appending(path: "image-\(round)").path
      try Data(image).write(to: URL(filePath: file))
      let stock = try StockDatabase(file)
      #expect(stock.text("PRAGMA integrity_check") == "ok")
      #expect(stock.text("SELECT sum(a) FROM t") == "0")
      let count = stock.text("SELECT count(*) FROM t")
      let seeded = try engine.connect("seeded-\(round)", mode: .create, seed: image)
      #expect(try seeded.rows("SELECT CAST(count(*) AS TEXT) FROM t") == [[.text(count)]])
    }
    isOver.set()
    writing.join()
    try exporter.rows("BEGIN")
    do {
      try unsafe exporter.export { _ in }
      Issue.record("exported in a transaction")
    } catch { #expect(error.code == SQLITE_MISUSE) }
  }

  @Test func aBadImageMakesNoDatabase() throws {
    for image in [[], Array("SQLite format 3\0".utf8) + [UInt8](repeating: 7, count: 4096)] {
      #expect(throws: SQLFailure.self) {
        _ = try engine.connect("bad.db", mode: .create, seed: image)
      }
    }
    #expect(!FileManager.default.fileExists(atPath: engine.root.appending(path: "bad.db").path))
    _ = try engine.connect("bad.db", mode: .create)
    #expect(throws: SQLFailure.self) { _ = try engine.connect("bad.db", mode: .create) }
    #expect(throws: SQLFailure.self) { _ = try engine.connect("none.db", mode: .open) }
  }
}

/// A database as SQLite in this process sees it.
@safe
private final class StockDatabase {
  private var handle: OpaquePointer?

  init(_ path: String) throws {
    guard unsafe sqlite3_open(path, &handle) == SQLITE_OK else { throw CannotOpen() }
  }

  struct CannotOpen: Error {}

  deinit { unsafe sqlite3_close(handle) }

  func text(_ sql: String) -> String {
    var statement: OpaquePointer?
    unsafe sqlite3_prepare_v2(handle, sql, -1, &statement, nil)
    defer { unsafe sqlite3_finalize(statement) }
    guard unsafe sqlite3_step(statement) == SQLITE_ROW else { return "no row" }
    return unsafe String(cString: sqlite3_column_text(statement, 0))
  }
}
