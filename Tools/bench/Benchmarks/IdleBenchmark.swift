// sluice-bench idle: sessions that have a database open and do nothing. It measures what they cost
// a busy session beside them, and what they cost the machine.

internal import SluiceCommand
internal import ToolSupport

struct IdleBenchmark: Benchmark {
  static let name = "idle"
  static let options: Set<String> = ["--seconds", "--sessions"]

  private let seconds: Double
  private let sessions: Int

  private let alone = "busy session alone, point SELECTs"
  private var beside: String { "busy session beside \(sessions) idle ones" }
  private var slowDown: String { "slow-down of a session by \(sessions) idle ones" }
  private let processorTime = "server's processor time, all idle"
  private let serverMemory = "server's memory for an idle session"
  private let clientMemory = "an idle client's memory"

  init(_ parameters: BenchmarkParameters, on bench: Workbench) {
    seconds = parameters.seconds ?? 1
    sessions = parameters.sessions
  }

  func run(on bench: Workbench) throws(ToolError) -> BenchmarkReport {
    let base = Variant.stock.name
    var report = BenchmarkReport(
      IdleBenchmark.name, "\(sessions) sessions that have a database open and do nothing",
      rounds: bench.rounds, order: bench.variants.map(\.name))
    report.declare(alone, .perSecond, .more, base: base)
    report.declare(beside, .perSecond, .more, base: base)
    report.declare(slowDown, .times, .less, base: base, highlight: .all)
    report.declare(processorTime, .nanosecondsPerSecond, .less)
    report.declare(serverMemory, .kibibytes, .less)
    report.declare(clientMemory, .kibibytes, .less, base: base)
    report.notes = [
      "the server is the shared sidecar or the FUSE daemon; its processor time is that of all its"
        + " threads (/proc/PID/task/*/schedstat)",
      "memory is Pss_Anon and Pss_Shmem of /proc/PID/smaps_rollup: resident pages, without those of"
        + " programs; a page that the server and a client share, as those of a channel, counts half"
        + " for each; of the server's memory, only what the sessions add counts, for each session",
    ]
    report.notes += try bench.interleave(
      IdleBenchmark.name, [("", ())], bench.variants
    ) { (_, variant) throws(ToolError) in
      try measure(variant, into: &report, on: bench)
    }
    return report
  }

  private func measure(
    _ variant: Variant, into report: inout BenchmarkReport, on bench: Workbench
  ) throws(ToolError) {
    let database = try bench.makeDatabase(journal: "DELETE", StatementPeer.schema)
    defer { bench.remove(database) }
    let server = try bench.startServer(variant)
    defer { server.stop() }
    let meter = server.process.map { ProcessMeter(process: $0) }
    let target = bench.target(database, variant, server)

    let aloneBefore = try busy(target, on: bench)
    let memoryBefore = meter?.memoryKibibytes
    var idle: [MeasuredProcess] = []
    for _ in 0..<sessions {
      let session = try bench.startPeer("idle", target)
      // One after the other: many programs that start at once would wait for each other.
      try session.awaitLine("ready", bench.wait, timeoutSeconds: 60)
      idle.append(session)
    }
    // Until all are asleep.
    try bench.wait.sleep(nanoseconds: 300_000_000)
    if let meter {
      let before = meter.processorNanoseconds
      try bench.wait.sleep(nanoseconds: Int64(seconds * 1e9))
      report.add(
        Double(meter.processorNanoseconds - before) / seconds, of: variant.name, to: processorTime)
    }
    if let memoryBefore, let memory = meter?.memoryKibibytes {
      report.add(
        (memory - memoryBefore) / Double(sessions), of: variant.name, to: serverMemory)
    }
    let clients = idle.compactMap { ProcessMeter(process: $0.id).memoryKibibytes }
    guard clients.count == sessions else { throw .failed("idle: a session has ended") }
    report.add(clients.reduce(0, +) / Double(sessions), of: variant.name, to: clientMemory)
    let besideRate = try busy(target, on: bench)
    for session in idle { session.closeInput() }
    for session in idle { try session.finish(bench.wait, timeoutSeconds: 60) }
    // Before and after, so that a slow drift of the machine counts for both.
    let aloneRate = (aloneBefore + (try busy(target, on: bench))) / 2
    report.add(aloneRate, of: variant.name, to: alone)
    report.add(besideRate, of: variant.name, to: beside)
    report.add(aloneRate / besideRate, of: variant.name, to: slowDown)
  }

  /// The rate of a busy session.
  private func busy(_ target: Target, on bench: Workbench) throws(ToolError) -> Double {
    try bench.runPeer(
      "statement", target,
      StatementPeer.words(.select, journal: "DELETE", synchronous: "FULL", seconds: seconds)
    ).value("rate")
  }

  // MARK: The measured process

  static func peer(_ options: inout Options) throws(ToolError) -> PeerReport {
    let target = try BenchPeer.parse { () throws(CommandError) in
      let target = try Target(&options)
      try options.finish()
      return target
    }
    let connection = try SQLiteConnection(try SQLiteLibrary(), target)
    try connection.execute("SELECT value FROM item WHERE id = 1")
    BenchPeer.awaitStart()
    withExtendedLifetime(connection) {}
    return PeerReport()
  }
}
