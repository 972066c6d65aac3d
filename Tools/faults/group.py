"""The work that power-loss does on one WAL database by many processes at once, so that commits of several
writers may share a sync.

Each writer numbers its own transactions, 1, 2, 3 …: there is no order of all that is known beforehand. It
notes in the record what it begins and, after COMMIT has returned, what was acknowledged. Each reader notes
what it was shown, after SELECT has returned: the last number of each writer.

A transaction writes to three tables (MAKE): its data to t, their checksum to u, its number to last. The
rows of u have the order of all transactions. So half a transaction shows, and one that is there without
one before it.

usage: group.py DATABASE MODE SEED    (power-loss starts this, with RECORD, LIBRARY, SOCKET and ROOT in
                                       the environment)
  MODE is WAL+group[+WORD…]: extra, mixed (some of the processes use stock SQLite), native (all do),
  failing (some syncs fail: a process that is told so opens the database anew, and goes on from what it
  finds there)
With CANARY=shown each writer notes as shown what it reads in its own transaction before COMMIT.
"""

import hashlib
import mmap
import os
import random
import signal
import sqlite3
import sys
import time
import traceback

sys.dont_write_bytecode = True
from disk import mark  # noqa: E402

WRITER_COUNT = 8
TRANSACTIONS_PER_WRITER = 40
READERS = ["fresh", "long", "steady"]
# A mixed database has these processes of stock SQLite.
NATIVE = [0, 1, "steady"]
ERRORS_MAX = 100

MAKE = """
CREATE TABLE t(writer, n, v, PRIMARY KEY(writer, n));
CREATE TABLE u(position INTEGER PRIMARY KEY, writer, n, sum);
CREATE TABLE last(writer PRIMARY KEY, n) WITHOUT ROWID;
CREATE TABLE filling(v);
CREATE VIEW work AS SELECT t.writer, t.n, t.v, u.sum FROM t JOIN u USING(writer, n);
CREATE TRIGGER transact INSTEAD OF INSERT ON work BEGIN
  INSERT INTO t VALUES (NEW.writer, NEW.n, NEW.v);
  INSERT INTO u(writer, n, sum) VALUES (NEW.writer, NEW.n, NEW.sum);
  INSERT OR REPLACE INTO last VALUES (NEW.writer, NEW.n);
END;
INSERT INTO filling WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT 20)
  SELECT zeroblob(500) FROM c;
"""
INSERT = "INSERT INTO work VALUES (?, ?, ?, ?)"
# Each says how far each writer is, from other pages.
LOOKS = ["SELECT writer, n FROM last", "SELECT writer, max(n) FROM t GROUP BY writer",
         "SELECT writer, max(n) FROM u GROUP BY writer"]


def content(connection):
    """What is wrong with the content, or None, and how far each writer is."""
    found = {}
    for writer, n, v in connection.execute("SELECT writer, n, v FROM t ORDER BY writer, n"):
        if n != found.get(writer, 0) + 1:
            return f"writer {writer} has {n} after {found.get(writer, 0)}", found
        found[writer] = n
        sums = connection.execute(
            "SELECT sum FROM u WHERE writer = ? AND n = ?", (writer, n)).fetchall()
        if sums != [(checksum(v),)]:
            return f"half of transaction {n} of writer {writer} is there", found
    if dict(connection.execute(LOOKS[0])) != found:
        return "the last numbers are not those of the transactions", found
    count, last = connection.execute("SELECT count(*), max(position) FROM u").fetchone()
    if count != sum(found.values()) or count != (last or 0):
        return f"{count} checksums, the last number {last}, of {sum(found.values())}", found
    return None, found


def checksum(v):
    return hashlib.sha256(v).hexdigest()[:16]


