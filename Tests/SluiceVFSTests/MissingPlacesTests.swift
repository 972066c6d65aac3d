// Programs and sidecars without /proc, /dev and /dev/shm, as in an empty jail.

import Foundation
import Testing

@Suite(.enabled(if: Machine.hasMountNamespaces, "needs a mount namespace"))
struct MissingPlacesTests {
  private static let withoutDev = [
    "unshare", "-m", "sh", "-c", #"mount -t tmpfs none /dev; exec "$@""#, "sh",
  ]
  private static let unmountedProc = [
    "unshare", "-m", "sh", "-c", #"umount -l /proc; exec "$@""#, "sh",
  ]

  private static let script = """
    for mode in ["DELETE", "WAL"]:
        c = proxied("app.db")
        c.execute("PRAGMA journal_mode = " + mode)
        c.execute("CREATE TABLE IF NOT EXISTS t(x)")
        c.execute("INSERT INTO t VALUES (1)")
        d = proxied("sub/../sub/link.db" if mode == "DELETE" else ROOT + "/sub/other.db")
        d.execute("PRAGMA journal_mode = " + mode)
        d.execute("CREATE TABLE IF NOT EXISTS t(x)")
        c.execute("ATTACH ? AS other", (ROOT + "/sub/other.db",))
        c.execute("BEGIN")
        c.execute("INSERT INTO t VALUES (2)")
        c.execute("INSERT INTO other.t VALUES (2)")
        c.execute("COMMIT")
        print(one(c, "SELECT count(*) FROM t"), one(d, "SELECT count(*) FROM t"),
              d.execute("PRAGMA database_list").fetchone()[2] == ROOT + "/sub/other.db")
        d.close()
        c.close()
    """

  private func prepare(_ fixture: Fixture) throws {
    let sub = fixture.inRoot("sub")
    try FileManager.default.createDirectory(at: sub, withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(
      atPath: sub.appending(path: "link.db").path, withDestinationPath: "other.db")
  }

  private func check(_ fixture: Fixture, _ outcome: Outcome) throws {
    outcome.expectLines(["2 1 True", "4 2 True"])
    #expect(try fixture.nativeAnswer(fixture.inRoot("app.db"), "SELECT count(*) FROM t") == "4")
    #expect(
      try fixture.nativeAnswer(fixture.inRoot("sub/other.db"), "SELECT count(*) FROM t") == "2")
  }

  /// The sidecar and the client, or the client alone, with an empty file system on /proc or with
  /// nothing.
  @Test(arguments: ["empty", "unmounted"], [["--quota", "100M"], []])
  func sharedSidecarServesWithoutProc(how: String, options: [String]) throws {
    let fixture = try Fixture()
    try prepare(fixture)
    let prefix = how == "empty" ? Machine.withoutProc : Self.unmountedProc
    try fixture.startSidecar(options, prefix: prefix)
    try check(fixture, try fixture.runPython(Self.script, prefix: prefix))
    #expect(fixture.sidecar?.errors == "")
  }

  @Test func privateSidecarServesWithoutProc() throws {
    let fixture = try Fixture()
    try prepare(fixture)
    try check(fixture, try fixture.runPython(Self.script, prefix: Machine.withoutProc))
  }

  /// Another file under a checked name is not taken for the checked file, and the sidecar does not
  /// wait for its own lease.
  @Test func filesAreFoundByNameWithoutProcWhileOthersReplaceThem() throws {
    let fixture = try Fixture()
    try fixture.startSidecar(prefix: Machine.withoutProc)
    let outcome = try fixture.runPython(
      """
      from collections import Counter
      for name in ["one", "two"]:
          c = native(name + ".db")
          c.execute("CREATE TABLE t(x)")
          c.execute("INSERT INTO t VALUES (?)", (name,))
          c.close()
      kept = proxied("two.db")
      said = Counter()
      stop = threading.Event()
      def replace():
          while not stop.is_set():
              for name in ["two", "one"]:
                  os.link(ROOT + f"/{name}.db", ROOT + "/next")
                  os.rename(ROOT + "/next", ROOT + "/app.db")
      os.link(ROOT + "/one.db", ROOT + "/app.db")
      thread = threading.Thread(target=replace)
      thread.start()
      for i in range(200):
          c = proxied("app.db")
          try: said[one(c, "SELECT x FROM t")] += 1
          except Error as error: said[error.sqlite_errorname] += 1
          c.close()
      stop.set()
      thread.join()
      print(sorted(set(said) - {"SQLITE_BUSY"}), one(kept, "SELECT x FROM t"))
      """)
    outcome.expectLines(["['one', 'two'] two"])
  }

  @Test func commandSeesItsWordsAndFindsItselfWithoutProc() throws {
    let fixture = try Fixture()
    let version = try fixture.run(Machine.withoutProc + [Fixture.program, "--version"])
    version.expectSuccess()
    #expect(version.output.hasPrefix("sluice "))
    let outcome = try fixture.run(
      Machine.withoutProc + [
        Fixture.program, "run", "--root", fixture.root.path, "--", Fixture.sqliteProgram, "app.db",
        "CREATE TABLE t(x); INSERT INTO t VALUES (5); SELECT x FROM t",
      ], in: fixture.outside)
    outcome.expectLines(["5"])
    #expect(try fixture.nativeAnswer(fixture.inRoot("app.db"), "SELECT x FROM t") == "5")
  }

  @Test func wordsNeedNotBeText() throws {
    let script = #"""
      said=$("$0" "$(printf '\377\200')" 2>&1); code=$?
      echo "$said" | grep -ac "$(printf '\377\200'): no such subcommand"; exit $code
      """#
    let outcome = try Fixture().run(["sh", "-c", script, Fixture.program])
    #expect(outcome.ending == .exited(64))
    #expect(outcome.lines == ["1"])
  }

  @Test func sharedSidecarServesWithoutDevAndSaysWhatIsMissing() throws {
    let fixture = try Fixture()
    try prepare(fixture)
    let sidecar = try fixture.startSidecar(prefix: Self.withoutDev)
    try check(fixture, try fixture.runPython(Self.script))
    #expect(sidecar.errors.contains("/dev/shm is not there"))
    // The sidecar is still confined.
    #expect(!sidecar.errors.contains("Landlock"), "\(sidecar.errors)")
  }

  @Test func privateSidecarStartsWithoutDev() throws {
    let fixture = try Fixture()
    try prepare(fixture)
    try check(fixture, try fixture.runPython(Self.script, prefix: Self.withoutDev))
  }

  /// A database that is not deleted must keep its journal.
  @Test func databaseIsDeletedBeforeItIsOpenedWithoutProc() throws {
    let fixture = try Fixture()
    try fixture.makeDatabase(fixture.inRoot("app.db"))
    try fixture.startSidecar(prefix: Machine.withoutProc)
    let outcome = try fixture.runPython(
      """
      open(os.path.join(ROOT, "app.db-journal"), "w").close()
      c = proxied("app.db", "delete-before-open=1")
      print(one(c, "SELECT count(*) FROM sqlite_schema"), sorted(os.listdir(ROOT)))
      """)
    outcome.expectLines(["0 ['app.db']"])
  }
}
