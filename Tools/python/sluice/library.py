"""libsluice-sql.so by ctypes. See sluice.h for what each function does."""

import ctypes
import os
from ctypes import POINTER, c_char_p, c_int, c_int32, c_int64, c_size_t, c_ssize_t, c_uint
from ctypes import c_uint32, c_void_p

from .errors import InterfaceError

OK, ROW, DONE = 0, 100, 101
INTEGER, REAL, TEXT, BLOB, NULL = 1, 2, 3, 4, 5
OPEN, CREATE, EITHER, READ_ONLY, STATE = 0, 1, 2, 16, 32

RECEIVE = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t)

_FUNCTIONS = {
    "sluice_open": (c_int, [c_char_p, c_char_p, c_uint, c_int, POINTER(c_void_p)]),
    "sluice_open_image": (
        c_int, [c_char_p, c_char_p, c_uint, c_int, c_char_p, c_size_t, POINTER(c_void_p)]),
    "sluice_close": (c_int, [c_void_p]),
    "sluice_cancel": (c_int, [c_void_p]),
    "sluice_error_code": (c_int, [c_void_p]),
    "sluice_error_message": (c_char_p, [c_void_p]),
    "sluice_changes": (c_int64, [c_void_p]),
    "sluice_last_row_id": (c_int64, [c_void_p]),
    "sluice_autocommit": (c_int, [c_void_p]),
    "sluice_version": (c_char_p, []),
    "sluice_sqlite_version": (c_int, [c_void_p]),
    "sluice_execute": (
        c_int, [c_void_p, c_char_p, c_ssize_t, c_void_p, c_size_t, c_uint32, c_void_p]),
    "sluice_execute_first": (
        c_int,
        [c_void_p, c_char_p, c_ssize_t, c_void_p, c_size_t, c_uint32, POINTER(c_size_t), c_void_p]),
    "sluice_column_count": (c_int, [c_void_p]),
    "sluice_column_name": (c_char_p, [c_void_p, c_int]),
    "sluice_next_rows": (c_int, [c_void_p, c_void_p]),
    "sluice_result_close": (c_int, [c_void_p]),
    "sluice_batch": (
        c_int,
        [c_void_p, c_void_p, c_size_t, c_int, c_uint32, c_void_p, POINTER(c_size_t)]),
    "sluice_export": (c_int, [c_void_p, RECEIVE, c_void_p]),
    "sluice_await_changes": (c_int, [c_void_p, c_int64, c_int64, POINTER(c_int64)]),
}


def _candidates():
    """Where the library may be: as named, beside the repository's or the installed files."""
    named = os.environ.get("SLUICE_SQL_LIBRARY")
    if named:
        return [named]
    here = os.path.dirname(os.path.abspath(__file__))
    name = "libsluice-sql.so"
    above = [os.path.join(here, *[os.pardir] * count) for count in (1, 2, 3, 4)]
    paths = [os.path.join(here, name)]
    paths += [os.path.normpath(os.path.join(folder, "build", "lib", name)) for folder in above]
    paths += [os.path.normpath(os.path.join(folder, "lib", name)) for folder in above]
    return [path for path in paths if os.path.exists(path)] + [name]


def _load():
    candidate = _candidates()[0]
    try:
        library = ctypes.CDLL(candidate)
    except OSError as error:
        raise InterfaceError(
            f"libsluice-sql.so cannot be loaded: {error}; set SLUICE_SQL_LIBRARY to its path"
        ) from error
    for name, (result, arguments) in _FUNCTIONS.items():
        try:
            function = getattr(library, name)
        except AttributeError as error:
            raise InterfaceError(
                f"{candidate} has no {name}; use the library of the same release") from error
        function.restype, function.argtypes = result, arguments
    return library


LIBRARY = _load()
