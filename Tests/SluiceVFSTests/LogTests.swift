// How much goes to SQLite's log with each SLUICE_LOG.

import Testing

struct LogTests {
  /// An ordinary failure (a lock in the way), and a significant one (a directory opened as a
  /// database).
  private func logged(level: String?) throws -> (busy: Bool, significant: Bool) {
    let fixture = try Fixture(sidecar: true)
    try fixture.makeDatabase(fixture.inRoot("app.db"))
    let holder = try fixture.startPython(
      "c = native('app.db')\nc.execute('BEGIN EXCLUSIVE')\nready()")
    try holder.awaitLine("ready")
    let environment = level.map { ["SLUICE_LOG": $0] } ?? [:]
    let busy = try fixture.runSQLite("file:app.db?vfs=sluice", "SELECT * FROM t", environment)
    #expect(busy.errors.contains("database is locked"))
    let directory = try fixture.runSQLite("file:/?vfs=sluice", "SELECT 1", environment)
    #expect(directory.errors.contains("unable to open database"))
    let root = fixture.root.path
    return (
      busy.errors.contains("(5) sluice: lock \(root)/app.db: locked by another connection"),
      directory.errors.contains("(14) sluice: open \(root): ")
    )
  }

  @Test func nothingIsLoggedAtLevel0() throws {
    #expect(try logged(level: "0") == (false, false))
  }

  @Test(arguments: [nil, "1", "nonsense"])
  func whatIsSignificantIsLoggedByDefault(level: String?) throws {
    #expect(try logged(level: level) == (false, true))
  }

  @Test func everyFailureIsLoggedAtLevel2() throws {
    #expect(try logged(level: "2") == (true, true))
  }
}
