// sluice-bench contend: many processes that write to one database at once, through one shared
// sidecar, or each by itself.

internal import CSQLite
internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

struct ContentionBenchmark: Benchmark {
  static let name = "contend"
  static let options: Set<String> = ["--seconds", "--writers"]

  private static let busyTimeoutMilliseconds: Int32 = 10_000

  private let seconds: Double
  private let writers: Int

  init(_ parameters: BenchmarkParameters, on bench: Workbench) {
    seconds = parameters.seconds ?? 3
    writers = parameters.writers ?? 8
  }

  private struct Setting {
    let name: String
    let journal: String
    let synchronous: String

    init(_ journal: String, _ synchronous: String, writers: Int) {
      name = "\(writers) writers, \(journal) \(synchronous)"
      self.journal = journal
      self.synchronous = synchronous
    }

    var rate: String { name + ": transactions" }
    var tail: String { name + ": p99.9" }
    var longest: String { name + ": longest wait" }
    var busy: String { name + ": SQLITE_BUSY" }
  }

  func run(on bench: Workbench) throws(ToolError) -> BenchmarkReport {
    let settings = [
      Setting("WAL", "NORMAL", writers: writers), Setting("DELETE", "FULL", writers: writers),
    ]
    let base = Variant.stock.name
    var report = BenchmarkReport(
      ContentionBenchmark.name,
      "\(writers) processes that write to one database, busy timeout 10 s, for \(seconds.short) s",
      rounds: bench.rounds, order: bench.variants.map(\.name))
    for setting in settings {
      report.declare(setting.rate, .perSecond, .more, base: base, highlight: .all)
      report.declare(setting.tail, .nanoseconds, .less, base: base, highlight: .all)
      report.declare(setting.longest, .nanoseconds, .less, base: base)
      report.declare(setting.busy, .count, .less)
    }
    report.notes += try bench.interleave(
      ContentionBenchmark.name, settings.map { ($0.name, $0) }, bench.variants
    ) { (setting, variant) throws(ToolError) in
      let outcome = try contend(setting, variant, on: bench)
      report.add(outcome.rate, outcome.times, of: variant.name, to: setting.rate)
      report.add(
        Double(outcome.times.percentile(0.999)), of: variant.name, to: setting.tail)
      report.add(Double(outcome.times.nanoseconds.max()!), of: variant.name, to: setting.longest)
      report.add(outcome.busy, of: variant.name, to: setting.busy)
    }
    return report
  }

  private struct Outcome {
    var rate = 0.0
    var busy = 0.0
    var times = Samples()
  }

  private func contend(
    _ setting: Setting, _ variant: Variant, on bench: Workbench
  ) throws(ToolError) -> Outcome {
    let counters = (0..<writers).map { "INSERT INTO counter VALUES(\($0), 0)" }
    let database = try bench.makeDatabase(
      journal: setting.journal,
      ["CREATE TABLE counter(writer INTEGER PRIMARY KEY, value INTEGER)"] + counters)
    defer { bench.remove(database) }
    let server = try bench.startServer(variant)
    defer { server.stop() }
    var started: [MeasuredProcess] = []
    for writer in 0..<writers {
      started.append(
        try bench.startPeer(
          "writer", bench.target(database, variant, server),
          [
            "--writer", String(writer), "--journal", setting.journal, "--synchronous",
            setting.synchronous, "--seconds", "\(seconds)",
          ]))
    }
    for writer in started { try writer.awaitLine("ready", bench.wait, timeoutSeconds: 60) }
    for writer in started { writer.say("go") }
    var outcome = Outcome()
    var done = 0.0
    for writer in started {
      let found = try PeerReport(
        parsing: writer.finish(bench.wait, timeoutSeconds: 60 + Int(seconds)))
      outcome.rate += try found.value("done") / found.value("seconds")
      outcome.busy += try found.value("busy")
      outcome.times.append(try found.samples("time"))
      done += try found.value("done")
    }
    let sum = try bench.ask(database, "SELECT sum(value) FROM counter") ?? ""
    guard sum == String(Int(done)) else {
      throw .failed("\(variant.name), \(setting.name): the sum is \(sum), not \(Int(done))")
    }
    return outcome
  }
}

// MARK: The measured process

extension ContentionBenchmark {
  /// Reports the number of its transactions (`done`) and their time (`seconds`), how many ended
  /// with SQLITE_BUSY (`busy`), and how long each took, also with SQLITE_BUSY (`time`).
  static func peer(_ options: inout Options) throws(ToolError) -> PeerReport {
    var target = Target(path: "")
    var writer = 0
    var words = (journal: "", synchronous: "")
    var seconds = 0.0
    try BenchPeer.parse { () throws(CommandError) in
      target = try Target(&options)
      writer = try options.number("--writer", in: 0...1000, or: 0)
      words.journal = try options.value("--journal") ?? ""
      words.synchronous = try options.value("--synchronous") ?? ""
      seconds = try options.value("--seconds").flatMap { Double($0) } ?? 0
      try options.finish()
    }
    let connection = try SQLiteConnection(try SQLiteLibrary(), target)
    connection.setBusyTimeout(milliseconds: busyTimeoutMilliseconds)
    try connection.expectJournal(words.journal)
    try connection.execute("PRAGMA synchronous = \(words.synchronous)")
    let statement = try connection.prepare(
      "UPDATE counter SET value = value + 1 WHERE writer = ?1")
    statement.bind(Int64(writer))
    BenchPeer.awaitStart()

    var times = Samples(capacity: 100_000)
    var busy = 0
    let start = Clock.monotonicNanoseconds()
    let end = start + Int64(seconds * 1e9)
    var last = start
    repeat {
      let code = statement.step()
      statement.reset()
      let now = Clock.monotonicNanoseconds()
      times.append(now - last)
      last = now
      switch code & 0xff {
      case SQLITE_DONE: break
      case SQLITE_BUSY: busy += 1
      default: throw .failed("UPDATE: \(connection.message)")
      }
    } while last < end

    var report = PeerReport()
    report.add("time", times)
    report.add("done", Double(times.nanoseconds.count - busy))
    report.add("busy", Double(busy))
    report.add("seconds", Double(last - start) / 1e9)
    return report
  }
}
