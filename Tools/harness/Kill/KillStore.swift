// The two databases of a kill run, in DELETE and in WAL mode: their content, and what one
// transaction does to them. Stock SQLite can tell whether all of a transaction is there, or
// nothing.
//
// Each worker has a row that counts its transactions, and the entries of its last twelve
// transactions, four for each. The number of an entry decides its content. So one query shows a
// transaction that is there in part, or that was lost after it was acknowledged.

internal import CSQLite
internal import SluiceSystem
internal import ToolSupport

enum KillStore: Int, CaseIterable {
  case delete = 0
  case wal

  var name: String {
    switch self {
    case .delete: "DELETE"
    case .wal: "WAL"
    }
  }

  var fileName: String {
    switch self {
    case .delete: "delete.db"
    case .wal: "wal.db"
    }
  }

  /// The file that SQLite writes before the database.
  var journalName: String {
    switch self {
    case .delete: fileName + "-journal"
    case .wal: fileName + "-wal"
    }
  }

  // MARK: Statements

  static let kept = 12
  static let parts = 4

  /// The content of entry `part` of transaction `n`, in SQL.
  static func filler(worker: String, n: String, part: String) -> String {
    "printf('%0*d', 700 + (\(n) * 131 + \(part) * 57) % 1200, "
      + "(\(worker) * 1000000000 + \(n)) * 10 + \(part))"
  }

  /// Makes the database natively.
  func make(at path: String, workers: Int, _ sqlite: SQLiteLibrary) throws(ToolError) {
    let connection = try SQLiteConnection(sqlite, Target(path: path))
    try connection.execute("PRAGMA journal_mode = \(name)")
    for sql in [
      "CREATE TABLE tally(worker INTEGER PRIMARY KEY, n INTEGER)",
      "CREATE TABLE entry(worker INTEGER, n INTEGER, part INTEGER, filler TEXT)",
      "CREATE UNIQUE INDEX entry_place ON entry(worker, n, part)",
      "CREATE TABLE part(part INTEGER PRIMARY KEY)",
      "INSERT INTO part VALUES (0), (1), (2), (3)",
      "WITH RECURSIVE w(n) AS (VALUES(0) UNION ALL SELECT n + 1 FROM w WHERE n < \(workers - 1)) "
        + "INSERT INTO tally SELECT n, 0 FROM w",
    ] { try connection.execute(sql) }
  }

  static func read(worker: Int) -> String { "SELECT n FROM tally WHERE worker = \(worker)" }

  /// The statements of transaction ?1.
  static func small(worker: Int) -> [String] {
    [
      "UPDATE tally SET n = ?1 WHERE worker = \(worker)",
      "INSERT INTO entry SELECT \(worker), ?1, part, "
        + filler(worker: "\(worker)", n: "?1", part: "part") + " FROM part",
      "DELETE FROM entry WHERE worker = \(worker) AND n <= ?1 - \(kept)",
    ]
  }

  /// The same effect, but makes all entries anew: more pages than a small cache holds.
  static func large(worker: Int) -> [String] {
    [
      "DELETE FROM entry WHERE worker = \(worker)",
      "WITH RECURSIVE number(n) AS (SELECT max(1, ?1 - \(kept - 1)) UNION ALL "
        + "SELECT n + 1 FROM number WHERE n < ?1) INSERT INTO entry SELECT \(worker), number.n, "
        + "part.part, " + filler(worker: "\(worker)", n: "number.n", part: "part.part")
        + " FROM number, part",
      "UPDATE tally SET n = ?1 WHERE worker = \(worker)",
    ]
  }
}
