// sluice-bench open: a program that opens a database for each piece of work, as programs do that
// serve requests. One visit opens it, reads a row and closes it. The first visit of the program is
// not counted: `start` measures that.

internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

struct OpenBenchmark: Benchmark {
  static let name = "open"
  static let options: Set<String> = ["--count"]

  /// Connections close at the same time as others open: SQLite's locks then make some of them wait.
  private static let busyTimeoutMilliseconds: Int32 = 10_000

  private let count: Int

  init(_ parameters: BenchmarkParameters, on bench: Workbench) {
    count = parameters.count ?? 2400
  }

  private struct Setting {
    let name: String
    let journal: String
    var threads = 1
    /// Whether the program has another connection to the database all the time.
    var keepsOne = false
  }

  private static let settings = [
    Setting(name: "open, read, close, DELETE", journal: "DELETE"),
    Setting(name: "open, read, close, WAL, another one open", journal: "WAL", keepsOne: true),
    Setting(name: "open, read, close, WAL, the only one", journal: "WAL"),
    Setting(name: "16 threads open, read, close, DELETE", journal: "DELETE", threads: 16),
    Setting(name: "16 threads open, read, close, WAL", journal: "WAL", threads: 16),
  ]

  func run(on bench: Workbench) throws(ToolError) -> BenchmarkReport {
    var report = BenchmarkReport(
      OpenBenchmark.name,
      "a program that opens a database, reads a row and closes it, \(count) times",
      rounds: bench.rounds, order: bench.variants.map(\.name))
    for setting in OpenBenchmark.settings {
      report.declare(setting.name, .nanoseconds, .less, base: Variant.stock.name, highlight: .all)
    }
    report.notes = [
      "of threads: the time until all are done, divided by how often they opened the database"
        + " together; p99 is that of one thread's times"
    ]
    report.notes += try bench.interleave(
      OpenBenchmark.name, OpenBenchmark.settings.map { ($0.name, $0) }, bench.variants
    ) { (setting, variant) throws(ToolError) in
      let database = try bench.makeDatabase(journal: setting.journal, StatementPeer.schema)
      defer { bench.remove(database) }
      let found = try bench.runPeer(
        "open", bench.target(database, variant),
        [
          "--journal", setting.journal, "--threads", String(setting.threads), "--count",
          String(count),
        ] + (setting.keepsOne ? ["--keep-one"] : []))
      let times = try found.samples("time")
      if setting.threads == 1 {
        report.add(times, of: variant.name, to: setting.name)
      } else {
        let each = try found.value("nanoseconds") / Double(times.nanoseconds.count)
        report.add(each, times, of: variant.name, to: setting.name)
      }
    }
    return report
  }
}

// MARK: The measured process

extension OpenBenchmark {
  /// Reports how long each visit took (`time`), and all together (`nanoseconds`).
  static func peer(_ options: inout Options) throws(ToolError) -> PeerReport {
    var target = Target(path: "")
    var journal = ""
    var threads = 1
    var count = 0
    var keepsOne = false
    try BenchPeer.parse { () throws(CommandError) in
      target = try Target(&options)
      journal = try options.value("--journal") ?? ""
      threads = try options.number("--threads", in: 1...64, or: 1)
      count = try options.number("--count", in: 1...10_000_000, or: 1)
      keepsOne = options.flag("--keep-one")
      try options.finish()
    }
    // SQLite has the extension's VFS until the process ends.
    var kept: SQLiteConnection? = try SQLiteConnection(try SQLiteLibrary(), target)
    try kept?.expectJournal(journal)
    if !keepsOne { kept = nil }
    let name = target.uri
    let vfs = target.vfs
    _ = try visits(name, vfs, count: max(1, count / 10))
    BenchPeer.awaitStart()

    let start = Clock.monotonicNanoseconds()
    let times =
      threads == 1
      ? try visits(name, vfs, count: count)
      : try visits(name, vfs, count: count, threads: threads)
    let nanoseconds = Clock.monotonicNanoseconds() - start
    withExtendedLifetime(kept) {}
    var report = PeerReport()
    report.add("time", times)
    report.add("nanoseconds", Double(nanoseconds))
    return report
  }

  private static func visits(
    _ name: String, _ vfs: String, count: Int
  ) throws(ToolError) -> Samples {
    let sqlite = try SQLiteLibrary()
    var times = Samples(capacity: count)
    for _ in 0..<count {
      let start = Clock.monotonicNanoseconds()
      try visit(sqlite, name, vfs)
      times.append(Clock.monotonicNanoseconds() - start)
    }
    return times
  }

  /// Not inlined, so that the connection is closed when it returns.
  @inline(never)
  private static func visit(
    _ sqlite: SQLiteLibrary, _ name: String, _ vfs: String
  ) throws(ToolError) {
    let connection = try SQLiteConnection(sqlite, name: name, vfs: vfs)
    connection.setBusyTimeout(milliseconds: busyTimeoutMilliseconds)
    let answer = try connection.execute("SELECT value FROM item WHERE id = 1")
    guard answer == "1" else { throw .failed("the query gives \(answer ?? "nothing")") }
  }

  /// `count` visits by several threads together.
  private static func visits(
    _ name: String, _ vfs: String, count: Int, threads: Int
  ) throws(ToolError) -> Samples {
    struct Outcome {
      var times = Samples()
      var failure: ToolError?
    }
    let outcome = FutexLock<Outcome>(Outcome())
    var running: [JoinableThread] = []
    for index in 0..<threads {
      let share = count * (index + 1) / threads - count * index / threads
      do throws(Errno) {
        let thread = try Thread("bench-open") {
          do throws(ToolError) {
            let times = try visits(name, vfs, count: share)
            outcome.withLock { $0.times.append(times) }
          } catch {
            outcome.withLock { $0.failure = error }
          }
        }
        running.append(JoinableThread(thread))
      } catch {
        throw .system("thread", error)
      }
    }
    for thread in running { thread.join() }
    let end = outcome.withLock { $0 }
    if let failure = end.failure { throw failure }
    return end.times
  }
}
