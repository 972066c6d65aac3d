// A file's identity. When a file is gone, another file may get its device and inode number, and the
// same file may get other content. A connection continues with the next sidecar only if the file is
// the same, and uses none of its cached pages.

import Foundation
import Testing

struct FileIdentityTests {
  /// Two databases made by the same script except for one word. All bytes that SQLite compares to
  /// detect a change are the same.
  private static let making = """
    mode = sys.argv[1]
    def make(name, text):
        c = native(name)
        c.execute("PRAGMA journal_mode = " + mode)
        c.execute("CREATE TABLE t(k INTEGER PRIMARY KEY, v)")
        c.execute("BEGIN")
        c.executemany("INSERT INTO t VALUES (?, ?)", [(i, text) for i in range(1000)])
        c.execute("COMMIT")
        c.close()
    def path(name): return os.path.join(ROOT, name)
    def version(name):
        with open(path(name), "rb") as f: return f.read(40)[24:]
    def forget_neighbours():
        for suffix in "-wal", "-shm":
            if os.path.exists(path("app.db") + suffix): os.unlink(path("app.db") + suffix)
    def content(c): return c.execute("SELECT v, count(*) FROM t GROUP BY v ORDER BY v").fetchall()

    """

  /// The sidecar is killed at "kill", and another started at "start".
  private func run(
    _ script: String, arguments: [String], _ expected: [String],
    _ location: SourceLocation = #_sourceLocation
  ) throws {
    let fixture = try Fixture(sidecar: true)
    let client = try fixture.startPython(Self.making + script, arguments: arguments)
    try client.awaitLine("kill")
    try fixture.killSidecar()
    client.say("go")
    try client.awaitLine("start")
    try fixture.startSidecar()
    client.say("go")
    try client.wait().expectLines(["kill", "start"] + expected, location)
  }

  @Test(arguments: ["DELETE", "TRUNCATE", "WAL"])
  func databaseWithTheNumbersOfARemovedOneIsNotTaken(mode: String) throws {
    try run(
      """
      make("app.db", "first")
      number = os.stat(path("app.db")).st_ino
      c = proxied("app.db")
      content(c)
      ready("kill")
      os.unlink(path("app.db"))
      forget_neighbours()
      make("app.db", "second")
      print("the same inode number:", os.stat(path("app.db")).st_ino == number, file=sys.stderr)
      ready("start")
      print(result(content, c), result(c.execute, "UPDATE t SET v = 'changed' WHERE k = 500"))
      c.close()
      d = proxied("app.db")
      print(content(d))
      d.close()
      print(content(native("app.db")), one(native("app.db"), "PRAGMA integrity_check"))
      """, arguments: [mode],
      [
        "SQLITE_CANTOPEN SQLITE_CANTOPEN", "[('second', 1000)]", "[('second', 1000)] ok",
      ])
  }

  /// The file is overwritten in place, as `cp` does: it is the same file with other content.
  @Test(arguments: ["DELETE", "PERSIST", "WAL"], [0, 10_000_000])
  func contentThatWasRestoredInPlaceIsSeen(mode: String, mapped: Int) throws {
    try run(
      """
      make("app.db", "first")
      make("other.db", "second")
      same = version("app.db") == version("other.db")
      c = proxied("app.db")
      c.execute("PRAGMA busy_timeout = 5000")
      c.execute("PRAGMA mmap_size = " + sys.argv[2])
      content(c)
      ready("kill")
      forget_neighbours()
      with open(path("other.db"), "rb") as f, open(path("app.db"), "r+b") as g: g.write(f.read())
      ready("start")
      print(same, content(c), one(c, "SELECT v FROM t WHERE k = 700"))
      print(result(c.execute, "UPDATE t SET v = 'changed' WHERE k = 500"), content(c))
      c.close()
      print(content(native("app.db")), one(native("app.db"), "PRAGMA integrity_check"))
      """, arguments: [mode, "\(mapped)"],
      [
        "True [('second', 1000)] second", "OK [('changed', 1), ('second', 999)]",
        "[('changed', 1), ('second', 999)] ok",
      ])
  }

  @Test(arguments: ["DELETE", "WAL"])
  func databaseThatWasMovedInPlaceIsNotTaken(mode: String) throws {
    try run(
      """
      make("app.db", "first")
      make("other.db", "second")
      c = proxied("app.db")
      content(c)
      ready("kill")
      forget_neighbours()
      os.replace(path("other.db"), path("app.db"))
      ready("start")
      print(result(content, c), result(c.execute, "UPDATE t SET v = 'changed'"))
      c.close()
      print(content(native("app.db")))
      """, arguments: [mode], ["SQLITE_CANTOPEN SQLITE_CANTOPEN", "[('second', 1000)]"])
  }

  /// A file stays the same file, whatever is done to it.
  @Test(arguments: ["DELETE", "WAL"])
  func sameFileIsTakenWhateverItsOwnerDidToIt(mode: String) throws {
    try run(
      """
      make("app.db", "first")
      c = proxied("app.db")
      c.execute("PRAGMA busy_timeout = 5000")
      content(c)
      ready("kill")
      os.chmod(path("app.db"), 0o600)
      os.link(path("app.db"), path("link.db"))
      os.rename(path("app.db"), path("moved.db"))
      os.rename(path("moved.db"), path("app.db"))
      os.utime(path("app.db"), (1, 1))
      ready("start")
      print(content(c), result(c.execute, "UPDATE t SET v = 'changed'"), content(c))
      """, arguments: [mode], ["[('first', 1000)] OK [('changed', 1000)]"])
  }

