// A program notices nothing of its sidecar except its databases: no child, no misplaced signal, and
// no effect of another sidecar that is stuck.

import Foundation
import Glibc
import Testing

struct BystanderTests {
  // MARK: Children

  private static let countChildren = """
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    def other_child(seconds=3):
        "What wait() knows of beside the children that this script made."
        def late(*_): raise TimeoutError()
        signal.signal(signal.SIGALRM, late)
        signal.alarm(seconds)
        try: return os.wait()
        except ChildProcessError: return "none"
        except TimeoutError: return "hangs"
        finally: signal.alarm(0)

    """

  @Test func programThatCollectsOrphansHasNoUnknownChild() throws {
    let fixture = try Fixture()
    let outcome = try fixture.runPython(
      Self.countChildren + """
        libc.prctl(36, 1)
        c = proxied("app.db")
        c.execute("CREATE TABLE t(x)")
        if os.fork() == 0: os._exit(3)
        os.wait()
        print(other_child(), len(sidecars()))
        os.kill(sidecars()[0], 9)
        print(eventually(lambda: not sidecars()), other_child())
        print(eventually(lambda: result(c.execute, "INSERT INTO t VALUES (1)") == "OK"), other_child())
        """)
    outcome.expectLines(["none 1", "True none", "True none"])
  }

  @Test func programThatCannotStartASidecarHasNoUnknownChildEither() throws {
    let fixture = try Fixture()
    let outcome = try fixture.runPython(
      Self.countChildren + """
        libc.prctl(36, 1)
        print(result(lambda: proxied("app.db").execute("SELECT 1"))[:15])
        print(other_child())
        """, ["SLUICE_SIDECAR": "/nonexistent"])
    #expect(outcome.lines.last == "none", "\(outcome.output)\(outcome.errors)")
  }

  @Test(
    .enabled(if: Machine.hasProcessNamespaces, "needs pid namespaces"), arguments: [[], ["run"]])
  func processOneOfAContainerHasNoUnknownChild(words: [String]) throws {
    let fixture = try Fixture()
    let run = words.isEmpty ? [] : [Fixture.program, "run", "--root", fixture.root.path, "--"]
    let outcome = try fixture.runPython(
      Self.countChildren + """
        c = proxied("app.db") if "SLUICE_DEFAULT" not in os.environ else sqlite3.connect("app.db")
        c.execute("CREATE TABLE t(x)")
        print(os.getpid(), other_child())
        """, prefix: ["unshare", "-pf", "--mount-proc"] + run)
    outcome.expectLines(["1 none"])
  }

  @Test func supervisorOfAProgramSeesOnlyTheProgram() throws {
    let fixture = try Fixture()
    let outcome = try fixture.runPython(
      Self.countChildren + """
        libc.prctl(36, 1)
        child = os.fork()
        if child == 0:
            libc.prctl(36, 1)
            c = proxied("app.db"); c.execute("CREATE TABLE t(x)")
            os._exit(0)
        print(os.wait()[0] == child)
        # Processes that the program left behind end with it.
        print(other_child(10) != "hangs")
        """)
    outcome.expectLines(["True", "True"])
  }

  // MARK: Signals

  @Test(arguments: [SIGTERM, SIGINT, SIGHUP])
  func signalToTheWholeGroupLeavesTheProgramTimeToCommit(signal: Int32) throws {
    let fixture = try Fixture()
    let outcome = try fixture.runPython(
      """
      c = proxied("app.db")
      c.execute("CREATE TABLE t(x)")
      c.execute("BEGIN IMMEDIATE"); c.execute("INSERT INTO t VALUES ('in hand')")
      os.kill(sidecars()[0], int(sys.argv[1]))
      time.sleep(0.3)
      print(result(c.execute, "COMMIT"), len(sidecars()))
      d = proxied("app.db")
      print(one(d, "SELECT x FROM t"))
      """, arguments: ["\(signal)"])
    outcome.expectLines(["OK 1", "in hand"])
  }

