"""Preload lists, as small ones made here."""

from __future__ import annotations

import copy
import itertools
import pickle
import random
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstssim import host as hosts
from hstssim.errors import InvalidHost, PreloadError
from hstssim.match import Match
from hstssim.preload import PreloadEntry, PreloadList

ENTRIES = [
    PreloadEntry("app"),
    PreloadEntry("example.com"),
    PreloadEntry("simple.com"),
    PreloadEntry("www.example.com", include_subdomains=False),
    PreloadEntry("off.example.com", include_subdomains=False, force_https=False),
    PreloadEntry("all.off.example.com"),
    PreloadEntry("off.app", force_https=False),
    PreloadEntry("host-only.test", include_subdomains=False),
    PreloadEntry("a.b.c.deep.test"),
    PreloadEntry("tld", include_subdomains=False),
]

MATCHES = {
    "app": ("app", True),
    "x.app": ("app", False),
    "x.y.z.app": ("app", False),
    "off.app": None,
    "x.off.app": None,
    "example.com": ("example.com", True),
    "EXAMPLE.com.": ("example.com", True),
    "x.example.com": ("example.com", False),
    "x.y.example.com": ("example.com", False),
    "www.example.com": ("www.example.com", True),
    "x.www.example.com": None,
    "off.example.com": None,
    "x.off.example.com": None,
    "all.off.example.com": ("all.off.example.com", True),
    "x.all.off.example.com": ("all.off.example.com", False),
    "com": None,
    "notexample.com": None,
    "host-only.test": ("host-only.test", True),
    "x.host-only.test": None,
    "deep.test": None,
    "b.c.deep.test": None,
    "a.b.c.deep.test": ("a.b.c.deep.test", True),
    "z.a.b.c.deep.test": ("a.b.c.deep.test", False),
    "tld": ("tld", True),
    "x.tld": None,
    "": None,
    ".": None,
    "app..": None,
    ".app": None,
    "x..app": None,
    "a!b.app": None,
    f"{'l' * 63}.app": ("app", False),
    f"{'l' * 64}.app": None,
    f"{'l' * 63}.simple.com": ("simple.com", False),
    f"{'l' * 64}.simple.com": None,
    f"{'l' * 64}.example.com": None,
    f"{'l.' * 125}app": ("app", False),
    f"{'l.' * 126}app": None,
    "127.0.0.1": None,
    "a/b.app": None,
}


@pytest.fixture
def in_memory() -> PreloadList:
    return PreloadList.build(ENTRIES)


@pytest.fixture
def on_disk(in_memory: PreloadList, tmp_path: Path) -> PreloadList:
    file = tmp_path / "list.txt"
    file.write_text(in_memory.as_text())
    return PreloadList.open(file)


@pytest.mark.parametrize(("host", "expected"), MATCHES.items(), ids=map(repr, MATCHES))
def test_the_entry_nearest_to_the_host_decides(
    in_memory: PreloadList, on_disk: PreloadList, host: str, expected: tuple[str, bool] | None
) -> None:
    found = in_memory.match(host)
    assert on_disk.match(host) == found == on_disk.load().match(host)
    assert (found and (found.domain, found.congruent)) == expected
    if found is not None:
        assert (found.known, found.expiry, found.last_observed) == (None, None, None)
        entry = in_memory.get(found.domain)
        assert entry is not None
        assert found.include_subdomains == entry.include_subdomains


def test_get_gives_the_entry_of_exactly_a_name(in_memory: PreloadList, on_disk: PreloadList) -> None:
    for preload in (on_disk, on_disk.load(), in_memory):
        for entry in ENTRIES:
            assert preload.get(entry.domain) == entry
            assert entry.domain.upper() in preload
        for name in ("c.deep.test", "deep.test", "com", "x.app", "a/b", ""):
            assert preload.get(name) is None
            assert name not in preload


def test_a_list_is_iterated_in_the_order_of_its_names(in_memory: PreloadList, on_disk: PreloadList) -> None:
    assert list(in_memory) == list(on_disk) == sorted(ENTRIES)
    assert len(in_memory) == len(on_disk) == len(ENTRIES)


@pytest.mark.parametrize("ask", ["get", "match"])
def test_what_is_not_a_str_is_no_host(in_memory: PreloadList, ask: str) -> None:
    host: Any = b"example.com"
    with pytest.raises(InvalidHost, match="is a str, not bytes"):
        getattr(in_memory, ask)(host)


def test_the_same_entries_give_the_same_text_in_any_order() -> None:
    text = PreloadList.build(ENTRIES, version="1", date="2027-01-31").as_text()
    for seed in range(20):
        shuffled = random.Random(seed).sample(ENTRIES, len(ENTRIES))
        assert PreloadList.build(iter(shuffled), version="1", date="2027-01-31").as_text() == text


def test_the_text_is_sorted_lines_that_a_person_can_read() -> None:
    built = PreloadList.build(
        [PreloadEntry("b.test", False), PreloadEntry("a.test"), PreloadEntry("c.test", False, False)],
        version="156",
        date="2027-01-31T12:00Z",
        source="here: and there",
        licence="BSD-3-Clause",
    )
    magic, crc, *lines = built.as_text().splitlines()
    assert magic == "# hstssim preload list 1"
    assert crc.startswith("# crc32: ")
    assert lines == [
        "# entries: 3",
        "# version: 156",
        "# date: 2027-01-31T12:00Z",
        "# source: here: and there",
        "# licence: BSD-3-Clause",
        "a.test",
        "b.test host-only",
        "c.test host-only off",
    ]


