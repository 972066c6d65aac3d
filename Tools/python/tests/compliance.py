"""The public DB-API 2.0 compliance suite (dbapi20 by Stuart Bishop) on this module.

usage: compliance.py DIRECTORY   DIRECTORY has dbapi20.py, of the package dbapi-compliance
"""

import sys
import unittest

sys.path.insert(0, sys.argv.pop(1))
import dbapi20  # noqa: E402

import sluice  # noqa: E402


class Compliance(dbapi20.DatabaseAPI20Test):
    driver = sluice
    connect_args = ("compliance.db",)

    def tearDown(self):
        with sluice.connect("compliance.db") as connection:
            for table in ("booze", "barflys"):
                connection.execute(f"DROP TABLE IF EXISTS {self.table_prefix}{table}")

    # The suite asks each driver to write these two, or to leave them out.
    def test_nextset(self):
        self.assertFalse(hasattr(sluice.Cursor, "nextset"))

    def test_setoutputsize(self):
        with sluice.connect("compliance.db") as connection:
            self.assertIsNone(connection.cursor().setoutputsize(100))

    # "Reasonable persons differ about the usefulness of this test", says the suite. As with the
    # standard library's sqlite3, a second close does nothing.
    def test_non_idempotent_close(self):
        connection = sluice.connect("compliance.db")
        connection.close()
        self.assertIsNone(connection.close())


unittest.main()