  /// Another file system in the place of the first gets the same device number, and its files get
  /// the same inode numbers.
  @Test(
    .enabled(if: Machine.isRoot && Machine.hasMountNamespaces, "needs root and mount namespaces"),
    .enabled(if: Machine.hasLoopDevices, "needs loop devices and mkfs.ext4"),
    arguments: ["tmpfs", "ext4"])
  func fileOfAFileSystemMountedInPlaceOfItsOwnIsNotTaken(kind: String) throws {
    let fixture = try Fixture()
    let outcome = try fixture.runInOwnMounts(
      """
      place = directory("place")
      kind = sys.argv[1]
      def make(text):
          if kind == "tmpfs": mount("-t", "tmpfs", "none", place)
          else:
              image = os.path.join(OUTSIDE, text)
              subprocess.run(["truncate", "-s", "8M", image], check=True)
              subprocess.run(["mkfs.ext4", "-q", image], check=True)
              mount("-o", "loop", image, place)
          c = stock(place + "/app.db")
          c.execute("CREATE TABLE t(k INTEGER PRIMARY KEY, v)")
          c.execute("BEGIN")
          c.executemany("INSERT INTO t VALUES (?, ?)", [(i, text) for i in range(1000)])
          c.execute("COMMIT")
          c.close()
          status = os.stat(place + "/app.db")
          return status.st_dev, status.st_ino
      def content(c): return c.execute("SELECT v, count(*) FROM t GROUP BY v").fetchall()
      first = make("first")
      sidecar = serve(place, SOCKET)
      c = shared("app.db", SOCKET)
      print(content(c))
      end(sidecar)
      unmount(place)
      second = make("second")
      print("the same numbers:", first == second, file=sys.stderr)
      sidecar = serve(place, SOCKET)
      print(result(content, c), result(c.execute, "UPDATE t SET v = 'changed' WHERE k = 500"))
      print(content(shared("app.db", SOCKET)))
      end(sidecar)
      unmount(place)
      """, arguments: [kind])
    outcome.expectLines(
      ["[('first', 1000)]", "SQLITE_CANTOPEN SQLITE_CANTOPEN", "[('second', 1000)]"])
    print(outcome.errors, terminator: "")
  }

  /// With overlayfs, a file of the lower layer is copied when it is opened for writing. From then
  /// on, one of its several names has other numbers.
  @Test(
    .enabled(if: Machine.hasOverlay, "needs root and overlayfs"), arguments: ["1", "2"],
    ["DELETE", "WAL"])
  func fileThatIsCopiedUpIsOneAndTheSame(names: String, mode: String) throws {
    let fixture = try Fixture()
    let outcome = try fixture.runInOwnMounts(
      """
      names, mode = sys.argv[1:]
      base, lower, merged = directory("base"), directory("lower"), directory("merged")
      mount("-t", "tmpfs", "none", base)
      upper, work = directory("base/upper"), directory("base/work")
      c = stock(lower + "/app.db")
      c.execute("PRAGMA journal_mode = " + mode)
      c.execute("CREATE TABLE t(x)")
      c.close()
      if names == "2": os.link(lower + "/app.db", lower + "/link.db")
      mount("-t", "overlay", "-o", f"lowerdir={lower},upperdir={upper},workdir={work},xino=off",
            "none", merged)
      before = os.stat(merged + "/app.db")
      sidecar = serve(merged, SOCKET)
      c = shared("app.db", SOCKET)
      # Before its first write, SQLite asks whether the file still has its name.
      print(result(c.execute, "INSERT INTO t VALUES (1)"))
      print(os.path.exists(upper + "/app.db"), file=sys.stderr)
      after = os.stat(merged + "/app.db")
      print((before.st_dev, before.st_ino) == (after.st_dev, after.st_ino), file=sys.stderr)
      d, s = shared("app.db", SOCKET), stock(merged + "/app.db", timeout=5)
      d.execute("PRAGMA busy_timeout = 5000")
      c.execute("PRAGMA busy_timeout = 5000")
      print(result(d.execute, "INSERT INTO t VALUES (2)"), result(s.execute, "INSERT INTO t VALUES (3)"))
      c.execute("BEGIN IMMEDIATE")
      d.execute("PRAGMA busy_timeout = 0")
      print(result(d.execute, "BEGIN IMMEDIATE"))
      c.execute("COMMIT")
      s.close()
      end(sidecar)
      sidecar = serve(merged, SOCKET)
      print(one(c, "SELECT sum(x) FROM t"), result(c.execute, "INSERT INTO t VALUES (4)"))
      print(one(c, "PRAGMA integrity_check"))
      c.close(), d.close()
      end(sidecar)
      """, arguments: [names, mode])
    outcome.expectLines(["OK", "OK OK", "SQLITE_BUSY", "6 OK", "ok"])
  }
}
