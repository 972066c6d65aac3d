// sluice-bench: each benchmark reports its subjects and leaves nothing behind. The tests do not
// check speed: their parameters are tiny.

import Foundation
import FoundationXML
import Glibc
import Testing

/// The part of the `--json` output that the tests check.
private struct Document: Decodable {
  struct Ratio: Decodable {
    var median: Double
    var min: Double
    var max: Double
    var rounds: [Double]
  }

  struct Row: Decodable {
    var name: String
    var median: Double
    var rounds: [Double]
    var p50Ns: Int?
    var p99Ns: Int?
    var samples: Int?
    var ratio: Ratio?
  }

  struct Subject: Decodable {
    var subject: String
    var unit: String
    var better: String
    var base: String?
    var rows: [Row]

    func row(_ name: String) -> Row? { rows.first { $0.name == name } }
  }

  struct Benchmark: Decodable {
    var benchmark: String
    var title: String
    var rounds: Int
    var subjects: [Subject]
    var notes: [String]
  }

  struct Machine: Decodable {
    var processors: Int
    var kernel: String
    var fileSystem: String
    var sqlite: String
  }

  var command: String
  var machine: Machine
  var benchmarks: [Benchmark]

  init(_ outcome: Outcome) throws {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    self = try decoder.decode(Document.self, from: Data(outcome.output.utf8))
  }
}

/// A run of `sluice-bench` with files and processes that the test can tell from others.
private struct BenchRun {
  let fixture: Fixture
  /// The directory of its databases.
  let directory: URL
  private let mark = "SLUICE_TEST_MARK=\(UUID().uuidString)"

  init() throws {
    fixture = try Fixture()
    directory = fixture.directory.appending(path: "bench")
  }

  func start(_ words: [String], _ environment: [String: String] = [:]) throws -> ChildProcess {
    var variables = ["TMPDIR": fixture.scratch.path, "HOME": fixture.scratch.path]
    let parts = mark.split(separator: "=").map(String.init)
    variables[parts[0]] = parts[1]
    variables.merge(environment) { $1 }
    return try fixture.start(
      [Fixture.benchProgram] + words + ["--directory", directory.path], variables)
  }

  func run(_ words: [String], _ environment: [String: String] = [:]) throws -> Outcome {
    try start(words, environment).wait(within: 180)
  }

  /// Fails the test unless all processes, files, sockets and mounts are gone.
  func expectNothingLeft(_ location: SourceLocation = #_sourceLocation) throws {
    #expect(eventually { processes().isEmpty }, "\(processes())", sourceLocation: location)
    let files = try FileManager.default.contentsOfDirectory(atPath: directory.path)
    #expect(files == [], sourceLocation: location)
    let sockets = try FileManager.default.contentsOfDirectory(atPath: fixture.scratch.path)
      .filter { $0.hasSuffix(".socket") }
    #expect(sockets == [], sourceLocation: location)
  }

  /// All processes with this run's environment: private sidecars name no path of ours.
  func processes() -> [String] {
    let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return all.filter { name in
      guard Int32(name) != nil,
        let environment = FileManager.default.contents(
          atPath: "/proc/\(name)/environ")
      else { return false }
      return environment.range(of: Data(mark.utf8)) != nil
    }
  }
}

struct BenchTests {
  private static let stock = "stock unix VFS"
  private static let sluice = "Sluice"

  private func measure(
    _ words: [String], _ environment: [String: String] = [:]
  ) throws -> Document {
    let run = try BenchRun()
    let outcome = try run.run(words + ["--rounds", "2", "--json"], environment)
    outcome.expectSuccess()
    #expect(outcome.errors.isEmpty, "\(outcome.errors)")
    try run.expectNothingLeft()
    return try Document(outcome)
  }

