// The measured process of `onecpu`, `txn`, `select` and `idle`: one statement again and again, each
// time in its own transaction.

internal import CSQLite
internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

enum StatementPeer {
  enum Work: String {
    case insert, select

    var sql: String {
      switch self {
      case .insert:
        "INSERT INTO item(value, filler) VALUES(?1, '\(String(repeating: "x", count: 100))')"
      case .select: "SELECT value FROM item WHERE id = ?1"
      }
    }
  }

  /// Rows of the database at the start.
  static let rowCount = 10_000

  /// The statements that make the database.
  static let schema = [
    "CREATE TABLE item(id INTEGER PRIMARY KEY, value INTEGER, filler TEXT)",
    """
    WITH RECURSIVE number(n) AS (VALUES(1) UNION ALL SELECT n + 1 FROM number WHERE n < \(rowCount))
    INSERT INTO item SELECT n, n, printf('%.*c', 100, 'x') FROM number
    """,
  ]

  /// The command line of a process that does `work` for `seconds`.
  static func words(
    _ work: Work, journal: String, synchronous: String, seconds: Double
  ) -> [String] {
    [
      "--work", work.rawValue, "--journal", journal, "--synchronous", synchronous, "--seconds",
      "\(seconds)",
    ]
  }

  /// Reports how many times a second (`rate`), how often in all (`done`), and how long each time
  /// (`time`).
  static func run(_ options: inout Options) throws(ToolError) -> PeerReport {
    var target = Target(path: "")
    var work = Work.select
    var words = (journal: "", synchronous: "")
    var seconds = 0.0
    try BenchPeer.parse { () throws(CommandError) in
      target = try Target(&options)
      work = (try options.value("--work")).flatMap(Work.init) ?? .select
      words.journal = try options.value("--journal") ?? ""
      words.synchronous = try options.value("--synchronous") ?? ""
      seconds = try options.value("--seconds").flatMap { Double($0) } ?? 0
      try options.finish()
    }
    let connection = try SQLiteConnection(try SQLiteLibrary(), target)
    try connection.expectJournal(words.journal)
    try connection.execute("PRAGMA synchronous = \(words.synchronous)")
    let statement = try connection.prepare(work.sql)
    BenchPeer.awaitStart()
    let warmUp = try repeated(statement, connection, work, seconds: seconds / 10)
    let times = try repeated(statement, connection, work, seconds: seconds)
    var report = PeerReport()
    report.add("time", times)
    report.add("rate", Double(times.nanoseconds.count) / times.totalSeconds)
    report.add("done", Double(times.nanoseconds.count + warmUp.nanoseconds.count))
    return report
  }

  private static func repeated(
    _ statement: SQLiteStatement, _ connection: SQLiteConnection, _ work: Work, seconds: Double
  ) throws(ToolError) -> Samples {
    var number: Int64 = 0
    let expected = work == .select ? SQLITE_ROW : SQLITE_DONE
    return try BenchPeer.repeated(seconds: seconds) { () throws(ToolError) in
      number = (number + 7919) % Int64(rowCount)
      statement.bind(number + 1)
      let code = statement.step()
      guard code == expected else { throw .failed("\(work.sql): \(connection.message)") }
      statement.reset()
    }
  }
}

extension SQLiteConnection {
  /// Fails unless the database is in that mode: where a VFS has no shared memory, SQLite leaves WAL
  /// mode silently.
  func expectJournal(_ mode: String) throws(ToolError) {
    let found = try execute("PRAGMA journal_mode") ?? ""
    guard found.uppercased() == mode else {
      throw .failed("the database is in \(found) mode, not \(mode)")
    }
  }
}
