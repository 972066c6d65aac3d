// sluice run: programs that know nothing of Sluice use their databases through a sidecar.

import Foundation
import Glibc
import Testing

struct RunTests {
  /// An ordinary program. It prints its findings.
  private static let program = """
    import os, sqlite3, sys
    c = sqlite3.connect("app.db")
    c.execute("CREATE TABLE IF NOT EXISTS t(x)")
    c.execute("PRAGMA journal_mode = " + sys.argv[1])
    with c: c.execute("INSERT INTO t VALUES (1)")
    try:
        with c: c.execute("INSERT INTO t VALUES (2)"); raise KeyError
    except KeyError: pass
    d = sqlite3.connect("app.db")
    with d: d.execute("INSERT INTO t VALUES (3)")
    print(c.execute("SELECT sum(x) FROM t").fetchone()[0], d.execute("PRAGMA database_list").fetchone()[2])
    """

  private func run(
    _ fixture: Fixture, _ options: [String], _ command: [String],
    _ environment: [String: String] = [:], in place: URL? = nil
  ) throws -> Outcome {
    try fixture.run(
      [Fixture.program, "run"] + options + command,
      ["SLUICE_LIBRARY": Fixture.library, "TMPDIR": fixture.scratch.path].merging(environment) {
        $1
      }, in: place)
  }

  private func python(_ arguments: String...) -> [String] {
    [Fixture.pythonProgram, "-c", RunTests.program] + arguments
  }

  @Test(arguments: ["DELETE", "WAL"])
  func withoutARootNamesAreTheHostsOwn(mode: String) throws {
    let fixture = try Fixture()
    for sum in [4, 8] {
      try run(fixture, [], python(mode), in: fixture.outside)
        .expectLines(["\(sum) \(fixture.outside.path)/app.db"])
    }
    let file = fixture.outside.appending(path: "app.db")
    #expect(try fixture.nativeAnswer(file, "SELECT sum(x) FROM t") == "8")
  }

  @Test(arguments: ["DELETE", "WAL"])
  func rootIsWhereTheProgramsNamesLead(mode: String) throws {
    let fixture = try Fixture()
    for sum in [4, 8] {
      try run(fixture, ["--root", fixture.root.path], python(mode), in: fixture.outside)
        .expectLines(["\(sum) \(fixture.root.path)/app.db"])
    }
    #expect(try fixture.nativeAnswer(fixture.inRoot("app.db"), "SELECT sum(x) FROM t") == "8")
    #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.outside.path) == [])
  }

  @Test(arguments: ["DELETE", "WAL"])
  func socketLeadsToTheSidecarThatListensThere(mode: String) throws {
    let fixture = try Fixture(sidecar: true)
    // The environment does not decide.
    let elsewhere = ["SLUICE_SOCKET": "/nowhere"]
    for sum in [4, 8] {
      try run(
        fixture, ["--socket=" + fixture.socket.path], python(mode), elsewhere, in: fixture.outside
      ).expectLines(["\(sum) \(fixture.root.path)/app.db"])
    }
    #expect(try fixture.nativeAnswer(fixture.inRoot("app.db"), "SELECT sum(x) FROM t") == "8")
    let stats = try fixture.run([Fixture.program, "stats", "--socket", fixture.socket.path])
    // `run` itself has tried the socket each time.
    #expect(stats.output.contains("4 opened"), "\(stats.output)")
  }

