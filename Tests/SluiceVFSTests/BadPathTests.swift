// Paths that lead nowhere or out of the root, and names that users of SQLite mistype.

import Foundation
import Testing

struct BadPathTests {
  private static let leadsOut = "the path leads out of the sidecar's root directory"

  /// A sidecar whose root has links of all kinds, and a database outside that no client may reach.
  private func makeFixture(private isPrivate: Bool = false) throws -> Fixture {
    let fixture = try Fixture(sidecar: !isPrivate)
    try fixture.makeDatabase(fixture.outside.appending(path: "secret.db"))
    let files = FileManager.default
    try files.createDirectory(at: fixture.inRoot("sub"), withIntermediateDirectories: true)
    for (name, target) in [
      ("absolute.db", fixture.outside.appending(path: "secret.db").path),
      ("relative.db", "../outside/secret.db"), ("directory", "../outside"),
      ("absolute-directory", fixture.outside.path), ("new.db", "../outside/new.db"),
      ("inner.db", "sub/real.db"), ("sub/up.db", "../sub/../sub/real.db"),
      ("magic.db", "/proc/self/exe"), ("loop.db", "loop.db"), ("absolute-inner.db", "/sub/real.db"),
    ] {
      try files.createSymbolicLink(
        atPath: fixture.inRoot(name).path, withDestinationPath: target)
    }
    return fixture
  }

  @Test(arguments: [
    "../outside/secret.db", "/../outside/secret.db", "sub/../../outside/secret.db", "../../etc/x",
    "absolute.db", "relative.db", "directory/secret.db", "absolute-directory/secret.db", "new.db",
    "directory/new.db", "magic.db", "absolute-inner.db",
  ])
  func pathOutOfTheRootIsRefused(path: String) throws {
    let fixture = try makeFixture()
    let outcome = try fixture.runSQLite("file:\(path)?vfs=sluice", "SELECT * FROM t")
    #expect(outcome.errors.contains(BadPathTests.leadsOut), "\(outcome.errors)")
    #expect(outcome.errors.contains("sluice: full pathname \(path)"))
    #expect(outcome.errors.contains("(782) "), "SQLITE_CANTOPEN_FULLPATH: \(outcome.errors)")
    let left = try FileManager.default.contentsOfDirectory(atPath: fixture.outside.path)
    #expect(left == ["secret.db"])
  }

  @Test func attachVacuumIntoAndDeletionStayInTheRootToo() throws {
    let fixture = try makeFixture()
    let outcome = try fixture.runPython(
      """
      c = proxied("app.db")
      c.execute("CREATE TABLE t(x)")
      for sql in ["ATTACH '../outside/secret.db' AS o", "ATTACH 'directory/secret.db' AS o",
                  "VACUUM INTO '../outside/copy.db'", "VACUUM INTO 'directory/copy.db'"]:
          print(result(c.execute, sql)[:15])
      print(result(lambda: proxied("relative.db", "delete-before-open=1"))[:15])
      print(os.listdir(OUTSIDE), one(native("../outside/secret.db"), "SELECT count(*) FROM t"))
      """)
    outcome.expectLines(Array(repeating: "SQLITE_CANTOPEN", count: 5) + ["['secret.db'] 10"])
  }

  @Test(arguments: ["inner.db", "sub/up.db", "sub/../inner.db"])
  func linkWithinTheRootWorksAndItsJournalLiesBesideTheRealFile(path: String) throws {
    let fixture = try makeFixture()
    let outcome = try fixture.runPython(
      """
      c = proxied(sys.argv[1])
      print(c.execute("PRAGMA database_list").fetchone()[2])
      c.execute("CREATE TABLE t(x)")
      c.execute("BEGIN")
      c.execute("INSERT INTO t VALUES (1)")
      print([n for n in os.listdir(ROOT) if "-journal" in n], [n for n in os.listdir(ROOT + "/sub") if "-journal" in n])
      c.execute("COMMIT")
      print(one(native("sub/real.db"), "SELECT count(*) FROM t"))
      """, arguments: [path])
    outcome.expectLines([
      fixture.inRoot("sub/real.db").path, "[] ['real.db-journal']", "1",
    ])
  }

