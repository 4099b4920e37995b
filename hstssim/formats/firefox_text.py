"""Firefox's older `SiteSecurityServiceState.txt`: key, days of use, last of them and value, between tabs.

Up to Firefox 112; a newer one takes it over if it has no `.bin` yet.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from io import BytesIO

from hstssim.formats import firefox
from hstssim.formats.content import Content, Holds
from hstssim.profile import StateLines
from hstssim.store import KnownHost

NAME = "firefox-txt"
TITLE = "Firefox's older file"
HOLDS = Holds(knock_outs=True, last_observed=False, fraction=3, never=True, earliest=0.001, longest=251, most=1024)

_LINE = re.compile(r"([^\t]{1,256}):HSTS\t([0-9]{1,5})\t([0-9]{1,5})\t([^\t]{0,24})", re.ASCII)
_START = re.compile(rb"(?:[^\t\n]*\n){0,20}?[^\t\n]+:H(?:STS|PKP)\t[0-9]+\t[0-9]+\t")


def recognises(data: bytes) -> bool:
    """Whether one of the first lines has the four columns."""
    return _START.match(data[:8192]) is not None


def read(content: Content, data: bytes, now: float, lines: StateLines) -> Content:
    """Read each line that is about HSTS; of two with one key the first counts."""
    for number, raw in enumerate(BytesIO(data), 1):
        line = raw.decode("utf-8", "surrogateescape").rstrip("\r\n")
        match = _LINE.fullmatch(line)
        if match is None or max(int(match[2]), int(match[3])) > 65_535:
            if line and ":HPKP\t" not in line:
                content.complain(f"a line is a key, two numbers and a value; seen {line[:80]!r}", line=number)
                content.rest.append(raw)
            continue
        known = firefox.known_host(match[1], match[4], partitioned=False)
        if isinstance(known, str):
            content.complain(known, line=number)
            content.rest.append(raw)
        else:
            content.add(known, number, lambda earlier, later: earlier)
            content.uses.setdefault(known.key, (int(match[2]), int(match[3])))
    return content


def write(entries: Iterable[KnownHost], content: Content, now: float) -> bytes:
    """One line an entry."""
    lines = []
    for known in entries:
        score, day = content.uses.get(known.key, (1, max(1, min(int(now // 86_400), 65_535))))
        milliseconds = 0 if known.expiry == math.inf else max(1, round(known.expiry * 1000))
        value = f"{milliseconds},{2 if known.knock_out else 1},{known.include_subdomains:d}"
        lines.append(f"{known.domain}:HSTS\t{score}\t{day}\t{value}\n")
    return "".join(lines).encode("utf-8", "surrogateescape") + b"".join(content.rest)
