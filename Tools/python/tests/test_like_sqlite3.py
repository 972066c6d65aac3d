"""Each script does the same with this module as with the standard library's sqlite3."""

import datetime
import sqlite3
import threading
import unittest

import sluice


class Point:
    def __init__(self, x):
        self.x = x

    def __conform__(self, protocol):
        return f"P{self.x}"


SCRIPTS = {
    "values": lambda c, m: c.execute(
        "SELECT ?, ?, ?, ?, ?, ?, ?, ?",
        (1, -(1 << 63), 1.5, "ä\0b", b"\0\xff", None, True, "")).fetchall(),
    "empty": lambda c, m: c.execute("SELECT ?, ?, zeroblob(0)", ("", b"")).fetchall(),
    "values by name": lambda c, m: c.execute(
        "SELECT :a, @b, :a, ':c' -- :d", {"a": 1, "b": "two"}).fetchall(),
    "prefixes differ": lambda c, m: c.execute(
        "SELECT :a, @a, $a, ?", {"a": 1}).fetchall(),
    "numbered": lambda c, m: c.execute("SELECT ?2, ?1, ?3", (1, 2, 3)).fetchall(),
    "dates": lambda c, m: c.execute(
        "SELECT ?, ?", (datetime.date(2026, 1, 2), datetime.datetime(2026, 1, 2, 3, 4, 5)))
    .fetchone(),
    "binary": lambda c, m: c.execute(
        "SELECT ?, ?, ?", (m.Binary(b"x"), bytearray(b"y"), memoryview(b"z"))).fetchone(),
    "conform": lambda c, m: c.execute("SELECT ?", (Point(3),)).fetchone(),
    "unsupported": lambda c, m: c.execute("SELECT ?", (object(),)),
    "too large": lambda c, m: c.execute("SELECT ?", (1 << 63,)),
    "surrogate": lambda c, m: c.execute("SELECT ?", ("\ud800",)),
    "no table": lambda c, m: c.execute("SELECT * FROM nothing"),
    "unique": lambda c, m: [
        c.execute("CREATE TABLE u(x UNIQUE)"), c.execute("INSERT INTO u VALUES (1)"),
        c.execute("INSERT INTO u VALUES (1)")],
    "few values": lambda c, m: c.execute("SELECT ?, ?", (1,)),
    "two statements": lambda c, m: c.execute("SELECT 1; SELECT 2"),
    "comment behind": lambda c, m: c.execute("SELECT 1; -- one").fetchall(),
    "nothing": lambda c, m: c.execute("").description,
    "missing name": lambda c, m: c.execute("SELECT :a", {"b": 1}),
    "wrong many": lambda c, m: c.executemany("SELECT ?", [(1,)]),
    "mixed rows": lambda c, m: c.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
        " SELECT i, i * 0.5, 'text ' || i, CASE WHEN i % 7 THEN NULL ELSE i END,"
        " CASE i % 4 WHEN 0 THEN 'ü' WHEN 1 THEN x'00ff' WHEN 2 THEN 2.5 END, '' FROM n")
    .fetchall(),
    "names": lambda c, m: [
        column[0] for column in c.execute("SELECT 1 AS a, 2 AS a, 'x' AS \"ü b\"").description],
}


def transactions(c, m):
    seen = []
    c.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, x)")
    seen.append(c.in_transaction)
    cursor = c.cursor()
    seen.append((cursor.rowcount, cursor.lastrowid, cursor.description))
    cursor.execute("  /* c */ -- d\n INSERT INTO t(x) VALUES (?)", ("a",))
    seen.append((c.in_transaction, cursor.rowcount, cursor.lastrowid, cursor.description))
    cursor.executemany("INSERT INTO t(x) VALUES (?)", (("b",) for _ in range(600)))
    seen.append((cursor.rowcount, cursor.lastrowid))
    c.commit()
    seen.append(c.in_transaction)
    cursor.execute("UPDATE t SET x = 'c' WHERE id > 300")
    seen.append((cursor.rowcount, cursor.lastrowid))
    c.rollback()
    seen.append(c.execute("SELECT x, count(*) FROM t GROUP BY x").fetchall())
    with c:
        c.execute("DELETE FROM t WHERE id > 10")
    try:
        with c:
            c.execute("DELETE FROM t")
            raise KeyError
    except KeyError:
        pass
    seen.append(c.execute("SELECT count(*) FROM t").fetchone())
    c.isolation_level = None
    c.execute("INSERT INTO t(x) VALUES ('auto')")
    seen.append((c.in_transaction, c.isolation_level))
    c.execute("BEGIN")
    c.execute("DELETE FROM t")
    seen.append(c.in_transaction)
    c.executescript("CREATE TABLE s(x); INSERT INTO s VALUES (1); SELECT 1; -- end")
    for _ in range(3):
        c.executescript("INSERT INTO s VALUES (2); INSERT INTO s VALUES (3)")
    seen.append(c.execute("SELECT x, count(*) FROM s GROUP BY x").fetchall())
    seen.append((c.in_transaction, c.total_changes))
    seen.append(cursor.execute("INSERT INTO t(x) VALUES ('r') RETURNING id, x").fetchall())
    return seen


