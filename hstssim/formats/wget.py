"""wget's HSTS file: host, port, includes subdomains, created, max-age; POSIX seconds (src/hsts.c)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hstssim.errors import FormatError
from hstssim.formats.content import Content, Holds, read_lines
from hstssim.host import is_ip_address
from hstssim.profile import StateLines
from hstssim.store import KnownHost

NAME = "wget"
TITLE = "wget's file"
HOLDS = Holds(ports=True, observed_by_expiry=True, ip_addresses=False, longest=255)
HEADING = "GNU Wget"
LINE = re.compile(r"(\S{1,255})\s+(\d{1,5})\s+(\d{1,19})\s+(\d{1,19})\s+(\d{1,19})(?:\s.*)?", re.ASCII)

_HEAD = """\
# HSTS 1.0 Known Hosts database for GNU Wget.
# Edit at your own risk.
# <hostname>\t<port>\t<incl. subdomains>\t<created>\t<max-age>
"""


def read(content: Content, data: bytes, now: float, lines: StateLines) -> Content:
    """Read each line; of two for one host and port the first counts."""

    def entry(line: str) -> KnownHost:
        name, port, flag, created, max_age = columns(line)
        if created + max_age >= 2**63:
            raise FormatError(f"{name}: the expiry overflows, and wget never uses the entry")
        return KnownHost(name, bool(flag), float(created), float(created + max_age), port)

    return read_lines(content, data, entry, lambda earlier, later: earlier)


def columns(line: str) -> tuple[str, int, int, int, int]:
    """The host, its port (0 for the default one) and the three numbers after it.

    Raises:
        FormatError: it is no such line, or is of an IP address.
    """
    match = LINE.fullmatch(line)
    if match is None:
        raise FormatError(f"a line is a host and four numbers; seen {line[:80]!r}")
    port, third, fourth, fifth = (int(number) for number in match.groups()[1:])
    if port > 65535:
        raise FormatError(f"a port is at most 65535; seen {port}")
    name = match[1].lower()
    if is_ip_address(name):
        raise FormatError(f"{name}: wget keeps no HSTS for IP addresses")
    return name, 0 if port == 443 else port, third, fourth, fifth


def write(entries: Iterable[KnownHost], content: Content, now: float) -> bytes:
    """One line an entry, under wget's own heading."""
    lines = [
        f"{known.domain}\t{known.port}\t{known.include_subdomains:d}"
        f"\t{known.last_observed:.0f}\t{known.expiry - known.last_observed:.0f}\n"
        for known in entries
    ]
    return (_HEAD + "".join(lines)).encode("utf-8", "surrogateescape") + b"".join(content.rest)
