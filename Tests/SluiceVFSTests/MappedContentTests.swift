// PRAGMA mmap_size: pages are read in place, and are never older than stock SQLite's pages.

import Testing

struct MappedContentTests {
  /// One connection maps the database. Another process changes it, and the connection reads each
  /// change at once.
  @Test(arguments: ["DELETE", "WAL"], ["native", "proxied", "mapping"])
  func whatAnotherHasWrittenIsReadAtOnce(mode: String, by writer: String) throws {
    let fixture = try Fixture(sidecar: true)
    try fixture.makeDatabase(fixture.inRoot("app.db"), count: 5000)
    let outcome = try fixture.runPython(
      """
      mode, kind = sys.argv[1:]
      w = Peer("native" if kind == "native" else "proxied", "app.db")
      w("PRAGMA journal_mode = " + mode)
      if kind == "mapping": w("PRAGMA mmap_size = 100000000")
      r = proxied("app.db")
      print(one(r, "PRAGMA mmap_size = 100000000"))
      base, wrong = one(r, "SELECT sum(x) FROM t"), 0
      print(base, has_window())
      for i in range(100):
          if w("UPDATE t SET x = x + 1 WHERE rowid % 50 = 0") != []: print("not written")
          if mode == "WAL" and i % 7 == 0: w("PRAGMA wal_checkpoint(TRUNCATE)")
          wrong += one(r, "SELECT sum(x) FROM t") != base + 100 * (i + 1)
      print(wrong, one(r, "PRAGMA integrity_check"), has_window())
      """, arguments: [mode, writer])
    outcome.expectLines(["100000000", "12502500 True", "0 ok True"])
  }

  /// The file grows far beyond the mapped part and is cut to a few pages, again and again. In a
  /// mapping of the file, an access behind the new end would raise SIGBUS.
  @Test(arguments: ["DELETE", "WAL"], ["native", "proxied", "mapping"])
  func fileThatAnotherCutsAndExtendsIsReadWhole(mode: String, by writer: String) throws {
    let fixture = try Fixture(sidecar: true)
    try fixture.makeDatabase(fixture.inRoot("app.db"), count: 100)
    let outcome = try fixture.runPython(
      """
      mode, kind = sys.argv[1:]
      w = Peer("native" if kind == "native" else "proxied", "app.db")
      w("PRAGMA journal_mode = " + mode)
      if kind == "mapping": w("PRAGMA mmap_size = 100000000")
      r = proxied("app.db")
      r.execute("PRAGMA mmap_size = 100000000")
      sizes, wrong = set(), []
      def do(sql):
          said = w(sql)
          if isinstance(said, str): wrong.append((sql, said))
      def look(expected):
          seen = r.execute("SELECT count(*), sum(x) FROM t").fetchone()
          if seen != expected: wrong.append((seen, expected))
          sizes.add(os.path.getsize(ROOT + "/app.db") > 100000)
      look((100, 5050))
      for i in range(10):
          do("INSERT INTO t SELECT 1 FROM json_each('[" + "1," * 19999 + "1]')")
          do("UPDATE t SET x = x WHERE x > 1")
          if mode == "WAL": do("PRAGMA wal_checkpoint(TRUNCATE)")
          look((20100, 25050))
          do("DELETE FROM t WHERE rowid > 100")
          look((100, 5050))
          do("VACUUM")
          if mode == "WAL": do("PRAGMA wal_checkpoint(TRUNCATE)")
          look((100, 5050))
      print(sorted(sizes), wrong, one(r, "PRAGMA integrity_check"), has_window())
      """, arguments: [mode, writer])
    outcome.expectLines(["[False, True] [] ok True"])
  }

