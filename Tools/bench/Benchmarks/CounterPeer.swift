// The measured process of `contend` and `beside`: a writer that adds 1 to its own counter again and
// again, each time in its own transaction. The sum of all counters is the number of transactions.

internal import CSQLite
internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

enum CounterPeer {
  static let busyTimeoutMilliseconds: Int32 = 10_000

  /// The statements that make the counters of so many writers.
  static func schema(writers: Int) -> [String] {
    ["CREATE TABLE counter(writer INTEGER PRIMARY KEY, value INTEGER)"]
      + (0..<writers).map { "INSERT INTO counter VALUES(\($0), 0)" }
  }

  /// The command line of a process that writes for `seconds`.
  static func words(
    writer: Int, journal: String, synchronous: String, seconds: Double
  ) -> [String] {
    [
      "--writer", String(writer), "--journal", journal, "--synchronous", synchronous, "--seconds",
      "\(seconds)",
    ]
  }

  /// What several writers of one database did together.
  struct Outcome {
    /// Transactions a second.
    private(set) var rate = 0.0
    private(set) var transactions = 0
    private(set) var busy = 0.0
    /// How long each transaction took, also those that ended with SQLITE_BUSY.
    private(set) var times = Samples()

    init(_ reports: some Sequence<PeerReport>) throws(ToolError) {
      for report in reports {
        let own = try report.samples("time")
        let done = Double(own.nanoseconds.count) - (try report.value("busy"))
        rate += done / own.totalSeconds
        transactions += Int(done)
        busy += try report.value("busy")
        times.append(own)
      }
    }

    /// Fails unless the counters of the database have just these transactions.
    func expect(in database: String, of what: String, on bench: Workbench) throws(ToolError) {
      let sum = try bench.ask(database, "SELECT sum(value) FROM counter") ?? ""
      guard sum == String(transactions) else {
        throw .failed("\(what): the sum is \(sum), not \(transactions)")
      }
    }
  }

  /// Reports how long each transaction took, also with SQLITE_BUSY (`time`), and how many ended with
  /// it (`busy`).
  static func run(_ options: inout Options) throws(ToolError) -> PeerReport {
    var target = Target(path: "")
    var writer = 0
    var words = (journal: "", synchronous: "")
    var seconds = 0.0
    try BenchPeer.parse { () throws(CommandError) in
      target = try Target(&options)
      writer = try options.number("--writer", in: 0...1000, or: 0)
      words.journal = try options.value("--journal") ?? ""
      words.synchronous = try options.value("--synchronous") ?? ""
      seconds = try options.value("--seconds").flatMap { Double($0) } ?? 0
      try options.finish()
    }
    let connection = try SQLiteConnection(try SQLiteLibrary(), target)
    connection.setBusyTimeout(milliseconds: busyTimeoutMilliseconds)
    try connection.expectJournal(words.journal)
    try connection.execute("PRAGMA synchronous = \(words.synchronous)")
    let statement = try connection.prepare(
      "UPDATE counter SET value = value + 1 WHERE writer = ?1")
    statement.bind(Int64(writer))
    BenchPeer.awaitStart()

    var busy = 0
    let times = try BenchPeer.repeated(seconds: seconds) { () throws(ToolError) in
      let code = statement.step()
      statement.reset()
      switch code & 0xff {
      case SQLITE_DONE: break
      case SQLITE_BUSY: busy += 1
      default: throw .failed("UPDATE: \(connection.message)")
      }
    }
    var report = PeerReport()
    report.add("time", times)
    report.add("busy", Double(busy))
    return report
  }
}
