// sluice-bench records: the record store across the boundary, beside the original's algorithm on SQLite
// in the caller's process.

internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

struct RecordsBenchmark: Benchmark {
  static let name = "records"
  static let options: Set<String> = ["--count", "--writers"]

  /// Durable stores of each client.
  private let durableCount: Int
  private let clientCount: Int

  private enum Contender: String, CaseIterable {
    case stock = "the original's algorithm in the process"
    case own = "Sluice, private engine"
    case shared = "Sluice, shared engine"
    case ownFiles = "Sluice, shared engine, own files"
    case storage = "Sluice, RecordStorage, private engine"

    var variant: Variant { Variant(name: rawValue, kind: .stock) }
  }

  /// What the original cannot do: it always parses.
  private static let unparsed = "the same without parsing"
  private static let durable = "durable stores"
  private static let durableOne = "durable stores, one client"

  init(_ parameters: BenchmarkParameters, on bench: Workbench) {
    durableCount = parameters.count ?? 150
    clientCount = parameters.writers ?? 8
  }

  func run(on bench: Workbench) throws(ToolError) -> BenchmarkReport {
    let stock = Contender.stock.rawValue
    var report = BenchmarkReport(
      RecordsBenchmark.name, "records of replicated values by an engine, WAL, NORMAL",
      rounds: bench.rounds,
      order: [stock, Self.unparsed] + Contender.allCases.dropFirst().map(\.rawValue))
    for work in RecordsWork.allCases {
      report.declare(
        work.rawValue, .perSecond, .more, base: stock, highlight: .only(Contender.own.rawValue))
    }
    for name in [Self.durableOne, several] {
      report.declare(name, .perSecond, .more, base: stock)
    }
    for name in [
      RecordsPeers.storeRequests, RecordsPeers.loadRequests, RecordsPeers.largeLoadRequests,
    ] {
      report.declare(name, .count, .less)
    }
    report.notes += try bench.interleave(
      RecordsBenchmark.name, [("", ())], Contender.allCases.map(\.variant)
    ) { (_, variant) throws(ToolError) in
      let contender = Contender(rawValue: variant.name)!
      add(try measure(contender, on: bench), of: contender, to: &report)
      try measureDurable(contender, on: bench, &report)
    }
    report.notes += [
      "the original parses each transaction that it loads; its bare reading is beside it",
      "durable: WAL, FULL; the clients of the original's algorithm are processes with SQLite",
    ]
    return report
  }

  private var several: String { "\(Self.durable), \(clientCount) clients" }

  // MARK: Measuring

  private func measure(_ contender: Contender, on bench: Workbench) throws(ToolError) -> PeerReport
  {
    let name = bench.freshName()
    defer { bench.remove(name) }
    switch contender {
    case .stock: return try bench.runPeer("records-stock", nil, [bench.path(name)])
    case .own: return try bench.runPeer("records-connection", nil, [bench.path(name)])
    case .storage: return try bench.runPeer("records-storage", nil, [bench.path(name)])
    case .shared, .ownFiles:
      let engine = try SharedEngine(on: bench, hasOwnFiles: contender == .ownFiles)
      defer { engine.stop() }
      return try bench.runPeer("records-connection", nil, ["--socket", engine.socket, name])
    }
  }

  private func measureDurable(
    _ contender: Contender, on bench: Workbench, _ report: inout BenchmarkReport
  ) throws(ToolError) {
    for (subject, clients) in [(Self.durableOne, 1), (several, clientCount)] {
      let name = bench.freshName()
      defer { bench.remove(name) }
      switch contender {
      case .stock:
        report.add(
          try durableRate("records-durable-stock", [bench.path(name)], clients, on: bench),
          of: contender.rawValue, to: subject)
      case .shared, .ownFiles:
        let engine = try SharedEngine(on: bench, hasOwnFiles: contender == .ownFiles)
        defer { engine.stop() }
        let words = ["--socket", engine.socket, name]
        report.add(
          try durableRate("records-durable-connection", words, clients, on: bench),
          of: contender.rawValue, to: subject)
      case .own, .storage: break
      }
    }
  }

  /// The stores of all clients in a second.
  private func durableRate(
    _ kind: String, _ words: [String], _ clients: Int, on bench: Workbench
  ) throws(ToolError) -> Double {
    try DurableClients(clientCount: clients, count: durableCount).rate(kind, words, on: bench)
  }

  private func add(
    _ found: PeerReport, of contender: Contender, to report: inout BenchmarkReport
  ) {
    let name = contender.rawValue
    for work in RecordsWork.allCases {
      guard let rate = found.values[work.rawValue] else { continue }
      guard contender == .stock, let parsed = work.parsedForm else {
        report.add(rate, of: name, to: work.rawValue)
        continue
      }
      report.add(rate, of: Self.unparsed, to: work.rawValue)
      if let rate = found.values[parsed.rawValue] { report.add(rate, of: name, to: work.rawValue) }
    }
    for count in [
      RecordsPeers.storeRequests, RecordsPeers.loadRequests, RecordsPeers.largeLoadRequests,
    ] {
      if let value = found.values[count] { report.add(value, of: name, to: count) }
    }
  }
}

extension RecordsWork {
  /// The same work with its transactions parsed; nil where that is no other work.
  fileprivate var parsedForm: RecordsWork? {
    switch self {
    case .loadTen: .loadTenParsed
    case .loadThousand: .loadThousandParsed
    default: nil
    }
  }
}
