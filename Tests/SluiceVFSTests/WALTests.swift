// WAL mode with several connections, each in its own process, proxied (p) and native (n) in every
// mixture. All must get the same content and results as stock SQLite's connections alone.

import Foundation
import Glibc
import Testing

struct WALTests {
  private static let mixtures = ["ppp", "ppn", "pnp", "npp", "pnn", "npn", "nnp"]

  /// The results of three connections, step by step.
  private static let play = """
    peers = {name: Peer("proxied" if kind == "p" else "native", "app.db")
             for name, kind in zip(("first", "second", "third"), sys.argv[1])}
    first, second, third = peers.values()
    def step(name, *statements):
        for sql in statements: print(name + ":", sql, "→", peers[name](sql))
    def files(): print({n: os.path.getsize(ROOT + "/" + n) > 0 for n in sorted(os.listdir(ROOT))})
    count = "SELECT count(*), max(x) FROM t"
    step("first", "PRAGMA page_size = 4096", "PRAGMA journal_mode = WAL", "CREATE TABLE t(x)",
         "INSERT INTO t VALUES (1)", "PRAGMA wal_autocheckpoint = 0")
    files()
    print("A READER KEEPS ITS SNAPSHOT, AND CANNOT WRITE ON AN OLD ONE")
    step("second", "BEGIN", count)
    step("first", "INSERT INTO t VALUES (2)")
    step("second", count, "INSERT INTO t VALUES (0)", "ROLLBACK", count)
    step("third", count)
    print("ONE WRITES, OTHERS READ")
    step("first", "BEGIN IMMEDIATE", "INSERT INTO t VALUES (3)", count)
    step("second", count, "BEGIN IMMEDIATE", "INSERT INTO t VALUES (0)", "BEGIN EXCLUSIVE")
    step("third", "BEGIN", count)
    step("first", "COMMIT")
    step("second", count, "INSERT INTO t VALUES (4)", count)
    step("third", count, "COMMIT", count)
    step("first", "BEGIN", "INSERT INTO t VALUES (0)", "ROLLBACK", count)
    print("A CHECKPOINT BESIDE A READER")
    step("second", "BEGIN", count)
    step("first", "INSERT INTO t VALUES (5)")
    for kind in ("PASSIVE", "FULL", "RESTART", "TRUNCATE"):
        step("third", f"PRAGMA wal_checkpoint({kind})")
        step("first", f"PRAGMA wal_checkpoint({kind})")
        step("second", count)
    step("second", "COMMIT", count)
    step("third", "PRAGMA wal_checkpoint(TRUNCATE)")
    files()
    step("first", "INSERT INTO t VALUES (6)")
    step("second", "INSERT INTO t VALUES (7)", "PRAGMA wal_checkpoint(RESTART)", "INSERT INTO t VALUES (8)")
    step("third", count)
    print("A CHECKPOINT BESIDE A WRITER")
    step("first", "BEGIN IMMEDIATE", "INSERT INTO t VALUES (9)")
    for kind in ("PASSIVE", "FULL", "TRUNCATE"):
        step("third", f"PRAGMA wal_checkpoint({kind})")
    step("first", "COMMIT")
    step("third", "PRAGMA wal_checkpoint(TRUNCATE)", count)
    print("NOBODY LEAVES WAL MODE, OR IS ALONE, BESIDE OTHERS")
    step("second", "SELECT 1 FROM t")
    step("first", "PRAGMA journal_mode = DELETE", "PRAGMA journal_mode")
    step("first", "VACUUM", "DELETE FROM t WHERE x > 3")
    step("second", count)
    print(third.close())
    step("first", count)
    step("second", "PRAGMA wal_checkpoint(TRUNCATE)")
    print(first.close())
    step("second", count)
    step("second", "PRAGMA journal_mode = DELETE")
    files()
    step("second", "INSERT INTO t VALUES (10)", "PRAGMA journal_mode = WAL", "INSERT INTO t VALUES (11)",
         "PRAGMA integrity_check")
    print(second.close())
    files()
    """

