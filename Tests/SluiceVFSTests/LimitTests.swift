// A sidecar's limits, as SQLite's users see them.

import Foundation
import Glibc
import Testing

struct LimitTests {
  private static let nobody = ["setpriv", "--reuid=65534", "--clear-groups"]

  /// The names, sizes and times of the files in the root.
  private func picture(_ fixture: Fixture) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: fixture.root.path).sorted().map {
      let facts = try FileManager.default.attributesOfItem(atPath: fixture.inRoot($0).path)
      return "\($0) \(facts[.size]!) \(facts[.modificationDate]!)"
    }
  }

  // MARK: Read-only

  @Test func readOnlySidecarReadsAndChangesNothing() throws {
    let fixture = try Fixture()
    try fixture.makeDatabase(fixture.inRoot("app.db"), count: 3000)
    try fixture.startSidecar(["--read-only"])
    let before = try picture(fixture)
    try fixture.runPython(
      """
      c = proxied("app.db")
      print(one(c, "SELECT count(*) FROM t"))
      for sql in ("INSERT INTO t VALUES (1)", "DELETE FROM t", "CREATE TABLE u(x)", "VACUUM",
                  "PRAGMA user_version=3"):
          print(result(c.execute, sql))
      print(result(c.execute, "PRAGMA journal_mode=WAL"))
      print(result(lambda: proxied("new.db").execute("CREATE TABLE t(x)")))
      print(result(lambda: proxied("app.db", "delete-before-open=1").execute("SELECT 1 FROM t")))
      # Sorters and temporary tables have their files elsewhere.
      c.execute("PRAGMA temp_store=FILE"); c.execute("PRAGMA cache_size=5")
      c.execute("CREATE TEMP TABLE z AS SELECT randomblob(500) AS x FROM t ORDER BY 1")
      print(one(c, "SELECT count(*) FROM (SELECT DISTINCT x FROM z ORDER BY x DESC)"))
      """
    ).expectLines(
      ["3000"] + Array(repeating: "SQLITE_READONLY", count: 6)
        + ["SQLITE_CANTOPEN", "SQLITE_CANTOPEN", "3000"])
    #expect(try picture(fixture) == before)
  }

  /// Readers and writers share locks.
  @Test func readOnlySidecarAndStockWriterRespectEachOther() throws {
    let fixture = try Fixture()
    try fixture.makeDatabase(fixture.inRoot("app.db"))
    try fixture.startSidecar(["--read-only"])
    try fixture.runPython(
      """
      n, c = native("app.db"), proxied("app.db")
      n.execute("BEGIN EXCLUSIVE")
      print(result(c.execute, "SELECT * FROM t"))
      n.execute("INSERT INTO t VALUES (11)")
      n.execute("COMMIT")
      print(one(c, "SELECT count(*) FROM t"))
      c.execute("BEGIN"); one(c, "SELECT count(*) FROM t")
      n.execute("BEGIN IMMEDIATE"); n.execute("INSERT INTO t VALUES (12)")
      print(result(n.execute, "COMMIT"))
      c.execute("COMMIT")
      print(result(n.execute, "COMMIT"), one(c, "SELECT count(*) FROM t"))
      """
    ).expectLines(["SQLITE_BUSY", "11", "SQLITE_BUSY", "OK 12"])
  }

  @Test func readOnlySidecarReadsAWALThatSomebodyUses() throws {
    let fixture = try Fixture()
    try fixture.startSidecar(["--read-only"])
    try fixture.runPython(
      """
      n = native("app.db")
      n.execute("PRAGMA journal_mode=WAL")
      n.execute("CREATE TABLE t(x)"); n.execute("INSERT INTO t VALUES (42)")
      c = proxied("app.db")
      print(one(c, "SELECT x FROM t"), result(c.execute, "INSERT INTO t VALUES (1)"))
      n.execute("INSERT INTO t VALUES (43)")
      print(one(c, "SELECT max(x) FROM t"), result(c.execute, "PRAGMA wal_checkpoint"))
      c.close()
      print(sorted(os.listdir(ROOT)), one(n, "PRAGMA wal_checkpoint(TRUNCATE)"))
      n.close()
      print(result(lambda: proxied("app.db").execute("SELECT * FROM t")), sorted(os.listdir(ROOT)))
      """
    ).expectLines([
      "42 SQLITE_READONLY", "43 SQLITE_READONLY", "['app.db', 'app.db-shm', 'app.db-wal'] 0",
      "SQLITE_CANTOPEN ['app.db']",
    ])
  }

  /// No client may roll the journal back here.
  @Test func readOnlySidecarDoesNotReadPastAHotJournal() throws {
    let fixture = try Fixture()
    try fixture.startSidecar(["--read-only"])
    try fixture.runPython(
      """
      import shutil
      n = native("app.db")
      n.execute("PRAGMA cache_size=5"); n.execute("CREATE TABLE t(x)")
      n.execute("BEGIN")
      for i in range(50): n.execute("INSERT INTO t VALUES (randomblob(3000))")
      for end in "", "-journal": shutil.copy(ROOT + "/app.db" + end, ROOT + "/hot.db" + end)
      n.execute("ROLLBACK")
      print(result(lambda: proxied("hot.db").execute("SELECT * FROM t")))
      print(os.path.exists(ROOT + "/hot.db-journal"))
      print(one(native("hot.db"), "SELECT count(*) FROM t"), one(proxied("hot.db"), "SELECT count(*) FROM t"))
      """
    ).expectLines(["SQLITE_READONLY_ROLLBACK", "True", "0 0"])
  }

  // MARK: Quota

  @Test(arguments: ["DELETE", "WAL"]) func whoWouldExceedTheQuotaIsToldThatItIsFull(mode: String)
    throws
  {
    let fixture = try Fixture()
    try fixture.startSidecar(["--quota", "400K"])
    let script = """
      c = proxied("app.db"); c.execute("PRAGMA journal_mode=" + sys.argv[1])
      d = proxied("other.db")
      c.execute("CREATE TABLE IF NOT EXISTS t(x)"); d.execute("CREATE TABLE IF NOT EXISTS t(x)")
      # Journals come and go within the quota; together they are many times as large.
      for i in range(100): d.execute("INSERT OR REPLACE INTO t(rowid, x) VALUES (1, randomblob(10000))")
      added, full = 0, None
      while full is None:
          said = result(c.execute, "INSERT INTO t VALUES (randomblob(8000))")
          if said == "OK": added += 1
          else: full = said
      print(full, added > 3, one(c, "SELECT count(*) FROM t") == added, one(c, "PRAGMA integrity_check"))
      print(sum(os.stat(ROOT + "/" + n).st_size for n in os.listdir(ROOT) if n[-4:] != "-shm") <= 400 << 10)
      print(one(d, "SELECT count(*) FROM t"), result(d.execute, "INSERT INTO t VALUES (randomblob(400000))"))
      """
    try fixture.runPython(script, arguments: [mode]).expectLines([
      "SQLITE_FULL True True ok", "True", "1 SQLITE_FULL",
    ])
    // The next sidecar counts the existing files. A deleted database gives its room back.
    try fixture.startSidecar(["--quota", "400K"])
    try fixture.runPython(
      """
      d = proxied("other.db")
      size = lambda name: os.stat(ROOT + "/" + name).st_size
      more = 380000 - size("other.db")
      print(result(d.execute, f"INSERT INTO t VALUES (zeroblob({more}))"))
      c = proxied("app.db", "delete-before-open=1"); c.execute("CREATE TABLE t(x)")
      # Rolls back what the failed INSERT left in its journal; without journals SQLite would not.
      one(d, "SELECT count(*) FROM t"); d.execute("PRAGMA journal_mode=OFF")
      print(result(d.execute, f"INSERT INTO t VALUES (zeroblob({more}))"))
      """
    ).expectLines(["SQLITE_FULL", "OK"])
  }

  // MARK: Users

  @Test(.enabled(if: Machine.hasOtherUsers, "needs root, setpriv and a build that others can read"))
  func sessionsOfAUserHaveALimit() throws {
    let fixture = try Fixture()
    _ = unsafe chmod(fixture.scratch.path, 0o777)
    try fixture.startSidecar(["--allow-user", "0,65534", "--sessions-per-user", "2"])
    let script = """
      peers = [Peer("proxied", "app.db") for _ in range(3)]
      print([peer.opened for peer in peers], peers[0]("SELECT 1"))
      """
    let other = try fixture.startPython(script + "\nready()", prefix: LimitTests.nobody)
    try other.awaitLine("ready")
    let own = try fixture.runPython(
      script + """

        peers[0].close()
        more = []
        def enters():
            more.append(Peer("proxied", "app.db"))
            return more[-1].opened == "OK"
        print(eventually(enters))
        """)
    own.expectLines(["['OK', 'OK', 'SQLITE_CANTOPEN'] [[1]]", "True"])
    #expect(
      fixture.sidecar?.errors.contains("user 0 has 2 sessions already") == true,
      "\(fixture.sidecar?.errors ?? "")")
    #expect(other.output.contains("['OK', 'OK', 'SQLITE_CANTOPEN'] [[1]]"))
    other.say("go")
    try other.wait().expectSuccess()
  }

  @Test(.enabled(if: Machine.hasOtherUsers, "needs root, setpriv and a build that others can read"))
  func strangersAtTheDoorKeepNobodyOut() throws {
    let fixture = try Fixture()
    _ = unsafe chmod(fixture.scratch.path, 0o777)
    try fixture.startSidecar(["--allow-user", "0,65533"])
    let crowd = try fixture.startPython(
      """
      import socket
      crowd = []
      for i in range(300):
          s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect(SOCKET); crowd.append(s)
      ready()
      """, prefix: LimitTests.nobody)
    try crowd.awaitLine("ready")
    try fixture.runPython("print(Peer('proxied', 'app.db').opened)").expectLines(["OK"])
    crowd.say("go")
    try crowd.wait().expectSuccess()
  }

  /// One session has at most half of the descriptors that the sidecar may open.
  @Test func oneSessionDoesNotTakeAllDescriptors() throws {
    let fixture = try Fixture()
    try fixture.startSidecar(prefix: ["prlimit", "--nofile=512:512"])
    try fixture.runPython(
      """
      held = []
      def take(i):
          held.append(proxied(f"{i}.db"))
          held[-1].execute("PRAGMA user_version")
      said = [result(take, i) for i in range(300)]
      print(sorted(set(said)), said.count("OK"))
      print(Peer("proxied", "other.db")("CREATE TABLE t(x)"))
      """
    ).expectLines(["['OK', 'SQLITE_CANTOPEN'] 128", "[]"])
  }
}
