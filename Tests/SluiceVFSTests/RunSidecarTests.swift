// The sidecar of `sluice run` without a root: the command and all programs that it starts share it,
// as long as they have the rights that it has.

import Foundation
import Glibc
import Testing

struct RunSidecarTests {
  private func run(
    _ fixture: Fixture, _ command: [String], _ environment: [String: String] = [:],
    options: [String] = []
  ) throws -> Outcome {
    try fixture.run(
      [Fixture.program, "run"] + options + ["--"] + command, variables(fixture, environment),
      in: fixture.outside)
  }

  private func variables(
    _ fixture: Fixture, _ environment: [String: String] = [:]
  ) -> [String: String] {
    ["SLUICE_LIBRARY": Fixture.library, "TMPDIR": fixture.scratch.path].merging(environment) { $1 }
  }

  private func shell(_ script: String) -> [String] { ["sh", "-c", script, Fixture.program] }

  private func python(_ script: String) -> [String] {
    [Fixture.pythonProgram, "-c", "import os, sqlite3, subprocess, sys\n" + script]
  }

  @Test(arguments: ["DELETE", "WAL"])
  func programsOfARunShareOneSidecar(mode: String) throws {
    let fixture = try Fixture()
    let outcome = try run(
      fixture,
      shell(
        """
        sqlite3 app.db 'PRAGMA journal_mode=\(mode); CREATE TABLE t(x)' >/dev/null
        for i in 1 2 3 4; do
          sqlite3 -cmd '.timeout 20000' app.db 'INSERT INTO t VALUES (1)' &
        done
        wait
        sqlite3 app.db 'SELECT count(*) FROM t'
        "$0" stats --socket "${SLUICE_RUN#* }" | grep -o '[0-9]* opened'
        """))
    outcome.expectLines(["4", "6 opened"])
    let file = fixture.outside.appending(path: "app.db")
    #expect(try fixture.nativeAnswer(file, "SELECT count(*) FROM t") == "4")
  }

  /// The pipe must end with the command, and not with the sidecar, which stays for a while.
  @Test func whatTheCommandSaysEndsWithIt() throws {
    let fixture = try Fixture()
    let outcome = try fixture.run(
      shell(
        """
        said=$("$0" run -- sh -c "sqlite3 app.db 'CREATE TABLE t(x)'; echo said >&2" 2>&1)
        echo "$said"; ls "$TMPDIR"/*.socket | wc -l
        """), variables(fixture), in: fixture.outside)
    outcome.expectLines(["said", "1"])
  }

  @Test func connectionGoesOnInAForkedChildAndAfterTheSidecarsEnd() throws {
    let fixture = try Fixture()
    let outcome = try run(
      fixture,
      python(
        """
        c = sqlite3.connect("app.db", isolation_level=None)
        c.execute("CREATE TABLE t(x)")
        child = os.fork()
        if child == 0:
            c.execute("INSERT INTO t VALUES (1)")
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        socket = os.environ["SLUICE_RUN"].split(" ", 1)[1]
        said = subprocess.check_output([sys.argv[1], "stats", "--socket", socket], text=True)
        os.kill(int(said.split("process ")[1].split(",")[0]), 9)
        c.execute("INSERT INTO t VALUES (1)")
        print(sqlite3.connect("app.db").execute("SELECT count(*) FROM t").fetchone()[0])
        """) + [Fixture.program])
    outcome.expectLines(["0", "2"])
  }

  // MARK: Rights

  @Test(
    .enabled(if: Machine.hasOtherUsers, "needs root"),
    arguments: [
      "os.setgroups([]); os.setgid(65534); os.setuid(65534)",
      "os.setgroups([]); os.setegid(65534); os.seteuid(65534)",
    ])
  func programThatGivesUpItsRightsHasNotThoseOfTheSidecar(renunciation: String) throws {
    let fixture = try Fixture()
    let outcome = try run(
      fixture,
      python(
        """
        os.chmod("..", 0o755); os.mkdir("locked", 0o700)
        c = sqlite3.connect("locked/secret.db", isolation_level=None)
        c.execute("CREATE TABLE t(x)")
        \(renunciation)
        def attempt(name):
            try: sqlite3.connect(name).execute("INSERT INTO t VALUES (1)")
            except sqlite3.Error as error: return error.sqlite_errorname[:15]
        print(attempt("locked/secret.db"), c.execute("SELECT count(*) FROM t").fetchone()[0])
        """))
    outcome.expectLines(["SQLITE_CANTOPEN 0"])
  }

  @Test(.enabled(if: Machine.hasMountNamespaces, "needs mount namespaces"))
  func programWithMountsOfItsOwnSeesThem() throws {
    let fixture = try Fixture()
    let outcome = try run(
      fixture,
      shell(
        """
        mkdir mnt; sqlite3 first.db 'CREATE TABLE t(x)'
        unshare -m sh -c 'mount -t tmpfs none mnt && sqlite3 mnt/x.db "CREATE TABLE t(x)"; ls mnt'
        ls mnt
        """))
    outcome.expectLines(["x.db"])
  }

