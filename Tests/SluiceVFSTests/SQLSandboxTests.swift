// Programs in a sandbox, without any SQLite, that use SQL through an engine outside.

import Foundation
import Testing

struct SQLSandboxTests {
  /// Runs a command in a sandbox that can change nothing; the engine's databases lie in `root`.
  private func run(_ fixture: Fixture, _ command: [String]) throws -> Outcome {
    var environment = fixture.engineEnvironment()
    environment["SLUICE_LIBRARY"] = Fixture.library
    environment["TMPDIR"] = fixture.scratch.path
    let files = fixture.directory.appending(path: "files")
    try FileManager.default.createDirectory(at: files, withIntermediateDirectories: true)
    return try fixture.run(
      [Fixture.program, "run", "--sandbox", "--root", files.path, "--"] + command, environment,
      in: fixture.outside)
  }

  @Test(.enabled(if: hasLandlock)) func pythonUsesSQLWithoutSQLite() throws {
    let fixture = try Fixture()
    let engine = try fixture.startEngine()
    let program = """
      import sluice
      try: open("made", "w")
      except OSError: print("no file")
      with sluice.connect("boxed.db") as c:
          c.execute("CREATE TABLE t(x)")
          c.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(1000)])
      print(c.execute("SELECT sum(x) FROM t").fetchone())
      print([line for line in open("/proc/self/maps") if "libsqlite3" in line])
      """
    try run(fixture, [Fixture.pythonProgram, "-c", program])
      .expectLines(["no file", "(499500,)", "[]"])
    #expect(
      try fixture.nativeAnswer(fixture.inRoot("boxed.db"), "SELECT sum(x) FROM t") == "499500")
    _ = engine
  }

  @Test(.enabled(if: hasLandlock)) func cProgramUsesSQLWithoutSQLite() throws {
    let fixture = try Fixture()
    let engine = try fixture.startEngine()
    let program = try fixture.compileSQL(
      "boxed",
      """
      #include <sluice.h>
      #include <stdio.h>
      #include <string.h>
      int main() {
        sluice_connection *db;
        sluice_result *result;
        if (fopen("made", "w")) return 1;
        if (sluice_open("boxed.db", NULL, SLUICE_CREATE, -1, &db)) return 2;
        if (sluice_execute(db, "CREATE TABLE t AS SELECT 7 AS x", -1, NULL, 0, 0, NULL)) return 3;
        if (sluice_execute(db, "SELECT x FROM t", -1, NULL, 0, 0, &result)) return 4;
        if (sluice_step(result) != SLUICE_ROW) return 5;
        printf("%d\\n", (int)sluice_column_int64(result, 0));
        sluice_result_close(result);
        sluice_close(db);
        char line[4096];
        FILE *maps = fopen("/proc/self/maps", "r");
        while (fgets(line, sizeof line, maps)) if (strstr(line, "libsqlite3")) return 6;
        return 0;
      }
      """)
    try run(fixture, [program]).expectLines(["7"])
    #expect(try fixture.nativeAnswer(fixture.inRoot("boxed.db"), "SELECT x FROM t") == "7")
    _ = engine
  }
}
