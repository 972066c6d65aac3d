// A file of one byte counts as empty for SQLite, as with its own VFS.

import Foundation
import Testing

struct OneByteTests {
  private static let kinds = ["shared", "private", "unowned", "native"]

  private func answer(_ kind: String, _ script: String) throws -> [String] {
    let fixture = try Fixture(sidecar: kind == "shared" || kind == "unowned")
    try Data("\n".utf8).write(to: fixture.inRoot("app.db"))
    let outcome = try fixture.runPython(
      """
      kind = sys.argv[1]
      def open_database(parameters=""):
          return native("app.db") if kind == "native" else proxied("app.db", parameters)
      # Another program has it open, so that the sidecar knows nothing without asking.
      other = open(ROOT + "/app.db", "rb") if kind == "unowned" else None
      """ + "\n" + script, arguments: [kind])
    outcome.expectSuccess()
    return outcome.lines
  }

  @Test(arguments: kinds)
  func databaseOfOneByteIsEmpty(kind: String) throws {
    let lines = try answer(
      kind,
      """
      c = open_database()
      print(c.execute("SELECT * FROM sqlite_master").fetchall(), one(c, "PRAGMA page_count"))
      c.execute("CREATE TABLE t(x)")
      c.execute("INSERT INTO t VALUES (1)")
      print(one(open_database(), "SELECT x FROM t"), one(c, "PRAGMA integrity_check"))
      """)
    #expect(lines == ["[] 0", "1 ok"])
  }

  @Test(arguments: kinds)
  func databaseOfOneByteGoesIntoWALMode(kind: String) throws {
    let lines = try answer(
      kind,
      """
      c = open_database()
      print(one(c, "PRAGMA journal_mode = WAL"))
      c.execute("CREATE TABLE t(x)")
      print(one(open_database(), "SELECT count(*) FROM t"))
      """)
    #expect(lines == ["wal", "0"])
  }

  /// A journal or WAL of one byte has nothing to recover. A file of two bytes is no database.
  @Test(arguments: kinds, ["-journal", "-wal", ""])
  func otherFilesOfFewBytesAreAsWithSQLitesOwn(kind: String, suffix: String) throws {
    let script = """
      c = open_database()
      c.execute("CREATE TABLE t(x)")
      c.execute("INSERT INTO t VALUES (1)")
      c.close()
      if "\(suffix)":
          with open(ROOT + "/app.db\(suffix)", "wb") as f: f.write(b"x")
      else:
          with open(ROOT + "/app.db", "wb") as f: f.write(b"xx")
      d = open_database()
      print(result(d.execute, "SELECT x FROM t"), result(d.execute, "INSERT INTO t VALUES (2)"))
      """
    #expect(try answer(kind, script) == answer("native", script))
  }
}