class Process:
    """A writer or reader, in a process of its own."""

    def __init__(self, name, mode, seed, role):
        self.name, self.role = name, role
        self.words = mode.split("+")
        self.random = random.Random(f"{seed} {name} {role}")
        self.record = os.open(os.environ["RECORD"], os.O_WRONLY | os.O_APPEND)
        self.is_native = "native" in self.words or "mixed" in self.words and role in NATIVE
        self.shown = {}
        self.connection = None
        # A writer's last number that was acknowledged or found.
        self.done = 0
        self.error_count = 0

    def note(self, **what):
        mark(self.record, database=self.name, **what)

    def open(self):
        if self.connection:
            self.connection.close()
        place = f"file:{self.name}?vfs=sluice&socket=" + os.environ["SOCKET"]
        if self.is_native:
            place = f"file:{os.environ['ROOT']}/{self.name}"
        self.connection = sqlite3.connect(place, uri=True, isolation_level=None, timeout=30)
        self.execute(f"PRAGMA synchronous = {'EXTRA' if 'extra' in self.words else 'FULL'}")
        self.execute(f"PRAGMA cache_size = {self.random.choice([5, 10, 200])}")
        self.execute(f"PRAGMA wal_autocheckpoint = {self.random.choice([4, 15, 60])}")

    def execute(self, sql, values=()):
        return self.connection.execute(sql, values).fetchall()

    def make(self):
        self.open()
        self.execute(f"PRAGMA page_size = {self.random.choice([512, 1024, 4096, 4096])}")
        if self.execute("PRAGMA journal_mode = WAL") != [("wal",)]:
            raise SystemExit(f"{self.name}: no journal mode WAL")
        self.connection.executescript(f"BEGIN; {MAKE} COMMIT;")
        self.connection.close()
        self.connection = None
        self.note(made=True)

    def pause(self):
        time.sleep(self.random.choice([0, 0, 0.001, 0.005]))

    # --- readers ---

    def look(self):
        """How far the writers are, by a random question."""
        return dict(self.execute(self.random.choice(LOOKS)))

    def note_shown(self, found):
        """Notes what SELECT has returned, unless this process has noted it already."""
        news = {writer: n for writer, n in found.items() if n > self.shown.get(writer, 0)}
        if news:
            self.shown.update(news)
            self.note(shown=news)

    def read_fresh(self):
        self.open()
        self.note_shown(self.look())

    def read_steady(self):
        if not self.connection:
            self.open()
        self.note_shown(self.look())

    def read_long(self):
        """A transaction that keeps its snapshot while others write."""
        if not self.connection:
            self.open()
        self.execute("BEGIN")
        first = self.look()
        self.note_shown(first)
        for _ in range(self.random.randrange(1, 6)):
            self.pause()
            if self.look() != first:
                raise SystemExit(f"{self.name}: a snapshot has changed")
        if self.random.random() < 0.2:
            fault, _ = content(self.connection)
            if fault:
                raise SystemExit(f"{self.name}: a reader was shown: {fault}")
        self.execute("COMMIT")

    def read(self, stop):
        while not stop[0]:
            self.attempt(getattr(self, f"read_{self.role}"))
            self.pause()

    # --- errors ---

    def attempt(self, body):
        """Whether `body` ended without the error of a sync that failed. After one, the next needs a new
        connection."""
        try:
            body()
            return True
        except sqlite3.OperationalError:
            self.error_count += 1
            if "failing" not in self.words or self.error_count > ERRORS_MAX:
                raise
            if self.connection:
                self.connection.close()
            self.connection = None
            return False

    def open_and_find(self):
        """Opens the database, and finds this writer's last number there."""
        self.open()
        found = dict(self.execute(LOOKS[0]))
        self.note_shown(found)
        self.done = found.get(self.role, 0)

    # --- writers ---

    def write(self):
        while self.done < TRANSACTIONS_PER_WRITER:
            if not self.connection and not self.attempt(self.open_and_find):
                continue
            self.attempt(self.step)

    def step(self):
        """One transaction, and what a writer does besides."""
        n = self.done + 1
        v = self.random.randbytes(self.random.choice([10, 100, 400, 400, 3000]))
        self.note(writer=self.role, begun=n)
        self.transact((self.role, n, v, checksum(v)))
        self.note(writer=self.role, acknowledged=n)
        self.done = n
        chance = self.random.random()
        if chance < 0.05:
            self.open()
        elif chance < 0.1:
            how = self.random.choice(["TRUNCATE", "TRUNCATE", "RESTART", "FULL", "PASSIVE"])
            self.execute(f"PRAGMA wal_checkpoint({how})")
        elif chance < 0.2:
            self.abandon()

    def transact(self, values):
        """One transaction: a statement of its own, or with BEGIN and COMMIT."""
        how = "BEGIN IMMEDIATE" if "CANARY" in os.environ else self.random.choice(
            [None, None, "BEGIN IMMEDIATE", "BEGIN IMMEDIATE", "BEGIN"])
        if how == "BEGIN" and self.transact_after_reading(values):
            return
        if how:
            self.execute("BEGIN IMMEDIATE")
        self.execute(INSERT, values)
        if how and self.random.random() < 0.1:
            # More than the cache holds.
            self.execute("UPDATE filling SET v = randomblob(500)")
        if "CANARY" in os.environ:
            self.note_shown(self.look())
        if how:
            self.execute("COMMIT")

    def transact_after_reading(self, values):
        """False if others write or wrote after it had read; then nothing was done."""
        try:
            self.execute("BEGIN")
            self.note_shown(self.look())
            self.execute(INSERT, values)
            self.execute("COMMIT")
            return True
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xff != sqlite3.SQLITE_BUSY:
                raise
            self.execute("ROLLBACK")
            return False

    def abandon(self):
        """A writer that reads and rolls back has been shown what others wrote, though it writes nothing
        after that. ROLLBACK cannot fail, so the next statement tells whether that was taken back."""
        self.execute("BEGIN IMMEDIATE")
        found = self.look()
        if self.random.random() < 0.5:
            self.execute(INSERT, (self.role, -1, b"", ""))
        self.execute("ROLLBACK")
        self.execute(self.random.choice(["SELECT count(*) FROM last", "BEGIN IMMEDIATE"]))
        if self.connection.in_transaction:
            self.execute("ROLLBACK")
        self.note_shown(found)


