// sluice-bench state: rows of the state pipeline, tracked and with their history, beside the same rows
// in a plain table of the same engine.

internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

struct StateBenchmark: Benchmark {
  static let name = "state"
  static let options: Set<String> = ["--count"]

  private let count: Int?

  init(_ parameters: BenchmarkParameters, on bench: Workbench) { count = parameters.count }

  func run(on bench: Workbench) throws(ToolError) -> BenchmarkReport {
    var report = BenchmarkReport(
      StateBenchmark.name,
      "entities by the table state beside a plain table, private engine, WAL, synchronous=OFF",
      rounds: bench.rounds, order: StateSide.Table.allCases.map(\.rawValue))
    for work in StateWork.allCases {
      report.declare(
        work.rawValue, .nanoseconds, .less, base: StateSide.Table.plain.rawValue,
        highlight: .only(StateSide.Table.state.rawValue))
    }
    var databases: [String: String] = [:]
    for table in StateSide.Table.allCases {
      databases[table.rawValue] = try bench.makeDatabase(journal: "WAL", [StateSide.schema])
    }
    let variants = StateSide.Table.allCases.map { Variant(name: $0.rawValue, kind: .stock) }
    let count = self.count ?? StateWork.countDefault
    report.notes += try bench.interleave(StateBenchmark.name, [("", ())], variants) {
      (_, variant) throws(ToolError) in
      let found = try bench.runPeer(
        "sql-state", nil,
        [
          "--library", bench.sqlLibrary, "--table", variant.name, "--count", String(count),
          bench.path(databases[variant.name]!),
        ])
      for work in StateWork.allCases {
        report.add(try found.samples(work.rawValue), of: variant.name, to: work.rawValue)
      }
    }
    report.notes.append(
      "a transaction has \(StateWork.transactionRowCount) rows, and its COMMIT counts; both "
        + "databases grow from round to round")
    return report
  }

  /// The measured process.
  static func peer(_ options: inout Options) throws(ToolError) -> PeerReport {
    let (library, table, count, path) = try BenchPeer.parse { () throws(CommandError) in
      let library = try options.value("--library") ?? ""
      let table = try options.value("--table") ?? ""
      let count = try options.number("--count", in: 1...1_000_000, or: 1)
      let path = options.word() ?? ""
      try options.finish()
      return (library, StateSide.Table(rawValue: table) ?? .plain, count, path)
    }
    var side = try StateSide(path, table, library: library)
    try side.fill()
    BenchPeer.awaitStart()
    var report = PeerReport()
    for work in StateWork.allCases {
      report.add(work.rawValue, try work.measure(count, of: &side))
    }
    return report
  }
}

/// What is measured of each table. Each sample is the time of one row.
enum StateWork: String, CaseIterable {
  case single = "a row in a transaction, single statements"
  case several = "a row in a transaction, INSERT … SELECT"
  case commit = "a row with its commit"
  case point = "point SELECT of a row"

  static let transactionRowCount: Int64 = 1000
  /// Runs of `commit` in a round. The others have as many as take about the same time.
  static let countDefault = 2000
  private static let pointsInPiece = 200

  func measure(_ count: Int, of side: inout StateSide) throws(ToolError) -> Samples {
    switch self {
    case .single:
      try Self.samples(pieces: max(1, count / 200), runs: Int(Self.transactionRowCount)) {
        () throws(ToolError) in try side.insertSingly(Self.transactionRowCount)
      }
    case .several:
      try Self.samples(pieces: max(1, count / 200), runs: Int(Self.transactionRowCount)) {
        () throws(ToolError) in try side.insertTogether(Self.transactionRowCount)
      }
    case .commit:
      try Self.samples(pieces: count, runs: 1) { () throws(ToolError) in try side.insert() }
    case .point:
      try Self.samples(pieces: max(1, count / 20), runs: Self.pointsInPiece) {
        () throws(ToolError) in
        for _ in 0..<Self.pointsInPiece { try side.point() }
      }
    }
  }

  /// The time of each piece, divided by the runs in it.
  private static func samples(
    pieces: Int, runs: Int, _ body: () throws(ToolError) -> Void
  ) throws(ToolError) -> Samples {
    var samples = Samples(capacity: pieces)
    for _ in 0..<pieces {
      let start = Clock.monotonicNanoseconds()
      try body()
      samples.append((Clock.monotonicNanoseconds() - start) / Int64(runs))
    }
    return samples
  }
}
