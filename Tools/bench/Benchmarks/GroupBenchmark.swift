// sluice-bench group: durable writers of one database in WAL mode, from one to many. A commit waits
// for the disk; the question is whether the other writers wait for it as well.

internal import CSQLite
internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

struct GroupBenchmark: Benchmark {
  static let name = "group"
  static let options: Set<String> = ["--seconds", "--writers", "--sync-delay"]

  /// No writer gives up: with SQLite's own VFS one may wait until all others are done.
  private static let busyTimeoutMilliseconds: Int32 = 60_000

  private let seconds: Double
  private let writerCounts: [Int]
  private let syncDelayMilliseconds: Int

  init(_ parameters: BenchmarkParameters, on bench: Workbench) {
    seconds = parameters.seconds ?? 3
    writerCounts = parameters.writers.map { [$0] } ?? [1, 2, 4, 8, 32]
    syncDelayMilliseconds = parameters.syncDelayMilliseconds
  }

  private struct Setting {
    let name: String
    let writers: Int

    init(writers: Int, syncDelayMilliseconds: Int) {
      name =
        "\(writers) durable writer\(writers == 1 ? "" : "s")"
        + (syncDelayMilliseconds == 0 ? "" : ", syncs \(syncDelayMilliseconds) ms longer")
      self.writers = writers
    }

    var rate: String { name + ": transactions" }
    /// The share of commits that take no longer.
    static let fractions = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)]
    func latency(_ percentile: String) -> String { name + ": commit latency " + percentile }
  }

  func run(on bench: Workbench) throws(ToolError) -> BenchmarkReport {
    let settings = writerCounts.map {
      Setting(writers: $0, syncDelayMilliseconds: syncDelayMilliseconds)
    }
    let base = Variant.stock.name
    let delay = syncDelayMilliseconds == 0 ? "" : ", each sync \(syncDelayMilliseconds) ms longer"
    var report = BenchmarkReport(
      GroupBenchmark.name,
      "processes that commit small transactions to one database, WAL, synchronous=FULL, for"
        + " \(seconds.short) s" + delay,
      rounds: bench.rounds, order: bench.variants.map(\.name))
    for setting in settings {
      report.declare(setting.rate, .perSecond, .more, base: base, highlight: .all)
      for (percentile, _) in Setting.fractions {
        report.declare(
          setting.latency(percentile), .nanoseconds, .less, base: base,
          highlight: percentile == "p99.9" ? .all : .none)
      }
    }
    report.notes = [
      "a transaction is BEGIN IMMEDIATE, one INSERT of 100 bytes and COMMIT; its latency counts from"
        + " BEGIN IMMEDIATE, so the wait for the write lock is in it"
    ]
    report.notes += try bench.interleave(
      GroupBenchmark.name, settings.map { ($0.name, $0) }, bench.variants
    ) { (setting, variant) throws(ToolError) in
      let (rate, times) = try commit(setting, variant, on: bench)
      report.add(rate, times, of: variant.name, to: setting.rate)
      for (percentile, fraction) in Setting.fractions {
        report.add(
          Double(times.percentile(fraction)), of: variant.name, to: setting.latency(percentile))
      }
    }
    return report
  }

  /// The transactions a second of all writers together, and the latency of each.
  private func commit(
    _ setting: Setting, _ variant: Variant, on bench: Workbench
  ) throws(ToolError) -> (rate: Double, times: Samples) {
    let database = try bench.makeDatabase(
      journal: "WAL",
      ["CREATE TABLE entry(id INTEGER PRIMARY KEY, writer INTEGER, number INTEGER, filler TEXT)"])
    defer { bench.remove(database) }
    let delay =
      syncDelayMilliseconds == 0 ? [] : ["--sync-delay", String(syncDelayMilliseconds)]
    let isSluice = variant.kind == .sluice
    let server = try bench.startServer(variant, sidecarOptions: isSluice ? delay : [])
    defer { server.stop() }
    let peers = (0..<setting.writers).map {
      (
        kind: "group-writer",
        words: ["--writer", String($0), "--seconds", "\(seconds)"] + (isSluice ? [] : delay)
      )
    }
    let reports = try bench.runPeers(peers, bench.target(database, variant, server))
    var rate = 0.0
    var times = Samples()
    var committed: [String] = []
    for report in reports {
      let own = try report.samples("time")
      rate += Double(own.nanoseconds.count) / own.totalSeconds
      times.append(own)
      committed.append(String(own.nanoseconds.count))
    }
    let rows = try bench.ask(database, GroupBenchmark.rowsOfEachWriter) ?? ""
    let expected = committed.joined(separator: " ")
    guard rows == expected else {
      throw .failed("\(variant.name), \(setting.name): \(rows) rows are there, not \(expected)")
    }
    return (rate, times)
  }

  /// The number of rows of each writer, or -1 if they are not 0, 1, 2 and so on.
  private static let rowsOfEachWriter = """
    SELECT group_concat(rows, ' ') FROM
      (SELECT iif(count(DISTINCT number) = count(*) AND min(number) = 0
          AND max(number) = count(*) - 1, count(*), -1) AS rows
        FROM entry GROUP BY writer ORDER BY writer)
    """
}

// MARK: The measured process

extension GroupBenchmark {
  /// Reports how long each transaction took (`time`).
  static func peer(_ options: inout Options) throws(ToolError) -> PeerReport {
    var target = Target(path: "")
    var writer = 0
    var seconds = 0.0
    var syncDelayMilliseconds = 0
    try BenchPeer.parse { () throws(CommandError) in
      target = try Target(&options)
      writer = try options.number("--writer", in: 0...1000, or: 0)
      seconds = try options.value("--seconds").flatMap { Double($0) } ?? 0
      syncDelayMilliseconds = try options.number("--sync-delay", in: 0...1000, or: 0)
      try options.finish()
    }
    let sqlite = try SQLiteLibrary()
    if syncDelayMilliseconds > 0 {
      target.vfs = try SlowSyncVFS.register(
        sqlite, over: target.vfs, delayMilliseconds: syncDelayMilliseconds)
    }
    let connection = try SQLiteConnection(sqlite, target)
    connection.setBusyTimeout(milliseconds: busyTimeoutMilliseconds)
    try connection.expectJournal("WAL")
    try connection.execute("PRAGMA synchronous = FULL")
    let begin = try connection.prepare("BEGIN IMMEDIATE")
    let filler = String(repeating: "x", count: 100)
    let insert = try connection.prepare(
      "INSERT INTO entry(writer, number, filler) VALUES(\(writer), ?1, '\(filler)')")
    let commit = try connection.prepare("COMMIT")
    BenchPeer.awaitStart()

    var number: Int64 = 0
    let times = try BenchPeer.repeated(seconds: seconds) { () throws(ToolError) in
      insert.bind(number)
      number += 1
      for statement in [begin, insert, commit] {
        let code = statement.step()
        guard code == SQLITE_DONE else { throw .failed("writer: \(connection.message)") }
        statement.reset()
      }
    }
    var report = PeerReport()
    report.add("time", times)
    return report
  }
}
