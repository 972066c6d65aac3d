// The command: which benchmarks run, with which parameters, and where their results go.

internal import CSluice
internal import SluiceCommand
internal import SluiceSystem
internal import ToolSupport

let benchCommand = Command(
  name: "sluice-bench", summary: "measure Sluice beside SQLite's own VFS",
  help: """
    usage: sluice-bench BENCHMARK [OPTION …]
           sluice-bench combine FILE … [--svg FILE] [--markdown FILE]

    Runs Sluice and SQLite's own unix VFS in turns, in an order that changes from round to round.
    Prints the median of the rounds, the 99th percentile of all samples, and the ratio of Sluice to
    the unix VFS: its median over the rounds, its least and its greatest value.

      channel     round trips through a channel, beside two bare processes that pass a word to and
                  fro by spinning and by sleeping on futexes
      vfs         the calls of SQLite's VFS one by one, also with each of Sluice's shortcuts turned
                  off
      speedtest   SQLite's speedtest1 in DELETE and WAL mode: its time, and its processor time with
                  that of its sidecar
      onecpu      speedtest1 and point selects with client and sidecar on one processor, and in a
                  control group that may use half of one
      txn         small transactions, durable and relaxed
      select      point selects, each a transaction of its own
      contend     several processes that write to one database, with a shared sidecar
      beside      writers beside readers that never pause, and beside a process that never stops
                  checkpointing, with a shared sidecar
      group       1, 2, 4, 8 and 32 processes that commit durably to one database in WAL mode, with a
                  shared sidecar
      idle        many sessions that do nothing: their cost for a busy session, and for the machine
      open        a program that opens a database, reads a row and closes it, again and again; also
                  16 threads that do so
      scale       point selects in a large database, many databases open in one program, and many
                  connections to one database
      sql         SQL by a private engine in another process, beside SQLite in the process; and, where
                  they are installed, Python's sqlite3, PostgreSQL and a service on a Unix socket
      state       rows through the table `state` of a private engine, tracked and with their history,
                  beside the same rows in a plain table of it
      records     records of replicated values by an engine, beside the original's algorithm on SQLite in
                  the process
      records-scale
                  one large value and many values in an engine: memory, small loads beside the load of
                  the large one, lists of ids, and the opening after a crash
      documents   versioned documents of an engine: reads of tip and past, and commits, at several ages of
                  the document; several durable writers beside one
      start       the first query of a new process, the start of its private sidecar included
      all         all of these, in this order
      combine     measures nothing: shows what earlier runs on one machine with --json have printed

      --rounds N         interleaved rounds (7)
      --directory DIR    where the databases go, in a directory that is removed at the end; in memory
                         (tmpfs) durable writes cost nothing (~/.cache/sluice)
      --peer fuse        also the unix VFS over a passthrough FUSE file system; see Tools/fuse/build
      --json             print JSON
      --svg FILE         also draw the ratios as a chart
      --markdown FILE    also write the tables as Markdown
      --count N          channel, vfs: calls of each kind in a round (20000, of slow ones fewer);
                         open: how often a database is opened in a run (2400);
                           state: commits in a round (2000);
                           records, documents: durable stores or commits of each client in a round (150)
      --seconds S        onecpu, txn, select, contend, beside, group, idle, scale, records-scale: how long
                         a run lasts (1; contend, beside, group and records-scale 3)
      --file-size MIB    vfs: the database's size (100)
      --size N           speedtest, onecpu: speedtest1's --size (100)
      --speedtest1 PATH  speedtest, onecpu: the program (the one that Tools/sqlite-suite build made)
      --writers N        contend: processes (8); beside, group: only so many; records, documents:
                         clients that store durably (8)
      --readers N        beside: only so many; 0 is a checkpointer
      --sync-delay MS    group: each sync takes MS milliseconds longer, with every VFS (0)
      --sessions N       idle: sessions (200)
      --gigabytes N      scale: size of the large database (2); records-scale: size of the value (1)
      --values N         records-scale: how many values (1000000)
      --databases N      scale: databases open at a time (1000)
      --connections N    scale: connections to one database (500)
      --cancels N        sql: cancelled statements in a round (50)
      --install-peers    sql: install PostgreSQL and Python from Debian first
      --processes N      start: processes in a round (20)

    SQLite is the installed libsqlite3.so.0. The sidecar is `sluice` beside this program, or the program
    that SLUICE_SIDECAR names. Exit codes: 0 done; 2 something could not be measured; 130 the user
    interrupted the run.
    """, run: bench)

