"""Python's sqlite3. SLUICE_EXTENSION: the library to load; then databases are opened with vfs=sluice."""

import os
import sqlite3
import sys
import threading

extension = os.environ.get("SLUICE_EXTENSION")
if extension:
    loader = sqlite3.connect(":memory:")
    loader.enable_load_extension(True)
    loader.load_extension(extension)


def connect(name):
    if extension:
        return sqlite3.connect(f"file:{name}?vfs=sluice", uri=True)
    return sqlite3.connect(name)


for mode in "delete", "wal":
    name = mode + ".db"
    first = connect(name)
    print(first.execute("PRAGMA journal_mode=" + mode).fetchone())
    first.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, word TEXT)")
    with first:
        first.executemany("INSERT INTO t(word) VALUES(?)", [(f"word {i}",) for i in range(1000)])
    second = connect(name)
    try:
        with first:
            first.execute("DELETE FROM t")
            print(second.execute("SELECT count(*) FROM t").fetchone())
            raise KeyError("undo")
    except KeyError:
        print(first.execute("SELECT count(*), max(word) FROM t").fetchone())
    first.execute("BEGIN IMMEDIATE")
    second.execute("PRAGMA busy_timeout=0")
    try:
        second.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        print(error, error.sqlite_errorname)
    first.execute("ROLLBACK")

    def insert():
        own = connect(name)
        for _ in range(20):
            with own:
                own.execute("INSERT INTO t(word) VALUES('of a thread')")
        own.close()

    threads = [threading.Thread(target=insert) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    print(second.execute("SELECT count(*) FROM t WHERE word = 'of a thread'").fetchone())
    copy = connect(mode + "-copy.db")
    first.backup(copy, pages=3)
    print(copy.execute("PRAGMA integrity_check").fetchone(), sum(1 for _ in copy.iterdump()))
    with first.blobopen("t", "word", 1) as blob:
        print(blob.read())
    print(len(first.serialize()) > 4096)
    for connection in first, second, copy:
        connection.close()
print(sorted(name for name in os.listdir(".") if ".db" in name))
sys.stdout.flush()