  @Test func itIsSluiceThatServesTheProgram() throws {
    let fixture = try Fixture(sidecar: true)
    let shell = [
      Fixture.sqliteProgram, "-batch", "-cmd", ".open app.db", "-cmd", "CREATE TABLE t(x);", "-cmd",
      ".vfsname", "-cmd", "DROP TABLE t;", ":memory:", "SELECT 1",
    ]
    for options in [[], ["--root", fixture.root.path], ["--socket", fixture.socket.path]] {
      try run(fixture, options, shell).expectLines(["sluice", "1"])
    }
    try run(fixture, [], ["sh", "-c", #"exec "$0" "$@""#] + shell).expectLines(["sluice", "1"])
  }

  @Test func threadsAndChildrenOfTheProgramAreServedToo() throws {
    let fixture = try Fixture()
    let outcome = try run(
      fixture, ["--root", fixture.root.path],
      [
        Fixture.pythonProgram, "-c",
        """
        import os, sqlite3, subprocess, sys, threading
        sqlite3.connect("app.db").execute("CREATE TABLE t(x)")
        code = "import sqlite3; c = sqlite3.connect('app.db', timeout=30); c.execute('INSERT INTO t VALUES (1)'); c.commit()"
        def work():
            c = sqlite3.connect("app.db", timeout=30)
            for i in range(10):
                with c: c.execute("INSERT INTO t VALUES (1)")
        threads = [threading.Thread(target=work) for _ in range(3)]
        started = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print([process.wait() for process in started])
        print(sqlite3.connect("app.db").execute("SELECT count(*) FROM t").fetchone()[0])
        """,
      ], in: fixture.outside)
    outcome.expectLines(["[0, 0, 0]", "33"])
    #expect(fixture.exists(fixture.inRoot("app.db")))
  }

  @Test(arguments: ["--private", "--root", "--socket"])
  func exitCodeAndSignalAreTheCommands(kind: String) throws {
    let fixture = try Fixture(sidecar: kind == "--socket")
    let options =
      switch kind {
      case "--root": ["--root", fixture.root.path]
      case "--socket": ["--socket", fixture.socket.path]
      default: [String]()
      }
    for code in [0, 1, 2, 7, 64, 255] as [Int32] {
      let outcome = try run(fixture, options, ["sh", "-c", "exit \(code)"])
      #expect(outcome.ending == .exited(code))
      #expect(outcome.errors.isEmpty)
    }
    let killed = try run(fixture, options, ["sh", "-c", "kill -TERM $$"])
    #expect(killed.ending == .killed(SIGTERM))
  }

  @Test func commandsOptionsAreItsOwn() throws {
    let fixture = try Fixture()
    for options in [[], ["--"]] {
      try run(fixture, options, ["echo", "--root", "--help", "--", "-x"])
        .expectLines(["--root --help -- -x"])
    }
    try run(fixture, ["--root", fixture.root.path, "--"], ["echo", "--socket", "x"])
      .expectLines(["--socket x"])
  }

  @Test(arguments: [[], ["--root", "."]])
  func missingCommandIsNamed(options: [String]) throws {
    let fixture = try Fixture()
    for command in ["no-such-command", "/no/such/command", "./none"] {
      let outcome = try run(fixture, options, [command, "x"])
      #expect(outcome.ending == .exited(2))
      #expect(outcome.errors == "sluice: run: \(command): No such file or directory\n")
      #expect(outcome.output.isEmpty)
    }
    let directory = try run(fixture, options, ["/tmp"])
    #expect(directory.ending == .exited(2))
    #expect(directory.errors.contains("/tmp: Permission denied"), "\(directory.errors)")
  }

  @Test(arguments: [
    ([], "which command?"), (["--root", "/tmp"], "which command?"), (["--"], "which command?"),
    (["--root", "/tmp", "--socket", "/tmp/s", "true"], "--root and --socket exclude each other"),
    (["--frob", "true"], "--frob: not understood"), (["--root"], "--root needs a value"),
  ])
  func wrongWordsAreNamed(words: [String], message: String) throws {
    let outcome = try run(try Fixture(), [], words)
    #expect(outcome.ending == .exited(64))
    #expect(outcome.errors.contains(message), "\(outcome.errors)")
  }

  @Test func missingRootAndLibraryAreNamed() throws {
    let fixture = try Fixture()
    let root = try run(fixture, ["--root", fixture.inRoot("none").path], ["true"])
    #expect(root.ending == .exited(2))
    #expect(root.errors.contains("none: No such file or directory"), "\(root.errors)")
  }

  /// The sidecar lasts as long as any program that the command started, and leaves no socket.
  @Test func sidecarOfARootEndsWithTheLastOfItsPrograms() throws {
    let fixture = try Fixture()
    func sockets() throws -> [String] {
      try FileManager.default.contentsOfDirectory(atPath: fixture.scratch.path).filter {
        $0.hasSuffix(".socket")
      }
    }
    let command = try fixture.start(
      [
        Fixture.program, "run", "--root", fixture.root.path, Fixture.pythonProgram, "-c",
        """
        import os, sqlite3, sys, time
        c = sqlite3.connect("app.db", isolation_level=None)
        c.execute("CREATE TABLE t(x)")
        if os.fork() == 0:
            c = sqlite3.connect("app.db", isolation_level=None)
            c.execute("INSERT INTO t VALUES (1)")
            print("child", flush=True)
            sys.stdin.readline()
            c.execute("INSERT INTO t VALUES (2)")
            print("done", flush=True)
            os._exit(0)
        """,
      ], ["SLUICE_LIBRARY": Fixture.library, "TMPDIR": fixture.scratch.path], in: fixture.outside)
    // The command itself may end before its child prints.
    #expect(eventually { command.output.contains("child") && !command.isRunning })
    #expect(try sockets().count == 1)
    command.say("go")
    #expect(eventually { command.output.contains("done") })
    #expect(eventually { (try? sockets()) == [] })
    #expect(try fixture.nativeAnswer(fixture.inRoot("app.db"), "SELECT sum(x) FROM t") == "3")
  }

  /// Programs that close descriptors which they do not know, and workers that outlive the command.
  @Test(arguments: [
    "exec 3>log; sqlite3 app.db 'CREATE TABLE t(x); INSERT INTO t VALUES (1)'",
    """
    /usr/bin/python3 -c 'import subprocess, sys
    subprocess.Popen([sys.executable, "-c", sys.argv[1]])' "$WORK"
    """,
    """
    /usr/bin/python3 -c 'import os, sys
    if os.fork(): os._exit(0)
    os.setsid()
    if os.fork(): os._exit(0)
    os.closerange(3, 4096)
    exec(sys.argv[1])' "$WORK"
    """,
  ])
  func sidecarOfARootServesWhatOutlivesTheCommand(script: String) throws {
    let fixture = try Fixture()
    let work = """
      import sqlite3, time; time.sleep(1.5)
      c = sqlite3.connect("app.db"); c.execute("CREATE TABLE t(x)")
      c.execute("INSERT INTO t VALUES (1)"); c.commit()
      """
    // Keep the object: the programs that the command started end with it.
    let command = try fixture.start(
      [Fixture.program, "run", "--root", fixture.root.path, "--", "bash", "-c", script],
      ["SLUICE_LIBRARY": Fixture.library, "TMPDIR": fixture.scratch.path, "WORK": work],
      in: fixture.outside)
    try command.wait().expectSuccess()
    let made = fixture.inRoot("app.db")
    #expect(
      eventually {
        fixture.exists(made) && (try? fixture.runNative(made, "SELECT x FROM t").output) == "1\n"
      })
    #expect(!fixture.exists(fixture.outside.appending(path: "app.db")))
    #expect(
      eventually(within: 40) {
        let left = try? FileManager.default.contentsOfDirectory(atPath: fixture.scratch.path)
        return left?.contains { $0.hasSuffix(".socket") } == false
      })
  }
}
