"""Chromium's `TransportSecurity`: JSON, version 2, with hashes for names (transport_security_persister.cc)."""

from __future__ import annotations

import json
import math
import re
from base64 import b64decode
from collections.abc import Iterable

from hstssim import host
from hstssim.formats.content import Content, Holds
from hstssim.profile import StateLines
from hstssim.store import KnownHost

NAME = "chrome"
TITLE = "Chromium's file"
HOLDS = Holds(hashes=True, fraction=6, dns_names_only=True, longest=253)

_BOM = b"\xef\xbb\xbf"
_COMMENT_OR_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_KEYS = {"sts", "version"}
_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:[{]|\[\s*[\[{\]]|//|/\*)")


def recognises(data: bytes) -> bool:
    """Whether it begins as JSON does, a byte order mark and comments before it included."""
    return _START.match(data) is not None


def read(content: Content, data: bytes, now: float, lines: StateLines) -> Content:
    """Read each entry; of several live ones for one host the last counts."""

    def merged(earlier: KnownHost, later: KnownHost) -> KnownHost:
        return earlier if later.expiry < now <= earlier.expiry else later

    try:
        text = data.removeprefix(_BOM).decode("utf-8")
        bare = _COMMENT_OR_TEXT.sub(lambda found: found[0] if found[0][0] == '"' else " ", text)
        state = json.loads(bare, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        content.refuse(f"the file is JSON in UTF-8; {str(error)[:120] or type(error).__name__}")
        return content
    version = state.get("version") if isinstance(state, dict) else None
    entries = state.get("sts") if isinstance(state, dict) else None
    if type(version) is not int or version != 2:
        content.refuse(f"the file has version 2; seen {json.dumps(version)[:40]}")
    elif not isinstance(entries, list):
        content.refuse("the file has a list of entries called sts")
    else:
        for number, entry in enumerate(entries):
            known = _known(entry)
            if isinstance(known, str):
                content.complain(f"sts[{number}]: {known}")
            else:
                content.add(known, number, merged)
        others = sorted(state.keys() - _KEYS)
        if others:
            content.complain(f"{', '.join(others)[:80]}: Chromium knows this no more, and drops it when it writes")
    return content


def write(entries: Iterable[KnownHost], content: Content, now: float) -> bytes:
    """Compact JSON with sorted keys, as Chromium writes it."""
    values = [
        {
            "expiry": known.expiry,
            "host": known.name_hash or host.hashed(known.domain),
            "mode": "force-https",
            "sts_include_subdomains": known.include_subdomains,
            "sts_observed": known.last_observed,
        }
        for known in entries
    ]
    return json.dumps({"sts": values, "version": 2}, separators=(",", ":")).encode("ascii")


def _known(entry: object) -> KnownHost | str:
    """The entry, or why Chromium skips it."""
    if not isinstance(entry, dict):
        return "an entry is an object"
    key, mode = entry.get("host"), entry.get("mode")
    if not isinstance(key, str) or not _is_hash(key):
        return f"host is the base64 of 32 bytes; seen {json.dumps(key)[:60]}"
    if mode != "force-https":
        return f"mode is force-https, or the entry means nothing; seen {json.dumps(mode)[:40]}"
    subdomains = entry.get("sts_include_subdomains")
    if not isinstance(subdomains, bool):
        return f"sts_include_subdomains is true or false; seen {json.dumps(subdomains)[:40]}"
    times = []
    for name in ("sts_observed", "expiry"):
        value = entry.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return f"{name} is a number of seconds; seen {json.dumps(value)[:40]}"
        try:
            times.append(float(value))
        except OverflowError:
            times.append(math.inf)
    if not all(map(math.isfinite, times)):
        return "times are finite"
    return KnownHost("", subdomains, times[0], times[1], name_hash=key)


def _is_hash(text: str) -> bool:
    try:
        return len(b64decode(text, validate=True)) == 32
    except ValueError:
        return False


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")
