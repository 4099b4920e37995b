"""Strict-Transport-Security: the grammars of its field value (RFC 6797 §6.1, §6.2).

Here: what a field value says, and what is wrong with it. Never here: which host said it, over what
connection, or what becomes of it (`store.py`).

A grammar is a function `(value, cap) -> Directives`; the cap is its profile's, in seconds. Both grammars
below read the value the same way (`_scan`) and differ in two facts, given as arguments. `_quick` reads the
shapes that nearly every server sends; whatever it is not sure of goes to `_scan`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from hstssim.errors import InvalidHeader, short

# RFC 9110 §5.6.2. RFC 6797 borrows `token` from RFC 2616 §2.2, which allows the same characters.
_TCHARS = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_TOKEN = re.compile(_TCHARS)
# What stands between two semicolons, where a quoted string hides a semicolon (an open one runs to the end).
_PIECE = re.compile(r'(?:[^";]++|"(?:[^"\\]|\\.)*+(?:"|\\?\Z))*+', re.DOTALL)
_PLAIN_UNKNOWN = re.compile(rf'[ \t]*{_TCHARS}[ \t]*(?:=[ \t]*(?:{_TCHARS}|"[ !#-:<-\[\]-~]*")[ \t]*)?')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_FOLD = re.compile(r"\r\n(?=[ \t])")
# RFC 2616 §2.2: TEXT is any octet but control characters; a quoted pair escapes any US-ASCII character.
_RFC_QUOTED_TEXT = re.compile(r"(?:[^\x00-\x08\x0a-\x1f\x7f\\]|\\[\x00-\x7f])*")

_new = tuple.__new__  # half the time of a NamedTuple's own
_FEW = 8  # directives that are not known, before `_scan`, which keeps them in a set, is quicker
_MAX_DIGITS = 4300  # what int() reads by default (sys.int_info); a longer number stands at the largest of these
MAX_AGE_LIMIT = 10**_MAX_DIGITS - 1

RULES = {
    "missing-max-age": "max-age is required (RFC 6797 §6.1.1; Chromium http_security_headers.cc)",
    "max-age-without-value": "max-age needs a value (RFC 6797 §6.1.1; Chromium http_security_headers.cc)",
    "max-age-not-digits": "max-age is one or more digits, quoted or not, and nothing else "
    "(RFC 6797 §6.1.1 delta-seconds; Chromium http_security_headers.cc)",
    "include-subdomains-with-value": "includeSubDomains has no value (RFC 6797 §6.1.2; Chromium ParseHSTSHeader)",
    "repeated-directive": "a directive may stand only once (RFC 6797 §6.1 rule 2)",
    "empty-name": "a directive begins with its name (RFC 6797 §6.1; Chromium http_util.cc)",
    "name-not-token": "a directive's name is a token (RFC 6797 §6.1; RFC 9110 §5.6.2)",
    "empty-value": "something must follow '=' (RFC 6797 §6.1; Chromium http_util.cc)",
    "value-not-token": "a directive's value is a token or a quoted-string (RFC 6797 §6.1)",
    "bad-quoted-string": "a quoted-string ends with '\"' and nothing follows it (RFC 9110 §5.6.4)",
    "control-in-quoted-string": "a quoted-string holds no control character (RFC 2616 §2.2)",
    "max-age-over-cap": "max-age is capped by this browser (Chromium http_security_headers.h, kMaxHSTSAgeSecs)",
    "unknown-directive": "a directive that is not known is ignored (RFC 6797 §6.1 rule 5)",
}
"""Each problem's code and the rule behind it."""


class Problem(NamedTuple):
    """One thing about a field value that a grammar refuses, or takes but does not honour."""

    code: str
    offset: int
    """Characters from the start of the field value."""
    message: str
    refuses: bool = True
    """False for a remark: the value is accepted all the same."""

    @property
    def rule(self) -> str:
        """The requirement, with its source."""
        return RULES[self.code]


class Directives(NamedTuple):
    """The content of an accepted field value."""

    max_age: int
    """Seconds, after the profile's cap. 0 asks to forget the host."""
    include_subdomains: bool
    preload: bool
    """Whether a bare `preload` stands in it: consent for hstspreload.org, without meaning to a browser."""
    max_age_sent: int
    """Seconds, as sent (at most `MAX_AGE_LIMIT`)."""
    problems: tuple[Problem, ...] = ()

    @property
    def effect(self) -> str:
        """`set`, or `delete` where max-age is 0 (RFC 6797 §6.1.1)."""
        return "set" if self.max_age else "delete"


Grammar = Callable[[str, "int | None"], Directives]


def chrome(value: str, cap: int | None) -> Directives:
    """Read a field value as Chromium does (net/http/http_security_headers.cc, ParseHSTSHeader).

    Unknown directives may repeat, and anything may stand inside a quoted string.

    Raises:
        InvalidHeader: the whole value is refused; it says every problem.
    """
    return _quick(value, cap) or _scan(value, cap, unique=False, quoted_text=None)


def rfc6797(value: str, cap: int | None) -> Directives:
    """Read a field value by the letter of RFC 6797 §6.1 (tokens and quoted strings of RFC 2616 §2.2).

    No directive may repeat, a quoted string holds no control characters, and a folded line is white space.

    Raises:
        InvalidHeader: the whole value is refused; it says every problem.
    """
    return _quick(value, cap) or _scan(value, cap, unique=True, quoted_text=_RFC_QUOTED_TEXT)


