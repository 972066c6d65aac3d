// A client is killed. Its locks are free, and its uncommitted changes are undone.

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

  /// Stock SQLite's locks are gone when waitpid returns, and a client that asks at once never gets
  /// busy. The last argument is the other client's request.
  ///
  /// With private sidecars, the dead client's own sidecar must notice the death. The other client's
  /// sidecar waits 10 ms for that before it refuses, which is nearly always enough.
  @Test(
    arguments: [true, false],
    [
      ("DELETE", "BEGIN IMMEDIATE", "BEGIN IMMEDIATE"),
      ("DELETE", "BEGIN EXCLUSIVE", "SELECT 1 FROM t"),
      ("DELETE", "BEGIN EXCLUSIVE", "BEGIN EXCLUSIVE"),
      ("WAL", "BEGIN IMMEDIATE", "BEGIN IMMEDIATE"),
    ])
  func theDeadAreNotInTheWay(shared: Bool, case words: (String, String, String)) throws {
    let fixture = try Fixture(sidecar: shared)
    let outcome = try fixture.runPython(
      """
      from collections import Counter
      mode, begin, sql = sys.argv[1:]
      c = proxied("app.db")
      c.execute("PRAGMA journal_mode = " + mode)
      c.execute("CREATE TABLE t(x)")
      held, free, patience = Counter(), Counter(), 0 if "SLUICE_SOCKET" in os.environ else 0.01
      for i in range(200):
          heard, told = os.pipe()
          child = os.fork()
          if child == 0:
              try:
                  d = proxied("app.db")
                  d.execute(begin)
                  os.write(told, b"x")
                  time.sleep(60)
              finally: os._exit(1)
          os.close(told)
          if os.read(heard, 1) != b"x": print("the child could not lock")
          os.close(heard)
          if i < 5: held[result(c.execute, sql)] += 1
          os.kill(child, signal.SIGKILL)
          os.waitpid(child, 0)
          start = time.monotonic()
          said = result(c.execute, sql)
          if said == "SQLITE_BUSY" and patience and time.monotonic() - start >= patience:
              said = "late"
              if not eventually(lambda: result(c.execute, sql) == "OK"): print("locked for ever")
          free[said] += 1
          if c.in_transaction: c.execute("ROLLBACK")
      late = free.pop("late", 0)
      print(dict(held), sum(free.values()) + late, list(free), late < 100)
      """, arguments: [words.0, words.1, words.2])
    outcome.expectLines(["{'SQLITE_BUSY': 5} 200 ['OK'] True"])
  }

  /// A child that the dead client forked still has its socket.
  @Test func theDeadAreNotInTheWayThoughTheirChildrenLive() throws {
    let fixture = try Fixture(sidecar: true)
    try fixture.makeDatabase(fixture.inRoot("app.db"))
    let outcome = try fixture.runPython(
      """
      from collections import Counter
      c = proxied("app.db")
      free = Counter()
      for i in range(50):
          heard, told = os.pipe()
          child = os.fork()
          if child == 0:
              d = proxied("app.db")
              d.execute("BEGIN IMMEDIATE")
              grandchild = os.fork()
              if grandchild: os.write(told, f"{grandchild:9}".encode())
              time.sleep(60)
              os._exit(1)
          os.close(told)
          grandchild = int(os.read(heard, 9))
          os.close(heard)
          os.kill(child, signal.SIGKILL)
          os.waitpid(child, 0)
          free[result(c.execute, "BEGIN IMMEDIATE")] += 1
          if c.in_transaction: c.execute("ROLLBACK")
          os.kill(grandchild, signal.SIGKILL)
          # The sidecar has noticed the death before the next round.
          if not eventually(lambda: result(c.execute, "BEGIN IMMEDIATE") == "OK"): print("locked for ever")
          c.execute("ROLLBACK")
      print(dict(free))
      """)
    outcome.expectLines(["{'OK': 50}"])
  }

  /// A client is killed while it waits for the answer to a request that will be refused. Meanwhile
  /// the sidecar is stopped, as in a long fsync.
  @Test func sidecarSurvivesTheRefusalOfADeadClientsRequest() throws {
    let fixture = try Fixture(sidecar: true)
    try fixture.makeDatabase(fixture.inRoot("app.db"))
    let script = try fixture.startPython(
      """
      c = proxied("app.db")
      c.execute("BEGIN EXCLUSIVE")
      doomed = Peer("proxied", "app.db")
      ready()
      doomed.tell("SELECT * FROM t")
      def asks():
          with open(f"/proc/{doomed.process.pid}/wchan") as f: return "futex" in f.read()
      eventually(asks, 5)
      doomed.kill()
      ready("killed")
      print(result(c.execute, "COMMIT"))
      print(result(proxied("app.db").execute, "SELECT * FROM t"))
      """)
    try script.awaitLine("ready")
    let sidecar = try #require(fixture.sidecar)
    sidecar.send(SIGSTOP)
    #expect(eventually { sidecar.isStopped })
    script.say("go")
    try script.awaitLine("killed")
    sidecar.send(SIGCONT)
    script.say("go")
    let outcome = try script.wait()
    outcome.expectLines(["ready", "killed", "OK", "OK"])
    #expect(sidecar.isRunning, "the sidecar: \(sidecar.ending.map { "\($0)" } ?? "")")
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
          if said == "SQLITE_BUSY": time.sleep(0.001)
          elif said != "OK": print("wrong:", said, flush=True); break
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
            elif said == "SQLITE_BUSY": time.sleep(0.001)
            else: wrong.add(said); break
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
