"""The work that power-loss does on one database over the fault layer: random transactions.

The program notes each transaction in the record before it begins, with a digest of the content that the
database must have after it. It notes it again when it was acknowledged. The digest comes from a copy in
memory: stock SQLite runs the same statements there.

usage: transactions.py DATABASE MODE SEED COUNT    (power-loss starts this, with RECORD, LIBRARY,
                                                    SOCKET and ROOT in the environment)
  MODE is JOURNALMODE[+WORD…]: extra, super (a second database is attached), mixed (stock SQLite does
  every second transaction), native (stock SQLite does all)
"""

import hashlib
import os
import random
import sqlite3
import sys

sys.dont_write_bytecode = True
from disk import mark  # noqa: E402


def digest(connection, schemas):
    """The digest of the table with all its rows, if the table exists."""
    sum = hashlib.sha256()
    for schema in schemas:
        has_table = f"SELECT 1 FROM {schema}.sqlite_schema WHERE name = 't'"
        if connection.execute(has_table).fetchone():
            sum.update(b"t")
            for row in connection.execute(f"SELECT id, n, v FROM {schema}.t ORDER BY id"):
                sum.update(repr(row).encode())
        sum.update(b";")
    return sum.hexdigest()[:32]


def schemas_of(mode):
    return ["main", "second"] if "super" in mode.split("+") else ["main"]


def second_name(name):
    return name.replace(".db", "-second.db")


class Work:
    def __init__(self, name, mode, seed):
        self.name, self.random = name, random.Random(f"{seed} {name}")
        self.journal_mode, *self.words = mode.split("+")
        self.schemas = schemas_of(mode)
        self.page_byte_count = self.random.choice([512, 1024, 4096, 4096, 8192])
        self.vacuum_mode = self.random.choice(["NONE", "NONE", "FULL", "INCREMENTAL"])
        self.record = os.open(os.environ["RECORD"], os.O_WRONLY | os.O_APPEND)
        self.copy = sqlite3.connect(":memory:", isolation_level=None)
        if "super" in self.words:
            self.copy.execute("ATTACH ':memory:' AS second")
        self.connections = [None, None]
        self.done = 0

    # --- connections ---

    def is_native(self, index):
        return "native" in self.words or "mixed" in self.words and index == 1

    def open(self, index):
        if self.is_native(index):
            place = "file:" + os.environ["ROOT"] + "/{}"
        else:
            place = "file:{}?vfs=sluice&socket=" + os.environ["SOCKET"]
        connection = sqlite3.connect(
            place.format(self.name), uri=True, isolation_level=None, timeout=30)
        if "super" in self.words:
            connection.execute("ATTACH ? AS second", (place.format(second_name(self.name)),))
        connection.execute(f"PRAGMA cache_size = {self.random.choice([5, 10, 200])}")
        for schema in self.schemas:
            # Both have an effect only on a database without content.
            connection.execute(f"PRAGMA {schema}.page_size = {self.page_byte_count}")
            connection.execute(f"PRAGMA {schema}.auto_vacuum = {self.vacuum_mode}")
            level = "EXTRA" if "extra" in self.words else "FULL"
            connection.execute(f"PRAGMA {schema}.synchronous = {level}")
            said = connection.execute(f"PRAGMA {schema}.journal_mode = {self.journal_mode}")
            if said.fetchone()[0].upper() != self.journal_mode:
                raise SystemExit(f"{self.name}: no journal mode {self.journal_mode}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {self.random.choice([4, 15, 1000])}")
        return connection

    def connection(self):
        index = self.random.randrange(2)
        # Only one connection is closed at a time, because the last one removes the WAL.
        if self.connections[index] is not None and self.random.random() < 0.1:
            self.close(index)
            if self.random.random() < 0.3 and self.connections[1 - index] is not None:
                self.close(1 - index)
        if self.connections[index] is None:
            self.connections[index] = self.open(index)
        return self.connections[index]

    def close(self, index):
        self.connections[index].close()
        self.connections[index] = None

    # --- transactions ---

    def statements(self):
        """One transaction, as statements with their values."""
        chance = self.random
        if self.done == 0:
            for schema in self.schemas:
                yield f"CREATE TABLE {schema}.t(id INTEGER PRIMARY KEY, n, v)", ()
                yield f"CREATE INDEX {schema}.i ON t(n)", ()
        for schema in self.schemas:
            for _ in range(chance.choice([1, 1, 1, 2, 5, 25])):
                what = chance.random()
                if what < 0.5:
                    byte_count = chance.choice([10, 100, 1000, 3000])
                    values = (chance.randrange(1000), chance.randbytes(byte_count))
                    yield f"INSERT INTO {schema}.t(n, v) VALUES (?, ?)", values
                elif what < 0.8:
                    values = (chance.randbytes(chance.choice([10, 500])), chance.randrange(1000))
                    yield f"UPDATE {schema}.t SET v = ?, n = n + 1 WHERE n > ?", values
                else:
                    yield f"DELETE FROM {schema}.t WHERE n % 17 = ?", (chance.randrange(17),)

    def transact(self):
        statements = list(self.statements())
        self.copy.execute("BEGIN")
        for sql, values in statements:
            self.copy.execute(sql, values)
        self.copy.execute("COMMIT")
        connection = self.connection()
        mark(self.record, database=self.name, begun=self.done + 1,
             digest=digest(self.copy, self.schemas))
        connection.execute("BEGIN IMMEDIATE")
        for sql, values in statements:
            connection.execute(sql, values)
        connection.execute("COMMIT")
        self.done += 1
        mark(self.record, database=self.name, acknowledged=self.done)

    def abandon(self):
        """A transaction that is rolled back. It may be too large for the cache."""
        connection = self.connection()
        connection.execute("BEGIN")
        connection.execute("UPDATE t SET v = zeroblob(700), n = -1")
        connection.execute("ROLLBACK")

    def tidy(self):
        what = self.random.randrange(3)
        if what == 0:
            self.connection().execute("VACUUM")
        elif what == 1:
            self.connection().execute("PRAGMA incremental_vacuum(3)").fetchall()
        elif self.journal_mode == "WAL":
            how = self.random.choice(["PASSIVE", "FULL", "RESTART", "TRUNCATE"])
            self.connection().execute(f"PRAGMA wal_checkpoint({how})").fetchall()

    def run(self, count):
        mark(self.record, database=self.name, begun=0, digest=digest(self.copy, self.schemas))
        while self.done < count:
            what = self.random.random()
            if what < 0.8 or self.done == 0:
                self.transact()
            elif what < 0.9:
                self.abandon()
            else:
                self.tidy()
        for index in range(2):
            if self.connections[index] is not None and self.random.random() < 0.7:
                self.close(index)
        found = digest(self.open(0), self.schemas)
        if found != digest(self.copy, self.schemas):
            raise SystemExit(f"{self.name}: its content is not what was written")


def main():
    name, mode, seed, count = sys.argv[1:5]
    if "native" not in mode.split("+"):
        loader = sqlite3.connect(":memory:")
        loader.enable_load_extension(True)
        loader.load_extension(os.environ["LIBRARY"])
    Work(name, mode, seed).run(int(count))


if __name__ == "__main__":
    main()
