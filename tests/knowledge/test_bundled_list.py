"""The list that comes with the package, whole."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstssim.interceptor import Interceptor
from hstssim.match import Match
from hstssim.preload import PreloadEntry, PreloadList
from hstssim.store import HSTSStore


@pytest.fixture(scope="module")
def text() -> str:
    return Path(PreloadList.bundled().path).read_bytes().decode("ascii")


@pytest.fixture(scope="module")
def include_subdomains(text: str) -> dict[str, bool]:
    """Each name of the file, and whether it includes its subdomains: read in the simplest way."""
    lines = [line.split(" ") for line in text.splitlines() if not line.startswith("#")]
    assert all(words in ([], ["host-only"]) for _, *words in lines)
    return {name: not words for name, *words in lines}


def superdomains(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[place:]) for place in range(1, len(parts))]


def model(entries: dict[str, bool], host: str) -> Match | None:
    for domain in [host, *superdomains(host)]:
        if domain in entries:
            covered = domain == host or entries[domain]
            return Match(domain, domain == host, entries[domain]) if covered else None
    return None


def test_it_holds_what_chromium_156_ships(include_subdomains: dict[str, bool]) -> None:
    preload = PreloadList.bundled()
    assert len(preload) == len(include_subdomains) == 94_778
    assert sum(include_subdomains.values()) == 94_528
    assert Counter(name.count(".") + 1 for name in include_subdomains) == {1: 51, 2: 86_504, 3: 8_070, 4: 153}
    assert max(map(len, include_subdomains)) == 75
    assert set("".join(include_subdomains)) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
    assert all(entry.force_https for entry in preload)
    assert {entry.domain: entry.include_subdomains for entry in preload} == include_subdomains


def test_only_two_names_are_taken_out_of_the_reach_of_one_above(include_subdomains: dict[str, bool]) -> None:
    below = [
        name for name in include_subdomains if any(include_subdomains.get(domain) for domain in superdomains(name))
    ]
    assert [name for name in below if not include_subdomains[name]] == ["www.figma.com", "www.makeyourlaws.org"]
    assert len([name for name in below if include_subdomains[name]]) == 71


def test_it_says_where_it_is_from_and_under_which_licence() -> None:
    preload = PreloadList.bundled()
    assert preload.version == "156.0.8078.79"
    assert preload.date == datetime(2026, 10, 28, 20, 20, tzinfo=UTC)
    assert "transport_security_state_static.json" in preload.source
    assert preload.licence == "BSD-3-Clause, Copyright 2012 The Chromium Authors"


def test_it_is_opened_once() -> None:
    assert PreloadList.bundled() is PreloadList.bundled()


def test_its_text_is_the_file_byte_for_byte(text: str) -> None:
    preload = PreloadList.bundled()
    assert preload.as_text() == text
    shuffled = random.Random(1).sample(list(preload), len(preload))
    again = PreloadList.build(
        shuffled,
        version="156.0.8078.79",
        date="2026-10-28T20:20:00Z",
        source=preload.source,
        licence=preload.licence,
    )
    assert again.as_text() == text


def test_every_name_is_upgraded_and_below_it_what_its_entry_covers(include_subdomains: dict[str, bool]) -> None:
    hsts = Interceptor(HSTSStore(preload=PreloadList.bundled()))
    for name in include_subdomains:
        decision = hsts.request(f"http://{name}/")
        assert decision.by == "preload"
        assert decision.preload == Match(name, True, include_subdomains[name])
        if name == "1.0.0.1":
            continue  # an address: there is no host below it
        below = hsts.request(f"http://sub.{name}/")
        assert below.preload == model(include_subdomains, f"sub.{name}")
        assert below.upgraded == (below.preload is not None)
        assert below.upgraded == include_subdomains.get(f"sub.{name}", include_subdomains[name])


def test_a_cold_list_answers_as_a_loaded_one(include_subdomains: dict[str, bool]) -> None:
    chance = random.Random(2)
    names = chance.sample(sorted(include_subdomains), 400)
    first_and_last = [min(include_subdomains), max(include_subdomains)]
    prefixes = ["", "", "sub.", "a.b."]
    hosts = [chance.choice(prefixes) + name for name in names + first_and_last]
    hosts += [name[1:] for name in names[:40]] + ["0", "-", "zzzzz.zz", "www.figma.com", "a.www.figma.com"]
    for start in range(0, len(hosts), 10):  # a list that is asked more is loaded
        cold = PreloadList.open(PreloadList.bundled().path)
        for host in hosts[start : start + 10]:
            assert cold.match(host) == model(include_subdomains, host), host


@pytest.fixture(scope="module")
def telling_names(include_subdomains: dict[str, bool]) -> list[str]:
    """The names of rare shapes, and some of the others."""
    rare = [name for name, covers in include_subdomains.items() if not covers or name.count(".") != 1]
    return rare + random.Random(3).sample(sorted(include_subdomains), 1000)


@given(data=st.data(), above=st.integers(0, 2), below=st.lists(st.sampled_from(["www", "a", "sub"]), max_size=4))
def test_hosts_around_its_names_match_as_in_a_plain_dict(
    telling_names: list[str],
    include_subdomains: dict[str, bool],
    data: st.DataObject,
    above: int,
    below: list[str],
) -> None:
    name = data.draw(st.sampled_from(telling_names))
    host = ".".join([*below, *name.split(".")[above:]])
    assert PreloadList.bundled().match(host) == (model(include_subdomains, host) if host else None)


def test_an_entry_of_it_is_a_preload_entry() -> None:
    assert PreloadList.bundled().get("Figma.com.") == PreloadEntry("figma.com")
    assert PreloadList.bundled().get("com") is None
