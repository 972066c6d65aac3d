// The two databases of a kill run, in DELETE and in WAL mode: what they hold, what one transaction
// does to them, and how stock SQLite tells whether all of a transaction is there or nothing.
//
// Each worker has a row that counts its transactions, and the entries of its last twelve, four in
// each; what an entry holds follows from its number. So a transaction that is half there, or lost
// after it was acknowledged, shows in one query.

internal import CSQLite
internal import SluiceSystem

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

  /// What SQLite writes before the database.
  var journalName: String {
    switch self {
    case .delete: fileName + "-journal"
    case .wal: fileName + "-wal"
    }
  }

  // MARK: Statements

  private static let kept = 12
  private static let parts = 4

  /// What entry `part` of transaction `n` holds, in SQL.
  private static func filler(worker: String, n: String, part: String) -> String {
    "printf('%0*d', 700 + (\(n) * 131 + \(part) * 57) % 1200, "
      + "(\(worker) * 1000000000 + \(n)) * 10 + \(part))"
  }

  /// Makes the database natively.
  func make(at path: String, workers: Int, _ sqlite: SQLiteLibrary) throws(BenchmarkError) {
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

  /// What transaction ?1 does.
  static func small(worker: Int) -> [String] {
    [
      "UPDATE tally SET n = ?1 WHERE worker = \(worker)",
      "INSERT INTO entry SELECT \(worker), ?1, part, "
        + filler(worker: "\(worker)", n: "?1", part: "part") + " FROM part",
      "DELETE FROM entry WHERE worker = \(worker) AND n <= ?1 - \(kept)",
    ]
  }

  /// The same, by making all entries anew: more pages than a small cache holds.
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

  // MARK: The check

  /// By worker: its count, how many entries there are, and how many of them are as they should be.
  private static let question =
    "SELECT group_concat(worker || ' ' || n || ' ' || rows || ' ' || good) FROM ("
    + "SELECT t.worker, t.n, count(e.n) AS rows, "
    + "coalesce(sum(e.n > t.n - \(kept) AND e.n <= t.n AND e.filler = "
    + filler(worker: "e.worker", n: "e.n", part: "e.part") + "), 0) AS good "
    + "FROM tally t LEFT JOIN entry e ON e.worker = t.worker GROUP BY t.worker)"

  /// What is wrong with the database, as stock SQLite sees it; nil if nothing is. No worker is in
  /// the midst of a transaction.
  func damage(
    _ connection: SQLiteConnection, _ board: KillBoard
  ) throws(BenchmarkError) -> String? {
    let integrity = try connection.execute("PRAGMA integrity_check") ?? "nothing"
    guard integrity == "ok" else { return "\(fileName): integrity_check says \(integrity)" }
    let answer = try connection.execute(KillStore.question) ?? ""
    let lines = answer.split(separator: ",")
    guard lines.count == board.workers else { return "\(fileName): \(lines.count) workers' counts" }
    for line in lines {
      let numbers = line.split(separator: " ").compactMap { UInt64($0) }
      guard numbers.count == 4, numbers[0] < UInt64(board.workers) else {
        return "\(fileName): \(line) is no worker's count"
      }
      if let wrong = damage(worker: Int(numbers[0]), numbers, board) { return wrong }
    }
    return nil
  }

  private func damage(worker: Int, _ numbers: [UInt64], _ board: KillBoard) -> String? {
    let n = numbers[1]
    if let wrong = misplaced(n, worker: worker, board) { return wrong }
    let expected = min(n, UInt64(KillStore.kept)) * UInt64(KillStore.parts)
    guard numbers[2] == expected, numbers[3] == expected else {
      return "\(fileName): worker \(worker) at transaction \(n) has \(numbers[2]) entries, "
        + "\(numbers[3]) of them right, not \(expected)"
    }
    return nil
  }

  /// Whether what was acknowledged is there, and nothing that was not begun.
  func misplaced(_ n: UInt64, worker: Int, _ board: KillBoard) -> String? {
    let acknowledged = board[worker, .acknowledged, self]
    let begun = board[worker, .begun, self]
    if n < acknowledged {
      return "\(fileName): worker \(worker) was told that transaction \(acknowledged) is done, "
        + "and \(n) is the last one there"
    }
    if n > begun {
      return "\(fileName): worker \(worker) began transaction \(begun), and \(n) is there"
    }
    return nil
  }
}
