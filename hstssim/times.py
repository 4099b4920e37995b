"""Instants and durations in words: POSIX seconds to and from ISO 8601, and spans as people say them."""

from __future__ import annotations

import math
import re

from hstssim.errors import InvalidTime

LAST = 253402300799
"""9999-12-31T23:59:59Z, the last second that ISO 8601 writes with four digits; later ones show as it."""

_FIRST = -62135596800  # 0001-01-01T00:00:00Z
_LONG = 10**15 * 86_400  # seconds; beyond it the number says nothing
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}
_OFFSET = r"([+-])([0-9]{1,12})([smhdwy])"
_SECONDS = r"[0-9]{1,12}(?:[.][0-9]{1,9})?"


def iso(instant: float) -> str:
    """An instant, given in POSIX seconds, as ISO 8601 in UTC, whole seconds (cut off, not rounded)."""
    from datetime import UTC, datetime

    if math.isnan(instant):
        raise InvalidTime(instant, "an instant is a number")
    shown = datetime.fromtimestamp(math.floor(min(max(instant, _FIRST), LAST)), UTC)
    return f"{shown.replace(tzinfo=None).isoformat()}Z"


def parse_instant(text: str, now: float) -> float:
    """Read an instant: ISO 8601 (UTC where it names no zone), POSIX seconds, or `+30d` counted from `now`.

    Eight digits are a date (20270201). The units of an offset are s, m, h, d, w and y (365 days).

    Returns:
        POSIX seconds.

    Raises:
        InvalidTime: it is none of these.
    """
    from datetime import UTC, datetime

    if not isinstance(text, str):
        raise InvalidTime(text, f"a time is a str, not {type(text).__name__}")
    if match := re.fullmatch(_OFFSET, text):
        return now + int(match[1] + match[2]) * _UNITS[match[3]]
    if re.fullmatch(_SECONDS, text) and len(text) != len("20270201"):
        return float(text)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidTime(
            text, "a time is ISO 8601 (2027-01-31T12:00Z), POSIX seconds, or an offset such as +30d"
        ) from None
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()


def span(seconds: float) -> str:
    """A duration as people say it: `5 minutes`, `1 day`, `365 days`, in its largest whole unit up to days."""
    if seconds == math.inf:
        return "for ever"
    if seconds >= _LONG:
        return f"more than {_LONG // 86_400 - 1} days"
    if seconds < 0:
        return "no time"
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds >= size or size == 1:
            count = int(seconds // size)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    raise AssertionError("unreachable")
