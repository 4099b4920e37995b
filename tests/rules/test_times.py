"""Instants and durations in words."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstssim.errors import InvalidTime
from hstssim.times import LAST, iso, parse_instant, span

NOW = 1_800_000_000.0

INSTANTS = {
    "2027-01-31T12:00:00Z": 1_801_396_800,
    "2027-01-31T12:00Z": 1_801_396_800,
    "2027-01-31T12:00": 1_801_396_800,
    "2027-01-31T13:00+01:00": 1_801_396_800,
    "2027-01-31": 1_801_353_600,
    "1970-01-01T00:00:00Z": 0,
    "1969-12-31T23:59:59Z": -1,
    "0001-01-01T00:00:00+23:59": -62_135_683_140,
    "9999-12-31T23:59:59-23:59": 253_402_387_139,
    "0": 0,
    "1801396800": 1_801_396_800,
    "1801396800.5": 1_801_396_800.5,
    "+0s": NOW,
    "+90s": NOW + 90,
    "+5m": NOW + 300,
    "+2h": NOW + 7200,
    "+30d": NOW + 2_592_000,
    "-1d": NOW - 86_400,
    "+2w": NOW + 1_209_600,
    "+1y": NOW + 31_536_000,
}


@pytest.mark.parametrize(("text", "instant"), INSTANTS.items(), ids=INSTANTS)
def test_an_instant_is_read(text: str, instant: float) -> None:
    assert parse_instant(text, NOW) == instant


@pytest.fixture
def in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "EST5EDT")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_new_york")
def test_a_time_that_names_no_zone_is_utc_wherever_it_is_read() -> None:
    assert parse_instant("2027-01-31T12:00", NOW) == 1_801_396_800
    assert iso(1_801_396_800) == "2027-01-31T12:00:00Z"


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "+30", "30d", "+30 d", "+1.5d", "1e9", "-5", "nan", "inf", "٣", "+٣d", "2027-13-01"]
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(InvalidTime, match="ISO 8601") as caught:
        parse_instant(text, NOW)
    assert caught.value.text == text


@given(st.text() | st.text("0123456789+-:.TZWsmhdwy "))
def test_any_text_is_an_instant_or_refused(text: str) -> None:
    try:
        assert math.isfinite(parse_instant(text, NOW))
    except InvalidTime as error:
        assert error.text == text


@given(st.floats(allow_nan=False))
def test_any_instant_has_an_iso_form_that_reads_back(instant: float) -> None:
    text = iso(instant)
    assert len(text) == len("2027-01-31T12:00:00Z")
    shown = parse_instant(text, NOW)
    assert shown == math.floor(min(max(instant, -62_135_596_800), LAST))


def test_no_number_has_no_iso_form() -> None:
    with pytest.raises(InvalidTime):
        iso(math.nan)


SPANS = {
    0: "0 seconds",
    0.9: "0 seconds",
    1: "1 second",
    59: "59 seconds",
    60: "1 minute",
    3599: "59 minutes",
    3600: "1 hour",
    86_399: "23 hours",
    86_400: "1 day",
    31_536_000: "365 days",
    math.inf: "for ever",
}


@pytest.mark.parametrize(("seconds", "words"), SPANS.items(), ids=map(str, SPANS))
def test_a_duration_in_words(seconds: float, words: str) -> None:
    assert span(seconds) == words
