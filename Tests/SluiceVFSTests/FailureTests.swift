// What a user learns of the cause, when a program only says "unable to open database file".
// Protocol/OPERATING.md has the causes, and what is said of each.

import Foundation
import TestSupport
import Testing

struct FailureTests {
  // MARK: The table of causes

  /// How a program meets a cause: the parameters of its URI, its file's name, its environment, and
  /// the words before its own.
  private struct Meeting {
    var parameters = ""
    var name = "app.db"
    var environment: [String: String] = [:]
    var prefix: [String] = []
    /// Whether a shared sidecar serves the fixture's root.
    var hasSidecar = false
  }

  private static let meetings: [String: @Sendable (Fixture) throws -> Meeting] = [
    "wrong socket in the URI": { _ in Meeting(parameters: "&socket=/nowhere") },
    "wrong SLUICE_SOCKET": { _ in Meeting(environment: ["SLUICE_SOCKET": "/nowhere"]) },
    "the socket is another file": { _ in
      Meeting(environment: ["SLUICE_SOCKET": "/etc/passwd"])
    },
    "another user's socket": { fixture in
      Meeting(
        environment: ["SLUICE_SOCKET": fixture.socket.path],
        prefix: ["setpriv", "--reuid=65534", "--clear-groups"], hasSidecar: true)
    },
    "a path out of the root": { _ in Meeting(name: "../outside/x.db", hasSidecar: true) },
    "a missing directory": { _ in Meeting(name: "none/x.db", hasSidecar: true) },
    "no program for the sidecar": { _ in Meeting(environment: ["SLUICE_SIDECAR": "/nowhere"]) },
    "no permission for the file": { fixture in
      let file = fixture.inRoot("closed.db").path
      _ = FileManager.default.createFile(
        atPath: file, contents: nil, attributes: [.posixPermissions: 0])
      return Meeting(
        name: "closed.db", prefix: ["setpriv", "--reuid=65534", "--clear-groups"])
    },
    "a file-size limit of nearly nothing": { _ in
      Meeting(prefix: ["sh", "-c", #"trap '' XFSZ; ulimit -f 8; exec "$@""#, "sh"])
    },
    "a misspelt parameter": { _ in Meeting(parameters: "&sokcet=/nowhere") },
  ]

  private static let rows: [[String]] = {
    let page = try? String(contentsOf: repositoryFile("Protocol/OPERATING.md"), encoding: .utf8)
    return (page ?? "").components(separatedBy: "\n").filter { $0.hasPrefix("| ") }.dropFirst(2)
      .map { row in
        row.components(separatedBy: " | ").map {
          $0.trimmingCharacters(in: CharacterSet(charactersIn: "| "))
        }
      }
  }()

  @Test func pageNamesTenCauses() {
    #expect(Set(Self.rows.map { $0[0] }) == Set(Self.meetings.keys))
    #expect(Self.rows.count == 10)
  }

  @Test(arguments: FailureTests.rows)
  func causeAndRemedyAreTold(row: [String]) throws {
    try #require(row.count == 3)
    let fixture = try Fixture()
    let prepare = try #require(Self.meetings[row[0]])
    let meeting = try prepare(fixture)
    let isOther = meeting.prefix.first == "setpriv"
    if isOther, !Machine.hasOtherUsers { return }
    if meeting.hasSidecar { try fixture.startSidecar() }
    // Another user can reach the fixture's directory, and has the extension.
    chmodAll(fixture)
    let library = fixture.scratch.appending(path: "libsluice.so").path
    try fixture.run(["cp", Fixture.library, library]).expectSuccess()
    let environment = [
      "SLUICE_LOG_FILE": "stderr", "SLUICE_SIDECAR": Fixture.program, "SLUICE_LIB": library,
    ].merging(meeting.environment) { $1 }
    let uri = "file:\(meeting.name)?vfs=sluice" + meeting.parameters
    let shell = try fixture.run(
      meeting.prefix + [
        Fixture.sqliteProgram, "-batch", "-bail", "-cmd", ".load \(library)", "-cmd",
        ".open '\(uri)'", ":memory:", "CREATE TABLE t(x)",
      ], environment)
    let python = try fixture.run(
      meeting.prefix + [
        Fixture.pythonProgram, "-c",
        """
        import os, sqlite3, sys
        c = sqlite3.connect(":memory:")
        c.enable_load_extension(True)
        c.load_extension(os.environ["SLUICE_LIB"])
        sqlite3.connect(sys.argv[1], uri=True).execute("CREATE TABLE t(x)")
        """, uri,
      ], environment)
    // The shell goes on with another database.
    #expect(python.ending == .exited(1))
    for outcome in [shell, python] {
      #expect(outcome.errors.contains("sluice: "), "\(outcome.errors)")
      for text in row[1...] { #expect(outcome.errors.contains(text), "\(outcome.errors)") }
    }
  }

  private func chmodAll(_ fixture: Fixture) {
    for place in [fixture.directory, fixture.root, fixture.scratch] {
      try? FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: place.path)
    }
  }

  // MARK: SLUICE_LOG_FILE

  @Test func linesAreAppendedToTheFileByEveryProcess() throws {
    let fixture = try Fixture(sidecar: true)
    let log = fixture.scratch.appending(path: "sluice.log")
    let outcome = try fixture.runPython(
      #"""
      os.chdir("/")
      def failing(name): return result(lambda: proxied(name).execute("CREATE TABLE t(x)"))
      failing("none/one.db")
      os.closerange(3, 4096)
      if os.fork() == 0:
          failing("none/two.db")
          os._exit(0)
      os.wait()
      failing("none/new\nline.db")
      for _ in range(60): failing("none/many.db")
      print(open(os.environ["LOG"]).read(), end="")
      """#, ["SLUICE_LOG_FILE": "../scratch/sluice.log", "LOG": log.path])
    let lines = outcome.lines
    #expect(lines.count >= 20 && lines.count < 40, "\(outcome.output)\(outcome.errors)")
    for line in lines {
      #expect(
        line.contains(
          /^sluice: 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z process \d+: open .* \(code 14\)/))
    }
    for name in ["none/one.db:", "none/two.db:", "none/new?line.db:"] {
      #expect(lines.contains { $0.contains(name) }, "\(outcome.output)")
    }
    let processes = Set(lines.map { $0.split(separator: " ")[3] })
    #expect(processes.count == 2)
    let status = try FileManager.default.attributesOfItem(atPath: log.path)
    #expect(status[.posixPermissions] as? Int == 0o600)
  }

  @Test func fileThatCannotBeWrittenIsNamed() throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runSQLite(
      "file:app.db?vfs=sluice", "SELECT 5", ["SLUICE_LOG_FILE": "/nowhere/log"])
    outcome.expectLines(["5"])
    #expect(
      outcome.errors == "sluice: SLUICE_LOG_FILE: /nowhere/log: No such file or directory\n")
  }

  @Test func levelThatMakesNoSenseIsNamed() throws {
    let fixture = try Fixture(sidecar: true)
    for (level, said) in [
      ("loud", "sluice: SLUICE_LOG takes 0, 1 or 2; loud is taken as 1\n"), ("2", ""), ("", ""),
    ] {
      let outcome = try fixture.runSQLite(
        "file:app.db?vfs=sluice", "SELECT 5", ["SLUICE_LOG": level])
      outcome.expectLines(["5"])
      #expect(outcome.errors == said)
    }
  }

  /// The reader of standard error is gone, or never reads.
  @Test func programNeitherWaitsForItsLogNorDiesOfIt() throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runPython(
      """
      signal.signal(signal.SIGPIPE, signal.SIG_DFL)
      def failing(): return result(lambda: proxied("none/x.db").execute("CREATE TABLE t(x)"))
      reader, writer = os.pipe()
      os.dup2(writer, 2)
      os.set_blocking(writer, False)
      try:
          while True: os.write(writer, b"x" * 4096)
      except BlockingIOError: pass
      os.set_blocking(writer, True)
      print(failing())
      os.close(reader)
      print(failing())
      """, ["SLUICE_LOG_FILE": "stderr"])
    outcome.expectLines(["SQLITE_CANTOPEN", "SQLITE_CANTOPEN"])
  }

  // MARK: PRAGMA sluice_error

  @Test func pragmaTellsTheLastFailureOfTheConnection() throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runPython(
      """
      c, d = proxied("app.db"), proxied("app.db")
      c.execute("CREATE TABLE t(x)")
      print(c.execute("PRAGMA sluice_error").fetchall())
      c.execute("BEGIN EXCLUSIVE")
      print(result(d.execute, "SELECT * FROM t"))
      c.execute("COMMIT")
      print(one(d, "PRAGMA sluice_error").replace(ROOT, ""))
      print(c.execute("PRAGMA sluice_error").fetchall())
      c.execute("SELECT * FROM t")
      print(result(c.execute, "ATTACH 'file:none/x.db?vfs=sluice' AS other"))
      print(one(c, "PRAGMA sluice_error").replace(ROOT, ""))
      """)
    outcome.expectLines([
      "[]", "SQLITE_BUSY",
      "code: 5", "what: lock /app.db", "why: locked by another connection",
      "remedy: try again later, or set PRAGMA busy_timeout",
      "[]", "SQLITE_CANTOPEN",
      "code: 14", "what: open /none/x.db",
      "why: its directory does not exist: No such file or directory",
      "remedy: make the directory, or correct the path",
    ])
  }

  // MARK: Values that make no sense

  @Test(arguments: [
    ("sokcet=/x", "did you mean socket?"), ("Socket=/x", "did you mean socket?"),
    ("connect_timeout=1", "did you mean connect-timeout?"), ("wiat=1", "did you mean wait?"),
    ("readwindow=0", "did you mean read-window?"), ("unlock-asp=1", "did you mean unlock-asap?"),
  ])
  func misspeltParameterIsNamedWithTheRightOne(parameter: String, message: String) throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runSQLite("file:app.db?vfs=sluice&\(parameter)", "SELECT 1")
    let name = parameter.split(separator: "=")[0]
    #expect(outcome.errors.contains("unknown parameter \(name); \(message)"), "\(outcome.errors)")
    #expect(!fixture.exists(fixture.inRoot("app.db")))
  }

  @Test(arguments: ["cache=private", "foo=1", "timeout=5", "salt=1", "part=1", "mode=rwc&nolock=0"])
  func parametersOfOthersAreIgnored(parameter: String) throws {
    let fixture = try Fixture(sidecar: true)
    try fixture.runSQLite("file:app.db?vfs=sluice&\(parameter)", "SELECT 5").expectLines(["5"])
  }

  @Test(arguments: ["yes", "TRUE", "on", "1"])
  func wordsForYesMakeItTheDefault(word: String) throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runSQLite("plain.db", ".vfsname", ["SLUICE_DEFAULT": word])
    #expect(outcome.output.hasPrefix("sluice") || fixture.exists(fixture.inRoot("plain.db")))
  }

  @Test func otherWordsForTheDefaultAreAnError() throws {
    let fixture = try Fixture(sidecar: true)
    let said = "sluice: SLUICE_DEFAULT takes 0 or 1"
    let loaded = try fixture.run(
      [
        Fixture.sqliteProgram, "-batch", "-bail", "-cmd", ".load \(Fixture.library)", ":memory:",
        "",
      ], ["SLUICE_DEFAULT": "maybe"])
    #expect(loaded.ending == .exited(1))
    #expect(loaded.errors.contains(said), "\(loaded.errors)")
    let preloaded = try fixture.run(
      [Fixture.sqliteProgram, "-batch", "app.db", "SELECT 1"],
      ["SLUICE_DEFAULT": "maybe", "LD_PRELOAD": Fixture.library])
    #expect(preloaded.errors.contains(said), "\(preloaded.errors)")
  }

  // MARK: sluice run and serve

  private func run(
    _ fixture: Fixture, _ options: [String], _ script: String,
    _ environment: [String: String] = [:]
  ) throws -> Outcome {
    try fixture.run(
      [Fixture.program, "run"] + options + ["--", "sh", "-c", script],
      ["SLUICE_LIBRARY": Fixture.library, "TMPDIR": fixture.scratch.path].merging(environment) {
        $1
      })
  }

  @Test(arguments: [
    "for i in 1 2 3; do sqlite3 none/x.db 'CREATE TABLE t(x)'; done",
    // The programs have closed the descriptor that they agree by.
    """
    /usr/bin/python3 -c 'import subprocess
    for i in range(3): subprocess.run(["sqlite3", "none/x.db", "CREATE TABLE t(x)"])'; true
    """,
  ])
  func firstFailureOfARunIsToldOnce(script: String) throws {
    let fixture = try Fixture()
    let outcome = try run(fixture, [], script)
    let told = outcome.errors.split(separator: "\n").filter { $0.hasPrefix("sluice: ") }
    #expect(told.count == 1, "\(outcome.errors)")
    #expect(
      told.first?.contains(
        "none/x.db: its directory does not exist: No such file or directory; make the directory")
        == true, "\(outcome.errors)")
    let quiet = try run(fixture, ["--quiet"], script)
    #expect(!quiet.errors.contains("sluice: "), "\(quiet.errors)")
  }

  @Test func nothingIsToldOfOrdinaryWork() throws {
    let fixture = try Fixture()
    let outcome = try run(
      fixture, [],
      """
      sqlite3 app.db 'PRAGMA journal_mode=WAL; CREATE TABLE t(x); INSERT INTO t VALUES (1)'
      sqlite3 -readonly none.db 'SELECT 1' 2>/dev/null
      sqlite3 app.db 'PRAGMA journal_mode=DELETE; BEGIN; INSERT INTO t VALUES (2); ROLLBACK'
      """)
    #expect(outcome.errors == "")
  }

  @Test func runTriesItsSocketBeforeItStartsTheCommand() throws {
    let fixture = try Fixture(sidecar: true)
    for (socket, why) in [
      ("/nowhere", "No such file or directory"), ("/etc/passwd", "that of another file"),
    ] {
      let outcome = try run(fixture, ["--socket", socket], "echo started")
      #expect(outcome.ending == .exited(1))
      #expect(outcome.output == "")
      #expect(outcome.errors.contains("sluice: run: \(socket): "), "\(outcome.errors)")
      #expect(outcome.errors.contains(why) && outcome.errors.contains("was not started"))
    }
    try run(fixture, ["--socket", fixture.socket.path], "echo started").expectLines(["started"])
  }

  @Test(.enabled(if: Machine.hasOtherUsers, "needs another user"))
  func serveDoesNotStartWithoutPermissionForItsRoot() throws {
    let fixture = try Fixture()
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o755], ofItemAtPath: fixture.directory.path)
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o777], ofItemAtPath: fixture.scratch.path)
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o700], ofItemAtPath: fixture.root.path)
    let socket = fixture.scratch.appending(path: "s").path
    let outcome = try fixture.run(
      ["setpriv", "--reuid=65534", "--clear-groups", Fixture.program, "serve"]
        + ["--root", fixture.root.path, "--socket", socket], in: fixture.scratch)
    #expect(outcome.ending == .exited(2))
    #expect(outcome.output == "")
    #expect(
      outcome.errors.contains("root \(fixture.root.path): Permission denied"), "\(outcome.errors)")
    #expect(!FileManager.default.fileExists(atPath: socket))
  }
}
