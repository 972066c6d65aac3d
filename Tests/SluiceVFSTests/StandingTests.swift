// The standing that a program has when it opens a file (user, groups, capabilities, umask, root,
// mounts, limits) applies to that file, as with SQLite's own VFS, although another process opens
// it.

import Foundation
import Glibc
import Testing

struct StandingTests {
  /// Ways to give up the right to read `secret`, and stock SQLite's answer after each.
  enum Renunciation: String, CaseIterable {
    case setuid = "os.setgroups([]); os.setgid(65534); os.setuid(65534)"
    case seteuid = "os.setgroups([]); os.setegid(65534); os.seteuid(65534)"
    case supplementaryGroup = """
      os.setgroups([4321]); os.setegid(65534); os.seteuid(65534)
      proxied(path).execute("SELECT * FROM t").fetchall()
      os.seteuid(0); os.setgroups([]); os.seteuid(65534)
      """
    case capabilities = """
      class Head(ctypes.Structure): _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]
      head, sets = Head(0x20080522, 0), (ctypes.c_uint32 * 6)()
      libc.capget(ctypes.byref(head), sets)
      for i in (0, 1): sets[i] &= ~0b110
      assert libc.capset(ctypes.byref(head), sets) == 0
      """
    case fileSystemUserOfAThread = "libc.setfsuid(65534)"
  }

  private static let secret = """
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    os.chmod(os.path.dirname(ROOT), 0o755)
    os.mkdir("locked", 0o770)
    path = os.path.join(ROOT, "locked", "secret.db")
    n = native(path)
    n.execute("CREATE TABLE t(x)")
    n.close()
    os.chmod(path, 0o660)
    os.chown(path, 65533, 4321); os.chown("locked", 65533, 4321)
    first = proxied(os.path.join(ROOT, "first.db"))
    first.execute("CREATE TABLE t(x)")

    """

  @Test(.enabled(if: Machine.hasOtherUsers, "needs root"), arguments: Renunciation.allCases)
  func droppedRightsAreDropped(renunciation: Renunciation) throws {
    let fixture = try Fixture()
    let outcome = try fixture.runPython(
      Self.secret + "print(result(proxied(path).execute, 'SELECT * FROM t'))\n"
        + renunciation.rawValue + """

          print(result(lambda: proxied(path).execute("INSERT INTO t VALUES (1)"))[:15])
          print(result(lambda: sqlite3.connect(path).execute("INSERT INTO t VALUES (1)"))[:15])
          """)
    outcome.expectLines(["OK", "SQLITE_CANTOPEN", "SQLITE_CANTOPEN"])
  }

  @Test(.enabled(if: Machine.hasOtherUsers, "needs root"))
  func whatWasOpenStaysOpenAndWhatIsMadeBelongsToTheNewUser() throws {
    let fixture = try Fixture()
    let outcome = try fixture.runPython(
      Self.secret + """
        open_before = proxied(path)
        open_before.execute("SELECT * FROM t").fetchall()
        os.mkdir("own", 0o777); os.chmod("own", 0o777)
        os.seteuid(65534)
        print(result(open_before.execute, "SELECT count(*) FROM t"))
        made = proxied(os.path.join(ROOT, "own", "made.db"))
        made.execute("CREATE TABLE t(x)")
        print(os.stat("own/made.db").st_uid)
        os.seteuid(0)
        proxied(os.path.join(ROOT, "own", "again.db")).execute("CREATE TABLE t(x)")
        print(os.stat("own/again.db").st_uid)
        """)
    outcome.expectLines(["OK", "65534", "0"])
  }

  @Test(.enabled(if: Machine.hasOtherUsers, "needs root"))
  func otherThreadsKeepTheirRights() throws {
    let fixture = try Fixture()
    let outcome = try fixture.runPython(
      Self.secret + """
        said = []
        def renounce():
            libc.setfsuid(65534)
            said.append(result(lambda: proxied(path).execute("SELECT * FROM t"))[:15])
        thread = threading.Thread(target=renounce)
        thread.start(); thread.join()
        print(*said, result(proxied(path).execute, "SELECT * FROM t"))
        """)
    outcome.expectLines(["SQLITE_CANTOPEN OK"])
  }

