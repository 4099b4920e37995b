from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstssim import PreloadEntry, PreloadError, PreloadList
from hstssim.preload_source import entries


@pytest.mark.vectors("preload_json_validation")
def test_entries_are_refused_and_taken_as_by_chromiums_generator(case: dict[str, Any]) -> None:
    source = json.dumps({"entries": [case["entry"]]}).encode()
    if case["expected"]["valid"]:
        (entry,) = entries(source)
        assert entry.force_https == (case["entry"].get("mode") == "force-https")
        assert entry.include_subdomains is False
    else:
        with pytest.raises(PreloadError):
            entries(source)


@pytest.mark.vectors("preload_json_parse")
def test_comments_are_no_part_of_the_json(case: dict[str, Any]) -> None:
    read = entries(case["input"].encode(), historical=True)
    assert [
        [entry.domain, "force-https" if entry.force_https else "", entry.include_subdomains] for entry in read
    ] == [list(row) for row in case["expected"]]


JSON = b"""\xef\xbb\xbf/* a list */ {
  "pinsets": [],  // of old
  "entries": [{"name": "a.test", "policy": "test", "mode": "force-https", "pins": "//no comment", // "
     "include_subdomains": true}]
}"""
ONE = [PreloadEntry("a.test", True, True)]


@pytest.mark.parametrize(
    "source",
    [
        JSON,
        gzip.compress(JSON),
        base64.encodebytes(JSON.removeprefix(b"\xef\xbb\xbf")),
        b"name\tinclude_subdomains\tmode\tpolicy\tpins\na.test\t1\tforce-https\t\t\n",
        b"# a comment\r\na.test, 1\r\n",
        b"a.test\n",
        b"a.test 1 force-https",
        PreloadList.build(ONE).as_text().encode(),
    ],
    ids=["json", "gzip", "base64", "tsv", "firefox", "names", "blanks", "own text"],
)
def test_one_entry_from_every_kind_of_source(source: bytes) -> None:
    assert entries(source) == ONE


def test_old_files_pass_when_asked_to() -> None:
    source = (
        b'{"entries": [{"name": "a.test", "mode": "force-https", "include_subdomains": true, "expect_ct": true}]}'
    )
    assert entries(source, historical=True) == ONE
    with pytest.raises(PreloadError, match="expect_ct"):
        entries(source)


def test_every_complaint_is_told_with_its_place() -> None:
    with pytest.raises(PreloadError) as caught:
        entries(b'{"entries": [{"name": ""}, 7, {"name": "a", "policy": "test", "mode": "x"}]}', path="f")
    assert [line.split(":")[0:2] for line in str(caught.value).split("\n")] == [
        ["f", " entry 1"],
        ["f", " entry 2"],
        ["f", " entry 3"],
    ]


@given(st.binary())
def test_any_bytes_give_entries_or_a_preload_error(data: bytes) -> None:
    for source in (
        data,
        JSON[:40] + data,
        b'{"entries": [' + data + b"]}",
        gzip.compress(data),
        b"\x1f\x8b" + data,
    ):
        try:
            PreloadList.build(entries(source))
        except PreloadError:
            pass


def test_a_list_is_built_from_entries_mappings_or_a_source() -> None:
    made = PreloadList.build(ONE).as_text()
    assert (
        PreloadList.build([{"name": "a.test", "mode": "force-https", "include_subdomains": True}]).as_text()
        == made
    )
    assert PreloadList.build(JSON).as_text() == made
    assert PreloadList.build("a.test\n").as_text() == made
    with pytest.raises(PreloadError, match="entry 1: `name`"):
        PreloadList.build([{"mode": "force-https"}])


def test_a_first_name_that_looks_like_a_heading_is_kept() -> None:
    assert [entry.domain for entry in entries(b"name.com 1\nhost.io\nname\n")] == ["name.com", "host.io", "name"]


def test_an_empty_mode_is_a_negative_entry_in_every_table() -> None:
    for line in (b"a.test\t0\t\t\t", b"a.test\t0\t\tcustom\t", b"a.test,0,,,", b"a.test , 0 ,"):
        assert entries(line + b"\n") == [PreloadEntry("a.test", False, False)]
    with pytest.raises(PreloadError):
        entries(b"a.test 1 force-https junk more\n")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)
json_entries = st.dictionaries(
    st.sampled_from(["name", "policy", "mode", "include_subdomains", "pins", "expect_ct"]),
    json_values | st.sampled_from(["test", "force-https", "a.test"]),
)


@given(st.lists(json_entries | json_values, max_size=4))
def test_any_json_gives_entries_or_a_preload_error(found: list[Any]) -> None:
    for historical in (False, True):
        try:
            PreloadList.build(json.dumps({"entries": found}), historical=historical)
            PreloadList.build(found)
        except PreloadError:
            pass


def test_a_text_that_is_no_unicode_is_a_preload_error() -> None:
    with pytest.raises(PreloadError, match="UTF-8 text"):
        PreloadList.build("a.test\n\ud800")
