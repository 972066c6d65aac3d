"""The work that io-errors does while calls fail: short scenarios that together make a sidecar do every
call that it can do. Each runs in a process of its own.

A transaction writes the same number to the tables t and u, so that half a transaction shows. The host
program notes the acknowledged transactions and every code that was not OK.
"""

import json
import os
import sqlite3
import time

import host
from disk import MARK, UNLINK, Disk, mark, read_record

FILLING = "zeroblob(300)"
CALL_SECONDS_MAX = 30


class Host:
    """The host program. `outside` makes an outsider come and go: see Outsider."""

    def __init__(self, socket, outside):
        self.socket, self.outside = socket, outside
        self.codes = []
        self.acknowledged = []
        self.begun = []
        self.opened = []
        self.wrong = []

    def report(self):
        return {"codes": self.codes, "acknowledged": self.acknowledged, "begun": self.begun,
                "opened": self.opened, "wrong": self.wrong}

    def open(self, name, words="", expects=None):
        """`expects` is the code with which it must fail."""
        uri = f"file:{name}?vfs=sluice&socket={self.socket}{words}"
        database = host.Database(uri)
        database.name = name
        self.opened.append(name)
        if expects is None or not host.code_name(database.code).startswith(expects):
            self.note("open", database.code)
        return database

    def note(self, what, code):
        if code is not None and code != host.OK:
            self.codes.append((what, host.code_name(code)))
        return code == host.OK

    def run(self, database, sql):
        """Whether it succeeded, and its rows."""
        started = time.monotonic()
        code, rows = database.run(sql)
        if time.monotonic() - started > CALL_SECONDS_MAX:
            self.wrong.append(f"{sql} took {time.monotonic() - started:.0f} s")
        return self.note(sql.split("(")[0], code), rows

    def close(self, database):
        self.note("close", database.close())

    def transact(self, database, number, between=(), end="COMMIT"):
        """One transaction; a failed one is rolled back. `between` is further SQL within it."""
        self.begun.append((database.name, number))
        is_done = self.run(database, "BEGIN IMMEDIATE")[0]
        for table in "tu":
            is_done = is_done and self.run(
                database, f"INSERT INTO {table}(n, v) VALUES ({number}, {FILLING})")[0]
        for sql in between:
            is_done = is_done and self.run(database, sql)[0]
        if is_done and self.run(database, end)[0] and end == "COMMIT":
            self.acknowledged.append((database.name, number))
        if database.is_in_transaction:
            self.run(database, "ROLLBACK")

    def look(self, database):
        """Checks that a read gives the right content or an error."""
        is_done, rows = self.run(database, "SELECT n FROM t ORDER BY n")
        if not is_done:
            return
        found = [int(n) for n, in rows]
        known = {n for name, n in self.begun if name == database.name}
        for name, n in self.acknowledged:
            if name == database.name and n not in found:
                self.wrong.append(f"{name}: transaction {n} was acknowledged and is not read")
        strange = [n for n in found if n >= FIRST_NUMBER and n not in known]
        if strange:
            self.wrong.append(f"{database.name}: {strange} are read, but no program wrote them")
        if len([n for n in found if n < FIRST_NUMBER]) != ROWS:
            self.wrong.append(f"{database.name}: rows are missing or too many: {found}")


# The databases hold numbers below FIRST_NUMBER before a scenario begins.
ROWS = 6
FIRST_NUMBER = 1000


def session(program):
    """Two connections that write nothing."""
    one, two = program.open("a.db"), program.open("a.db")
    program.look(one)
    program.look(two)
    program.close(two)
    program.look(one)
    program.close(one)


def rollback(program):
    """A new database, journals that are deleted, a cache that is too small, VACUUM."""
    database = program.open("new.db")
    program.run(database, "PRAGMA page_size = 1024")
    program.run(database, "PRAGMA auto_vacuum = FULL")
    made = all(program.run(database, sql)[0] for sql in [
        "BEGIN", "CREATE TABLE t(n, v)", "CREATE TABLE u(n, v)", "COMMIT"])
    if database.is_in_transaction:
        program.run(database, "ROLLBACK")
    program.close(database)
    if not made:
        return
    database = program.open("new.db")
    program.run(database, "PRAGMA cache_size = 3")
    program.transact(database, 1000)
    program.transact(database, 1001, ["INSERT INTO u VALUES (-1, zeroblob(5000))"])
    program.transact(database, 1002, ["UPDATE u SET v = zeroblob(700)"], end="ROLLBACK")
    program.run(database, "DELETE FROM u WHERE n = -1")
    program.run(database, "VACUUM")
    program.transact(database, 1003)
    program.close(database)


