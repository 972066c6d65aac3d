// Without a configured socket, a program gets its own sidecar: what works through it, and when it
// ends.

import Foundation
import Glibc
import Testing

struct PrivateSidecarTests {
  @Test func shellWritesThroughItAndStockSQLiteReads() throws {
    let fixture = try Fixture()
    let outcome = try fixture.runSQLite(
      "file:app.db?vfs=sluice",
      """
      CREATE TABLE t(x); INSERT INTO t SELECT value FROM generate_series(1, 10);
      SELECT sum(x) FROM t;
      """)
    outcome.expectLines(["55"])
    #expect(try fixture.nativeAnswer(fixture.inRoot("app.db"), "SELECT sum(x) FROM t") == "55")
  }

  @Test func itEndsWhenTheClientEnds() throws {
    let fixture = try Fixture()
    let outcome = try fixture.runPython(
      """
      c = proxied("app.db")
      c.execute("CREATE TABLE t(x)")
      print(sidecars()[0])
      """)
    outcome.expectSuccess()
    let sidecar = try #require(pid_t(outcome.lines[0]))
    #expect(eventually { hasEnded(sidecar) })
  }

  @Test func itEndsWhenTheClientIsKilled() throws {
    let fixture = try Fixture()
    let client = try fixture.startPython(
      """
      c = proxied("app.db")
      c.execute("CREATE TABLE t(x)")
      c.execute("BEGIN EXCLUSIVE")
      print(sidecars()[0])
      ready()
      """)
    try client.awaitLine("ready")
    let sidecar = try #require(pid_t(client.output.split(separator: "\n")[0]))
    #expect(!hasEnded(sidecar))
    try client.killNow()
    #expect(eventually { hasEnded(sidecar) })
    #expect(try fixture.nativeAnswer(fixture.inRoot("app.db"), "SELECT count(*) FROM t") == "0")
  }

  @Test func itEndsWhenTheClientIsKilledThoughAForkedChildLives() throws {
    let fixture = try Fixture()
    let client = try fixture.startPython(
      """
      c = proxied("app.db")
      c.execute("CREATE TABLE t(x)")
      c.execute("BEGIN EXCLUSIVE")
      if os.fork() == 0: time.sleep(60)
      print(sidecars()[0])
      ready()
      """)
    try client.awaitLine("ready")
    let sidecar = try #require(pid_t(client.output.split(separator: "\n")[0]))
    try client.killNow()
    #expect(eventually { hasEnded(sidecar) })
    #expect(try fixture.nativeAnswer(fixture.inRoot("app.db"), "SELECT count(*) FROM t") == "0")
  }

  @Test func connectionsAndThreadsShareOne() throws {
    let fixture = try Fixture()
    let outcome = try fixture.runPython(
      """
      proxied("app.db").execute("CREATE TABLE t(x)")
      def work(name):
          for i in range(20):
              c = proxied(name)
              while result(c.execute, "INSERT INTO t VALUES (1)") == "SQLITE_BUSY": time.sleep(0.001)
              c.close()
      threads = [threading.Thread(target=work, args=("app.db",)) for _ in range(4)]
      for thread in threads: thread.start()
      for thread in threads: thread.join()
      print(one(proxied("app.db"), "SELECT count(*) FROM t"), len(sidecars()))
      """)
    outcome.expectLines(["80 1"])
  }

  @Test func relativePathsAreTheClientsAndStaySoAfterItChangesDirectory() throws {
    let fixture = try Fixture()
    let outcome = try fixture.runPython(
      """
      c = proxied("app.db")
      c.execute("CREATE TABLE t(x)")
      os.chdir(OUTSIDE)
      c.execute("BEGIN")
      c.execute("INSERT INTO t VALUES (1)")
      print(sorted(os.listdir(ROOT)), os.listdir(OUTSIDE))
      c.execute("COMMIT")
      proxied("other.db").execute("CREATE TABLE u(x)")
      print(os.listdir(ROOT), os.listdir(OUTSIDE))
      """)
    outcome.expectLines(["['app.db', 'app.db-journal'] []", "['app.db'] ['other.db']"])
    #expect(try fixture.nativeAnswer(fixture.inRoot("app.db"), "SELECT x FROM t") == "1")
  }

  @Test func hostSeesNoSignalNoChildAndNoZombie() throws {
    let fixture = try Fixture()
    let outcome = try fixture.runPython(
      """
      signals = []
      signal.signal(signal.SIGCHLD, lambda *_: signals.append(1))
      def children():
          try: return os.waitpid(-1, os.WNOHANG)
          except ChildProcessError: return "none"
      def zombies():
          count = 0
          for name in os.listdir("/proc"):
              if not name.isdigit(): continue
              try: fields = open(f"/proc/{name}/stat").read().rsplit(")", 1)[1].split()
              except OSError: continue
              count += fields[0] == "Z" and int(fields[1]) == os.getpid()
          return count
      c = proxied("app.db")
      c.execute("CREATE TABLE t(x)")
      print("at work:", children(), signals, zombies())
      os.kill(sidecars()[0], signal.SIGKILL)
      print("killed:", eventually(lambda: not sidecars()))
      print("after:", children(), signals)
      d = proxied("app.db")
      print("again:", result(d.execute, "INSERT INTO t VALUES (1)"), len(sidecars()), zombies())
      print("at last:", children(), signals)
      """)
    outcome.expectLines([
      "at work: none [] 0", "killed: True", "after: none []", "again: OK 1 0", "at last: none []",
    ])
  }

  @Test func interruptAtTheTerminalDoesNotReachIt() throws {
    let fixture = try Fixture()
    let client = try fixture.startPython(
      """
      heard = []
      signal.signal(signal.SIGINT, lambda *_: heard.append("interrupted"))
      c = proxied("app.db")
      c.execute("CREATE TABLE t(x)")
      c.execute("BEGIN IMMEDIATE")
      c.execute("INSERT INTO t VALUES (1)")
      say("ready")
      eventually(lambda: heard)
      print(*heard)
      print(result(c.execute, "COMMIT"), len(sidecars()))
      """)
    try client.awaitLine("ready")
    killpg(client.id, SIGINT)
    let outcome = try client.wait()
    outcome.expectLines(["ready", "interrupted", "OK 1"])
  }

  @Test func missingProgramIsAClearError() throws {
    let fixture = try Fixture()
    let outcome = try fixture.runSQLite(
      "file:app.db?vfs=sluice", "CREATE TABLE t(x)", ["SLUICE_SIDECAR": "/nowhere/sluice"])
    #expect(outcome.errors.contains("(14) sluice: "))
    #expect(outcome.errors.contains("the private sidecar cannot be started"))
    #expect(outcome.errors.contains("No such file or directory"))
  }

  @Test func programThatIsNoSidecarIsAClearError() throws {
    let fixture = try Fixture()
    let outcome = try fixture.runSQLite(
      "file:app.db?vfs=sluice", "CREATE TABLE t(x)", ["SLUICE_SIDECAR": "/bin/true"])
    #expect(outcome.errors.contains("(14) sluice: "))
    #expect(outcome.errors.contains("the sidecar ended before it answered"))
  }
}

/// Whether the process is gone, and is not even a zombie.
private func hasEnded(_ process: pid_t) -> Bool { kill(process, 0) < 0 && errno == ESRCH }
