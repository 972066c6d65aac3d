// SQLite through a shared sidecar, compared with stock SQLite.

import Foundation
import Testing

struct SharedSidecarTests {
  @Test func slashNothingAndTheHostsPathAllMeanTheRoot() throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runPython(
      """
      os.mkdir(ROOT + "/sub")
      proxied("/a.db").execute("CREATE TABLE t(x)")
      proxied("sub/b.db").execute("CREATE TABLE t(x)")
      for name in ["a.db", "./a.db", "sub/../a.db", "///a.db", ROOT + "/a.db", ROOT + "/sub/../a.db"]:
          c = proxied(name)
          print(c.execute("PRAGMA database_list").fetchone()[2], one(c, "SELECT name FROM sqlite_schema"))
      for name in ["/sub/b.db", ROOT + "/sub/b.db"]:
          print(one(proxied(name), "SELECT name FROM sqlite_schema"))
      print(sorted(os.listdir(ROOT)), os.listdir(ROOT + "/sub"))
      """, in: fixture.outside)
    let named = "\(fixture.inRoot("a.db").path) t"
    outcome.expectLines(
      Array(repeating: named, count: 6) + ["t", "t", "['a.db', 'sub'] ['b.db']"])
  }

  @Test(arguments: ["DELETE", "TRUNCATE", "PERSIST", "MEMORY", "OFF"], [512, 4096, 65536])
  func journalModeGivesWhatStockSQLiteGives(mode: String, pageByteCount: Int) throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runPython(
      """
      mode, page = sys.argv[1], sys.argv[2]
      def work(c):
          c.execute("PRAGMA page_size = " + page)
          said = one(c, "PRAGMA journal_mode = " + mode)
          c.execute("PRAGMA cache_size = 10")
          c.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a, b)")
          c.execute("CREATE INDEX i ON t(a)")
          rows = "WITH r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT 400) "
          c.execute("BEGIN")
          c.execute(rows + "INSERT INTO t SELECT n, n * 7919 % 401, hex(zeroblob(n * 2)) FROM r")
          c.execute("COMMIT")
          c.execute("UPDATE t SET a = a + 1, b = b || 'x' WHERE id % 3 = 0")
          c.execute("DELETE FROM t WHERE id % 5 = 0")
          if mode != "OFF":
              c.execute("BEGIN")
              c.execute("UPDATE t SET b = 'lost'")
              c.execute("ROLLBACK")
          c.execute("INSERT INTO t(a, b) VALUES (1, zeroblob(200000))")
          said = said + " " + str(one(c, "PRAGMA page_size"))
          dump = list(c.iterdump())
          c.close()
          return said, dump
      through = work(proxied("through.db"))
      plain = work(native("plain.db"))
      print(through[0])
      print(through == plain, one(native("through.db"), "PRAGMA integrity_check"))
      print(list(native("through.db").iterdump()) == plain[1])
      """, arguments: [mode, String(pageByteCount)])
    outcome.expectLines(["\(mode.lowercased()) \(pageByteCount)", "True ok", "True"])
  }

  @Test func writeAheadLogWorksWithExclusiveLocking() throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runPython(
      """
      c = proxied("app.db")
      c.execute("PRAGMA locking_mode = EXCLUSIVE")
      print(one(c, "PRAGMA journal_mode = WAL"))
      c.execute("CREATE TABLE t(x)")
      for i in range(50): c.execute("INSERT INTO t VALUES (?)", (i,))
      print(sorted(os.listdir(ROOT)))
      print(c.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])
      for i in range(50): c.execute("INSERT INTO t VALUES (?)", (i,))
      print(result(native("app.db").execute, "SELECT * FROM t"))
      ready()
      """)
    outcome.expectLines(["wal", "['app.db', 'app.db-wal']", "0", "SQLITE_BUSY", "ready"])
    let sum = try fixture.nativeAnswer(fixture.inRoot("app.db"), "SELECT count(*), sum(x) FROM t")
    #expect(sum == "100|2450")
  }

  @Test func killedClientsWriteAheadLogIsRecovered() throws {
    let fixture = try Fixture(sidecar: true)
    let client = try fixture.startPython(
      """
      c = proxied("app.db")
      c.execute("PRAGMA locking_mode = EXCLUSIVE")
      c.execute("PRAGMA journal_mode = WAL")
      c.execute("CREATE TABLE t(x)")
      for i in range(50): c.execute("INSERT INTO t VALUES (?)", (i,))
      c.execute("BEGIN")
      c.execute("INSERT INTO t VALUES (1000)")
      ready()
      """)
    try client.awaitLine("ready")
    try client.killNow()
    let sum = try fixture.nativeAnswer(fixture.inRoot("app.db"), "SELECT count(*), sum(x) FROM t")
    #expect(sum == "50|1225")
  }

  @Test func temporaryTablesAndSortersSpillAndLeaveNothing() throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runPython(
      """
      c = proxied("app.db")
      c.execute("PRAGMA temp_store = FILE")
      c.execute("PRAGMA cache_size = 10")
      c.execute("PRAGMA temp.cache_size = 10")
      rows = "WITH r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT 30000) "
      c.execute("CREATE TABLE t AS " + rows + "SELECT n, n * 7919 % 30011 AS k, hex(zeroblob(50)) AS b FROM r")
      c.execute("CREATE TEMP TABLE u AS SELECT * FROM t")
      c.execute("CREATE INDEX temp.v ON u(k)")
      c.execute("BEGIN")
      c.execute("UPDATE u SET b = 'new' WHERE k % 2 = 0")
      c.execute("ROLLBACK")
      keys = [row[0] for row in c.execute("SELECT k FROM t ORDER BY b, k")]
      print(keys == sorted(keys), len(keys))
      print(one(c, "SELECT sum(k) FROM u") == one(c, "SELECT sum(k) FROM t"))
      print(one(c, "SELECT count(*) FROM u WHERE b = 'new'"))
      c.close()
      print(os.listdir(ROOT))
      """)
    outcome.expectLines(["True 30000", "True", "0", "['app.db']"])
  }

  @Test func vacuumAndVacuumInto() throws {
    let fixture = try Fixture(sidecar: true)
    try fixture.makeDatabase(fixture.inRoot("app.db"), count: 20000)
    let outcome = try fixture.runPython(
      """
      c = proxied("app.db")
      c.execute("DELETE FROM t WHERE x > 100")
      size = os.path.getsize(ROOT + "/app.db")
      c.execute("VACUUM")
      print(os.path.getsize(ROOT + "/app.db") < size / 4)
      c.execute("VACUUM INTO 'copy.db'")
      c.execute("PRAGMA page_size = 512")
      c.execute("VACUUM")
      for name in ["app.db", "copy.db"]:
          n = native(name)
          print(one(n, "PRAGMA integrity_check"), one(n, "PRAGMA page_size"), one(n, "SELECT sum(x) FROM t"))
      print(sorted(os.listdir(ROOT)))
      """)
    outcome.expectLines(["True", "ok 512 5050", "ok 4096 5050", "['app.db', 'copy.db']"])
  }

  @Test func backupGoesBothWays() throws {
    let fixture = try Fixture(sidecar: true)
    try fixture.makeDatabase(fixture.inRoot("app.db"), count: 20000)
    let outcome = try fixture.runPython(
      """
      dump = list(native("app.db").iterdump())
      def copy(source, target):
          with target: source.backup(target, pages=7)
          source.close(); target.close()
      copy(proxied("app.db"), native("one.db"))
      copy(native("app.db"), proxied("two.db"))
      copy(proxied("app.db"), proxied("three.db"))
      for name in ["one.db", "two.db", "three.db"]:
          print(list(native(name).iterdump()) == dump, one(native(name), "PRAGMA integrity_check"))
      """)
    outcome.expectLines(["True ok", "True ok", "True ok"])
  }

  @Test(.enabled(if: Machine.has("strace", "-V"), "strace is missing"))
  func sidecarAloneTouchesTheFiles() throws {
    let fixture = try Fixture(sidecar: true)
    try fixture.makeDatabase(fixture.inRoot("app.db"), count: 100)
    let log = fixture.scratch.appending(path: "trace")
    let outcome = try fixture.runPython(
      """
      c = proxied("app.db")
      c.execute("PRAGMA cache_size = 5")
      c.execute("PRAGMA temp_store = FILE")
      c.execute("BEGIN")
      c.execute("UPDATE t SET x = x + 1")
      c.execute("COMMIT")
      c.execute("CREATE TEMP TABLE u AS SELECT * FROM t ORDER BY x")
      c.execute("VACUUM")
      print(one(c, "SELECT count(*) FROM t"))
      """, in: fixture.outside, prefix: ["strace", "-f", "-y", "-qq", "-o", log.path])
    outcome.expectLines(["100"])
    let calls = try String(contentsOf: log, encoding: .utf8).split(separator: "\n")
    #expect(calls.count > 100)
    #expect(calls.filter { $0.contains(fixture.root.path + "/") } == [])
  }
}
