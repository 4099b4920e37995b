"""curl's `--hsts` file: `[.]host "YYYYMMDD HH:MM:SS"` in UTC; a leading dot covers subdomains (lib/hsts.c)."""

from __future__ import annotations

import math
import re

from hstssim.errors import FormatError
from hstssim.store import KnownHost

_LINE = re.compile(r'(\S{1,2048}) "([^"]{1,17})"')
_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)(?: (\d\d):(\d\d):(\d\d))?", re.ASCII)


def recognises(lines: list[str]) -> bool:
    """Whether a file looks like curl's: its first entry, or else its heading, does."""
    entries = (line for line in lines if line.strip() and not line.lstrip().startswith("#"))
    first = next(entries, None)
    return _LINE.fullmatch(first.strip(" \t\r")) is not None if first else any("libcurl" in line for line in lines)


def entry(line: str) -> KnownHost:
    """Read one line.

    Raises:
        FormatError: it is none.
    """
    match = _LINE.fullmatch(line)
    if match is None:
        raise FormatError(f"a line is a host, a blank, and a date in quotes; seen {line[:80]!r}")
    name = match[1].removeprefix(".")
    return KnownHost(name, match[1] != name, 0.0, _expiry(match[2]))


def merged(known: KnownHost, entry: KnownHost) -> KnownHost:
    """Of two entries for one host the later expiry counts, and either's subdomains."""
    return entry._replace(
        include_subdomains=known.include_subdomains or entry.include_subdomains,
        expiry=max(known.expiry, entry.expiry),
    )


def _expiry(text: str) -> float:
    from datetime import UTC, datetime

    if text == "unlimited":
        return math.inf
    match = _DATE.fullmatch(text)
    if match is not None:
        try:
            return datetime(*(int(part or 0) for part in match.groups()), tzinfo=UTC).timestamp()  # type: ignore[misc,arg-type]
        except ValueError:
            pass
    raise FormatError(f'a date is "unlimited" or like "20301231 23:59:59"; seen {text!r}')
