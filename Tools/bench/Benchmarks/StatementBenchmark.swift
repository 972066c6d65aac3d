// sluice-bench txn and select: small transactions of one client, with a private sidecar.

internal import ToolSupport

/// One way to run a database.
struct JournalSetting {
  let journal: String
  let synchronous: String
  var highlight = BenchmarkReport.Highlight.all
}

struct TransactionBenchmark: Benchmark {
  static let name = "txn"
  static let options: Set<String> = ["--seconds"]

  private let seconds: Double

  init(_ parameters: BenchmarkParameters, on bench: Workbench) {
    seconds = parameters.seconds ?? 1
  }

  func run(on bench: Workbench) throws(ToolError) -> BenchmarkReport {
    try runStatements(
      TransactionBenchmark.name, "transactions of one INSERT each", .insert,
      [
        ("INSERT, DELETE FULL", JournalSetting(journal: "DELETE", synchronous: "FULL")),
        ("INSERT, WAL FULL", JournalSetting(journal: "WAL", synchronous: "FULL")),
        (
          "INSERT, DELETE OFF",
          JournalSetting(journal: "DELETE", synchronous: "OFF", highlight: .none)
        ),
        ("INSERT, WAL NORMAL", JournalSetting(journal: "WAL", synchronous: "NORMAL")),
        ("INSERT, WAL OFF", JournalSetting(journal: "WAL", synchronous: "OFF", highlight: .none)),
      ], seconds: seconds, on: bench)
  }
}

struct SelectBenchmark: Benchmark {
  static let name = "select"
  static let options: Set<String> = ["--seconds"]

  private let seconds: Double

  init(_ parameters: BenchmarkParameters, on bench: Workbench) {
    seconds = parameters.seconds ?? 1
  }

  func run(on bench: Workbench) throws(ToolError) -> BenchmarkReport {
    try runStatements(
      SelectBenchmark.name,
      "point SELECTs by primary key, each a transaction, in \(StatementPeer.rowCount) rows",
      .select,
      [
        ("point SELECT, DELETE", JournalSetting(journal: "DELETE", synchronous: "FULL")),
        ("point SELECT, WAL", JournalSetting(journal: "WAL", synchronous: "NORMAL")),
      ], seconds: seconds, on: bench)
  }
}

/// Runs the statement in each setting, each time in a new process and on a new database.
private func runStatements(
  _ benchmark: String, _ title: String, _ work: StatementPeer.Work,
  _ settings: [(name: String, subject: JournalSetting)], seconds: Double, on bench: Workbench
) throws(ToolError) -> BenchmarkReport {
  var report = BenchmarkReport(
    benchmark, title, rounds: bench.rounds, order: bench.variants.map(\.name))
  for (name, setting) in settings {
    report.declare(
      name, .perSecond, .more, base: Variant.stock.name, highlight: setting.highlight)
  }
  let named = settings.map { ($0.name, ($0.name, $0.subject)) }
  report.notes += try bench.interleave(
    benchmark, named, bench.variants
  ) { (subject, variant) throws(ToolError) in
    let (name, setting) = subject
    let database = try bench.makeDatabase(journal: setting.journal, StatementPeer.schema)
    defer { bench.remove(database) }
    let found = try bench.runPeer(
      "statement", bench.target(database, variant),
      StatementPeer.words(
        work, journal: setting.journal, synchronous: setting.synchronous, seconds: seconds))
    if work == .insert {
      let rows = try bench.ask(database, "SELECT count(*) FROM item") ?? ""
      let expected = StatementPeer.rowCount + Int(try found.value("done"))
      guard rows == String(expected) else {
        throw .failed("\(variant.name), \(name): \(rows) rows are there, not \(expected)")
      }
    }
    report.add(try found.value("rate"), try found.samples("time"), of: variant.name, to: name)
  }
  return report
}
