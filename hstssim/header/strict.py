"""The strict grammars: Chromium's, RFC 6797's and Firefox's. One thing amiss, and the whole value is ignored.

They read alike (`_scan`) and differ in the facts of a `_Letter`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from hstssim.errors import InvalidHeader, short
from hstssim.header.directives import Directives, Problem, cut, over_cap, remark, unfolded, unknown, whole
from hstssim.header.quick import TCHARS, quick

_TOKEN = re.compile(TCHARS)
# What stands between two semicolons, where a quoted string hides a semicolon (an open one runs to the end).
_PIECE = re.compile(r'(?:[^";]++|"(?:[^"\\]|\\.)*+(?:"|\\?\Z))*+', re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class _Letter(NamedTuple):
    """How strictly a grammar takes RFC 6797 §6.1."""

    unique: bool = False
    """No directive may repeat, else only the two known ones may not."""
    quoted_text: re.Pattern[str] | None = None
    """What may stand inside a quoted string; None for anything."""
    ascii: bool = False
    """Nothing but ASCII may stand inside a quoted string."""
    unescapes: bool = True
    r"""`max-age="\31"` is 31."""
    folds: bool = False
    """A folded line is white space."""
    lax: bool = False
    """A directive may lack its name, and `=` its value."""
    largest: int | None = None
    """A larger max-age is refused."""
    ends_at_nul: bool = False
    """NUL ends the value, as it ends a C string."""


_CHROME = _Letter()
# RFC 2616 §2.2: TEXT is any octet but control characters; a quoted pair escapes any US-ASCII character.
_RFC6797 = _Letter(
    unique=True, quoted_text=re.compile(r"(?:[^\x00-\x08\x0a-\x1f\x7f\\]|\\[\x00-\x7f])*"), folds=True
)
_FIREFOX = _Letter(
    quoted_text=re.compile(r"(?:[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f\\]|\\.)*", re.DOTALL),
    ascii=True,
    unescapes=False,
    folds=True,
    lax=True,
    largest=2**64 - 1,
    ends_at_nul=True,
)


def chrome(value: str, cap: int | None) -> Directives:
    """Read a field value as Chromium does (net/http/http_security_headers.cc, ParseHSTSHeader).

    Unknown directives may repeat, and anything may stand inside a quoted string.

    Raises:
        InvalidHeader: the whole value is refused; it says every problem.
    """
    return quick(value, cap) or _scan(value, cap, _CHROME)


def rfc6797(value: str, cap: int | None) -> Directives:
    """Read a field value by the letter of RFC 6797 §6.1 (tokens and quoted strings of RFC 2616 §2.2).

    No directive may repeat, a quoted string holds no control characters, and a folded line is white space.

    Raises:
        InvalidHeader: the whole value is refused; it says every problem.
    """
    return quick(value, cap) or _scan(value, cap, _RFC6797)


def firefox(value: str, cap: int | None) -> Directives:
    """Read a field value as Firefox does (security/manager/ssl/nsSiteSecurityService.cpp, ParseSSSHeaders).

    The syntax is nsSecurityHeaderParser.cpp's: names and values may be empty, a quoted string is ASCII and its
    backslashes stay. A max-age beyond 64 bits, which mozilla::Tokenizer does not read, is refused.

    Raises:
        InvalidHeader: the whole value is refused; it says every problem.
    """
    return quick(value, cap) or _scan(value, cap, _FIREFOX)


def _scan(value: str, cap: int | None, letter: _Letter) -> Directives:
    """Read a field value directive by directive and collect every problem."""
    text = value
    problems: list[Problem] = []
    seen: set[str] = set()
    max_age = None
    include_subdomains = preload = False

    def refuse(code: str, offset: int, message: str) -> None:
        problems.append(Problem(code, offset, message))

    if letter.ends_at_nul:
        text = text.partition("\0")[0]
    if letter.folds:
        text = unfolded(text)
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
            nameless = Problem(
                "empty-name", begin, "a directive begins with its name, not with '='", not letter.lax
            )
            problems.append(nameless)
            if nameless.refuses:
                continue
        elif not _TOKEN.fullmatch(name):
            refuse("name-not-token", begin, f"{short(name)} is not a token")
            continue
        key = name.lower()
        if key in seen and (letter.unique or key in ("max-age", "includesubdomains")):
            refuse("repeated-directive", begin, f"{cut(name)} stands here a second time")
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
                problems.append(unknown(name, begin))
            continue
        if not argument and (key == "max-age" or not letter.lax):
            refuse("empty-value", at, f"nothing follows '=' after {cut(name)}")
            continue
        if argument[:1] == '"':
            quoted = _QUOTED.fullmatch(argument)
            if quoted is None:
                refuse("bad-quoted-string", at, f"{short(argument)} is not one closed quoted-string")
                continue
            if letter.ascii and not argument.isascii():
                refuse("non-ascii-in-quoted-string", at, f"{short(argument)} is not ASCII")
                continue
            if letter.quoted_text is not None and not letter.quoted_text.fullmatch(quoted[1]):
                refuse("control-in-quoted-string", at, f"{short(argument)} holds a control character")
                continue
            argument = _ESCAPED.sub(r"\1", quoted[1]) if letter.unescapes else quoted[1]
            bare = True
        else:
            bare = not argument or _TOKEN.fullmatch(argument) is not None
        if key == "max-age":
            if not (argument.isascii() and argument.isdigit()):
                refuse("max-age-not-digits", at, f"{short(argument)} is not a whole number of seconds")
                continue
            max_age = whole(argument)
            if letter.largest is not None and max_age > letter.largest:
                refuse("max-age-too-large", at, f"{cut(argument)} is more than {letter.largest}")
            elif cap is not None and max_age > cap:
                problems.append(over_cap(max_age, cap, at))
        elif not bare:
            refuse("value-not-token", at, f"{short(argument)} is neither a token nor a quoted-string")
        elif key:
            problems.append(unknown(name, begin))

    if len(text) < len(value):
        problems.append(remark("ends-at-nul", len(text), "the value ends at this NUL"))
    if "max-age" not in seen:
        refuse("missing-max-age", len(value), "max-age is required and does not stand here")
    found = tuple(problems)
    if max_age is None or any(problem.refuses for problem in found):
        raise InvalidHeader(value, found)
    capped = max_age if cap is None else min(max_age, cap)
    return Directives(capped, include_subdomains, preload, max_age, found)