/// In the order in which `sluice-bench all` runs them.
private var benchmarks: [any Benchmark.Type] {
  [
    ChannelBenchmark.self, VFSBenchmark.self, SpeedtestBenchmark.self, OneProcessorBenchmark.self,
    TransactionBenchmark.self,
    SelectBenchmark.self, ContentionBenchmark.self, BesideBenchmark.self, GroupBenchmark.self,
    IdleBenchmark.self, OpenBenchmark.self, ScaleBenchmark.self,
    SQLBenchmark.self, StateBenchmark.self, RecordsBenchmark.self, RecordsScaleBenchmark.self,
    DocumentsBenchmark.self,
    StartBenchmark.self,
  ]
}

private func bench(_ words: [String]) throws(CommandError) -> Int32 {
  var options = Options(words)
  guard let name = options.word() else { throw .usage("which benchmark?") }
  if name == "combine" { return try combine(&options) }
  let kinds = benchmarks.filter { name == "all" || $0.name == name }
  guard !kinds.isEmpty else { throw .usage("\(name): no such benchmark") }
  let own = kinds.reduce(into: Set<String>()) { $0.formUnion($1.options) }
  let parameters = try BenchmarkParameters(&options, own: own)
  try options.finish()
  return try exitCode { () throws(ToolError) in
    try measure(kinds, parameters, command: (["sluice-bench"] + words).joined(separator: " "))
  }
}

private func exitCode(_ body: () throws(ToolError) -> Void) throws(CommandError) -> Int32 {
  do throws(ToolError) {
    try body()
    return 0
  } catch {
    switch error {
    case .failed(let text): throw .failed(text)
    case .unopenable(let text): throw .failed("cannot open " + text)
    case .interrupted:
      printError("sluice-bench: interrupted")
      return 130
    }
  }
}

private func measure(
  _ kinds: [any Benchmark.Type], _ parameters: BenchmarkParameters, command: String
) throws(ToolError) {
  let bench = try Workbench(parameters)
  defer { bench.close() }
  // A missing file or program is reported now, not after minutes.
  let chart = try parameters.chartPath.map { (path) throws(ToolError) in try OutputFile(path) }
  let markdown = try parameters.markdownPath.map { (path) throws(ToolError) in
    try OutputFile(path)
  }
  var prepared: [any Benchmark] = []
  for kind in kinds { prepared.append(try kind.init(parameters, on: bench)) }

  var reports: [BenchmarkReport] = []
  for benchmark in prepared {
    let report = try benchmark.run(on: bench)
    reports.append(report)
    if !parameters.isJSON { bench.show(report.table + "\n") }
  }
  let machine = bench.machine.line
  if parameters.isJSON {
    let document = JSON.object([
      ("command", .text(command)), ("sluice", .text(sluiceVersion)),
      ("machine", bench.machine.json), ("notes", .array(bench.notes.map { .text($0) })),
      ("benchmarks", .array(reports.map(\.json))),
    ])
    bench.show(document.written(depth: 6))
  } else {
    bench.show((bench.notes.map { "note: " + $0 } + [machine]).joined(separator: "\n"))
  }
  try chart?.write(BenchmarkChart(reports, command: command, machine: machine).svg)
  let parts = ["`\(command)` on \(machine)"] + reports.map(\.markdown) + bench.notes
  try markdown?.write(parts.joined(separator: "\n\n") + "\n")
}

/// Shows what earlier runs with --json have printed, as if one run had measured it all.
private func combine(_ options: inout Options) throws(CommandError) -> Int32 {
  let chartPath = try options.value("--svg")
  let markdownPath = try options.value("--markdown")
  var paths: [String] = []
  while let path = options.word() { paths.append(path) }
  try options.finish()
  guard !paths.isEmpty else { throw .usage("which files of earlier runs?") }
  return try exitCode { () throws(ToolError) in
    let sqlite = try SQLiteLibrary()
    var runs: [EarlierRun] = []
    for path in paths {
      let run = try EarlierRun(path, sqlite)
      guard run.machine.isSameMachine(as: (runs.first ?? run).machine) else {
        throw .failed("\(path): is of another machine than \(paths[0])")
      }
      runs.append(run)
    }
    let reports = runs.flatMap(\.reports)
    for report in reports { print(report.table + "\n") }
    if let chartPath {
      let command = runs.map(\.command).joined(separator: "; ")
      let chart = BenchmarkChart(reports, command: command, machine: runs[0].machine.line)
      try OutputFile(chartPath).write(chart.svg)
    }
    if let markdownPath {
      let parts = runs.flatMap { run in
        ["`\(run.command)` on \(run.machine.line)"] + run.reports.map(\.markdown) + run.notes
      }
      try OutputFile(markdownPath).write(parts.joined(separator: "\n\n") + "\n")
    }
  }
}
