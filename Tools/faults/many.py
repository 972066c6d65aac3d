"""A scenario of io-errors with many writers: eight programs and a reader share a WAL database, so that
one sync that fails may be the sync of several commits.
"""

import json
import os

import host
from scenarios import FILLING, FIRST_NUMBER, Host

WRITER_COUNT = 8
TRANSACTIONS_PER_WRITER = 4
# The writer whose transactions span two databases.
SPANNING = 7
BUSY_MILLISECONDS = 10000


def group(program):
    """Every COMMIT that gave OK counts as acknowledged, and what the reader was shown counts too."""
    writers = [Child(program, lambda program, one=one: write(program, one))
               for one in range(WRITER_COUNT)]
    end, stop = os.pipe()
    os.set_blocking(end, False)
    reader = Child(program, lambda program: read(program, end))
    for writer in writers:
        writer.join(program)
    os.write(stop, b"!")
    reader.join(program)
    os.close(end), os.close(stop)


def write(program, one):
    database = open_database(program, one)
    for number in range(first_number(one), first_number(one) + TRANSACTIONS_PER_WRITER):
        between = []
        if database.spans:
            program.begun.append(("oddwal.db", number))
            between = [f"INSERT INTO odd.{table}(n, v) VALUES ({number}, {FILLING})"
                       for table in "tu"]
        count = len(program.acknowledged)
        program.transact(database, number, between)
        if len(program.acknowledged) > count:
            if database.spans:
                program.acknowledged.append(("oddwal.db", number))
            continue
        # A program that was told of an error begins anew.
        program.close(database)
        database = open_database(program, one)
    program.close(database)


def open_waiting(program):
    database = program.open("w.db")
    host.library.sqlite3_busy_timeout(database.handle, BUSY_MILLISECONDS)
    return database


def open_database(program, one):
    database = open_waiting(program)
    program.run(database, "PRAGMA synchronous = FULL")
    program.run(database, f"PRAGMA wal_autocheckpoint = {4 if one % 2 else 1000}")
    database.spans = one == SPANNING and program.run(
        database, f"ATTACH 'file:oddwal.db?vfs=sluice&socket={program.socket}' AS odd")[0]
    if database.spans:
        program.opened.append("oddwal.db")
        program.run(database, "PRAGMA odd.synchronous = FULL")
    return database


def first_number(one):
    return FIRST_NUMBER + 100 * one


def read(program, end):
    """Reads until there is something to read in `end`."""
    database = open_waiting(program)
    while not is_told(end):
        is_done, rows = program.run(database, f"SELECT n FROM t WHERE n >= {FIRST_NUMBER}")
        if is_done:
            shown = {("w.db", int(n)) for n, in rows}
            program.acknowledged += shown.difference(program.acknowledged)
        else:
            program.close(database)
            database = open_waiting(program)
    program.close(database)


def is_told(end):
    try:
        return os.read(end, 1) == b"!"
    except BlockingIOError:
        return False


class Child:
    """A process that does `body` as a program of its own."""

    def __init__(self, program, body):
        self.output, writing = os.pipe()
        self.id = os.fork()
        if self.id != 0:
            os.close(writing)
            return
        host.end_with_parent()
        program = Host(program.socket, program.outside)
        try:
            body(program)
        except BaseException as error:
            program.wrong.append(f"a program ended with {error!r}")
        with os.fdopen(writing, "wb") as file:
            file.write(json.dumps(program.report()).encode())
        os._exit(0)

    def join(self, program):
        """Waits for its end, and adds what it says to what `program` says."""
        with os.fdopen(self.output, "rb") as file:
            said = json.loads(file.read())
        os.waitpid(self.id, 0)
        for key, values in said.items():
            getattr(program, key).extend(
                tuple(value) if isinstance(value, list) else value for value in values)
