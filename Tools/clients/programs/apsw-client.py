"""APSW with a VFS of its own on top of the default one: each byte of a file is the complement."""

import os

import apsw

extension = os.environ.get("SLUICE_EXTENSION")
if extension:
    loader = apsw.Connection(":memory:")
    loader.enableloadextension(True)
    loader.loadextension(extension)
base = "sluice" if extension else ""


class Complement(apsw.VFS):
    def __init__(self):
        super().__init__("complement", base)

    def xOpen(self, name, flags):
        return ComplementFile(name, flags)


class ComplementFile(apsw.VFSFile):
    def __init__(self, name, flags):
        super().__init__(base, name, flags)

    def xRead(self, amount, offset):
        return bytes(byte ^ 255 for byte in super().xRead(amount, offset))

    def xWrite(self, data, offset):
        super().xWrite(bytes(byte ^ 255 for byte in data), offset)


def connect(name, vfs):
    return apsw.Connection(name, vfs=vfs) if vfs else apsw.Connection(name)


def rows(connection, text):
    return connection.cursor().execute(text).fetchall()


vfs = Complement()
for over in base, "complement":
    for mode in "delete", "wal":
        name = f"{'plain' if over == base else 'complement'}-{mode}.db"
        first = connect(name, over)
        print(rows(first, "PRAGMA journal_mode=" + mode))
        with first:
            rows(first, "CREATE TABLE t(id INTEGER PRIMARY KEY, word TEXT)")
            first.cursor().executemany(
                "INSERT INTO t(word) VALUES(?)", [(f"word {i}",) for i in range(100)])
        second = connect(name, over)
        rows(first, "BEGIN; DELETE FROM t")
        print(rows(second, "SELECT count(*) FROM t"))
        rows(first, "ROLLBACK")
        print(rows(first, "SELECT count(*), max(word) FROM t"))
        copy = connect("copy-" + name, over)
        with copy.backup("main", first, "main") as backup:
            while not backup.done:
                backup.step(2)
        print(rows(copy, "PRAGMA integrity_check"))
        for connection in first, second, copy:
            connection.close()
        with open(name, "rb") as file:
            print(file.read(15) if over == base else bytes(byte ^ 255 for byte in file.read(15)))
