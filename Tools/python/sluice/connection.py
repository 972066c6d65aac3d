"""A connection to a database behind an engine."""

import ctypes
import os
import struct
import threading
from ctypes import byref, c_int64, c_size_t, c_void_p

from . import errors
from .cursor import Cursor
from .errors import InterfaceError, NotSupportedError, ProgrammingError, error_of
from .library import CREATE, DONE, EITHER, LIBRARY, OPEN, READ_ONLY, RECEIVE, ROW, STATE
from .types import PARSE_DECLTYPES
from .values import Packed

LEGACY_TRANSACTION_CONTROL = -1
_MODES = {"open": OPEN, "create": CREATE, "either": EITHER}
_LEVELS = ("", "DEFERRED", "IMMEDIATE", "EXCLUSIVE")


class Connection:
    """Made by `connect`. Threads may share it: their calls wait for each other."""

    Warning = errors.Warning
    Error = errors.Error
    InterfaceError = errors.InterfaceError
    DatabaseError = errors.DatabaseError
    DataError = errors.DataError
    OperationalError = errors.OperationalError
    IntegrityError = errors.IntegrityError
    InternalError = errors.InternalError
    ProgrammingError = errors.ProgrammingError
    NotSupportedError = errors.NotSupportedError

    def __init__(
            self, database, timeout=5.0, detect_types=0, isolation_level="",
            check_same_thread=True, factory=None, cached_statements=128, uri=False, *,
            autocommit=LEGACY_TRANSACTION_CONTROL, socket=None, mode=None, read_only=False,
            image=None, deadline=None, state=False):
        self._handle = None
        # Held during each call, and while borrowed memory is read.
        self._lock = threading.RLock()
        # Held while the handle is used by a thread that does not wait.
        self._handle_lock = threading.Lock()
        if detect_types & PARSE_DECLTYPES:
            raise NotSupportedError(
                "the engine does not tell declared types; use detect_types=PARSE_COLNAMES and"
                " column names like 'day [date]'")
        if uri:
            raise NotSupportedError(
                "database is a name, not a URI; use the arguments socket, mode and read_only")
        if mode is None:
            mode = "open" if read_only else "either"
        if mode not in _MODES:
            raise ValueError("mode is none of 'open', 'create' and 'either'")
        self.detect_types = detect_types
        self.row_factory = None
        self.text_factory = str
        self.isolation_level = isolation_level
        self._autocommit = self._checked(autocommit)
        self._deadline = deadline_milliseconds(deadline)
        self._packed = Packed()
        self._out = c_void_p()
        self._out_place = byref(self._out)
        flags = _MODES[mode] | (READ_ONLY if read_only else 0) | (STATE if state else 0)
        self._open(database, socket, flags, timeout, image)
        if self._autocommit is False:
            self._run("BEGIN")

    def _open(self, database, socket, flags, timeout, image):
        name = os.fsencode(database)
        socket = None if socket is None else os.fsencode(socket)
        busy = max(0, min(int(timeout * 1000), 3_600_000))
        if image is None:
            code = LIBRARY.sluice_open(name, socket, flags, busy, self._out_place)
        else:
            image = bytes(image)
            code = LIBRARY.sluice_open_image(
                name, socket, flags, busy, image, len(image), self._out_place)
        handle, self._out.value = self._out.value, None
        if code:
            error = failure(handle, code)
            LIBRARY.sluice_close(handle)
            raise error
        self._handle = handle

    def __del__(self):
        if getattr(self, "_handle", None) is not None:
            LIBRARY.sluice_close(self._handle)
            self._handle = None

    # --- Its state ---

    @property
    def isolation_level(self):
        return self._isolation_level

    @isolation_level.setter
    def isolation_level(self, level):
        if level is None:
            self._isolation_level = self._begin = None
            if self._handle is not None and self.in_transaction:
                self.commit()
            return
        if not isinstance(level, str) or level.upper() not in _LEVELS:
            raise ValueError(
                "isolation_level string must be '', 'DEFERRED', 'IMMEDIATE', or 'EXCLUSIVE'")
        self._isolation_level = level
        self._begin = f"BEGIN {level}".strip()

    @property
    def autocommit(self):
        return self._autocommit

    @autocommit.setter
    def autocommit(self, value):
        value = self._checked(value)
        with self._lock:
            self._check()
            if value is True and self.in_transaction:
                self._run("COMMIT")
            if value is False and not self.in_transaction:
                self._run("BEGIN")
            self._autocommit = value

    @staticmethod
    def _checked(autocommit):
        if autocommit is True or autocommit is False or autocommit == LEGACY_TRANSACTION_CONTROL:
            return autocommit
        raise ValueError(
            "autocommit must be True, False, or sluice.LEGACY_TRANSACTION_CONTROL")

    @property
    def in_transaction(self):
        with self._lock:
            self._check()
            return not LIBRARY.sluice_autocommit(self._handle)

    @property
    def total_changes(self):
        return self._value("SELECT total_changes()")

    @property
    def sqlite_version_info(self):
        """SQLite's version in the engine."""
        with self._lock:
            self._check()
            number = LIBRARY.sluice_sqlite_version(self._handle)
        return number // 1_000_000, number // 1000 % 1000, number % 1000

    @property
    def deadline(self):
        """After so many seconds a call is interrupted; None: never."""
        return self._deadline / 1000 if self._deadline else None

    @deadline.setter
    def deadline(self, seconds):
        self._deadline = deadline_milliseconds(seconds)

    # --- Statements ---

    def cursor(self, factory=Cursor):
        self._check()
        cursor = factory(self)
        if not isinstance(cursor, Cursor):
            raise TypeError(
                f"factory must return a cursor, not {type(cursor).__name__}")
        if self.row_factory is not None:
            cursor.row_factory = self.row_factory
        return cursor

    def execute(self, sql, parameters=()):
        return self.cursor().execute(sql, parameters)

    def executemany(self, sql, parameters):
        return self.cursor().executemany(sql, parameters)

    def executescript(self, script):
        return self.cursor().executescript(script)

    def commit(self):
        self._end("COMMIT")

    def rollback(self):
        self._end("ROLLBACK")

    def _end(self, statement):
        with self._lock:
            self._check()
            if self._autocommit is True:
                return
            if self.in_transaction:
                self._run(statement)
            if self._autocommit is False and not self.in_transaction:
                self._run("BEGIN")

    def interrupt(self):
        """Interrupts the statement that another thread waits for."""
        with self._handle_lock:
            self._check()
            LIBRARY.sluice_cancel(self._handle)

    def close(self):
        """What is not committed is rolled back."""
        with self._lock, self._handle_lock:
            if self._handle is not None:
                LIBRARY.sluice_close(self._handle)
                self._handle = None

    def __enter__(self):
        self._check()
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            try:
                self.commit()
            except BaseException:
                self.rollback()
                raise
        else:
            self.rollback()
        return False

    def serialize(self):
        """The whole database's image. `connect(..., mode="create", image=…)` makes one of it."""
        pieces = []

        def receive(_, start, length):
            pieces.append(ctypes.string_at(start, length))
            return 0

        with self._lock:
            self._check()
            self._done(LIBRARY.sluice_export(self._handle, RECEIVE(receive), None))
        return b"".join(pieces)

    def await_changes(self, seen=0, timeout=60.0):
        """Waits until the state has a later commit than number `seen`, for `timeout` seconds at most.

        Gives the number of the last commit. What has changed is in the view `state_commit`. Other
        threads' calls on this connection wait meanwhile; `interrupt` ends the wait.
        """
        with self._lock:
            self._check()
            number = c_int64()
            milliseconds = max(0, min(int(timeout * 1000), 3_600_000))
            self._done(
                LIBRARY.sluice_await_changes(self._handle, seen, milliseconds, byref(number)))
            return number.value

    # --- For cursors; the lock is held ---

    def _check(self):
        if self._handle is None:
            raise ProgrammingError("Cannot operate on a closed database.")

    def _done(self, code):
        if code and code != ROW and code != DONE:
            raise failure(self._handle, code)

    def _run(self, sql):
        """A statement without parameters and rows."""
        text = sql.encode()
        self._done(LIBRARY.sluice_execute(
            self._handle, text, len(text), None, 0, self._deadline, None))

    def _value(self, sql):
        cursor = Cursor(self)
        return cursor.execute(sql).fetchone()[0]

    def _begin_for(self, changes_rows):
        """The transaction that begins by itself before a statement that changes rows."""
        if (changes_rows and self._begin is not None
                and self._autocommit == LEGACY_TRANSACTION_CONTROL
                and LIBRARY.sluice_autocommit(self._handle)):
            self._run(self._begin)

    def _execute(self, text, values):
        """A result handle for the SQL (UTF-8) with the values."""
        address = self._packed.pack((values,)) if values else None
        code = LIBRARY.sluice_execute(
            self._handle, text, len(text), address, len(values), self._deadline, self._out_place)
        if len(self._packed.memory) > 4096:
            self._packed.trim()
        if code:
            raise failure(self._handle, code)
        return self._out.value

    _STEP = struct.Struct("<QqQQ")

    def _batch(self, text, rows):
        """Executes the SQL (UTF-8) with each row; gives how many rows that changed."""
        address = self._packed.pack(rows)
        sql = ctypes.c_char_p(text)
        sql_address = ctypes.cast(sql, c_void_p).value
        steps = bytearray(self._STEP.size * len(rows))
        for index, row in enumerate(rows):
            self._STEP.pack_into(
                steps, self._STEP.size * index, sql_address, len(text), address, len(row))
            address += 24 * len(row)
        changes = (c_int64 * len(rows))()
        failed = c_size_t(len(rows))
        memory = (ctypes.c_char * len(steps)).from_buffer(steps)
        code = LIBRARY.sluice_batch(
            self._handle, memory, len(rows), 0, self._deadline, changes, byref(failed))
        self._packed.trim()
        if code:
            raise failure(self._handle, code)
        return sum(changes)

    def _script(self, script):
        text = script.encode()
        while text:
            tail = c_size_t()
            self._done(LIBRARY.sluice_execute_first(
                self._handle, text, len(text), None, 0, self._deadline, byref(tail), None))
            text = text[tail.value:] if tail.value else b""


def failure(handle, code):
    message = LIBRARY.sluice_error_message(handle)
    if LIBRARY.sluice_error_code(handle) != code or not message:
        return InterfaceError(f"the library refused the call (code {code})")
    if message == b"the SQL has more than one statement":
        message = b"You can only execute one statement at a time; use executescript()"
    return error_of(code, message.decode("utf-8", "replace"))


def deadline_milliseconds(seconds):
    if seconds is None:
        return 0
    if seconds <= 0:
        raise ValueError("deadline is a number of seconds above 0, or None")
    return max(1, min(int(seconds * 1000), 0xFFFFFFFF))


def connect(database, *arguments, factory=None, **options):
    """Opens a database behind an engine. The arguments are those of sqlite3.connect, and

      socket     the engine's socket; else the one in SLUICE_SQL_SOCKET; else a private engine
      mode       "either": open the database or create it, the default; "open", the default with
                 read_only; "create"
      read_only  True: this connection changes nothing
      image      bytes of `serialize`, as which a new database begins
      deadline   seconds after which each call is interrupted
    """
    if len(arguments) > 4:
        factory = arguments[4]
    return (factory or Connection)(database, *arguments, **options)
