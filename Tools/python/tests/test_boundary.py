"""What is peculiar to this module: engines, their death, deadlines, large values.

Reads SLUICE_SQL_SOCKET, and SLUICE_TEST_ENGINE: the process that listens there. The last test
kills it.
"""

import os
import signal
import subprocess
import sys
import threading
import time
import unittest

import sluice

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"


class Boundary(unittest.TestCase):
    def setUp(self):
        self.connection = sluice.connect(":memory:")
        self.addCleanup(self.connection.close)

    def test_interrupt_stops_the_statement_and_nothing_else(self):
        timer = threading.Timer(0.2, self.connection.interrupt)
        timer.start()
        with self.assertRaises(sluice.OperationalError) as caught:
            self.connection.execute(ENDLESS)
        self.assertEqual(caught.exception.sqlite_errorname, "SQLITE_INTERRUPT")
        self.assertEqual(self.connection.execute("SELECT 1").fetchone(), (1,))

    def test_deadline(self):
        self.connection.deadline = 0.1
        begin = time.monotonic()
        with self.assertRaises(sluice.OperationalError):
            self.connection.execute(ENDLESS)
        self.assertGreaterEqual(time.monotonic() - begin, 0.1)
        self.connection.deadline = None
        self.assertEqual(self.connection.execute("SELECT 1").fetchone(), (1,))

    def test_interrupt_of_a_batch(self):
        connection = self.connection
        connection.execute("CREATE TABLE t(x)")
        connection.commit()
        stopped = []

        def work():
            try:
                while True:
                    connection.executemany("INSERT INTO t VALUES (?)", [(1,)] * 5000)
            except sluice.OperationalError as error:
                stopped.append(error.sqlite_errorname)
        thread = threading.Thread(target=work)
        thread.start()
        while thread.is_alive():
            time.sleep(0.01)
            connection.interrupt()
        self.assertEqual(stopped, ["SQLITE_INTERRUPT"])

    def test_large_values(self):
        for size in (0, 1, 65_000, 70_000, 5_000_000, (64 << 20) - 100):
            blob = os.urandom(1 << 16) * (size >> 16) + bytes(size & 0xFFFF)
            row = self.connection.execute("SELECT ?, 7, length(?)", (blob, blob)).fetchone() \
                if size < 10_000_000 else \
                self.connection.execute("SELECT ?, 7, ?", (blob, len(blob))).fetchone()
            self.assertEqual(row, (blob, 7, size))
        with self.assertRaises(sluice.DataError) as caught:
            self.connection.execute("SELECT ?", (bytes(65 << 20),))
        self.assertIn("64 MiB", str(caught.exception))
        self.assertEqual(self.connection.execute("SELECT 1").fetchone(), (1,))

    def test_image(self):
        self.connection.executescript("CREATE TABLE t(x); INSERT INTO t VALUES ('kept')")
        image = self.connection.serialize()
        self.assertEqual(image[:15], b"SQLite format 3")
        other = sluice.connect(":memory:", mode="create", image=image)
        self.assertEqual(other.execute("SELECT * FROM t").fetchall(), [("kept",)])

    def test_modes_and_failed_opens(self):
        for use, words in (
                (lambda: sluice.connect("not there", mode="open"), "open"),
                (lambda: sluice.connect("x", socket="/not/there"), "sluice engine --root"),
                (lambda: sluice.connect("../outside.db"), "")):
            with self.assertRaises(sluice.OperationalError) as caught:
                use()
            self.assertIn(words, str(caught.exception))
        sluice.connect("made.db", mode="create").execute("CREATE TABLE t(x)")
        with self.assertRaises(sluice.Error):
            sluice.connect("made.db", mode="create")
        reader = sluice.connect("made.db", read_only=True)
        with self.assertRaises(sluice.OperationalError) as caught:
            reader.execute("INSERT INTO t VALUES (1)")
        self.assertIn("READONLY", caught.exception.sqlite_errorname)

    def test_private_engine(self):
        program = "import sluice; print(sluice.connect(':memory:').execute('SELECT 7').fetchone())"
        environment = {
            name: value for name, value in os.environ.items() if name != "SLUICE_SQL_SOCKET"}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True,
            timeout=20)
        self.assertEqual((done.stdout, done.stderr), ("(7,)\n", ""))
        environment["SLUICE_ENGINE"] = "/not/there"
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True,
            timeout=20)
        self.assertIn("set SLUICE_ENGINE", done.stderr)

    def test_forked_child_is_refused(self):
        child = os.fork()
        if child == 0:
            try:
                self.connection.execute("SELECT 1")
                os._exit(1)
            except sluice.OperationalError:
                os._exit(0)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertEqual(self.connection.execute("SELECT 1").fetchone(), (1,))

    def test_zz_the_engine_is_killed(self):
        connections = [sluice.connect(":memory:") for _ in range(4)]
        codes = []

        def wait(connection):
            try:
                connection.execute(ENDLESS)
            except sluice.OperationalError as error:
                codes.append(error.sqlite_errorcode)
        threads = [threading.Thread(target=wait, args=(each,)) for each in connections]
        half_read = self.connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
            " SELECT i FROM n")
        half_read.fetchone()
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        os.kill(int(os.environ["SLUICE_TEST_ENGINE"]), signal.SIGKILL)
        for thread in threads:
            thread.join(10)
            self.assertFalse(thread.is_alive())
        self.assertEqual(codes, [10] * 4)
        for use in (lambda: half_read.fetchall(), lambda: self.connection.execute("SELECT 1"),
                    lambda: self.connection.serialize()):
            with self.assertRaises(sluice.OperationalError) as caught:
                use()
            self.assertEqual(caught.exception.sqlite_errorcode, 10)
            self.assertIn("open a new connection", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
