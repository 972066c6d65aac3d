// sluice-harness in short runs: it finds nothing where nothing is wrong, finds faults made on
// purpose, and leaves nothing behind.

import Foundation
import Glibc
import Testing

/// The part of the `--json` output that the tests check.
private struct Report: Decodable {
  var mode: String
  var seed: UInt64?
  var operations: Int?
  var difference: String?
  var steps: Steps?
  var words: Int?
  var lives: Int?
  var handshakes: Int?
  var honestOperations: Int?
  var p99Ratio: Double?
  var sentinels: Int?
  var table: Deaths?
  var sqlite: Deaths?
  var intervals: [Interval]?

  /// The kills that were done.
  struct Deaths: Decodable {
    var clientKills: Int
    var sidecarKills: Int
    var transactions: Int?
    var checks: Int?
  }

  struct Interval: Decodable {
    var descriptors: Int
    var operationsPerSecond: Double
  }

  /// The lines of a script, or the number of lines of a replayed script.
  enum Steps: Decodable {
    case lines([String])
    case count(Int)

    init(from decoder: any Decoder) throws {
      let value = try decoder.singleValueContainer()
      self =
        try (try? value.decode(Int.self)).map(Steps.count) ?? .lines(value.decode([String].self))
    }
  }

  init(_ outcome: Outcome) throws {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    self = try decoder.decode(Report.self, from: Data(outcome.output.utf8))
  }
}