def modes(program):
    """Journals that stay."""
    database = program.open("a.db")
    for number, mode in enumerate(["TRUNCATE", "PERSIST", "DELETE"]):
        program.run(database, f"PRAGMA journal_mode = {mode}")
        program.run(database, "PRAGMA journal_size_limit = 600")
        program.transact(database, 1000 + 2 * number)
        program.look(database)
        program.transact(database, 1001 + 2 * number, ["UPDATE t SET v = v"])
    program.close(database)


def unsynced(program):
    """Transactions without a sync, with a journal that stays. Its header's last write commits."""
    database = program.open("a.db")
    program.run(database, "PRAGMA synchronous = OFF")
    program.run(database, "PRAGMA journal_mode = PERSIST")
    for number in range(3):
        program.transact(database, 1000 + number)
    program.close(database)


def wal(program):
    """A WAL that is read, checkpointed, emptied and removed."""
    one, two = program.open("w.db"), program.open("w.db")
    program.transact(one, 1000)
    program.look(two)
    program.transact(two, 1001, ["UPDATE t SET v = zeroblob(301)"])
    program.run(one, "PRAGMA wal_checkpoint(PASSIVE)")
    program.transact(two, 1002)
    program.run(one, "PRAGMA wal_checkpoint(TRUNCATE)")
    program.close(one)
    program.transact(two, 1003)
    program.run(two, "PRAGMA journal_mode = DELETE")
    program.transact(two, 1004)
    program.close(two)


def hot(program):
    """Journals and a WAL that a program left in the middle of its work."""
    for name in ["hot.db", "walhot.db"]:
        database = program.open(name)
        program.look(database)
        program.transact(database, 1000)
        program.close(database)
    for name in ["two.db", "two-second.db"]:
        database = program.open(name)
        program.look(database)
        program.close(database)


def together(program):
    """One transaction on two databases."""
    database = program.open("a.db")
    if program.run(database, f"ATTACH 'file:b.db?vfs=sluice&socket={program.socket}' AS b")[0]:
        for number in (1000, 1001):
            program.transact(database, number, [
                f"INSERT INTO b.{table}(n, v) VALUES ({number}, {FILLING})" for table in "tu"])
            program.begun.append(("b.db", number))
    program.close(database)


def temporary(program):
    """Files without a name, and files that grow in chunks."""
    database = program.open("a.db")
    program.run(database, "PRAGMA temp_store = FILE")
    program.run(database, "PRAGMA cache_size = 3")
    program.run(database, "PRAGMA temp.cache_size = 3")
    program.run(database, "CREATE TEMP TABLE s AS SELECT n, zeroblob(900) v FROM t")
    program.run(database, "SELECT sum(n) FROM s")
    program.note("chunks", database.control(host.CHUNK_SIZE, 32768))
    program.transact(database, 1000, ["INSERT INTO u VALUES (1000, zeroblob(9000))",
                                      "DELETE FROM u WHERE length(v) = 9000"])
    program.run(database, "VACUUM")
    program.look(database)
    program.close(database)


def names(program):
    """Links, other owners, deletions before opening, and whether a file has moved."""
    for name in ["link.db", "linked/c.db", "odd.db"]:
        database = program.open(name)
        program.transact(database, 1000)
        program.note("has moved", database.control(host.HAS_MOVED))
        program.close(database)
    for name in ["oddwal.db"]:
        database = program.open(name)
        program.transact(database, 1000)
        program.close(database)
    program.close(program.open("missing/x.db", expects="CANTOPEN"))
    program.close(program.open("link-out/x.db", expects="CANTOPEN"))
    # Names go to the sidecar of the database to which they belong.
    database = program.open("a.db")
    program.note("access", host.access(database.path, host.ACCESS_READ))
    program.note("access", host.access(database.path, host.ACCESS_READWRITE))
    program.close(database)
    database = program.open("gone.db", "&delete-before-open=1")
    program.run(database, "CREATE TABLE t(n, v)")
    program.close(database)


def beside(program):
    """A stock program has the databases open all the time, so the locks are on the files."""
    program.outside("come")
    for name in ["a.db", "w.db"]:
        database = program.open(name)
        program.look(database)
        program.transact(database, 1000, ["UPDATE t SET v = v"])
        other = program.open(name)
        program.look(other)
        program.run(database, "PRAGMA wal_checkpoint(FULL)")
        program.transact(other, 1001)
        program.close(database)
        program.close(other)


def comings(program):
    """A stock program comes in the middle of a transaction, and goes again."""
    for name in ["a.db", "w.db"]:
        database = program.open(name)
        program.look(database)
        program.begun.append((name, 1000))
        is_done = program.run(database, "BEGIN IMMEDIATE")[0] and program.run(
            database, "INSERT INTO t(n, v) VALUES (1000, 1)")[0]
        program.outside("come")
        is_done = is_done and program.run(database, "INSERT INTO u(n, v) VALUES (1000, 1)")[0]
        if is_done and program.run(database, "COMMIT")[0]:
            program.acknowledged.append((name, 1000))
        if database.is_in_transaction:
            program.run(database, "ROLLBACK")
        program.look(database)
        program.outside("go")
        program.transact(database, 1001)
        program.look(database)
        program.close(database)