  @Test func privateSidecarFollowsTheHostsLinksAndThoseOfProc() throws {
    let fixture = try makeFixture(private: true)
    for path in ["absolute.db", "relative.db", "directory/secret.db"] {
      try fixture.runSQLite("file:\(path)?vfs=sluice", "SELECT count(*) FROM t")
        .expectLines(["10"])
    }
    let outcome = try fixture.runPython(
      """
      directory = os.open(ROOT, os.O_RDONLY)
      opened = os.open(OUTSIDE + "/secret.db", os.O_RDONLY)
      for path in [f"/proc/self/fd/{directory}/app.db", "/proc/self/cwd/app.db",
                   f"/proc/self/fd/{opened}"]:
          print(result(lambda: proxied(path).execute("CREATE TABLE u(x)"))[:15])
      print("app.db" in os.listdir(ROOT), len(os.listdir("/")) > 0 and not os.path.exists("/app.db"))
      """)
    // The program's own kernel reads them, as for stock SQLite. The second one finds the table that
    // the first has made.
    outcome.expectLines(["OK", "SQLITE_ERROR", "OK", "True True"])
  }

  @Test func tooLongAPathIsNamed() throws {
    let fixture = try makeFixture()
    for count in [600, 1000, 1100, 1200, 5000] {
      let path = String(repeating: "a/", count: count / 2) + "x.db"
      let outcome = try fixture.runSQLite("file:\(path)?vfs=sluice", "CREATE TABLE t(x)")
      #expect(outcome.errors.contains("the path is too long"), "\(count): \(outcome.errors)")
    }
    let component = String(repeating: "a", count: 300)
    let outcome = try fixture.runSQLite("file:\(component)?vfs=sluice", "CREATE TABLE t(x)")
    #expect(outcome.errors.contains("File name too long"))
    // The longest path that stock SQLite takes.
    try FileManager.default.createDirectory(
      at: fixture.inRoot(String(repeating: "b", count: 240)), withIntermediateDirectories: true)
    let long = String(repeating: "b", count: 240) + "/" + String(repeating: "c", count: 240)
    try fixture.runSQLite("file:\(long)?vfs=sluice", "CREATE TABLE t(x); SELECT 1;")
      .expectLines(["1"])
  }

  @Test func directoriesAndOddFilesAreNoDatabases() throws {
    let fixture = try makeFixture()
    _ = unsafe mkfifo(fixture.inRoot("fifo").path, 0o600)
    let outcome = try fixture.runPython(
      """
      for path in ["sub", "/", "sub/", ".", "fifo", "loop.db", "none/app.db", "inner.db/app.db"]:
          print(path, result(lambda: proxied(path).execute("CREATE TABLE t(x)")))
      print(result(lambda: proxied("absent.db", "mode=ro").execute("SELECT 1")),
            result(lambda: proxied("absent.db", "mode=rw").execute("SELECT 1")),
            os.path.exists(ROOT + "/absent.db"))
      """)
    outcome.expectLines([
      "sub SQLITE_CANTOPEN", "/ SQLITE_CANTOPEN", "sub/ SQLITE_CANTOPEN", ". SQLITE_CANTOPEN",
      "fifo SQLITE_CANTOPEN", "loop.db SQLITE_CANTOPEN", "none/app.db SQLITE_CANTOPEN",
      "inner.db/app.db SQLITE_CANTOPEN",
      "SQLITE_CANTOPEN SQLITE_CANTOPEN False",
    ])
    let directory = try fixture.runSQLite("file:sub?vfs=sluice", "CREATE TABLE t(x)")
    let named = "sluice: open \(fixture.inRoot("sub").path): the system refused: Is a directory"
    #expect(directory.errors.contains(named), "\(directory.errors)")
    let fifo = try fixture.runSQLite("file:fifo?vfs=sluice", "CREATE TABLE t(x)")
    #expect(fifo.errors.contains("not a regular file"))
  }

  @Test(arguments: [
    ("unlock-asap=maybe", "unlock-asap takes 0 or 1 in the URI"),
    ("delete-before-open=2", "delete-before-open takes 0 or 1 in the URI"),
    ("psow=x", "psow takes 0 or 1 in the URI"),
    ("wait=soon", "wait takes milliseconds from 0 to 3600000 in the URI"),
    ("wait=3600001", "wait takes milliseconds from 0 to 3600000 in the URI"),
    ("implicit-locks=abc", "implicit-locks takes milliseconds from 0 to 3600000 in the URI"),
    ("implicit-locks=-1", "implicit-locks takes milliseconds from 0 to 3600000 in the URI"),
    ("implicit-locks=3600001", "implicit-locks takes milliseconds from 0 to 3600000 in the URI"),
    ("implicit-locks=99999999999999999999", "implicit-locks takes milliseconds from 0 to 3600000"),
  ])
  func unknownValueInTheURIIsNamed(parameter: String, message: String) throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runSQLite("file:app.db?vfs=sluice&\(parameter)", "SELECT 1")
    let named = "(21) sluice: open \(fixture.inRoot("app.db").path): \(message)"
    #expect(outcome.errors.contains(named), "\(outcome.errors)")
    #expect(!fixture.exists(fixture.inRoot("app.db")))
  }
}
