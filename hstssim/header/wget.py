"""wget's grammar: it reads directives until one is of another form, and keeps what it has by then."""

from __future__ import annotations

import re

from hstssim.errors import InvalidHeader, short
from hstssim.header.directives import Directives, Problem, cut, over_cap, remark, unknown, whole
from hstssim.header.quick import quick

_SPACE = " \t\n\v\f\r"
_GAP = f"[{_SPACE}]*+"
# Compiled where first needed, as most values never come to them.
_PARAMETER = (
    rf"{_GAP}([^{_SPACE}=;]++){_GAP}"
    rf'(?:={_GAP}(?:"([^"]*+)"{_GAP}([^;]*+)|(?!")([^;]*+)))?+'  # in quotes, what follows them; or without
    r"(?:;|\Z)"
)
_NUMBER = rf"{_GAP}([+-]?)([0-9]+)"


def wget(value: str, cap: int | None) -> Directives:
    """Read a field value as wget 1.21.3 and its source of 2024 do (src/http.c, parse_strict_transport_security).

    extract_param, made for Content-Disposition, finds the directives: an empty one, an open quote or a name
    before anything but `=` or `;` ends the scan, and a `*` ends a name. The last max-age counts, and what
    strtol makes of it: 0 where it has no number.

    Raises:
        InvalidHeader: no max-age was found, or a negative one, which changes nothing (src/hsts.c,
            hsts_store_entry).
    """
    usual = quick(value, cap)
    if usual is not None:
        _, include_subdomains, preload, _, _ = usual
        others = value.count(";") - include_subdomains - preload  # empty, or not known as they stand
        if others == 0 or (others == 1 and value[-1] == ";"):
            return usual
    return _scan(value, cap)


def _scan(value: str, cap: int | None) -> Directives:
    parameter_at = re.compile(_PARAMETER).match
    problems: list[Problem] = []
    last_max_age: tuple[int, str] | None = None  # where its value stands, and the value
    include_subdomains = preload = False
    text, nul, _ = value.partition("\0")
    if nul:
        problems.append(remark("ends-at-nul", len(text), "the value ends at this NUL"))
    end, stop = 0, len(text.rstrip(_SPACE))
    while end < stop:
        begin = end
        match = parameter_at(text, begin)
        if match is None:
            rest = text[begin:stop]
            begin += len(rest) - len(rest := rest.lstrip(_SPACE))
            problems.append(remark("scan-stopped", begin, f"wget reads no further than here: {short(rest)}"))
            break
        end = match.end()
        begin, name = match.start(1), match[1]
        group = 4 if match[2] is None else 2
        at, argument = match.start(group), match[group]
        if argument is not None and "*" in name:
            starred = name
            name, _, section = name.partition("*")
            if not section or "*" in section:  # RFC 2231: value*=charset'language'text
                at += len(argument) - len(argument := argument.rpartition("'")[2])
            if name.lower() in ("max-age", "includesubdomains"):
                problems.append(remark("name-cut", begin, f"{cut(starred)} counts as {name}"))
        key = name.lower()
        if key == "max-age":
            if last_max_age is not None:
                problems.append(remark("repeated-directive", begin, f"this {name} replaces the one before it"))
            last_max_age = (at, argument) if argument is not None else (match.end(1), "")
        elif key == "includesubdomains":
            include_subdomains = True
        elif key == "preload" and argument is None:
            preload = True
        else:
            problems.append(unknown(name, begin))
            continue
        ignored = (match[3] if key == "max-age" else argument) or ""
        if ignored:
            place = match.start(3) if key == "max-age" else at
            problems.append(remark("ignored-text", place, f"{short(ignored)} after {name} is passed over"))

    max_age = sent = 0
    if last_max_age is None:
        problems.append(Problem("missing-max-age", len(value), "max-age is required and wget read none"))
    else:
        at, argument = last_max_age
        number = re.match(_NUMBER, argument)
        rest = argument[number.end() if number else 0 :].strip(_SPACE)
        if number is None:
            shown = f"{short(rest)} has no number in front and counts as 0" if rest else "no number counts as 0"
            problems.append(remark("number-defaulted", at, shown))
        else:
            sent = whole(number[2])
            if number[1] == "-" and sent:
                problems.append(Problem("negative-max-age", at, f"{short(number[0])} is negative"))
            elif cap is not None and sent > cap:
                problems.append(over_cap(sent, cap, at))
            if rest:
                place = at + argument.index(rest, number.end())
                problems.append(remark("ignored-text", place, f"{short(rest)} after the number is passed over"))
        max_age = sent if cap is None else min(sent, cap)
    problems.sort(key=lambda problem: problem.offset)
    found = tuple(problems)
    if any(problem.refuses for problem in found):
        raise InvalidHeader(value, found)
    return Directives(max_age, include_subdomains, preload, sent, found)
