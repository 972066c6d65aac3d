// Tools/python/sluice: the DB-API 2.0 module.

import Foundation
import Testing

struct SQLFromPythonTests {
  /// Runs a file of Tools/python/tests.
  private func run(_ name: String, private isPrivate: Bool = false, _ arguments: [String] = [])
    throws
  {
    let fixture = try Fixture()
    let engine = isPrivate ? nil : try fixture.startEngine()
    var environment = fixture.engineEnvironment(private: isPrivate)
    environment["SLUICE_TEST_ENGINE"] = "\(engine?.id ?? 0)"
    let outcome = try fixture.run(
      [Fixture.pythonProgram, Fixture.path("Tools/python/tests/\(name).py")] + arguments,
      environment, within: 120)
    outcome.expectSuccess()
  }

  @Test(arguments: [false, true])
  func doesWhatTheStandardLibraryDoes(isPrivate: Bool) throws {
    try run("test_like_sqlite3", private: isPrivate)
  }

  @Test func boundaryShowsAsTheDocumentationSays() throws { try run("test_boundary") }

  /// The suite is got from PyPI, and never kept.
  @Test(arguments: [false, true])
  func passesThePublicComplianceSuite(isPrivate: Bool) throws {
    let place = try Fixture()
    let got = try place.run(
      [
        "sh", "-euc",
        """
        python3 -m pip download --quiet --no-deps --no-binary :all: --dest . dbapi-compliance
        python3 -m zipfile -e dbapi-compliance-*.zip suite
        mv suite/*/dbapi20.py .
        """,
      ],
      ["HOME": place.scratch.path, "PYTHONPATH": ""], in: place.scratch, within: 100)
    guard got.ending == .exited(0) else {
      withKnownIssue("PyPI cannot be reached") { Issue.record("\(got.errors.suffix(300))") }
      return
    }
    try run("compliance", private: isPrivate, [place.scratch.path])
  }

  @Test func aLibraryThatIsMissingIsNamed() throws {
    let fixture = try Fixture()
    let outcome = try fixture.run(
      [Fixture.pythonProgram, "-c", "import sluice"],
      ["PYTHONPATH": Fixture.pythonModules, "SLUICE_SQL_LIBRARY": "/not/there.so"])
    #expect(outcome.errors.contains("set SLUICE_SQL_LIBRARY to its path"), "\(outcome.errors)")
  }
}
