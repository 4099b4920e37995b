"""State files: which format one has, what it knows, and how it is written.

A file with bad lines yields its good entries and the complaints. Each format is a module with the same few names.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from hstssim.errors import FormatError, StoreError
from hstssim.formats import chrome, curl, files, firefox, firefox_text, libsoup, sqlite, wget, wget2, wget2_1_99
from hstssim.formats.content import Content, Holds, Loss, fit
from hstssim.profile import StateLines
from hstssim.store import HSTSStore, KnownHost

if TYPE_CHECKING:

    class Format(Protocol):
        """One format."""

        NAME: str
        """What `--to` calls it."""
        TITLE: str
        """What a sentence calls it."""
        HOLDS: Holds

        @staticmethod
        def read(content: Content, data: bytes, now: float, lines: StateLines) -> Content:
            """Add what the bytes hold to `content`. `now`, in POSIX seconds, tells which of two entries counts."""

        @staticmethod
        def write(entries: Iterable[KnownHost], content: Content, now: float) -> bytes:
            """Make a file of entries that `fit`, and of what `content` has to go back."""


_MODULES = (sqlite, chrome, curl, wget, wget2, wget2_1_99, firefox, firefox_text, libsoup)
FORMATS: dict[str, Format] = {form.NAME: form for form in _MODULES}  # type: ignore[misc]
"""Each format by its name."""

_LINES = (curl, wget, wget2)
_BEGINNING = 1024 * 1024  # by which a text is recognised
_NAMES = {
    "transportsecurity": "chrome",
    "sitesecurityservicestate.bin": "firefox",
    "sitesecurityservicestate.txt": "firefox-txt",
    "hsts-storage.sqlite": "libsoup",
}


def recognise(data: bytes, path: str = "") -> Format | None:
    """The format that these bytes have; None for a file without any entry, whose format nothing tells.

    Raises:
        FormatError: they have none of the formats.
    """
    if not data.strip():
        return None
    if data.startswith(b"SQLite format 3\0"):
        found = sqlite if sqlite.recognises(data, path) else libsoup if libsoup.recognises(data, path) else None
        if found is not None:
            return FORMATS[found.NAME]
        raise FormatError(
            "an SQLite file of hstssim or libsoup is required; this is neither, or is damaged", path=path
        )
    text = data[:_BEGINNING].decode("utf-8", "surrogateescape")
    lines = [line.strip(" \t\r") for line in text.split("\n")]
    heading = "\n".join(line for line in lines if line.startswith("#"))
    entries = [line for line in lines if line and not line.startswith("#")]
    if curl.HEADING in heading:
        return FORMATS["curl"]
    if wget.HEADING in heading:
        return FORMATS["wget"]
    if wget2.HEADING in heading:
        matches = (wget.LINE.fullmatch(line) for line in entries)
        third = next((int(match[3]) for match in matches if match), 2)
        # The third column is a flag, or an instant.
        return FORMATS["wget2" if wget2.COLUMNS in heading or third > 1 else "wget2-1.99"]
    if firefox.recognises(data):  # first: its checksum may be a brace, as JSON begins
        return FORMATS["firefox"]
    if chrome.recognises(data):
        return FORMATS["chrome"]
    if firefox_text.recognises(data):
        return FORMATS["firefox-txt"]
    for line in entries if "\0" not in text else ():
        if curl.LINE.fullmatch(line) or curl.LOOSE.fullmatch(line):
            return FORMATS["curl"]
        if match := wget.LINE.fullmatch(line):
            return FORMATS["wget2" if int(match[3]) > 1 else "wget"]
    if not entries and "\0" not in text:
        return None
    raise FormatError(
        "a state file of hstssim, Chromium, Firefox, curl, wget or wget2 is required; this is none of them",
        path=path,
    )


def named(path: str) -> str | None:
    """The name of the format that a file of this name has by custom; None if the name says nothing."""
    name = os.path.basename(path).lower()
    if name in _NAMES:
        return _NAMES[name]
    for form in ("curl", "wget2", "wget", "libsoup", "chrome", "firefox"):
        if form in name:
            return form
    return "hstssim" if re.search(r"\.(sqlite3?|db)$", name) else None


def read(path: str, now: float, lines: StateLines = "loose") -> Content:
    """Read a state file of any format; `-` is stdin.

    `now` is in POSIX seconds.

    Raises:
        StoreError: it cannot be read.
        FormatError: it has none of the formats.
    """
    data = files.load(path)
    form = recognise(data, path)
    content = Content(form.NAME if form else "", path)
    for worry in files.worries(path):
        content.complain(worry)
    return content if form is None else form.read(content, data, now, lines)


def write(path: str, entries: Iterable[KnownHost], form: Format, now: float) -> list[Loss]:
    """Make or replace a state file, whole or not at all; `-` is stdout. Gives what the format cannot hold.

    Raises:
        StoreError: it cannot be written; what was there still is.
    """
    fitted, losses = fit(entries, form.TITLE, form.HOLDS)
    if form.NAME == sqlite.NAME and path != files.STDIO and files.signature(path)[1]:
        try:
            with open(path, "rb") as file:
                ours = sqlite.recognises(file.read(100), path)
            if ours:  # other processes may have it open, and SQLite's log may stand beside it
                sqlite.rewrite(path, fitted)
                return losses
        except (OSError, sqlite3.Error) as error:
            raise StoreError(path, "a store must be writable, and its folder too", error) from error
    files.replace(path, form.write(fitted, Content(form.NAME), now))
    return losses


def read_into(store: HSTSStore, path: str) -> list[FormatError]:
    """Add the entries of a state file of any format to `store`, and give the complaints about the others.

    Raises:
        StoreError: the file cannot be read.
        FormatError: it has none of the formats.
    """
    content = read(path, store.now(), store.profile.state_lines)
    complaints = [*content.complaints, *load_into(store, content)[0]]
    return sorted(complaints, key=lambda complaint: complaint.line or complaint.offset or 0)


def load_into(store: HSTSStore, content: Content) -> tuple[list[FormatError], list[KnownHost]]:
    """Add what was read to `store`; gives the complaints, and the entries that it does not keep."""
    now = store.now()
    entries = []
    for known in content.entries.values():
        site = known.top_level_site or None
        there = store.get(known.domain, port=known.port, top_level_site=site) if known.domain else None
        if there is None or there.expiry <= now or known.expiry > there.expiry:
            entries.append(known)
    complaints = []
    limit = f"{store.profile.name} keeps at most {store.profile.max_entries} entries"
    left_out = store.load(entries)
    for known, reason in left_out:
        if reason != limit:
            place = content.places.get(known.key)
            complaints.append(
                FormatError(
                    f"{known.domain or known.name_hash}: {reason}; this entry is left out",
                    format=content.format,
                    path=content.path,
                    **{"offset" if content.format == "firefox" else "line": place},
                )
            )
    over = sum(reason == limit for _, reason in left_out)
    if over:
        complaints.append(FormatError(f"{limit}; {over} are left out", format=content.format, path=content.path))
    store.set_uses(content.uses)
    return complaints, [known for known, _ in left_out]
