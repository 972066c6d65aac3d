// Clients map the WAL index and the database's content. These mappings keep no one out when the
// sidecar or a client is gone. A client that may only read the index reads as with stock SQLite.

import Foundation
import Glibc
import Testing

struct WALIndexTests {
  private static let nobody = ["setpriv", "--reuid=65534", "--clear-groups"]

  // MARK: Deaths

  /// A mapping keeps its open file description, and with it any locks on it. The writer's own mapping
  /// keeps its right to write until the writer learns of the death. Those of other clients, here an
  /// idle one, keep nothing.
  @Test func aDeadSidecarsWriterHasTheWriteLockUntilItKnowsAndNoClientAfterThat() throws {
    let fixture = try Fixture(sidecar: true)
    let script = try fixture.startPython(
      """
      stock = Peer("native", "app.db")
      for sql in ["PRAGMA journal_mode = WAL", "CREATE TABLE t(x)", "SELECT * FROM t"]: stock(sql)
      writer, idle = proxied("app.db"), proxied("app.db")
      idle.execute("SELECT * FROM t").fetchall()
      writer.execute("BEGIN IMMEDIATE")
      writer.execute("INSERT INTO t VALUES (1)")
      print(maps("app.db-shm"), stock("INSERT INTO t VALUES (2)"))
      ready()
      print(maps("app.db-shm"), stock("INSERT INTO t VALUES (3)"))
      print(result(writer.execute, "COMMIT")[:12], stock("INSERT INTO t VALUES (4)"))
      writer.close()
      print(stock("PRAGMA wal_checkpoint(TRUNCATE)"), stock("INSERT INTO t VALUES (5)"))
      idle.close()
      print(stock("SELECT x FROM t"))
      """)
    try script.awaitLine("ready")
    try fixture.killSidecar()
    script.say("killed")
    try script.wait().expectLines([
      "True SQLITE_BUSY", "ready", "True SQLITE_BUSY", "SQLITE_IOERR []", "[[0, 0, 0]] []",
      "[[4], [5]]",
    ])
    #expect(try fixture.nativeAnswer(fixture.inRoot("app.db"), "SELECT sum(x) FROM t") == "9")
  }

  /// If clients had or mapped the description with the lease, nobody would give the lease back once
  /// the sidecar is dead. A process that opens the file would then wait for lease-break-time, 45
  /// seconds. The window is no part of the file.
  @Test(arguments: ["DELETE", "WAL"])
  func sidecarsDeathLeavesNoLeaseToAClientThatMapsTheContent(mode: String) throws {
    let fixture = try Fixture(sidecar: true)
    let script = try fixture.startPython(
      """
      c = proxied("app.db")
      c.execute("PRAGMA journal_mode = " + sys.argv[1])
      c.execute("CREATE TABLE t(x)")
      c.executemany("INSERT INTO t VALUES (zeroblob(3000))", [()] * 100)
      c.execute("PRAGMA wal_checkpoint")
      print("alone:", leases("app.db"), has_window())
      c.execute("PRAGMA mmap_size = 10000000")
      print(one(c, "SELECT sum(length(x)) FROM t"), "mapped:", leases("app.db"), has_window())
      ready()
      print("killed:", leases("app.db"), has_window(), open_at_once("app.db"))
      ready("still there")
      """, arguments: [mode])
    try script.awaitLine("ready")
    try fixture.killSidecar()
    script.say("killed")
    try script.awaitLine("still there")
    let count = try fixture.nativeAnswer(fixture.inRoot("app.db"), "SELECT count(*) FROM t")
    #expect(count == "100")
    script.say("go")
    try script.wait().expectLines([
      "alone: 1 True", "300000 mapped: 1 True", "ready", "killed: 0 True OK", "still there",
    ])
  }

  @Test func sidecarsDeathLeavesALeaseToNobody() throws {
    let fixture = try Fixture(sidecar: true)
    let script = try fixture.startPython(
      """
      c = proxied("app.db")
      c.execute("CREATE TABLE t(x)")
      print(leases("app.db"))
      ready()
      print(leases("app.db"), open_at_once("app.db"))
      """)
    try script.awaitLine("ready")
    try fixture.killSidecar()
    script.say("killed")
    try script.wait().expectLines(["1", "ready", "0 OK"])
  }