  @Test(.enabled(if: Machine.hasOtherUsers, "needs root"))
  func sharedSidecarServesThePresentUserOnly() throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runPython(
      """
      c = proxied("app.db")
      c.execute("CREATE TABLE t(x)")
      os.chmod(os.path.dirname(ROOT), 0o755); os.chmod(SOCKET, 0o777)
      os.seteuid(65534)
      print(result(lambda: proxied("app.db").execute("SELECT * FROM t")))
      print(result(c.execute, "SELECT * FROM t"))
      """)
    outcome.expectLines(["SQLITE_PERM", "OK"])
  }

  // MARK: The root of names

  @Test(.enabled(if: Machine.hasMountNamespaces, "needs mount namespaces"))
  func mountsOfTheProgramsOwnAreSeen() throws {
    let fixture = try Fixture()
    let outcome = try fixture.runPython(
      """
      import ctypes
      libc = ctypes.CDLL(None, use_errno=True)
      proxied(os.path.join(ROOT, "first.db")).execute("CREATE TABLE t(x)")
      os.mkdir("mnt")
      assert libc.unshare(0x20000) == 0
      subprocess.check_call(["mount", "--make-rprivate", "/"])
      subprocess.check_call(["mount", "-t", "tmpfs", "tmpfs", "mnt"])
      proxied(os.path.join(ROOT, "mnt", "x.db")).execute("CREATE TABLE t(x)")
      print(os.path.exists("mnt/x.db"))
      """)
    outcome.expectLines(["True"])
    #expect(!fixture.exists(fixture.inRoot("mnt/x.db")))
  }

  @Test(.enabled(if: Machine.isRoot, "needs root"))
  func aJailedProgramDoesNotReachTheHostsFiles() throws {
    let fixture = try Fixture()
    let outcome = try fixture.runPython(
      """
      proxied(os.path.join(ROOT, "first.db")).execute("CREATE TABLE t(x)")
      native("host.db").execute("CREATE TABLE t(x)")
      os.mkdir("jail")
      os.chroot("jail"); os.chdir("/")
      def reach(name, sql):
          return result(lambda: proxied(os.path.join(ROOT, name)).execute(sql))[:15]
      print(reach("host.db", "SELECT * FROM t"))
      print(reach("made.db", "CREATE TABLE t(x)"))
      """)
    outcome.expectLines(["SQLITE_CANTOPEN", "SQLITE_CANTOPEN"])
    #expect(!fixture.exists(fixture.inRoot("made.db")))
  }

  @Test func relativeNamesAreThoseOfThePresentWorkingDirectory() throws {
    let fixture = try Fixture()
    let outcome = try fixture.runPython(
      """
      proxied("a.db").execute("CREATE TABLE t(x)")
      os.mkdir("sub"); os.chdir("sub")
      c = proxied("a.db")
      c.execute("CREATE TABLE u(x)")
      c.execute("VACUUM INTO 'copy.db'")
      print(sorted(os.listdir(".")), sorted(os.listdir("..")))
      """)
    outcome.expectLines(["['a.db', 'copy.db'] ['a.db', 'sub']"])
  }

  // MARK: Permissions of new files

  @Test(arguments: [true, false])
  func umaskIsThatOfTheMomentWhenAFileIsMade(shared: Bool) throws {
    let fixture = try Fixture(sidecar: shared)
    let outcome = try fixture.runPython(
      """
      def mode(name): return oct(os.stat(os.path.join(ROOT, name)).st_mode & 0o777)
      os.umask(0o022)
      proxied("first.db").execute("CREATE TABLE t(x)")
      for mask in (0o077, 0o027, 0o022):
          os.umask(mask)
          for kind in ("WAL", "DELETE"):
              name = f"{mask:o}-{kind}.db"
              c = proxied(name)
              c.execute("PRAGMA journal_mode=" + kind)
              c.execute("CREATE TABLE t(x)")
              if kind == "WAL": print(mode(name), mode(name + "-wal"), mode(name + "-shm"))
              else:
                  c.execute("BEGIN"); c.execute("INSERT INTO t VALUES (1)")
                  print(mode(name), mode(name + "-journal"))
      """)
    outcome.expectLines([
      "0o600 0o600 0o600", "0o600 0o600", "0o640 0o640 0o640", "0o640 0o640",
      "0o644 0o644 0o644", "0o644 0o644",
    ])
  }

  @Test func umaskHoldsForCopiesAndAttachedDatabasesToo() throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runPython(
      """
      c = proxied("first.db")
      c.execute("CREATE TABLE t(x)")
      os.umask(0o077)
      c.execute("VACUUM INTO 'file:copy.db?vfs=sluice'")
      c.execute("ATTACH 'file:other.db?vfs=sluice' AS other")
      c.execute("CREATE TABLE other.t(x)")
      print(*(oct(os.stat(os.path.join(ROOT, n)).st_mode & 0o777) for n in ("copy.db", "other.db")))
      """)
    outcome.expectLines(["0o600 0o600"])
  }

  @Test func sharedSidecarsOwnUmaskHoldsTooForWhatItMakes() throws {
    let fixture = try Fixture()
    try fixture.startSidecar(
      script: """
        umask 037
        exec "$0" serve --root "$1" --socket "$2"
        """)
    let outcome = try fixture.runPython(
      """
      os.umask(0)
      proxied("made.db").execute("CREATE TABLE t(x)")
      print(oct(os.stat("made.db").st_mode & 0o777))
      """)
    outcome.expectLines(["0o640"])
  }

  // MARK: The file-size limit

  private static let filling = """
    import resource
    c = proxied(os.path.join(ROOT, "app.db") if not os.environ.get("SLUICE_SOCKET") else "app.db")
    c.execute("PRAGMA journal_mode=" + sys.argv[1])
    c.execute("CREATE TABLE t(x)")
    def fill():
        for count in range(10_000):
            try: c.execute("INSERT INTO t VALUES (randomblob(1000))")
            except Error as error: return error.sqlite_errorname
        return "never"

    """

  @Test(arguments: [true, false], ["DELETE", "WAL"])
  func fileSizeLimitOfTheProgramHolds(shared: Bool, mode: String) throws {
    let fixture = try Fixture(sidecar: shared)
    let outcome = try fixture.runPython(
      Self.filling + """
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (204800, before[1]))
        print(fill())
        size = max(os.path.getsize(os.path.join(ROOT, n)) for n in os.listdir(ROOT))
        print(size <= 204800, one(c, "PRAGMA integrity_check"))
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        print(result(c.execute, "INSERT INTO t VALUES (randomblob(300000))"))
        """, arguments: [mode])
    outcome.expectLines(["SQLITE_IOERR_WRITE", "True ok", "OK"])
  }

  @Test(arguments: [true, false])
  func programUnderAHardLimitFromItsStartWorksUntilThere(asRoot: Bool) throws {
    guard asRoot || Machine.hasOtherUsers else { return }
    let fixture = try Fixture()
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o777], ofItemAtPath: fixture.root.path)
    let user = asRoot ? [] : ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    let outcome = try fixture.runPython(
      Self.filling + "print(fill(), one(c, 'PRAGMA integrity_check'))", arguments: ["DELETE"],
      prefix: user + ["sh", "-c", "ulimit -f 400; exec \"$@\"", "sh"])
    outcome.expectLines(["SQLITE_IOERR_WRITE ok"])
  }

  @Test func programThatDoesNotExpectItIsKilledBySIGXFSZ() throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runPython(
      Self.filling + """
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (204800, resource.RLIM_INFINITY))
        fill()
        """, arguments: ["DELETE"])
    #expect(outcome.ending == .killed(SIGXFSZ))
    let count = try fixture.nativeAnswer(fixture.inRoot("app.db"), "SELECT count(*) > 100 FROM t")
    #expect(count == "1")
  }
}
