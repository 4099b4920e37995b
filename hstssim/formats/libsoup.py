"""The SQLite file of GNOME's libsoup: host, max_age, expiry, include_subdomains (soup-hsts-enforcer-db.c)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing

from hstssim.formats.content import Content, Holds
from hstssim.formats.database import MAGIC, connect, has_table
from hstssim.profile import StateLines
from hstssim.store import KnownHost

NAME = "libsoup"
TITLE = "libsoup's file"
HOLDS = Holds(observed_by_expiry=True, ip_addresses=False, dns_names_only=True, longest=253)

_TABLE = """CREATE TABLE soup_hsts_policies \
(id INTEGER PRIMARY KEY, host TEXT UNIQUE, max_age INTEGER, expiry INTEGER, include_subdomains INTEGER)"""
_COLUMNS = "SELECT id, host, max_age, expiry, include_subdomains FROM soup_hsts_policies ORDER BY id"


def recognises(data: bytes, path: str = "") -> bool:
    """Whether it is an SQLite file with libsoup's table."""
    if not data.startswith(MAGIC):
        return False
    try:
        with connect(data, path) as connection:
            return has_table(connection, "soup_hsts_policies")
    except (sqlite3.Error, UnicodeError):
        return False


def read(content: Content, data: bytes, now: float, lines: StateLines) -> Content:
    """Read each row; libsoup keeps Unicode names, which are given as A-labels."""
    try:
        with connect(data, content.path) as connection:
            connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
            for row, name, max_age, expiry, subdomains in connection.execute(_COLUMNS):
                if not isinstance(name, str) or not name or not all(_is_time(t) for t in (max_age, expiry)):
                    content.complain(f"row {row}: a host, max_age and expiry in seconds are required")
                    continue
                known = KnownHost(_a_label(name), subdomains == 1, float(expiry - max_age), float(expiry))
                content.add(known, row, lambda earlier, later: later)
    except (sqlite3.Error, UnicodeError) as error:
        content.refuse(f"SQLite cannot read it: {error}")
    return content


def write(entries: Iterable[KnownHost], content: Content, now: float) -> bytes:
    """A new database with libsoup's table."""
    with closing(sqlite3.connect(":memory:")) as connection, connection:
        connection.execute(_TABLE)
        connection.executemany(
            "INSERT INTO soup_hsts_policies (host, max_age, expiry, include_subdomains) VALUES (?, ?, ?, ?)",
            (
                (
                    _unicode(known.domain),
                    int(known.expiry - known.last_observed),
                    int(known.expiry),
                    int(known.include_subdomains),
                )
                for known in entries
            ),
        )
        connection.commit()
        return connection.serialize()


def _is_time(value: object) -> bool:
    return isinstance(value, int) and 0 <= value < 2**62


def _a_label(name: str) -> str:
    if name.isascii():
        return name.lower()
    from hstssim.errors import InvalidHost
    from hstssim.host import canonical

    try:
        return canonical(name)
    except InvalidHost:
        return name


def _unicode(name: str) -> str:
    if "xn--" not in name:
        return name
    try:
        return name.encode("ascii").decode("idna")
    except UnicodeError:
        return name
