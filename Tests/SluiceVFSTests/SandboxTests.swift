// sluice run --sandbox: a program that can change nothing on this machine except its databases.

import Foundation
import Glibc
import Testing

struct SandboxTests {
  /// An ordinary program. The file "present" exists in its working directory, "made" does not.
  private static let program = """
    import fcntl, os, sqlite3, subprocess, sys, threading
    def refused(change):
        try: change()
        except OSError as error: return error.strerror
        return "possible"
    def device(name):
        with open(name, "w") as f: f.write("x")
    changes = [
        lambda: open("made", "w"), lambda: open("present", "a"), lambda: open("present", "r+"),
        lambda: os.open("present", os.O_RDONLY | os.O_TRUNC), lambda: os.truncate("present", 0),
        lambda: os.unlink("present"), lambda: os.rename("present", "made"),
        lambda: os.link("present", "made"), lambda: os.symlink("present", "made"),
        lambda: os.mkdir("made"), lambda: os.rmdir("empty"), lambda: os.mkfifo("made"),
        lambda: os.chmod("present", 0o777), lambda: os.utime("present", (1, 1)),
        lambda: os.chown("present", os.getuid(), os.getgid()),
        lambda: os.setxattr("present", "user.x", b"x"),
        lambda: fcntl.ioctl(os.open("present", os.O_RDONLY), 0x40086602, bytes(8)),
        lambda: os.fchmod(os.open("present", os.O_RDONLY), 0o777),
        lambda: os.open("/tmp", os.O_TMPFILE | os.O_RDWR),
        lambda: open("/proc/self/comm", "w"),
    ]
    print(sorted({refused(change) for change in changes}))
    thread = threading.Thread(target=lambda: print(refused(changes[0])))
    thread.start(); thread.join()
    print(subprocess.run(["sh", "-c", "echo x > made; echo x > /dev/null"], stderr=subprocess.DEVNULL).returncode,
          subprocess.run(["cat", "present"], capture_output=True, text=True).stdout)
    device("/dev/null")
    c = sqlite3.connect("app.db")
    c.execute("PRAGMA journal_mode = " + sys.argv[1])
    c.execute("PRAGMA temp_store = FILE")
    c.execute("CREATE TABLE IF NOT EXISTS t(x)")
    with c: c.execute("INSERT INTO t VALUES (1)")
    c.execute("VACUUM")
    print(c.execute("SELECT sum(x) FROM t").fetchone()[0])
    """

  private func run(
    _ fixture: Fixture, _ options: [String], _ command: [String], prefix: [String] = []
  ) throws -> Outcome {
    try fixture.run(
      prefix + [Fixture.program, "run", "--sandbox"] + options + ["--"] + command,
      ["SLUICE_LIBRARY": Fixture.library, "TMPDIR": fixture.scratch.path], in: fixture.outside)
  }

  /// The names, sizes, modes and times of the files there.
  private func picture(_ directory: URL) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted().map {
      let facts = try FileManager.default.attributesOfItem(
        atPath: directory.appending(path: $0).path)
      return "\($0) \(facts[.size]!) \(facts[.posixPermissions]!) \(facts[.modificationDate]!)"
    }
  }

  @Test(.enabled(if: hasLandlock), arguments: ["DELETE", "WAL"], [false, true])
  func programChangesItsDatabaseAndNothingElse(mode: String, isShared: Bool) throws {
    let fixture = try Fixture(sidecar: isShared)
    try "text".write(
      to: fixture.outside.appending(path: "present"), atomically: false, encoding: .utf8)
    try FileManager.default.createDirectory(
      at: fixture.outside.appending(path: "empty"), withIntermediateDirectories: false)
    let before = try picture(fixture.outside)
    let options =
      isShared ? ["--socket", fixture.socket.path] : ["--root", fixture.root.path]
    for sum in 1...2 {
      try run(fixture, options, [Fixture.pythonProgram, "-c", SandboxTests.program, mode])
        .expectLines([
          "['Operation not permitted', 'Permission denied']", "Permission denied", "0 text",
          "\(sum)",
        ])
    }
    #expect(try picture(fixture.outside) == before)
    #expect(try fixture.nativeAnswer(fixture.inRoot("app.db"), "SELECT sum(x) FROM t") == "2")
  }

  /// The same program without the sandbox. Each change is possible, so the sandbox refused it
  /// before.
  @Test func withoutTheSandboxEachChangeIsPossible() throws {
    let fixture = try Fixture()
    let script = """
      import os
      for name in "a", "b": open(name, "w").close()
      os.truncate("a", 1); os.chmod("a", 0o700); os.rename("a", "c"); os.mkdir("d"); os.unlink("b")
      """
    let outcome = try fixture.run(
      [Fixture.program, "run", "--root", fixture.root.path, Fixture.pythonProgram, "-c", script],
      ["SLUICE_LIBRARY": Fixture.library, "TMPDIR": fixture.scratch.path], in: fixture.outside)
    outcome.expectSuccess()
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: fixture.outside.path).sorted()
        == ["c", "d"])
  }

  @Test func withoutLandlockTheCommandIsNotStarted() throws {
    let fixture = try Fixture()
    let outcome = try run(
      fixture, ["--root", fixture.root.path], ["sh", "-c", "echo started"], prefix: withoutLandlock)
    #expect(outcome.ending == .exited(1))
    #expect(outcome.output.isEmpty)
    #expect(
      outcome.errors
        == "sluice: run: --sandbox: this kernel has no Landlock, or it is turned off; the command was not started\n"
    )
  }

  @Test func sandboxNeedsASidecarOutsideOfIt() throws {
    let fixture = try Fixture()
    let outcome = try run(fixture, [], ["true"])
    #expect(outcome.ending == .exited(64))
    #expect(outcome.errors.contains("--sandbox needs --root or --socket"), "\(outcome.errors)")
  }

  @Test(.enabled(if: hasLandlock)) func exitCodeIsTheCommands() throws {
    let fixture = try Fixture()
    for code in [0, 1, 7] as [Int32] {
      let outcome = try run(fixture, ["--root", fixture.root.path], ["sh", "-c", "exit \(code)"])
      #expect(outcome.ending == .exited(code))
      #expect(outcome.errors.isEmpty)
    }
  }
}
