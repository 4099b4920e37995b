"""Strict-Transport-Security as Firefox reads it."""

from __future__ import annotations

from typing import Any

import pytest

from hstssim import header
from hstssim.errors import InvalidHeader

CAP = 3_153_600_000
REFUSED = None


def read(value: str) -> tuple[int, bool] | None:
    """Max-age and includeSubDomains, or None where the value is refused."""
    try:
        directives = header.firefox(value, CAP)
    except InvalidHeader:
        return REFUSED
    return directives.max_age, directives.include_subdomains


@pytest.mark.vectors("header_parse_firefox")
def test_a_field_value_reads_as_in_firefox(case: dict[str, Any]) -> None:
    expected = case["expected"]
    found = read(case["input"])
    if not expected["accepted"]:
        assert found is REFUSED
        return
    assert found == (expected["max_age"], expected["include_subdomains"])
    effect = header.firefox(case["input"], CAP).effect
    assert expected["effect"].startswith(effect)  # the store adds that a deletion may be a knock-out


@pytest.mark.vectors("header_parse_firefox")
def test_what_firefox_does_not_recognise_is_seen(case: dict[str, Any]) -> None:
    if case["expected"]["accepted"]:
        directives = header.firefox(case["input"], CAP)
        codes = {problem.code for problem in directives.problems}
        empty = any(not piece.strip() for piece in case["input"].split(";"))  # needs no remark
        seen = directives.preload or empty or bool(codes & {"unknown-directive", "empty-name"})
        assert seen == case["expected"]["unrecognized_directive"]


QUIRKS = {
    # Refused by Chromium.
    "no name": ("max-age=1; =x", (1, False)),
    "no name and no value": ("=; max-age=1", (1, False)),
    "an empty value": ("max-age=1; foo=", (1, False)),
    "a folded line": ("max-age=1;\r\n includeSubDomains", (1, True)),
    "a folded line at the end": ("max-age=1\r\n\t", (1, False)),
    "NUL ends the value": ("max-age=1\0; includeSubDomains", (1, False)),
    # Accepted by Chromium.
    "a quoted pair in max-age": (r'max-age="\1"', REFUSED),
    "a control character in a quoted-string": ('max-age=1; foo="\x01"', REFUSED),
    "not ASCII in a quoted-string": ('max-age=1; foo="é"', REFUSED),
    "more than 64 bits": ("max-age=18446744073709551616", REFUSED),
    "much more than 64 bits": (f"max-age={'9' * 5000}", REFUSED),
    # Neither.
    "64 bits": ("max-age=18446744073709551615", (CAP, False)),
    "an unknown directive twice": ("max-age=1; foo; FOO", (1, False)),
    "a line break in a quoted-string": ('max-age=1; foo="a\nb\r"', (1, False)),
    "a control character escaped in a quoted-string": ('max-age=1; foo="\\\x01"', (1, False)),
    "a NUL in a quoted-string": ('max-age=1; foo="\0"', REFUSED),
    "an escaped quote": (r'max-age=1; foo="\";max-age=2"', (1, False)),
    "no name, and a value that is no token": ("max-age=1; =(x)", REFUSED),
    "no name, and an open quote": ('max-age=1; ="x', REFUSED),
    "includeSubDomains with an empty value": ("max-age=1; includeSubDomains=", REFUSED),
    "max-age is empty": ("max-age=", REFUSED),
    "max-age is empty in quotes": ('max-age=""', REFUSED),
    "max-age has a sign": ("max-age=+1", REFUSED),
    "a line break without a fold": ("max-age=1;\r\nincludeSubDomains", REFUSED),
    "a lone line feed": ("max-age=1;\n includeSubDomains", REFUSED),
    "a comma": ("max-age=1, includeSubDomains", REFUSED),
}


@pytest.mark.parametrize(("value", "expected"), QUIRKS.values(), ids=QUIRKS)
def test_a_quirk_of_firefox(value: str, expected: tuple[int, bool] | None) -> None:
    assert read(value) == expected


def test_preload_is_seen_only_bare() -> None:
    assert header.firefox("max-age=1; preload", CAP).preload
    assert not header.firefox("max-age=1; preload=", CAP).preload
