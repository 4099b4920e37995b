"""Our own state file: SQLite, one row an entry, which holds all that an entry says.

A row's number only grows: who has seen the rows up to some number reads those after it to be up to date. What was
forgotten stays as a row without an expiry, until a later opening takes it away.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing

from hstssim.formats.content import Content, Holds
from hstssim.formats.database import MAGIC, connect, has_log
from hstssim.host import is_plain
from hstssim.profile import StateLines
from hstssim.store import KnownHost

NAME = "hstssim"
TITLE = "hstssim's file"
HOLDS = Holds(hashes=True, ports=True, sites="any", knock_outs=True, fraction=None, never=True)

APPLICATION_ID = 0x48535453
"""`HSTS`, at byte 68 of the file."""
VERSION = 1

SCHEMA = """
CREATE TABLE known_hosts (
    change INTEGER PRIMARY KEY AUTOINCREMENT,
    domain TEXT NOT NULL, port INTEGER NOT NULL, top_level_site TEXT NOT NULL, name_hash TEXT NOT NULL,
    include_subdomains INTEGER NOT NULL, last_observed REAL NOT NULL, expiry REAL, knock_out INTEGER NOT NULL,
    UNIQUE (domain, port, top_level_site, name_hash));
CREATE TABLE purged (change INTEGER NOT NULL);
INSERT INTO purged VALUES (0);
PRAGMA application_id = %d;
PRAGMA user_version = %d;
""" % (APPLICATION_ID, VERSION)  # noqa: UP031
COLUMNS = """SELECT change, domain, include_subdomains, last_observed, expiry, port, top_level_site, knock_out,
name_hash FROM known_hosts"""
PUT = """INSERT OR REPLACE INTO known_hosts
(domain, include_subdomains, last_observed, expiry, port, top_level_site, knock_out, name_hash)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""

FORGET_ALL = """INSERT OR REPLACE INTO known_hosts
(domain, include_subdomains, last_observed, expiry, port, top_level_site, knock_out, name_hash)
SELECT domain, 0, 0.0, NULL, port, top_level_site, 0, name_hash FROM known_hosts WHERE expiry IS NOT NULL"""

Row = tuple[int, str, int, float, float | None, int, str, int, str]


def recognises(data: bytes, path: str = "") -> bool:
    """Whether the beginning of an SQLite file says that it is ours, or else the log beside it."""
    if not data.startswith(MAGIC):
        return False
    if data[68:72] == APPLICATION_ID.to_bytes(4, "big"):
        return True
    try:
        if not has_log(path):
            return False
        with connect(b"", path) as connection:
            return bool(connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,))
    except (sqlite3.Error, UnicodeError):
        return False


def read(content: Content, data: bytes, now: float, lines: StateLines) -> Content:
    """Read each row that is not of a forgotten entry."""
    try:
        with connect(data, content.path) as connection:
            wrong = wrong_version(connection)
            if wrong is not None:
                content.refuse(wrong)
                return content
            for row in connection.execute(f"{COLUMNS} WHERE expiry IS NOT NULL ORDER BY change"):
                known = known_host(row)
                if known is None:
                    content.complain(f"row {row[0]}: not an entry; seen {str(row[1:])[:120]}")
                else:
                    content.entries[known.key] = known
                    content.places[known.key] = row[0]
    except (sqlite3.Error, UnicodeError) as error:
        content.refuse(f"SQLite cannot read it: {error}")
    return content


def write(entries: Iterable[KnownHost], content: Content, now: float) -> bytes:
    """A new database."""
    with closing(sqlite3.connect(":memory:")) as connection, connection:
        connection.executescript(SCHEMA)
        connection.executemany(PUT, map(row_of, entries))
        connection.commit()
        return connection.serialize()


def rewrite(path: str, entries: Iterable[KnownHost]) -> None:
    """Replace what is in a file that other processes may have open, in one transaction.

    Raises:
        sqlite3.Error: it cannot be written.
    """
    with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(FORGET_ALL)
        connection.executemany(PUT, map(row_of, entries))
        connection.execute("COMMIT")


def wrong_version(connection: sqlite3.Connection) -> str | None:
    """Why a file that is ours cannot be read, if so."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return None if version == VERSION else f"a store of version {VERSION} is required; seen {version}"


def row_of(known: KnownHost) -> tuple[object, ...]:
    """The columns of `PUT`. A name that was found out by asking stays kept by its hash as well."""
    return (*known[:1], int(known[1]), *known[2:6], int(known[6]), "" if known.domain else known.name_hash)


def known_host(row: Row) -> KnownHost | None:
    """The entry in a row; None if there is none that could be."""
    _, domain, subdomains, observed, expiry, port, site, knock_out, name_hash = row
    texts = isinstance(domain, str) and isinstance(site, str) and isinstance(name_hash, str)
    times = isinstance(observed, float) and isinstance(expiry, float)
    if not texts or not times or not isinstance(port, int) or not (domain or name_hash):
        return None
    if not math.isfinite(observed) or not 0 <= port < 65_536:
        return None
    return KnownHost(domain, subdomains == 1, observed, expiry or 0.0, port, site, knock_out == 1, name_hash)


def plain(rows: Iterable[Row]) -> Iterator[tuple[KnownHost | None, Row]]:
    """Each row with its entry where that is a plain one: named, and kept by its name alone."""
    new = tuple.__new__
    for row in rows:
        _, domain, subdomains, observed, expiry, port, site, knock_out, name_hash = row
        if port or site or name_hash or knock_out or type(expiry) is not float or not is_plain(domain):
            yield None, row
        else:
            yield new(KnownHost, (domain, subdomains == 1, observed, expiry, 0, "", False, "")), row
