"""Python's multiprocessing: the start method is the argument, and each process has its own connection."""

import multiprocessing
import sqlite3
import sys


def insert(arguments):
    name, number = arguments
    connection = sqlite3.connect(name, timeout=60)
    for turn in range(25):
        with connection:
            connection.execute("INSERT INTO t VALUES(?, ?)", (number, turn))
    return connection.execute("SELECT count(*) FROM t WHERE process = ?", (number,)).fetchone()[0]


if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    for mode in "delete", "wal":
        name = mode + ".db"
        connection = sqlite3.connect(name, timeout=60)
        connection.execute("PRAGMA journal_mode=" + mode)
        connection.execute("CREATE TABLE t(process INT, turn INT)")
        connection.commit()
        with context.Pool(4) as pool:
            print(pool.map(insert, [(name, number) for number in range(4)], chunksize=1))
        print(connection.execute("SELECT count(*), count(DISTINCT process) FROM t").fetchone())
        print(connection.execute("PRAGMA integrity_check").fetchone())
        connection.close()
