// Directories of `--also` that others use at the same time, change or move, and programs that need
// them.

import Foundation
import Testing

struct AlsoSharingTests: AlsoTesting {
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
  @Test(.enabled(if: AlsoSharingTests.hasSpatiaLite, "needs spatialite-bin"))
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
