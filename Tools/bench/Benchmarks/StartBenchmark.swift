// sluice-bench start: the time until a new process has the answer to its first query. The start of
// the process and of its private sidecar counts.

internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

struct StartBenchmark: Benchmark {
  static let name = "start"
  static let options: Set<String> = ["--processes"]

  private let count: Int

  init(_ parameters: BenchmarkParameters, on bench: Workbench) {
    count = parameters.processes
  }

  func run(on bench: Workbench) throws(ToolError) -> BenchmarkReport {
    let subject = "first query of a new process"
    var report = BenchmarkReport(
      StartBenchmark.name, "a new process, until its first query is answered",
      rounds: bench.rounds, order: bench.variants.map(\.name))
    report.declare(subject, .nanoseconds, .less, base: Variant.stock.name, highlight: .all)
    let database = try bench.makeDatabase(journal: "DELETE", StatementPeer.schema)
    defer { bench.remove(database) }
    report.notes += try bench.interleave(
      StartBenchmark.name, [("", ())], bench.variants
    ) { (_, variant) throws(ToolError) in
      var times = Samples(capacity: count)
      for _ in 0..<count {
        let process = try bench.startPeer("first-query", bench.target(database, variant))
        let found = try PeerReport(parsing: process.finish(bench.wait, timeoutSeconds: 60))
        times.append(Int64(try found.value("answered")) - process.startedNanoseconds)
      }
      report.add(times, of: variant.name, to: subject)
    }
    return report
  }

  // MARK: The measured process

  /// Reports when it had the answer. It does not wait for a word to start.
  static func peer(_ options: inout Options) throws(ToolError) -> PeerReport {
    let target = try BenchPeer.parse { () throws(CommandError) in
      let target = try Target(&options)
      try options.finish()
      return target
    }
    let connection = try SQLiteConnection(try SQLiteLibrary(), target)
    let answer = try connection.execute("SELECT value FROM item WHERE id = 4711")
    let answered = Clock.monotonicNanoseconds()
    guard answer == "4711" else { throw .failed("the first query gives \(answer ?? "nothing")") }
    var report = PeerReport()
    report.add("answered", Double(answered))
    return report
  }
}
