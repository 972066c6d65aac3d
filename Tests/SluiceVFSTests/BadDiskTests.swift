// The disk is full or read-only, or descriptors run out: the program gets the right error, and no
// data is harmed.
//
// The bad disk is a tmpfs in the sidecar's own mount namespace. It ends with the sidecar, and the
// test's own programs do not even see it.

import Foundation
import Testing

struct BadDiskTests {
  private static let unshare = ["unshare", "-m"]

  @Test(.enabled(if: Machine.hasMountNamespaces, "mounting is not allowed here"))
  func fullDiskIsAnErrorAndRollsBack() throws {
    let fixture = try Fixture()
    try fixture.startSidecar(
      prefix: BadDiskTests.unshare,
      script: """
        mount -t tmpfs -o size=256k sluice "$1"
        exec "$0" serve --root "$1" --socket "$2"
        """)
    let outcome = try fixture.runPython(
      """
      c = proxied("app.db")
      c.execute("CREATE TABLE t(x)")
      c.execute("INSERT INTO t VALUES (1)")
      print(result(c.execute, "INSERT INTO t VALUES (zeroblob(1000000))"), c.in_transaction)
      c.execute("PRAGMA cache_size = 5")
      print(result(c.execute, "WITH r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT 10000) INSERT INTO t SELECT zeroblob(500) FROM r"))
      print(one(c, "SELECT count(*) FROM t"), one(c, "PRAGMA integrity_check"))
      c.execute("DELETE FROM t")
      print(result(c.execute, "INSERT INTO t VALUES (2)"), os.listdir(ROOT))
      """)
    outcome.expectLines(["SQLITE_FULL False", "SQLITE_FULL", "1 ok", "OK []"])
    let logged = try fixture.runSQLite(
      "file:app.db?vfs=sluice", "INSERT INTO t VALUES (zeroblob(1000000))")
    #expect(logged.errors.contains("(13) sluice: write \(fixture.root.path)/app.db"))
    #expect(logged.errors.contains("No space left on device"))
  }

  @Test(.enabled(if: Machine.hasMountNamespaces, "mounting is not allowed here"))
  func readOnlyDiskCanBeReadAndNotWritten() throws {
    let fixture = try Fixture()
    try fixture.makeDatabase(fixture.outside.appending(path: "app.db"))
    try fixture.startSidecar(
      prefix: BadDiskTests.unshare,
      script: """
        mount -t tmpfs sluice "$1"
        cp "$1/../outside/app.db" "$1"
        mount -o remount,ro "$1"
        exec "$0" serve --root "$1" --socket "$2"
        """)
    let outcome = try fixture.runPython(
      """
      c = proxied("app.db")
      print(one(c, "SELECT sum(x) FROM t"), result(c.execute, "INSERT INTO t VALUES (1)"))
      c.close()
      print(result(lambda: proxied("new.db").execute("CREATE TABLE t(x)")))
      print(result(lambda: proxied("app.db", "delete-before-open=1"))[:15])
      print(one(proxied("app.db", "mode=ro"), "SELECT sum(x) FROM t"))
      """)
    outcome.expectLines([
      "55 SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_CANTOPEN", "55",
    ])
    let logged = try fixture.runSQLite("file:new.db?vfs=sluice", "CREATE TABLE t(x)")
    #expect(logged.errors.contains("Read-only file system"))
  }

  @Test(.enabled(if: Machine.hasOtherUsers, "needs root, setpriv and a build that others can read"))
  func readOnlyDirectoryAndFileAreTold() throws {
    let fixture = try Fixture()
    for name in ["app.db", "sealed.db"] { try fixture.makeDatabase(fixture.inRoot(name)) }
    _ = unsafe chmod(fixture.directory.path, 0o777)
    _ = unsafe chmod(fixture.inRoot("app.db").path, 0o666)
    _ = unsafe chmod(fixture.inRoot("sealed.db").path, 0o444)
    let nobody = ["setpriv", "--reuid=65534", "--clear-groups"]
    try #require(
      try fixture.run(nobody + [Fixture.program, "--version"]).ending == .exited(0),
      "nobody cannot run \(Fixture.program)")
    try fixture.startSidecar(["--allow-user", "0"], prefix: nobody)
    let outcome = try fixture.runPython(
      """
      c, s = proxied("app.db"), proxied("sealed.db")
      print(one(c, "SELECT sum(x) FROM t"), result(c.execute, "INSERT INTO t VALUES (1)"))
      print(one(s, "SELECT sum(x) FROM t"), result(s.execute, "INSERT INTO t VALUES (1)"))
      c.execute("PRAGMA journal_mode = MEMORY")
      print(result(c.execute, "INSERT INTO t VALUES (1)"))
      """)
    outcome.expectLines(["55 SQLITE_READONLY_DIRECTORY", "55 SQLITE_READONLY", "OK"])
    let logged = try fixture.runSQLite("file:app.db?vfs=sluice", "INSERT INTO t VALUES (1)")
    #expect(logged.errors.contains("the directory is not writable, so no journal can be made"))
  }

  @Test func tooManyOpenFilesIsAnErrorAndPasses() throws {
    let fixture = try Fixture()
    try fixture.startSidecar(
      script: #"ulimit -Sn 50; ulimit -Hn 50; exec "$0" serve --root "$1" --socket "$2""#)
    let outcome = try fixture.runPython(
      """
      held, said = [], "OK"
      for i in range(60):
          def open_one():
              c = proxied(f"{i}.db")
              held.append(c)
              c.execute("CREATE TABLE t(x)")
          said = result(open_one)
          if said != "OK": break
      print(said, 3 < len(held) < 40)
      print(result(held[0].execute, "SELECT * FROM t"))
      for c in held[1:]: c.close()
      print(result(held[0].execute, "INSERT INTO t VALUES (1)"))
      print(result(lambda: proxied("again.db").execute("CREATE TABLE t(x)")))
      """)
    outcome.expectLines(["SQLITE_CANTOPEN True", "OK", "OK", "OK"])
  }

  @Test func tooManyOpenFilesIsNamed() throws {
    let fixture = try Fixture()
    try fixture.startSidecar(
      script: #"ulimit -Sn 36; ulimit -Hn 36; exec "$0" serve --root "$1" --socket "$2""#)
    let logged = try fixture.runSQLite(
      "file:app.db?vfs=sluice",
      (1...10).map { "ATTACH '\($0).db' AS a\($0); CREATE TABLE a\($0).t(x);" }.joined())
    #expect(logged.errors.contains(": Too many open files"), "\(logged.errors)")
    // Even the call for its full name may have failed.
    let isNamed =
      logged.errors.contains("(14) sluice: ") || logged.errors.contains("(782) sluice: ")
    #expect(isNamed, "\(logged.errors)")
    try fixture.runSQLite("file:app.db?vfs=sluice", "CREATE TABLE t(x); SELECT 1;")
      .expectLines(["1"])
  }
}
