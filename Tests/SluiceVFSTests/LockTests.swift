// Which locks exclude which: among proxied connections, and between them and stock SQLite.

import Testing

struct LockTests {
  /// The results of three connections to one database, step by step.
  private static let ladder = """
    first, second, third = connections()
    def step(name, connection, sql): print(name + ":", sql, "→", result(connection.execute, sql))
    def free():
        for c in (first, second, third):
            if c.in_transaction: c.execute("ROLLBACK")
    print("SHARED")
    step("first", first, "BEGIN"); step("first", first, "SELECT * FROM t")
    step("second", second, "SELECT * FROM t")
    step("second", second, "BEGIN IMMEDIATE")
    step("second", second, "INSERT INTO t VALUES (0)")
    step("second", second, "COMMIT")
    print("PENDING")
    step("third", third, "SELECT * FROM t")
    step("first", first, "SELECT * FROM t")
    step("first", first, "INSERT INTO t VALUES (0)")
    step("first", first, "COMMIT")
    step("second", second, "COMMIT")
    step("third", third, "SELECT * FROM t")
    free(); print("RESERVED")
    step("first", first, "BEGIN IMMEDIATE")
    step("second", second, "SELECT * FROM t")
    step("second", second, "BEGIN IMMEDIATE")
    step("second", second, "BEGIN EXCLUSIVE")
    step("first", first, "ROLLBACK")
    step("second", second, "BEGIN IMMEDIATE")
    free(); print("EXCLUSIVE")
    step("first", first, "BEGIN EXCLUSIVE")
    step("second", second, "SELECT * FROM t")
    step("second", second, "BEGIN IMMEDIATE")
    step("third", third, "BEGIN EXCLUSIVE")
    step("first", first, "COMMIT")
    step("third", third, "BEGIN EXCLUSIVE")
    step("second", second, "SELECT * FROM t")
    free(); print("TWO WHO WANT TO WRITE")
    step("first", first, "BEGIN"); step("first", first, "SELECT * FROM t")
    step("second", second, "BEGIN"); step("second", second, "SELECT * FROM t")
    step("first", first, "INSERT INTO t VALUES (1)")
    step("second", second, "INSERT INTO t VALUES (1)")
    step("second", second, "COMMIT")
    step("first", first, "COMMIT")
    print(one(first, "SELECT count(*) FROM t"), one(native("app.db"), "PRAGMA integrity_check"))
    """

  /// Not npn: SQLite lets a process that reads already read again without a check of the file. So
  /// the third connection, native like the first, would not see that the second waits.
  @Test(arguments: ["ppp", "ppn", "pnp", "npp", "pnn", "nnp"])
  func theLadderIsThatOfStockSQLite(kinds: String) throws {
    let stock = try ladder("nnn")
    let mixed = try ladder(kinds)
    #expect(stock.count > 30 && stock.contains { $0.contains("SQLITE_BUSY") })
    #expect(mixed == stock)
  }

  /// `kinds` says which of the connections are proxied (p) and which are native (n).
  private func ladder(_ kinds: String) throws -> [String] {
    let fixture = try Fixture(sidecar: true)
    try fixture.makeDatabase(fixture.inRoot("app.db"))
    let outcome = try fixture.runPython(
      """
      def connections():
          return [(proxied if kind == "p" else native)("app.db") for kind in sys.argv[1]]
      """ + "\n" + LockTests.ladder, arguments: [kinds])
    outcome.expectSuccess()
    return outcome.lines
  }

  @Test func outsidersOpenSeesExactlyTheLocksThatAreHeld() throws {
    let fixture = try Fixture(sidecar: true)
    try fixture.makeDatabase(fixture.inRoot("app.db"))
    let outcome = try fixture.runPython(
      """
      seen = {}
      def note(what): seen[what] = seen.get(what, 0) + 1
      def outsider(held, sql):
          n = native("app.db")
          note(held + " " + result(n.execute, sql))
          n.close()
      for i in range(50):
          c = proxied("app.db")
          c.execute("SELECT count(*) FROM t").fetchall()
          outsider("nothing", "BEGIN EXCLUSIVE")
          c.close()
          for begin, held, sql in [("BEGIN EXCLUSIVE", "exclusive", "SELECT * FROM t"),
                                   ("BEGIN IMMEDIATE", "reserved", "BEGIN IMMEDIATE"),
                                   ("BEGIN IMMEDIATE", "reserved, read:", "SELECT * FROM t")]:
              c = proxied("app.db")
              c.execute(begin)
              outsider(held, sql)
              c.execute("ROLLBACK")
              c.close()
      for what in sorted(seen): print(what, seen[what])
      """, within: 120)
    outcome.expectLines([
      "exclusive SQLITE_BUSY 50", "nothing OK 50", "reserved SQLITE_BUSY 50",
      "reserved, read: OK 50",
    ])
    let stats = try fixture.run([
      Fixture.program, "stats", "--socket", fixture.socket.path, "--json",
    ])
    #expect(!stats.output.contains(#""broken": 0}"#), "no lease was ever broken: \(stats.output)")
  }

  @Test func eachSeesWhatTheOtherCommitted() throws {
    let fixture = try Fixture(sidecar: true)
    try fixture.makeDatabase(fixture.inRoot("app.db"))
    let outcome = try fixture.runPython(
      """
      p, q, n = proxied("app.db"), proxied("app.db"), native("app.db")
      wrong = 0
      for i in range(100):
          writer = (p, q, n)[i % 3]
          writer.execute("UPDATE t SET x = ?", (i,))
          for reader in (p, q, n): wrong += one(reader, "SELECT min(x) FROM t") != i
      print(wrong)
      """)
    outcome.expectLines(["0"])
  }

  @Test func writersInSeveralThreadsLoseNothing() throws {
    let fixture = try Fixture(sidecar: true)
    try fixture.makeDatabase(fixture.inRoot("app.db"), count: 1)
    let outcome = try fixture.runPython(
      """
      errors = set()
      def work(connect):
          c = connect("app.db")
          done = 0
          while done < 40:
              said = result(c.execute, "UPDATE t SET x = x + 1")
              if said == "OK": done += 1
              elif said == "SQLITE_BUSY": time.sleep(0.001)
              else: errors.add(said); break
      threads = [threading.Thread(target=work, args=(connect,))
                 for connect in (proxied, proxied, proxied, native)]
      for thread in threads: thread.start()
      for thread in threads: thread.join()
      print(one(native("app.db"), "SELECT x FROM t"), errors)
      """)
    outcome.expectLines(["161 set()"])
  }
}
