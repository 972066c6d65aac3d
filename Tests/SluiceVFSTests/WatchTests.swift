// sluice run reports the programs that open databases without Sluice.

import Foundation
import Glibc
import Testing

struct WatchTests {
  private func variables(_ fixture: Fixture) -> [String: String] {
    ["SLUICE_LIBRARY": Fixture.library, "TMPDIR": fixture.scratch.path]
  }

  private func run(_ fixture: Fixture, _ words: [String]) throws -> Outcome {
    try fixture.run([Fixture.program, "run"] + words, variables(fixture), in: fixture.outside)
  }

  /// What a run says on standard error, up to the end of the pipe.
  private func report(
    _ fixture: Fixture, _ command: [String], prefix: [String] = [],
    program: String = Fixture.program
  ) throws -> [String] {
    let script = #"{ "$0" "$@" >/dev/null; } 2>&1 | grep -a '^sluice: run: '; true"#
    let outcome = try fixture.run(
      prefix + ["sh", "-c", script, program, "run", "--"] + command, variables(fixture),
      in: fixture.outside)
    outcome.expectSuccess()
    return outcome.lines
  }

  private func expectOne(
    _ report: [String], _ parts: String..., location: SourceLocation = #_sourceLocation
  ) {
    #expect(report.count == 1, "\(report)", sourceLocation: location)
    for part in parts {
      #expect(report.first?.contains(part) == true, "\(part): \(report)", sourceLocation: location)
    }
  }

  private func shell(_ script: String) -> [String] { ["sh", "-c", script] }

  // MARK: Programs that open databases themselves

  @Test func programWithAnSQLiteOfItsOwnIsReportedOnce() throws {
    let fixture = try Fixture()
    let own = try fixture.compileOwnSQLite()
    let database = fixture.outside.appending(path: "first.db").path
    for command in [
      [own, "first.db"], shell("./own first.db; for i in $(seq 50); do ./own b.db; done"),
    ] {
      expectOne(
        try report(fixture, command), "\(own) (process ", ") opened \(database) without Sluice",
        "it has an SQLite of its own; use a build that links libsqlite3 dynamically")
    }
  }

  @Test(arguments: ["sqlite3 -vfs unix", "SLUICE_DEFAULT=0 sqlite3"])
  func programThatChoosesAnotherVFSIsReported(shell: String) throws {
    let fixture = try Fixture()
    let command = self.shell("\(shell) x.db 'CREATE TABLE t(x)'")
    expectOne(
      try report(fixture, command), "sqlite3 (process ", "/x.db without Sluice",
      "it chose another VFS of libsqlite3")
  }

