// A file system that loses the connection to its server. Files that were opened before cannot be
// used any more, and their locks are gone. All clients of a sidecar share its open files, so the
// sidecar must open them again.
//
// The file system is the one in Tools/fuse. A command makes it lose its connection, or cuts it off.

import Foundation
import Testing

private let passthrough =
  URL(filePath: Fixture.program).deletingLastPathComponent().appending(path: "fuse-passthrough")
  .path

private let canMountPassthrough =
  Machine.isRoot && Machine.hasMountNamespaces && Machine.has("test", "-w", "/dev/fuse")
  && FileManager.default.isExecutableFile(atPath: passthrough)

@Suite(.enabled(if: canMountPassthrough, "needs root, /dev/fuse and Tools/fuse/build"))
struct BadDescriptionTests {
  /// Connections `a` and `b` through one sidecar to a database with one row. Its file system is
  /// also mounted at `far`, as by another host. `lose()` and `cut()` act on the near mount.
  private static let opening = """
    import ctypes
    def with_me(): ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    def mount(place):
        os.makedirs(place)
        p = subprocess.Popen([os.environ["PASSTHROUGH"], "-o", "nocache", ROOT + "/source", place],
                             stdout=subprocess.PIPE, text=True, preexec_fn=with_me)
        assert p.stdout.readline() == "ready" + chr(10)
        return p
    os.makedirs(ROOT + "/source")
    near, far = mount(ROOT + "/near"), mount(ROOT + "/far")
    def tell(number):
        near.send_signal(number)
        assert near.stdout.readline() == "done" + chr(10)
    def lose(): tell(signal.SIGUSR1)
    def cut(): tell(signal.SIGUSR2)
    sidecar = subprocess.Popen([os.environ["SIDECAR"], "serve", "--root", ROOT + "/near", "--socket", SOCKET],
                               stdout=subprocess.PIPE, text=True, preexec_fn=with_me)
    assert "serving" in sidecar.stdout.readline()
    other = sqlite3.connect(ROOT + "/far/app.db", isolation_level=None, timeout=0)
    other.executescript("CREATE TABLE t(x); INSERT INTO t VALUES(1); CREATE TABLE u(y)")
    a, b = proxied("app.db", "socket=" + SOCKET), proxied("app.db", "socket=" + SOCKET)
    def count(c): return one(c, "SELECT count(*) FROM t")
    def whole(): return one(other, "PRAGMA integrity_check")

    """

  private func run(
    _ script: String, arguments: [String] = [], _ expected: [String],
    _ location: SourceLocation = #_sourceLocation
  ) throws {
    let fixture = try Fixture()
    let outcome = try fixture.runPython(
      Self.opening + script + "\nnear.terminate(), far.terminate(), near.wait(), far.wait()",
      ["SIDECAR": Fixture.program, "PASSTHROUGH": Fixture.passthrough], arguments: arguments,
      prefix: ["unshare", "-m"], within: 60)
    outcome.expectLines(expected, location)
  }

  @Test func idleConnectionsGoOnWithoutAnError() throws {
    try run(
      """
      print(count(a), count(b))
      lose()
      print(count(a), result(b.execute, "INSERT INTO t VALUES(2)"), count(a), count(other))
      lose()
      print(result(a.execute, "INSERT INTO t VALUES(3)"), count(b), count(other), whole())
      """, ["1 1", "1 OK 2 2", "OK 3 3 ok"])
  }

  /// The sidecar keeps the directory open too, as long as the database is open.
  @Test(arguments: ["FULL", "EXTRA"])
  func commitThatSyncsTheDirectoryGoesOn(level: String) throws {
    try run(
      """
      a.execute("PRAGMA synchronous = " + sys.argv[1])
      print(result(a.execute, "INSERT INTO t VALUES(2)"))
      lose()
      print(result(a.execute, "INSERT INTO t VALUES(3)"), count(b), whole())
      """, arguments: [level], ["OK", "OK 3 ok"])
  }

