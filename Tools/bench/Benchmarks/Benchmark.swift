// A benchmark: one thing to measure.

internal import ToolSupport

protocol Benchmark {
  static var name: String { get }
  /// The options that it has besides those that all have.
  static var options: Set<String> { get }
  /// Fails if the benchmark cannot run here.
  init(_ parameters: BenchmarkParameters, on bench: Workbench) throws(ToolError)
  func run(on bench: Workbench) throws(ToolError) -> BenchmarkReport
}