  @Test(arguments: [
    (["vfs", "--count", "50", "--file-size", "1"], ["xRead 4 KiB", "xWrite 4 KiB", "xFileSize"]),
    (["txn", "--seconds", "0.05"], ["INSERT, DELETE FULL", "INSERT, WAL FULL"]),
    (["select", "--seconds", "0.05"], ["point SELECT, DELETE", "point SELECT, WAL"]),
    (
      ["contend", "--seconds", "0.1", "--writers", "2"],
      ["2 writers, WAL NORMAL: transactions", "2 writers, DELETE FULL: p99.9"]
    ),
    (
      ["beside", "--seconds", "0.1"],
      [
        "1 writer beside 1 reader: writes", "1 writer beside 1 reader: reads",
        "2 writers beside 2 readers: p99.9 of writes",
        "2 writers beside a checkpointer: checkpoints",
      ]
    ),
    (
      ["group", "--seconds", "0.1", "--writers", "2"],
      ["2 durable writers: transactions", "2 durable writers: commit latency p99.9"]
    ),
    (
      ["idle", "--seconds", "0.05", "--sessions", "3"], ["slow-down of a session by 3 idle ones"]
    ),
    (
      ["open", "--count", "32"],
      [
        "open, read, close, DELETE", "open, read, close, WAL, another one open",
        "open, read, close, WAL, the only one", "16 threads open, read, close, DELETE",
        "16 threads open, read, close, WAL",
      ]
    ),
    (
      [
        "scale", "--gigabytes", "0.02", "--databases", "5", "--connections", "4", "--seconds",
        "0.05",
      ],
      [
        "point SELECT, 80 MB of it, all read before", "point SELECT, 1 GB of it, each row once",
        "point SELECT, all of it, any row", "5 databases: open and read a row",
        "4 connections to one: read a row of each in turn",
      ]
    ),
    (["start", "--processes", "2"], ["first query of a new process"]),
  ])
  func ratiosOfEveryRoundAreTold(words: [String], subjects: [String]) throws {
    let document = try measure(words)
    #expect(document.command.hasPrefix("sluice-bench \(words[0])"))
    #expect(document.machine.processors > 0)
    let benchmark = try #require(document.benchmarks.first)
    #expect(document.benchmarks.count == 1)
    #expect(benchmark.benchmark == words[0])
    for name in subjects {
      let subject = try #require(benchmark.subjects.first { $0.subject == name }, "\(name)")
      #expect(subject.base == BenchTests.stock)
      let stock = try #require(subject.row(BenchTests.stock))
      let ours = try #require(subject.row(BenchTests.sluice))
      #expect(stock.rounds.count == 2 && ours.rounds.count == 2)
      #expect(stock.rounds.allSatisfy { $0 > 0 } && ours.rounds.allSatisfy { $0 > 0 })
      #expect(stock.ratio == nil)
      let ratio = try #require(ours.ratio)
      #expect(ratio.rounds.count == 2)
      #expect(ratio.min <= ratio.median && ratio.median <= ratio.max)
      let expected = ours.rounds[0] / stock.rounds[0]
      #expect(abs(ratio.rounds[0] - expected) < 1e-6 * expected)
    }
  }

  @Test func roundTripsAreComparedWithABarePingPong() throws {
    let document = try measure(["channel", "--count", "100"])
    let subject = try #require(document.benchmarks.first?.subjects.first)
    #expect(subject.base == "bare spin ping-pong")
    for row in subject.rows {
      #expect(row.samples! >= 20 && row.p99Ns! >= row.p50Ns! && row.p50Ns! > 0)
    }
    #expect(subject.row("null operation")?.ratio?.rounds.count == 2)
  }

  @Test func durableWritersAreOneToMany() throws {
    let document = try measure(["group", "--seconds", "0.05"])
    let subjects = document.benchmarks[0].subjects.map(\.subject)
    for writers in ["1 durable writer", "2 durable writers", "32 durable writers"] {
      for part in ["transactions", "commit latency p50", "commit latency p99"] {
        #expect(subjects.contains("\(writers): \(part)"))
      }
    }
  }

