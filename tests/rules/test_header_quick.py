"""What holds of every grammar: any value is read or refused, and the quick way says what the long one does."""

from __future__ import annotations

from functools import partial
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstssim import header
from hstssim.errors import InvalidHeader
from hstssim.header import Directives, Grammar, Problem, strict
from hstssim.header.curl import _MAX_AGE, _MAX_AGE_7_88
from hstssim.header.curl import _scan as curl_scan
from hstssim.header.quick import quick
from hstssim.header.wget import _scan as wget_scan
from hstssim.profile import PROFILES, RFC6797, Profile, parse_header

profiles = pytest.mark.parametrize("profile", [pytest.param(p, id=p.name) for p in PROFILES.values()])

# Each grammar, and itself without the quick way.
LONG_WAYS: dict[str, tuple[Grammar, Grammar]] = {
    "chrome": (header.chrome, partial(strict._scan, letter=strict._CHROME)),
    "rfc6797": (header.rfc6797, partial(strict._scan, letter=strict._RFC6797)),
    "firefox": (header.firefox, partial(strict._scan, letter=strict._FIREFOX)),
    "curl": (header.curl, partial(curl_scan, max_age_pattern=_MAX_AGE, passes_overflow=False)),
    "curl 7.88": (header.curl_7_88, partial(curl_scan, max_age_pattern=_MAX_AGE_7_88, passes_overflow=True)),
    "wget": (header.wget, wget_scan),
}
grammars = pytest.mark.parametrize("grammar", [ways[0] for ways in LONG_WAYS.values()], ids=LONG_WAYS)

fragments = st.sampled_from(
    ["max-age", "Max-Age=", "max-age=1", "max-age*=", "includeSubDomains", "preload", "foo", "0", "31536001"]
    + ["9" * 20, *"=;;;\"\\, \t1é²*+-'", "\r\n ", "\r\n", "\x00", "\x7f", "\x0b", "\ud800"]
)
names = st.sampled_from(
    ["max-age=1", 'max-age="1"', "max-age =\t1", "Max-Age=02", "includeSubDomains", "INCLUDESUBDOMAINS", "preload"]
    + ["foo", "foo=bar", 'foo=" b"', "", "max-ages=1", "max-age*=1", "includeSubDomainsX", "includeSubDomains*=1"]
    + ['max-age="9999999999999999999"']
)
common_values = st.builds(
    lambda pieces, blank, end: f"{blank};{blank}".join(pieces) + end,
    st.lists(names, max_size=5),
    st.sampled_from(["", " ", "\t "]),
    st.sampled_from(["", ";", "; ", ";;", " "]),
)
field_values = st.text() | st.lists(fragments, max_size=12).map("".join) | common_values


def outcome(grammar: Grammar, value: str, cap: int | None) -> Directives | tuple[Problem, ...]:
    try:
        return grammar(value, cap)
    except InvalidHeader as error:
        assert error.value == value
        return error.problems


@pytest.mark.parametrize(("grammar", "long_way"), LONG_WAYS.values(), ids=LONG_WAYS)
@given(value=field_values | common_values, cap=st.none() | st.integers(0, 2))
def test_the_quick_way_reads_as_the_long_one_does(
    grammar: Grammar, long_way: Grammar, value: str, cap: int | None
) -> None:
    assert outcome(grammar, value, cap) == outcome(long_way, value, cap)


@profiles
@given(value=field_values | st.binary())
def test_any_value_is_read_or_refused_with_places_inside_it(profile: Profile, value: str | bytes) -> None:
    try:
        problems = parse_header(value, profile=profile).problems
        assert not any(problem.refuses for problem in problems)
    except InvalidHeader as error:
        problems = error.problems
        assert str(error)
    assert [problem.offset for problem in problems] == sorted(problem.offset for problem in problems)
    for problem in problems:
        assert 0 <= problem.offset <= len(value)
        assert problem.rule


@grammars
@given(value=field_values, cap=st.integers(0, 2))
def test_a_cap_only_lowers_max_age(grammar: Grammar, value: str, cap: int) -> None:
    free, capped = outcome(grammar, value, None), outcome(grammar, value, cap)
    assert isinstance(free, Directives) == isinstance(capped, Directives)
    if isinstance(free, Directives) and isinstance(capped, Directives):
        assert capped.max_age == min(free.max_age, cap)
        assert capped[1:4] == free[1:4]


@grammars
@given(
    max_age=st.integers(0, 31_536_000),
    pieces=st.permutations(["max-age", "includeSubDomains", "preload"]),
    blank=st.sampled_from(["", " ", "\t "]),
    end=st.sampled_from(["", ";"]),
)
def test_what_servers_send_says_the_same_to_all(
    grammar: Grammar, max_age: int, pieces: list[str], blank: str, end: str
) -> None:
    value = f"{blank};{blank}".join(f"{p}={max_age}" if p == "max-age" else p for p in pieces) + end
    expected = Directives(max_age, True, True, max_age)
    assert grammar(value, 31_536_000) == quick(value, 31_536_000) == expected


@profiles
def test_leading_zeros_do_not_count(profile: Profile) -> None:
    assert parse_header(f"max-age={'0' * 5000}7", profile=profile).max_age == 7


def test_a_max_age_of_any_length_is_a_number() -> None:
    digits = "9" * 5000
    for profile in PROFILES.values():
        if profile.grammar is not header.firefox:
            directives = parse_header(f"max-age={digits}", profile=profile)
            cap = profile.max_age_cap
            assert directives.max_age_sent == header.MAX_AGE_LIMIT
            assert directives.max_age == (header.MAX_AGE_LIMIT if cap is None else cap)


def test_bytes_are_read_one_character_each() -> None:
    assert parse_header(b'max-age=1; foo="b\xe9r"', profile=RFC6797).max_age == 1
    with pytest.raises(InvalidHeader):
        parse_header("max-age=1; é".encode(), profile=RFC6797)


def test_many_unknown_directives_are_left_to_the_scan_whose_time_is_in_proportion() -> None:
    few, many = ("max-age=1" + "".join(f";a{number}" for number in range(count)) for count in (8, 9))
    assert quick(few, None) == header.chrome(few, None)
    assert quick(many, None) is None
    assert len(header.chrome(many, None).problems) == 9


TEDIOUS = [";", " ;", '"', "\\", "=", "*", "'", "9", ";a", '="', "max-age ", "max-age=1;", 'a "b;', "x  ", "\r\n "]


@grammars
@pytest.mark.parametrize("part", TEDIOUS, ids=ascii)
def test_the_time_of_a_long_value_is_in_proportion(grammar: Grammar, part: str) -> None:
    for start in ("", "max-age=", 'max-age=1; a="', "includeSubDomains;max-age*="):
        begin = process_time()
        outcome(grammar, start + part * (100_000 // len(part)), 1)
        assert process_time() - begin < 5  # 0.1 s was seen; a quadratic scan takes minutes
