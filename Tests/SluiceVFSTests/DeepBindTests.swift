// Programs whose modules find libsqlite3's functions before those of a preloaded library
// (RTLD_DEEPBIND).

import Foundation
import Testing

struct DeepBindTests {
  private static let modes: [[String]] = [
    [], ["--root", "."], ["--sandbox", "--root", "."],
  ]

  private func run(_ fixture: Fixture, _ words: [String]) throws -> Outcome {
    try fixture.run(
      [Fixture.program, "run"] + words,
      ["SLUICE_LIBRARY": Fixture.library, "TMPDIR": fixture.scratch.path], in: fixture.root)
  }

  /// A program sees that its database is proxied: it has no descriptor of the file.
  @Test(arguments: modes)
  func moduleThatIsLoadedSoIsProxied(options: [String]) throws {
    let fixture = try Fixture()
    let outcome = try run(
      fixture,
      options + [
        "--", Fixture.pythonProgram, "-c",
        """
        import os, sys
        sys.setdlopenflags(os.RTLD_NOW | os.RTLD_DEEPBIND)
        import sqlite3
        c = sqlite3.connect("app.db")
        c.execute("CREATE TABLE t(x)")
        held = [os.readlink("/proc/self/fd/" + n) for n in os.listdir("/proc/self/fd")
                if os.path.exists("/proc/self/fd/" + n)]
        print(any(name.endswith("app.db") for name in held), os.path.getsize("app.db") > 0)
        """,
      ])
    outcome.expectLines(["False True"])
  }

  /// Tools/test installs PHP.
  @Test(
    .enabled(if: Machine.hasPHP, "needs PHP with SQLite: php-cli, php-sqlite3"), arguments: modes)
  func phpIsProxied(options: [String]) throws {
    let fixture = try Fixture()
    let outcome = try run(
      fixture,
      options + [
        "--", "php", "-r",
        """
        $d = new PDO("sqlite:app.db"); $d->exec("CREATE TABLE t(x)");
        $e = new SQLite3("app.db"); $e->exec("INSERT INTO t VALUES (1)");
        $held = array_map(fn($f) => @readlink($f), glob("/proc/self/fd/*"));
        echo count(preg_grep("/app[.]db$/", $held)), " ",
          $d->query("SELECT count(*) FROM t")->fetchColumn(), "\\n";
        """,
      ])
    outcome.expectLines(["0 1"])
    #expect(try fixture.nativeAnswer(fixture.inRoot("app.db"), "SELECT count(*) FROM t") == "1")
  }
}
