// The sidecar is killed. Every call returns, no acknowledged transaction is lost, and a new sidecar
// on the same socket takes over.

import Foundation
import Testing

struct SidecarDeathTests {
  /// Inserts until an error, then shows that no further call hangs. Works again on command.
  private static let worker = """
    done = 0
    c = proxied("app.db")
    ready()
    while True:
        said = result(c.execute, "INSERT INTO t VALUES (?, ?)", (os.getpid(), done + 1))
        if said == "OK": done += 1
        elif said != "SQLITE_BUSY": break
    # If SQLite was just opening the journal, the error is CANTOPEN.
    print("failed" if said.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN")) else said)
    for sql in ["SELECT count(*) FROM t", "BEGIN IMMEDIATE", "INSERT INTO t VALUES (0, 0)", "VACUUM"]:
        said = result(c.execute, sql)
        if said == "OK": print(sql, "succeeded without a sidecar")
    if c.in_transaction: result(c.execute, "ROLLBACK")
    print(result(c.close))
    ready("down")
    c = proxied("app.db")
    kept = one(c, f"SELECT count(*) FROM t WHERE worker = {os.getpid()}")
    print("kept" if done <= kept <= done + 1 else f"{done} acknowledged, {kept} there")
    while True:
        said = result(c.execute, "INSERT INTO t VALUES (0, 0)")
        if said != "SQLITE_BUSY": break
    print(said)
    """

  @Test(arguments: 1...4)
  func everyCallReturnsAndANewSidecarTakesOver(round: Int) throws {
    let fixture = try Fixture(sidecar: true)
    _ = try fixture.runNative(fixture.inRoot("app.db"), "CREATE TABLE t(worker, n)")
    let workers = try (0..<3).map { _ in try fixture.startPython(SidecarDeathTests.worker) }
    for worker in workers { try worker.awaitLine("ready") }
    for worker in workers { worker.say("go") }
    usleep(UInt32(round) * 70_000)
    try fixture.killSidecar()
    #expect(fixture.exists(fixture.socket))
    for worker in workers { try worker.awaitLine("down") }
    _ = try fixture.nativeAnswer(fixture.inRoot("app.db"), "SELECT 1")
    try fixture.startSidecar()
    for worker in workers {
      worker.say("again")
      let outcome = try worker.wait()
      outcome.expectLines(["ready", "failed", "OK", "down", "kept", "OK"])
    }
    _ = try fixture.nativeAnswer(fixture.inRoot("app.db"), "SELECT 1")
  }

  /// A standing lock is taken without a request, but only while the sidecar lives. Otherwise the
  /// client would miss what others have written since the sidecar's death.
  @Test(arguments: ["DELETE", "WAL"])
  func nobodyReadsOnWhenTheSidecarIsDead(mode: String) throws {
    let fixture = try Fixture(sidecar: true)
    let client = try fixture.startPython(
      """
      c = proxied("app.db")
      c.execute("PRAGMA journal_mode = " + sys.argv[1])
      c.execute("CREATE TABLE t(x)")
      c.execute("INSERT INTO t VALUES (1)")
      print(one(c, "SELECT x FROM t"), one(c, "SELECT x FROM t"))
      ready()
      print(result(c.execute, "SELECT x FROM t"))
      c.close()
      """, arguments: [mode])
    try client.awaitLine("ready")
    try fixture.killSidecar()
    _ = try fixture.runNative(fixture.inRoot("app.db"), "UPDATE t SET x = 2")
    client.say("go")
    try client.wait().expectLines(["1 1", "ready", "SQLITE_CANTOPEN"])
  }

  @Test func stoppedAndContinuedSidecarGoesOn() throws {
    let fixture = try Fixture(sidecar: true)
    let client = try fixture.startPython(
      """
      c = proxied("app.db")
      c.execute("CREATE TABLE t(x)")
      ready()
      print(result(c.execute, "INSERT INTO t VALUES (1)"))
      """)
    try client.awaitLine("ready")
    fixture.sidecar?.send(SIGSTOP)
    #expect(eventually { fixture.sidecar?.isStopped ?? false })
    client.say("go")
    usleep(500_000)
    #expect(client.isRunning)
    fixture.sidecar?.send(SIGCONT)
    try client.wait().expectLines(["ready", "OK"])
  }

  @Test func privateSidecarsDeathIsAnErrorAndTheNextConnectionStartsAnother() throws {
    let fixture = try Fixture()
    let outcome = try fixture.runPython(
      """
      c = proxied("app.db")
      c.execute("CREATE TABLE t(x)")
      c.execute("BEGIN")
      c.execute("INSERT INTO t VALUES (1)")
      os.kill(sidecars()[0], signal.SIGKILL)
      print(result(c.execute, "COMMIT")[:12])
      d = proxied("app.db")
      print(one(d, "SELECT count(*) FROM t"), result(d.execute, "INSERT INTO t VALUES (2)"))
      """)
    outcome.expectLines(["SQLITE_IOERR", "0 OK"])
  }
}