  /// Root can enter a Landlock domain without no_new_privs. Nothing of that can be seen, except that
  /// the program can no longer look into processes outside.
  @Test(.enabled(if: Machine.isRoot, "needs root"))
  func programThatConfinesItselfIsConfined() throws {
    let fixture = try Fixture()
    let outcome = try run(
      fixture,
      python(
        """
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        sqlite3.connect("first.db").execute("CREATE TABLE t(x)")
        class Rules(ctypes.Structure): _fields_ = [("handled", ctypes.c_uint64)]
        rules = Rules(1 << 8)  # make regular files
        ruleset = libc.syscall(444, ctypes.byref(rules), 8, 0)
        print("confined" if libc.syscall(446, ruleset, 0) == 0 else "not")
        try: sqlite3.connect("second.db").execute("CREATE TABLE t(x)")
        except sqlite3.Error as error: print(error.sqlite_errorname)
        print(os.path.exists("second.db"))
        """))
    guard outcome.lines.first == "confined" else { return }
    outcome.expectLines(["confined", "SQLITE_CANTOPEN", "False"])
  }

  @Test func umaskIsTheProgramsOwn() throws {
    let fixture = try Fixture()
    let outcome = try run(
      fixture,
      shell(
        """
        umask 022; sqlite3 one.db 'CREATE TABLE t(x)'
        umask 077; sqlite3 two.db 'CREATE TABLE t(x)'; stat -c %a one.db two.db
        """))
    outcome.expectLines(["644", "600"])
  }

  /// Whatever stands in the environment, a program has its own files.
  @Test(arguments: ["", "nonsense", "$M ", "$M /nowhere", "0$M $S", "${M}0 $S", "$M $ROOTED"])
  func wrongMarkOrSocketLeadsToAPrivateSidecar(value: String) throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try run(
      fixture,
      shell(
        """
        M=${SLUICE_RUN%% *}; S=${SLUICE_RUN#* }; ROOTED=$SOCKET
        SLUICE_RUN="\(value)" sqlite3 app.db -cmd '.open app.db' -cmd 'CREATE TABLE t(x)' '.vfsname'
        ls
        "$0" stats --socket "$S" | grep -o '[0-9]* opened'
        """))
    outcome.expectLines(["sluice", "app.db", "0 opened"])
  }

  // MARK: The place of its socket

  /// In a sandbox no socket can have a name.
  @Test func withoutAPlaceEachProgramHasASidecarOfItsOwn() throws {
    let fixture = try Fixture()
    let file = fixture.outside.appending(path: "app.db")
    try fixture.makeDatabase(file)
    let outcome = try run(
      fixture, shell(#""$0" run -- sqlite3 app.db "SELECT sum(x) FROM t""#),
      options: ["--sandbox", "--root", "."])
    outcome.expectLines(["55"])
    #expect(outcome.errors.contains("each program has a sidecar of its own"), "\(outcome.errors)")
  }

  @Test(arguments: ["/no/such/directory", "relative", "long"])
  func socketHasAnotherPlaceIfTheFirstIsNone(kind: String) throws {
    let fixture = try Fixture()
    let long = fixture.scratch.appending(path: String(repeating: "x", count: 90))
    try FileManager.default.createDirectory(at: long, withIntermediateDirectories: true)
    let directory = kind == "long" ? long.path : kind
    for options in [[], ["--root", fixture.outside.path]] {
      let outcome = try run(
        fixture,
        shell(
          """
          sqlite3 app.db 'CREATE TABLE IF NOT EXISTS t(x)' && ls app.db
          echo "$SLUICE_SOCKET${SLUICE_RUN#* }"
          """), ["TMPDIR": directory, "XDG_RUNTIME_DIR": fixture.scratch.path], options: options)
      outcome.expectSuccess()
      #expect(outcome.lines.first == "app.db")
      #expect(outcome.lines.last?.hasPrefix(fixture.scratch.path + "/sluice-") == true)
    }
  }

  @Test func socketsOfDeadSidecarsAreRemovedAndNothingElse() throws {
    let fixture = try Fixture()
    let living = try run(
      fixture,
      python(
        """
        import socket
        place = os.environ["TMPDIR"]
        def listen(name, kind=socket.SOCK_SEQPACKET):
            s = socket.socket(socket.AF_UNIX, kind)
            s.bind(os.path.join(place, name)); s.listen()
            return s
        listen("sluice-dead.socket").close(); listen("other.socket").close()
        kept = listen("sluice-live.socket")
        open(os.path.join(place, "sluice-file.socket"), "w").close()
        subprocess.check_call([sys.argv[1], "run", "--", "true"])
        print(sorted(n for n in os.listdir(place) if n in
            {"sluice-dead.socket", "other.socket", "sluice-live.socket", "sluice-file.socket"}))
        """) + [Fixture.program])
    living.expectLines(["['other.socket', 'sluice-file.socket', 'sluice-live.socket']"])
  }
}
