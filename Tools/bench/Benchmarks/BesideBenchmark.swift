// sluice-bench beside: small transactions of writers beside readers that never pause, or beside a
// process that never stops checkpointing, in WAL mode and through one shared sidecar.

internal import CSQLite
internal import SluiceCommand
internal import ToolSupport

struct BesideBenchmark: Benchmark {
  static let name = "beside"
  static let options: Set<String> = ["--seconds", "--writers", "--readers"]

  private let seconds: Double
  private let settings: [Setting]

  init(_ parameters: BenchmarkParameters, on bench: Workbench) {
    seconds = parameters.seconds ?? 3
    if parameters.writers == nil, parameters.readers == nil {
      settings = [
        Setting(writers: 1, readers: 1), Setting(writers: 2, readers: 2), Setting(writers: 2),
      ]
    } else {
      settings = [Setting(writers: parameters.writers ?? 1, readers: parameters.readers ?? 0)]
    }
  }

  private struct Setting {
    let name: String
    let writers: Int
    let readers: Int
    var hasCheckpointer: Bool { readers == 0 }

    /// Without readers there is a process that checkpoints.
    init(writers: Int, readers: Int = 0) {
      func counted(_ count: Int, _ noun: String) -> String {
        "\(count) \(noun)\(count == 1 ? "" : "s")"
      }
      name =
        counted(writers, "writer") + " beside "
        + (readers == 0 ? "a checkpointer" : counted(readers, "reader"))
      self.writers = writers
      self.readers = readers
    }

    var writes: String { name + ": writes" }
    var tail: String { name + ": p99.9 of writes" }
    /// What the others do.
    var others: String { name + (hasCheckpointer ? ": checkpoints" : ": reads") }
    var busyWrites: String { name + ": SQLITE_BUSY of writes" }
    var busyOthers: String {
      name + ": SQLITE_BUSY of " + (hasCheckpointer ? "checkpoints" : "reads")
    }
  }

  func run(on bench: Workbench) throws(ToolError) -> BenchmarkReport {
    let base = Variant.stock.name
    var report = BenchmarkReport(
      BesideBenchmark.name,
      "processes that write to one database beside others, WAL, synchronous=NORMAL, for"
        + " \(seconds.short) s",
      rounds: bench.rounds, order: bench.variants.map(\.name))
    for setting in settings {
      report.declare(setting.writes, .perSecond, .more, base: base, highlight: .all)
      report.declare(setting.tail, .nanoseconds, .less, base: base, highlight: .all)
      report.declare(
        setting.others, .perSecond, .more, base: base,
        highlight: setting.hasCheckpointer ? .none : .all)
      report.declare(setting.busyWrites, .count, .less)
      report.declare(setting.busyOthers, .count, .less)
    }
    report.notes = [
      "a write is one UPDATE, a read one SELECT by primary key, each a transaction; a checkpoint is"
        + " PRAGMA wal_checkpoint(PASSIVE), and busy where it could not begin; nobody pauses"
    ]
    report.notes += try bench.interleave(
      BesideBenchmark.name, settings.map { ($0.name, $0) }, bench.variants
    ) { (setting, variant) throws(ToolError) in
      let database = try bench.makeDatabase(
        journal: "WAL", StatementPeer.schema + CounterPeer.schema(writers: setting.writers))
      defer { bench.remove(database) }
      let server = try bench.startServer(variant)
      defer { server.stop() }
      let target = bench.target(database, variant, server)

      let writers = (0..<setting.writers).map {
        (
          kind: "counter",
          words: CounterPeer.words(
            writer: $0, journal: "WAL", synchronous: "NORMAL", seconds: seconds)
        )
      }
      let others = (0..<max(1, setting.readers)).map {
        (
          kind: "beside",
          words: [
            "--work", (setting.hasCheckpointer ? Work.checkpoint : .select).rawValue, "--seed",
            String($0), "--seconds", "\(seconds)",
          ]
        )
      }
      let reports = try bench.runPeers(writers + others, target)
      let written = try CounterPeer.Outcome(reports.prefix(setting.writers))
      try written.expect(in: database, of: "\(variant.name), \(setting.name)", on: bench)
      report.add(written.rate, written.times, of: variant.name, to: setting.writes)
      report.add(
        Double(written.times.percentile(0.999)), of: variant.name, to: setting.tail)
      report.add(written.busy, of: variant.name, to: setting.busyWrites)
      let beside = try CounterPeer.Outcome(reports.dropFirst(setting.writers))
      report.add(beside.rate, beside.times, of: variant.name, to: setting.others)
      report.add(beside.busy, of: variant.name, to: setting.busyOthers)
    }
    return report
  }
}

// MARK: The measured process that writes nothing

extension BesideBenchmark {
  private enum Work: String { case select, checkpoint }

  /// Reports how long each SELECT or checkpoint took, also with SQLITE_BUSY (`time`), and how many
  /// ended with it (`busy`).
  static func peer(_ options: inout Options) throws(ToolError) -> PeerReport {
    var target = Target(path: "")
    var work = Work.select
    var seed = 0
    var seconds = 0.0
    try BenchPeer.parse { () throws(CommandError) in
      target = try Target(&options)
      work = (try options.value("--work")).flatMap(Work.init) ?? .select
      seed = try options.number("--seed", in: 0...1000, or: 0)
      seconds = try options.value("--seconds").flatMap { Double($0) } ?? 0
      try options.finish()
    }
    let connection = try SQLiteConnection(try SQLiteLibrary(), target)
    connection.setBusyTimeout(milliseconds: CounterPeer.busyTimeoutMilliseconds)
    try connection.expectJournal("WAL")
    let statement = try connection.prepare(
      work == .select ? StatementPeer.Work.select.sql : "PRAGMA wal_checkpoint(PASSIVE)")
    var random = SplitMix64(seed: UInt64(seed))
    BenchPeer.awaitStart()

    var busy = 0
    let times = try BenchPeer.repeated(seconds: seconds) { () throws(ToolError) in
      if work == .select {
        statement.bind(1 + Int64(random.below(StatementPeer.rowCount)))
      }
      let code = statement.step()
      switch code & 0xff {
      case SQLITE_ROW: if work == .checkpoint, statement.text != "0" { busy += 1 }
      case SQLITE_BUSY: busy += 1
      default: throw .failed("\(work.rawValue): \(connection.message)")
      }
      statement.reset()
    }
    var report = PeerReport()
    report.add("time", times)
    report.add("busy", Double(busy))
    return report
  }
}