  @Test func newConnectionIsServedThoughAnOldOneIsOpen() throws {
    try run(
      """
      print(count(a))
      lose()
      print(result(a.execute, "PRAGMA schema_version") != "hung")
      lose()
      c = proxied("app.db", "socket=" + SOCKET)
      print(result(c.execute, "INSERT INTO t VALUES(2)"), count(c), count(a))
      """, ["1", "True", "OK 2 2"])
  }

  /// A transaction has changed pages in the file when the other host gets its locks. The other host
  /// rolls this transaction back and continues. The first host must not write or commit because of
  /// its old locks.
  @Test(arguments: ["DELETE", "TRUNCATE", "PERSIST"])
  func transactionWhoseLocksAreGoneFailsAndChangesNothing(mode: String) throws {
    try run(
      """
      a.execute("PRAGMA journal_mode = " + sys.argv[1]).fetchall()
      a.execute("PRAGMA cache_size = 2")
      a.execute("BEGIN IMMEDIATE")
      a.execute("INSERT INTO t VALUES(2)")
      a.execute("WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 300) "
                "INSERT INTO u SELECT hex(zeroblob(200)) FROM n")
      lose()
      other.execute("PRAGMA busy_timeout = 5000")
      print(result(other.execute, "INSERT INTO t VALUES(3)"), count(other), one(other, "SELECT count(*) FROM u"))
      print(result(a.execute, "COMMIT").startswith("SQLITE_IOERR"))
      if a.in_transaction: result(a.execute, "ROLLBACK")
      print(count(other), count(b), whole())
      print(result(a.execute, "INSERT INTO t VALUES(4)"), count(b), count(other), whole())
      """, arguments: [mode], ["OK 2 0", "True", "2 2 ok", "OK 3 3 ok"])
  }

  @Test func readerWhoseLockIsGoneIsToldAndHoldsUpNobodyElseAfterwards() throws {
    try run(
      """
      cursor = a.execute("SELECT x FROM t UNION ALL SELECT x + 10 FROM t")
      cursor.fetchone()
      lose()
      print(result(b.execute, "SELECT * FROM t") in ("SQLITE_BUSY", "SQLITE_IOERR_LOCK", "OK"))
      print(result(other.execute, "INSERT INTO t VALUES(2)"))
      cursor.close()
      print(count(a), count(b), result(b.execute, "INSERT INTO t VALUES(3)"), whole())
      """, ["True", "OK", "2 2 OK ok"])
  }

  @Test func cutIsAnErrorAndNoLongerThanItLasts() throws {
    try run(
      """
      print(count(a), count(b))
      cut()
      print(result(a.execute, "INSERT INTO t VALUES(2)").startswith("SQLITE_IOERR"),
            result(b.execute, "SELECT * FROM t").startswith("SQLITE_IOERR"))
      cut()
      print(count(a), result(b.execute, "INSERT INTO t VALUES(3)"), count(a), whole())
      """, ["1 1", "True True", "1 OK 2 ok"])
  }

  /// A journal of the other host must not count as absent because the check for it fails.
  @Test func hotJournalIsNotAbsentBecauseNobodyAnswers() throws {
    try run(
      """
      print(count(a))
      killed = subprocess.run([sys.executable, "-c", '''
      import os, sqlite3, sys
      c = sqlite3.connect(sys.argv[1], isolation_level=None)
      c.execute("PRAGMA cache_size = 2")
      c.execute("BEGIN")
      c.execute("UPDATE t SET x = 77")
      c.execute("WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 300) "
                "INSERT INTO u SELECT hex(zeroblob(200)) FROM n")
      os.kill(os.getpid(), 9)
      ''', ROOT + "/far/app.db"])
      print(killed.returncode, os.path.getsize(ROOT + "/source/app.db-journal") > 0)
      cut()
      print(result(a.execute, "SELECT * FROM t").startswith("SQLITE_IOERR"))
      cut()
      print(one(a, "SELECT x FROM t"), one(b, "SELECT count(*) FROM u"), whole())
      """, ["1", "-9 True", "True", "1 0 ok"])
  }
}
