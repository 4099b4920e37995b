"""wget's and wget2's HSTS files, which share a name but not their columns.

wget: host, port, includes subdomains, created, max-age (src/hsts.c). wget2: host, port, expiry, includes
subdomains, modified (libwget/hsts.c). Times are POSIX seconds.
"""

from __future__ import annotations

import re

from hstssim.errors import FormatError
from hstssim.store import KnownHost

_LINE = re.compile(r"(\S{1,255})\s+(\d{1,5})\s+(\d{1,19})\s+(\d{1,19})\s+(\d{1,19})(?:\s.*)?", re.ASCII)
_DEFAULT_PORTS = (0, 443)


def recognises(lines: list[str]) -> bool:
    """Whether a file looks like wget's or wget2's: its first entry, or else its heading, does."""
    entries = (line for line in lines if line.strip() and not line.lstrip().startswith("#"))
    first = next(entries, None)
    if first is None:
        return any("HSTS 1.0" in line for line in lines)
    return _LINE.fullmatch(first.strip(" \t\r")) is not None


def entry(line: str) -> KnownHost:
    """Read one line; the third column tells wget's (0 or 1) from wget2's (an instant).

    Raises:
        FormatError: it is none, or for a port of its own, which no other program's store can hold.
    """
    match = _LINE.fullmatch(line)
    if match is None:
        raise FormatError(f"a line is a host and four numbers; seen {line[:80]!r}")
    name = match[1]
    port, third, fourth, fifth = (int(number) for number in match.groups()[1:])
    if port not in _DEFAULT_PORTS:
        raise FormatError(f"port {port}: only wget keeps HSTS by port; this entry is left out")
    if third > 1:
        return KnownHost(name, bool(fourth), float(fifth), float(third))
    return KnownHost(name, bool(third), float(fourth), float(fourth + fifth))


def merged(known: KnownHost, entry: KnownHost) -> KnownHost:
    """Of two entries for one host the first counts."""
    return known