  /// A forked child has both mappings as long as it lives.
  @Test(arguments: ["DELETE", "WAL"])
  func forkedChildWithTheMappingsKeepsNobodyOut(mode: String) throws {
    let fixture = try Fixture(sidecar: true)
    let script = try fixture.startPython(
      """
      c = proxied("app.db")
      c.execute("PRAGMA journal_mode = " + sys.argv[1])
      c.execute("PRAGMA mmap_size = 10000000")
      c.execute("CREATE TABLE t(x)")
      c.executemany("INSERT INTO t VALUES (zeroblob(3000))", [()] * 100)
      c.execute("PRAGMA wal_checkpoint")
      print(one(c, "SELECT sum(length(x)) FROM t"), has_window())
      c.execute("BEGIN IMMEDIATE")
      child = os.fork()
      if child == 0:
          time.sleep(60)
          os._exit(0)
      c.execute("ROLLBACK")
      c.close()
      stock = Peer("native", "app.db")
      print(stock("BEGIN EXCLUSIVE"), stock("INSERT INTO t VALUES (1)"), stock("COMMIT"))
      stock.close()
      d = proxied("app.db")
      d.execute("BEGIN IMMEDIATE")
      ready()
      print(open_at_once("app.db"), os.waitpid(child, os.WNOHANG))
      result(d.execute, "ROLLBACK")
      stock = Peer("native", "app.db")
      print(stock("BEGIN EXCLUSIVE"), stock("INSERT INTO t VALUES (1)"), stock("COMMIT"))
      os.kill(child, signal.SIGKILL)
      """, arguments: [mode])
    try script.awaitLine("ready")
    try fixture.killSidecar()
    script.say("killed")
    try script.wait().expectLines([
      "300000 True", "[] [] []", "ready", "OK (0, 0)", "[] [] []",
    ])
  }

