"""SQLite files, read from their bytes or, where a log stands beside them, through SQLite itself."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

MAGIC = b"SQLite format 3\0"


def connect(data: bytes, path: str) -> closing[sqlite3.Connection]:
    """A connection that only reads, trusts no schema, and closes with its `with`.

    Raises:
        sqlite3.Error: SQLite cannot make anything of it.
    """
    if has_log(path):
        from urllib.parse import quote

        connection = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=30)
    else:
        if not data.startswith(MAGIC):
            raise sqlite3.DatabaseError("an SQLite file begins otherwise")
        connection = sqlite3.connect(":memory:")
        # What is in memory can have no log: say that there is none.
        connection.deserialize(data[:18] + b"\1\1" + data[20:] if data[18:20] == b"\2\2" else data)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    return closing(connection)


def has_log(path: str) -> bool:
    """Whether a log stands beside a file, which has what is not yet in it."""
    try:
        return bool(path) and os.path.getsize(f"{path}-wal") > 0
    except OSError:
        return False


def has_table(connection: sqlite3.Connection, name: str) -> bool:
    """Whether there is a table, not a view, of this name."""
    found = connection.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", (name,))
    return found.fetchone() is not None
