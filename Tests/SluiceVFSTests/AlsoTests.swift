// `--also`: directories of the host that a sidecar serves beside its root, and what it refuses.

import Foundation
import Testing

struct AlsoTests {
  /// `root/data/app`; `outside`, which is served also, with `x.db` and `sub`; `none`, which is not
  /// served, with `secret.db`; and links from each to each.
  private func makePlace() throws -> Fixture {
    let fixture = try Fixture()
    let files = FileManager.default
    for directory in ["root/data/app", "outside/sub", "none", "scratch/work"] {
      try files.createDirectory(
        at: fixture.directory.appending(path: directory), withIntermediateDirectories: true)
    }
    try fixture.makeDatabase(fixture.outside.appending(path: "x.db"))
    try fixture.makeDatabase(fixture.directory.appending(path: "none/secret.db"), count: 7)
    let base = fixture.directory.path
    for (name, target) in [
      ("root/out", "../outside"), ("root/abs", base + "/outside"),
      ("root/data/x.db", "../../outside/x.db"), ("root/abs.db", base + "/outside/x.db"),
      ("root/new.db", base + "/outside/sub/new.db"), ("root/none", base + "/none"),
      ("outside/home", base + "/root/data"), ("outside/back", "../root/data"),
      ("outside/none", "../none"), ("outside/secret.db", base + "/none/secret.db"),
      ("outside/sub/up", "../../root"), ("scratch/work/l", "../../outside"),
      ("scratch/work/none", "../../none"),
    ] {
      try files.createSymbolicLink(
        atPath: fixture.directory.appending(path: name).path, withDestinationPath: target)
    }
    return fixture
  }

  /// Runs an unmodified program in `place`, with `options` for the sidecar besides `--root`.
  private func run(
    _ fixture: Fixture, in place: String, _ options: [String], _ command: [String],
    own: [String] = []
  ) throws -> Outcome {
    try fixture.run(
      [Fixture.program, "run"] + own + ["--root", fixture.root.path] + options + ["--"] + command,
      ["SLUICE_LIBRARY": Fixture.library, "TMPDIR": fixture.scratch.path],
      in: fixture.directory.appending(path: place))
  }

  private func also(_ fixture: Fixture, _ suffix: String = "") -> [String] {
    ["--also", fixture.outside.path + suffix]
  }

  private func python(_ script: String, _ arguments: [String] = []) -> [String] {
    [
      Fixture.pythonProgram, "-c",
      """
      import os, sqlite3, sys
      def result(f, *a):
          try: f(*a); return "OK"
          except sqlite3.Error as e: return e.sqlite_errorname
      """ + "\n" + script,
    ] + arguments
  }

  // MARK: Names

  @Test(arguments: [
    ("root/data", "../../outside/made.db", "outside/made.db"),
    ("root/data", "$D/outside/made.db", "outside/made.db"),
    ("root/data", "../out/made.db", "outside/made.db"),
    ("root", "abs/sub/made.db", "outside/sub/made.db"),
    ("root", "out/sub/../made.db", "outside/made.db"),
    ("root", "data/x.db", "outside/x.db"),
    ("root", "abs.db", "outside/x.db"),
    ("root", "new.db", "outside/sub/new.db"),
    ("root", "out/home/made.db", "root/data/made.db"),
    ("root", "out/sub/up/data/made.db", "root/data/made.db"),
    ("root", "out/sub/up/out/made.db", "outside/made.db"),
    ("outside", "made.db", "outside/made.db"),
    ("outside/sub", "../made.db", "outside/made.db"),
    ("outside", "home/made.db", "root/data/made.db"),
    ("outside", "back/app/made.db", "root/data/app/made.db"),
    ("outside", "../root/made.db", "root/made.db"),
    ("outside", "none/../../outside/made.db", "outside/made.db"),
    ("scratch/work", "l/made.db", "outside/made.db"),
    ("scratch/work", "../../outside/made.db", "outside/made.db"),
    ("scratch/work", "$D/scratch/work/l/home/made.db", "root/data/made.db"),
    ("scratch/work", "$D/./outside//made.db", "outside/made.db"),
    // What begins in no directory that is served begins in the root.
    ("scratch/work", "made.db", "root/made.db"),
    ("scratch/work", "/data/made.db", "root/data/made.db"),
    ("outside", "/made.db", "root/made.db"),
  ])
  func nameMeansWhatItMeansToTheProgram(place: String, name: String, made: String) throws {
    let fixture = try makePlace()
    let name = name.replacingOccurrences(of: "$D", with: fixture.directory.path)
    let script = """
      c = sqlite3.connect(sys.argv[1])
      c.execute("CREATE TABLE made(x)")
      print(c.execute("PRAGMA database_list").fetchone()[2])
      """
    let file = fixture.directory.appending(path: made)
    try run(fixture, in: place, also(fixture), python(script, [name])).expectLines([file.path])
    #expect(try fixture.nativeAnswer(file, "SELECT count(*) FROM made") == "0")
  }