  /// A process loses its locks on a file when it closes any descriptor of it. Stock SQLite's
  /// connections to the same database have such locks, if the host uses both.
  @Test(arguments: ["DELETE", "WAL"])
  func mappingTakesNoLocksFromStockConnectionsOfTheSameProcess(mode: String) throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runPython(
      """
      n = native("app.db")
      n.execute("PRAGMA journal_mode = " + sys.argv[1])
      n.execute("CREATE TABLE t(x)")
      n.execute("BEGIN IMMEDIATE")
      n.execute("INSERT INTO t VALUES (1)")
      other = Peer("native", "app.db")
      p = proxied("app.db")
      p.execute("PRAGMA mmap_size = 10000000")
      said = [other("BEGIN IMMEDIATE")]
      p.execute("SELECT * FROM t").fetchall()
      said.append(other("BEGIN IMMEDIATE"))
      if said[-1] == []: other("ROLLBACK")
      p.close()
      said.append(other("BEGIN IMMEDIATE"))
      print(*said)
      """, arguments: [mode])
    outcome.expectLines(["SQLITE_BUSY SQLITE_BUSY SQLITE_BUSY"])
  }

  // MARK: Read-only use

  /// Three databases in WAL mode whose last user was killed: one with its index, one without, and
  /// one that is in use.
  private static let leftovers = """
    for name in ["left.db", "bare.db", "used.db"]:
        peer = Peer("native", name)
        for sql in ["PRAGMA journal_mode = WAL", "CREATE TABLE t(x)", "INSERT INTO t VALUES (42)"]: peer(sql)
        if name == "used.db": user = peer
        else: peer.kill()
    os.unlink(ROOT + "/bare.db-shm")
    """

  /// The results of their readers, which must equal the results of stock SQLite's readers.
  private static let readers = """
    def read(kind, name, parameters):
        c = Peer(kind, name, parameters)
        said = [c.opened]
        if c.opened == "OK":
            said += [c("SELECT x FROM t"), c("SELECT count(*) FROM t"), c("INSERT INTO t VALUES (1)")]
            c.close()
        return said
    """

  @Test(arguments: [true, false], ["mode=ro&readonly_shm=1", "readonly_shm=1", "mode=ro"])
  func readersOfAnIndexThatNobodyUsesReadAsWithStockSQLite(
    shared: Bool, parameters: String
  ) throws {
    let fixture = try Fixture(sidecar: shared)
    let outcome = try fixture.runPython(
      WALIndexTests.leftovers + "\n" + WALIndexTests.readers + "\n" + """
        before = sorted(os.listdir(ROOT))
        for name in ["left.db", "bare.db", "used.db"]:
            if "readonly_shm" in sys.argv[1]:
                with open(f"{ROOT}/{name}-wal", "rb") as f: wal = f.read()
            # The proxied reader comes first, so that the other finds what it leaves.
            p, n = read("proxied", name, sys.argv[1]), read("native", name, sys.argv[1])
            print(name, p[1], p == n or (p, n))
        if "&" in sys.argv[1]: print(sorted(os.listdir(ROOT)) == before or os.listdir(ROOT))
        """, arguments: [parameters])
    let bare = parameters == "mode=ro" ? "[[42]]" : "SQLITE_CANTOPEN"
    outcome.expectLines(
      ["left.db [[42]] True", "bare.db \(bare) True", "used.db [[42]] True"]
        + (parameters.contains("&") ? ["True"] : []))
  }

  /// A reader without an index uses the index once another connection sets one up, and blocks no
  /// connection.
  @Test(arguments: ["proxied", "native"], ["proxied", "native"])
  func readerWithoutIndexSeesWhatAWriterDoesWhoComesLater(reader: String, writer: String) throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runPython(
      WALIndexTests.leftovers + "\n" + """
        reader = Peer(sys.argv[1], "left.db", "mode=ro&readonly_shm=1")
        print(reader("SELECT x FROM t"))
        writer = Peer(sys.argv[2], "left.db")
        print(writer("INSERT INTO t VALUES (43)"), reader("SELECT x FROM t"))
        print(reader("BEGIN"), reader("SELECT count(*) FROM t"), writer("INSERT INTO t VALUES (44)"))
        print(reader("SELECT count(*) FROM t"), reader("COMMIT"), reader("SELECT count(*) FROM t"))
        print(writer("PRAGMA wal_checkpoint(TRUNCATE)"), writer("INSERT INTO t VALUES (45)"))
        print(reader("SELECT count(*) FROM t"))
        writer.close()
        print(reader("SELECT count(*) FROM t"))
        """, arguments: [reader, writer])
    outcome.expectLines([
      "[[42]]", "[] [[42], [43]]", "[] [[2]] []", "[[2]] [] [[3]]", "[[0, 0, 0]] []", "[[4]]",
      "[[4]]",
    ])
  }

  /// The files belong to root, the sidecar and the readers to the user nobody. So the `-shm` file
  /// can only be read.
  @Test(
    .enabled(if: Machine.hasOtherUsers, "needs root, setpriv and a build that others can read"),
    arguments: [true, false])
  func sidecarThatMayOnlyReadTheIndexReadsAsStockSQLite(isInUse: Bool) throws {
    let fixture = try Fixture()
    for place in [fixture.directory, fixture.scratch] { _ = unsafe chmod(place.path, 0o777) }
    try #require(
      try fixture.run(WALIndexTests.nobody + [Fixture.program, "--version"]).ending == .exited(0),
      "nobody cannot run \(Fixture.program)")
    let owner = try fixture.startPython(WALIndexTests.leftovers + "\nready()")
    try owner.awaitLine("ready")
    try fixture.startSidecar(["--allow-user", "0,65534"], prefix: WALIndexTests.nobody)
    let name = isInUse ? "used.db" : "left.db"
    let outcome = try fixture.runPython(
      WALIndexTests.readers + "\n" + """
        p = read("proxied", sys.argv[1], "")
        n = read("native", sys.argv[1], "")
        print(p[1:], p == n or (p, n))
        print(p == read("proxied", ROOT + "/" + sys.argv[1], "mode=ro"))
        """, arguments: [name], prefix: WALIndexTests.nobody)
    outcome.expectLines(["[[[42]], [[1]], 'SQLITE_READONLY'] True", "True"])
    owner.say("go")
    try owner.wait().expectSuccess()
    _ = try fixture.nativeAnswer(fixture.inRoot(name), "SELECT 1")
  }

  /// A connection that asks for reading only does not decide for other connections, neither in its
  /// own process nor in others.
  @Test(arguments: [true, false])
  func readerThatComesFirstMakesNobodyElseAReader(somebodyOutsideUsesIt: Bool) throws {
    let fixture = try Fixture(sidecar: true)
    let outcome = try fixture.runPython(
      """
      stock = Peer("native", "app.db")
      for sql in ["PRAGMA journal_mode = WAL", "CREATE TABLE t(x)", "INSERT INTO t VALUES (1)"]: stock(sql)
      if sys.argv[1] == "false": stock.kill()
      r = proxied("app.db", "readonly_shm=1&mode=ro")
      print(r.execute("SELECT x FROM t").fetchall())
      other, same = Peer("proxied", "app.db"), proxied("app.db")
      print(other("INSERT INTO t VALUES (2)"), result(same.execute, "INSERT INTO t VALUES (3)"))
      print(r.execute("SELECT x FROM t").fetchall(), result(r.execute, "INSERT INTO t VALUES (4)"))
      r.close()
      print(other("INSERT INTO t VALUES (5)"), result(same.execute, "INSERT INTO t VALUES (6)"))
      same.close()
      print(other("PRAGMA wal_checkpoint(TRUNCATE)"), other("SELECT count(*) FROM t"))
      """, arguments: [String(somebodyOutsideUsesIt)])
    outcome.expectLines([
      "[(1,)]", "[] OK", "[(1,), (2,), (3,)] SQLITE_READONLY", "[] OK", "[[0, 0, 0]] [[5]]",
    ])
  }

  // MARK: The files

  @Test(arguments: [true, false], ["666", "660", "640", "600"])
  func indexAndLogBelongToWhomTheDatabaseBelongs(shared: Bool, mode: String) throws {
    let fixture = try Fixture()
    try #require(fixture.makeEmpty("app.db"))
    if shared {
      try fixture.startSidecar(script: #"umask 077; exec "$0" serve --root "$1" --socket "$2""#)
    }
    let outcome = try fixture.runPython(
      """
      os.umask(0o077)
      os.chmod(ROOT + "/app.db", int(sys.argv[1], 8))
      for connect in (native, proxied):
          c = connect("app.db")
          c.execute("PRAGMA journal_mode = WAL")
          c.execute("CREATE TABLE IF NOT EXISTS t(x)")
          c.execute("INSERT INTO t VALUES (1)")
          print({n[6:]: oct(os.stat(ROOT + "/" + n).st_mode & 0o777)[2:] for n in sorted(os.listdir(ROOT))})
          c.close()
          print(os.listdir(ROOT))
      """, arguments: [mode])
    let files = "{'': '\(mode)', '-shm': '\(mode)', '-wal': '\(mode)'}"
    outcome.expectLines([files, "['app.db']", files, "['app.db']"])
  }

  @Test(
    .enabled(if: Machine.hasOtherUsers, "needs root, setpriv and a build that others can read"))
  func rootsSidecarGivesTheIndexToTheDatabasesOwner() throws {
    let fixture = try Fixture(sidecar: true)
    try #require(fixture.makeEmpty("app.db"))
    _ = unsafe chown(fixture.inRoot("app.db").path, 65534, 65533)
    let outcome = try fixture.runPython(
      """
      c = proxied("app.db")
      c.execute("PRAGMA journal_mode = WAL")
      c.execute("CREATE TABLE t(x)")
      for n in sorted(os.listdir(ROOT)):
          s = os.stat(ROOT + "/" + n)
          print(n, s.st_uid, s.st_gid)
      """)
    outcome.expectLines([
      "app.db 65534 65533", "app.db-shm 65534 65533", "app.db-wal 65534 65533",
    ])
  }
}

extension Fixture {
  /// Makes an empty file below the root.
  fileprivate func makeEmpty(_ name: String) -> Bool {
    FileManager.default.createFile(atPath: inRoot(name).path, contents: nil)
  }
}
