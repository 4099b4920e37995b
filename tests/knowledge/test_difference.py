"""Where profiles disagree: each difference that is known is shown by a telling header or host."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstssim import CHROME, CURL, PROFILES, RFC6797, Comparison, HSTSSimError, InvalidHost, Outcome, Profile, diff
from hstssim.difference import TELLING_HEADERS, TELLING_HOSTS

ALL = list(PROFILES.values())
COMMON_HEADERS = {"max-age=31536000; includeSubDomains", 'MAX-AGE="86400" ; preload'}
COMMON_HOSTS = {"under_score.example", "192.0.2.1", ("example.com:8443", "example.com:8443")}
DAY = 86_400
YEAR = 365 * DAY
HEADER = "max-age=31536000; includeSubDomains"


def texts(comparison: Comparison) -> dict[str, str]:
    return {name: str(outcome) for name, outcome in comparison.outcomes.items()}


def groups(comparison: Comparison) -> dict[str, str]:
    """The names of the profiles that agree, by what they say."""
    found: dict[str, list[str]] = {}
    for name, text in texts(comparison).items():
        found.setdefault(text, []).append(name)
    return {text: " ".join(names) for text, names in found.items()}


@pytest.mark.parametrize("header", TELLING_HEADERS, ids=ascii)
def test_each_telling_header_is_telling_but_for_the_common_ones(header: Any) -> None:
    (comparison,) = diff(ALL, [header])
    assert comparison.differs == (header not in COMMON_HEADERS)


@pytest.mark.parametrize("host", TELLING_HOSTS, ids=str)
def test_each_telling_host_is_telling_but_for_the_common_ones(host: Any) -> None:
    (comparison,) = diff(ALL, HEADER, [host])
    assert comparison.differs == (host not in COMMON_HOSTS)


def test_the_telling_headers_set_every_two_programs_apart() -> None:
    names = {name: tuple(texts(comparison)[name] for comparison in diff(ALL)) for name in PROFILES}
    by_host = {
        name: tuple(comparison.outcomes[name].location for comparison in diff(ALL, HEADER, TELLING_HOSTS))
        for name in PROFILES
    }
    assert len({(names[name], by_host[name]) for name in PROFILES}) == len(PROFILES)


# One row of differences.md after another; the profiles that are not named agree with the RFC.
KNOWN = [
    ("cap", "max-age=63072000", {"365 days": "chrome"}),
    ("cap of a hundred years", "max-age=9999999999", {"365 days": "chrome", "36500 days": "firefox"}),
    (
        "beyond 64 bits",
        "max-age=99999999999999999999",
        {
            "365 days": "chrome",
            "ignore": "firefox",
            "2^63-1 s": "curl curl-7.88",
            "2^63-1 s, no upgrade": "wget wget-1.21",
        },
    ),
    ("max-age=0 stored", "max-age=0", {"0 seconds": "wget wget-1.21"}),
    ("max-age without value", "max-age", {"0 seconds": "wget wget-1.21"}),
    ("max-age that is no number", "max-age=abc", {"0 seconds": "wget wget-1.21"}),
    ("text after the number", "max-age=86400abc", {"1 day": "curl curl-7.88 wget wget-1.21"}),
    ("comma", "max-age=86400, max-age=3600", {"1 day": "curl curl-7.88 wget wget-1.21"}),
    ("plus sign", "max-age=+86400", {"1 day": "curl-7.88 wget wget-1.21"}),
    ("space before =", "max-age =86400", {"ignore": "curl-7.88"}),
    ("empty directive first", "; max-age=86400", {"ignore": "wget wget-1.21"}),
    ("empty directive", "max-age=86400;; includeSubDomains", {"1 day": "wget wget-1.21"}),
    ("repeated max-age", "max-age=86400; max-age=3600", {"1 hour": "wget wget-1.21"}),
    (
        "repeated includeSubDomains",
        "max-age=86400; includeSubDomains; includeSubDomains",
        {"1 day +sub": "wget wget-1.21"},
    ),
    (
        "repeated unknown directive",
        "max-age=86400; foo; foo",
        {"1 day": "chrome firefox curl curl-7.88 wget wget-1.21"},
    ),
    (
        "includeSubDomains with a value",
        "max-age=86400; includeSubDomains=1",
        {"1 day +sub": "curl curl-7.88 wget wget-1.21"},
    ),
    ("prefix", "max-age=86400; includeSubDomainsFoo", {"1 day +sub": "curl curl-7.88"}),
    ("empty value", "max-age=86400; foo=", {"1 day": "firefox curl curl-7.88 wget wget-1.21"}),
    ("value that is no token", "max-age=86400; foo=b c", {"1 day": "curl curl-7.88 wget wget-1.21"}),
    ("quoted semicolon", 'max-age=86400; foo="; includeSubDomains; "', {"1 day +sub": "curl curl-7.88"}),
    ("first field invalid", ("includeSubDomains", "max-age=86400"), {"1 day": "curl curl-7.88"}),
    ("two fields", ("max-age=86400", "max-age=3600; includeSubDomains"), {"1 hour +sub": "curl curl-7.88"}),
]


@pytest.mark.parametrize(("header", "others"), [row[1:] for row in KNOWN], ids=[row[0] for row in KNOWN])
def test_a_known_difference_is_found(header: str | tuple[str, ...], others: dict[str, str]) -> None:
    assert header in TELLING_HEADERS
    (comparison,) = diff(ALL, [header])
    found = groups(comparison)
    assert {text: found[text] for text in others} == others
    named = " ".join(others.values()).split()
    assert len({texts(comparison)[name] for name in PROFILES if name not in named}) == 1


LOCATIONS = [
    ("localhost", {None: "chrome firefox", "https://localhost/": "curl curl-7.88 wget wget-1.21 rfc6797"}),
    (
        ("example.com", "example.com."),
        {"https://example.com./": "chrome curl curl-7.88", None: "firefox wget wget-1.21 rfc6797"},
    ),
    (
        ("example.com", "example.com:80"),
        {
            "https://example.com/": "chrome firefox wget wget-1.21",
            "https://example.com:80/": "curl curl-7.88",
            "https://example.com:443/": "rfc6797",
        },
    ),
    (
        ("example.com", "example.com:8080"),
        {"https://example.com:8080/": "chrome firefox curl curl-7.88 rfc6797", None: "wget wget-1.21"},
    ),
]


@pytest.mark.parametrize(("host", "expected"), LOCATIONS, ids=[str(host) for host, _ in LOCATIONS])
def test_the_location_is_what_each_program_asks_for(
    host: str | tuple[str, str], expected: dict[str | None, str]
) -> None:
    (comparison,) = diff(ALL, HEADER, [host])
    found: dict[str | None, list[str]] = {}
    for name, outcome in comparison.outcomes.items():
        found.setdefault(outcome.location, []).append(name)
    assert {location: " ".join(names) for location, names in found.items()} == expected


def test_a_variant_of_ones_own_is_compared_like_any_other() -> None:
    strict = CHROME.replace(name="strict", max_age_cap=5)
    alike, capped = diff([CHROME, strict], ["max-age=5", "max-age=6"])
    assert not alike.differs
    assert capped.differs
    assert texts(capped) == {"chrome": "6 seconds", "strict": "5 seconds"}
    assert capped.outcomes["strict"] == Outcome("set", "", 5, False, "https://example.com/")


def test_the_code_says_why_and_makes_no_difference() -> None:
    (comparison,) = diff([CHROME, CURL], ["max-age="])
    assert [outcome.effect for outcome in comparison.outcomes.values()] == ["ignore", "ignore"]
    assert {name: outcome.code for name, outcome in comparison.outcomes.items()} == {
        "chrome": "empty-value",
        "curl": "max-age-not-digits",
    }
    assert not comparison.differs


@pytest.mark.parametrize(
    ("header", "host", "code"),
    [
        ((), "example.com", "no-header"),
        ("max-age=1", "192.0.2.1", "ip-address"),
        ("max-age=1", "localhost", "localhost"),
        ("max-age=1", "a..b", "not-a-dns-name"),
    ],
    ids=["no field", "address", "localhost", "no DNS name"],
)
def test_a_response_that_cannot_count_says_so(header: str | tuple[str, ...], host: str, code: str) -> None:
    (comparison,) = diff([CHROME], [header], [host])
    assert comparison.outcomes["chrome"] == Outcome("ignore", code, None, None, None)


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (Outcome("ignore", "x", None, None, None), "ignore"),
        (Outcome("delete", "", 0, None, None), "delete"),
        (Outcome("delete", "", 0, None, "https://a/"), "0 seconds"),
        (Outcome("set", "", 1, False, "https://a/"), "1 second"),
        (Outcome("set", "", DAY, False, "https://a/"), "1 day"),
        (Outcome("set", "", YEAR, True, "https://a/"), "365 days +sub"),
        (Outcome("set", "", YEAR, True, None), "365 days +sub, no upgrade"),
        (Outcome("set", "", YEAR + 1, False, "https://a/"), "31536001 s"),
        (Outcome("set", "", 90, False, "https://a/"), "90 seconds"),
        (Outcome("set", "", 2**63 - 1, False, "https://a/"), "2^63-1 s"),
        (Outcome("set", "", 10**4300 - 1, False, "https://a/"), "10^4299 s or more"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_outcome_in_a_few_words(outcome: Outcome, text: str) -> None:
    assert str(outcome) == text


def test_two_spans_that_differ_by_a_second_do_not_look_alike() -> None:
    capped = CHROME.replace(name="capped", max_age_cap=YEAR - 1)
    (comparison,) = diff([CHROME, capped], [f"max-age={YEAR}"])
    assert len(set(texts(comparison).values())) == 2


def test_comparisons_come_header_by_header() -> None:
    found = diff([CHROME], ["max-age=1", b"max-age=2"], ["a.example", ("b.example", "c.b.example:81")])
    assert [(comparison.fields, comparison.host, comparison.asked) for comparison in found] == [
        (("max-age=1",), "a.example", "a.example"),
        (("max-age=1",), "b.example", "c.b.example:81"),
        (("max-age=2",), "a.example", "a.example"),
        (("max-age=2",), "b.example", "c.b.example:81"),
    ]


def test_one_header_and_one_host_need_no_list() -> None:
    assert diff([CHROME], "max-age=1", "a.example") == diff([CHROME], ["max-age=1"], ["a.example"])
    assert diff([CHROME], b"max-age=1") == diff([CHROME], [("max-age=1",)])


def test_bytes_are_latin_1_and_profiles_keep_their_order() -> None:
    (comparison,) = diff([RFC6797, CHROME], [b"\xe9"])
    assert comparison.fields == ("é",)
    assert list(comparison.outcomes) == ["rfc6797", "chrome"]


def test_no_profile_is_no_difference() -> None:
    (comparison,) = diff([], ["max-age=1"])
    assert comparison.outcomes == {}
    assert not comparison.differs


def test_nothing_is_carried_from_one_comparison_to_the_next() -> None:
    set_, bogus = diff(ALL, ["max-age=5", "x"])
    assert all(outcome.location for outcome in set_.outcomes.values())
    assert not any(outcome.location for outcome in bogus.outcomes.values())


@pytest.mark.parametrize(
    "host",
    ["", ":80", "a/b", "a:b", "a:99999", "a:٣", "http://a/", "a b@c", "[::1", None, 1, ("a",), ("a", "b", "c")],
    ids=ascii,
)
def test_what_is_no_host_is_said_before_anything_is_compared(host: Any) -> None:
    with pytest.raises(InvalidHost):
        diff(ALL, [], ["example.com", host])


@pytest.mark.parametrize(
    "host", ["::1", "[::1]:80", "EXAMPLE.com:080", "bücher.example:1", "a_b", "1.2.3.4:5"], ids=ascii
)
def test_a_host_may_have_a_port_and_any_form_a_browser_takes(host: str) -> None:
    (comparison,) = diff(ALL, "max-age=1", [host])
    assert comparison.host == comparison.asked == host


@pytest.mark.parametrize(
    ("profiles", "headers", "error"),
    [
        ([CHROME, CURL.replace(name="chrome")], [], ValueError),
        ([CHROME, CHROME], [], ValueError),
        (PROFILES, [], TypeError),
        ([CHROME], [1], TypeError),
        ([CHROME], [("max-age=1", None)], TypeError),
        ([CHROME], [{"max-age=1": 1}], TypeError),
    ],
    ids=["same name", "same profile", "names", "number", "None inside", "mapping"],
)
def test_a_wrong_argument_is_named(profiles: Any, headers: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="seen "):
        diff(profiles, headers)


@given(st.lists(st.text() | st.binary(), max_size=3).map(tuple) | st.text() | st.binary())
def test_any_header_is_compared(header: Any) -> None:
    (comparison,) = diff(ALL, [header])
    for outcome in comparison.outcomes.values():
        ignored = outcome.effect == "ignore"
        assert ignored == bool(outcome.code) == (outcome.max_age is None)
        assert (outcome.include_subdomains is None) == (outcome.effect != "set")
        assert "\n" not in str(outcome)


@given(st.text(), st.text())
def test_any_host_is_compared_or_named(heard: str, asked: str) -> None:
    try:
        diff(ALL, ["max-age=1"], [(heard, asked)])
    except HSTSSimError as error:
        assert isinstance(error, InvalidHost)


@pytest.mark.parametrize("profile", ALL, ids=repr)
def test_a_profile_agrees_with_itself_on_everything(profile: Profile) -> None:
    twin = profile.replace(name="twin")
    assert not any(comparison.differs for comparison in diff([profile, twin]))
    assert not any(comparison.differs for comparison in diff([profile, twin], HEADER, TELLING_HOSTS))


def test_a_plain_question_does_not_load_it() -> None:
    code = (
        "import sys; from hstssim.cli import main; main(['query', 'github.com']);"
        "print(*sorted({'hstssim.difference', 'hstssim.cli.profiles'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "\n"
