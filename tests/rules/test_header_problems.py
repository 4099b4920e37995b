"""Every problem that a grammar finds in a Strict-Transport-Security value has a place and a rule."""

from __future__ import annotations

import pytest

from hstssim.errors import InvalidHeader
from hstssim.header import RULES, Problem
from hstssim.profile import CHROME, CURL, CURL_7_88, FIREFOX, RFC6797, WGET, Profile, parse_header


def problems_of(value: str, profile: Profile) -> tuple[Problem, ...]:
    try:
        return parse_header(value, profile=profile).problems
    except InvalidHeader as error:
        return error.problems


# Each value with a problem that refuses it; a caret marks the place.
REFUSALS = [
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
    ("max-age=^18446744073709551616", FIREFOX, "max-age-too-large"),
    ('max-age=1; foo=^"é"', FIREFOX, "non-ascii-in-quoted-string"),
    ('max-age=1; foo=^"\x7f"', FIREFOX, "control-in-quoted-string"),
    ("max-age=^; foo=", FIREFOX, "empty-value"),
    ('max-age=^"\\1"', FIREFOX, "max-age-not-digits"),
    ("max-age=1; =^a b", FIREFOX, "value-not-token"),
    ("foo\0; max-age=1^", FIREFOX, "missing-max-age"),
    ("max-age=1; foo=^\0", CURL, "nul-in-value"),
    ("max-age^X=1", CURL, "max-age-without-value"),
    ("max-age=^+1", CURL, "max-age-not-digits"),
    ('max-age=^"99999999999999999999"', CURL, "bad-quoted-string"),
    ('max-age=^"1 "', CURL_7_88, "bad-quoted-string"),
    ("max-age=1 ^max-age=1", CURL, "repeated-directive"),
    ("includeSubDomains;^includeSubDomains", CURL, "repeated-directive"),
    ("max-age =1^", CURL_7_88, "missing-max-age"),
    ("max-age=^-1", WGET, "negative-max-age"),
    ("preload; ;max-age=1^", WGET, "missing-max-age"),
]

# Each value that is accepted all the same.
REMARKS = [
    ("max-age=^31536001", CHROME, "max-age-over-cap"),
    ("max-age=1; ^foo", CHROME, "unknown-directive"),
    ("max-age=1; ^foo=bar", RFC6797, "unknown-directive"),
    ("max-age=^3153600001", FIREFOX, "max-age-over-cap"),
    ("max-age=1; ^=x", FIREFOX, "empty-name"),
    ("max-age=1; ^foo=", FIREFOX, "unknown-directive"),
    ("max-age=1^\0; max-age", FIREFOX, "ends-at-nul"),
    ("max-age=^9223372036854775808", CURL, "max-age-over-cap"),
    ("max-age=1; ^f(o)o =", CURL, "unknown-directive"),
    ("max-age=1 ^x; foo", CURL, "ignored-text"),
    ("max-age=1; includeSubDomains ^x", CURL, "ignored-text"),
    ("max-age=99999999999999999999 ^includeSubDomains", CURL, "ignored-text"),
    ("max-age=99999999999999999999 ^includeSubDomains", CURL_7_88, "missing-semicolon"),
    ("max-age=1; ^includeSubDomainsX", CURL, "prefix-match"),
    ("max-age=1 ^preload", CURL, "missing-semicolon"),
    ('foo="x^; max-age=1"', CURL, "split-quoted-string"),
    ('max-age=1; foo="a"; bar="b^;c"', CURL, "split-quoted-string"),
    ("^max-age =1; max-age=1", CURL_7_88, "unknown-directive"),
    ("max-age=1; ^; includeSubDomains", WGET, "scan-stopped"),
    ("max-age=1; ^a b; includeSubDomains", WGET, "scan-stopped"),
    ('max-age=1; ^foo="; includeSubDomains', WGET, "scan-stopped"),
    ("max-age=^abc", WGET, "number-defaulted"),
    ("max-age^; preload", WGET, "number-defaulted"),
    ("max-age=1 ^abc", WGET, "ignored-text"),
    ('max-age="1" ^abc', WGET, "ignored-text"),
    ("max-age=1; includeSubDomains= ^x", WGET, "ignored-text"),
    ("max-age=1; ^max-age=2", WGET, "repeated-directive"),
    ("^max-age*=1", WGET, "name-cut"),
    ("max-age*=utf-8'en'^9223372036854775808", WGET, "max-age-over-cap"),
    ("max-age=1; ^preload=x", WGET, "unknown-directive"),
    ("max-age=1^\0; max-age=2", WGET, "ends-at-nul"),
]


