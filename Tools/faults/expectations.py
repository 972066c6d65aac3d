"""What power-loss expects of a database after a power cut, from the marks before it."""

import contextlib
import os
import sqlite3

import group
from transactions import digest, schemas_of, second_name


def expectation(mode):
    return (GroupExpectation if "group" in mode.split("+") else Expectation)(mode)


class Expectation:
    """The expected content of one database of transactions.py."""

    def __init__(self, mode):
        self.mode = mode
        words = mode.split("+")
        self.is_durable_at_once = words[0] != "DELETE" or "extra" in words
        self.digests = []
        self.acknowledged = 0
        # The number of acknowledged transactions that a power cut may not undo.
        self.safe = 0
        # That number, if a sync of this number that has begun is one of the directory.
        self.safe_after = {}

    @property
    def has_begun(self):
        return len(self.digests) > 0

    def note(self, what):
        if "begun" in what:
            assert what["begun"] == len(self.digests), "the marks are in order"
            self.digests.append(what["digest"])
            return
        self.acknowledged = what["acknowledged"]
        if self.is_durable_at_once:
            self.safe = self.acknowledged

    def sync_began(self, number):
        self.safe_after[number] = self.acknowledged

    def directory_was_synced(self, number):
        self.safe = max(self.safe, self.safe_after.get(number, 0))

    def verdict(self, root, name):
        """The fault of the database on this disk; None if it has none."""
        schemas = schemas_of(self.mode)
        try:
            with recovered(root, name, schemas) as connection:
                if not connection:
                    return "PRAGMA integrity_check is not content"
                found = digest(connection, schemas)
        except sqlite3.Error as error:
            return f"stock SQLite says: {error}"
        if found in self.digests[self.safe:]:
            return None
        if found in self.digests:
            last = len(self.digests) - 1 - self.digests[::-1].index(found)
            return f"transaction {self.safe} was acknowledged, it is as after {last}"
        return "a part of a transaction is there"


class GroupExpectation:
    """The expected content of one database of group.py: how far each writer is."""
    is_durable_at_once = True

    def __init__(self, mode):
        self.mode = mode
        self.has_begun = False
        # The last number of each writer. "shown" is for all readers together.
        self.begun, self.acknowledged, self.shown = {}, {}, {}

    def note(self, what):
        if "made" in what:
            self.has_begun = True
        elif "begun" in what:
            self.begun[what["writer"]] = what["begun"]
        elif "acknowledged" in what:
            self.acknowledged[what["writer"]] = what["acknowledged"]
        else:
            for writer, n in what["shown"].items():
                self.shown[int(writer)] = max(n, self.shown.get(int(writer), 0))

    def sync_began(self, number):
        pass

    def directory_was_synced(self, number):
        pass

    def verdict(self, root, name):
        """The fault of the database on this disk; None if it has none."""
        try:
            with recovered(root, name, ["main"]) as connection:
                if not connection:
                    return "PRAGMA integrity_check is not content"
                fault, found = group.content(connection)
        except sqlite3.Error as error:
            return f"stock SQLite says: {error}"
        for numbers, what in (self.acknowledged, "was acknowledged"), (self.shown, "was shown"):
            for writer, n in numbers.items():
                if found.get(writer, 0) < n and not fault:
                    fault = (f"transaction {n} of writer {writer} {what}, it is as after"
                             f" {found.get(writer, 0)}")
        for writer, n in found.items():
            if n > self.begun.get(writer, 0) and not fault:
                fault = f"writer {writer} has not begun {n}, which is there"
        return fault


@contextlib.contextmanager
def recovered(root, name, schemas):
    """The database opened by stock SQLite, which recovers it; None where it is corrupt."""
    connection = sqlite3.connect(os.path.join(root, name), isolation_level=None, timeout=0)
    try:
        connection.execute("PRAGMA synchronous = OFF")
        if len(schemas) > 1:
            connection.execute("ATTACH ? AS second", (os.path.join(root, second_name(name)),))
        is_sound = all(
            connection.execute(f"PRAGMA {schema}.integrity_check").fetchall() == [("ok",)]
            for schema in schemas)
        yield connection if is_sound else None
    finally:
        connection.close()