def _quick(value: str, cap: int | None) -> Directives | None:
    """The value if it is free of the unusual, else None; agrees with `_scan` wherever it answers."""
    max_age = None
    include_subdomains = preload = False
    unknown: tuple[str, ...] = ()
    pieces = value.split(";")
    for piece in pieces:
        name, equals, argument = piece.partition("=")
        name = name.strip(" \t").lower()
        if name == "max-age":
            argument = argument.strip(" \t")
            if argument[:1] == '"' == argument[-1:]:
                argument = argument[1:-1]
            if max_age is not None or not argument.isdigit() or not argument.isascii() or len(argument) > 18:
                return None
            max_age = int(argument)
        elif name == "includesubdomains":
            if equals or include_subdomains:
                return None
            include_subdomains = True
        elif name == "preload":
            if equals or preload:
                return None
            preload = True
        elif name or equals:
            if name in unknown or not _PLAIN_UNKNOWN.fullmatch(piece):
                return None
            unknown += (name,)
            if len(unknown) > _FEW:
                return None
    if max_age is None or (cap is not None and max_age > cap):
        return None
    remarks = tuple(_remarks(pieces, unknown)) if unknown else ()
    return _new(Directives, (max_age, include_subdomains, preload, max_age, remarks))


def _remarks(pieces: list[str], unknown: tuple[str, ...]) -> Iterator[Problem]:
    begin = 0
    for piece in pieces:
        name = piece.partition("=")[0].strip(" \t")
        if name.lower() in unknown:
            yield _unknown(name, begin + len(piece) - len(piece.lstrip(" \t")))
        begin += len(piece) + 1


def _unknown(name: str, offset: int) -> Problem:
    return Problem("unknown-directive", offset, f"{_cut(name)} is not known and ignored", False)


def _scan(value: str, cap: int | None, *, unique: bool, quoted_text: re.Pattern[str] | None) -> Directives:
    """Read a field value directive by directive and collect every problem.

    `unique`: no directive may repeat, else only the two known ones may not. `quoted_text`: what may stand
    inside a quoted string (None: anything), with it folded lines count as white space.
    """
    text = value if quoted_text is None else _FOLD.sub("  ", value)
    problems: list[Problem] = []
    seen: set[str] = set()
    max_age = None
    include_subdomains = preload = False

    def refuse(code: str, offset: int, message: str) -> None:
        problems.append(Problem(code, offset, message))

    end = -1
    while end < len(text):
        begin = end + 1
        match = _PIECE.match(text, begin)
        end = match.end() if match else begin
        piece = text[begin:end].rstrip(" \t")
        begin += len(piece) - len(piece := piece.lstrip(" \t"))
        if not piece:
            continue
        name, equals, argument = piece.partition("=")
        at = begin + len(name) + 1
        name = name.rstrip(" \t")
        at += len(argument) - len(argument := argument.lstrip(" \t"))
        if not name:
            refuse("empty-name", begin, "a directive begins with its name, not with '='")
            continue
        if not _TOKEN.fullmatch(name):
            refuse("name-not-token", begin, f"{short(name)} is not a token")
            continue
        key = name.lower()
        if key in seen and (unique or key in ("max-age", "includesubdomains")):
            refuse("repeated-directive", begin, f"{_cut(name)} stands here a second time")
            continue
        seen.add(key)
        if key == "includesubdomains":
            include_subdomains = True
            if equals:
                refuse("include-subdomains-with-value", begin + piece.index("="), f"{name} takes no value")
            continue
        if not equals:
            if key == "max-age":
                refuse("max-age-without-value", begin + len(name), f"{name} needs a number of seconds")
            elif key == "preload":
                preload = True
            else:
                problems.append(_unknown(name, begin))
            continue
        if not argument:
            refuse("empty-value", at, f"nothing follows '=' after {_cut(name)}")
            continue
        if argument[0] == '"':
            quoted = _QUOTED.fullmatch(argument)
            if quoted is None:
                refuse("bad-quoted-string", at, f"{short(argument)} is not one closed quoted-string")
                continue
            if quoted_text is not None and not quoted_text.fullmatch(quoted[1]):
                refuse("control-in-quoted-string", at, f"{short(argument)} holds a control character")
                continue
            argument = _ESCAPED.sub(r"\1", quoted[1]) if key == "max-age" else ""
            bare = True
        else:
            bare = _TOKEN.fullmatch(argument) is not None
        if key == "max-age":
            if not (argument.isascii() and argument.isdigit()):
                refuse("max-age-not-digits", at, f"{short(argument)} is not a whole number of seconds")
                continue
            max_age = int(argument) if len(argument) <= _MAX_DIGITS else _long(argument)
            if cap is not None and max_age > cap:
                message = f"{_brief(max_age)} seconds count as {cap}, the most this browser remembers"
                problems.append(Problem("max-age-over-cap", at, message, refuses=False))
        elif not bare:
            refuse("value-not-token", at, f"{short(argument)} is neither a token nor a quoted-string")
        else:
            problems.append(_unknown(name, begin))

    if "max-age" not in seen:
        refuse("missing-max-age", len(value), "max-age is required and does not stand here")
    found = tuple(problems)
    if max_age is None or any(problem.refuses for problem in found):
        raise InvalidHeader(value, found)
    capped = max_age if cap is None else min(max_age, cap)
    return Directives(capped, include_subdomains, preload, max_age, found)


def _cut(name: str) -> str:
    return name if len(name) <= 60 else f"{name[:60]}…"


def _long(digits: str) -> int:
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) <= _MAX_DIGITS else MAX_AGE_LIMIT


def _brief(number: int) -> str:
    return str(number) if number < 10**20 else f"more than {10**20 - 1}"
