"""What a state file holds, and what a format can hold of it.

Here: entries with their places, complaints, what must go back into the file untouched, and losses. Never here:
any one format, any file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any, Literal, NamedTuple

from hstssim.errors import FormatError
from hstssim.host import domain, hashed, is_ip_address
from hstssim.store import KnownHost
from hstssim.times import LAST

MOST_COMPLAINTS = 1000
"""How many complaints a file gets, before the rest is only counted."""

MOST_BAD_LINES = 100_000
"""How many lines may be bad, unless there are more good ones, before a file is taken for something else."""

Key = tuple[str, int, str]
Merged = Callable[[KnownHost, KnownHost], KnownHost]
"""Of two entries with one key, the entry that counts."""


class Content:
    """What was read from a state file."""

    def __init__(self, format: str, path: str = "") -> None:
        self.format = format
        self.path = path
        self.entries: dict[Key, KnownHost] = {}
        self.places: dict[Key, int] = {}
        """The line or byte of each entry."""
        self.rest: list[bytes] = []
        """Lines or slots that were not understood, which are written back as they are."""
        self.uses: dict[Key, tuple[int, int]] = {}
        """On how many days an entry was used and the last of them, counted from 1970 (Firefox)."""
        self.unusable: FormatError | None = None
        """Why nothing at all could be read, and so nothing may be written back."""
        self._complaints: list[FormatError] = []
        self._more = 0

    def add(self, known: KnownHost, place: int, merged: Merged) -> None:
        """Take an entry, or what it makes together with an earlier one of the same key."""
        earlier = self.entries.get(known.key)
        if earlier is not None:
            known = merged(earlier, known)
        if known is not earlier:
            self.places[known.key] = place
        self.entries[known.key] = known

    def complain(self, message: str, *, line: int | None = None, offset: int | None = None) -> None:
        """Say what is wrong at one place."""
        if len(self._complaints) < MOST_COMPLAINTS:
            complaint = FormatError(message, format=self.format, path=self.path, line=line, offset=offset)
            self._complaints.append(complaint)
        else:
            self._more += 1

    def refuse(self, message: str) -> None:
        """Say why nothing of the file can be used."""
        self.unusable = FormatError(message, format=self.format, path=self.path)
        self._complaints.insert(0, self.unusable)
        self.rest.clear()

    @property
    def complaints(self) -> list[FormatError]:
        """What is wrong, in order of place; of very many only the first, and how many more there are."""
        if not self._more:
            return self._complaints
        more = FormatError(f"and {self._more:,} complaints more", format=self.format, path=self.path)
        return [*self._complaints, more]


def read_lines(content: Content, data: bytes, entry: Callable[[str], KnownHost], merged: Merged) -> Content:
    """Read each line that is neither blank nor a comment."""
    for number, raw in enumerate(BytesIO(data), 1):
        line = raw.decode("utf-8", "surrogateescape").lstrip(" \t").rstrip("\r\n")
        if line and line[0] != "#":
            try:
                content.add(entry(line), number, merged)
            except FormatError as error:
                content.complain(str(error), line=number)
                content.rest.append(raw if raw.endswith(b"\n") else raw + b"\n")
                if len(content.rest) > max(MOST_BAD_LINES, len(content.entries)):
                    content.refuse(
                        f"more than {MOST_BAD_LINES:,} lines are none of this format: it is another file"
                    )
                    break
    return content


class Loss(NamedTuple):
    """Something about one entry that a format cannot hold."""

    known: KnownHost
    what: str
    left_out: bool = False
    """Whether the whole entry is missing."""
    matters: bool = True
    """Whether the program that reads the file acts otherwise than the entry says."""


class Holds(NamedTuple):
    """What a format can hold."""

    hashes: bool = False
    """Entries of which only the hash of the name is known."""
    ports: bool = False
    sites: Literal["none", "each", "any"] = "none"
    """Whether no, each or any entry may be for the pages of one top-level site only."""
    knock_outs: bool = False
    last_observed: bool = True
    observed_by_expiry: bool = False
    """Whether what is kept is the time between the two."""
    fraction: int | None = 0
    """The digits of a second's fraction; None for any instant at all."""
    never: bool = False
    """An entry that never expires."""
    earliest: float = 0.0
    """The first expiry, in POSIX seconds."""
    latest: float = LAST
    """The last expiry, in POSIX seconds."""
    ip_addresses: bool = True
    dns_names_only: bool = False
    longest: int = 2048
    """The bytes of a name."""
    most: int | None = None
    """The number of entries."""


