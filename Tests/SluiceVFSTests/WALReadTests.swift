// Reads of the WAL in shared memory: that they ask nobody, and are right whoever writes, checkpoints
// and starts the WAL anew meanwhile. And how many requests writes are.

import Foundation
import Testing

struct WALReadTests {
  private struct Counts: Decodable {
    var operations: [String: Int]
  }

  private func reads(_ fixture: Fixture) throws -> Int { try count("read", fixture) }

  private func count(_ operation: String, _ fixture: Fixture) throws -> Int {
    let outcome = try fixture.run([
      Fixture.program, "stats", "--json", "--socket", fixture.socket.path,
    ])
    let all = try JSONDecoder().decode([Counts].self, from: Data(outcome.output.utf8))
    return try #require(all.first?.operations[operation])
  }

  /// A frame's header and page are one request, and so are the three pieces of a journal's record.
  @Test(arguments: [("WAL", 200), ("DELETE", 1000)])
  func aFrameAndARecordAreOneRequest(mode: String, most: Int) throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runPython(
      """
      c = proxied("app.db")
      for pragma in ("journal_mode=\(mode)", "wal_autocheckpoint=0", "synchronous=OFF"):
          c.execute("PRAGMA " + pragma)
      c.execute("CREATE TABLE t(a INTEGER PRIMARY KEY)")
      for number in range(200): c.execute("INSERT INTO t VALUES (?)", (number,))
      print(c.execute("SELECT count(*) FROM t").fetchone()[0])
      """)
    outcome.expectLines(["200"])
    let count = try count("write", fixture)
    #expect(count < most + 50, "\(count)")
  }

  /// 3000 rows of a page each, all of them in the WAL, and a cache of twenty pages.
  private static let large = """
    c = proxied("app.db")
    for pragma in ("journal_mode=WAL", "wal_autocheckpoint=0", "synchronous=NORMAL", "cache_size=20"):
        c.execute("PRAGMA " + pragma)
    c.execute("CREATE TABLE large(id INTEGER PRIMARY KEY, a, b)")
    row = "INSERT OR REPLACE INTO large VALUES (?, ?, randomblob(3000))"
    def fill(numbers):
        c.execute("BEGIN")
        for number in numbers: c.execute(row, (number, number * 7))
        c.execute("COMMIT")
    def check(rounds):
        wrong = 0
        for number in range(rounds * 3000):
            id = number * 1009 % 3000
            a, size = c.execute("SELECT a, length(b) FROM large WHERE id = ?", (id,)).fetchone()
            if (a, size) != (id * 7, 3000): wrong += 1
        return wrong
    """

  @Test func thePagesOfTheWALAreReadWithoutTheSidecar() throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runPython(
      Self.large + """

        fill(range(3000))
        fill(range(0, 3000, 2))
        print(check(3), os.path.getsize(ROOT + "/app.db-wal") > 18_000_000)
        """)
    outcome.expectLines(["0 True"])
    // Of 9000 rows and as many pages of the tree above them.
    let count = try reads(fixture)
    #expect(count < 1500, "\(count)")
  }

  @Test(arguments: ["sidecar", "connection"])
  func theyAreAskedForWithoutAWindow(by who: String) throws {
    let fixture = try Fixture()
    try fixture.startSidecar(who == "sidecar" ? ["--read-window", "0"] : [])
    let large = Self.large.replacing(
      "proxied(\"app.db\")",
      with: "proxied(\"app.db\"\(who == "connection" ? ", \"read-window=0\"" : ""))")
    let outcome = try fixture.runPython(
      large + """

        fill(range(3000))
        print(check(1))
        """)
    outcome.expectLines(["0"])
    #expect(try reads(fixture) > 2000)
  }

  /// Pages that the transaction itself has written, and not committed, were posted a moment ago.
  @Test(arguments: ["WAL", "DELETE"])
  func aTransactionReadsWhatItHasWritten(mode: String) throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runPython(
      Self.large + """

        c.execute("PRAGMA journal_mode=\(mode)")
        fill(range(3000))
        c.execute("BEGIN")
        wrong = 0
        for number in range(20_000):
            id = number * 1009 % 3000
            if number % 3 == 0:
                c.execute("UPDATE large SET a = a + 7 WHERE id = ?", (id,))
            else:
                other = (number // 3 * 3) * 1009 % 3000
                c.execute("SELECT a FROM large WHERE id = ?", (other,)).fetchone()
        changed = c.execute("SELECT sum(a - id * 7) FROM large").fetchone()[0]
        c.execute("ROLLBACK")
        print(changed == 6667 * 7, check(1), one(c, "PRAGMA integrity_check"))
        """)
    outcome.expectLines(["True 0 ok"])
  }

  /// Each row has its sum with it. Writers change rows, a checkpointer starts the WAL anew as often as
  /// it can, and native programs come and go.
  @Test(arguments: [false, true])
  func readersSeeWholeTransactions(besideNative: Bool) throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runPython(
      """
      work = '''
      from prelude import *
      import random
      kind, native_beside = sys.argv[1], sys.argv[2] == "True"
      c = proxied("app.db")
      for pragma in ("busy_timeout=60000", "synchronous=NORMAL", "cache_size=10", "wal_autocheckpoint=200"):
          c.execute("PRAGMA " + pragma)
      end = time.monotonic() + 4
      wrong = rounds = 0
      while time.monotonic() < end:
          if kind == "write":
              c.execute("BEGIN IMMEDIATE")
              for _ in range(20):
                  one_, two = random.sample(range(400), 2)
                  c.execute("UPDATE t SET x = x - 1, y = randomblob(2000) WHERE id = ?", (one_,))
                  c.execute("UPDATE t SET x = x + 1, y = randomblob(2000) WHERE id = ?", (two,))
              c.execute("COMMIT")
          elif kind == "read":
              rows = c.execute("SELECT sum(x), count(*), sum(length(y)) FROM t").fetchone()
              if rows != (0, 400, 800_000): wrong += 1
          elif kind == "checkpoint":
              c.execute("PRAGMA wal_checkpoint(" + random.choice(["RESTART", "TRUNCATE"]) + ")").fetchall()
          else:
              n = native("app.db")
              n.execute("PRAGMA busy_timeout=60000")
              if one(n, "SELECT sum(x) FROM t") != 0: wrong += 1
              n.execute("UPDATE t SET y = randomblob(2000) WHERE id = 5")
              n.close()
              time.sleep(0.3)
          rounds += 1
      c.close()
      print(kind, "wrong", wrong, "rounds", rounds, file=sys.stderr)
      sys.exit(1 if wrong or rounds == 0 else 0)
      '''
      c = proxied("app.db"); c.execute("PRAGMA journal_mode=WAL")
      c.execute("DROP TABLE IF EXISTS t")
      c.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, x, y)")
      c.execute("BEGIN")
      for id in range(400): c.execute("INSERT INTO t VALUES (?, 0, randomblob(2000))", (id,))
      c.execute("COMMIT")
      kinds = ["write", "write", "read", "read", "checkpoint"] + (["native"] if \(besideNative ? "True" : "False") else [])
      all_ = [subprocess.Popen([sys.executable, "-c", work, kind, "x"]) for kind in kinds]
      print([p.wait() for p in all_] == [0] * len(kinds), one(c, "PRAGMA integrity_check"))
      """)
    outcome.expectLines(["True ok"])
  }
}
