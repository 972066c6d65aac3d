// A confined sidecar can do nothing besides its work, and still serves.

import Foundation
import Glibc
import Testing

/// Whether this machine's kernel has Landlock, according to the product.
let hasLandlock: Bool = {
  let answer = try? Fixture().run([Fixture.program, "confinement"])
  return answer?.output.contains("Landlock: version") ?? false
}()

/// Starts a program in a world in which the kernel has no Landlock.
let withoutLandlock = [
  Fixture.pythonProgram, "-c",
  """
  import ctypes, os, struct, sys
  def instruction(code, yes, no, k): return struct.pack("HBBI", code, yes, no, k)
  program = (instruction(0x20, 0, 0, 0) + instruction(0x15, 0, 1, 444)
             + instruction(0x06, 0, 0, 0x00050000 | 38) + instruction(0x06, 0, 0, 0x7fff0000))
  buffer = ctypes.create_string_buffer(program)
  filter = struct.pack("HxxxxxxQ", 4, ctypes.addressof(buffer))
  libc = ctypes.CDLL(None, use_errno=True)
  assert libc.prctl(38, 1, 0, 0, 0) == 0
  assert libc.prctl(22, 2, filter, 0, 0) == 0, os.strerror(ctypes.get_errno())
  os.execvp(sys.argv[1], sys.argv[1:])
  """,
]

struct ConfinementTests {
  /// Work of every kind, on several connections at once.
  private static let work = """
    import os
    for mode in "DELETE", "WAL":
        c, d = proxied(mode + ".db"), proxied(mode + ".db")
        c.execute("PRAGMA journal_mode=" + mode)
        c.execute("PRAGMA temp_store=FILE")
        c.execute("PRAGMA cache_size=10")
        c.execute("CREATE TABLE t(x)")
        for i in range(20): (c, d)[i % 2].execute("INSERT INTO t VALUES (randomblob(9000))")
        c.execute("CREATE TEMP TABLE z AS SELECT * FROM t ORDER BY x")
        c.execute("DELETE FROM t WHERE rowid % 2")
        c.execute("VACUUM")
        print(one(d, "SELECT count(*) FROM t"), result(lambda: proxied("../secret.db").execute("SELECT * FROM t")))
        native(mode + ".db").execute("INSERT INTO t VALUES (1)")
        print(one(c, "SELECT count(*) FROM t"))
        c.close(); d.close()
    """
  private static let answers = [
    "10 SQLITE_CANTOPEN_FULLPATH", "11", "10 SQLITE_CANTOPEN_FULLPATH", "11",
  ]

  private func status(_ process: pid_t, _ field: String) throws -> Set<String> {
    let tasks = "/proc/\(process)/task"
    let all = try FileManager.default.contentsOfDirectory(atPath: tasks).map {
      let text = try String(contentsOfFile: "\(tasks)/\($0)/status", encoding: .utf8)
      let line = text.split(separator: "\n").first { $0.hasPrefix(field + ":") }
      return line.map { $0.split(separator: "\t").last.map(String.init) ?? "" } ?? ""
    }
    return Set(all)
  }

  @Test(.enabled(if: hasLandlock)) func whatIsNotItsWorkIsRefused() throws {
    let fixture = try Fixture()
    let words = [Fixture.program, "confinement", "--root", fixture.root.path]
    let held = try fixture.run(words)
    held.expectSuccess()
    #expect(held.lines.count == 12 && held.lines.dropFirst().allSatisfy { $0.hasPrefix("ok ") })
    // The canary: without confinement all of that is possible, and the test sees it.
    let free = try fixture.run(words, ["SLUICE_CONFINEMENT": "0"])
    #expect(free.ending == .exited(1))
    #expect(free.lines.count { $0.hasPrefix("WRONG") && $0.hasSuffix("possible") } == 10)
    let reported = try fixture.run(words, ["SLUICE_CONFINEMENT": "report"])
    reported.expectSuccess()
    #expect(reported.errors.contains("system call 41 is not on the list"), "\(reported.errors)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.root.path) == [])
  }

