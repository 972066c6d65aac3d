// sluice-bench onecpu: client and sidecar together on one processor, and in a control group that
// may use half of one.

internal import SluiceCommand
internal import ToolSupport

struct OneProcessorBenchmark: Benchmark {
  static let name = "onecpu"
  static let options = Speedtest.options.union(["--seconds"])

  private let speedtest: Speedtest
  private let seconds: Double

  init(_ parameters: BenchmarkParameters, on bench: Workbench) throws(ToolError) {
    speedtest = try Speedtest(parameters, on: bench)
    seconds = parameters.seconds ?? 1
  }

  private enum Work {
    case speedtest(Speedtest.Setting)
    /// Point SELECTs in that journal mode.
    case select(journal: String)

    var name: String {
      switch self {
      case .speedtest(let setting): "speedtest1, \(setting.name)"
      case .select(let journal): "point SELECT, \(journal)"
      }
    }
  }

  private struct Subject {
    let limit: ProcessorLimit
    let work: Work
    var name: String { "\(limit.rawValue): \(work.name)" }
  }

  func run(on bench: Workbench) throws(ToolError) -> BenchmarkReport {
    var report = BenchmarkReport(
      OneProcessorBenchmark.name,
      "everything on one CPU, or within 50 % of one by a control group; speedtest1 --size"
        + " \(speedtest.size), point SELECTs for \(seconds.short) s",
      rounds: bench.rounds, order: bench.variants.map(\.name))
    var limits = [ProcessorLimit.oneProcessor]
    do throws(ToolError) {
      try ProcessorLimit.halfAProcessor.hold {}
      limits.append(.halfAProcessor)
    } catch {
      guard case .failed(let text) = error else { throw error }
      report.notes.append("half a CPU is left out: \(text)")
    }
    let works: [Work] = [
      .speedtest(.delete), .speedtest(.wal), .select(journal: "DELETE"), .select(journal: "WAL"),
    ]
    let subjects = limits.flatMap { limit in works.map { Subject(limit: limit, work: $0) } }
    for subject in subjects {
      let base = Variant.stock.name
      switch subject.work {
      case .speedtest:
        report.declare(subject.name, .nanoseconds, .less, base: base, highlight: .all)
      case .select:
        report.declare(subject.name, .perSecond, .more, base: base, highlight: .all)
      }
    }
    report.notes += try bench.interleave(
      OneProcessorBenchmark.name, subjects.map { ($0.name, $0) }, bench.variants
    ) { (subject, variant) throws(ToolError) in
      try subject.limit.hold { () throws(ToolError) in
        switch subject.work {
        case .speedtest(let setting):
          let run = try speedtest.run(setting, variant, on: bench)
          report.add(run.nanoseconds, of: variant.name, to: subject.name)
        case .select(let journal):
          let database = try bench.makeDatabase(journal: journal, StatementPeer.schema)
          defer { bench.remove(database) }
          let found = try bench.runPeer(
            "statement", bench.target(database, variant),
            StatementPeer.words(
              .select, journal: journal, synchronous: "NORMAL", seconds: seconds))
          report.add(
            try found.value("rate"), try found.samples("time"), of: variant.name,
            to: subject.name)
        }
      }
    }
    return report
  }
}
