// Locks that are kept after their transaction, for connections that ask for it.

import Testing

struct ImplicitLockTests {
  @Test func keptLockIsSeenByOthersAndGoesAfterAWhile() throws {
    let fixture = try Fixture(sidecar: true)
    try fixture.makeDatabase(fixture.inRoot("app.db"))
    let outcome = try fixture.runPython(
      """
      n, q = native("app.db"), proxied("app.db")
      c = proxied("app.db", "implicit-locks=3000")
      c.execute("INSERT INTO t VALUES (1)")
      print(result(n.execute, "SELECT * FROM t"), result(q.execute, "SELECT * FROM t"))
      print(result(n.execute, "BEGIN EXCLUSIVE"), result(q.execute, "BEGIN EXCLUSIVE"))
      print(result(c.execute, "INSERT INTO t VALUES (2)"))
      print(result(n.execute, "BEGIN EXCLUSIVE"))
      print(eventually(lambda: result(n.execute, "BEGIN EXCLUSIVE") == "OK"))
      n.execute("ROLLBACK")
      print(result(c.execute, "INSERT INTO t VALUES (3)"))
      c.close()
      print(result(n.execute, "BEGIN EXCLUSIVE"))
      """)
    outcome.expectLines([
      "OK OK", "SQLITE_BUSY SQLITE_BUSY", "OK", "SQLITE_BUSY", "True", "OK", "OK",
    ])
  }

  @Test func sidecarsOwnSettingHoldsUnlessAConnectionRefusesIt() throws {
    let fixture = try Fixture()
    try fixture.makeDatabase(fixture.inRoot("app.db"))
    try fixture.startSidecar(["--implicit-locks", "600000"])
    let outcome = try fixture.runPython(
      """
      n = native("app.db")
      for parameters in ["", "unlock-asap=1", "unlock-asap=0", "implicit-locks=0"]:
          c = proxied("app.db", parameters)
          c.execute("SELECT * FROM t").fetchall()
          print(parameters or "nothing", result(n.execute, "BEGIN EXCLUSIVE"))
          if n.in_transaction: n.execute("ROLLBACK")
          c.close()
      """)
    outcome.expectLines([
      "nothing SQLITE_BUSY", "unlock-asap=1 OK", "unlock-asap=0 SQLITE_BUSY", "implicit-locks=0 OK",
    ])
  }

  @Test func keptLockGoesWithItsKilledClient() throws {
    let fixture = try Fixture(sidecar: true)
    try fixture.makeDatabase(fixture.inRoot("app.db"))
    let client = try fixture.startPython(
      """
      c = proxied("app.db", "implicit-locks=600000")
      c.execute("SELECT * FROM t").fetchall()
      print(result(native("app.db").execute, "BEGIN EXCLUSIVE"))
      ready()
      """)
    try client.awaitLine("ready")
    #expect(client.output.hasPrefix("SQLITE_BUSY"))
    try client.killNow()
    let outcome = try fixture.runPython(
      """
      n = native("app.db")
      print(eventually(lambda: result(n.execute, "BEGIN EXCLUSIVE") == "OK"))
      """)
    outcome.expectLines(["True"])
  }
}
