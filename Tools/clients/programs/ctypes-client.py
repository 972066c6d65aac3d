"""libsqlite3 by dlopen and dlsym, as programs without bindings use it."""

import ctypes

sqlite = ctypes.CDLL("libsqlite3.so.0")
rows = []
row_type = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_char_p), ctypes.c_void_p)
take = row_type(lambda _, count, values, names: rows.append(values[:count]) or 0)


def run(database, text):
    rows.clear()
    code = sqlite.sqlite3_exec(database, text.encode(), take, None, None)
    print(text, code, rows)


for mode in "delete", "wal":
    first, second = ctypes.c_void_p(), ctypes.c_void_p()
    for connection in first, second:
        print(sqlite.sqlite3_open(f"{mode}.db".encode(), ctypes.byref(connection)))
    run(first, "PRAGMA journal_mode=" + mode)
    run(first, "CREATE TABLE t(x); BEGIN; INSERT INTO t VALUES(1), (2), (3); COMMIT")
    run(second, "SELECT count(*), sum(x) FROM t")
    run(second, "PRAGMA integrity_check")
    print(sqlite.sqlite3_close(first), sqlite.sqlite3_close(second))
