"""Values between Python and the library: parameters into its structs, and rows out of them.

A value is 24 bytes: its type (4, and 4 that are free), the length of a text or blob (8), and the
number, or where the bytes are (8).
"""

import ctypes
import struct

from . import types
from .errors import DataError, ProgrammingError
from .library import BLOB, INTEGER, NULL, REAL, TEXT

_INT_MIN, _INT_MAX = -(1 << 63), (1 << 63) - 1


class Packed:
    """Memory with parameters, used again and again."""

    def __init__(self):
        self._grow(4096)

    def _grow(self, size):
        self.memory = bytearray(size)
        self._view = (ctypes.c_char * size).from_buffer(self.memory)
        self.address = ctypes.addressof(self._view)

    def room(self, size):
        if size > len(self.memory):
            self._grow(size * 2)

    def trim(self):
        """Gives the memory of large values back."""
        if len(self.memory) > 1 << 20:
            self._grow(4096)

    def pack(self, rows):
        """Puts the rows' values one behind the other; gives where they begin."""
        form, flat, texts, addresses = ["<"], [], [], []
        place = start = 24 * sum(map(len, rows))
        for row in rows:
            for index, value in enumerate(row):
                kind = type(value)
                if kind is int:
                    if not _INT_MIN <= value <= _INT_MAX:
                        raise OverflowError("Python int too large to convert to SQLite INTEGER")
                    number, content = INTEGER, value
                elif kind is str:
                    number, content = TEXT, value.encode()
                elif value is None:
                    number, content = NULL, 0
                elif kind is float:
                    number, content = REAL, value
                elif kind is bytes:
                    number, content = BLOB, value
                else:
                    number, content = plain(value, index)
                form.append(_FORMS[number])
                if number == TEXT or number == BLOB:
                    addresses.append(len(flat) + 2)
                    flat += (number, len(content), place)
                    texts.append(content)
                    place += len(content)
                else:
                    flat += (number, content)
        self.room(place)
        base = self.address
        for at in addresses:
            flat[at] += base
        struct.pack_into("".join(form), self.memory, 0, *flat)
        if texts:
            self.memory[start:place] = b"".join(texts)
        return base


_FORMS = {INTEGER: "i12xq", REAL: "i12xd", NULL: "i12xq", TEXT: "i4xQQ", BLOB: "i4xQQ"}


def plain(value, index):
    """The type and content of a value that is none of the common types."""
    adapted = types.adapt(value)
    if adapted is None:
        return NULL, 0
    if isinstance(adapted, int):
        if not _INT_MIN <= adapted <= _INT_MAX:
            raise OverflowError("Python int too large to convert to SQLite INTEGER")
        return INTEGER, int(adapted)
    if isinstance(adapted, float):
        return REAL, float(adapted)
    if isinstance(adapted, str):
        return TEXT, str(adapted).encode()
    try:
        return BLOB, bytes(memoryview(adapted))
    except BufferError as error:
        raise DataError(f"parameter {index + 1} has no contiguous bytes") from error
    except TypeError:
        raise ProgrammingError(
            f"Error binding parameter {index + 1}: type {type(value).__name__!r} is not supported;"
            " register an adapter for it") from None


# --- Rows ----------------------------------------------------------------------------------------

ROWS = struct.Struct("<QQQQQQ")
_CELL = struct.Struct("<i4xQq")
_string_at = ctypes.string_at
_from_bits = struct.Struct("<q").pack
_to_real = struct.Struct("<d").unpack


def read_rows(facts, text):
    """The rows, as tuples; `facts` is a sluice_rows, and `text` makes a text of UTF-8."""
    row_count, column_count, cells, base, byte_count, _ = facts
    data = _string_at(cells, 24 * row_count * column_count)
    content = _string_at(base, byte_count) if byte_count else b""
    if row_count == 1:
        return [tuple([
            bits if kind == INTEGER else
            _value(kind, length, bits, base, content, text)
            for kind, length, bits in _CELL.iter_unpack(data)])]
    words = memoryview(data).cast("q")
    whole = content.decode("ascii") if text is None and content.isascii() else None
    columns = []
    for column in range(column_count):
        kinds = data[24 * column::24 * column_count]
        kind = kinds[0]
        if kinds.count(kind) != row_count:
            kind = None
        if kind == INTEGER:
            columns.append(words[3 * column + 2::3 * column_count].tolist())
        elif kind == REAL:
            columns.append(memoryview(data).cast("d")[3 * column + 2::3 * column_count].tolist())
        elif kind == NULL:
            columns.append([None] * row_count)
        else:
            lengths = words[3 * column + 1::3 * column_count].tolist()
            bits = words[3 * column + 2::3 * column_count].tolist()
            if kind == TEXT and whole is not None:
                columns.append([
                    whole[at - base:at - base + length] if length else ""
                    for length, at in zip(lengths, bits)])
            else:
                columns.append([
                    _value(kind, length, at, base, content, text)
                    for kind, length, at in zip(kinds, lengths, bits)])
    return list(zip(*columns))


def _value(kind, length, bits, base, content, text):
    if kind == INTEGER:
        return bits
    if kind == REAL:
        return _to_real(_from_bits(bits))[0]
    if kind == NULL:
        return None
    at = bits - base
    if length == 0:
        found = b""
    elif 0 <= at and at + length <= len(content):
        found = content[at:at + length]
    else:
        # A value of its own, which came in pieces.
        found = _string_at(bits, length)
    if kind == BLOB:
        return found
    return found.decode() if text is None else text(found)
