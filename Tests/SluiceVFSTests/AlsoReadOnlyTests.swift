// `--also DIR:ro`, and `--read-only`: what may be read only stays as it is.

import Foundation
import Testing

struct AlsoReadOnlyTests: AlsoTesting {
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
}
