"""wget's and wget2's HSTS files, which share a name but not their columns.

wget: host, port, includes subdomains, created, max-age (src/hsts.c). wget2: host, port, expiry, includes
subdomains, modified (libwget/hsts.c). Times are POSIX seconds.
"""

from __future__ import annotations

import re

from hstssim.errors import FormatError
from hstssim.host import is_ip_address
from hstssim.store import KnownHost

NAME = "wget"
HEADING = "HSTS 1.0"
LINE = re.compile(r"(\S{1,255})\s+(\d{1,5})\s+(\d{1,19})\s+(\d{1,19})\s+(\d{1,19})(?:\s.*)?", re.ASCII)
_DEFAULT_PORTS = (0, 443)


def entry(line: str, heading: str) -> KnownHost:
    """Read one line; the file's heading tells wget's from wget2's, else the third column (an instant in wget2's).

    Raises:
        FormatError: it is none, or wget itself would not use it.
    """
    match = LINE.fullmatch(line)
    if match is None:
        raise FormatError(f"a line is a host and four numbers; seen {line[:80]!r}")
    name = match[1]
    port, third, fourth, fifth = (int(number) for number in match.groups()[1:])
    port = 0 if port in _DEFAULT_PORTS else port
    if is_ip_address(name):
        raise FormatError(f"{name}: wget keeps no HSTS for IP addresses")
    if "GNU Wget" not in heading and ("HSTS 1.0 file" in heading or third > 1):
        return KnownHost(name, bool(fourth), float(fifth), float(third), port)
    if fourth + fifth >= 2**63:
        raise FormatError(f"{name}: the expiry overflows, and wget never uses the entry")
    return KnownHost(name, bool(third), float(fourth), float(fourth + fifth), port)


def merged(known: KnownHost, entry: KnownHost) -> KnownHost:
    """Of two entries for one host the first counts."""
    return known
