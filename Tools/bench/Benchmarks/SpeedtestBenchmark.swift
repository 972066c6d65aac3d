// sluice-bench speedtest: how long speedtest1 takes, and how much processor time it needs together
// with its sidecar.

internal import ToolSupport

struct SpeedtestBenchmark: Benchmark {
  static let name = "speedtest"
  static let options = Speedtest.options

  private let speedtest: Speedtest
  private let settings = [Speedtest.Setting.delete, .deleteWithoutSync, .wal]

  init(_ parameters: BenchmarkParameters, on bench: Workbench) throws(ToolError) {
    speedtest = try Speedtest(parameters, on: bench)
  }

  func run(on bench: Workbench) throws(ToolError) -> BenchmarkReport {
    var report = BenchmarkReport(
      SpeedtestBenchmark.name, "speedtest1 --size \(speedtest.size), from start to end",
      rounds: bench.rounds, order: bench.variants.map(\.name))
    func time(_ setting: Speedtest.Setting) -> String { "speedtest1, \(setting.name)" }
    func processor(_ setting: Speedtest.Setting) -> String { time(setting) + ": processor time" }
    for setting in settings {
      for subject in [time(setting), processor(setting)] {
        report.declare(subject, .nanoseconds, .less, base: Variant.stock.name, highlight: .all)
      }
    }
    report.notes = [
      "processor time is user and system time of the program and its private sidecar together; that"
        + " of a FUSE daemon is not in it"
    ]
    report.notes += try bench.interleave(
      SpeedtestBenchmark.name, settings.map { ($0.name, $0) }, bench.variants
    ) { (setting, variant) throws(ToolError) in
      let run = try speedtest.run(setting, variant, on: bench)
      report.add(run.nanoseconds, of: variant.name, to: time(setting))
      report.add(run.processorNanoseconds, of: variant.name, to: processor(setting))
    }
    return report
  }
}
