// A writer in WAL mode whose sidecar dies while SQLite changes the WAL index, in shared memory. Its
// right to write lasts until it learns of the death: an outsider that writes before would mix its
// frames with the writer's.

import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct DeadWriterTests {
  private static let prelude = """
    import ctypes, select, socket, struct
    from ctypes import byref, c_char_p, c_int, c_int64, c_uint8, c_void_p

    def kill_sidecar():
        "Returns when it is dead."
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect(SOCKET)
        pid = struct.unpack("3i", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        end = os.pidfd_open(pid)
        os.kill(pid, 9)
        select.select([end], [], [], 60)

    def insert(connection, first, count):
        "As many pages as rows, nearly."
        connection.executemany(
            "INSERT INTO t VALUES (?, zeroblob(3000))", [(first + i,) for i in range(count)])

    lib = ctypes.CDLL("libsqlite3.so.0")
    lib.sqlite3_file_control.argtypes = [c_void_p, c_char_p, c_int, c_void_p]
    def file_of(connection, code):
        "SQLite's file, by the code that asks for it."
        file = c_void_p()
        database = c_void_p.from_address(id(connection) + 16).value
        lib.sqlite3_file_control(database, b"main", code, byref(file))
        return file.value

    """

  @Test func aWriterWhoseSidecarIsDeadChangesTheIndexNoMore() throws {
    let fixture = try Fixture()
    _ = try fixture.startSidecar()
    try fixture.makeDatabase(fixture.inRoot("app.db"))
    let outcome = try fixture.runPython(
      Self.prelude + """
        c = proxied("app.db"); c.execute("PRAGMA journal_mode=WAL"); c.execute("INSERT INTO t VALUES (1)")
        n = native("app.db")
        n.execute("SELECT * FROM t").fetchall()
        c.execute("BEGIN IMMEDIATE")

        # The methods of the connection's file, as SQLite calls them.
        file, index = file_of(c, 7), c_void_p()
        methods = c_void_p.from_address(file).value
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

        kill_sidecar()
        try: n.execute("INSERT INTO t VALUES (999)")
        except Error as error: print("outside", error.sqlite_errorname)
        barrier(file); word.value = 2
        n.execute("INSERT INTO t VALUES (1000)")
        print("dead", others())
        try: c.execute("COMMIT"); print("committed")
        except Error as error: print(error.sqlite_errorname.split("_")[1])
        print(n.execute("SELECT max(x) FROM t").fetchall())
        """)
    outcome.expectLines(["alive 1", "outside SQLITE_BUSY", "dead 1", "IOERR", "[(1000,)]"])
  }

  /// The writer has little memory, so that it adds frames to the WAL and its index before COMMIT. It
  /// learns of the death only some writes later, because they are posted.
  @Test func noOutsiderWritesBesideAWriterWhoseSidecarIsDead() throws {
    let fixture = try Fixture()
    _ = try fixture.startSidecar()
    let outcome = try fixture.runPython(
      Self.prelude + """
        n = native("app.db"); n.execute("PRAGMA journal_mode=WAL"); n.execute("CREATE TABLE t(x, y)")
        c = proxied("app.db"); c.execute("SELECT * FROM t").fetchall()
        for connection, pages in (n, 15), (c, 5):
            connection.execute("PRAGMA wal_autocheckpoint=0")
            connection.execute(f"PRAGMA cache_size={pages}")

        # SQLite's xWrite to the WAL, and after its 20th page the sidecar's death.
        place = c_void_p.from_address(file_of(c, 28))
        methods = place.value
        table = (c_void_p * 19)(*(c_void_p * 19).from_address(methods))
        Write = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
        write, pages = Write(table[3]), 0
        def write_and_kill(file, bytes, count, offset):
            global pages
            code = write(file, bytes, count, offset)
            if count == 4096: pages += 1
            if count == 4096 and pages == 20:
                kill_sidecar()
                try: n.execute("BEGIN IMMEDIATE"); insert(n, 100, 18); print("outside writes")
                except Error as error: print("outside", error.sqlite_errorname)
            return code
        function = Write(write_and_kill)
        table[3] = ctypes.cast(function, c_void_p).value
        place.value = ctypes.addressof(table)
        try: c.execute("BEGIN IMMEDIATE"); insert(c, 200, 40); c.execute("COMMIT"); print("committed")
        except Error as error: print(error.sqlite_errorname.split("_")[1])
        place.value = methods

        # Its right to write has ended with its transaction.
        if not n.in_transaction: n.execute("BEGIN IMMEDIATE")
        insert(n, 118, 8); n.execute("COMMIT")
        n.execute("PRAGMA wal_checkpoint")
        print(n.execute("PRAGMA integrity_check").fetchall())
        print(n.execute("SELECT min(x), count(*) FROM t").fetchall())
        """)
    outcome.expectLines(["outside SQLITE_BUSY", "IOERR", "[('ok',)]", "[(118, 8)]"])
  }

  /// While the sidecar owned the database no lock was on the file. But the writer looks before SQLite
  /// adds a frame to the index.
  @Test func aWriterWhoseSidecarIsDeadAddsNoFrameBesideALaterOutsider() throws {
    let fixture = try Fixture()
    _ = try fixture.startSidecar()
    let outcome = try fixture.runPython(
      Self.prelude + """
        n = native("app.db"); n.execute("PRAGMA journal_mode=WAL"); n.execute("CREATE TABLE t(x, y)")
        n.close()
        c = proxied("app.db"); c.execute("PRAGMA cache_size=5")
        c.execute("BEGIN IMMEDIATE"); insert(c, 200, 20)
        kill_sidecar()

        n = native("app.db"); n.execute("PRAGMA wal_autocheckpoint=0")
        n.execute("PRAGMA cache_size=15")
        n.execute("BEGIN IMMEDIATE"); insert(n, 100, 18)
        try: insert(c, 220, 20); print("written")
        except Error as error: print(error.sqlite_errorname.split("_")[1])
        insert(n, 118, 8); n.execute("COMMIT")
        n.execute("PRAGMA wal_checkpoint")
        print(n.execute("PRAGMA integrity_check").fetchall())
        print(n.execute("SELECT min(x), count(*) FROM t").fetchall())
        """)
    outcome.expectLines(["IOERR", "[('ok',)]", "[(100, 26)]"])
  }

  @Test func aForkedChildKeepsNoRightToWrite() throws {
    let fixture = try Fixture()
    _ = try fixture.startSidecar()
    let outcome = try fixture.runPython(
      Self.prelude + """
        n = native("app.db"); n.execute("PRAGMA journal_mode=WAL"); n.execute("CREATE TABLE t(x, y)")
        c = proxied("app.db"); c.execute("BEGIN IMMEDIATE"); insert(c, 200, 1)
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
        kill_sidecar()
        print(result(insert, n, 100, 1))
        result(c.execute, "ROLLBACK")
        print(result(insert, n, 101, 1), os.waitpid(child, os.WNOHANG))
        os.kill(child, signal.SIGKILL)
        """)
    outcome.expectLines(["SQLITE_BUSY", "OK (0, 0)"])
  }
}