  @Test(arguments: [
    ("root", "none/secret.db"), ("root", "out/none/secret.db"), ("root", "out/secret.db"),
    ("root", "../none/secret.db"), ("root", "$D/outside/../none/secret.db"),
    ("root", "out/../none/secret.db"), ("outside", "none/secret.db"), ("outside", "secret.db"),
    ("outside", "../none/secret.db"), ("outside", "sub/../../none/secret.db"),
    ("outside", "$D/outside/none/secret.db"), ("outside", "none/new.db"),
    ("scratch/work", "none/secret.db"), ("scratch/work", "l/none/secret.db"),
    ("scratch/work", "l/secret.db"), ("scratch/work", "$D/none/secret.db"),
    ("scratch/work", "$D/outside2/secret.db"),
  ])
  func whatIsServedByNeitherIsRefused(place: String, name: String) throws {
    let fixture = try makePlace()
    let name = name.replacingOccurrences(of: "$D", with: fixture.directory.path)
    // What a name would be beneath the root if it began there.
    let trap = fixture.inRoot("none2")
    try FileManager.default.createDirectory(at: trap, withIntermediateDirectories: true)
    let outcome = try run(
      fixture, in: place, also(fixture),
      python("print(result(sqlite3.connect(sys.argv[1]).execute, 'SELECT 1 FROM t'))", [name]))
    #expect(outcome.output.isEmpty || outcome.output.hasPrefix("SQLITE_CANTOPEN"))
    let none = fixture.directory.appending(path: "none")
    #expect(try FileManager.default.contentsOfDirectory(atPath: none.path) == ["secret.db"])
  }

  /// A program that works in an also-directory gets no file of the root by a name that leads out.
  @Test func nameThatLeadsOutOfAnAlsoDirectoryMeansNoFileOfTheRoot() throws {
    let fixture = try makePlace()
    try FileManager.default.removeItem(at: fixture.inRoot("none"))
    try FileManager.default.createDirectory(
      at: fixture.inRoot("none"), withIntermediateDirectories: true)
    let outcome = try run(
      fixture, in: "outside", also(fixture),
      python("print(result(lambda: sqlite3.connect('none/y.db').execute('CREATE TABLE t(x)')))"))
    #expect(outcome.output.hasPrefix("SQLITE_CANTOPEN"), "\(outcome.output)\(outcome.errors)")
    #expect(!fixture.exists(fixture.inRoot("none/y.db")))
    #expect(!fixture.exists(fixture.directory.appending(path: "none/y.db")))
  }