def failing_many(c, m):
    c.execute("CREATE TABLE t(x UNIQUE)")
    try:
        c.executemany("INSERT INTO t VALUES (?)", [(1,), (2,), (1,), (3,)])
    except m.IntegrityError as error:
        text = str(error)
    seen = [text, c.in_transaction, c.execute("SELECT x FROM t").fetchall()]

    def rows():
        yield (7,)
        raise KeyError("rows")
    try:
        c.executemany("INSERT INTO t VALUES (?)", rows())
    except KeyError:
        pass
    return seen + c.execute("SELECT x FROM t").fetchall()


def fetching(c, m):
    rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) SELECT i FROM n"
    cursor = c.execute(rows)
    seen = [cursor.fetchone(), cursor.fetchmany(3), cursor.fetchmany(), next(cursor)]
    cursor.arraysize = 5
    seen += [cursor.fetchmany(), len(cursor.fetchall()), cursor.fetchone(), cursor.fetchall()]
    seen += [cursor.rowcount, list(c.execute("SELECT 1 WHERE 0"))]
    one, two = c.execute(rows), c.execute(rows)
    seen.append([next(one), next(two), next(one), next(two)])
    return seen


def factories(c, m):
    c.row_factory = m.Row
    row = c.execute("SELECT 1 AS a, 'two' AS B").fetchone()
    seen = [row["A"], row["b"], row[0], row[-1], row.keys(), tuple(row), len(row), row[0:1]]
    try:
        row["c"]
    except IndexError:
        seen.append("no key")
    c.row_factory = lambda cursor, row: {
        column[0]: value for column, value in zip(cursor.description, row)}
    seen.append(c.execute("SELECT 1 AS a").fetchall())
    c.row_factory = None
    c.text_factory = bytes
    seen.append(c.execute("SELECT 'ü'").fetchall())
    c.text_factory = lambda content: content.decode("latin-1")
    return seen + c.execute("SELECT 'ü', 'x' UNION ALL SELECT 'a', ''").fetchall()


def closed(c, m):
    cursor = c.cursor()
    other = c.execute("SELECT 1")
    cursor.close()
    seen = []
    for use in (lambda: cursor.execute("SELECT 1"), lambda: c.close(), lambda: c.execute("SELECT 1"),
                lambda: other.fetchall(), lambda: c.commit(), lambda: c.close(),
                lambda: c.in_transaction and None):
        try:
            seen.append(use())
        except m.Error as error:
            seen.append((type(error).__name__, str(error)))
    return seen[:-1]


SCRIPTS.update({
    "transactions": transactions, "failing many": failing_many, "fetching": fetching,
    "factories": factories, "closed": closed})


def outcome(module, script, **options):
    connection = module.connect(":memory:", **options)
    try:
        result = script(connection, module)
        return result if not hasattr(result, "fetchall") else "a cursor"
    except Exception as error:
        return type(error).__name__, str(error)


class LikeSQLite3(unittest.TestCase):
    maxDiff = 2000

    def test_each_script_does_the_same(self):
        for name, script in SCRIPTS.items():
            with self.subTest(name):
                wanted, found = outcome(sqlite3, script), outcome(sluice, script)
                if name in ("few values", "unsupported"):
                    wanted, found = wanted[0], found[0]
                if name == "two statements":
                    # A Warning up to Python 3.11.
                    wanted, found = "ProgrammingError", found[0]
                self.assertEqual(repr(wanted), repr(found))

    def test_columns_are_converted_by_their_names(self):
        sql = "SELECT '2026-01-02' AS \"day [date]\", '2026-01-02 03:04:05' AS \"t [timestamp]\", 1"
        outcomes = [
            module.connect(":memory:", detect_types=module.PARSE_COLNAMES).execute(sql)
            for module in (sqlite3, sluice)]
        self.assertEqual(*[cursor.fetchall() for cursor in outcomes])
        self.assertEqual(outcomes[1].execute(sql).description[0][0], "day")

    def test_threads_share_a_connection(self):
        connection = sluice.connect(":memory:")
        connection.execute("CREATE TABLE t(x)")

        def work(number):
            for index in range(200):
                connection.execute("INSERT INTO t VALUES (?)", (f"{number}-{index}",))
                self.assertEqual(
                    connection.execute("SELECT ?, ?", (number, "x" * index)).fetchall(),
                    [(number, "x" * index)])
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(
            connection.execute("SELECT count(DISTINCT x) FROM t").fetchone(), (800,))

    def test_transactions_without_isolation_level(self):
        connection = sluice.connect(":memory:", autocommit=False)
        self.assertTrue(connection.in_transaction)
        connection.execute("CREATE TABLE t(x)")
        connection.rollback()
        self.assertTrue(connection.in_transaction)
        with self.assertRaises(sluice.OperationalError):
            connection.execute("SELECT * FROM t")
        connection.autocommit = True
        self.assertFalse(connection.in_transaction)
        connection.execute("CREATE TABLE t(x)")
        connection.execute("INSERT INTO t VALUES (1)")
        connection.rollback()
        self.assertEqual(connection.execute("SELECT * FROM t").fetchall(), [(1,)])


if __name__ == "__main__":
    unittest.main()