  @Test func allThreadsAreConfinedAndNothingTheyNeedIsRefused() throws {
    let fixture = try Fixture()
    let link = fixture.directory.appending(path: "link")
    try FileManager.default.createSymbolicLink(at: link, withDestinationURL: fixture.root)
    // Two reactors, slow syncs for the workers, and a root behind a link.
    try fixture.startSidecar(
      prefix: [],
      script: """
        exec "$0" serve --root "\(link.path)" --socket "$2" --report-confinement --reactors 2 \
          --sync-delay 2
        """)
    let sidecar = try #require(fixture.sidecar)
    try fixture.runPython(ConfinementTests.work).expectLines(ConfinementTests.answers)
    #expect(try status(sidecar.id, "NoNewPrivs") == ["1"])
    #expect(try status(sidecar.id, "Seccomp") == ["2"])
    #expect(try status(sidecar.id, "Name").contains("sluice-reactor"))
    sidecar.send(SIGTERM)
    let end = try sidecar.wait()
    #expect(end.ending == .exited(0))
    #expect(end.errors.isEmpty, "\(end.errors)")
    #expect(!fixture.exists(fixture.socket))
    #expect(!FileManager.default.fileExists(atPath: "/dev/shm/sluice-\(sidecar.id)"))
  }

  @Test func privateSidecarIsConfinedAsWell() throws {
    let fixture = try Fixture()
    let script = """
      c = proxied(os.path.join(OUTSIDE, sys.argv[1]))
      c.execute("PRAGMA journal_mode=WAL")
      c.execute("CREATE TABLE t(x)")
      c.execute("CREATE TEMP TABLE z AS SELECT * FROM t")
      with open(f"/proc/{sidecars()[0]}/status") as f: print([l.split()[1] for l in f if l.startswith("Seccomp:")][0])
      """
    let report = try fixture.runPython(
      script, ["SLUICE_CONFINEMENT": "report"], arguments: ["a.db"])
    report.expectLines(["2"])
    #expect(report.errors.isEmpty)
    try fixture.runPython(script, ["SLUICE_CONFINEMENT": "0"], arguments: ["b.db"]).expectLines([
      "0"
    ])
  }

  @Test func confinementCanBeTurnedOff() throws {
    let fixture = try Fixture()
    let sidecar = try fixture.startSidecar(["--no-confinement"])
    try fixture.runPython(ConfinementTests.work).expectLines(ConfinementTests.answers)
    #expect(try status(sidecar.id, "NoNewPrivs") == ["0"])
    #expect(try status(sidecar.id, "Seccomp") == ["0"])
  }

  @Test func kernelWithoutLandlockIsNamedOnceAndServed() throws {
    let fixture = try Fixture()
    let sidecar = try fixture.startSidecar(prefix: withoutLandlock)
    try fixture.runPython(ConfinementTests.work).expectLines(ConfinementTests.answers)
    #expect(
      sidecar.errors
        == "sluice: confinement: Landlock: Function not implemented; openat2 alone keeps to the root\n"
    )
    #expect(try status(sidecar.id, "Seccomp") == ["2"])
    let check = try fixture.run(
      withoutLandlock + [Fixture.program, "confinement", "--root", fixture.root.path])
    #expect(check.ending == .exited(1))
    #expect(check.output.contains("Landlock: this kernel has none"), "\(check.output)")
  }

  @Test func wrongWordInTheEnvironmentIsNamed() throws {
    let fixture = try Fixture()
    let outcome = try fixture.run(
      [Fixture.program, "serve", "--root", fixture.root.path, "--socket", fixture.socket.path],
      ["SLUICE_CONFINEMENT": "maybe"])
    #expect(outcome.ending == .exited(64))
    #expect(outcome.errors.contains("SLUICE_CONFINEMENT is 0, 1 or report"), "\(outcome.errors)")
  }
}
