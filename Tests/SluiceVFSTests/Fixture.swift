// The environment of a test: its own directory, the built product, and sidecars and programs that
// end with the fixture.
//
// Everything is in one temporary directory: shared sidecars serve `root`, `outside` is beside it,
// and `scratch` holds scripts and outputs.

import Foundation
import Testing

/// Confined to its test.
final class Fixture {
  let directory: URL
  let root: URL
  let outside: URL
  let scratch: URL
  let socket: URL
  private(set) var sidecar: ChildProcess? {
    didSet { if let sidecar { metrics.append("/dev/shm/sluice-\(sidecar.id)") } }
  }
  /// The groups end after the sidecar, which may be in one of them.
  private var groups: [LimitedGroup] = []
  /// The shared-memory objects of killed sidecars, which stay until the next sidecar starts.
  private var metrics: [String] = []

  static let sqliteProgram = "/usr/bin/sqlite3"
  static let pythonProgram = "/usr/bin/python3"

  /// The directory of the built product: SLUICE_BUILD, or the one of Tools/build.
  static let build: URL = {
    if let named = ProcessInfo.processInfo.environment["SLUICE_BUILD"] {
      return URL(filePath: named)
    }
    return URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "build")
  }()

  static let program = build.appending(path: "bin/sluice").path
  static let harnessProgram = build.appending(path: "bin/sluice-harness").path
  static let benchProgram = build.appending(path: "bin/sluice-bench").path
  static let library = build.appending(path: "lib/libsluice.so").path

  /// With `sidecar`, a shared sidecar serves `root` on `socket` from the start.
  init(sidecar: Bool = false) throws {
    guard FileManager.default.isExecutableFile(atPath: Fixture.program),
      FileManager.default.fileExists(atPath: Fixture.library)
    else { throw Overdue("no product in \(Fixture.build.path); run Tools/build") }
    directory = FileManager.default.temporaryDirectory.resolvingSymlinksInPath()
      .appending(path: "sluice-\(UUID().uuidString.prefix(8))")
    root = directory.appending(path: "root")
    outside = directory.appending(path: "outside")
    scratch = directory.appending(path: "scratch")
    socket = directory.appending(path: "socket")
    for place in [root, outside, scratch] {
      try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
    }
    try pythonPrelude.write(
      to: scratch.appending(path: "prelude.py"), atomically: true, encoding: .utf8)
    if sidecar { try startSidecar() }
  }

  deinit {
    sidecar = nil
    for path in metrics { try? FileManager.default.removeItem(atPath: path) }
    try? FileManager.default.removeItem(at: directory)
  }

  /// A control group that lasts as long as the fixture.
  func keep(_ group: LimitedGroup) -> LimitedGroup {
    groups.append(group)
    return group
  }

  // MARK: Sidecars

  /// Starts a sidecar on `socket` and waits until it is ready. `prefix` has words that start it in
  /// a changed environment: `["setpriv", …]`.
  @discardableResult
  func startSidecar(_ options: [String] = [], prefix: [String] = []) throws -> ChildProcess {
    sidecar = nil
    let started = try start(
      prefix + [Fixture.program, "serve", "--root", root.path, "--socket", socket.path] + options)
    sidecar = started
    try awaitReady(started)
    return started
  }

  /// Runs `script` in the shell. It must end with `exec "$0" serve …`; "$1" is the root, "$2" the
  /// socket.
  @discardableResult
  func startSidecar(prefix: [String] = [], script: String) throws -> ChildProcess {
    let started = try start(
      prefix + ["sh", "-euc", script, Fixture.program, root.path, socket.path])
    sidecar = started
    try awaitReady(started)
    return started
  }

  private func awaitReady(_ sidecar: ChildProcess) throws {
    let isReady = eventually { sidecar.output.contains("serving") || !sidecar.isRunning }
    guard isReady, sidecar.isRunning else {
      throw Overdue("the sidecar did not start: \(sidecar.errors)")
    }
  }

  func killSidecar() throws {
    try sidecar?.killNow()
    sidecar = nil
  }

  // MARK: Programs

  /// Starts any program, with the sidecar's socket in its environment if one was started.
  func start(
    _ words: [String], _ environment: [String: String] = [:], in place: URL? = nil
  ) throws -> ChildProcess {
    var variables = [
      "SLUICE_LIB": Fixture.library, "PYTHONPATH": scratch.path, "PYTHONUNBUFFERED": "1",
      "PYTHONDONTWRITEBYTECODE": "1", "ROOT": root.path, "OUTSIDE": outside.path,
      "SOCKET": socket.path,
    ]
    if sidecar != nil { variables["SLUICE_SOCKET"] = socket.path }
    variables.merge(environment) { $1 }
    return try ChildProcess(
      words, environment: variables, workingDirectory: place ?? root, scratch: scratch)
  }

  func run(
    _ words: [String], _ environment: [String: String] = [:], in place: URL? = nil,
    within seconds: Double = 30
  ) throws -> Outcome {
    let process = try start(words, environment, in: place)
    process.closeInput()
    return try process.wait(within: seconds)
  }

  /// Runs SQL in the stock shell on `uri`, after the extension was loaded.
  func runSQLite(
    _ uri: String, _ sql: String, _ environment: [String: String] = [:], in place: URL? = nil,
    prefix: [String] = []
  ) throws -> Outcome {
    try run(
      prefix + [
        Fixture.sqliteProgram, "-batch", "-bail", "-cmd", ".load \(Fixture.library)",
        "-cmd", ".log stderr", "-cmd", ".open '\(uri)'", ":memory:", sql,
      ], environment, in: place)
  }

  /// Runs SQL in the stock shell without Sluice. It waits for locks, because the locks of a client
  /// that was killed a moment ago stay until the sidecar notices.
  func runNative(_ file: URL, _ sql: String) throws -> Outcome {
    try run([Fixture.sqliteProgram, "-batch", "-bail", "-cmd", ".timeout 20000", file.path, sql])
  }

  /// Runs a Python script after `from prelude import *`.
  func runPython(
    _ script: String, _ environment: [String: String] = [:], arguments: [String] = [],
    in place: URL? = nil, prefix: [String] = [], within seconds: Double = 60
  ) throws -> Outcome {
    let process = try startPython(
      script, environment, arguments: arguments, in: place, prefix: prefix)
    process.closeInput()
    return try process.wait(within: seconds)
  }

  func startPython(
    _ script: String, _ environment: [String: String] = [:], arguments: [String] = [],
    in place: URL? = nil, prefix: [String] = []
  ) throws -> ChildProcess {
    let words = [Fixture.pythonProgram, "-c", "from prelude import *\n" + script]
    return try start(prefix + words + arguments, environment, in: place)
  }

  // MARK: Files

  func inRoot(_ name: String) -> URL { root.appending(path: name) }

  func exists(_ url: URL) -> Bool { FileManager.default.fileExists(atPath: url.path) }

  /// Makes a database natively, with a table `t(x)` of the numbers up to `count`.
  func makeDatabase(_ file: URL, count: Int = 10) throws {
    let made = try runNative(
      file,
      "CREATE TABLE t(x); INSERT INTO t SELECT value FROM generate_series(1, \(count));")
    try #require(made.ending == .exited(0), "\(made.errors)")
  }

  /// Checks with the stock shell alone that the file is a sound database, and returns its answer to
  /// `query`.
  func nativeAnswer(_ file: URL, _ query: String) throws -> String {
    let answer = try runNative(file, "PRAGMA integrity_check; \(query)")
    #expect(answer.lines.first == "ok", "\(answer.output) \(answer.errors)")
    return answer.lines.dropFirst().joined(separator: "\n")
  }
}

extension Outcome {
  /// Fails the test unless the program succeeded.
  func expectSuccess(_ location: SourceLocation = #_sourceLocation) {
    #expect(
      ending == .exited(0), "\(ending)\noutput: \(output)\nerrors: \(errors)",
      sourceLocation: location)
  }

  /// Fails the test unless the program succeeded and printed exactly `expected`.
  func expectLines(_ expected: [String], _ location: SourceLocation = #_sourceLocation) {
    expectSuccess(location)
    #expect(lines == expected, "errors: \(errors)", sourceLocation: location)
  }
}
