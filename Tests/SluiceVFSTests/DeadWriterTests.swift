// A writer whose sidecar dies in the last steps of its COMMIT, which SQLite takes in shared memory
// without a call but xShmBarrier. Its locks are free by then, and others may have committed.

import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct DeadWriterTests {
  @Test func aWriterWhoseSidecarIsDeadChangesTheIndexNoMore() throws {
    let fixture = try Fixture()
    _ = try fixture.startSidecar()
    try fixture.makeDatabase(fixture.inRoot("app.db"))
    let outcome = try fixture.runPython(
      """
      import ctypes, socket, struct
      from ctypes import byref, c_char_p, c_int, c_uint8, c_void_p
      c = proxied("app.db"); c.execute("PRAGMA journal_mode=WAL"); c.execute("INSERT INTO t VALUES (1)")
      n = native("app.db"); n.execute("PRAGMA busy_timeout=10000")
      n.execute("SELECT * FROM t").fetchall()
      c.execute("BEGIN IMMEDIATE")

      # The methods of the connection's file, as SQLite calls them.
      lib = ctypes.CDLL("libsqlite3.so.0")
      lib.sqlite3_file_control.argtypes = [c_void_p, c_char_p, c_int, c_void_p]
      db = c_void_p.from_address(id(c) + 16).value
      file, index = c_void_p(), c_void_p()
      lib.sqlite3_file_control(db, b"main", 7, byref(file))
      methods = c_void_p.from_address(file.value).value
      def method(place, *types):
          return ctypes.CFUNCTYPE(*types)(c_void_p.from_address(methods + 8 * place).value)
      method(13, c_int, c_void_p, c_int, c_int, c_int, c_void_p)(
          file, 0, 32768, 0, ctypes.cast(byref(index), c_void_p))
      barrier = method(15, None, c_void_p)

      # A byte of the index that SQLite does not use, as others see it.
      def others():
          with open(os.path.join(ROOT, "app.db-shm"), "rb") as f: return f.read(136)[133]
      word = c_uint8.from_address(index.value + 133)
      barrier(file); word.value = 1
      print("alive", others())

      s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect(SOCKET)
      pid = struct.unpack("3i", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
      end = os.pidfd_open(pid)
      os.kill(pid, 9)
      import select; select.select([end], [], [], 60)
      n.execute("INSERT INTO t VALUES (1000)")
      barrier(file); word.value = 2
      print("dead", others())
      try: c.execute("COMMIT"); print("committed")
      except Error as error: print(error.sqlite_errorname.split("_")[1])
      print(n.execute("SELECT max(x) FROM t").fetchall())
      """)
    outcome.expectLines(["alive 1", "dead 1", "IOERR", "[(1000,)]"])
  }
}
