// A client is killed: its locks are free, and what it did not commit is undone.

import Foundation
import Testing

struct ClientDeathTests {
  @Test(arguments: ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
  func locksOfAKilledClientAreFree(begin: String) throws {
    let fixture = try Fixture(sidecar: true)
    try fixture.makeDatabase(fixture.inRoot("app.db"))
    let holder = try fixture.startPython(
      """
      c = proxied("app.db")
      c.execute(sys.argv[1])
      ready(str(os.getpid()))
      """, arguments: [begin])
    let isReady = eventually { holder.output.hasSuffix("\n") }
    try #require(isReady)
    let outcome = try fixture.runPython(
      """
      p, n = proxied("app.db"), native("app.db")
      print(result(p.execute, "BEGIN IMMEDIATE"), result(n.execute, "BEGIN IMMEDIATE"))
      os.kill(int(sys.argv[1]), signal.SIGKILL)
      start = time.monotonic()
      print(eventually(lambda: result(p.execute, "BEGIN EXCLUSIVE") == "OK"))
      took = time.monotonic() - start
      p.execute("ROLLBACK")
      print(result(n.execute, "BEGIN EXCLUSIVE"))
      print(f"a killed client's lock was free after {took * 1000:.1f} ms", file=sys.stderr)
      """, arguments: [holder.output.trimmingCharacters(in: .whitespacesAndNewlines)])
    outcome.expectLines(["SQLITE_BUSY SQLITE_BUSY", "True", "OK"])
    print(outcome.errors, terminator: "")
  }

  @Test(arguments: ["native", "proxied"], ["DELETE", "TRUNCATE", "PERSIST"])
  func hotJournalOfAKilledClientIsRolledBack(by reader: String, mode: String) throws {
    let fixture = try Fixture(sidecar: true)
    try fixture.makeDatabase(fixture.inRoot("app.db"), count: 20000)
    let client = try fixture.startPython(
      """
      c = proxied("app.db")
      c.execute("PRAGMA journal_mode = " + sys.argv[1])
      before = open(ROOT + "/app.db", "rb").read()
      c.execute("PRAGMA cache_size = 5")
      c.execute("BEGIN")
      c.execute("UPDATE t SET x = -x")
      print(os.path.getsize(ROOT + "/app.db-journal") > 1000,
            open(ROOT + "/app.db", "rb").read() != before)
      ready()
      """, arguments: [mode])
    try client.awaitLine("ready")
    #expect(client.output.hasPrefix("True True"))
    try client.killNow()
    let outcome = try fixture.runPython(
      """
      c = (proxied if sys.argv[1] == "proxied" else native)("app.db")
      eventually(lambda: result(c.execute, "SELECT sum(x) FROM t") == "OK")
      print(one(c, "SELECT sum(x) FROM t"), one(c, "PRAGMA integrity_check"))
      journal = ROOT + "/app.db-journal"
      print(os.path.exists(journal) and any(open(journal, "rb").read(28)))
      """, arguments: [reader])
    outcome.expectLines(["200010000 ok", "False"])
    let sum = try fixture.nativeAnswer(fixture.inRoot("app.db"), "SELECT sum(x) FROM t")
    #expect(sum == "200010000")
  }

  @Test func otherClientsGoOnWhenOneIsKilledAtWork() throws {
    let fixture = try Fixture(sidecar: true)
    try fixture.makeDatabase(fixture.inRoot("app.db"), count: 1)
    let worker = """
      c = proxied("app.db")
      ready()
      while True:
          said = result(c.execute, "UPDATE t SET x = x + 1")
          if said not in ("OK", "SQLITE_BUSY"): print("wrong:", said, flush=True); break
      """
    for _ in 0..<5 {
      let doomed = try (0..<2).map { _ in try fixture.startPython(worker) }
      for client in doomed { try client.awaitLine("ready") }
      for client in doomed { client.say("go") }
      let outcome = try fixture.runPython(
        """
        c = proxied("app.db")
        done, wrong = 0, set()
        while done < 20:
            said = result(c.execute, "UPDATE t SET x = x + 1")
            if said == "OK": done += 1
            elif said != "SQLITE_BUSY": wrong.add(said); break
        print(wrong)
        """)
      outcome.expectLines(["set()"])
      for client in doomed {
        try client.killNow()
        #expect(!client.output.contains("wrong"))
      }
    }
    _ = try fixture.nativeAnswer(fixture.inRoot("app.db"), "SELECT x FROM t")
  }
}
