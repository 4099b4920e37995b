"""The grammars of Strict-Transport-Security."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstssim import header
from hstssim.errors import InvalidHeader
from hstssim.header import RULES, Directives, Problem
from hstssim.profile import CHROME, PROFILES, RFC6797, Profile, parse_header

profiles = pytest.mark.parametrize("profile", [pytest.param(p, id=p.name) for p in PROFILES.values()])

REFUSED = None


def read(value: str, profile: Profile) -> tuple[int, bool] | None:
    """Max-age and includeSubDomains, or None where the value is refused."""
    try:
        directives = parse_header(value, profile=profile)
    except InvalidHeader:
        return REFUSED
    return directives.max_age, directives.include_subdomains


def problems_of(value: str, profile: Profile) -> tuple[Problem, ...]:
    try:
        return parse_header(value, profile=profile).problems
    except InvalidHeader as error:
        return error.problems


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


# Each value with its one problem's code and offset; a caret marks the place.
PROBLEMS = [
    ("includeSubDomains^", CHROME, "missing-max-age"),
    ("^", CHROME, "missing-max-age"),
    ("max-age^ ; preload", CHROME, "max-age-without-value"),
    ("max-age= ^1x; preload", CHROME, "max-age-not-digits"),
    ('max-age =^""', RFC6797, "max-age-not-digits"),
    ("max-age=1; includeSubDomains ^=", CHROME, "include-subdomains-with-value"),
    ("max-age=1;  ^Max-Age=1", CHROME, "repeated-directive"),
    ("max-age=1; preload;^preload", RFC6797, "repeated-directive"),
    ("max-age=1;\t^=x", CHROME, "empty-name"),
    ("max-age=1; ^f(o=x", RFC6797, "name-not-token"),
    ("max-age=1; foo =^ ", CHROME, "empty-value"),
    ("max-age=1; foo= ^a b", CHROME, "value-not-token"),
    ('max-age=1; foo=^"a', CHROME, "bad-quoted-string"),
    ('max-age=1; foo=^"a"b', RFC6797, "bad-quoted-string"),
    ('max-age=1; foo=^"\x01"', RFC6797, "control-in-quoted-string"),
    ('max-age=1;\r\n foo=^"\x01"', RFC6797, "control-in-quoted-string"),
    ("max-age=^31536001", CHROME, "max-age-over-cap"),
    ("max-age=1; ^foo", CHROME, "unknown-directive"),
    ("max-age=1; ^foo=bar", RFC6797, "unknown-directive"),
]
REMARKS = {"max-age-over-cap", "unknown-directive"}


@pytest.mark.parametrize(("marked", "profile", "code"), PROBLEMS, ids=[f"{p[2]}:{p[0]!r}" for p in PROBLEMS])
def test_a_problem_says_its_place_and_its_rule(marked: str, profile: Profile, code: str) -> None:
    value = marked.replace("^", "")
    (problem,) = (p for p in problems_of(value, profile) if p.code == code)
    assert problem.offset == marked.index("^")
    assert problem.refuses == (code not in REMARKS)
    assert problem.rule == RULES[code]


def test_every_rule_has_a_value_that_breaks_it() -> None:
    assert {code for _, _, code in PROBLEMS} == set(RULES)


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


@profiles
def test_a_max_age_of_any_length_is_a_number(profile: Profile) -> None:
    digits = "9" * 5000
    cap = profile.max_age_cap
    directives = parse_header(f"max-age={digits}", profile=profile)
    assert directives.max_age == (header.MAX_AGE_LIMIT if cap is None else cap)
    assert parse_header(f"max-age={'0' * 5000}7", profile=profile).max_age == 7


@profiles
def test_bytes_are_read_one_character_each(profile: Profile) -> None:
    assert parse_header(b'max-age=1; foo="b\xe9r"', profile=profile).max_age == 1
    with pytest.raises(InvalidHeader):
        parse_header("max-age=1; é".encode(), profile=profile)


fragments = st.sampled_from(
    ["max-age", "Max-Age=", "max-age=1", "includeSubDomains", "preload", "foo", "0", "31536001", "9" * 20]
    + list('=;;;"\\, \t1é²')
    + ["\r\n ", "\r\n", "\x00", "\x7f", "'", "\ud800"]
)
field_values = st.text() | st.lists(fragments, max_size=12).map("".join)


@profiles
@given(value=field_values | st.binary())
def test_any_value_is_read_or_refused_with_places_inside_it(profile: Profile, value: str | bytes) -> None:
    try:
        problems = parse_header(value, profile=profile).problems
        assert not any(problem.refuses for problem in problems)
    except InvalidHeader as error:
        problems = error.problems
        assert str(error)
    for problem in problems:
        assert 0 <= problem.offset <= len(value)
        assert problem.rule


@profiles
@given(value=field_values, cap=st.none() | st.integers(0, 2))
def test_the_quick_way_reads_as_the_long_one_does(profile: Profile, value: str, cap: int | None) -> None:
    quick = header._quick(value, cap)
    if quick is not None:
        unique = profile is RFC6797
        scanned = header._scan(value, cap, unique=unique, quoted_text=None)
        assert quick == scanned


@given(
    max_age=st.integers(0, 31_536_000),
    pieces=st.permutations(["max-age", "includeSubDomains", "preload", "", " "]),
    blank=st.sampled_from(["", " ", "\t "]),
)
def test_what_servers_send_goes_the_quick_way(max_age: int, pieces: list[str], blank: str) -> None:
    value = f"{blank};{blank}".join(f"{p}={max_age}" if p == "max-age" else p for p in pieces)
    assert header._quick(value, 31_536_000) == Directives(max_age, True, True, max_age)


def test_many_unknown_directives_are_left_to_the_scan_whose_time_is_in_proportion() -> None:
    few, many = ("max-age=1" + "".join(f";a{number}" for number in range(count)) for count in (8, 9))
    assert header._quick(few, None) == header.chrome(few, None)
    assert header._quick(many, None) is None
    assert len(header.chrome(many, None).problems) == 9


def test_messages_stay_short_whatever_the_value() -> None:
    with pytest.raises(InvalidHeader) as caught:
        parse_header('max-age="' + "x" * 100_000 + '"; ' + "y" * 100_000 + "=")
    assert len(str(caught.value)) < 500
    assert all(len(problem.message) < 300 for problem in caught.value.problems)
    assert caught.value.rule == RULES["max-age-not-digits"]
