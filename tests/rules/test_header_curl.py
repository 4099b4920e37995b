"""Strict-Transport-Security as curl reads it: its current source, and 7.88.1."""

from __future__ import annotations

from typing import Any

import pytest

from hstssim import header
from hstssim.errors import InvalidHeader
from hstssim.header import Grammar

CAP = 2**63 - 1
REFUSED = None


def read(grammar: Grammar, value: str) -> tuple[int, bool] | None:
    """Max-age and includeSubDomains, or None where the value is refused."""
    try:
        directives = grammar(value, CAP)
    except InvalidHeader:
        return REFUSED
    return directives.max_age, directives.include_subdomains


@pytest.mark.vectors("header_parse_curl")
def test_a_field_value_reads_as_in_curl(case: dict[str, Any]) -> None:
    expected = case["expected"]
    found = read(header.curl, case["input"])
    if not expected["accepted"]:
        assert found is REFUSED
        return
    assert found == (expected["max_age"], expected["include_subdomains"])
    assert header.curl(case["input"], CAP).effect == expected["effect"]


@pytest.mark.vectors("header_parse_curl")
def test_a_field_value_reads_as_in_curl_7_88_1(case: dict[str, Any]) -> None:
    expected = case.get("observed_7_88_1", case["expected"])
    if expected["effect"] == "none":
        assert read(header.curl_7_88, case["input"]) is REFUSED
        return
    directives = header.curl_7_88(case["input"], CAP)
    assert directives.effect == expected["effect"]
    assert directives.include_subdomains == expected["include_subdomains"]
    if "observed_7_88_1" not in case:
        assert directives == header.curl(case["input"], CAP)


QUIRKS = {
    "garbage after the number": ("max-age=1abc", (1, False)),
    "garbage hides what follows it": ("max-age=1 x includeSubDomains", (1, False)),
    "a fraction": ("max-age=1.5", (1, False)),
    "garbage after the quotes": ('max-age="1"x', (1, False)),
    "a comma and another max-age": ("max-age=1, max-age=2; includeSubDomains", (1, True)),
    "no semicolon": ("max-age=1 includeSubDomains", (1, True)),
    "nothing between": ("includeSubDomainsmax-age=1", (1, True)),
    "a blank and another max-age": ("max-age=1 max-age=2", REFUSED),
    "includeSubDomains as a prefix": ("max-age=1; includeSubDomainsFoo", (1, True)),
    "includeSubDomains with a value": ("max-age=1; includeSubDomains=0", (1, True)),
    "includeSubDomains twice": ("max-age=1; includeSubDomains; includeSubDomainsX", REFUSED),
    "max-age as a prefix of nothing": ("max-age", REFUSED),
    "max-age twice, the second bad": ("max-age=1; max-age=x", REFUSED),
    "max-age is empty": ("max-age=", REFUSED),
    "max-age is negative": ("max-age=-1", REFUSED),
    "an open quote": ('max-age="1', REFUSED),
    "a blank behind the number in quotes": ('max-age="1 "', REFUSED),
    "quotes do not protect": ('foo="; max-age=1"', (1, False)),
    "a name in front hides it": ("x max-age=1", REFUSED),
    "empty directives": (" ;; ;max-age=1;;", (1, False)),
    "anything unknown": ('max-age=1; f(o)o; ="; b c; \x01é', (1, False)),
    "a control character is no white space": ("max-age=1;\x0bincludeSubDomains", (1, False)),
    "nor is a lone carriage return": ("\rmax-age=1", REFUSED),
    "nor a line feed": ("max-age=1;\nincludeSubDomains", (1, False)),
    "a folded line": ("max-age=1;\r\n includeSubDomains", (1, True)),
    "a folded line in front": ("\r\n\tmax-age=1", (1, False)),
    "NUL": ("max-age=1; foo\0", REFUSED),
    "the largest": ("max-age=9223372036854775807", (CAP, False)),
    "too large": ("max-age=9223372036854775808; includeSubDomains", (CAP, True)),
    "not ASCII but alike": ("max-age=1; includeſubDomains; İncludeSubDomains", (1, False)),
}


@pytest.mark.parametrize("grammar", [header.curl, header.curl_7_88], ids=["master", "7.88.1"])
@pytest.mark.parametrize(("value", "expected"), QUIRKS.values(), ids=QUIRKS)
def test_a_quirk_of_curl(grammar: Grammar, value: str, expected: tuple[int, bool] | None) -> None:
    assert read(grammar, value) == expected


VERSIONS_DIFFER = {
    "a blank before =": ("max-age =1", (1, False), REFUSED),
    "then another max-age": ("max-age =1; max-age=2", REFUSED, (2, False)),
    "max-age as a prefix": ("max-ages=1; max-age=2", REFUSED, (2, False)),
    "max-age without =": ("max-age; max-age=2", REFUSED, (2, False)),
    "a plus": ("max-age=+1", REFUSED, (1, False)),
    "a plus in quotes": ('max-age="+1"', REFUSED, (1, False)),
    "a plus alone": ("max-age=+", REFUSED, REFUSED),
    "a blank in front in quotes": ('max-age=" \t1"', REFUSED, (1, False)),
    "too large in quotes": ('max-age="9223372036854775808"', REFUSED, (CAP, False)),
    "too large, without a semicolon": ("max-age=9223372036854775808 includeSubDomains", (CAP, False), (CAP, True)),
    "too large, then another": ("max-age=9223372036854775808 max-age=1", (CAP, False), REFUSED),
}


@pytest.mark.parametrize(("value", "master", "old"), VERSIONS_DIFFER.values(), ids=VERSIONS_DIFFER)
def test_curl_changed_here(value: str, master: tuple[int, bool] | None, old: tuple[int, bool] | None) -> None:
    assert (read(header.curl, value), read(header.curl_7_88, value)) == (master, old)


@pytest.mark.parametrize(
    ("value", "preload"),
    [
        ("max-age=1; preload", True),
        ("max-age=1 PRELOAD ;", True),
        ("max-age=1; preload preload", False),
        ("max-age=1; preload=1", False),
        ("max-age=1; preloads", False),
        ("max-age=99999999999999999999 preload", False),
    ],
)
def test_preload_is_what_curl_passes_over_as_one(value: str, preload: bool) -> None:
    assert header.curl(value, CAP).preload is preload


def test_the_number_is_told_as_it_was_sent() -> None:
    assert header.curl("max-age=99999999999999999999x", CAP).max_age_sent == 99_999_999_999_999_999_999


def test_reading_stops_at_the_first_thing_that_refuses() -> None:
    with pytest.raises(InvalidHeader) as caught:
        header.curl("foo; max-age=x; max-age=y", CAP)
    assert [problem.code for problem in caught.value.problems] == ["unknown-directive", "max-age-not-digits"]