  @Test func secondSignalMeansTheSidecar() throws {
    let fixture = try Fixture()
    let outcome = try fixture.runPython(
      """
      c = proxied("app.db")
      c.execute("CREATE TABLE t(x)")
      sidecar = sidecars()[0]
      os.kill(sidecar, signal.SIGTERM)
      time.sleep(0.2)
      print(len(sidecars()))
      os.kill(sidecar, signal.SIGTERM)
      print(eventually(lambda: not sidecars()))
      """)
    outcome.expectLines(["1", "True"])
  }

  // MARK: Slow sidecars

  @Test(arguments: ["DELETE", "WAL"])
  func stoppedSidecarHoldsUpNobodyAtAnother(mode: String) throws {
    let fixture = try Fixture(sidecar: true)
    let other = try stoppedSidecar(fixture)
    let outcome = try fixture.runPython(
      """
      c = proxied("app.db")
      c.execute("PRAGMA journal_mode=" + sys.argv[2]); c.execute("CREATE TABLE t(x)")
      def connect():
          began = time.monotonic()
          said = result(lambda: proxied("x.db", "socket=" + sys.argv[1] + "&connect-timeout=1500")
                        .execute("SELECT 1 FROM sqlite_schema"))
          waited.append((said, 1.4 <= time.monotonic() - began < 8))
      waited = []
      # The second thread waits for the first, and no longer than it would wait for the sidecar.
      threads = [threading.Thread(target=connect) for _ in range(2)]
      for thread in threads: thread.start()
      longest, count, end = 0, 0, time.monotonic() + 1.2
      while time.monotonic() < end:
          began = time.monotonic()
          c.execute("INSERT INTO t VALUES (1)")
          proxied("app.db").execute("SELECT count(*) FROM t").fetchall()
          os.path.exists("none")
          longest = max(longest, time.monotonic() - began)
          count += 1
      for thread in threads: thread.join()
      print(longest < 1, count > 3, waited)
      """, arguments: [other.socket, mode])
    outcome.expectLines([
      "True True [('SQLITE_CANTOPEN', True), ('SQLITE_CANTOPEN', True)]"
    ])
  }

  private func stoppedSidecar(_ fixture: Fixture) throws -> (socket: String, ChildProcess) {
    let socket = fixture.directory.appending(path: "other").path
    let sidecar = try fixture.start([
      Fixture.program, "serve", "--root", fixture.outside.path, "--socket", socket,
    ])
    #expect(eventually { sidecar.output.contains("serving") })
    sidecar.send(SIGSTOP)
    #expect(eventually { sidecar.isStopped })
    return (socket, sidecar)
  }

  @Test func connectTimeoutIsANumber() throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runPython(
      """
      for value in ("abc", "-1", "3600001", ""):
          print(result(lambda: proxied("app.db", "connect-timeout=" + value).execute("SELECT 1")))
      """)
    outcome.expectLines(["SQLITE_MISUSE", "SQLITE_MISUSE", "SQLITE_MISUSE", "OK"])
  }

  /// Outsiders open each of twenty databases while the sidecar's thread that serves them is busy.
  @Test func doorIsKeptWhileOutsidersWaitForABusyThread() throws {
    let fixture = try Fixture()
    try fixture.startSidecar(["--sync-delay", "6000", "--reactors", "2"])
    let outcome = try fixture.runPython(
      """
      names = [f"{number}.db" for number in range(20)]
      opened = [proxied(name) for name in names]
      for c in opened:
          c.execute("PRAGMA synchronous=OFF"); c.execute("CREATE TABLE t(x)")
      print(sum(leases(name) for name in names))
      opened[0].execute("PRAGMA synchronous=FULL")
      threads = [threading.Thread(target=lambda: opened[0].execute("INSERT INTO t VALUES (1)"))]
      threads[0].start()
      time.sleep(0.3)
      for name in names:
          threads.append(threading.Thread(target=lambda name=name: open(os.path.join(ROOT, name)).close()))
          threads[-1].start()
      time.sleep(0.2)
      began = time.monotonic()
      subprocess.run([sys.executable, "-c", "from prelude import *; proxied('other.db').execute('SELECT 1')"])
      print(time.monotonic() - began < 3)
      for thread in threads: thread.join()
      """)
    outcome.expectLines(["20", "True"])
  }
}
