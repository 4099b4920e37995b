"""Strict-Transport-Security as wget reads it."""

from __future__ import annotations

from typing import Any

import pytest

from hstssim import header
from hstssim.errors import InvalidHeader

CAP = 2**63 - 1
REFUSED = None


def read(value: str) -> tuple[int, bool] | None:
    """Max-age and includeSubDomains, or None where the value is refused."""
    try:
        directives = header.wget(value, CAP)
    except InvalidHeader:
        return REFUSED
    return directives.max_age, directives.include_subdomains


@pytest.mark.vectors("header_parse_wget")
def test_a_field_value_reads_as_in_wget(case: dict[str, Any]) -> None:
    expected = case["expected"]
    found = read(case["input"])
    if not expected["parsed"]:
        assert found is REFUSED
        return
    assert found == (expected["max_age"], expected["include_subdomains"])
    deletes = expected["effect_on_existing_entry"] == "delete"
    assert header.wget(case["input"], CAP).effect == ("delete" if deletes else "set")


QUIRKS = {
    # The scan.
    "an empty directive ends the scan": ("max-age=1;; includeSubDomains", (1, False)),
    "a blank directive ends the scan": ("max-age=1; ; max-age=2", (1, False)),
    "so it does in front": (";max-age=1", REFUSED),
    "but not at the end": ("max-age=1; includeSubDomains; ", (1, True)),
    "a directive without a name ends the scan": ("max-age=1; =x; max-age=2", (1, False)),
    "two words end the scan": ("max-age=1; a b; max-age=2", (1, False)),
    "max-age and a blank": ("includeSubDomains; max-age 1", REFUSED),
    "an open quote ends the scan": ('max-age=1; max-age="2', (1, False)),
    "a quote protects a semicolon": ('foo="; max-age=2"; max-age=1', (1, False)),
    "only at the start of a value": ('foo=x"; max-age=2"; max-age="1"', (1, False)),
    "a backslash escapes nothing": (r'foo="\"; max-age=2', (2, False)),
    "text after the quotes": ('max-age="1"x"y; includeSubDomains', (1, True)),
    "a comma": ("max-age=1, max-age=2; includeSubDomains", (1, True)),
    "line breaks and more are white space": ("max-age\n=\r\v1\f;\nincludeSubDomains", (1, True)),
    "a folded line": ("max-age=1;\r\n includeSubDomains", (1, True)),
    "NUL ends the value": ("max-age=1;\0 includeSubDomains", (1, False)),
    "NUL in quotes": ('max-age=1; max-age="2\0"', (1, False)),
    "a name that is no token": ("f(o)o; m@x=1; max-age=1", (1, False)),
    # What is known.
    "the last max-age counts": ("max-age=1; max-age=2; max-age=3", (3, False)),
    "even without a number": ("max-age=1; max-age", (0, False)),
    "includeSubDomains twice": ("max-age=1; includeSubDomains; includeSubDomains", (1, True)),
    "includeSubDomains with a value": ("max-age=1; includeSubDomains=0", (1, True)),
    "includeSubDomains as a prefix": ("max-age=1; includeSubDomainsX", (1, False)),
    "not ASCII but alike": ("max-age=1; includeſubDomains; İncludeSubDomains", (1, False)),
    # strtol.
    "no number": ("max-age=abc", (0, False)),
    "no value": ("max-age", (0, False)),
    "an empty value": ("max-age=; includeSubDomains", (0, True)),
    "an empty value in quotes": ('max-age=""', (0, False)),
    "garbage after the number": ("max-age=1abc", (1, False)),
    "hexadecimal": ("max-age=0x10", (0, False)),
    "a fraction": ("max-age=1.9", (1, False)),
    "a plus": ("max-age=+1", (1, False)),
    "two signs": ("max-age=+-1", (0, False)),
    "a blank in quotes": ('max-age=" \t1 2"', (1, False)),
    "a minus and nothing": ("max-age=-", (0, False)),
    "minus zero": ("max-age=-0", (0, False)),
    "a negative number changes nothing": ("max-age=-1", REFUSED),
    "a negative number that does not count": ("max-age=-1; max-age=1", (1, False)),
    "a very negative number": (f"max-age=-{'9' * 5000}", REFUSED),
    "digits that are not ASCII": ("max-age=١", (0, False)),
    "too large": ("max-age=9223372036854775808", (CAP, False)),
    # RFC 2231.
    "a name with a star": ("max-age*=1", (1, False)),
    "a name with a star and a charset": ("max-age*=utf-8'en'60", (60, False)),
    "the last apostrophe counts": ("max-age*='1'2'3", (3, False)),
    "in quotes too": ('max-age*="x\'5"', (5, False)),
    "a name with a section": ("max-age*0=x'5", (0, False)),
    "a name with a section and a star": ("max-age*0*=x'5", (5, False)),
    "two stars": ("max-age**=x'5", (5, False)),
    "includeSubDomains with a star": ("max-age=1; includeSubDomains*=x", (1, True)),
    "a star needs a value": ("max-age=1; includeSubDomains*; max-age*", (1, False)),
    "without a star an apostrophe is text": ("max-age='5", (0, False)),
}


@pytest.mark.parametrize(("value", "expected"), QUIRKS.values(), ids=QUIRKS)
def test_a_quirk_of_wget(value: str, expected: tuple[int, bool] | None) -> None:
    assert read(value) == expected


@pytest.mark.parametrize(
    ("value", "preload"),
    [
        ("max-age=1; preload", True),
        ("max-age=1; Preload\n", True),
        ("max-age=1; preload=", False),
        ("max-age=1; preload*=", False),
        ("max-age=1;; preload", False),
    ],
)
def test_preload_counts_where_the_scan_comes_to_it(value: str, preload: bool) -> None:
    assert header.wget(value, CAP).preload is preload


def test_the_number_is_told_as_it_was_sent() -> None:
    assert header.wget("max-age=99999999999999999999x", CAP).max_age_sent == 99_999_999_999_999_999_999


def test_all_problems_stand_in_order_of_place() -> None:
    with pytest.raises(InvalidHeader) as caught:
        header.wget("foo; max-age=-1x; includeSubDomains=1; a b", CAP)
    codes = [problem.code for problem in caught.value.problems]
    assert codes == ["unknown-directive", "negative-max-age", "ignored-text", "ignored-text", "scan-stopped"]
