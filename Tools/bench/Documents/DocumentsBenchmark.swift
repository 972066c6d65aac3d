// sluice-bench documents: versioned documents across the boundary. Reads of the tip and of the past,
// and commits to documents of several ages; several durable writers beside one.

internal import SluiceCommand
internal import ToolSupport

struct DocumentsBenchmark: Benchmark {
  static let name = "documents"
  static let options: Set<String> = ["--count", "--writers"]

  /// Durable commits of each client.
  private let durableCount: Int
  private let clientCount: Int

  private static let changeCounts = [1000, 10_000, 100_000]
  private static let variant = Variant(name: "Sluice, shared engine, own files", kind: .stock)
  private static let empty = "a call that does nothing"
  private static let durableOne = "durable commits, one client"

  init(_ parameters: BenchmarkParameters, on bench: Workbench) {
    durableCount = parameters.count ?? 150
    clientCount = parameters.writers ?? 8
  }

  private var several: String { "durable commits, \(clientCount) clients" }
  private func tip(_ count: Int) -> String { "read of a path at the tip, \(count) changes" }
  private func commit(_ count: Int) -> String { "commit of a small change, \(count) changes" }
  private func past(_ count: Int) -> String {
    "JSON of 10,000 changes back, \(count) changes"
  }

  func run(on bench: Workbench) throws(ToolError) -> BenchmarkReport {
    let name = Self.variant.name
    var report = BenchmarkReport(
      Self.name, "versioned documents of an engine, WAL, FULL", rounds: bench.rounds,
      order: [name])
    report.declare(Self.empty, .nanoseconds, .less)
    for count in Self.changeCounts {
      report.declare(tip(count), .nanoseconds, .less)
      report.declare(commit(count), .nanoseconds, .less)
      if count >= 10_000 { report.declare(past(count), .nanoseconds, .less) }
    }
    report.declare(Self.durableOne, .perSecond, .more)
    report.declare(several, .perSecond, .more)
    report.notes += try bench.interleave(Self.name, [("", ())], [Self.variant]) {
      (_, _) throws(ToolError) in
      for count in Self.changeCounts { try measure(count, on: bench, &report) }
      report.add(try durableRate(1, on: bench), of: name, to: Self.durableOne)
      report.add(try durableRate(clientCount, on: bench), of: name, to: several)
    }
    report.notes += [
      "a commit is a round trip, and durable: on a file system in memory (--directory /dev/shm) its"
        + " syncs cost nothing",
      "documents have 1,000 keys, which the changes set in turn",
    ]
    return report
  }

  private func measure(
    _ count: Int, on bench: Workbench, _ report: inout BenchmarkReport
  ) throws(ToolError) {
    let (engine, space) = try start(on: bench)
    defer { stop(engine, space, on: bench) }
    let found = try bench.runPeer(
      "documents", nil, ["--socket", engine.socket, "--count", String(count), space])
    let name = Self.variant.name
    if count == Self.changeCounts[0] {
      report.add(try found.samples(DocumentsPeers.empty), of: name, to: Self.empty)
    }
    report.add(try found.samples(DocumentsPeers.tipRead), of: name, to: tip(count))
    report.add(try found.samples(DocumentsPeers.commit), of: name, to: commit(count))
    if count >= 10_000 {
      report.add(try found.samples(DocumentsPeers.past), of: name, to: past(count))
    }
  }

  private func start(on bench: Workbench) throws(ToolError) -> (SharedEngine, String) {
    let number = bench.freshName().prefix { $0 != "." }
    return (
      try SharedEngine(on: bench, hasOwnFiles: true, services: "documents"),
      "did:key:zBench\(number)"
    )
  }

  private func stop(_ engine: SharedEngine, _ space: String, on bench: Workbench) {
    engine.stop()
    bench.remove(space + ".sqlite")
  }

  /// The commits of all clients in a second.
  private func durableRate(_ clients: Int, on bench: Workbench) throws(ToolError) -> Double {
    let (engine, space) = try start(on: bench)
    defer { stop(engine, space, on: bench) }
    return try DurableClients(clientCount: clients, count: durableCount).rate(
      "documents-durable", ["--socket", engine.socket, space], on: bench)
  }
}