def ids(rows: list[tuple[str, Profile, str]]) -> list[str]:
    return [f"{profile.name}:{code}:{marked!r}" for marked, profile, code in rows]


@pytest.mark.parametrize(("marked", "profile", "code"), REFUSALS, ids=ids(REFUSALS))
def test_a_refusal_says_its_place_and_its_rule(marked: str, profile: Profile, code: str) -> None:
    value = marked.replace("^", "")
    with pytest.raises(InvalidHeader) as caught:
        parse_header(value, profile=profile)
    (problem,) = (p for p in caught.value.problems if p.code == code)
    assert (problem.offset, problem.refuses) == (marked.index("^"), True)
    assert problem.rule == RULES[code]


@pytest.mark.parametrize(("marked", "profile", "code"), REMARKS, ids=ids(REMARKS))
def test_a_remark_says_its_place_and_its_rule(marked: str, profile: Profile, code: str) -> None:
    value = marked.replace("^", "")
    (problem,) = (p for p in parse_header(value, profile=profile).problems if p.code == code)
    assert (problem.offset, problem.refuses) == (marked.index("^"), False)
    assert problem.rule == RULES[code]


def test_every_rule_has_a_value_that_breaks_it() -> None:
    assert {code for _, _, code in REFUSALS + REMARKS} == set(RULES)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_ends_with_its_source(rule: str) -> None:
    assert rule.endswith(")")
    assert len(rule[rule.rindex("(") :]) > len("(RFC 6797)")


TELLING = {
    "curl, a prefix": (
        "max-age=1; includeSubDomainsFoo",
        CURL,
        "includeSubDomainsFoo counts as includeSubDomains",
    ),
    "curl, garbage": ("max-age=1abc", CURL, "'abc' after max-age is passed over"),
    "curl, a comma": ("max-age=1, max-age=2", CURL, "', max-age=2' after max-age is passed over"),
    "wget, the last": ("max-age=1; max-age=2", WGET, "this max-age replaces the one before it"),
    "wget, no number": ("max-age=abc", WGET, "'abc' has no number in front and counts as 0"),
    "wget, nothing": ("max-age", WGET, "no number counts as 0"),
    "wget, an end": ("max-age=1; ;x", WGET, "wget reads no further than here: ';x'"),
    "Firefox, no name": ("max-age=1; =x", FIREFOX, "a directive begins with its name, not with '='"),
}


@pytest.mark.parametrize(("value", "profile", "message"), TELLING.values(), ids=TELLING)
def test_a_remark_tells_what_happened(value: str, profile: Profile, message: str) -> None:
    (problem,) = parse_header(value, profile=profile).problems
    assert problem.message == message


ALL = [CHROME, RFC6797, FIREFOX, CURL, CURL_7_88, WGET]


@pytest.mark.parametrize("profile", ALL, ids=[profile.name for profile in ALL])
def test_messages_stay_short_whatever_the_value(profile: Profile) -> None:
    for value in ('max-age="1" {0}; {0}={0}; ={0}', "max-age={0}", 'a="{0}; max-age=1; includeSubDomains{0}'):
        problems = problems_of(value.format("x" * 100_000), profile)
        assert problems
        assert all(len(problem.message) < 300 for problem in problems)
