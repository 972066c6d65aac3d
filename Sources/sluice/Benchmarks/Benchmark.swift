// One thing to measure, and the list of them.

protocol Benchmark {
  static var name: String { get }
  /// The options that it has besides those of all.
  static var options: Set<String> { get }
  /// Fails where it cannot be run here.
  init(_ parameters: BenchmarkParameters, on bench: Workbench) throws(BenchmarkError)
  func run(on bench: Workbench) throws(BenchmarkError) -> BenchmarkReport
}

enum Benchmarks {
  /// In the order in which `sluice bench all` runs them.
  static var all: [any Benchmark.Type] {
    [
      ChannelBenchmark.self, VFSBenchmark.self, SpeedtestBenchmark.self, TransactionBenchmark.self,
      SelectBenchmark.self, ContentionBenchmark.self, IdleBenchmark.self, StartBenchmark.self,
    ]
  }
}
