from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hstssim.profile import PROFILES

if TYPE_CHECKING:
    from tests.cli.conftest import Run

RESPONSES = b"""HTTP/1.1 301 Moved Permanently\r
Location: https://example.com/\r
\r
HTTP/2 200\r
server: x\r
strict-transport-security: max-age=5;\r
  includeSubDomains\r
Strict-Transport-Security: max-age=6\r
\r
"""


def test_problems_stand_under_their_place(run: Run) -> None:
    ran = run("header", "max-age=1; max-age=2", "foo=")
    assert ran.status == 1
    assert ran.lines == [
        "max-age=1; max-age=2",
        "           ^ repeated-directive: max-age stands here a second time (RFC 6797 §6.1 rule 2)",
        "  refused: nothing changes",
        "foo=",
        "    ^ empty-value: nothing follows '=' after foo (RFC 6797 §6.1)",
        "    ^ missing-max-age: max-age is required and does not stand here (RFC 6797 §6.1.1)",
        "  refused: nothing changes",
    ]


def test_json_says_what_the_value_asks_for(run: Run) -> None:
    capped, gone, refused = run("header", "--json", "max-age=99999999; preload", "max-age=0", "max-age=x").objects
    assert capped == {
        "value": "max-age=99999999; preload",
        "profile": "chrome",
        "accepted": True,
        "max_age": 31_536_000,
        "max_age_sent": 99_999_999,
        "include_subdomains": False,
        "preload": True,
        "effect": "set",
        "problems": [
            {
                "code": "max-age-over-cap",
                "offset": 8,
                "message": "99999999 seconds count as 31536000, the most that is remembered",
            }
        ],
    }
    assert gone["effect"] == "delete"
    assert (refused["accepted"], refused["max_age"], refused["effect"]) == (False, None, "ignore")
    assert refused["problems"][0]["code"] == "max-age-not-digits"
    assert refused["problems"][0]["offset"] == 8


def test_the_profile_decides(run: Run) -> None:
    assert run("header", "max-age=1; a; a").status == 0
    assert run("header", "--profile", "rfc6797", "max-age=1; a; a").status == 1


def test_a_whole_line_is_taken_for_its_value(run: Run) -> None:
    assert run("header", "Strict-Transport-Security: max-age=1").lines[0] == "max-age=1"


def test_of_a_response_only_the_first_field_is_heeded(run: Run) -> None:
    first, second = run("header", "--json", stdin=RESPONSES).objects
    assert first["value"] == "max-age=5; includeSubDomains"
    assert first["effect"] == "set"
    assert second["effect"] == "ignore"
    assert "only the first counts" in run("header", "-", stdin=RESPONSES).out


@pytest.mark.parametrize("profile", [profile.name for profile in PROFILES.values() if profile.fields == "every"])
def test_a_profile_that_heeds_every_field_says_so(run: Run, profile: str) -> None:
    told = run("header", "--json", "--profile", profile, stdin=RESPONSES).objects
    assert [value["effect"] for value in told] == ["set", "set"]
    first, second = run("header", "--profile", profile, "-", stdin=RESPONSES).lines[1::2]
    assert first == "  accepted: the host and its subdomains for 5 seconds"
    assert second.startswith("  accepted: the host for 6 seconds; of several fields")


def test_a_response_without_the_field_is_said_so(run: Run) -> None:
    ran = run("header", stdin=b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n")
    assert ran.status == 1
    assert ran.out == ""
    assert len(ran.complaints) == 1


def test_values_come_one_a_line(run: Run) -> None:
    assert [told["accepted"] for told in run("header", "--json", stdin=b"max-age=1\n\nx\n").objects] == [
        True,
        False,
    ]


@pytest.mark.parametrize("value", ["\x00\x1b[2J", "max-age=1\nmax-age=2", "é" * 10, "\udcff"], ids=ascii)
def test_any_value_is_read_and_printed_on_its_line(run: Run, value: str) -> None:
    ran = run("header", value)
    assert ran.status == 1
    assert "\x1b" not in ran.out
    assert ran.err == ""


def test_many_problems_and_long_values_are_cut_short(run: Run) -> None:
    ran = run("header", "a=;" * 8000)
    assert ran.status == 1
    assert len(ran.out) < 10_000
    assert "and 7981 more problems" in ran.out


@pytest.mark.parametrize(
    ("profile", "value", "says"),
    [
        ("chrome", "max-age=0", "the host is forgotten"),
        ("firefox", "max-age=0", "and taken out of the preload list if it stands there"),
        ("wget", "max-age=0", "one that was not known is kept for the rest of the second"),
        ("curl", "max-age=99999999999999999999", "9223372036854775807 seconds (for ever)"),
        ("wget", "max-age=99999999999999999999", "so that the entry never counts)"),
    ],
)
def test_what_follows_is_what_the_profile_does(run: Run, profile: str, value: str, says: str) -> None:
    assert run("header", "--profile", profile, value).lines[-1].endswith(says)