def test_a_list_says_what_it_is(tmp_path: Path) -> None:
    built = PreloadList.build(ENTRIES, version="156", date="2027-01-31T12:00Z", source="here", licence="BSD")
    file = tmp_path / "list.txt"
    file.write_text(built.as_text())
    opened = PreloadList.open(str(file))
    for preload in (built, opened):
        assert preload.version == "156"
        assert preload.source == "here"
        assert preload.licence == "BSD"
        assert preload.date == datetime(2027, 1, 31, 12, tzinfo=UTC)
        assert preload.age(1_801_396_800 + 5) == 5
        assert repr(preload) == f"<PreloadList 156, {len(ENTRIES)} names>"
    assert opened.path == str(file)
    assert built.path == ""
    assert opened.as_text() == opened.load().as_text() == built.as_text()


def test_a_list_without_a_date_has_no_age() -> None:
    built = PreloadList.build([])
    assert (built.date, built.age(5)) == (None, None)
    assert (len(built), list(built), built.match("a.test")) == (0, [], None)


@pytest.mark.parametrize(
    ("entries", "head", "complaint"),
    [
        (["A.test"], {}, "'A.test' is not in canonical form"),
        (["a.test."], {}, "'a.test.' is not in canonical form"),
        (["a..test", ""], {}, r"'a\.\.test' is not.*\n'' is not"),
        (["bücher.test"], {}, "A-labels"),
        (["a b"], {}, "'a b'"),
        (["a.test", "b.test", "a.test"], {}, "a.test comes twice"),
        ([], {"date": "yesterday"}, "ISO 8601; seen 'yesterday'"),
        ([], {"version": "1\n2"}, "version is printable ASCII"),
        ([], {"licence": "©"}, "licence is printable ASCII"),
    ],
)
def test_what_no_list_can_hold_is_not_built(entries: list[str], head: dict[str, Any], complaint: str) -> None:
    with pytest.raises(PreloadError, match=complaint):
        PreloadList.build(map(PreloadEntry, entries), **head)


def test_an_entry_survives_copying() -> None:
    entry = PreloadEntry("a.test", False)
    for again in (copy.copy(entry), copy.deepcopy(entry), pickle.loads(pickle.dumps(entry))):  # noqa: S301
        assert again == entry
        assert type(again) is PreloadEntry


labels = st.sampled_from(["a", "b", "a-b", "com", "1x", "_"])
names = st.lists(labels, min_size=1, max_size=4).filter(lambda found: found[-1] != "_").map(".".join)
entry_dicts = st.dictionaries(names, st.tuples(st.booleans(), st.booleans()), max_size=12).map(
    lambda found: {name: PreloadEntry(name, *flags) for name, flags in found.items()}
)
questions = st.lists(st.lists(labels, min_size=1, max_size=6).map(".".join), max_size=20)


def model(entries: dict[str, PreloadEntry], host: str) -> Match | None:
    """What the entry nearest to the host says."""
    parts = host.split(".")
    if parts[-1] == "_":
        return None
    for above in range(len(parts)):
        entry = entries.get(".".join(parts[above:]))
        if entry is not None:
            covered = entry.force_https and (above == 0 or entry.include_subdomains)
            return Match(entry.domain, above == 0, entry.include_subdomains) if covered else None
    return None


_file_names = itertools.count()


@given(entries=entry_dicts, asked=questions)
def test_cold_loaded_and_built_lists_answer_as_a_plain_dict_does(
    tmp_path_factory: pytest.TempPathFactory, entries: dict[str, PreloadEntry], asked: list[str]
) -> None:
    built = PreloadList.build(entries.values())
    file = tmp_path_factory.getbasetemp() / f"{next(_file_names)}.txt"
    file.write_text(built.as_text())
    cold = PreloadList.open(file)
    file.unlink()
    asked = [*asked, *entries][:32]
    expected = [model(entries, host) for host in asked]
    assert [cold.match(host) for host in asked] == expected
    assert [cold.load().match(host) for host in asked] == expected
    assert [built.match(host) for host in asked] == expected
    assert list(cold) == list(built) == [entries[name] for name in sorted(entries)]
    assert cold.as_text() == built.as_text()


@given(st.text() | st.text("aB.-_1:[]%é!", max_size=9))
def test_any_text_is_asked_for_without_an_error(host: str) -> None:
    built = PreloadList.build([PreloadEntry("a"), PreloadEntry("b.a-", False)])
    found = built.match(host)
    assert found is None or hosts.canonical(host).removesuffix(".").endswith(("a", "b.a-"))
    built.get(host)


def test_a_list_that_is_asked_often_loads_itself_and_answers_on_as_before(on_disk: PreloadList) -> None:
    on_disk.match("x.app")
    assert on_disk._names is None
    for host, expected in list(MATCHES.items()) * 3:
        found = on_disk.match(host)
        assert (found and (found.domain, found.congruent)) == expected
    assert on_disk._names is not None


def test_threads_share_a_list_from_its_first_question(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text(PreloadList.build(ENTRIES).as_text())
    start = threading.Barrier(8)
    wrong: list[object] = []

    def ask(preload: PreloadList) -> None:
        try:
            start.wait()
            for host, expected in MATCHES.items():
                found = preload.match(host)
                if (found and (found.domain, found.congruent)) != expected:
                    wrong.append((host, found))
        except BaseException as error:
            wrong.append(error)

    for _ in range(20):
        preload = PreloadList.open(file)
        threads = [threading.Thread(target=ask, args=(preload,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []
