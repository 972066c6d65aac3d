// A file system that other hosts may have mounted. Two mounts of one directory stand for two hosts.
// Each has its own daemon, which passes locks on and caches nothing. There this kernel's lease
// proves nothing.

import Foundation
import Testing

@Suite(.enabled(if: Machine.hasFUSE, "needs root, /dev/fuse and Tools/fuse/build"))
struct SharedFileSystemTests {
  private func run(
    _ script: String, arguments: [String] = [], _ expected: [String],
    _ location: SourceLocation = #_sourceLocation
  ) throws {
    let fixture = try Fixture()
    let outcome = try fixture.runInOwnMounts(
      "A, B = hosts()\n" + script, arguments: arguments)
    outcome.expectLines(expected, location)
  }

  /// Opens the databases `a` and `b`, one on each host.
  private static let opening = """
    kind = sys.argv[1]
    SA, SB = SOCKET, SOCKET + ".b"
    if kind != "private": serve(A, SA)
    if kind == "both": serve(B, SB)
    def open_a(): return shared("app.db", SA) if kind != "private" else proxied(A + "/app.db")
    def open_b(): return shared("app.db", SB) if kind == "both" else stock(B + "/app.db")
    c = stock(A + "/app.db")
    c.execute("CREATE TABLE t(node, n, pad)")
    c.execute("CREATE INDEX i ON t(n, node)")
    c.execute("CREATE TABLE counter(x)")
    c.execute("INSERT INTO counter VALUES (0)")
    c.close()

    """

  @Test(arguments: ["private", "shared", "both"])
  func locksKeepHostsApart(kind: String) throws {
    try run(
      Self.opening + """
        a, b = open_a(), open_b()
        one(a, "SELECT x FROM counter"), one(b, "SELECT x FROM counter")
        for first, second in (a, b), (b, a):
            first.execute("BEGIN IMMEDIATE")
            print(result(second.execute, "BEGIN IMMEDIATE"), result(second.execute, "SELECT * FROM counter"))
            first.execute("UPDATE counter SET x = x + 1")
            first.execute("COMMIT")
            second.execute("BEGIN")
            print(one(second, "SELECT x FROM counter"), result(first.execute, "UPDATE counter SET x = x + 1"))
            second.execute("COMMIT")
            first.execute("BEGIN EXCLUSIVE")
            print(result(second.execute, "SELECT * FROM counter"))
            first.execute("ROLLBACK")
        """, arguments: [kind],
      [
        "SQLITE_BUSY OK", "1 SQLITE_BUSY", "SQLITE_BUSY", "SQLITE_BUSY OK", "2 SQLITE_BUSY",
        "SQLITE_BUSY",
      ])
  }

  @Test(arguments: ["private", "shared", "both"])
  func writersOnBothHostsLoseNothing(kind: String) throws {
    try run(
      Self.opening + """
        until, done = time.monotonic() + 2, {}
        def write(node, opened):
            c = opened()
            c.execute("PRAGMA busy_timeout = 10000")
            n, failed = 0, set()
            while time.monotonic() < until:
                try:
                    c.execute("BEGIN IMMEDIATE")
                    c.execute("UPDATE counter SET x = x + 1")
                    c.execute("INSERT INTO t VALUES (?, ?, hex(randomblob(300)))", (node, n))
                    c.execute("COMMIT")
                    n += 1
                except Error as error:
                    failed.add(error.sqlite_errorname)
                    if c.in_transaction: result(c.execute, "ROLLBACK")
                # Give the other host a turn, because it asks only now and then.
                time.sleep(0.002)
            done[node] = n, failed
        workers = [threading.Thread(target=write, args=w) for w in (("a", open_a), ("b", open_b))]
        for w in workers: w.start()
        for w in workers: w.join()
        s = stock(ROOT + "/source/app.db")
        acknowledged = sum(n for n, _ in done.values())
        print(done, file=sys.stderr)
        print(min(n for n, _ in done.values()) > 0, set().union(*(f for _, f in done.values())) <= {"SQLITE_BUSY"})
        print(one(s, "SELECT count(*) FROM t") == acknowledged, one(s, "SELECT x FROM counter") == acknowledged)
        print(one(s, "PRAGMA integrity_check"))
        """, arguments: [kind], ["True True", "True True", "ok"])
  }

  /// It reads nothing old from its cache or from a window, or because it believes that there is no
  /// journal.
  @Test(arguments: ["private", "shared", "both"])
  func readerSeesWhatAnotherHostWrites(kind: String) throws {
    try run(
      Self.opening + """
        a, b = open_a(), open_b()
        b.execute("PRAGMA busy_timeout = 5000")
        seen = []
        for n in range(1, 21):
            b.execute("UPDATE counter SET x = ?", (n,))
            seen.append(one(a, "SELECT x FROM counter") == n)
        print(all(seen), len(seen))
        a.execute("PRAGMA mmap_size = 1000000")
        b.execute("UPDATE counter SET x = 100")
        print(one(a, "SELECT x FROM counter"), has_window())
        b.execute("DELETE FROM t")
        b.execute("DROP TABLE t")
        b.execute("VACUUM")
        print(result(a.execute, "SELECT * FROM t"), one(a, "PRAGMA integrity_check"))
        """, arguments: [kind], ["True 20", "100 False", "SQLITE_ERROR ok"])
  }

  // MARK: WAL

  @Test func walModeIsRefusedAndTheOldModeStays() throws {
    try run(
      """
      uri = f"file:{A}/app.db?vfs=sluice"
      said, logged = log(uri, "PRAGMA journal_mode=WAL; CREATE TABLE t(x); PRAGMA journal_mode=truncate;"
          "PRAGMA journal_mode=wal; INSERT INTO t VALUES (1); SELECT x FROM t;")
      print(said, logged.count("WAL mode needs locking_mode=EXCLUSIVE here: other hosts may have mounted"))
      s = stock(B + "/app.db")
      print(one(s, "PRAGMA journal_mode"), one(s, "SELECT x FROM t"), "app.db-wal" in os.listdir(A))
      """, ["['delete', 'truncate', 'truncate', '1'] 2", "delete 1 False"])
  }

  @Test func walDatabaseOpensForOneAlone() throws {
    try run(
      """
      c = stock(ROOT + "/source/app.db")
      c.execute("PRAGMA journal_mode=WAL")
      c.execute("CREATE TABLE t(x)")
      c.close()
      uri = f"file:{A}/app.db?vfs=sluice"
      said, logged = log(uri, "SELECT * FROM t")
      print(said, "unable to open database file" in logged, logged.count("WAL mode needs locking_mode=EXCLUSIVE"))
      c = proxied(A + "/app.db")
      print(result(c.execute, "SELECT * FROM t"), result(c.execute, "INSERT INTO t VALUES (1)"))
      c.execute("PRAGMA locking_mode = EXCLUSIVE")
      print(result(c.execute, "INSERT INTO t VALUES (1)"), one(c, "SELECT x FROM t"), one(c, "PRAGMA journal_mode"))
      s = stock(B + "/app.db")
      print(result(s.execute, "SELECT * FROM t"), result(proxied(B + "/app.db").execute, "SELECT * FROM t"))
      # Back to a mode that several hosts may use.
      print(one(c, "PRAGMA journal_mode = DELETE"), one(c, "PRAGMA locking_mode = NORMAL"), one(c, "SELECT x FROM t"))
      print(one(s, "SELECT x FROM t"), result(s.execute, "INSERT INTO t VALUES (2)"), one(c, "SELECT max(x) FROM t"))
      # Then into WAL mode, for one connection alone.
      s.close()
      c.execute("PRAGMA locking_mode = EXCLUSIVE")
      print(one(c, "PRAGMA journal_mode = WAL"), result(c.execute, "INSERT INTO t VALUES (3)"))
      print(result(stock(B + "/app.db").execute, "SELECT * FROM t"), sorted(os.listdir(A)))
      c.close()
      print(one(stock(ROOT + "/source/app.db"), "SELECT max(x) FROM t"))
      """,
      [
        "[] True 1", "SQLITE_CANTOPEN SQLITE_CANTOPEN", "OK 1 wal", "SQLITE_BUSY SQLITE_BUSY",
        "delete normal 1", "1 OK 2", "wal OK", "SQLITE_BUSY ['app.db', 'app.db-wal']", "3",
      ])
  }

  /// The connection that has the database alone recovers the WAL and index that a crash left.
  @Test func walThatACrashLeftIsRecovered() throws {
    try run(
      """
      code = "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
      code += "[c.execute(s).fetchall() for s in ('PRAGMA journal_mode=WAL', 'CREATE TABLE t(x)', 'INSERT INTO t VALUES (7)',"
      code += " 'BEGIN', 'INSERT INTO t VALUES (8)')]; os.kill(os.getpid(), 9)"
      subprocess.run([sys.executable, "-c", code, ROOT + "/source/app.db"])
      print(sorted(os.listdir(A)))
      c = proxied(A + "/app.db")
      print(result(c.execute, "SELECT * FROM t"))
      c.execute("PRAGMA locking_mode = EXCLUSIVE")
      print(c.execute("SELECT x FROM t").fetchall(), result(c.execute, "INSERT INTO t VALUES (9)"))
      c.close()
      # The sidecar of one connection dies, and leaves the WAL of that connection.
      d = proxied(A + "/app.db")
      d.execute("PRAGMA locking_mode = EXCLUSIVE")
      d.execute("INSERT INTO t VALUES (10)")
      os.kill(sidecars()[-1], signal.SIGKILL)
      print(result(d.execute, "INSERT INTO t VALUES (11)")[:12])
      eventually(lambda: result(stock(ROOT + "/source/app.db").execute, "SELECT * FROM t") == "OK")
      s = stock(ROOT + "/source/app.db")
      print(s.execute("SELECT x FROM t").fetchall(), one(s, "PRAGMA integrity_check"))
      """,
      [
        "['app.db', 'app.db-shm', 'app.db-wal']", "SQLITE_CANTOPEN", "[(7,)] OK", "SQLITE_IOERR",
        "[(7,), (9,), (10,)] ok",
      ])
  }

  // MARK: Other uses of a lease

  /// The kernel tells the daemon that a dead sidecar's files are closed, but not that they are
  /// unlocked.
  @Test(arguments: [SIGKILL, SIGTERM])
  func sidecarThatEndsLeavesNoLock(signal: Int32) throws {
    try run(
      """
      sidecar = serve(A, SOCKET)
      c = shared("app.db", SOCKET)
      c.execute("CREATE TABLE t(x)")
      c.execute("PRAGMA cache_size = 5")
      c.execute("BEGIN IMMEDIATE")
      c.execute("WITH r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT 20000) INSERT INTO t SELECT x FROM r")
      s = stock(B + "/app.db", timeout=10)
      s.execute("PRAGMA busy_timeout = 0")
      print(result(s.execute, "SELECT * FROM t"))
      end(sidecar, int(sys.argv[1]))
      s.execute("PRAGMA busy_timeout = 10000")
      print(one(s, "SELECT count(*) FROM t"), result(s.execute, "INSERT INTO t VALUES (1)"))
      # There, nothing proves that the file is still the one that the connection had open.
      serve(A, SOCKET)
      print(result(c.execute, "ROLLBACK") in ("OK", "SQLITE_ERROR"), result(c.execute, "SELECT * FROM t"))
      print(one(shared("app.db", SOCKET), "SELECT count(*) FROM t"), one(s, "PRAGMA integrity_check"))
      """, arguments: ["\(signal)"],
      ["SQLITE_BUSY", "0 OK", "True SQLITE_CANTOPEN", "1 ok"])
  }

  /// No call shows whether another host uses a database, so the database is not deleted.
  @Test func databaseThatMayBeUsedIsNotMadeAnew() throws {
    try run(
      """
      s = stock(B + "/app.db")
      s.execute("CREATE TABLE t(x)")
      print(result(lambda: proxied(A + "/app.db", "delete-before-open=1")))
      s.close()
      print(result(lambda: proxied(A + "/app.db", "delete-before-open=1")))
      print(result(proxied(A + "/absent.db", "delete-before-open=1").execute, "CREATE TABLE u(x)"))
      print(result(stock(B + "/app.db").execute, "SELECT * FROM t"))
      """, ["SQLITE_BUSY", "SQLITE_BUSY", "OK", "OK"])
  }

  @Test func quotaNamesAndTemporaryFilesAreAsElsewhere() throws {
    try run(
      """
      sidecar = serve(A, SOCKET, "--quota", "4M")
      print(sidecar.said[1] == f"sluice: {A} is on fuse, which other hosts may have mounted:"
          " every lock goes to the file, no read window, no WAL mode")
      c = shared("app.db", SOCKET)
      c.execute("PRAGMA temp_store = 1")
      c.execute("PRAGMA cache_size = 5")
      c.execute("CREATE TABLE t(x)")
      c.execute("CREATE TEMP TABLE own(x)")
      c.execute("WITH r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT 5000) INSERT INTO own SELECT hex(randomblob(100)) FROM r")
      print(len(c.execute("SELECT x FROM own ORDER BY x").fetchall()))
      c.execute("DROP TABLE own")
      print(result(c.execute, "INSERT INTO t VALUES (zeroblob(6000000))"), result(c.execute, "INSERT INTO t VALUES (zeroblob(1000000))"))
      # After the file was replaced, the connection no longer writes to it.
      s = stock(A + "/other.db")
      s.execute("CREATE TABLE t(x)")
      s.close()
      os.rename(A + "/other.db", A + "/app.db")
      print(result(c.execute, "INSERT INTO t VALUES (1)") in ("SQLITE_READONLY_DBMOVED", "SQLITE_IOERR_FSTAT"))
      d = shared("app.db", SOCKET)
      print(result(d.execute, "INSERT INTO t VALUES (2)"), one(stock(B + "/app.db"), "SELECT x FROM t"))
      """, ["True", "5000", "SQLITE_FULL OK", "True", "OK 2"])
  }
}
