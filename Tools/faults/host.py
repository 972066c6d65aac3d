"""SQLite for io-errors' host program, by its C interface. Python's module does not give the extended
result codes of every call, and has no file controls.
"""

import ctypes
import signal
import sqlite3

OK, ROW, DONE = 0, 100, 101
OPEN_FLAGS = 0x2 | 0x4 | 0x40  # READWRITE, CREATE, URI
CHUNK_SIZE, HAS_MOVED = 6, 20
ACCESS_READWRITE, ACCESS_READ = 1, 2
BUSY_MILLISECONDS = 500

# Python's module uses the same library, so a VFS registered in one is there for the other.
library = ctypes.CDLL("libsqlite3.so.0")
library.sqlite3_vfs_find.restype = ctypes.c_void_p
library.sqlite3_column_text.restype = ctypes.c_char_p
library.sqlite3_db_filename.restype = ctypes.c_char_p

NAMES = {value: name for name, value in vars(sqlite3).items()
         if name.startswith("SQLITE_") and isinstance(value, int)
         and not name.startswith(("SQLITE_LIMIT", "SQLITE_DENY", "SQLITE_IGNORE"))}
PRIMARY = {code: name.removeprefix("SQLITE_") for code, name in [
    (0, "SQLITE_OK"), (1, "SQLITE_ERROR"), (3, "SQLITE_PERM"), (5, "SQLITE_BUSY"), (6, "SQLITE_LOCKED"),
    (7, "SQLITE_NOMEM"), (8, "SQLITE_READONLY"), (10, "SQLITE_IOERR"), (11, "SQLITE_CORRUPT"),
    (13, "SQLITE_FULL"), (14, "SQLITE_CANTOPEN"), (15, "SQLITE_PROTOCOL"), (17, "SQLITE_SCHEMA"),
    (21, "SQLITE_MISUSE"), (26, "SQLITE_NOTADB")]}
EXTENDED = {value: name.removeprefix("SQLITE_") for value, name in NAMES.items()
            if value & 0xff in PRIMARY and value > 0xff
            and name.startswith(f"SQLITE_{PRIMARY[value & 0xff]}_")}
# Not in Python 3.11's module.
EXTENDED.update({32 << 8 | 10: "IOERR_DATA", 33 << 8 | 10: "IOERR_CORRUPTFS"})


def code_name(code):
    """IOERR_READ, BUSY, …; the number if SQLite has no such code."""
    return PRIMARY.get(code) or EXTENDED.get(code) or str(code)


def end_with_parent():
    """Lets this process, which was forked, end when its parent does."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Database:
    """One connection. `code` is the extended result code of its open."""

    def __init__(self, uri):
        self.handle = ctypes.c_void_p()
        code = library.sqlite3_open_v2(
            uri.encode(), ctypes.byref(self.handle), OPEN_FLAGS, b"sluice")
        self.code = library.sqlite3_extended_errcode(self.handle) if code != OK else OK
        library.sqlite3_extended_result_codes(self.handle, 1)
        library.sqlite3_busy_timeout(self.handle, BUSY_MILLISECONDS)

    def run(self, sql):
        """Runs one statement. Returns its code and rows of text. If the database could not be opened,
        it does nothing."""
        if self.code != OK:
            return None, []
        statement = ctypes.c_void_p()
        code = library.sqlite3_prepare_v2(
            self.handle, sql.encode(), -1, ctypes.byref(statement), None)
        if code != OK:
            return code, []
        rows = []
        while (code := library.sqlite3_step(statement)) == ROW:
            columns = range(library.sqlite3_column_count(statement))
            rows.append(tuple((library.sqlite3_column_text(statement, c) or b"").decode()
                              for c in columns))
        library.sqlite3_finalize(statement)
        return (OK if code == DONE else code), rows

    @property
    def is_in_transaction(self):
        return library.sqlite3_get_autocommit(self.handle) == 0

    @property
    def path(self):
        """The database's full name; None if it could not be opened."""
        return library.sqlite3_db_filename(self.handle, b"main") if self.code == OK else None

    def control(self, code, value=0):
        if self.code != OK:
            return None
        number = ctypes.c_int(value)
        return library.sqlite3_file_control(self.handle, b"main", code, ctypes.byref(number))

    def close(self):
        return library.sqlite3_close(self.handle)


def access(path, flags):
    """Calls the VFS's xAccess. SQLite itself calls it in this way only for directories."""
    if path is None:
        return None
    class Methods(ctypes.Structure):
        _fields_ = [("version", ctypes.c_int), ("file_size", ctypes.c_int),
                    ("path_size", ctypes.c_int), ("next", ctypes.c_void_p),
                    ("name", ctypes.c_char_p), ("data", ctypes.c_void_p),
                    ("open", ctypes.c_void_p), ("delete", ctypes.c_void_p),
                    ("access", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p,
                                                ctypes.c_int, ctypes.POINTER(ctypes.c_int)))]
    vfs = library.sqlite3_vfs_find(b"sluice")
    answer = ctypes.c_int()
    methods = ctypes.cast(vfs, ctypes.POINTER(Methods)).contents
    return methods.access(vfs, path, flags, ctypes.byref(answer))
