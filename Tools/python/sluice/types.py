"""The DB-API's types, and adapters and converters as the standard library's sqlite3 has them."""

import datetime
import time
from collections.abc import Sequence

Date = datetime.date
Time = datetime.time
Timestamp = datetime.datetime
Binary = memoryview


def DateFromTicks(ticks):
    return Date(*time.localtime(ticks)[:3])


def TimeFromTicks(ticks):
    return Time(*time.localtime(ticks)[3:6])


def TimestampFromTicks(ticks):
    return Timestamp(*time.localtime(ticks)[:6])


class _Type:
    """Equal to the type codes that it stands for. SQLite's columns have none: a code is None."""

    def __init__(self, name, *types):
        self._name, self._types = name, types

    def __eq__(self, other):
        return other is self or other in self._types

    def __hash__(self):
        return hash(self._name)

    def __repr__(self):
        return self._name


STRING = _Type("STRING", str)
BINARY = _Type("BINARY", bytes)
NUMBER = _Type("NUMBER", int, float)
DATETIME = _Type("DATETIME", datetime.datetime, datetime.date, datetime.time)
ROWID = _Type("ROWID", int)

# --- Adapters: from Python to a type of SQLite ---------------------------------------------------

_adapters = {
    datetime.date: lambda value: value.isoformat(),
    datetime.datetime: lambda value: value.isoformat(" "),
}


class PrepareProtocol:
    """Given to `__conform__` of values that adapt themselves."""


def register_adapter(kind, adapter):
    """From now on values of this type are stored as what `adapter` makes of them."""
    _adapters[kind] = adapter


def adapt(value, protocol=PrepareProtocol, *alternative):
    """What a value is stored as; the value itself, or `alternative`, if nothing adapts it."""
    adapter = _adapters.get(type(value))
    if adapter is not None:
        return adapter(value)
    conform = getattr(value, "__conform__", None)
    if conform is not None:
        adapted = conform(protocol)
        if adapted is not None:
            return adapted
    return alternative[0] if alternative else value


# --- Converters: by the name in brackets of a column: SELECT day AS "day [date]" -------------------

PARSE_DECLTYPES = 1
PARSE_COLNAMES = 2


def _timestamp(value):
    return datetime.datetime.fromisoformat(value.decode())


_converters = {
    "DATE": lambda value: datetime.date.fromisoformat(value.decode()),
    "TIMESTAMP": _timestamp,
}


def register_converter(name, converter):
    """Columns whose name ends in `[name]` are converted, with detect_types=PARSE_COLNAMES."""
    _converters[name.upper()] = converter


def converter_of(column):
    """The converter that a column's name asks for."""
    start, end = column.rfind("["), column.rfind("]")
    if start == -1 or end < start:
        return None
    return _converters.get(column[start + 1:end].upper())


# --- Rows by name ---------------------------------------------------------------------------------


class Row:
    """A row_factory: values by index, and by the column's name in any case."""

    __slots__ = ("_values", "_names")

    def __init__(self, cursor, values):
        if not isinstance(values, tuple):
            raise TypeError("a Row is made of a tuple")
        self._values = values
        self._names = tuple(column[0] for column in cursor.description or ())

    def keys(self):
        return list(self._names)

    def __getitem__(self, key):
        if isinstance(key, str):
            wanted = key.lower()
            for name, value in zip(self._names, self._values):
                if name.lower() == wanted:
                    return value
            raise IndexError(f"No item with the key {key!r}; keys() has the names")
        if not isinstance(key, (int, slice)) and not hasattr(key, "__index__"):
            raise IndexError("Index must be int or string")
        return self._values[key]

    def __iter__(self):
        return iter(self._values)

    def __len__(self):
        return len(self._values)

    def __eq__(self, other):
        if not isinstance(other, Row):
            return NotImplemented
        return self._names == other._names and self._values == other._values

    def __hash__(self):
        return hash((self._names, self._values))

    def __repr__(self):
        return f"<sluice.Row {dict(zip(self._names, self._values))!r}>"


Sequence.register(Row)
