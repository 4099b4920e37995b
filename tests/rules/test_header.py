"""The grammars of Strict-Transport-Security that refuse what is amiss: Chromium's and the RFC's."""

from __future__ import annotations

from typing import Any

import pytest

from hstssim.errors import InvalidHeader
from hstssim.header import RULES
from hstssim.profile import CHROME, RFC6797, Profile, parse_header

REFUSED = None


def read(value: str, profile: Profile) -> tuple[int, bool] | None:
    """Max-age and includeSubDomains, or None where the value is refused."""
    try:
        directives = parse_header(value, profile=profile)
    except InvalidHeader:
        return REFUSED
    return directives.max_age, directives.include_subdomains


@pytest.mark.vectors("header_parse_chrome")
def test_a_field_value_reads_as_in_chromium(case: dict[str, Any]) -> None:
    expected = case["expected"]
    found = read(case["input"], CHROME)
    if not expected["accepted"]:
        assert found is REFUSED
        return
    assert found == (expected["max_age"], expected["include_subdomains"])
    assert parse_header(case["input"]).effect == expected["effect"]


RFC_GRAMMAR = {
    # §6.1.1: max-age is required, once, delta-seconds, token or quoted-string.
    "max-age alone": ("max-age=31536000", (31_536_000, False)),
    "max-age is quoted": ('max-age="31536000"', (31_536_000, False)),
    "max-age has a quoted pair": (r'max-age="\31"', (31, False)),
    "max-age is missing": ("includeSubDomains", REFUSED),
    "max-age without a value": ("max-age", REFUSED),
    "max-age is empty": ("max-age=", REFUSED),
    "max-age is empty in quotes": ('max-age=""', REFUSED),
    "max-age has a blank in quotes": ('max-age=" 1"', REFUSED),
    "max-age is negative": ("max-age=-1", REFUSED),
    "max-age has a plus": ("max-age=+1", REFUSED),
    "max-age is a fraction": ("max-age=1.5", REFUSED),
    "max-age has garbage after it": ("max-age=1abc", REFUSED),
    "max-age is a number but not ASCII": ("max-age=١", REFUSED),
    "max-age has leading zeros": ("max-age=000123", (123, False)),
    "max-age stands twice": ("max-age=1; max-age=1", REFUSED),
    "max-age stands twice in other letters": ("max-age=1; MAX-AGE=2", REFUSED),
    "max-age is 0": ("max-age=0", (0, False)),
    "no cap": ("max-age=3153600000", (3_153_600_000, False)),
    "no cap beyond 64 bits": (f"max-age={10**30}", (10**30, False)),
    # §6.1.2: includeSubDomains is valueless.
    "includeSubDomains": ("max-age=1; includeSubDomains", (1, True)),
    "includeSubDomains first": ("includeSubDomains; max-age=1", (1, True)),
    "includeSubDomains twice": ("max-age=1; includeSubDomains; includesubdomains", REFUSED),
    "includeSubDomains with a value": ("max-age=1; includeSubDomains=1", REFUSED),
    "includeSubDomains with an empty value": ('max-age=1; includeSubDomains=""', REFUSED),
    "includeSubDomains as a prefix only": ("max-age=1; includeSubDomainsX", (1, False)),
    # §6.1 rules 1 to 5.
    "order does not matter": ('foo="bar"; includeSubDomains; max-age=1', (1, True)),
    "names ignore case": ("MAX-AGE=1; INCLUDESUBDOMAINS", (1, True)),
    "empty directives": (" ; ;max-age=1 ; ; ", (1, False)),
    "white space around =": ("max-age \t=\t 1", (1, False)),
    "unknown directive": ("max-age=1; preload", (1, False)),
    "unknown directive with a token": ("max-age=1; foo=bar", (1, False)),
    "unknown directive with a quoted-string": ('max-age=1; foo="; max-age=2"', (1, False)),
    "unknown directive with an empty quoted-string": ('max-age=1; foo=""', (1, False)),
    "unknown directive without a value behind =": ("max-age=1; foo=", REFUSED),
    "unknown directive twice": ("max-age=1; preload; preload", REFUSED),
    "unknown directive twice in other letters": ("max-age=1; foo=1; FOO=2", REFUSED),
    "name is no token": ("max-age=1; f(o)o", REFUSED),
    "name is missing": ("max-age=1; =bar", REFUSED),
    "value is no token": ("max-age=1; foo=b(a)r", REFUSED),
    "value is two tokens": ("max-age=1; foo=b r", REFUSED),
    "comma": ("max-age=1, includeSubDomains", REFUSED),
    "quoted-string is open": ('max-age=1; foo="bar', REFUSED),
    "quoted-string has something after it": ('max-age=1; foo="b"r', REFUSED),
    "empty value": ("", REFUSED),
    # RFC 2616 §2.2, to which §6.1 refers.
    "control character in a quoted-string": ('max-age=1; foo="b\x01r"', REFUSED),
    "DEL in a quoted-string": ('max-age=1; foo="b\x7fr"', REFUSED),
    "control character escaped in a quoted-string": ('max-age=1; foo="b\\\x01r"', (1, False)),
    "not ASCII in a quoted-string": ('max-age=1; foo="bär"', (1, False)),
    "not ASCII after a backslash": ('max-age=1; foo="b\\är"', REFUSED),
    "tab in a quoted-string": ('max-age=1; foo="b\tr"', (1, False)),
    "folded line": ("max-age=1;\r\n includeSubDomains", (1, True)),
    "folded line in a quoted-string": ('max-age=1; foo="b\r\n\tr"', (1, False)),
    "line break without a fold": ("max-age=1;\r\nincludeSubDomains", REFUSED),
    "vertical tab is no white space": ("max-age=1;\x0bincludeSubDomains", REFUSED),
}