  @Test(arguments: mixtures)
  func everyStepIsThatOfStockSQLite(kinds: String) throws {
    let stock = try play("nnn")
    let mixed = try play(kinds)
    #expect(stock.count > 70)
    for answer in ["SQLITE_BUSY_SNAPSHOT", "SQLITE_BUSY", "[[1, ", "[[0, 0, 0]]"] {
      #expect(stock.contains { $0.hasSuffix("→ " + answer) || $0.contains("→ " + answer) })
    }
    for (step, (expected, got)) in zip(stock, mixed).enumerated() where expected != got {
      Issue.record("step \(step): expected \(expected), got \(got)")
    }
    #expect(mixed.count == stock.count)
  }

  private func play(_ kinds: String) throws -> [String] {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runPython(WALTests.play, arguments: [kinds])
    outcome.expectSuccess()
    return outcome.lines
  }

  /// Each writer, in its own process, counts up in one row and sometimes checkpoints. Readers check
  /// that values which belong together change together.
  @Test(arguments: ["shared", "private"], ["pp", "pn", "ppnn"])
  func writersReadersAndCheckpointsLoseNothing(sidecars: String, writers: String) throws {
    let fixture = try Fixture(sidecar: sidecars == "shared")
    let outcome = try fixture.runPython(
      """
      rounds = 60
      setup = native("app.db")
      setup.execute("PRAGMA journal_mode = WAL")
      setup.execute("CREATE TABLE t(a, b)")
      setup.execute("INSERT INTO t VALUES (0, 0)")
      setup.close()
      work = '''
      c = (proxied if sys.argv[1] == "p" else native)("app.db")
      c.execute("PRAGMA wal_autocheckpoint = 7")
      busy = ("SQLITE_BUSY", "SQLITE_BUSY_RECOVERY")
      done, wrong = 0, set()
      while done < int(sys.argv[2]) and not wrong:
          said = result(c.execute, "UPDATE t SET a = a + 1, b = b - 1")
          if said == "OK": done += 1
          elif said in busy: time.sleep(0.001)
          else: wrong.add(said)
          kind = ("PASSIVE", "FULL", "RESTART", "TRUNCATE")[done % 4]
          if done % 10 == 0: wrong |= {result(c.execute, f"PRAGMA wal_checkpoint({kind})")} - {"OK", *busy}
          try:
              if one(c, "SELECT a + b FROM t") != 0: wrong.add("torn")
          except Error as error: wrong |= {error.sqlite_errorname} - set(busy)
      c.close()
      print(done, wrong or "")
      '''
      def start(kind):
          return subprocess.Popen([sys.executable, "-c", "from prelude import *" + work, kind, str(rounds)],
                                  stdout=subprocess.PIPE, text=True)
      started = [start(kind) for kind in sys.argv[1]]
      print({process.communicate()[0].strip() for process in started})
      c = native("app.db")
      print(one(c, "SELECT a FROM t") - rounds * len(started), one(c, "PRAGMA integrity_check"))
      c.close()
      print(os.listdir(ROOT))
      """, arguments: [writers])
    outcome.expectLines(["{'60'}", "0 ok", "['app.db']"])
  }

