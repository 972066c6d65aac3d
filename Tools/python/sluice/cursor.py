"""A statement's rows."""

import ctypes
import itertools
from collections.abc import Mapping, Sequence

from .errors import ProgrammingError
from .library import LIBRARY, ROW
from .sql import changes_rows, parameter_names
from .types import BINARY, NUMBER, PARSE_COLNAMES, STRING, converter_of
from .values import ROWS, read_rows

# So many rows of executemany go to the library at once.
_BATCH = 256

_TYPE_CODES = {str: STRING, bytes: BINARY, int: NUMBER, float: NUMBER}


class Cursor:
    """Made by Connection.cursor."""

    def __init__(self, connection):
        self._result = None
        if not hasattr(connection, "_begin_for"):
            raise TypeError("a Cursor is made of a sluice.Connection")
        self._rows = []
        self._next = 0
        self._has_more = False
        self._first = None
        self._description = None
        self._converters = None
        self._is_closed = False
        self.connection = connection
        self.row_factory = None
        self.arraysize = 1
        self.rowcount = -1
        self.lastrowid = None
        self._facts = bytearray(ROWS.size)
        self._facts_view = (ctypes.c_char * ROWS.size).from_buffer(self._facts)

    def __del__(self):
        if getattr(self, "_result", None) is not None:
            LIBRARY.sluice_result_close(self._result)

    # --- Execution ---

    def execute(self, sql, parameters=()):
        connection = self.connection
        with connection._lock:
            self._begin_call()
            values = self._values(sql, parameters)
            text = _encoded(sql)
            changes = changes_rows(sql)
            if changes:
                connection._begin_for(True)
            result = connection._execute(text, values)
            if changes:
                handle = connection._handle
                self.rowcount = LIBRARY.sluice_changes(handle)
                self.lastrowid = LIBRARY.sluice_last_row_id(handle)
            self._column_count = LIBRARY.sluice_column_count(result)
            if self._column_count == 0:
                LIBRARY.sluice_result_close(result)
            else:
                self._result = result
                self._has_more = True
                self._fill()
        return self

    def executemany(self, sql, parameters):
        connection = self.connection
        with connection._lock:
            self._begin_call()
            text = _encoded(sql)
            if not changes_rows(sql):
                raise ProgrammingError("executemany() can only execute DML statements.")
            connection._begin_for(True)
            self.rowcount = 0
            rows = iter(parameters)
            while True:
                chunk, failure = self._chunk(sql, rows)
                if chunk:
                    self.rowcount += connection._batch(text, chunk)
                if failure is not None:
                    raise failure
                if len(chunk) < _BATCH:
                    return self

    def _chunk(self, sql, rows):
        """The next rows of values; and the failure of what comes behind them."""
        chunk = []
        try:
            for row in itertools.islice(rows, _BATCH):
                chunk.append(self._values(sql, row))
        except BaseException as failure:
            # What came before it is executed, as when the rows are executed one by one.
            return chunk, failure
        return chunk, None

    def executescript(self, script):
        connection = self.connection
        with connection._lock:
            self._begin_call()
            if not isinstance(script, str):
                raise TypeError("executescript() argument must be str")
            if connection._autocommit == -1 and not LIBRARY.sluice_autocommit(connection._handle):
                connection._run("COMMIT")
            connection._script(script)
        return self

    def _begin_call(self):
        self._check()
        self._drop()
        self._first = None
        self._description = None
        self._converters = None
        self.rowcount = -1

    def _check(self):
        if self._is_closed:
            raise ProgrammingError("Cannot operate on a closed cursor.")
        self.connection._check()

    def _drop(self):
        """Ends the result."""
        if self._result is not None:
            LIBRARY.sluice_result_close(self._result)
            self._result = None
        self._rows, self._next, self._has_more = [], 0, False

    @staticmethod
    def _values(sql, parameters):
        if type(parameters) is tuple or type(parameters) is list:
            return parameters
        if isinstance(parameters, Mapping):
            return _named_values(sql, parameters)
        if isinstance(parameters, Sequence) or hasattr(parameters, "__getitem__"):
            return [parameters[index] for index in range(len(parameters))]
        raise ProgrammingError("parameters are of unsupported type")

    # --- Rows ---

    def _fill(self):
        """Takes the rows that the engine has sent next; false behind the last."""
        if not self._has_more:
            return False
        connection = self.connection
        with connection._lock:
            code = LIBRARY.sluice_next_rows(self._result, self._facts_view)
            if code != ROW:
                self._has_more = False
                self._rows, self._next = [], 0
                connection._done(code)
                return False
            facts = ROWS.unpack_from(self._facts)
            self._has_more = facts[5] != 0
            factory = connection.text_factory
            rows = read_rows(facts, None if factory is str else factory)
        if connection.detect_types & PARSE_COLNAMES:
            rows = self._converted(rows)
        if self._first is None:
            self._first = rows[0]
        self._rows, self._next = rows, 0
        return True

    def _converted(self, rows):
        if self._converters is None:
            self._converters = [converter_of(name) for name in self._column_names()]
        if not any(self._converters):
            return rows
        return [
            tuple(
                value if convert is None or value is None
                else convert(value if isinstance(value, bytes) else str(value).encode())
                for convert, value in zip(self._converters, row))
            for row in rows]

    def _need_result(self):
        self._check()
        if self._result is None:
            raise ProgrammingError(
                "there are no rows, because the last statement has none, or there was none;"
                " execute a SELECT first")

    def __iter__(self):
        return self

    def __next__(self):
        self._check()
        if self._next >= len(self._rows) and not self._fill():
            raise StopIteration
        row = self._rows[self._next]
        self._next += 1
        return row if self.row_factory is None else self.row_factory(self, row)

    def fetchone(self):
        self._need_result()
        return next(self, None)

    def fetchmany(self, size=None):
        self._need_result()
        return list(itertools.islice(self, self.arraysize if size is None else size))

    def fetchall(self):
        self._need_result()
        rows, self._rows = self._rows[self._next:], []
        self._next = 0
        while self._fill():
            rows += self._rows
            self._rows = []
        if self.row_factory is not None:
            rows = [self.row_factory(self, row) for row in rows]
        return rows

    # --- What it tells ---

    @property
    def description(self):
        if self._description is None and self._result is not None:
            names = self._column_names()
            if self.connection.detect_types & PARSE_COLNAMES:
                names = [name.split(" [")[0] if "[" in name else name for name in names]
            # A column of SQLite has no type, but its values have. So the first row decides.
            kinds = map(type, self._first) if self._first is not None else itertools.repeat(str)
            self._description = tuple(
                (name, _TYPE_CODES.get(kind)) + (None,) * 5 for name, kind in zip(names, kinds))
        return self._description

    def _column_names(self):
        return [
            LIBRARY.sluice_column_name(self._result, index).decode("utf-8", "replace")
            for index in range(self._column_count)]

    def setinputsizes(self, sizes):
        """Does nothing."""

    def setoutputsize(self, size, column=None):
        """Does nothing."""

    def close(self):
        self.connection._check()
        self._drop()
        self._is_closed = True


def _encoded(sql):
    if not isinstance(sql, str):
        raise TypeError(f"execute() argument 1 must be str, not {type(sql).__name__}")
    return sql.encode()


def _named_values(sql, parameters):
    values = []
    for number, name in enumerate(parameter_names(sql), 1):
        if name is None:
            raise ProgrammingError(
                f"Binding {number} has no name, but you supplied a dictionary"
                " (which has only names).")
        try:
            values.append(parameters[name])
        except KeyError:
            raise ProgrammingError(
                f"You did not supply a value for binding parameter :{name}.") from None
    return values
