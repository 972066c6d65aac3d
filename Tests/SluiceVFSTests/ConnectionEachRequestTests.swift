// A program that opens its database for each request. The library keeps the channel of a closed
// database for the next open (IdleChannels). Nothing may come from one connection to the next.

import Foundation
import Testing

struct ConnectionEachRequestTests {
  @Test(arguments: [false, true])
  func eachConnectionSeesWhatIsThere(isPrivate: Bool) throws {
    let fixture = try Fixture(sidecar: !isPrivate)
    try fixture.makeDatabase(fixture.inRoot("app.db"))
    let outcome = try fixture.runPython(
      """
      def insert(value):
          c = proxied("app.db"); c.execute("INSERT INTO t VALUES (?)", (value,)); c.close()
      def total(): 
          c = proxied("app.db"); n = one(c, "SELECT count(*) FROM t"); c.close(); return n
      before = total()
      for value in range(20): insert(value)
      print(total() - before)
      # A stock program writes between two connections.
      n = native("app.db"); n.execute("INSERT INTO t VALUES (99)"); n.close()
      print(total() - before)
      # Another file takes the name.
      os.rename(ROOT + "/app.db", ROOT + "/old.db")
      n = native("app.db"); n.execute("CREATE TABLE t(x)"); n.execute("INSERT INTO t VALUES (1)"); n.close()
      print(total())
      insert(2)
      print(total(), one(native("app.db"), "SELECT count(*) FROM t"))
      os.unlink(ROOT + "/app.db")
      print(result(lambda: proxied("app.db").execute("SELECT * FROM t")))
      """)
    outcome.expectLines(["20", "21", "1", "2 2", "SQLITE_ERROR"])
  }

  /// A write that failed must not fail the next connection, and locks end with their connection.
  @Test func nothingOfAConnectionIsLeftForTheNext() throws {
    let fixture = try Fixture(sidecar: true)
    try fixture.makeDatabase(fixture.inRoot("app.db"))
    let outcome = try fixture.runPython(
      """
      n = native("app.db")
      c = proxied("app.db"); c.execute("BEGIN IMMEDIATE"); c.execute("INSERT INTO t VALUES (1)"); c.close()
      print(result(n.execute, "BEGIN EXCLUSIVE")); n.execute("ROLLBACK")
      before = one(n, "SELECT count(*) FROM t")
      c = proxied("app.db"); print(one(c, "SELECT count(*) FROM t") - before); c.close()
      for mode in ["WAL", "DELETE", "WAL"]:
          c = proxied("app.db"); print(one(c, "PRAGMA journal_mode=" + mode)); c.execute("INSERT INTO t VALUES (2)"); c.close()
          c = proxied("app.db"); print(one(c, "SELECT count(*) FROM t") - before); c.close()
      c = proxied("app.db", "standing-locks=0&read-window=0"); print(one(c, "SELECT count(*) FROM t") - before); c.close()
      print(one(n, "PRAGMA integrity_check"))
      """)
    outcome.expectLines([
      "OK", "0", "wal", "1", "delete", "2", "wal", "3", "3", "ok",
    ])
  }

  /// With `wait=MS` lock calls stand in line. The close of a WAL connection asks for EXCLUSIVE, only
  /// to learn whether it is the last one, and must not wait for the others. Here it would for an hour.
  @Test func closeInWALModeStandsInNoLine() throws {
    let fixture = try Fixture(sidecar: true)
    try fixture.makeDatabase(fixture.inRoot("app.db"))
    let outcome = try fixture.runPython(
      """
      a, b = proxied("app.db", "wait=3600000"), proxied("app.db", "wait=3600000")
      print(one(a, "PRAGMA journal_mode=WAL"))
      before = one(b, "SELECT count(*) FROM t")
      b.close()
      print("closed")
      c = proxied("app.db", "wait=3600000"); c.execute("INSERT INTO t VALUES (1)"); c.close()
      print(one(a, "SELECT count(*) FROM t") - before)
      a.close()
      print(sorted(os.listdir(ROOT)))
      """)
    outcome.expectLines(["wal", "closed", "1", "['app.db']"])
  }

  /// Whoever closes last removes the WAL and its index, however the others come and go.
  @Test(arguments: [false, true])
  func lastOfManyThreadsLeavesNoWAL(isPrivate: Bool) throws {
    let fixture = try Fixture(sidecar: !isPrivate)
    try fixture.makeDatabase(fixture.inRoot("app.db"))
    let outcome = try fixture.runPython(
      """
      c = proxied("app.db"); print(one(c, "PRAGMA journal_mode=WAL")); before = one(c, "SELECT count(*) FROM t"); c.close()
      failed = []
      def work():
          try:
              for _ in range(20):
                  c = proxied("app.db"); c.execute("PRAGMA busy_timeout = 60000")
                  c.execute("INSERT INTO t VALUES (1)"); c.close()
          except Exception as e: failed.append(repr(e))
      for _ in range(3):
          threads = [threading.Thread(target=work) for _ in range(8)]
          for t in threads: t.start()
          for t in threads: t.join()
          c = proxied("app.db"); print(one(c, "SELECT count(*) FROM t") - before, failed)
          c.close()
          print(sorted(os.listdir(ROOT)))
      n = native("app.db"); print(one(n, "PRAGMA integrity_check"))
      """)
    let files = "['app.db']"
    outcome.expectLines(["wal", "160 []", files, "320 []", files, "480 []", files, "ok"])
  }

  /// A program that gives up its user cannot use the channel that its former user had.
  @Test func channelOfAnotherUserIsNotUsedAgain() throws {
    guard Machine.hasOtherUsers else { return }
    let fixture = try Fixture()
    for place in [fixture.directory, fixture.root] { _ = unsafe chmod(place.path, 0o755) }
    try fixture.makeDatabase(fixture.inRoot("secret.db"))
    _ = unsafe chmod(fixture.inRoot("secret.db").path, 0o600)
    let outcome = try fixture.runPython(
      """
      c = proxied("secret.db"); print(one(c, "SELECT count(*) FROM t") > 0); c.close()
      os.setgroups([]); os.setgid(65534); os.setuid(65534)
      print(result(lambda: proxied("secret.db").execute("SELECT * FROM t")))
      """)
    outcome.expectLines(["True", "SQLITE_CANTOPEN"])
  }

  @Test func forkedChildOpensAChannelOfItsOwn() throws {
    let fixture = try Fixture(sidecar: true)
    try fixture.makeDatabase(fixture.inRoot("app.db"))
    let outcome = try fixture.runPython(
      """
      c = proxied("app.db"); before = one(c, "SELECT count(*) FROM t"); c.close()
      child = os.fork()
      c = proxied("app.db"); c.execute("PRAGMA busy_timeout = 20000"); c.execute("INSERT INTO t VALUES (1)"); c.close()
      if child == 0: os._exit(0)
      print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
      c = proxied("app.db"); print(one(c, "SELECT count(*) FROM t") - before); c.close()
      """)
    outcome.expectLines(["0", "2"])
  }
}
