"""One client of the database, on a host: a writer or a reader. two-hosts starts it.

A writer logs each transaction before it tries it, and each acknowledgement of SQLite before it goes on.
The log is outside the volume, and the database is compared with it. A line:

    SECONDS try|ack|err KIND NUMBER …      a transaction; `err` has code and text
    SECONDS hold|held                      the writer stops within a transaction, and goes on
    SECONDS open|lost TEXT                 a connection; a reader misses rows that it saw, or sums differ

Kinds of transactions: `row` inserts a row; `step` reads a counter, adds one and writes it back; `many`
changes many pages, more than the cache holds. Each leaves a row with the writer's name and a number.

On standard input: `hold SECONDS` makes it stop within the next transaction, `rest SECONDS` before it.
End-of-file ends the worker.

usage: worker.py writer|reader NAME URI LOG SEED [LIBRARY]
"""

import os
import random
import select
import sqlite3
import sys
import time

BUSY_SECONDS = 5
# A connection that fails for this long is closed and opened anew.
PATIENCE_SECONDS = 3
FIRST_PAUSE_SECONDS, PAUSE_SECONDS_MAX = 0.01, 0.5

SCHEMA = """
CREATE TABLE row(id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT, writer TEXT, number INT,
                 value INT, UNIQUE(writer, number));
CREATE TABLE counter(id INTEGER PRIMARY KEY, value INT);
INSERT INTO counter VALUES(1, 0), (2, 0);
CREATE TABLE page(id INTEGER PRIMARY KEY, stamp TEXT, filler BLOB);
WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 60)
INSERT INTO page SELECT i, '', zeroblob(900) FROM n;
"""


class Worker:
    def __init__(self, name, uri, log, seed):
        self.name, self.uri = name, uri
        self.random = random.Random(f"{seed} {name}")
        self.log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.connection = None
        self.failing_since = None
        self.pause = FIRST_PAUSE_SECONDS
        self.hold_seconds = 0
        self.is_told_to_end = False
        self.said = b""

    def say(self, *words):
        line = f"{time.time():.3f} " + " ".join(map(str, words)).replace("\n", " ") + "\n"
        os.write(self.log, line.encode())

    def listen(self):
        while select.select([0], [], [], 0)[0]:
            said = os.read(0, 1000)
            if not said:
                self.is_told_to_end = True
                return
            *lines, self.said = (self.said + said).split(b"\n")
            for line in lines:
                word, seconds = line.decode().split()
                if word == "hold":
                    self.hold_seconds = float(seconds)
                else:
                    time.sleep(float(seconds))

    def open(self):
        self.connection = sqlite3.connect(
            self.uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        # Pages leave the cache before the commit, so that a fault meets a half-written database.
        self.connection.execute("PRAGMA cache_size = 10")
        self.say("open")

    def close(self):
        if self.connection is not None:
            try:
                self.connection.close()
            except sqlite3.Error:
                pass
            self.connection = None

    def run(self):
        while not self.is_told_to_end:
            self.listen()
            try:
                if self.connection is None:
                    self.open()
                self.work()
                self.failing_since, self.pause = None, FIRST_PAUSE_SECONDS
            except sqlite3.Error as error:
                self.recover(error)
        self.close()

    def recover(self, error):
        """Does what a careful program does: rolls back, waits a little and tries again, and opens the
        database anew if that does not help."""
        now = time.monotonic()
        self.failing_since = self.failing_since or now
        try:
            if self.connection is not None and self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
        except sqlite3.Error:
            self.close()
        if now - self.failing_since > PATIENCE_SECONDS:
            self.close()
            self.failing_since = None
        time.sleep(self.pause)
        self.pause = min(self.pause * 2, PAUSE_SECONDS_MAX)


class Writer(Worker):
    number = 0

    def work(self):
        self.number += 1
        kind = self.random.choices(["row", "step", "many"], [6, 3, 1])[0]
        if self.hold_seconds:
            kind = "many"
        self.say("try", kind, self.number)
        try:
            getattr(self, kind)()
        except sqlite3.Error as error:
            self.say("err", kind, self.number, getattr(error, "sqlite_errorname", "?"), error)
            raise
        self.say("ack", kind, self.number)

    def insert(self, kind, value):
        self.connection.execute(
            "INSERT INTO row(kind, writer, number, value) VALUES(?, ?, ?, ?)",
            (kind, self.name, self.number, value))

    def row(self):
        self.insert("row", 0)

    def step(self):
        self.connection.execute("BEGIN IMMEDIATE")
        value, = self.connection.execute("SELECT value FROM counter WHERE id = 1").fetchone()
        self.connection.execute("UPDATE counter SET value = ? WHERE id = 1", (value + 1,))
        self.insert("step", value + 1)
        self.connection.execute("UPDATE counter SET value = ? WHERE id = 2", (-value - 1,))
        self.connection.execute("COMMIT")

    def many(self):
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.execute("UPDATE page SET stamp = ?, filler = randomblob(900)",
                                (f"{self.name} {self.number}",))
        self.insert("many", 0)
        if self.hold_seconds:
            self.say("hold", self.hold_seconds)
            time.sleep(self.hold_seconds)
            self.hold_seconds = 0
            self.say("held")
        self.connection.execute("COMMIT")


class Reader(Worker):
    """Ids are in the order of commits, so the rows up to an id that was seen never change again."""
    last, seen, looks = 0, (0, 0), 0
    SUM = "SELECT count(*), coalesce(sum(id * 31 + number * 7 + value), 0) FROM row WHERE id <= ?"
    STATE = """SELECT (SELECT count(*) FROM row WHERE kind = 'step'),
                      (SELECT value FROM counter WHERE id = 1), (SELECT -value FROM counter WHERE id = 2),
                      (SELECT count(DISTINCT stamp) FROM page), (SELECT coalesce(max(id), 0) FROM row)"""

    def work(self):
        self.connection.execute("BEGIN")
        steps, value, opposite, stamps, last = self.connection.execute(self.STATE).fetchone()
        found = self.connection.execute(self.SUM, (self.last,)).fetchone()
        next_seen = self.connection.execute(self.SUM, (last,)).fetchone()
        self.connection.execute("COMMIT")
        if not steps == value == opposite:
            self.say("lost", f"{steps} steps, and the counters are {value} and {-opposite}")
        if stamps != 1:
            self.say("lost", f"{stamps} transactions in the pages that are changed together")
        if found != self.seen:
            self.say("lost", f"up to id {self.last} there was {self.seen}, now {found}")
        self.last, self.seen = last, next_seen
        self.looks += 1
        self.say("ack", "look", self.looks)
        time.sleep(self.random.uniform(0.3, 1))


def main():
    role, name, uri, log, seed, *library = sys.argv[1:]
    if library:
        loader = sqlite3.connect(":memory:")
        loader.enable_load_extension(True)
        loader.load_extension(library[0])
    {"writer": Writer, "reader": Reader}[role](name, uri, log, seed).run()


if __name__ == "__main__":
    main()
