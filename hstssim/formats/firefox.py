"""Firefox's `SiteSecurityServiceState.bin`: slots of 286 bytes (security/manager/ssl/data_storage).

Each has a checksum, the days on which it was used, the last of them, a key (the host and its origin attributes,
of which the partition is one) and a value (nsSiteSecurityService.cpp).
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterable
from typing import Literal, NamedTuple

from hstssim.formats.content import Content, Holds
from hstssim.profile import StateLines
from hstssim.store import KnownHost

NAME = "firefox"
TITLE = "Firefox's file"
HOLDS = Holds(
    sites="each",
    knock_outs=True,
    last_observed=False,
    fraction=3,
    never=True,
    earliest=0.001,
    longest=200,
    most=2048,
)

State = Literal["unset", "set", "knock-out"]
_STATES: tuple[State, ...] = ("unset", "set", "knock-out")
_SLOT = struct.Struct(">3H256s24s")
_WORDS = struct.Struct(">143H")
_EMPTY = bytes(_SLOT.size)
_VALUE = re.compile(r"([0-9]{1,20}),([012]),([01])(?:,[0-9]+)?", re.ASCII)
_PARTITION = re.compile(r"partitionKey=\(https,([^(),]+)\)")


class Value(NamedTuple):
    """What an entry says."""

    expiry_ms: int
    """POSIX milliseconds; 0 for never."""
    state: State
    include_subdomains: bool


def parse_value(text: str) -> Value | None:
    """Read a value, `expiry,state,includeSubdomains[,source]`; None if it is none (ParseHSTSState)."""
    match = _VALUE.fullmatch(text)
    if match is None or int(match[1]) >= 2**63:
        return None
    return Value(int(match[1]), _STATES[int(match[2])], match[3] == "1")


def recognises(data: bytes) -> bool:
    """Whether one of the first slots is whole, or all are empty."""
    slots = [data[start : start + _SLOT.size] for start in range(0, min(len(data), 64 * _SLOT.size), _SLOT.size)]
    if not data.strip(b"\0"):
        return len(data) >= _SLOT.size
    return any(b"\0" in slot and _used(slot) for slot in slots)


def read(content: Content, data: bytes, now: float, lines: StateLines) -> Content:
    """Read each slot that is in use; of two with one key the first counts."""
    for offset in range(0, len(data), _SLOT.size):
        slot = data[offset : offset + _SLOT.size]
        if not slot.strip(b"\0"):
            continue
        if len(slot) < _SLOT.size or _checksum(slot):
            content.complain("the checksum of the slot is wrong", offset=offset)
            continue
        if not _used(slot):
            continue
        _, score, day, raw_key, raw_value = _SLOT.unpack(slot)
        try:
            key, value = raw_key.rstrip(b"\0").decode("utf-8"), raw_value.rstrip(b"\0").decode("utf-8")
        except UnicodeDecodeError:
            content.complain("the key or the value is not UTF-8", offset=offset)
            content.rest.append(slot)
            continue
        known = known_host(key, value)
        if isinstance(known, str):
            content.complain(f"{key[:80]}: {known}", offset=offset)
            content.rest.append(slot)
        else:
            if parse_value(value) is None:
                content.complain(f"{key[:80]}: not a value, which counts as unset; seen {value!r}", offset=offset)
            content.add(known, offset, lambda earlier, later: earlier)
            content.uses.setdefault(known.key, (score, day))
    return content


def known_host(key: str, value: str, *, partitioned: bool = True) -> KnownHost | str:
    """The entry that a key and a value make, or why there is none that we, or Firefox, could use.

    What is unset or no value at all is as a knock-out: the preload list is not asked.
    """
    name, _, attributes = key.partition("^")
    site = ""
    if attributes:
        from urllib.parse import unquote

        match = _PARTITION.fullmatch(unquote(attributes))
        if match is None:
            return f"only a partition by an https site is understood; seen ^{attributes[:80]}"
        site = match[1]
    elif partitioned:
        return "Firefox keeps entries by top-level site, and does not use one without"
    if not name:
        return "a key begins with a host"
    parsed = parse_value(value)
    if parsed is None or parsed.state != "set":
        return KnownHost(name, False, 0.0, math.inf, 0, site, knock_out=True)
    expiry = parsed.expiry_ms / 1000 if parsed.expiry_ms else math.inf
    return KnownHost(name, parsed.include_subdomains, 0.0, expiry, 0, site)


def write(entries: Iterable[KnownHost], content: Content, now: float) -> bytes:
    """One slot an entry, used today where it is not known when it was."""
    slots = []
    for known in entries:
        score, day = content.uses.get(known.key, (1, max(1, min(int(now // 86_400), 65_535))))
        key = f"{known.domain}^partitionKey=%28https%2C{known.top_level_site}%29".encode()
        milliseconds = 0 if known.expiry == math.inf else max(1, round(known.expiry * 1000))
        value = f"{milliseconds},{2 if known.knock_out else 1},{known.include_subdomains:d}".encode("ascii")
        slots.append(pack(key, value, score, day))
    return b"".join([*slots, *content.rest])


def pack(key: bytes, value: bytes, score: int, day: int) -> bytes:
    """One slot with its checksum."""
    slot = _SLOT.pack(0, score, day, key, value)
    return struct.pack(">H", _checksum(slot)) + slot[2:]


def _used(slot: bytes) -> bool:
    return len(slot) == _SLOT.size and slot[2:4] != b"\0\0" and slot[4:6] != b"\0\0" and not _checksum(slot)


def _checksum(slot: bytes) -> int:
    checksum = 0
    for word in _WORDS.unpack(slot):
        checksum ^= word
    return checksum