  @Test func connectionCutsWhatItHasMappedItself() throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runPython(
      """
      c = proxied("app.db")
      c.execute("PRAGMA mmap_size = 100000000")
      c.execute("CREATE TABLE t(x, y)")
      for i in range(5):
          c.executemany("INSERT INTO t VALUES (?, zeroblob(3000))", [(j,) for j in range(300)])
          a = c.execute("SELECT count(*), sum(length(y)) FROM t").fetchone()
          c.execute("DELETE FROM t WHERE x > 2")
          c.execute("VACUUM")
          b = c.execute("SELECT count(*), sum(length(y)) FROM t").fetchone()
          c.execute("DELETE FROM t")
          print(a, b, has_window())
      print(one(c, "PRAGMA integrity_check"), one(native("app.db"), "PRAGMA integrity_check"))
      """)
    outcome.expectLines(Array(repeating: "(300, 900000) (3, 9000) True", count: 5) + ["ok ok"])
  }

  /// The window exists whatever mmap_size says, and never costs the lease.
  @Test func windowKeepsTheLeaseWhateverTheMapSize() throws {
    let fixture = try Fixture(sidecar: true)
    try fixture.makeDatabase(fixture.inRoot("app.db"), count: 5000)
    let outcome = try fixture.runPython(
      """
      c = proxied("app.db")
      print(one(c, "SELECT count(*) FROM t"), has_window(), leases("app.db"))
      for size in (100000000, 0, 8192):
          c.execute(f"PRAGMA mmap_size = {size}")
          print(one(c, "PRAGMA mmap_size"), one(c, "SELECT count(*) FROM t"), leases("app.db"))
      c.close()
      print(has_window())
      """)
    outcome.expectLines([
      "5000 True 1", "100000000 5000 1", "0 5000 1", "8192 5000 1", "False",
    ])
  }

  @Test(arguments: [
    "", "&posted-writes=0", "&read-window=0", "&owned-knowledge=0", "&standing-locks=0",
    "&posted-writes=0&read-window=0&owned-knowledge=0&standing-locks=0",
  ])
  func eachShortcutCanBeTurnedOff(parameters: String) throws {
    let fixture = try Fixture()
    _ = try fixture.startSidecar([])
    let outcome = try fixture.runPython(
      """
      for mode in ("DELETE", "WAL"):
          c = proxied(mode + ".db", sys.argv[1] if len(sys.argv) > 1 else "")
          c.execute("PRAGMA journal_mode = " + mode)
          c.execute("CREATE TABLE t(x, y)")
          for i in range(20):
              c.execute("BEGIN")
              c.executemany("INSERT INTO t VALUES (?, zeroblob(3000))", [(j,) for j in range(30)])
              c.execute("COMMIT" if i % 4 else "ROLLBACK")
          print(one(c, "SELECT count(*) FROM t"), one(c, "PRAGMA integrity_check"))
          c.close()
          print(one(native(mode + ".db"), "SELECT count(*) FROM t"))
      """, arguments: parameters.isEmpty ? [] : [parameters])
    outcome.expectLines(["450 ok", "450", "450 ok", "450"])
  }

  @Test func aJournalPutThereByHandIsSeenWithinASecond() throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runPython(
      """
      c = proxied("app.db")
      c.execute("CREATE TABLE t(x)")
      print(one(c, "SELECT count(*) FROM t"))
      with open("app.db-journal", "wb") as journal: journal.write(b"no journal of SQLite's" * 100)
      time.sleep(1.2)
      print(one(c, "SELECT count(*) FROM t"), os.path.exists("app.db-journal"))
      """)
    outcome.expectLines(["0", "0 False"])
  }

  /// The sidecar says what its clients may do. A client that cannot use the window does not map it.
  @Test(arguments: [
    ([], "True"), (["--read-window", "0"], "True"), (["--no-posted-writes"], "True"),
    (["--no-owned-knowledge", "--no-standing-locks"], "True"),
    (["--read-window", "0", "--no-owned-knowledge", "--no-standing-locks"], "False"),
  ])
  func sidecarSaysWhatItsClientsMayDo(options: [String], hasWindow: String) throws {
    let fixture = try Fixture()
    _ = try fixture.startSidecar(options)
    let outcome = try fixture.runPython(
      """
      c = proxied("app.db")
      c.execute("CREATE TABLE t(x)")
      c.executemany("INSERT INTO t VALUES (zeroblob(3000))", [()] * 1000)
      c.execute("PRAGMA cache_size = 10")
      print(one(c, "SELECT sum(length(x)) FROM t"), one(c, "PRAGMA integrity_check"), has_window())
      """)
    outcome.expectLines(["3000000 ok \(hasWindow)"])
  }
}
