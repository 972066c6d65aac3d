// A writer was shown what another was promised, and the sync failed. Its program is told, once, also
// where it has committed nothing.

import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct BrokenPromiseTests {
  /// `b` takes the right to write while the commit of `a`, which will fail, waits for its sync. What is
  /// printed: the results of its statements, and what it finds after that.
  private func results(
    of statements: [String], before: [String] = [], afterFailure: Bool = false,
    failing number: Int = 1
  ) throws -> Outcome {
    let fixture = try Fixture()
    let tools = try fixture.startFailingSidecar(["--sync-delay", "400"])
    for name in ["app.db", "two.db", "three.db"] { try fixture.makeDatabase(fixture.inRoot(name)) }
    return try fixture.runPython(
      tools + """
        control = Control(path)
        c = proxied("app.db"); c.execute("PRAGMA journal_mode=WAL"); c.close()
        a, b = Peer("proxied", "app.db"), Peer("proxied", "app.db")
        for peer in (a, b):
            peer("PRAGMA busy_timeout=10000"); peer("INSERT INTO t VALUES (1)")
        for sql in \(before): b(sql.replace('ROOT', ROOT))
        b("INSERT INTO t VALUES (2)")
        control.prepare(Fault("fdatasync", "EIO", \(number), 1)); control.arm(1)
        a.tell("INSERT INTO t VALUES (1002)")
        while b("BEGIN IMMEDIATE; -- ") != []: pass
        while b("SELECT max(x) FROM t") != [[1002]]:
            b("ROLLBACK"); b("BEGIN IMMEDIATE")
        if \(afterFailure ? "True" : "False"): print("a", a.hear())
        for sql in \(statements): print(sql, b(sql))
        if \(afterFailure ? "False" : "True"): print("a", a.hear())
        print(control.failed_count)
        print(b("SELECT max(x) FROM t"), b("INSERT INTO t VALUES (1003)"), b("SELECT max(x) FROM t"))
        a.close(); b.close()
        c = native("app.db")
        print(c.execute("SELECT x FROM t WHERE x > 1000").fetchall(), one(c, "PRAGMA integrity_check"))
        """)
  }

  private func expect(_ outcome: Outcome, _ lines: [String], aComesFirst: Bool = false) {
    let a = ["a SQLITE_IOERR_FSYNC"]
    outcome.expectLines(
      (aComesFirst ? a + lines : lines + a) + ["1", "[[10]] [] [[1003]]", "[(1003,)] ok"])
  }

  /// ROLLBACK cannot fail. The next transaction does.
  @Test func aTransactionAfterARollbackFails() throws {
    let outcome = try results(of: ["ROLLBACK", "SELECT max(x) FROM t"])
    expect(outcome, ["ROLLBACK []", "SELECT max(x) FROM t SQLITE_IOERR_FSYNC"])
  }

  @Test func aWriterAfterARollbackFails() throws {
    let outcome = try results(of: ["ROLLBACK", "BEGIN IMMEDIATE"])
    expect(outcome, ["ROLLBACK []", "BEGIN IMMEDIATE SQLITE_IOERR_FSYNC"])
  }

  @Test func aCommitThatWroteNothingFails() throws {
    let outcome = try results(of: ["SAVEPOINT s", "ROLLBACK TO s", "RELEASE s", "COMMIT"])
    expect(
      outcome, ["SAVEPOINT s []", "ROLLBACK TO s []", "RELEASE s []", "COMMIT SQLITE_IOERR_FSYNC"])
  }

  @Test func aCommitThatDoesNotSyncFails() throws {
    let outcome = try results(
      of: ["INSERT INTO t VALUES (1004)", "COMMIT"], before: ["PRAGMA synchronous=NORMAL"])
    expect(outcome, ["INSERT INTO t VALUES (1004) []", "COMMIT SQLITE_IOERR_FSYNC"])
  }

  @Test func aCommitWithItsOwnSyncFails() throws {
    let outcome = try results(of: ["INSERT INTO t VALUES (1004)", "COMMIT"])
    expect(outcome, ["INSERT INTO t VALUES (1004) []", "COMMIT SQLITE_IOERR_FSYNC"])
  }

  /// SQLite ignores the failure of a checkpoint that it begins by itself, so none uses it up.
  @Test func aCheckpointDoesNotForgetIt() throws {
    let checkpoint = "PRAGMA wal_checkpoint"
    let outcome = try results(of: ["ROLLBACK", checkpoint, "SELECT max(x) FROM t"])
    let lines = outcome.output.split(separator: "\n")
    #expect(lines.first == "ROLLBACK []", "\(outcome)")
    #expect(lines.dropFirst(2).first == "SELECT max(x) FROM t SQLITE_IOERR_FSYNC", "\(outcome)")
  }

  /// It was told within the transaction.
  @Test func anErrorInTheTransactionIsEnough() throws {
    let outcome = try results(
      of: ["PRAGMA integrity_check"], before: ["PRAGMA cache_size=1"], afterFailure: true)
    let told = outcome.output.split(separator: "\n").dropFirst().first ?? ""
    #expect(told.hasPrefix("PRAGMA integrity_check SQLITE_IOERR"), "\(outcome)")
    expect(outcome, [String(told)], aComesFirst: true)
  }

  /// SQLite ignores the result where a COMMIT has a super-journal, whose sync comes before that of `a`.
  /// The other databases do not lose their session: the sidecar does not have them.
  @Test func aCommitOfSeveralDatabasesIsToldAfterwards() throws {
    let outcome = try results(
      of: [
        "INSERT INTO two.t VALUES (5)", "INSERT INTO three.t VALUES (5)", "COMMIT",
        "SELECT max(x) FROM t",
      ],
      before: ["two", "three"].map {
        "ATTACH 'file:ROOT/\($0).db?vfs=unix' AS \($0)"
      }, failing: 2)
    expect(
      outcome,
      [
        "INSERT INTO two.t VALUES (5) []", "INSERT INTO three.t VALUES (5) []", "COMMIT []",
        "SELECT max(x) FROM t SQLITE_IOERR_FSYNC",
      ])
  }
}
