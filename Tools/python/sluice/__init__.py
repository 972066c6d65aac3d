"""SQL across the boundary: a DB-API 2.0 module without SQLite, files or locks in this process.

    import sluice
    with sluice.connect("notes.db", socket="/run/engine.sock") as connection:
        connection.execute("INSERT INTO note VALUES (?, ?)", (1, "text"))

It behaves as the standard library's sqlite3 does; README.md beside this package has the
differences.
"""

from .connection import LEGACY_TRANSACTION_CONTROL, Connection, connect
from .cursor import Cursor
from .errors import (
    DatabaseError, DataError, Error, IntegrityError, InterfaceError, InternalError,
    NotSupportedError, OperationalError, ProgrammingError, Warning)
from .library import LIBRARY
from .types import (
    BINARY, DATETIME, NUMBER, PARSE_COLNAMES, PARSE_DECLTYPES, ROWID, STRING, Binary, Date,
    DateFromTicks, PrepareProtocol, Row, Time, TimeFromTicks, Timestamp, TimestampFromTicks,
    adapt, register_adapter, register_converter)

apilevel = "2.0"
paramstyle = "qmark"
# Threads may share the module, connections and cursors.
threadsafety = 3
version = LIBRARY.sluice_version().decode()