  @Test func hostsNameWinsAndTheLogSaysSo() throws {
    let fixture = try makePlace()
    let inner = fixture.root.appending(path: fixture.outside.path)
    try FileManager.default.createDirectory(at: inner, withIntermediateDirectories: true)
    try fixture.makeDatabase(inner.appending(path: "x.db"), count: 99)
    let outcome = try run(
      fixture, in: "scratch", also(fixture),
      [
        Fixture.sqliteProgram, "-batch", "-cmd", ".log stderr", "-cmd",
        ".open \(fixture.outside.path)/x.db", ":memory:", "SELECT count(*) FROM t",
      ])
    outcome.expectLines(["10"])
    #expect(outcome.errors.contains("not the file of that name in the sidecar's root"))
  }

  // MARK: Read-only

  private func picture(_ directory: URL) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted().map {
      let facts = try FileManager.default.attributesOfItem(
        atPath: directory.appending(path: $0).path)
      return "\($0) \(facts[.size]!) \(facts[.modificationDate]!)"
    }
  }

  @Test func readOnlyDirectoryIsReadAndNothingInItChanges() throws {
    let fixture = try makePlace()
    let before = try picture(fixture.outside)
    try run(
      fixture, in: "root", also(fixture, ":ro"),
      python(
        """
        c = sqlite3.connect("own.db", isolation_level=None)
        c.execute("CREATE TABLE u(x)")
        c.execute("ATTACH '../outside/x.db' AS o")
        c.execute("INSERT INTO u SELECT x FROM o.t")
        print(c.execute("SELECT count(*) FROM u").fetchone()[0])
        for sql in ("INSERT INTO o.t VALUES (1)", "DELETE FROM o.t", "CREATE TABLE o.v(x)",
                    "PRAGMA o.user_version=3", "PRAGMA o.journal_mode=WAL"):
            print(result(c.execute, sql))
        def create(name): sqlite3.connect(name, uri=True).execute("CREATE TABLE t(x)")
        for name in ("abs/new.db", "new.db", "../outside/new.db", "file:out/x.db?delete-before-open=1"):
            print(result(create, name))
        print(result(c.execute, "VACUUM INTO 'out/copy.db'"), result(c.execute, "VACUUM INTO 'copy.db'"))
        """)
    ).expectLines(
      ["10"] + Array(repeating: "SQLITE_READONLY", count: 5)
        + ["SQLITE_CANTOPEN", "SQLITE_CANTOPEN", "SQLITE_CANTOPEN", "SQLITE_CANTOPEN"]
        + ["SQLITE_CANTOPEN OK"])
    #expect(try picture(fixture.outside) == before)
    #expect(try fixture.nativeAnswer(fixture.inRoot("own.db"), "SELECT count(*) FROM u") == "10")
  }

  /// What stock SQLite says on a read-only disk, a sidecar with `:ro` says too.
  @Test func walAndHotJournalInAReadOnlyDirectoryBehaveAsOnAReadOnlyDisk() throws {
    let fixture = try makePlace()
    try fixture.startSidecar(also(fixture, ":ro"))
    try fixture.runPython(
      """
      n = native(OUTSIDE + "/w.db")
      n.execute("PRAGMA journal_mode=WAL")
      n.execute("CREATE TABLE t(x)"); n.execute("INSERT INTO t VALUES (42)")
      c = proxied(OUTSIDE + "/w.db")
      print(one(c, "SELECT x FROM t"), result(c.execute, "INSERT INTO t VALUES (1)"))
      n.execute("INSERT INTO t VALUES (43)")
      print(one(c, "SELECT max(x) FROM t"), result(c.execute, "PRAGMA wal_checkpoint"))
      c.close()
      names = lambda: sorted(x for x in os.listdir(OUTSIDE) if x.startswith("w."))
      print(names(), one(n, "PRAGMA wal_checkpoint(TRUNCATE)"))
      n.close()
      print(result(lambda: proxied(OUTSIDE + "/w.db").execute("SELECT * FROM t")), names())
      pid = os.fork()
      if pid == 0:
          h = native(OUTSIDE + "/hot.db")
          h.execute("PRAGMA cache_size=1"); h.execute("PRAGMA cache_spill=1")
          h.execute("CREATE TABLE t(x)"); h.execute("BEGIN")
          for i in range(200): h.execute("INSERT INTO t VALUES (randomblob(900))")
          os._exit(0)
      os.wait()
      print(os.path.exists(OUTSIDE + "/hot.db-journal"),
            result(lambda: proxied(OUTSIDE + "/hot.db").execute("SELECT count(*) FROM t")),
            os.path.exists(OUTSIDE + "/hot.db-journal"))
      """
    ).expectLines([
      "42 SQLITE_READONLY", "43 SQLITE_READONLY", "['w.db', 'w.db-shm', 'w.db-wal'] 0",
      "SQLITE_CANTOPEN ['w.db']", "True SQLITE_READONLY_ROLLBACK True",
    ])
  }

  /// A hard link gives the file a name in the root, by which it may be written.
  @Test func fileThatIsOpenForWritingCannotBeWrittenByItsReadOnlyName() throws {
    let fixture = try makePlace()
    try FileManager.default.linkItem(
      at: fixture.outside.appending(path: "x.db"), to: fixture.inRoot("linked.db"))
    try fixture.startSidecar(also(fixture, ":ro"))
    try fixture.runPython(
      """
      c = proxied("linked.db"); d = proxied(OUTSIDE + "/x.db")
      print(result(c.execute, "INSERT INTO t VALUES (11)"), one(d, "SELECT max(x) FROM t"),
            result(d.execute, "INSERT INTO t VALUES (12)"), one(c, "SELECT max(x) FROM t"))
      """
    ).expectLines(["OK 11 SQLITE_READONLY 11"])
  }

  /// Landlock knows no exception from what it allows, and a name that begins in the root would lead
  /// into such a directory.
  @Test func readOnlyDirectoryInOneThatMayBeWrittenIsRefused() throws {
    let fixture = try makePlace()
    for (directories, named) in [
      ([fixture.inRoot("data").path + ":ro"], fixture.root.path),
      ([fixture.root.path + ":ro"], fixture.root.path),
      ([fixture.outside.path, fixture.inRoot("out/sub").path + ":ro"], fixture.outside.path),
    ] {
      let outcome = try run(
        fixture, in: "root", directories.flatMap { ["--also", $0] }, ["echo", "started"])
      #expect(outcome.ending == .exited(2))
      #expect(outcome.output == "")
      #expect(
        outcome.errors.contains("files in it could be written as files of \(named)"),
        "\(outcome.errors)")
    }
  }

  /// The root lies in a directory of which the rest is read only: a file of the root may be written
  /// by whatever name it is found.
  @Test func rootMayLieInAReadOnlyDirectory() throws {
    let fixture = try makePlace()
    let base = fixture.directory.path
    try FileManager.default.createSymbolicLink(
      atPath: fixture.outside.appending(path: "relative").path,
      withDestinationPath: "../root/data/app")
    try fixture.startSidecar(["--also", base + ":ro"])
    try fixture.runPython(
      """
      for name in ("1.db", OUTSIDE + "/relative/2.db", OUTSIDE + "/../root/3.db",
                   OUTSIDE + "/sub/up/4.db", OUTSIDE + "/5.db", "../outside/6.db"):
          print(result(lambda: proxied(name).execute("CREATE TABLE t(x)")))
      print(one(proxied("../none/secret.db"), "SELECT count(*) FROM t"))
      """
    ).expectLines(["OK", "OK", "OK", "OK", "SQLITE_CANTOPEN", "SQLITE_CANTOPEN", "7"])
    for name in ["1.db", "data/app/2.db", "3.db", "4.db"] {
      #expect(fixture.exists(fixture.inRoot(name)), "\(name)")
    }
  }

  @Test func sidecarsReadOnlyHoldsForAllDirectories() throws {
    let fixture = try makePlace()
    let sidecar = try fixture.startSidecar(also(fixture, ":rw") + ["--read-only"])
    #expect(sidecar.output.contains("; also \(fixture.outside.path) (read only) on"))
    try fixture.runPython(
      """
      c = proxied(OUTSIDE + "/x.db")
      print(one(c, "SELECT count(*) FROM t"), result(c.execute, "DELETE FROM t"))
      """
    ).expectLines(["10 SQLITE_READONLY"])
  }

  // MARK: Words

  @Test func directoryMayHaveAnyName() throws {
    let fixture = try makePlace()
    let outcome = try fixture.run(
      [
        "bash", "-c",
        #"""
        B=$'d\xff\xfe'; mkdir "$B" odd:ro odd
        for also in "$B" "$PWD/$B" "--also=$B"; do
          "$0" run --root ../root --also "${also#--also=}" -- sqlite3 "$B/x.db" 'CREATE TABLE IF NOT EXISTS t(x)'
        done
        "$0" run --root ../root --also=odd:ro:rw -- sqlite3 odd:ro/x.db 'CREATE TABLE t(x)'
        "$0" run --root ../root --also odd:ro -- sqlite3 odd/x.db 'CREATE TABLE t(x)' 2>/dev/null
        ls "$B" odd:ro odd | sed "s/^d.*:/d:/"
        "$0" run --also . -- true; echo $?
        "$0" run --root ../root --also none -- true; echo $?
        """#, Fixture.program,
      ], ["SLUICE_LIBRARY": Fixture.library, "TMPDIR": fixture.scratch.path], in: fixture.scratch)
    #expect(
      outcome.lines
        == ["d:", "x.db", "odd:", "odd:ro:", "x.db", "64", "2"],
      "\(outcome.output)\(outcome.errors)")
    #expect(outcome.errors.contains("--also needs --root"))
    #expect(outcome.errors.contains("--also none: No such file or directory"))
  }

  @Test func sidecarSaysWhatItServes() throws {
    let fixture = try makePlace()
    let none = fixture.directory.appending(path: "none").path
    let sidecar = try fixture.startSidecar(also(fixture) + ["--also", none + ":ro"])
    let line =
      "serving \(fixture.root.path); also \(fixture.outside.path); also \(none) (read only) on"
    #expect(sidecar.output.contains(line), "\(sidecar.output)")
    #expect(sidecar.output.components(separatedBy: " is on ").count == 4, "\(sidecar.output)")
  }

  // MARK: Refusals

  @Test(arguments: ["../none/secret.db", "$D/none/secret.db", "none/secret.db", "$D/none/new.db"])
  func refusalNamesTheRootAndWhatToDo(name: String) throws {
    let fixture = try makePlace()
    let name = name.replacingOccurrences(of: "$D", with: fixture.directory.path)
    try fixture.startSidecar()
    let outcome = try fixture.runPython(
      """
      c = proxied("own.db")
      print(result(c.execute, "ATTACH '%s' AS o" % sys.argv[1])[:15])
      print(one(c, "PRAGMA sluice_error"))
      """, ["SLUICE_LOG_FILE": "stderr"], arguments: [name])
    let why = "the path leads out of the sidecar's root directory \(fixture.root.path)"
    let remedy = "use a file beneath the sidecar's root, or serve its directory with --also"
    #expect(outcome.lines.first == "SQLITE_CANTOPEN", "\(outcome.errors)")
    #expect(Array(outcome.lines.suffix(2)) == ["why: \(why)", "remedy: \(remedy)"])
    #expect(outcome.lines.contains { $0.hasPrefix("what: ") && $0.hasSuffix(" \(name)") })
    #expect(outcome.errors.contains("\(why) (code "), "\(outcome.errors)")
    #expect(outcome.errors.contains("; \(remedy)"))
  }

  /// A file that the host has not either is merely absent.
  @Test func absentFileIsNoRefusal() throws {
    let fixture = try makePlace()
    try fixture.startSidecar()
    let outcome = try fixture.runPython(
      """
      for name in ("none.db", "/no/such/x.db", "data/none.db"):
          print(result(lambda: proxied(name, "mode=ro").execute("SELECT 1")))
      """, ["SLUICE_LOG_FILE": "stderr", "SLUICE_LOG": "2"])
    outcome.expectLines(Array(repeating: "SQLITE_CANTOPEN", count: 3))
    #expect(!outcome.errors.contains("leads out"), "\(outcome.errors)")
  }

  // MARK: Others on the same files

  @Test(arguments: ["DELETE", "WAL"]) func twoSessionsAndStockShareADatabase(mode: String) throws {
    let fixture = try makePlace()
    try fixture.startSidecar(also(fixture))
    try fixture.runPython(
      """
      native(OUTSIDE + "/x.db").execute("PRAGMA journal_mode=" + sys.argv[1])
      def work(number):
          c = [lambda: native(OUTSIDE + "/x.db"), lambda: proxied(OUTSIDE + "/x.db"),
               lambda: proxied("out/x.db")][number]()
          c.execute("PRAGMA busy_timeout=20000")
          for i in range(40):
              c.execute("BEGIN IMMEDIATE"); c.execute("INSERT INTO t VALUES (?)", (number,))
              c.execute("COMMIT")
      for number in range(3):
          if os.fork() == 0:
              work(number); os._exit(0)
      print([os.wait()[1] for _ in range(3)])
      n = native(OUTSIDE + "/x.db")
      print(one(n, "SELECT count(*) FROM t"), one(n, "PRAGMA integrity_check"))
      """, arguments: [mode]
    ).expectLines(["[0, 0, 0]", "130 ok"])
  }

  /// A link of the root changes its target as fast as it can, from a directory that is read only to
  /// one that is not served.
  @Test func nothingElseIsReachedWhileLinksAreSwapped() throws {
    let fixture = try makePlace()
    let before = try picture(fixture.outside)
    try fixture.startSidecar(also(fixture, ":ro"))
    let outcome = try fixture.runPython(
      """
      import time
      os.chdir(ROOT)
      os.symlink("../outside", "a"); os.symlink("../none", "b"); os.mkdir("c")
      swapper = os.fork()
      if swapper == 0:
          while True:
              for x, y in (("a", "d"), ("b", "a"), ("c", "b"), ("d", "c")): os.rename(x, y)
      made = read = refused = 0
      end = time.monotonic() + 3
      while time.monotonic() < end:
          for name in ("a/", ROOT + "/a/", OUTSIDE + "/../root/a/"):
              try:
                  if one(proxied(name + "x.db", "mode=ro"), "SELECT count(*) FROM t") == 10: read += 1
              except sqlite3.Error: refused += 1
              try: proxied(name + "n.db").execute("CREATE TABLE IF NOT EXISTS t(x)"); made += 1
              except sqlite3.Error: refused += 1
              for secret in ("secret.db",):
                  try: print(one(proxied(name + secret, "mode=ro"), "SELECT count(*) FROM t"))
                  except sqlite3.Error: pass
      os.kill(swapper, 9); os.wait()
      print(made > 0, read > 0, refused > 0)
      """)
    outcome.expectLines(["True True True"])
    #expect(try picture(fixture.outside) == before)
    let none = fixture.directory.appending(path: "none")
    #expect(try FileManager.default.contentsOfDirectory(atPath: none.path) == ["secret.db"])
  }

  /// The sidecar serves the directory, not its name.
  @Test func directoryThatIsMovedIsServedUnderItsNewName() throws {
    let fixture = try makePlace()
    try fixture.startSidecar(also(fixture))
    let outcome = try fixture.runPython(
      """
      c = proxied(OUTSIDE + "/x.db")
      c.execute("INSERT INTO t VALUES (11)")
      os.rename(OUTSIDE, OUTSIDE + "-moved"); os.mkdir(OUTSIDE)
      def made(name): return result(lambda: proxied(name).execute("CREATE TABLE made(x)"))
      print(made(OUTSIDE + "/y.db"), os.listdir(OUTSIDE), made(OUTSIDE + "-moved/y.db"))
      print(one(proxied(OUTSIDE + "-moved/x.db"), "SELECT count(*) FROM t"))
      """)
    outcome.expectLines(["SQLITE_CANTOPEN [] OK", "11"])
    #expect(fixture.exists(fixture.directory.appending(path: "outside-moved/y.db")))
  }

  @Test func quotaCountsTheRootOnly() throws {
    let fixture = try makePlace()
    try fixture.startSidecar(also(fixture) + ["--quota", "200K"])
    try fixture.runPython(
      """
      c = proxied(OUTSIDE + "/big.db"); d = proxied("own.db")
      c.execute("CREATE TABLE t(x)"); d.execute("CREATE TABLE t(x)")
      print(result(c.execute, "INSERT INTO t VALUES (zeroblob(500000))"),
            result(d.execute, "INSERT INTO t VALUES (zeroblob(500000))"))
      c.execute("DELETE FROM t"); c.execute("VACUUM"); c.close()
      proxied(OUTSIDE + "/big.db", "delete-before-open=1").close()
      print(result(d.execute, "INSERT INTO t VALUES (zeroblob(500000))"),
            result(d.execute, "INSERT INTO t VALUES (zeroblob(100000))"))
      """
    ).expectLines(["OK SQLITE_FULL", "SQLITE_FULL OK"])
  }

  // MARK: Programs

  @Test(.enabled(if: hasLandlock)) func sandboxedProgramUsesAlsoDirectories() throws {
    let fixture = try makePlace()
    try run(
      fixture, in: "root", also(fixture) + ["--also", fixture.directory.path + "/none:ro"],
      python(
        """
        c = sqlite3.connect("../outside/x.db", isolation_level=None)
        c.execute("INSERT INTO t VALUES (11)")
        c.execute("ATTACH '../none/secret.db' AS o")
        print(c.execute("SELECT count(*) FROM t").fetchone()[0], c.execute("SELECT count(*) FROM o.t").fetchone()[0],
              result(c.execute, "DELETE FROM o.t"))
        try: open("../outside/plain", "w")
        except OSError as e: print(type(e).__name__)
        """), own: ["--sandbox"]
    ).expectLines(["11 7 SQLITE_READONLY", "PermissionError"])
  }

  static let hasSpatiaLite =
    FileManager.default.isExecutableFile(atPath: "/usr/bin/spatialite")
    && FileManager.default.fileExists(atPath: "/usr/share/proj/proj.db")

  /// PROJ has a database of its own, outside of every root.
  @Test(.enabled(if: AlsoTests.hasSpatiaLite, "needs spatialite-bin"))
  func spatialiteTransformsWithTheDatabaseOfPROJ() throws {
    let fixture = try makePlace()
    let query = "SELECT round(ST_X(ST_Transform(MakePoint(13.4, 52.5, 4326), 25833)));"
    let command = ["/usr/bin/spatialite", "-silent", "geo.db", query]
    let stock = try fixture.run(command, in: fixture.scratch)
    #expect(Double(stock.lines.last ?? "") ?? 0 > 300_000, "\(stock.output)")
    let served = try run(fixture, in: "root", ["--also", "/usr/share/proj:ro"], command)
    #expect(served.lines.last == stock.lines.last, "\(served.output)\(served.errors)")
    let refused = try run(fixture, in: "root", [], command)
    #expect(refused.lines.last != stock.lines.last)
    #expect(refused.errors.contains("proj.db: the path leads out of the sidecar's root directory"))
  }
}