def fit(entries: Iterable[KnownHost], title: str, holds: Holds) -> tuple[list[KnownHost], list[Loss]]:
    """The entries as a format can hold them, which it will give back as they are, and what that loses."""
    fitted: dict[Key, KnownHost] = {}
    losses = []
    for known in entries:
        why = _left_out(known, title, holds)
        if why is None and holds.most is not None and len(fitted) >= holds.most:
            why = f"{title} has room for {holds.most:,} entries"
        if why is not None:
            losses.append(Loss(known, why, left_out=True))
            continue
        held = known if holds.hashes else known._replace(name_hash="")
        if holds.hashes and known.domain:
            held = known._replace(name_hash="")
        for change in (_site, _expiry, _times):
            changed, loss = change(held, title, holds)
            held = held._replace(**changed)
            losses += [Loss(known, *loss)] if loss is not None else []
        fitted[held.key] = held
    # What is known by name as well as by hash is one host.
    named = {hashed(held.domain) for held in fitted.values() if held.domain} if holds.hashes else set()
    return [held for held in fitted.values() if held.domain or held.name_hash not in named], losses


_Change = tuple[dict[str, Any], tuple[str, bool, bool] | None]


def _left_out(known: KnownHost, title: str, holds: Holds) -> str | None:
    name = known.domain
    if not name:
        return None if holds.hashes else f"{title} needs names, and of these only the hashes are known"
    if known.port and not holds.ports:
        return f"{title} keeps no entries by port"
    if known.top_level_site and holds.sites == "none" and known.top_level_site != _own_site(name):
        return f"{title} keeps no entries for the pages of another site only"
    if known.knock_out and not holds.knock_outs:
        return f"{title} has no entries that only take a host out of the preload list"
    if not holds.ip_addresses and is_ip_address(name):
        return f"{title} keeps no IP addresses"
    if holds.dns_names_only and domain(name) is None:
        return f"{title} keeps only names that DNS could hold"
    if len(name.encode("utf-8", "surrogateescape")) > holds.longest:
        return f"{title} has room for names of {holds.longest} bytes"
    return None


def _own_site(name: str) -> str:
    from hstssim.site import registrable_domain

    return registrable_domain(name)


def _site(known: KnownHost, title: str, holds: Holds) -> _Change:
    if holds.sites == "any" or (holds.sites == "each") == bool(known.top_level_site):
        return {}, None
    if holds.sites == "each":
        own = _own_site(known.domain)
        return {"top_level_site": own}, ("they count only in the pages of their own site now", False, False)
    return {"top_level_site": ""}, ("they count in every page now, not only in those of their site", False, False)


def _expiry(known: KnownHost, title: str, holds: Holds) -> _Change:
    if known.knock_out and holds.sites != "any":
        return {"expiry": math.inf, "include_subdomains": False}, None  # as Firefox writes it
    if known.expiry == math.inf and holds.never:
        return {}, None
    if known.expiry > holds.latest:
        return {"expiry": float(holds.latest)}, (f"in {title} they end in the year 9999", False, True)
    return {}, None


def _times(known: KnownHost, title: str, holds: Holds) -> _Change:
    if holds.fraction is None:
        return {}, None
    expiry = min(known.expiry, holds.latest) if not (holds.never and known.expiry == math.inf) else known.expiry
    expiry, observed = (
        _floor(max(expiry, holds.earliest), holds.fraction),
        _floor(known.last_observed, holds.fraction),
    )
    told: tuple[str, bool, bool] | None = None
    if not holds.last_observed:
        told = (f"{title} does not say when they were last observed", False, False) if observed else None
        observed = 0.0
    elif observed != known.last_observed or (expiry != known.expiry and known.expiry <= holds.latest):
        told = f"times in {title} are less fine than theirs", False, False
    if not holds.fraction:
        observed = max(observed, 0.0)
    if holds.observed_by_expiry:
        observed = min(max(observed, 0.0), expiry)
    return {"expiry": expiry, "last_observed": observed}, told


def _floor(instant: float, digits: int) -> float:
    if not math.isfinite(instant):
        return instant
    scaled = math.floor(instant * 10**digits) / 10**digits
    return instant if round(instant, digits) == instant else scaled
