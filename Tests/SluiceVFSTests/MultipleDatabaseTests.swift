// One transaction over two databases. The super-journal keeps it atomic, whenever the sidecar dies.

import Foundation
import Testing

struct MultipleDatabaseTests {
  private static let strace = Machine.has("strace", "-V")

  @Test func commitReachesBothDatabases() throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runPython(
      """
      c = proxied("a.db")
      c.execute("ATTACH 'b.db' AS b")
      c.execute("CREATE TABLE main.t(x)")
      c.execute("CREATE TABLE b.t(x)")
      for i in range(20):
          c.execute("BEGIN")
          c.execute("INSERT INTO main.t VALUES (?)", (i,))
          c.execute("INSERT INTO b.t VALUES (?)", (i,))
          c.execute("COMMIT" if i % 2 else "ROLLBACK")
      c.execute("ATTACH ':memory:' AS m")
      c.execute("CREATE TABLE m.t AS SELECT * FROM b.t")
      print(one(c, "SELECT sum(x) FROM m.t"))
      c.close()
      print(sorted(os.listdir(ROOT)))
      """)
    outcome.expectLines(["100", "['a.db', 'b.db']"])
    for name in ["a.db", "b.db"] {
      let answer = try fixture.nativeAnswer(
        fixture.inRoot(name), "SELECT count(*), sum(x) FROM t")
      #expect(answer == "10|100")
    }
  }

  @Test func databasesOfTwoSidecarsCommitTogether() throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runPython(
      """
      c = proxied("a.db")
      c.execute("CREATE TABLE t(x)")
      c.execute(f"ATTACH 'file:{OUTSIDE}/n.db?vfs=unix' AS n")
      c.execute("CREATE TABLE n.t(x)")
      c.execute("BEGIN")
      c.execute("INSERT INTO main.t VALUES (1)")
      c.execute("INSERT INTO n.t VALUES (1)")
      print(result(c.execute, "COMMIT"))
      print(one(c, "SELECT count(*) FROM main.t"), one(c, "SELECT count(*) FROM n.t"))
      """)
    outcome.expectLines(["OK", "1 1"])
  }

  /// The sidecar dies before it removes the super-journal (1), which is the commit; or later,
  /// before it removes the first (2) or the second (3) journal. Everything after the commit is
  /// cleanup, and SQLite does not report its failures.
  @Test(.enabled(if: strace, "strace is missing"), arguments: [1, 2, 3])
  func bothOrNeitherSurviveADeathInTheCommit(deathAtRemoval: Int) throws {
    let fixture = try Fixture()
    for name in ["a.db", "b.db"] {
      try fixture.makeDatabase(fixture.inRoot(name), count: 1000)
    }
    try fixture.startSidecar(prefix: [
      "strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=unlinkat", "-e",
      "inject=unlinkat:error=EIO:signal=KILL:when=\(deathAtRemoval)",
    ])
    let transaction = """
      c = proxied("a.db")
      c.execute("ATTACH 'b.db' AS b")
      c.execute("BEGIN")
      c.execute("UPDATE main.t SET x = x + 1")
      c.execute("UPDATE b.t SET x = x + 1")
      print(result(c.execute, "COMMIT")[:12])
      print(len([n for n in os.listdir(ROOT) if "-mj" in n]),
            len([n for n in os.listdir(ROOT) if n.endswith("-journal")]))
      """
    let left = deathAtRemoval == 1 ? "1 2" : deathAtRemoval == 2 ? "0 2" : "0 1"
    let answer = deathAtRemoval == 1 ? "SQLITE_IOERR" : "OK"
    try fixture.runPython(transaction).expectLines([answer, left])

    try fixture.startSidecar()
    let sum = deathAtRemoval == 1 ? "500500" : "501500"
    let after = try fixture.runPython(
      """
      for name in ["a.db", "b.db"]:
          c = proxied(name)
          print(one(c, "SELECT sum(x) FROM t"), one(c, "PRAGMA integrity_check"))
          c.execute("UPDATE t SET x = x")
          c.close()
      print(sorted(os.listdir(ROOT)))
      """)
    after.expectLines(["\(sum) ok", "\(sum) ok", "['a.db', 'b.db']"])
  }

  /// The sidecar dies while it writes the first database. The super-journal exists, so both
  /// journals are hot for every later reader.
  ///
  /// At b.db's writes both databases have been written, and each journal names the super-journal.
  @Test(
    .enabled(if: strace, "strace is missing"), arguments: ["proxied", "native", "mixed"],
    ["a.db", "b.db"])
  func bothAreRolledBackAfterADeathAmongTheWrites(by reader: String, of name: String) throws {
    let fixture = try Fixture()
    for name in ["a.db", "b.db"] {
      try fixture.makeDatabase(fixture.inRoot(name), count: 20000)
      _ = try fixture.runNative(fixture.inRoot(name), "CREATE INDEX i ON t(x)")
    }
    try fixture.startSidecar(prefix: [
      "strace", "-D", "-f", "-qq", "-o", "/dev/null", "-P", fixture.inRoot(name).path, "-e",
      "trace=pwrite64", "-e", "inject=pwrite64:error=EIO:signal=KILL:when=15",
    ])
    let died = try fixture.runPython(
      """
      c = proxied("a.db")
      c.execute("ATTACH 'b.db' AS b")
      c.execute("BEGIN")
      c.execute("UPDATE main.t SET x = -x")
      c.execute("UPDATE b.t SET x = -x")
      print(result(c.execute, "COMMIT")[:12], len([n for n in os.listdir(ROOT) if "-mj" in n]))
      """)
    died.expectLines(["SQLITE_IOERR 1"])
    try fixture.startSidecar()
    try expectRolledBack(fixture, by: reader, afterDeathAt: name)
  }

  /// `reader` says which connections read the two databases, and so roll them back: a proxied one,
  /// a native one, or a native one for the first and a proxied one for the second.
  private func expectRolledBack(
    _ fixture: Fixture, by reader: String, afterDeathAt name: String
  ) throws {
    let after = try fixture.runPython(
      """
      for name in ["a.db", "b.db"]:
          is_native = sys.argv[1] == "native" or sys.argv[1] == "mixed" and name == "a.db"
          c = (native if is_native else proxied)(name)
          try: print(one(c, "SELECT sum(x) FROM t"), one(c, "PRAGMA integrity_check"))
          except Error as error: print(error)
          c.close()
      print(sorted(n for n in os.listdir(ROOT) if "-mj" in n or n == "a.db-journal" or sys.argv[2] == "b.db" and "-" in n))
      """, arguments: [reader, name])
    // If b.db was not written, its journal is not hot, and stays until the next write.
    after.expectLines(["200010000 ok", "200010000 ok", "[]"])
  }

  /// The same the other way round: stock SQLite dies, and a client of a shared sidecar, a client of
  /// a private one, or stock SQLite rolls back.
  @Test(
    .enabled(if: strace, "strace is missing"), arguments: ["shared", "private", "mixed", "native"],
    ["a.db", "b.db"])
  func bothAreRolledBackAfterStockSQLiteDied(by reader: String, at name: String) throws {
    let fixture = try Fixture()
    for name in ["a.db", "b.db"] {
      try fixture.makeDatabase(fixture.inRoot(name), count: 20000)
      _ = try fixture.runNative(fixture.inRoot(name), "CREATE INDEX i ON t(x)")
    }
    let died = try fixture.runPython(
      """
      c = native("a.db")
      c.execute("ATTACH ? AS b", (ROOT + "/b.db",))
      c.execute("BEGIN")
      c.execute("UPDATE main.t SET x = -x")
      c.execute("UPDATE b.t SET x = -x")
      c.execute("COMMIT")
      """,
      prefix: [
        "strace", "-f", "-qq", "-o", "/dev/null", "-P", fixture.inRoot(name).path, "-e",
        "trace=pwrite64", "-e", "inject=pwrite64:error=EIO:signal=KILL:when=15",
      ])
    #expect(died.ending == .killed(SIGKILL))
    let left = try FileManager.default.contentsOfDirectory(atPath: fixture.root.path)
    #expect(left.filter { $0.contains("-mj") }.count == 1, "\(left)")
    #expect(left.filter { $0.hasSuffix("-journal") }.count == 2, "\(left)")
    if reader == "shared" || reader == "mixed" { try fixture.startSidecar() }
    try expectRolledBack(fixture, by: reader, afterDeathAt: name)
  }
}
