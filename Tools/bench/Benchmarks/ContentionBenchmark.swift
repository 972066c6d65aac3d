// sluice-bench contend: many processes that write to one database at once, through one shared
// sidecar, or each by itself.

internal import ToolSupport

struct ContentionBenchmark: Benchmark {
  static let name = "contend"
  static let options: Set<String> = ["--seconds", "--writers"]

  private let seconds: Double
  private let writers: Int

  init(_ parameters: BenchmarkParameters, on bench: Workbench) {
    seconds = parameters.seconds ?? 3
    writers = parameters.writers ?? 8
  }

  private struct Setting {
    let name: String
    let journal: String
    let synchronous: String

    init(_ journal: String, _ synchronous: String, writers: Int) {
      name = "\(writers) writers, \(journal) \(synchronous)"
      self.journal = journal
      self.synchronous = synchronous
    }

    var rate: String { name + ": transactions" }
    var tail: String { name + ": p99.9" }
    var longest: String { name + ": longest wait" }
    var busy: String { name + ": SQLITE_BUSY" }
  }

  func run(on bench: Workbench) throws(ToolError) -> BenchmarkReport {
    let settings = [
      Setting("WAL", "NORMAL", writers: writers), Setting("DELETE", "FULL", writers: writers),
    ]
    let base = Variant.stock.name
    var report = BenchmarkReport(
      ContentionBenchmark.name,
      "\(writers) processes that write to one database, busy timeout 10 s, for \(seconds.short) s",
      rounds: bench.rounds, order: bench.variants.map(\.name))
    for setting in settings {
      report.declare(setting.rate, .perSecond, .more, base: base, highlight: .all)
      report.declare(setting.tail, .nanoseconds, .less, base: base, highlight: .all)
      report.declare(setting.longest, .nanoseconds, .less, base: base)
      report.declare(setting.busy, .count, .less)
    }
    report.notes += try bench.interleave(
      ContentionBenchmark.name, settings.map { ($0.name, $0) }, bench.variants
    ) { (setting, variant) throws(ToolError) in
      let database = try bench.makeDatabase(
        journal: setting.journal, CounterPeer.schema(writers: writers))
      defer { bench.remove(database) }
      let server = try bench.startServer(variant)
      defer { server.stop() }
      let peers = (0..<writers).map {
        (
          kind: "counter",
          words: CounterPeer.words(
            writer: $0, journal: setting.journal, synchronous: setting.synchronous,
            seconds: seconds)
        )
      }
      let outcome = try CounterPeer.Outcome(
        bench.runPeers(peers, bench.target(database, variant, server)))
      try outcome.expect(in: database, of: "\(variant.name), \(setting.name)", on: bench)
      report.add(outcome.rate, outcome.times, of: variant.name, to: setting.rate)
      report.add(
        Double(outcome.times.percentile(0.999)), of: variant.name, to: setting.tail)
      report.add(Double(outcome.times.nanoseconds.max()!), of: variant.name, to: setting.longest)
      report.add(outcome.busy, of: variant.name, to: setting.busy)
    }
    return report
  }
}
