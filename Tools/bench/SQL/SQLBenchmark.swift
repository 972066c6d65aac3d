// sluice-bench sql: SQL across the boundary, beside SQLite in the caller's process, and beside other
// ways to have SQL done. All in WAL mode, with statements that are prepared once.

internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

struct SQLBenchmark: Benchmark {
  static let name = "sql"
  static let options: Set<String> = ["--cancels", "--install-peers"]

  private let cancelCount: Int
  private let installsPeers: Bool

  private enum Contender: String, CaseIterable {
    case stock = "SQLite in the process, C"
    case sluice = "Sluice, C"
    case python = "Python's sqlite3"
    case sluicePython = "Sluice, Python"
    case socket = "plain Unix-socket service, C"
    case postgres = "PostgreSQL, Unix socket, pgbench"
    case empty = "empty call"

    var variant: Variant { Variant(name: rawValue, kind: .stock) }
  }

  init(_ parameters: BenchmarkParameters, on bench: Workbench) {
    cancelCount = parameters.cancels ?? 50
    installsPeers = parameters.installsPeers
  }

  func run(on bench: Workbench) throws(ToolError) -> BenchmarkReport {
    if installsPeers { try install(on: bench) }
    var report = BenchmarkReport(
      SQLBenchmark.name,
      "SQL by a private engine beside SQLite in the process, WAL, \(SQLWork.rowCount) rows",
      rounds: bench.rounds,
      order: Contender.allCases.map(\.rawValue) + [SQLPeers.rowsBySteps, SQLPeers.bareWords])
    for work in SQLWork.allCases {
      report.declare(
        work.rawValue, .nanoseconds, .less, base: Contender.stock.rawValue,
        highlight: .only(Contender.sluice.rawValue))
    }
    report.declare(SQLPeers.emptyCall, .nanoseconds, .less, base: SQLPeers.bareWords)
    report.declare(SQLPeers.cancel, .nanoseconds, .less, base: Contender.stock.rawValue)
    report.declare(SQLPeers.cancelSlowest, .nanoseconds, .less)

    let (contenders, missing) = contenders(on: bench)
    report.notes += missing
    let postgres =
      try contenders.contains(.postgres)
      ? PostgresServer.installed.map { (programs) throws(ToolError) in
        try PostgresServer(programs, on: bench)
      } : nil
    defer { postgres?.stop() }
    var databases: [String: String] = [:]
    for contender in contenders where contender != .postgres {
      databases[contender.rawValue] = try bench.makeDatabase(journal: "WAL", SQLWork.schema)
    }
    report.notes += try bench.interleave(
      SQLBenchmark.name, [("", ())], contenders.map(\.variant)
    ) { (_, variant) throws(ToolError) in
      let contender = Contender(rawValue: variant.name)!
      let path = bench.path(databases[variant.name] ?? "")
      add(
        try measure(contender, path, postgres, on: bench), of: contender, to: &report)
    }
    report.notes.append(
      "a figure is the median of \(SQLWork.pieceCount) pieces of work, for one run of it; "
        + "PostgreSQL's is pgbench's mean, without taking the values")
    return report
  }

  // MARK: Contenders

  /// Those that are installed, and a note for each that is not.
  private func contenders(on bench: Workbench) -> ([Contender], missing: [String]) {
    var missing: [String] = []
    let contenders = Contender.allCases.filter { contender in
      let isThere =
        switch contender {
        case .stock, .sluice, .socket, .empty: true
        case .python: PythonSQLPeer.stock.isInstalled(bench.pythonModules, on: bench)
        case .sluicePython: PythonSQLPeer.sluice.isInstalled(bench.pythonModules, on: bench)
        case .postgres: PostgresServer.installed != nil
        }
      if !isThere { missing.append("\(contender.rawValue): not installed (--install-peers)") }
      return isThere
    }
    return (contenders, missing)
  }

  private func install(on bench: Workbench) throws(ToolError) {
    try bench.runProgram(
      [
        "/usr/bin/env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-y", "install",
        "--no-install-recommends", "postgresql", "python3",
      ], timeoutSeconds: 600)
  }

  private func measure(
    _ contender: Contender, _ path: String, _ postgres: PostgresServer?, on bench: Workbench
  ) throws(ToolError) -> PeerReport {
    switch contender {
    case .stock: try bench.runPeer("sql-stock", nil, ["--cancels", String(cancelCount), path])
    case .sluice:
      try bench.runPeer(
        "sql-sluice", nil,
        ["--library", bench.sqlLibrary, "--cancels", String(cancelCount), path])
    case .socket: try bench.runPeer("sql-socket", nil, [path])
    case .empty: try bench.runPeer("sql-empty", nil, [path])
    case .python: try PythonSQLPeer.stock.measure(path, bench.pythonModules, on: bench)
    case .sluicePython: try PythonSQLPeer.sluice.measure(path, bench.pythonModules, on: bench)
    case .postgres: try postgres!.measure()
    }
  }

  private func add(
    _ found: PeerReport, of contender: Contender, to report: inout BenchmarkReport
  ) {
    let name = contender.rawValue
    for work in SQLWork.allCases {
      if let times = found.samples[work.rawValue] { report.add(times, of: name, to: work.rawValue) }
    }
    if let times = found.samples[SQLPeers.rowsBySteps] {
      report.add(times, of: SQLPeers.rowsBySteps, to: SQLWork.rows.rawValue)
    }
    if let times = found.samples[SQLPeers.cancel] {
      report.add(times, of: name, to: SQLPeers.cancel)
      let slowest = Double(times.nanoseconds.max() ?? 0)
      report.add(slowest, of: name, to: SQLPeers.cancelSlowest)
    }
    for name in [SQLPeers.bareWords, SQLPeers.emptyCall] {
      if let times = found.samples[name] {
        report.add(times, of: name, to: SQLPeers.emptyCall)
      }
    }
  }
}