@Suite(.timeLimit(.minutes(5))) struct HarnessTests {
  private let fixture: Fixture
  /// The directory for the files of the harness's own sidecars.
  private let directory: URL

  init() throws {
    fixture = try Fixture()
    directory = fixture.directory.appending(path: "harness")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  }

  private func start(_ words: [String]) throws -> ChildProcess {
    try fixture.start([Fixture.harnessProgram] + words)
  }

  private func run(_ words: [String]) throws -> Outcome {
    try start(words + ["--directory", directory.path]).wait(within: 180)
  }

  private func names(in directory: URL) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: directory.path)
  }

  // MARK: Model

  @Test func aModelRunFindsNoDifferenceAndLeavesNothing() throws {
    let outcome = try run(["model", "--operations", "150000", "--json"])
    outcome.expectSuccess()
    let report = try Report(outcome)
    print("aModelRunFindsNoDifference: --seed \(report.seed ?? 0)")
    #expect(report.difference == nil)
    #expect((report.operations ?? 0) >= 150_000)
    #expect(try names(in: directory) == [])
  }

  @Test func aModelRunDrivesAnySidecarByItsSocket() throws {
    try fixture.startSidecar(["--reactors", "2"])
    let outcome = try run([
      "model", "--operations", "60000", "--sessions", "3", "--socket", fixture.socket.path,
    ])
    outcome.expectSuccess()
    #expect(outcome.output.contains("no difference"), "\(outcome.output)")
    #expect(try names(in: fixture.root) == [])
  }

  @Test(arguments: ["truncate", "pending", "close"])
  func aWrongBeliefIsFoundAndShrunkToAFewSteps(canary: String) throws {
    let script = fixture.scratch.appending(path: "\(canary).script").path
    let outcome = try run([
      "model", "--seed", "5", "--canary", canary, "--script", script, "--json",
    ])
    #expect(outcome.ending == .exited(1), "\(outcome.errors)")
    let report = try Report(outcome)
    #expect(report.difference != nil)
    guard case .lines(let steps)? = report.steps else {
      Issue.record("no steps")
      return
    }
    #expect((3...10).contains(steps.count), "\(steps)")
    // The sidecar is right, and the script fails each time.
    try run(["model", "--replay", script]).expectSuccess()
    for _ in 0..<2 {
      let replayed = try run(["model", "--replay", script, "--canary", canary])
      #expect(replayed.ending == .exited(1), "\(replayed.output)")
      #expect(replayed.output.contains(steps.last!), "\(replayed.output)")
    }
  }

  @Test func whatIsNoScriptIsNamed() throws {
    let script = fixture.scratch.appending(path: "no.script")
    try "nonsense\n".write(to: script, atomically: true, encoding: .utf8)
    let outcome = try run(["model", "--replay", script.path])
    #expect(outcome.ending == .exited(2))
    #expect(outcome.errors.contains("no.script: this is no script"), "\(outcome.errors)")
    try "# sluice-harness model script, sessions: 1\n0.0 open file=99 name=a.db\n".write(
      to: script, atomically: true, encoding: .utf8)
    let second = try run(["model", "--replay", script.path])
    #expect(second.errors.contains("line 2 is no step"), "\(second.errors)")
  }

  @Test(arguments: ["model", "hostile", "kill", "soak"])
  func anInterruptedRunLeavesNothing(mode: String) throws {
    let length =
      switch mode {
      case "model": ["--operations", "1000000000"]
      case "kill": ["--kills", "1000000", "--rounds", "0"]
      default: ["--seconds", "1000"]
      }
    let run = try start([mode, "--directory", directory.path] + length)
    #expect(eventually { (try? self.names(in: self.directory).isEmpty) == false })
    try #require(eventually { run.output.contains("seed") })
    usleep(300_000)
    run.send(SIGINT)
    let outcome = try run.wait(within: 60)
    #expect(outcome.ending == .exited(130), "\(outcome.errors)")
    #expect(try names(in: directory) == [])
  }

  @Test(arguments: ["model", "hostile"])
  func aSidecarThatDiesIsADifference(mode: String) throws {
    let sidecar = try fixture.startSidecar()
    let run = try start(
      [
        mode, mode == "model" ? "--operations" : "--seconds", "1000000", "--socket",
        fixture.socket.path, "--script", fixture.scratch.appending(path: "s").path,
      ].filter { mode == "model" || ($0 != "--script" && !$0.hasSuffix("/s")) })
    try #require(eventually { run.output.contains("seed") })
    usleep(300_000)
    try sidecar.killNow()
    let outcome = try run.wait(within: 120)
    #expect(outcome.ending == .exited(1), "\(outcome.output) \(outcome.errors)")
  }

  /// On a busy machine the sidecar may be gone before the harness has a session.
  @Test(
    arguments: ["model", "hostile"], ["listener.close()", "serve()"])
  func aSidecarThatDiesBeforeTheFirstSessionIsADifference(mode: String, death: String) throws {
    let listener = try fixture.startPython(
      """
      import socket
      def serve():
          while True: listener.accept()[0].close()
      listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
      listener.bind(SOCKET)
      listener.listen()
      say("serving")
      listener.accept()
      \(death)
      """)
    try listener.awaitLine("serving")
    let outcome = try run([mode, "--socket", fixture.socket.path])
    #expect(outcome.ending == .exited(1), "\(outcome.output) \(outcome.errors)")
    // Who connects before the listener is closed is hung up on.
    let said = outcome.output + outcome.errors
    #expect(
      said.contains("no sidecar listens any more") || said.contains("the sidecar hung up"),
      "\(said)")
  }

  // MARK: Hostile

  @Test func aHostileSessionHarmsNobody() throws {
    // A busy machine may let no visitor come within the seconds.
    let outcome = try run(
      ["hostile", "--seconds", "4", "--words", "1001", "--handshakes", "2", "--json"])
    outcome.expectSuccess()
    let report = try Report(outcome)
    print("aHostileSessionHarmsNobody: --seed \(report.seed ?? 0), ratio \(report.p99Ratio ?? 0)")
    #expect((report.words ?? 0) > 1000)
    #expect((report.lives ?? 0) > 1)
    #expect((report.handshakes ?? 0) > 1)
    #expect((report.honestOperations ?? 0) > 1000)
    #expect(report.sentinels == 1)
    #expect(try names(in: directory) == [])
  }

  @Test func aFileTouchedOutsideTheRootIsFound() throws {
    try fixture.startSidecar()
    let run = try start([
      "hostile", "--seconds", "1000", "--socket", fixture.socket.path,
    ])
    var sentinels: URL?
    try #require(
      eventually {
        let name = (try? self.names(in: self.fixture.directory))?.first {
          $0.hasPrefix("root-outside-")
        }
        sentinels = name.map { self.fixture.directory.appending(path: $0) }
        return run.output.contains("seed") && sentinels != nil
      })
    usleep(500_000)
    let sentinel = try #require(sentinels).appending(path: "deep/s.db")
    let file = try FileHandle(forWritingTo: sentinel)
    try file.write(contentsOf: Data("N".utf8))
    try file.close()
    let outcome = try run.wait(within: 60)
    #expect(outcome.ending == .exited(1))
    #expect(outcome.errors.contains("outside the root: \(sentinel.path): touched"))
    #expect(try !names(in: fixture.directory).contains { $0.hasPrefix("root-outside-") })
  }

  // MARK: Kill

  @Test func nothingIsLostWhenSomebodyIsKilled() throws {
    let outcome = try run(["kill", "--kills", "40", "--rounds", "1", "--json"])
    outcome.expectSuccess()
    let report = try Report(outcome)
    print("nothingIsLostWhenSomebodyIsKilled: --seed \(report.seed ?? 0)")
    // Each case of the table in each phase, without the phase that a sidecar does not have.
    #expect(report.table?.clientKills == 31 * 5)
    #expect(report.table?.sidecarKills == 31 * 4)
    #expect((report.sqlite?.clientKills ?? 0) >= 18)
    #expect((report.sqlite?.sidecarKills ?? 0) >= 18)
    #expect((report.sqlite?.transactions ?? 0) > 0)
    #expect((report.sqlite?.checks ?? 0) >= 36)
    #expect(try names(in: directory) == [])
  }

  /// A commit that is acknowledged too early is lost together with its client. A request that was
  /// not handed over is not done.
  @Test(arguments: [
    ("acknowledge", ["--rounds", "0"], "was told that transaction"),
    ("table", ["--kills", "0"], "filled, client killed: undone, not done"),
  ])
  func aWrongBeliefAboutTheDeadIsFound(canary: String, words: [String], finding: String) throws {
    let outcome = try run(["kill", "--canary", canary] + words)
    #expect(outcome.ending == .exited(1), "\(outcome.output)")
    #expect(outcome.errors.contains(finding), "\(outcome.errors)")
    #expect(try names(in: directory) == [])
  }

  @Test func whatIsKilledIsOnesOwn() throws {
    for mode in ["kill", "soak"] {
      let outcome = try run([mode, "--socket", fixture.socket.path])
      #expect(outcome.ending == .exited(64), "\(outcome.errors)")
    }
  }

  // MARK: Soak

  @Test func nothingGrowsInAShortSoak() throws {
    let outcome = try run(["soak", "--seconds", "5", "--json"])
    outcome.expectSuccess()
    let intervals = try #require(try Report(outcome).intervals)
    #expect(intervals.count >= 10)
    #expect(intervals.contains { $0.operationsPerSecond > 0 })
    #expect(intervals.allSatisfy { $0.descriptors > 0 })
    #expect(try names(in: directory) == [])
  }

  @Test func whatGrowsIsFound() throws {
    let outcome = try run(["soak", "--seconds", "5", "--canary", "hoard"])
    #expect(outcome.ending == .exited(1), "\(outcome.output)")
    #expect(outcome.errors.contains("descriptors grow"), "\(outcome.errors)")
    #expect(try names(in: directory) == [])
  }
}