class Children:
    """The processes that this one has started."""

    def __init__(self):
        self.ids = []

    def start(self, body):
        child = os.fork()
        if child != 0:
            self.ids.append(child)
            return
        try:
            body()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        os._exit(1)

    def await_all(self):
        """Ends this process when one of them has failed."""
        while self.ids:
            child, status = os.waitpid(self.ids[0], 0)
            self.ids.remove(child)
            if status != 0:
                raise SystemExit(1)

    def kill(self):
        for child in self.ids:
            os.kill(child, signal.SIGKILL)


def work(name, mode, seed, writers, readers):
    def process(role):
        return Process(name, mode, seed, role)
    writers.start(process("maker").make)
    writers.await_all()
    stop = mmap.mmap(-1, 1)
    for role in READERS:
        readers.start(lambda: process(role).read(stop))
    for role in range(WRITER_COUNT):
        writers.start(process(role).write)
    writers.await_all()
    stop[0] = 1
    readers.await_all()
    last = process("last")
    last.open()
    fault, found = content(last.connection)
    whole = {writer: TRANSACTIONS_PER_WRITER for writer in range(WRITER_COUNT)}
    if fault or found != whole:
        raise SystemExit(f"{name}: {fault or found}")


def main():
    name, mode, seed = sys.argv[1:4]
    if "native" not in mode.split("+"):
        loader = sqlite3.connect(":memory:")
        loader.enable_load_extension(True)
        loader.load_extension(os.environ["LIBRARY"])
        loader.close()
    writers, readers = Children(), Children()
    try:
        work(name, mode, seed, writers, readers)
    finally:
        writers.kill()
        readers.kill()


if __name__ == "__main__":
    main()