def contention(program):
    """Two programs that write to one database and stand in line for its lock."""
    reading, writing = os.pipe()
    child = os.fork()
    start = 1000 if child else 1100
    for name, count in (("w.db", 3), ("a.db", 2)):
        database = program.open(name, "&wait=10000")
        for number in range(start, start + count):
            program.transact(database, number)
        program.close(database)
    if child == 0:
        os.write(writing, json.dumps(program.report()).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        other = json.loads(file.read())
    os.waitpid(child, 0)
    for key, values in other.items():
        getattr(program, key).extend(
            tuple(value) if isinstance(value, list) else value for value in values)


def bounded(program):
    """The same as `rollback`, with a quota for the files."""
    rollback(program)


SCENARIOS = {function.__name__: function for function in [
    session, rollback, modes, unsynced, wal, hot, together, temporary, names, beside, comings, contention,
    bounded]}


def options(name):
    """The options of a scenario's sidecar, besides its root and socket."""
    return ["--quota", "1G"] if name == "bounded" else []


def environment(name):
    """Its sidecar's variables. Commits share a sync only if it takes a while."""
    return {"SLUICE_FAULTS_SYNC_MICROSECONDS": "1000"} if name == "group" else {}


# --- the databases before a scenario ---

def fill(connection, schema="main"):
    connection.execute(f"PRAGMA {schema}.page_size = 1024")
    for table in "tu":
        connection.execute(f"CREATE TABLE {schema}.{table}(n, v)")
        for number in range(ROWS):
            connection.execute(
                f"INSERT INTO {schema}.{table} VALUES (?, zeroblob(200))", (number,))


def connect(root, name):
    connection = sqlite3.connect(os.path.join(root, name), isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def make(root, record):
    """Makes the databases. It runs under the layer, which records the work."""
    for name in ["a.db", "b.db", "w.db", "hot.db", "walhot.db", "odd.db", "oddwal.db", "gone.db",
                 "c.db"]:
        connection = connect(root, name)
        if name in ("w.db", "walhot.db", "oddwal.db"):
            connection.execute("PRAGMA page_size = 1024")
            connection.execute("PRAGMA journal_mode = WAL")
        fill(connection)
        if name == "walhot.db":
            connection.execute("UPDATE t SET v = zeroblob(201)")
            mark(record, cut=name)
        if name == "hot.db":
            connection.execute("INSERT INTO t SELECT n + 5000, v FROM t")
        connection.close()
    connection = connect(root, "two.db")
    connection.execute("ATTACH ? AS second", (os.path.join(root, "two-second.db"),))
    fill(connection)
    fill(connection, "second")
    connection.execute("BEGIN")
    for schema in ("main", "second"):
        connection.execute(f"INSERT INTO {schema}.t SELECT n + 5000, v FROM {schema}.t")
    connection.execute("COMMIT")
    connection.close()


def template(record_path):
    """The content of each file: databases at rest, and three at a moment of their last transaction when
    everything was written and nothing deleted."""
    entries = read_record(record_path)
    ends = {"hot.db": last_deletion(entries, "hot.db-journal"),
            "walhot.db": next(i for i, e in enumerate(entries) if e[0] == MARK),
            "two": last_deletion(entries, "two.db-mj")}
    contents = whole(entries)
    contents = {name: content for name, content in contents.items()
                if not name.startswith(tuple(ends))}
    for start, end in ends.items():
        contents.update({name: content for name, content in whole(entries[:end]).items()
                         if name.startswith(start)})
    return contents


def last_deletion(entries, start):
    return max(i for i, e in enumerate(entries) if e[0] == UNLINK and e[3].startswith(start))


def whole(entries):
    """The files after these entries, without a power cut."""
    disk = Disk()
    for entry in entries:
        if entry[0] != MARK:
            disk.apply(entry)
    return disk.whole()


def lay_out(contents, root):
    """Puts the files into an empty root, with the links and owners that they have there."""
    os.mkdir(os.path.join(root, "sub"))
    for name, content in contents.items():
        place = "sub/c.db" if name == "c.db" else name
        if not name.endswith("-shm"):
            with open(os.path.join(root, place), "wb") as file:
                file.write(content)
    os.symlink("b.db", os.path.join(root, "link.db"))
    os.symlink("sub", os.path.join(root, "linked"))
    os.symlink("/proc/self/cwd", os.path.join(root, "link-out"))
    for name in ("odd.db", "oddwal.db"):
        os.chmod(os.path.join(root, name), 0o666)
        if os.geteuid() == 0:
            os.chown(os.path.join(root, name), 65534, 65534)
