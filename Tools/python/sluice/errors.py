"""The exceptions of the DB-API, and which of them a result code is."""


class Warning(Exception):  # noqa: A001  (the DB-API names it)
    """Something that is important, and no error."""


class Error(Exception):
    """Any error of the database. `sqlite_errorcode` has SQLite's extended result code."""

    sqlite_errorcode = None
    sqlite_errorname = None


class InterfaceError(Error):
    """The interface was used wrongly."""


class DatabaseError(Error):
    """An error of the database."""


class DataError(DatabaseError):
    """A value that the database does not take."""


class OperationalError(DatabaseError):
    """Wrong SQL, a lock, an engine that is gone, a full disk."""


class IntegrityError(DatabaseError):
    """A constraint is violated."""


class InternalError(DatabaseError):
    """An error within the database."""


class ProgrammingError(DatabaseError):
    """A closed connection, several statements, a wrong number of parameters."""


class NotSupportedError(DatabaseError):
    """What Sluice does not have."""


# By SQLite's primary result code.
_NAMES = {
    1: "SQLITE_ERROR", 2: "SQLITE_INTERNAL", 3: "SQLITE_PERM", 4: "SQLITE_ABORT", 5: "SQLITE_BUSY",
    6: "SQLITE_LOCKED", 7: "SQLITE_NOMEM", 8: "SQLITE_READONLY", 9: "SQLITE_INTERRUPT",
    10: "SQLITE_IOERR", 11: "SQLITE_CORRUPT", 12: "SQLITE_NOTFOUND", 13: "SQLITE_FULL",
    14: "SQLITE_CANTOPEN", 15: "SQLITE_PROTOCOL", 16: "SQLITE_EMPTY", 17: "SQLITE_SCHEMA",
    18: "SQLITE_TOOBIG", 19: "SQLITE_CONSTRAINT", 20: "SQLITE_MISMATCH", 21: "SQLITE_MISUSE",
    22: "SQLITE_NOLFS", 23: "SQLITE_AUTH", 24: "SQLITE_FORMAT", 25: "SQLITE_RANGE",
    26: "SQLITE_NOTADB",
}

_CONSTRAINTS = {
    1: "CHECK", 2: "COMMITHOOK", 3: "FOREIGNKEY", 4: "FUNCTION", 5: "NOTNULL", 6: "PRIMARYKEY",
    7: "TRIGGER", 8: "UNIQUE", 9: "VTAB", 10: "ROWID", 11: "PINNED", 12: "DATATYPE",
}

_OPERATIONAL = {1, 3, 4, 5, 6, 8, 9, 10, 13, 14, 15, 16, 17}


def error_of(code, message):
    """The exception of a result code."""
    kind = code & 0xFF
    if kind == 7:
        return MemoryError(message)
    if kind in _OPERATIONAL:
        error = OperationalError(message)
    elif kind in (19, 20):
        error = IntegrityError(message)
    elif kind in (21, 25):
        error = ProgrammingError(message)
    elif kind in (2, 12):
        error = InternalError(message)
    elif kind == 18:
        error = DataError(message)
    else:
        error = DatabaseError(message)
    error.sqlite_errorcode = code
    error.sqlite_errorname = _NAMES.get(kind, f"SQLITE_{code}")
    if kind == 19 and code >> 8 in _CONSTRAINTS:
        error.sqlite_errorname += "_" + _CONSTRAINTS[code >> 8]
    return error
