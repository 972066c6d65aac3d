"""Compares the content of the database with the logs.

Every acknowledged row must be there, and no row that was never tried. Stock SQLite reads the rows on one
host while writers go on. So the acknowledged rows come from the logs before that, the tried ones after.

usage: verdict.py DATABASE    (on a host) prints the content as JSON
"""

import glob
import json
import os
import sqlite3
import sys
import time

LOOK_SECONDS_MAX = 60


def look(path):
    connection = sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=20, isolation_level=None)
    connection.execute("BEGIN")
    rows = connection.execute("SELECT writer, number, kind FROM row").fetchall()
    steps = sum(kind == "step" for _, _, kind in rows)
    counters = [value for value, in connection.execute("SELECT value FROM counter ORDER BY id")]
    stamps, = connection.execute("SELECT count(DISTINCT stamp) FROM page").fetchone()
    integrity = [text for text, in connection.execute("PRAGMA integrity_check(5)")]
    connection.execute("COMMIT")
    faults = [] if integrity == ["ok"] else ["integrity_check: " + "; ".join(integrity)[:300]]
    if counters != [steps, -steps]:
        faults.append(f"{steps} steps, and the counters are {counters}: updates were lost")
    if stamps != 1:
        faults.append(f"{stamps} transactions in the pages that are changed together")
    return {"rows": [f"{writer} {number}" for writer, number, _ in rows], "faults": faults}


def main():
    end, delay = time.monotonic() + LOOK_SECONDS_MAX, 0.1
    while True:
        try:
            return print(json.dumps(look(sys.argv[1])))
        except sqlite3.DatabaseError as error:
            name = getattr(error, "sqlite_errorname", "")
            is_told = name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))
            if is_told or time.monotonic() > end:
                return print(json.dumps({"rows": None, "faults": [f"stock SQLite says {name}: {error}"]}))
        time.sleep(delay)


class Logs:
    """The logs of one database's clients. Each read continues where the last one ended."""

    def __init__(self, directory):
        self.directory = directory
        self.places, self.rests = {}, {}
        self.tried, self.acknowledged = set(), set()
        # The losses that readers saw: the first few in words, and their number.
        self.lost, self.loss_count = [], 0
        self.errors, self.opened, self.looks = {}, 0, 0
        self.longest, self.begun, self.held = 0.0, {}, set()

    def read(self):
        for path in sorted(glob.glob(os.path.join(self.directory, "*.log"))):
            with open(path, "rb") as file:
                file.seek(self.places.get(path, 0))
                bytes = self.rests.get(path, b"") + file.read()
                self.places[path] = file.tell()
            *lines, self.rests[path] = bytes.split(b"\n")
            writer = os.path.basename(path)[:-4]
            for line in lines:
                self.take(writer, line.decode())

    def take(self, writer, line):
        time, what, *words = line.split(" ")
        time = float(time)
        if what == "try":
            self.tried.add(f"{writer} {words[1]}")
            self.begun[writer] = time
        elif what == "hold":
            self.held.add(writer)
        elif what in ("ack", "err"):
            if writer in self.begun and writer not in self.held:
                self.longest = max(self.longest, time - self.begun[writer])
            self.held.discard(writer)
            self.begun.pop(writer, None)
            if what == "err":
                self.errors[words[2]] = self.errors.get(words[2], 0) + 1
            elif words[0] == "look":
                self.looks += 1
            else:
                self.acknowledged.add(f"{writer} {words[1]}")
        elif what == "open":
            self.opened += 1
        elif what == "lost":
            self.loss_count += 1
            if len(self.lost) < 3:
                self.lost.append(f"{writer}: {' '.join(words)}")


def judge(logs, look_at_host):
    """The faults that a host shows. `look_at_host` returns the output of `verdict.py` there."""
    logs.read()
    acknowledged = set(logs.acknowledged)
    found = json.loads(look_at_host())
    logs.read()
    faults = list(found["faults"])
    lost = 0
    if found["rows"] is not None:
        rows = set(found["rows"])
        missing, strange = acknowledged - rows, rows - logs.tried
        lost = len(missing)
        if missing:
            faults.append(f"{lost} of {len(acknowledged)} acknowledged rows are not there: "
                          + ", ".join(sorted(missing)[:5]))
        if strange:
            faults.append(f"{len(strange)} rows were never tried: " + ", ".join(sorted(strange)[:5]))
    return faults, lost


if __name__ == "__main__":
    main()
