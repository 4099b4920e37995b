"""curl's grammars: known directives are recognised wherever one may begin, what else stands there is passed over.

Both versions read the same way (`_scan`) and differ in two facts, given as arguments.
"""

from __future__ import annotations

import re

from hstssim.errors import InvalidHeader, short
from hstssim.header.directives import Directives, Problem, cut, over_cap, remark, unfolded, unknown, whole
from hstssim.header.quick import quick

_LARGEST = 2**63 - 1  # curl_off_t
# max-age where it counts as such, with its `=`, its opening quote and its digits if they are there. Compiled
# where first needed, as most values never come to it.
_MAX_AGE = r'max-age(?:[ \t]*(=)[ \t]*("?)([0-9]*))?'
_MAX_AGE_7_88 = r'max-age(=)[ \t]*("?)[ \t]*\+?([0-9]*)'
_GAP = r"[ \t;]*"


def curl(value: str, cap: int | None) -> Directives:
    """Read a field value as curl's current source does (lib/hsts.c, Curl_hsts_parse; lib/curlx/strparse.c).

    Unknown text is passed over up to the next semicolon, even inside quotes; a name need only begin with
    includeSubDomains; what follows a number does not matter. Only a bad max-age, or a known directive that
    repeats, spoils the value, and curl stops at it.

    Raises:
        InvalidHeader: curl ignores the value; it says what curl stopped at, after the remarks before it.
    """
    usual = quick(value, cap)
    # Remarks mean names that are not known, which curl may take for known ones.
    if usual is not None and not usual.problems:
        return usual
    return _scan(value, cap, _MAX_AGE, passes_overflow=False)


def curl_7_88(value: str, cap: int | None) -> Directives:
    """Read a field value as curl 7.88.1 does (lib/hsts.c, Curl_hsts_parse; lib/strtoofft.c).

    As `curl` does, but max-age must have its `=` at once (else it is not known), and a plus or, in quotes,
    blanks may stand before its digits.

    Raises:
        InvalidHeader: curl ignores the value; it says what curl stopped at, after the remarks before it.
    """
    usual = quick(value, cap)
    if usual is not None and not usual.problems and " =" not in value and "\t=" not in value:
        return usual
    return _scan(value, cap, _MAX_AGE_7_88, passes_overflow=True)


def _scan(value: str, cap: int | None, max_age_pattern: str, *, passes_overflow: bool) -> Directives:
    """Read a field value from one place where a directive may begin to the next.

    `passes_overflow`: a number that is too large is read to its end; else all from it on to the next semicolon
    is like unknown text.
    """
    gap_at = re.compile(_GAP).match
    max_age_at = re.compile(max_age_pattern, re.IGNORECASE | re.ASCII).match
    problems: list[Problem] = []
    max_age = None
    include_subdomains = preload = False

    def refused(code: str, offset: int, message: str) -> InvalidHeader:
        problems.append(Problem(code, offset, message))
        return InvalidHeader(value, tuple(sorted(problems, key=lambda problem: problem.offset)))

    if "\0" in value:
        raise refused("nul-in-value", value.index("\0"), "a response with a NUL in its head is dropped")
    text = unfolded(value).rstrip(" \t\r\n")
    end = 0
    before, begin = "", 0  # the known directive that no semicolon has ended yet, and its place
    lost = False  # whether nothing is recognised before the next semicolon
    quoted = False  # whether a quote that a semicolon split is open
    while True:
        gap = gap_at(text, end)
        at = gap.end() if gap else end
        if at == len(text):
            break
        if ";" in text[end:at]:
            before, lost = "", False
        match = None if lost else max_age_at(text, at)
        name = text[at : at + 7] if match else text[at : at + 17]
        if match:
            if max_age is not None:
                raise refused("repeated-directive", at, f"{name} stands here a second time")
            equals, quote, digits = match.groups()
            if not equals:
                raise refused("max-age-without-value", at + 7, f"'=' must follow {name}")
            if not digits:
                raise refused("max-age-not-digits", match.start(3), f"{name} needs a number of seconds")
            max_age = whole(digits)
            lost = max_age > _LARGEST and not passes_overflow
            end = match.end()
            if quote:
                if lost or text[end : end + 1] != quote:
                    raise refused("bad-quoted-string", match.start(2), "curl finds no quote after the number")
                end += 1
            if cap is not None and max_age > cap:
                problems.append(over_cap(max_age, cap, match.start(3)))
        elif name.lower() == "includesubdomains" and not lost:
            if include_subdomains:
                raise refused("repeated-directive", at, f"{name} stands here a second time")
            include_subdomains = True
            end = at + 17
        else:
            name = ""
            end = text.find(";", at)
            if end < 0:
                end = len(text)
            passed = text[at:end].rstrip(" \t")
            if passed.lower() == "preload" and not lost:
                preload, name = True, passed
            elif not before:
                problems.append(unknown(passed.partition("=")[0].rstrip(" \t") or passed, at))
                quoted ^= passed.count('"') % 2 == 1
                if quoted and '"' in passed and end < len(text):
                    problems.append(remark("split-quoted-string", end, "this semicolon ends what '\"' began"))
            elif before == text[begin:at] and passed[0] not in '=",':
                problems.append(remark("prefix-match", begin, f"{cut(before + passed)} counts as {before}"))
            else:
                problems.append(remark("ignored-text", at, f"{short(passed)} after {before} is passed over"))
        if before and name:
            problems.append(remark("missing-semicolon", at, f"{name} counts though no ';' stands before it"))
        before, begin = name, at

    if max_age is None:
        raise refused("missing-max-age", len(value), "max-age is required and does not stand here")
    problems.sort(key=lambda problem: problem.offset)
    capped = max_age if cap is None else min(max_age, cap)
    return Directives(capped, include_subdomains, preload, max_age, tuple(problems))