  /// The index grows by 32 KiB for about 4000 pages of the log.
  @Test(arguments: ["proxied", "native"], ["proxied", "native"])
  func logOfManyThousandPagesIsFoundByAll(writer: String, reader: String) throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runPython(
      """
      w, r = Peer(sys.argv[1], "app.db"), Peer(sys.argv[2], "app.db")
      w("PRAGMA page_size = 512")
      w("PRAGMA journal_mode = WAL")
      w("PRAGMA wal_autocheckpoint = 0")
      w("CREATE TABLE t(x PRIMARY KEY, y)")
      insert = "WITH n(i) AS (SELECT {0} UNION ALL SELECT i + 1 FROM n LIMIT 4000) INSERT INTO t SELECT i, zeroblob(400) FROM n"
      sums = "SELECT count(*), sum(x), sum(length(y)) FROM t"
      for i in range(5):
          if w(insert.format(i * 4000)) != []: print("not inserted")
          print(r(sums), r("SELECT length(y) FROM t WHERE x = 7"))
      print(os.path.getsize(ROOT + "/app.db-shm") > 5 * 32768, os.path.getsize(ROOT + "/app.db-wal") > 10 << 20)
      print(r("PRAGMA wal_checkpoint(TRUNCATE)"), w("INSERT INTO t VALUES (-1, 0)"), r(sums))
      print(r("PRAGMA integrity_check"))
      """, arguments: [writer, reader])
    func sums(_ count: Int) -> String {
      "[[\(count), \(count * (count - 1) / 2), \(count * 400)]] [[400]]"
    }
    outcome.expectLines(
      (1...5).map { sums($0 * 4000) } + [
        "True True", "[[0, 0, 0]] [] [[20001, 199989999, 8000001]]", "[['ok']]",
      ])
  }

  enum Death: String, CaseIterable { case client, clientAndSidecar }

  /// A client is killed in a transaction that has spilled into the log. No checkpoint has run.
  @Test(arguments: ["proxied", "native"], ["proxied", "native"])
  func logOfAKilledClientIsRecovered(killed: String, opener: String) throws {
    for death in Death.allCases {
      let fixture = try Fixture(sidecar: true)
      let client = try fixture.startPython(
        """
        c = (proxied if sys.argv[1] == "proxied" else native)("app.db")
        c.execute("PRAGMA journal_mode = WAL")
        c.execute("PRAGMA wal_autocheckpoint = 0")
        c.execute("PRAGMA cache_size = 5")
        c.execute("CREATE TABLE t(x, y)")
        for i in range(50): c.execute("INSERT INTO t VALUES (?, zeroblob(1000))", (i,))
        size = os.path.getsize(ROOT + "/app.db-wal")
        c.execute("BEGIN")
        c.execute("UPDATE t SET x = -1, y = zeroblob(5000)")
        print(os.path.getsize(ROOT + "/app.db-wal") > size)
        ready()
        """, arguments: [killed])
      try client.awaitLine("ready")
      #expect(client.output.hasPrefix("True"))
      try client.killNow()
      if death == .clientAndSidecar {
        try fixture.killSidecar()
        try fixture.startSidecar()
      }
      #expect(fixture.exists(fixture.inRoot("app.db-wal")))
      let outcome = try fixture.runPython(
        """
        c = (proxied if sys.argv[1] == "proxied" else native)("app.db")
        # A killed client's locks exclude stock SQLite until the sidecar notices the death.
        eventually(lambda: result(c.execute, "SELECT * FROM t") != "SQLITE_BUSY")
        print(one(c, "SELECT count(*) FROM t"), one(c, "SELECT sum(x) FROM t"), one(c, "PRAGMA integrity_check"))
        print(eventually(lambda: result(c.execute, "INSERT INTO t VALUES (1000, 0)") == "OK"))
        print(c.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
        c.close()
        print(os.listdir(ROOT))
        """, arguments: [opener])
      outcome.expectLines(["50 1225 ok", "True", "[(0, 0, 0)]", "['app.db']"])
      let sum = try fixture.nativeAnswer(fixture.inRoot("app.db"), "SELECT count(*), sum(x) FROM t")
      #expect(sum == "51|2225")
    }
  }

  /// Other clients have the database open when one client is killed in the middle of a transaction.
  @Test(arguments: ["ppn", "npp", "pnn", "nnp"])
  func survivorsOfAKilledWriterGoOn(kinds: String) throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runPython(
      """
      doomed, second, third = [Peer("proxied" if kind == "p" else "native", "app.db") for kind in sys.argv[1]]
      doomed("PRAGMA journal_mode = WAL")
      doomed("CREATE TABLE t(x)")
      for i in range(5):
          doomed("PRAGMA cache_size = 5")
          before = second("SELECT count(*) FROM t"), third("SELECT count(*) FROM t")
          doomed("BEGIN IMMEDIATE")
          doomed("INSERT INTO t SELECT value FROM json_each('[" + ",".join(map(str, range(2000))) + "]')")
          held = second("INSERT INTO t VALUES (1)")
          doomed.kill()
          free = eventually(lambda: second("INSERT INTO t VALUES (1)") == [])
          free = free and eventually(lambda: third("INSERT INTO t VALUES (2)") == [])
          print(before, held, free)
          doomed = Peer("proxied" if sys.argv[1][0] == "p" else "native", "app.db")
      print(doomed("SELECT count(*), sum(x) FROM t"), third("PRAGMA integrity_check"))
      """, arguments: [kinds])
    outcome.expectLines(
      (0..<5).map { "([[\($0 * 2)]], [[\($0 * 2)]]) SQLITE_BUSY True" } + [
        "[[10, 15]] [['ok']]"
      ])
  }
}
