// What `sluice-bench sql` measures of every contender: the same statements on the same rows.
//
// Each work is done in pieces. The time of a piece, divided by the work's runs in it, is one sample;
// so neither the clock nor a short disturbance counts for much.

internal import SluiceSystem
internal import ToolSupport

enum SQLWork: String, CaseIterable {
  case point = "point SELECT, autocommitted"
  case insert = "INSERT in a transaction"
  case rows = "1,000 rows fetched"
  case batch = "100 UPDATEs in a transaction, posted"

  static let rowCount: Int64 = 100_000
  static let fetchedRowCount: Int64 = 1000
  static let batchCount: Int64 = 100
  static let insertedName = "name of a new item"
  static let pieceCount = 101

  static let pointSQL = "SELECT name, qty, price FROM t WHERE id = ?1"
  static let insertSQL = "INSERT INTO u(name, qty, price) VALUES (?1, ?2, ?3)"
  static let rowsSQL = "SELECT id, name, qty, price FROM t WHERE id BETWEEN ?1 AND ?1 + 999"
  static let updateSQL = "UPDATE t SET qty = qty + 1 WHERE id = ?1"
  static let endlessSQL =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"

  /// The statements that make the database.
  static let schema = [
    "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, qty INTEGER, price REAL)",
    "CREATE TABLE u(id INTEGER PRIMARY KEY, name TEXT, qty INTEGER, price REAL)",
    """
    WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < \(rowCount))
    INSERT INTO t SELECT i, 'name of item ' || i, i % 1000, i * 0.25 FROM n
    """,
  ]

  /// The settings of every connection: the whole database is in its cache, and a commit does not wait
  /// for the disk.
  static let settings = ["PRAGMA synchronous = NORMAL", "PRAGMA cache_size = -65536"]

  /// Runs in a piece.
  var runCount: Int {
    switch self {
    case .point, .insert: 200
    case .rows, .batch: 2
    }
  }
}

/// One way to have SQL done.
protocol SQLSide {
  /// Selects a row and takes its values.
  mutating func point(_ id: Int64) throws(ToolError)
  mutating func insert(_ number: Int64) throws(ToolError)
  /// Selects 1,000 rows and takes all their values.
  mutating func rows(from id: Int64) throws(ToolError)
  /// Updates 100 rows in a transaction, in as few messages as there can be.
  mutating func batch(from id: Int64) throws(ToolError)
  /// A statement without values.
  mutating func run(_ sql: StaticString) throws(ToolError)
}

extension SQLSide {
  /// Does the works one after the other. Adds the nanoseconds of each run.
  mutating func measure(
    _ works: [SQLWork] = SQLWork.allCases, in report: inout PeerReport
  ) throws(ToolError) {
    var random = SplitMix64(seed: 12345)
    for _ in 0..<20_000 { try point(Int64(random.below(Int(SQLWork.rowCount))) + 1) }
    for work in works {
      if work == .insert { try run("BEGIN") }
      report.add(work.rawValue, try times(work, &random))
      if work == .insert { try run("ROLLBACK") }
    }
  }

  private mutating func times(
    _ work: SQLWork, _ random: inout SplitMix64
  ) throws(ToolError) -> Samples {
    var samples = Samples(capacity: SQLWork.pieceCount)
    for _ in 0..<SQLWork.pieceCount {
      let start = Clock.monotonicNanoseconds()
      for run in 0..<work.runCount { try self.run(work, run, &random) }
      let nanoseconds = Clock.monotonicNanoseconds() - start
      samples.append(nanoseconds / Int64(work.runCount))
    }
    return samples
  }

  @inline(__always)
  private mutating func run(
    _ work: SQLWork, _ number: Int, _ random: inout SplitMix64
  ) throws(ToolError) {
    /// The first of `count` neighbouring rows.
    func first(_ count: Int64) -> Int64 {
      Int64(random.below(Int(SQLWork.rowCount - count))) + 1
    }
    switch work {
    case .point: try point(first(1))
    case .insert: try insert(Int64(number))
    case .rows: try rows(from: first(SQLWork.fetchedRowCount))
    case .batch: try batch(from: first(SQLWork.batchCount))
    }
  }
}