@pytest.mark.parametrize(("value", "expected"), RFC_GRAMMAR.values(), ids=RFC_GRAMMAR)
def test_a_field_value_reads_as_rfc_6797_has_it(value: str, expected: tuple[int, bool] | None) -> None:
    assert read(value, RFC6797) == expected


PROFILES_DIFFER = {
    "repeated unknown directive": ("max-age=1; preload; preload", (1, False), REFUSED),
    "control character in a quoted-string": ('max-age=1; foo="b\x01r"', (1, False), REFUSED),
    "folded line": ("max-age=1;\r\n includeSubDomains", REFUSED, (1, True)),
    "cap": ("max-age=31536001", (31_536_000, False), (31_536_001, False)),
}


@pytest.mark.parametrize(("value", "chrome", "rfc6797"), PROFILES_DIFFER.values(), ids=PROFILES_DIFFER)
def test_chromium_departs_from_the_rfc_here(
    value: str, chrome: tuple[int, bool] | None, rfc6797: tuple[int, bool] | None
) -> None:
    assert (read(value, CHROME), read(value, RFC6797)) == (chrome, rfc6797)


def test_an_error_tells_the_first_problem_that_refuses_and_keeps_them_all() -> None:
    with pytest.raises(
        InvalidHeader, match=r"^max-age needs a number of seconds \(at offset 12 of 'foo; "
    ) as caught:
        parse_header("foo; max-age; =")
    error = caught.value
    assert (error.code, error.offset, error.value) == ("max-age-without-value", 12, "foo; max-age; =")
    assert [problem.code for problem in error.problems] == [
        "unknown-directive",
        "max-age-without-value",
        "empty-name",
    ]


def test_max_age_tells_what_counts_and_what_was_sent() -> None:
    directives = parse_header("max-age=99999999; preload")
    assert (directives.max_age, directives.max_age_sent) == (31_536_000, 99_999_999)
    assert directives.preload


def test_messages_stay_short_whatever_the_value() -> None:
    with pytest.raises(InvalidHeader) as caught:
        parse_header('max-age="' + "x" * 100_000 + '"; ' + "y" * 100_000 + "=")
    assert len(str(caught.value)) < 500
    assert all(len(problem.message) < 300 for problem in caught.value.problems)
    assert caught.value.rule == RULES["max-age-not-digits"]
