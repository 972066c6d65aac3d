// WAL mode in a process that may have no child to receive the index in its place. It still works,
// drops no other connection's locks, and leaves no descriptor behind.

import Testing

struct WALWithoutChildrenTests {
  /// Functions with which the script can forbid itself children, and list its descriptors without
  /// /proc.
  private static let tools = #"""
    import ctypes, os, platform, resource, struct
    ROOT = os.environ["ROOT"]
    libc = ctypes.CDLL(None, use_errno=True)

    def refuse_children(error):
        "From now on clone, clone3, fork and vfork fail with `error`."
        x86 = platform.machine() == "x86_64"
        numbers = [56, 57, 58, 435] if x86 else [220, 435]
        code = struct.pack("=HBBI", 0x20, 0, 0, 0)
        for number in numbers:
            code += struct.pack("=HBBI", 0x15, 0, 1, number)
            code += struct.pack("=HBBI", 0x06, 0, 0, 0x00050000 | error)
        code += struct.pack("=HBBI", 0x06, 0, 0, 0x7fff0000)
        room = ctypes.create_string_buffer(code, len(code))
        program = struct.pack("@HP", len(code) // 8, ctypes.addressof(room))
        assert libc.prctl(38, 1, 0, 0, 0) == 0
        assert libc.prctl(22, 2, ctypes.create_string_buffer(program, len(program))) == 0
        try: os.fork()
        except OSError as refusal: assert refusal.errno == error
        else: assert False, "a child"

    def descriptors(name=None):
        "How many this process has: of a file below the root, or at all."
        wanted = name and os.stat(os.path.join(ROOT, name))
        found = 0
        for number in range(300):
            try: status = os.fstat(number)
            except OSError: continue
            found += name is None or (status.st_dev, status.st_ino) == (wanted.st_dev, wanted.st_ino)
        return found

    """#

  private func run(
    _ fixture: Fixture, _ script: String, arguments: [String] = [], withoutProc: Bool = false
  ) throws -> Outcome {
    try fixture.runPython(
      Self.tools + script, arguments: arguments, prefix: withoutProc ? Machine.withoutProc : [])
  }

  @Test(arguments: ["EPERM", "ENOSYS", "EACCES", "EAGAIN"])
  func databaseWorksUnderAFilterThatRefusesChildren(error: String) throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try run(
      fixture,
      """
      import errno
      c = proxied("app.db")
      refuse_children(getattr(errno, sys.argv[1]))
      print(one(c, "PRAGMA journal_mode = WAL"))
      c.execute("CREATE TABLE t(x)")
      c.execute("INSERT INTO t VALUES (1)")
      print(one(proxied("app.db"), "SELECT count(*) FROM t"), maps("app.db-shm"))
      print(one(native("app.db"), "SELECT count(*) FROM t"))
      """, arguments: [error])
    outcome.expectLines(["wal", "1 True", "1"])
    #expect(try fixture.nativeAnswer(fixture.inRoot("app.db"), "SELECT count(*) FROM t") == "1")
  }

  @Test(.enabled(if: Machine.hasOtherUsers, "needs root, to become a user with a limit"))
  func databaseWorksForAUserWhoHasAllTheProcessesHeMay() throws {
    let fixture = try Fixture()
    try fixture.startSidecar(["--allow-user", "65534"])
    let outcome = try run(
      fixture,
      """
      resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
      os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
      try:
          if os.fork() == 0: os._exit(0)
          if os.fork() == 0: time.sleep(5); os._exit(0)
          print("may have children")
      except BlockingIOError: pass
      c = proxied("app.db")
      print(one(c, "PRAGMA journal_mode = WAL"))
      c.execute("CREATE TABLE t(x)")
      c.execute("INSERT INTO t VALUES (1)")
      print(one(c, "SELECT count(*) FROM t"), maps("app.db-shm"))
      """)
    outcome.expectLines(["wal", "1 True"])
  }

  /// 20,000 frames are five regions of the index.
  @Test(arguments: [true, false])
  func indexGrowsByManyRegions(hasOutsider: Bool) throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try run(
      fixture,
      """
      # Before the first session, because a program that gives up rights gets another session.
      refuse_children(1)
      c = proxied("app.db")
      c.execute("PRAGMA page_size = 512")
      outsider = None
      if sys.argv[1] == "true":
          outsider = native("app.db")
      c.execute("PRAGMA journal_mode = WAL")
      c.execute("PRAGMA wal_autocheckpoint = 0")
      c.execute("CREATE TABLE t(x)")
      before = descriptors("app.db-shm")
      for i in range(20): c.execute("INSERT INTO t VALUES (zeroblob(500000))")
      print(before, descriptors("app.db-shm"), os.path.getsize(ROOT + "/app.db-shm") >= 5 * 32768)
      d = proxied("app.db")
      print(one(d, "SELECT sum(length(x)) FROM t"), descriptors("app.db-shm"))
      if outsider: print(one(outsider, "SELECT sum(length(x)) FROM t"))
      else: print(10000000)
      """, arguments: ["\(hasOutsider)"])
    outcome.expectLines(["1 1 True", "10000000 1", "10000000"])
    let file = fixture.inRoot("app.db")
    #expect(try fixture.nativeAnswer(file, "SELECT sum(length(x)) FROM t") == "10000000")
  }

  /// A stock connection in the same process holds locks on the index. It would lose them when any
  /// other descriptor of the index is closed.
  @Test(arguments: [true, false], [true, false])
  func locksOfAStockConnectionInTheSameProcessStay(hasChildren: Bool, hasProc: Bool) throws {
    if !hasProc, !Machine.hasMountNamespaces { return }
    let fixture = try Fixture(sidecar: true)
    let outcome = try run(
      fixture,
      """
      judge = Peer("native", "app.db")
      stock = native("app.db")
      stock.execute("PRAGMA journal_mode = WAL")
      stock.execute("CREATE TABLE t(x)")
      stock.execute("INSERT INTO t VALUES (1)")
      if sys.argv[1] == "false": refuse_children(1)
      stock.execute("BEGIN IMMEDIATE")
      stock.execute("INSERT INTO t VALUES (2)")
      before = descriptors()
      most = 0
      for i in range(50):
          c = proxied("app.db")
          if one(c, "SELECT count(*) FROM t") != 1: print("sees", i)
          if result(c.execute, "BEGIN IMMEDIATE") != "SQLITE_BUSY": print("not busy", i)
          c.close()
          most = max(most, descriptors())
          if judge("BEGIN IMMEDIATE") != "SQLITE_BUSY": print("lost its lock", i); break
      print(most - before < 10)
      stock.execute("COMMIT")
      stock.close()
      print(judge("SELECT count(*) FROM t"))
      # This process has no lock on the index now, and the next close checks the descriptor again.
      for i in range(2):
          c = proxied("app.db")
          c.execute("INSERT INTO t VALUES (3)")
          c.close()
      print(descriptors("app.db-shm"), judge("SELECT count(*) FROM t"))
      """, arguments: ["\(hasChildren)"], withoutProc: !hasProc)
    outcome.expectSuccess()
    // Without /proc, the judge's lock keeps the one descriptor open.
    #expect(
      outcome.lines == ["True", "[[2]]", "\(hasProc || hasChildren ? 0 : 1) [[4]]"],
      "\(outcome.output) \(outcome.errors)")
  }

  @Test(arguments: [true, false], ["nobody", "elsewhere", "here"])
  func descriptorsAreNotLeftBehind(hasProc: Bool, stock: String) throws {
    if !hasProc, !Machine.hasMountNamespaces { return }
    let fixture = try Fixture(sidecar: true)
    let outcome = try run(
      fixture,
      """
      setup = native("app.db")
      setup.execute("PRAGMA journal_mode = WAL")
      setup.execute("CREATE TABLE t(x)")
      other = None
      if sys.argv[1] == "elsewhere":
          other = Peer("native", "app.db")
          other("SELECT * FROM t")
      if sys.argv[1] != "here": setup.close()
      refuse_children(1)
      counts = []
      for i in range(200):
          c = proxied("app.db")
          c.execute("INSERT INTO t VALUES (1)")
          c.close()
          counts.append(descriptors())
      print(max(counts) - counts[0] <= 1)
      """, arguments: [stock], withoutProc: !hasProc)
    outcome.expectLines(["True"])
    let count = try fixture.nativeAnswer(fixture.inRoot("app.db"), "SELECT count(*) FROM t")
    #expect(count == "200")
  }

  /// A program that closes every descriptor, as daemons do, closes this one too. Its number then
  /// belongs to another file.
  @Test func aDescriptorThatTheProgramClosedIsNotClosedAgain() throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try run(
      fixture,
      """
      refuse_children(1)
      c = proxied("app.db")
      c.execute("PRAGMA journal_mode = WAL")
      c.execute("CREATE TABLE t(x)")
      shm = os.stat(ROOT + "/app.db-shm")
      for number in range(300):
          try: status = os.fstat(number)
          except OSError: continue
          if status.st_ino == shm.st_ino and status.st_dev == shm.st_dev: break
      else: print("none")
      os.close(number)
      mine = os.open(OUTSIDE, os.O_RDONLY)
      os.dup2(mine, number)
      c.execute("INSERT INTO t VALUES (1)")
      d = proxied("app.db")
      print(number > 2, one(d, "SELECT count(*) FROM t"))
      d.close()
      c.close()
      print(os.path.samestat(os.fstat(number), os.stat(OUTSIDE)))
      """)
    outcome.expectLines(["True 1", "True"])
  }

  /// Under `sluice run`, SQLite's mutex is not found through an extension's table. So this script
  /// loads no extension.
  @Test func preloadedProgramKeepsItsLocksToo() throws {
    let fixture = try Fixture(sidecar: true)
    let script = """
      import json, os, sqlite3, subprocess, sys
      ROOT = os.environ["ROOT"]
      def connect(name): return sqlite3.connect(name, uri=True, isolation_level=None, timeout=0)
      c = connect("file:" + ROOT + "/app.db?vfs=unix")
      c.execute("PRAGMA journal_mode = WAL")
      c.execute("CREATE TABLE t(x)")
      judge = subprocess.Popen(
          [sys.executable, "-c", "from prelude import *; answer_peer()", "native", "app.db", ""],
          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
          env={**os.environ, "LD_PRELOAD": "", "SLUICE_DEFAULT": ""})
      judge.stdout.readline()
      refuse_children(1)
      c.execute("BEGIN IMMEDIATE")
      before = descriptors()
      for i in range(20):
          d = connect("app.db")
          d.execute("SELECT count(*) FROM t").fetchall()
          d.close()
          judge.stdin.write(json.dumps("BEGIN IMMEDIATE") + chr(10))
          judge.stdin.flush()
          said = json.loads(judge.stdout.readline())
          if said != "SQLITE_BUSY": print("lost its lock", i, said); break
      print(descriptors("app.db-shm") > 1, descriptors() - before < 10)
      c.execute("COMMIT")
      """
    let outcome = try fixture.run([
      Fixture.program, "run", "--socket", fixture.socket.path, "--", Fixture.pythonProgram, "-c",
      Self.tools + script,
    ])
    outcome.expectLines(["True True"])
  }
}
