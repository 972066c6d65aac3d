// A connection that only reads changes nothing, and is refused what stock SQLite refuses it.

import Foundation
import Testing

struct ReadOnlyConnectionTests {
  /// `story(tree, vfs)` does the same with a stock and with a proxied connection, each in a tree of
  /// its own, and gives what was seen.
  private static let comparison = """
    import hashlib

    def files(tree):
        return sorted((name, os.path.getsize(f"{tree}/{name}")) for name in os.listdir(tree))

    def content(path):
        with open(path, "rb") as f: return hashlib.sha256(f.read()).hexdigest()[:8]

    def reader(tree, vfs, name="app.db", parameters="mode=ro"):
        return sqlite3.connect(f"file:{tree}/{name}?vfs={vfs}&{parameters}", uri=True, timeout=0,
                               isolation_level=None)

    def prepare(tree, journal_mode):
        os.mkdir(tree)
        c = sqlite3.connect(f"{tree}/app.db", isolation_level=None)
        c.execute("PRAGMA journal_mode = " + journal_mode)
        c.execute("CREATE TABLE t(x)")
        c.execute("INSERT INTO t VALUES (42)")
        return c

    def compare(story):
        stock, ours = story(ROOT + "/stock", "unix"), story(ROOT + "/ours", "sluice")
        print(ours if stock == ours else f"stock: {stock}; ours: {ours}")
    """

  private func compare(_ story: String) throws -> Outcome {
    let fixture = try Fixture()
    return try fixture.runPython(
      ReadOnlyConnectionTests.comparison + "\n" + story + "\ncompare(story)")
  }

  @Test func lastOneLeavesTheWALAndItsIndex() throws {
    try compare(
      """
      def story(tree, vfs):
          prepare(tree, "WAL").close()
          before = os.listdir(tree), content(tree + "/app.db")
          c = reader(tree, vfs)
          rows = c.execute("SELECT * FROM t").fetchall()
          c.close()
          return before[0], rows, files(tree)[1:], content(tree + "/app.db") == before[1]
      """
    ).expectLines(["(['app.db'], [(42,)], [('app.db-shm', 32768), ('app.db-wal', 0)], True)"])
  }

  @Test func lastOneCheckpointsNothing() throws {
    try compare(
      """
      def story(tree, vfs):
          # The WAL of a writer that was killed.
          if os.fork() == 0:
              prepare(tree, "WAL")
              os.kill(os.getpid(), signal.SIGKILL)
          os.wait()
          before = content(tree + "/app.db"), content(tree + "/app.db-wal")
          c = reader(tree, vfs)
          rows = c.execute("SELECT * FROM t").fetchall()
          c.close()
          same = (content(tree + "/app.db"), content(tree + "/app.db-wal")) == before
          return rows, [name for name, _ in files(tree)], same
      """
    ).expectLines(["([(42,)], ['app.db', 'app.db-shm', 'app.db-wal'], True)"])
  }

  @Test(
    .enabled(if: Machine.hasOtherUsers, "needs root and setpriv"), arguments: ["0o644", "0o444"])
  func withoutTheRightToWriteItIsTheSame(mode: String) throws {
    let fixture = try Fixture()
    let outcome = try fixture.runPython(
      ReadOnlyConnectionTests.comparison + """

        def story(tree, vfs):
            prepare(tree, "WAL").close()
            os.chmod(tree + "/app.db", int(sys.argv[1], 8))
            os.chmod(tree, 0o777)
            pid = os.fork()
            if pid == 0:
                os.setgid(65534)
                os.setuid(65534)
                c = reader(tree, vfs, parameters="mode=rw")
                said = result(c.execute, "SELECT * FROM t"), result(c.execute, "DELETE FROM t")
                c.close()
                say(vfs, *said)
                os._exit(0)
            wait(pid)
            return [name for name, _ in files(tree)], oct(os.stat(tree + "/app.db-shm").st_mode)
        compare(story)
        """, arguments: [mode])
    outcome.expectLines([
      "unix OK SQLITE_READONLY", "sluice OK SQLITE_READONLY",
      "(['app.db', 'app.db-shm', 'app.db-wal'], '0o100\(mode.suffix(3))')",
    ])
  }

  @Test(arguments: ["DELETE", "WAL"])
  func writesAreRefusedWithStocksCodes(mode: String) throws {
    try compare(
      """
      def story(tree, vfs):
          writer = prepare(tree, "\(mode)")
          c, said = reader(tree, vfs), []
          for sql in ["BEGIN IMMEDIATE", "INSERT INTO t VALUES (1)", "COMMIT", "BEGIN EXCLUSIVE",
                      "DROP TABLE t", "ROLLBACK", "VACUUM", "PRAGMA user_version = 7",
                      "PRAGMA wal_checkpoint", "PRAGMA wal_checkpoint(TRUNCATE)",
                      "PRAGMA journal_mode = DELETE", "PRAGMA journal_mode = WAL",
                      "PRAGMA incremental_vacuum", "REINDEX", "PRAGMA locking_mode = EXCLUSIVE",
                      "SELECT * FROM t", "INSERT INTO t VALUES (1)"]:
              said.append(result(c.execute, sql))
          c.close()
          exclusive = reader(tree, vfs)
          exclusive.execute("PRAGMA locking_mode = EXCLUSIVE")
          said.append(result(exclusive.execute, "SELECT * FROM t"))
          said.append(result(writer.execute, "INSERT INTO t VALUES (2)"))
          exclusive.close()
          writer.execute("INSERT INTO t VALUES (3)")
          # A checkpoint fails with SQLITE_IOERR_WRITE there: EBADF, which says less.
          return " ".join(said).replace("SQLITE_", "").replace("IOERR_WRITE", "READONLY")
      """
    ).expectLines([
      "OK READONLY OK OK READONLY OK READONLY READONLY "
        + (mode == "WAL" ? "READONLY READONLY IOERR_LOCK OK" : "OK OK OK READONLY")
        + " READONLY OK OK OK READONLY "
        + (mode == "WAL" ? "IOERR_LOCK OK" : "OK BUSY")
    ])
  }

  @Test func journalBesideAnEmptyDatabaseStays() throws {
    try compare(
      """
      def story(tree, vfs):
          os.mkdir(tree)
          open(tree + "/app.db", "w").close()
          journal = bytes.fromhex("d9d505f920a163d7") + bytes(1016)
          with open(tree + "/app.db-journal", "wb") as f: f.write(journal)
          c = reader(tree, vfs)
          said = result(c.execute, "SELECT * FROM sqlite_schema")
          c.close()
          return said, files(tree)
      """
    ).expectLines(["('OK', [('app.db', 0), ('app.db-journal', 1024)])"])
  }
}
