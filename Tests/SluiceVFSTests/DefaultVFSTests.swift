// How the extension is loaded: as the default VFS, twice, by name.

import Testing

struct DefaultVFSTests {
  @Test func loadingLeavesTheDefaultAlone() throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try load(fixture, ["CREATE TABLE t(x);", ".vfsname"])
    outcome.expectSuccess()
    #expect(outcome.output.hasPrefix("unix"))
  }

  @Test func environmentMakesItTheDefault() throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try load(
      fixture, ["CREATE TABLE t(x);", ".vfsname"], ["SLUICE_DEFAULT": "1"])
    outcome.expectLines(["sluice"])
    #expect(fixture.exists(fixture.inRoot("plain.db")))
  }

  @Test func loadingTwiceIsFine() throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try load(
      fixture,
      [
        ".load \(Fixture.library)", ".open file:a.db?vfs=sluice", "CREATE TABLE t(x);",
        ".load \(Fixture.library)", "SELECT count(*) FROM t;", ".vfsname",
      ])
    outcome.expectLines(["0", "sluice"])
  }

  @Test func itStaysLoadedAfterTheConnectionThatLoadedIt() throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runPython(
      """
      LOADER.close()
      c = proxied("a.db")
      c.execute("CREATE TABLE t(x)")
      other = sqlite3.connect(":memory:")
      other.enable_load_extension(True)
      other.load_extension(os.environ["SLUICE_LIB"])
      other.close()
      print(result(c.execute, "INSERT INTO t VALUES (1)"))
      """)
    outcome.expectLines(["OK"])
  }

  /// Runs shell commands after the extension is loaded and `plain.db` opened.
  private func load(
    _ fixture: Fixture, _ commands: [String], _ environment: [String: String] = [:]
  ) throws -> Outcome {
    var words = [Fixture.sqliteProgram, "-batch", "-bail", "-cmd", ".load \(Fixture.library)"]
    for command in [".open plain.db"] + commands { words += ["-cmd", command] }
    return try fixture.run(words + [":memory:", ""], environment)
  }
}
