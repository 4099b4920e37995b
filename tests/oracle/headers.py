"""Strict-Transport-Security field values to try on real programs: known traps first, then generated ones.

Every value gets through an HTTP/1 parser: no NUL, CR or LF, which end the response or the line.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from itertools import islice

TRAPS: tuple[tuple[bytes, ...], ...] = (
    (b" max-age=5000",),
    (b" max-age=5000; includeSubDomains",),
    (b" max-age=0",),
    (b" max-age=0; includeSubDomains",),
    (b'\tMAX-AGE="7000" ;INCLUDESUBDOMAINS ; preload',),
    (b" max-age=5000", b" max-age=6000; includeSubDomains"),
    (b" nonsense=", b" max-age=6000"),
    (b"", b" max-age=6000"),
    (b" max-age=5000", b" max-age=0"),
    (b" ;max-age=5000",),
    (b" max-age=5000;;includeSubDomains;",),
    (b" max-age=5000; max-age=6000",),
    (b" max-age=5000; includeSubDomains; includesubdomains",),
    (b" max-age=5000; foo; foo=1; foo=1",),
    (b" max-age=5000; includeSubDomains=1",),
    (b" max-age=5000; includeSubDomains=",),
    (b" max-age=5000; includeSubDomainsFoo",),
    (b" max-age=5000abc; includeSubDomains",),
    (b" max-age=5000 abc; includeSubDomains",),
    (b" max-age=5000.5",),
    (b" max-age=",),
    (b" max-age",),
    (b" max-age=abc; includeSubDomains",),
    (b" max-age=5000; foo=",),
    (b" max-age=5000; foo=b c; includeSubDomains",),
    (b' foo="; max-age=6000; "; max-age=5000',),
    (b' max-age="5000; includeSubDomains',),
    (b' max-age="5000\\0"',),
    (b" max-age=+5000",),
    (b" max-age=-5000",),
    (b" max-age =5000",),
    (b" max-age= 5000",),
    (b" max-age=31536001",),
    (b" max-age=3153600001",),
    (b" max-age=18446744073709551616",),
    (b" max-age=00000000000000000000005000",),
    (b" max-age=5000, includeSubDomains",),
    (b' max-age=5000; foo="b\xe9\x01r"; includeSubDomains',),
)

# Weighted by how often they stand here.
_SECONDS = b"0 0 00 5000 5000 6000 7000 007000 604800 31536000 31536001 63072000 3153600000 3153600001".split()
_HUGE = (2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**30)
_NO_SECONDS = b"+5000 -5000 -0 5000e3 5000.5 0x50 5000s 5000_0 abc \xb2 \xd9\xa1 '5000' = *".split() + [
    b"",
    b"5000 0",
]
_AROUND = (b"",) * 40 + (b" ", b" ", b"\t", b"  \t", b"\x0b", b"\x0c", b"\xa0")
_BETWEEN = (b"; ",) * 20 + (b";", b";", b" ;", b";;", b" ; ; ", b";\t", b",", b", ", b" ")
_NAMES = (b"max-age",) * 20 + (b"Max-Age", b"MAX-AGE", b"maxage", b"max-agee", b"s-maxage")
_FLAGS = (b"includeSubDomains",) * 6 + (b"includesubdomains", b"INCLUDESUBDOMAINS", b"IncludeSubdomain")
_OTHERS = (
    b"preload",
    b"preload",
    b"preload",
    b"Preload",
    b"foo",
    b"foo",
    b"foo",
    b"report-uri",
    b"x!#$%&'*+-.^_`|~",
    b"f(o",
    b"f\xe9",
    b"f\x01o",
    b"",
)
_VALUES = (b"bar", b"1", b"a b", b"a=b", b"(b)", b"\xe9", b"\x7f", b"", b"a;b", b"a\\b", b'a"b', b"a, b")
_ODD = tuple(b'\t ;;=""\\,\'()-0aA\x01\x0b\x0c\x1f\x7f\x80\xa0\xff')

_UNWRITTEN = (2**55, 2**63 - 2**32)
"""Of one max-age between these, curl 7.88 cannot write the year, and leaves its whole state file empty."""


def sample(count: int) -> list[tuple[bytes, ...]]:
    """The same `count` headers each time, each a tuple of one or more field lines after their colon."""
    return [*TRAPS, *islice(_generated(random.Random(6797)), max(count - len(TRAPS), 0))][:count]


def _generated(chance: random.Random) -> Iterator[tuple[bytes, ...]]:
    while True:
        lines = chance.choices((1, 2, 3), (16, 3, 1))[0]
        header = tuple(_line(chance) for _ in range(lines))
        if not any(
            _UNWRITTEN[0] < int(digits) < _UNWRITTEN[1] for digits in re.findall(rb"[0-9]+", b" ".join(header))
        ):
            yield header


def _line(chance: random.Random) -> bytes:
    pieces = [chance.choice((b" ", b" ", b" ", b"", b"\t"))]
    kinds = chance.choices((_max_age, _flag, _other), (1, 3, 3), k=chance.choice((1, 2, 2, 3, 3, 4)))
    if chance.random() < 0.85:  # else there is often no max-age, which says little
        kinds[0] = _max_age
        chance.shuffle(kinds)
    for number, kind in enumerate(kinds):
        pieces += [chance.choice(_BETWEEN) if number else b"", kind(chance)]
    pieces.append(chance.choice((b"", b"", b"", b";", b" ", b"; ")))
    line = b"".join(pieces)
    return _damaged(line, chance) if chance.random() < 0.2 else line


def _max_age(chance: random.Random) -> bytes:
    kind = chance.random()
    if kind < 0.75:
        seconds = chance.choice(_SECONDS)
    elif kind < 0.85:
        seconds = b"%d" % (chance.choice(_HUGE) + chance.choice((-1, 0, 1)))
    else:
        seconds = chance.choice(_NO_SECONDS)
    return _directive(chance.choice(_NAMES), _quoted(seconds, chance), chance)


def _flag(chance: random.Random) -> bytes:
    flag = chance.choice(_FLAGS)
    kind = chance.random()
    if kind < 0.8:
        return flag
    return flag + b"X" if kind < 0.87 else _directive(flag, _quoted(chance.choice(_VALUES), chance), chance)


def _other(chance: random.Random) -> bytes:
    name = chance.choice(_OTHERS)
    return name if chance.random() < 0.5 else _directive(name, _quoted(chance.choice(_VALUES), chance), chance)


def _directive(name: bytes, value: bytes, chance: random.Random) -> bytes:
    return name + chance.choice(_AROUND) + b"=" + chance.choice(_AROUND) + value


def _quoted(value: bytes, chance: random.Random) -> bytes:
    kind = chance.random()
    if kind < 0.75:
        return value
    if kind < 0.92:
        return b'"' + value + b'"'
    odd = (b'"' + value, value + b'"', b'"\\' + value + b'"', b'"' + value + b'"x', b'" ' + value + b'"', b'""')
    return chance.choice(odd)


def _damaged(line: bytes, chance: random.Random) -> bytes:
    """With one byte put in, taken out or changed."""
    at = chance.randrange(len(line) + 1)
    odd = bytes([chance.choice(_ODD)])
    return line[:at] + chance.choice((odd, odd, b"")) + line[at + chance.choice((0, 1)) :]
