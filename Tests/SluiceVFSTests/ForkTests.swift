// A host that forks: the child has no part in what its parent opened, and harms nothing.

import Testing

struct ForkTests {
  @Test(arguments: [true, false])
  func childGetsAnErrorFromTheParentsConnection(shared: Bool) throws {
    let fixture = try Fixture(sidecar: shared)
    let outcome = try fixture.runPython(
      """
      c = proxied("app.db")
      c.execute("CREATE TABLE t(x)")
      child = os.fork()
      if child == 0:
          print(result(c.execute, "SELECT * FROM t")[:12], result(c.execute, "INSERT INTO t VALUES (1)")[:12], flush=True)
          os._exit(3)
      print(wait(child))
      print(result(c.execute, "INSERT INTO t VALUES (1)"), one(c, "SELECT count(*) FROM t"))
      """)
    outcome.expectLines(["SQLITE_IOERR SQLITE_IOERR", "3", "OK 1"])
  }

  @Test(arguments: [true, false])
  func childsOwnConnectionWorks(shared: Bool) throws {
    let fixture = try Fixture(sidecar: shared)
    let outcome = try fixture.runPython(
      """
      c = proxied("app.db")
      c.execute("CREATE TABLE t(x)")
      child = os.fork()
      if child == 0:
          d = proxied("app.db")
          print(result(d.execute, "INSERT INTO t VALUES (1)"), flush=True)
          d.execute("BEGIN IMMEDIATE")
          ready("holding")
          os._exit(0)
      sys.stdin.close()
      print(wait(child), eventually(lambda: result(c.execute, "INSERT INTO t VALUES (2)") == "OK"))
      print(one(c, "SELECT count(*) FROM t"))
      """)
    outcome.expectLines(["OK", "holding", "0 True", "2"])
  }

  @Test(arguments: [
    "os._exit(0)", "c.close(); os._exit(0)", "sys.exit(0)", "os.kill(os.getpid(), 9)",
  ])
  func childsEndLeavesTheParentsTransactionAlone(ending: String) throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runPython(
      """
      c = proxied("app.db")
      c.execute("CREATE TABLE t(x)")
      c.execute("BEGIN EXCLUSIVE")
      c.execute("INSERT INTO t VALUES (1)")
      child = os.fork()
      if child == 0:
          exec(sys.argv[1])
      code = wait(child)
      print("hung" if code == "hung" else "ended", result(native("app.db").execute, "SELECT * FROM t"))
      print(result(c.execute, "COMMIT"), one(c, "SELECT count(*) FROM t"))
      print(one(native("app.db"), "SELECT count(*) FROM t"))
      """, arguments: [ending])
    outcome.expectLines(["ended SQLITE_BUSY", "OK 1", "1"])
  }

  @Test func locksGoWithTheParentThoughItsChildLives() throws {
    let fixture = try Fixture(sidecar: true)
    let parent = try fixture.startPython(
      """
      c = proxied("app.db")
      c.execute("CREATE TABLE t(x)")
      c.execute("BEGIN EXCLUSIVE")
      if os.fork() == 0: time.sleep(60)
      ready()
      """)
    try parent.awaitLine("ready")
    try parent.killNow()
    let outcome = try fixture.runPython(
      """
      p, n = proxied("app.db"), native("app.db")
      print(eventually(lambda: result(n.execute, "BEGIN EXCLUSIVE") == "OK"))
      n.execute("ROLLBACK")
      print(result(p.execute, "BEGIN EXCLUSIVE"))
      """)
    outcome.expectLines(["True", "OK"])
  }

  @Test func manyChildrenWorkBesideTheirParent() throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runPython(
      """
      c = proxied("app.db")
      c.execute("CREATE TABLE t(x)")
      def work(connection):
          done = 0
          while done < 20:
              said = result(connection.execute, "INSERT INTO t VALUES (1)")
              if said == "OK": done += 1
              elif said == "SQLITE_BUSY": time.sleep(0.001)
              else: return said
          return "OK"
      children = []
      for _ in range(4):
          child = os.fork()
          if child == 0: os._exit(0 if work(proxied("app.db")) == "OK" else 1)
          children.append(child)
      print(work(c), [wait(child) for child in children], one(c, "SELECT count(*) FROM t"))
      """)
    outcome.expectLines(["OK [0, 0, 0, 0] 100"])
  }
}