  /// WAL mode has a lock on the database, too.
  @Test func databaseInWALModeIsSeen() throws {
    let fixture = try Fixture()
    let file = fixture.outside.appending(path: "w.db")
    #expect(
      try fixture.runNative(file, "PRAGMA journal_mode=WAL; CREATE TABLE t(x)").lines == ["wal"])
    expectOne(
      try report(fixture, ["sqlite3", "-vfs", "unix", "w.db", "SELECT * FROM t"]), "/w.db without")
  }

  @Test(.enabled(if: Machine.has("fossil", "version"), "needs fossil"))
  func fossilIsReported() throws {
    let fixture = try Fixture()
    let command = shell("HOME=$PWD USER=me fossil init new.fossil")
    expectOne(try report(fixture, command), "fossil (process ", "it has an SQLite of its own")
  }

  // MARK: Programs that cannot be reached

  @Test func staticProgramWithSQLiteIsReported() throws {
    let fixture = try Fixture()
    let program = try fixture.compileOwnSQLite("fixed", ["-static"])
    for command in [[program, "x.db"], shell("./fixed x.db"), ["env", "-i", "./fixed", "x.db"]] {
      expectOne(try report(fixture, command), "\(program) (process ", "it is linked statically")
    }
  }

  @Test func staticProgramsDatabaseIsNamedWhileItIsOpen() throws {
    let fixture = try Fixture()
    try fixture.makeDatabase(fixture.outside.appending(path: "x.db"))
    let program = try fixture.compile(
      "fixed",
      """
      #include <sqlite3.h>
      #include <unistd.h>
      int main() {
        sqlite3 *db;
        sqlite3_open("x.db", &db); sqlite3_exec(db, "SELECT * FROM t", 0, 0, 0);
        return sleep(1);
      }
      """, ["-static", "-l:libsqlite3.a", "-lm", "-lpthread", "-ldl"])
    expectOne(
      try report(fixture, [program]), "opened \(fixture.outside.path)/x.db without Sluice",
      "linked statically")
  }

  @Test(.enabled(if: Machine.has("musl-gcc", "--version"), "needs musl-tools"))
  func programOfAnotherCLibraryRunsAndIsReported() throws {
    let fixture = try Fixture()
    let program = try fixture.compileHeader("musl", [], with: "musl-gcc")
    for command in [[program], shell("./musl")] {
      try run(fixture, ["--quiet", "--"] + command).expectLines(["SQLite format 3"])
      expectOne(try report(fixture, command), "\(program) (process ", "its C library is not glibc")
    }
  }

  @Test(
    .enabled(
      if: Machine.has("sh", "-c", "f=$(mktemp); echo | clang -m32 -x c -c -o $f - && rm $f"),
      "needs -m32"))
  func programOf32BitsIsReported() throws {
    let fixture = try Fixture()
    let program = try fixture.compile(
      "narrow",
      """
      volatile const char header[16] = "SQLite format 3";
      void _start() { __asm__("mov $1, %eax; movsbl header+15, %ebx; int $0x80"); }
      """, ["-m32", "-nostdlib", "-static", "-fno-pic", "-no-pie"])
    expectOne(try report(fixture, [program]), "\(program) (process ", "32-bit program")
  }

  @Test(.enabled(if: Machine.hasOtherUsers, "needs root"))
  func setuidProgramAndWhatItStartsAreReported() throws {
    let fixture = try Fixture()
    let program = try fixture.compile(
      "gainer",
      """
      #include <stdlib.h>
      #include <unistd.h>
      int main(int count, char **words) {
        setuid(0); clearenv();
        execl("/usr/bin/sqlite3", "sqlite3", words[1], "CREATE TABLE t(x)", ".shell sleep 1", (char *)0);
        return 1;
      }
      """)
    let setUp = try fixture.run(
      [
        "sh", "-ec",
        """
        mkdir ../bin ../lib; cp "$0" ../bin/sluice; cp "$1" ../lib/libsluice.so
        cp /usr/bin/sqlite3 gainer2; chmod 4755 gainer gainer2; chmod 777 . ../scratch; chmod 755 ..
        """, Fixture.program, Fixture.library,
      ], in: fixture.outside)
    setUp.expectSuccess()
    func said(_ command: [String]) throws -> [String] {
      try report(
        fixture, command,
        prefix: [
          "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", "-u",
          "SLUICE_LIBRARY",
        ],
        program: fixture.directory.appending(path: "bin/sluice").path)
    }
    expectOne(
      try said(["./gainer2", "x.db", "CREATE TABLE t(x)"]), "gainer2 (process ",
      "it gains rights when it is started", "sudo sluice run -- …")
    expectOne(
      try said([program, "y.db"]), "/sqlite3 (process ",
      ", started by \(program))", "it gains rights")
    // For root it gains none.
    #expect(
      try report(fixture, ["./gainer2", "z.db", "CREATE TABLE t(x)"]).isEmpty)
  }

  /// There is no /proc there.
  @Test(
    .enabled(if: Machine.isRoot, "needs root"),
    arguments: [
      ("grep -v libsluice", "it cannot read \(Fixture.library)"),
      ("cat", "opened a database without Sluice: it has an SQLite of its own"),
    ])
  func programInAnotherRootDirectoryIsReported(libraries: String, reason: String) throws {
    let fixture = try Fixture()
    try fixture.compileOwnSQLite()
    let said = try report(
      fixture,
      shell(
        """
        mkdir jail
        for file in $PWD/own $(ldd own | grep -o '/[^ ]*' | \(libraries)); do
          mkdir -p "jail$(dirname $file)"; cp -L $file jail$file
        done
        chroot jail $PWD/own /x.db
        """))
    expectOne(said, " (process ", reason)
  }

  /// system() starts its shell with the environment that the program has left.
  @Test func processThatNobodyToldOfIsFound() throws {
    let fixture = try Fixture()
    let program = try fixture.compile(
      "caller",
      """
      #include <stdlib.h>
      int main() {
        clearenv();
        return system("/usr/bin/sqlite3 x.db 'CREATE TABLE t(x)' '.shell sleep 2'");
      }
      """)
    expectOne(
      try report(fixture, [program]), "/sqlite3 (process ", "/x.db",
      "libsluice.so was not preloaded into it")
  }

  // MARK: Programs that are not reported

  @Test func programsThatUseSluiceOrNoDatabaseAreNotReported() throws {
    let fixture = try Fixture()
    try fixture.compile("fixed", "int main() { return 0; }", ["-static"])
    let said = try report(
      fixture,
      shell(
        """
        ./fixed; sqlite3 x.db 'CREATE TABLE t(x)'; env -i sqlite3 x.db 'INSERT INTO t VALUES (1)'
        \(Fixture.pythonProgram) -c 'import sqlite3, time
        c = sqlite3.connect("x.db"); c.execute("PRAGMA journal_mode=WAL").fetchall()
        c.execute("INSERT INTO t VALUES (2)"); c.commit(); time.sleep(0.7)'
        """))
    #expect(said.isEmpty, "\(said)")
  }

  @Test func quietRunReportsNothing() throws {
    let fixture = try Fixture()
    let own = try fixture.compileOwnSQLite()
    let script = #""$0" run --quiet -- "$1" x.db 2>&1"#
    let outcome = try fixture.run(
      ["sh", "-c", script + " | cat", Fixture.program, own], variables(fixture), in: fixture.outside
    )
    outcome.expectLines([])
    #expect(fixture.exists(fixture.outside.appending(path: "x.db")))
  }

  // MARK: --require

  @Test func requireKeepsTheEndOfACommandThatUsesSluice() throws {
    let fixture = try Fixture()
    for code in [0, 1, 7] as [Int32] {
      let outcome = try run(
        fixture,
        ["--require", "--"] + shell("sqlite3 x.db 'CREATE TABLE IF NOT EXISTS t(x)'; exit \(code)"))
      #expect(outcome.ending == .exited(code))
      #expect(outcome.errors.isEmpty, "\(outcome.errors)")
    }
    #expect(try run(fixture, ["--require"] + shell("kill -TERM $$")).ending == .killed(SIGTERM))
  }

  @Test(arguments: [[], ["--quiet"], ["--sandbox", "--root", "."]])
  func requireFailsAfterAProgramThatDoesNot(options: [String]) throws {
    let fixture = try Fixture()
    try fixture.makeDatabase(fixture.outside.appending(path: "x.db"))
    try fixture.compileOwnSQLite()
    let script = "./own x.db; echo done; exit 7"
    let outcome = try run(fixture, ["--require"] + options + ["--"] + shell(script))
    #expect(outcome.ending == .exited(2))
    #expect(outcome.output == "done\n")
    #expect(outcome.errors.isEmpty == options.contains("--quiet"), "\(outcome.errors)")
  }

  @Test func requireFailsWithoutAWatcher() throws {
    let fixture = try Fixture()
    let outcome = try run(
      fixture,
      ["--require", "--"] + shell("pkill -KILL -f -- \"--process $$ --library\"; sleep 0.2"))
    #expect(outcome.ending == .exited(2))
    #expect(outcome.errors == "sluice: run: --require: the watcher did not answer\n")
  }

  // MARK: The watcher and its messages

  /// A reader of standard error gets the report, and then the end.
  @Test func reportIsTheEndOfStandardError() throws {
    let fixture = try Fixture()
    try fixture.compileOwnSQLite()
    let outcome = try fixture.run(
      [
        "sh", "-c",
        """
        said=$("$0" run -- sh -c './own x.db; sleep 60 >/dev/null 2>&1 & echo $!' 2>&1); echo "$said"
        kill "${said%%sluice*}"
        """, Fixture.program,
      ], variables(fixture), in: fixture.outside, within: 20)
    #expect(outcome.lines.count == 2, "\(outcome.output)")
  }

  @Test func messagesOfOthersChangeNothing() throws {
    let fixture = try Fixture()
    let own = try fixture.compileOwnSQLite()
    let said = try report(
      fixture,
      [
        Fixture.pythonProgram, "-c",
        """
        import os, socket, subprocess
        name, token = os.environ["SLUICE_WATCH"].split()
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        def tell(*fields, end="\\0"):
            s.sendto(("\\0".join(fields) + end).encode(), "\\0" + name)
        tell("1", "x" + token, "o", "0", "/bin/wrong", "/x.db", "")
        tell("2", token, "o", "0", "/bin/version", "/x.db", "")
        tell("1", token, "n", "0", "/bin/kind", "/x.db", "")
        tell("1", token, "o", "-5", "/bin/process", "/x.db", "")
        tell("1", token, "o", "0", "/bin/short", "/x.db")
        tell("1", token, "o", "0", "/bin/unended", "/x.db", "", end="")
        s.sendto(b"", "\\0" + name); s.sendto(b"\\xff" * 20000, "\\0" + name)
        tell("1", token, "o", "0", "/bin/control\\n\\x1b[2J", "/y.db", "")
        subprocess.run(["\(own)", "x.db"])
        """,
      ])
    #expect(said.count == 2, "\(said)")
    #expect(said.first?.contains("/bin/control??[2J (process ") == true, "\(said)")
    #expect(said.last?.contains("\(own) (process ") == true, "\(said)")
  }

  @Test func libraryThatCannotBePreloadedIsNamed() throws {
    let fixture = try Fixture()
    let outcome = try fixture.run(
      [
        "sh", "-c",
        """
        head -c 100000 "$SLUICE_LIBRARY" > cut.so; echo text > text.so; cp /lib/*/libm.so.6 other.so
        for library in cut.so text.so other.so; do
          SLUICE_LIBRARY=$library "$0" run -- echo started; echo $?
        done
        """, Fixture.program,
      ], variables(fixture), in: fixture.outside)
    outcome.expectLines(["2", "2", "2"])
    for (name, reason) in [
      ("cut", "it is cut off"), ("text", "it is no library for this machine"),
      ("other", "it is another library than libsluice.so"),
    ] {
      let line = "sluice: run: \(fixture.outside.path)/\(name).so: \(reason)"
      #expect(outcome.errors.contains(line), "\(outcome.errors)")
    }
  }
}