  @Test func syncsAreDelayedWithEveryVFSAlike() throws {
    let document = try measure([
      "group", "--seconds", "0.1", "--writers", "1", "--sync-delay", "30",
    ])
    let benchmark = document.benchmarks[0]
    #expect(benchmark.title.hasSuffix(", each sync 30 ms longer"))
    let subject = try #require(
      benchmark.subjects.first {
        $0.subject == "1 durable writer, syncs 30 ms longer: commit latency p50"
      })
    for name in [BenchTests.stock, BenchTests.sluice] {
      let row = try #require(subject.row(name))
      #expect(row.rounds.allSatisfy { $0 >= 30_000_000 }, "\(name): \(row.rounds)")
    }
  }

  @Test func idleSessionsAreWeighed() throws {
    let document = try measure(["idle", "--seconds", "0.05", "--sessions", "3"])
    let subjects = document.benchmarks[0].subjects
    for (name, unit) in [
      ("server's processor time, all idle", "ns/s"), ("server's memory for an idle session", "KiB"),
    ] {
      let subject = try #require(subjects.first { $0.subject == name })
      #expect(subject.unit == unit)
      #expect(subject.row(BenchTests.sluice)?.rounds.count == 2)
      // Without a server there is no figure.
      #expect(subject.row(BenchTests.stock) == nil)
    }
  }

  // MARK: speedtest1

  /// A quick stand-in for speedtest1: it makes a database in the given mode, and fails in another
  /// VFS.
  private func makeSpeedtest(_ run: BenchRun) throws -> String {
    let script = """
      #!/bin/sh
      vfs=$2 mode=$6
      for word; do database=$word; done
      found=$(\(Fixture.sqliteProgram) -batch -cmd ".open $database" \
      -cmd "PRAGMA journal_mode = $mode; CREATE TABLE t(x);" -cmd .vfsname :memory: "SELECT 1") ||
        exit 3
      case "$found" in
        *"$vfs"*) ;;
        *) echo "in VFS $found" >&2; exit 4 ;;
      esac
      """
    let file = run.fixture.scratch.appending(path: "speedtest1")
    try script.write(to: file, atomically: true, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file.path)
    return file.path
  }

  @Test(arguments: [
    ("speedtest", ["speedtest1, DELETE", "speedtest1, WAL: processor time"]),
    ("onecpu", ["one CPU: speedtest1, WAL", "one CPU: point SELECT, DELETE"]),
  ])
  func speedtestRunsAsAnUnmodifiedProgram(name: String, subjects: [String]) throws {
    let run = try BenchRun()
    let outcome = try run.run(
      [name, "--speedtest1", try makeSpeedtest(run), "--rounds", "2", "--json"]
        + (name == "onecpu" ? ["--seconds", "0.05"] : []))
    outcome.expectSuccess()
    try run.expectNothingLeft()
    let document = try Document(outcome)
    let found = document.benchmarks[0].subjects
    for subject in subjects { #expect(found.contains { $0.subject == subject }) }
    for subject in found {
      #expect(subject.row(BenchTests.sluice)?.ratio?.rounds.count == 2, "\(subject.subject)")
    }
  }

  @Test func speedtestThatFailsIsQuoted() throws {
    let run = try BenchRun()
    let program = run.fixture.scratch.appending(path: "failing")
    try "#!/bin/sh\necho no luck\nexit 3\n".write(
      to: program, atomically: true, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program.path)
    let outcome = try run.run(["speedtest", "--speedtest1", program.path])
    #expect(outcome.ending == .exited(2))
    #expect(outcome.errors.hasSuffix(": exit code 3; no luck\n"), "\(outcome.errors)")
    try run.expectNothingLeft()
  }

  @Test func speedtestEndsWithTheBenchmark() throws {
    for signal in [SIGINT, SIGKILL] {
      let run = try BenchRun()
      let program = run.fixture.scratch.appending(path: "sleeping")
      try "#!/bin/sh\nexec sleep 1000\n".write(to: program, atomically: true, encoding: .utf8)
      try FileManager.default.setAttributes(
        [.posixPermissions: 0o755], ofItemAtPath: program.path)
      let bench = try run.start(["speedtest", "--speedtest1", program.path])
      // The benchmark, the process that measures, the program.
      #expect(eventually { run.processes().count >= 3 })
      bench.send(signal)
      _ = try bench.wait(within: 30)
      #expect(eventually { run.processes().isEmpty }, "\(run.processes())")
    }
  }

  @Test func whoHasNoSpeedtestIsToldHowToGetIt() throws {
    let run = try BenchRun()
    let outcome = try run.run(["speedtest"], ["XDG_CACHE_HOME": run.fixture.outside.path])
    #expect(outcome.ending == .exited(2))
    #expect(outcome.errors.contains("Tools/sqlite-suite build"), "\(outcome.errors)")
    try run.expectNothingLeft()
  }

  // MARK: Everything in one

  @Test func allBenchmarksTogetherDrawOneChart() throws {
    let run = try BenchRun()
    let chart = run.fixture.outside.appending(path: "chart.svg")
    let tables = run.fixture.outside.appending(path: "tables.md")
    let outcome = try run.run([
      "all", "--rounds", "1", "--count", "50", "--file-size", "1", "--seconds", "0.05", "--writers",
      "2", "--sessions", "2", "--processes", "1", "--gigabytes", "0.01", "--databases", "2",
      "--connections", "2", "--speedtest1", try makeSpeedtest(run), "--svg",
      chart.path, "--markdown", tables.path,
    ])
    outcome.expectSuccess()
    try run.expectNothingLeft()
    let names = [
      "channel", "vfs", "speedtest", "onecpu", "txn", "select", "contend", "beside", "group",
      "idle",
      "open", "scale", "start",
    ]
    for name in names { #expect(outcome.output.contains("\n\(name): ") || name == names[0]) }
    let drawn = try String(contentsOf: chart, encoding: .utf8)
    #expect(drawn.hasPrefix("<svg ") && drawn.hasSuffix("</svg>\n"))
    for words in [
      "sluice-bench all", "null operation ÷ bare spin ping-pong", "xRead 4 KiB", "Linux",
    ] { #expect(drawn.contains(words), "\(words)") }
    // An element that is not closed would show here.
    #expect(XMLParser(data: Data(drawn.utf8)).parse())
    let written = try String(contentsOf: tables, encoding: .utf8)
    #expect(written.contains("| xRead 4 KiB | stock unix VFS |"))
  }

  // MARK: Ends of a run

  /// Runs so short that the interruption may come during any variant.
  @Test(arguments: [
    ["channel", "--count", "100000"], ["vfs", "--count", "5000", "--file-size", "1"],
    ["txn", "--seconds", "0.1"], ["contend", "--seconds", "0.2", "--writers", "2"],
    ["beside", "--seconds", "0.2"],
    ["group", "--seconds", "0.2", "--writers", "2", "--sync-delay", "5"],
    ["idle", "--seconds", "0.1", "--sessions", "3"], ["open", "--count", "200"],
    ["start", "--processes", "5"],
    ["scale", "--gigabytes", "0.1", "--databases", "20", "--connections", "20"],
  ])
  func interruptedBenchmarkLeavesNothing(words: [String]) throws {
    for signal in [SIGINT, SIGTERM] {
      let run = try BenchRun()
      let bench = try run.start(words + ["--rounds", "1000"])
      let isUnderWay = eventually {
        !bench.isRunning
          || (try? FileManager.default.contentsOfDirectory(atPath: run.directory.path))?.isEmpty
            == false
      }
      #expect(isUnderWay)
      // At any moment: the run must leave nothing, whenever it is interrupted.
      usleep(UInt32.random(in: 0..<2_000_000))
      bench.send(signal)
      let outcome = try bench.wait(within: 30)
      #expect(outcome.ending == .exited(130), "\(outcome.ending) \(outcome.errors)")
      #expect(outcome.errors == "sluice-bench: interrupted\n")
      try run.expectNothingLeft()
    }
  }

  @Test func killedBenchmarkLeavesNoProcess() throws {
    let run = try BenchRun()
    let bench = try run.start(["contend", "--seconds", "1", "--writers", "2"])
    // The benchmark, two writers, a sidecar. This also shows that `processes` finds processes while
    // there are some.
    #expect(eventually { run.processes().count >= 4 })
    try bench.killNow()
    // Only its files are left.
    try FileManager.default.removeItem(at: run.directory)
    try FileManager.default.createDirectory(at: run.directory, withIntermediateDirectories: true)
    try run.expectNothingLeft()
  }

  @Test func missingSQLiteIsNamed() throws {
    let run = try BenchRun()
    let bad = run.fixture.outside.appending(path: "libsqlite3.so.0")
    try Data().write(to: bad)
    let outcome = try run.run(["txn"], ["LD_LIBRARY_PATH": run.fixture.outside.path])
    #expect(outcome.ending == .exited(2))
    #expect(
      outcome.errors.hasPrefix("sluice-bench: libsqlite3.so.0: cannot be loaded: ")
        && outcome.errors.hasSuffix("; install libsqlite3-0\n"), "\(outcome.errors)")
  }

  @Test func filesThatCannotBeWrittenAreNamedAtOnce() throws {
    let run = try BenchRun()
    for option in ["--svg", "--markdown"] {
      let outcome = try run.run(["txn", "--seconds", "3600", option, "/nowhere/file"])
      #expect(outcome.ending == .exited(2))
      #expect(
        outcome.errors == "sluice-bench: /nowhere/file: No such file or directory\n")
      try run.expectNothingLeft()
    }
  }

  // MARK: FUSE

  private static let fuseProgram =
    URL(filePath: Fixture.program).deletingLastPathComponent().appending(path: "fuse-passthrough")

  private static let hasFUSE =
    unsafe access("/dev/fuse", R_OK | W_OK) == 0 && access(fuseProgram.path, X_OK) == 0

  @Test(.enabled(if: hasFUSE, "/dev/fuse cannot be opened, or Tools/fuse/build was not run"))
  func passthroughFileSystemIsAThirdVariant() throws {
    for words in [
      ["select", "--seconds", "0.05"], ["contend", "--seconds", "0.1", "--writers", "2"],
      ["group", "--seconds", "0.1", "--writers", "2", "--sync-delay", "2"],
      ["open", "--count", "32"],
    ] {
      let document = try measure(words + ["--peer", "fuse"])
      for subject in document.benchmarks[0].subjects {
        #expect(subject.row("unix VFS over FUSE")?.rounds.count == 2, "\(subject.subject)")
      }
    }
  }

  @Test(.enabled(if: !hasFUSE, "there is FUSE"))
  func whoHasNoFUSEIsTold() throws {
    let run = try BenchRun()
    let outcome = try run.run(["select", "--peer", "fuse"])
    #expect(outcome.ending == .exited(2))
    #expect(outcome.errors.hasPrefix("sluice-bench: --peer fuse: "), "\(outcome.errors)")
  }
}
