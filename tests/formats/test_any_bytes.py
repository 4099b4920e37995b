"""Any bytes, as any format, give entries and complaints; and what a format can hold comes back as it went."""

from __future__ import annotations

import json
import math
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstssim import FormatError, HSTSStore, KnownHost
from hstssim.formats import FORMATS, recognise
from hstssim.formats.content import MOST_COMPLAINTS, Content, fit
from hstssim.formats.sqlite import SCHEMA
from hstssim.host import hashed

if TYPE_CHECKING:
    from hstssim.formats import Format

NOW = 1_800_000_000.0

forms = pytest.mark.parametrize("form", [pytest.param(form, id=name) for name, form in FORMATS.items()])

names = st.from_regex(r"(?:[a-z0-9_-]{1,12}\.){0,3}[a-z][a-z0-9-]{0,8}", fullmatch=True)
times = st.one_of(
    st.integers(0, 2**40).map(float), st.floats(0, 2**40), st.sampled_from([0.0, NOW, 253402300799.0, 1e15, -5.0])
)
known_hosts = st.builds(
    KnownHost,
    st.one_of(names, st.sampled_from(["10.0.0.1", "a.test", "xn--bcher-kva.test"])),
    st.booleans(),
    times,
    st.one_of(times, st.just(math.inf)),
    st.sampled_from([0, 0, 8080]),
    st.sampled_from(["", "", "shop.test"]),
    st.booleans(),
)
unnamed = names.map(lambda name: KnownHost("", True, NOW, NOW + 10, name_hash=hashed(name)))


def sample(form: Format) -> bytes:
    entries = [
        KnownHost("a.test", True, NOW, NOW + 1000),
        KnownHost("b.test", False, NOW, NOW + 2000),
        KnownHost("c.example", True, NOW - 5, NOW + 3000.25),
    ]
    return form.write(fit(entries, form.TITLE, form.HOLDS)[0], Content(form.NAME), NOW)


@forms
@given(entries=st.lists(st.one_of(known_hosts, unnamed), max_size=12))
def test_what_fits_comes_back_as_it_went(form: Format, entries: list[KnownHost]) -> None:
    fitted, losses = fit(entries, form.TITLE, form.HOLDS)
    data = form.write(fitted, Content(form.NAME), NOW)
    content = form.read(Content(form.NAME), data, NOW, "exact")
    assert content.complaints == []
    expected = [
        known._replace(domain="", name_hash=hashed(known.domain))
        if form.NAME == "chrome" and known.domain
        else known
        for known in fitted
    ]
    assert {known.key: known for known in content.entries.values()} == {known.key: known for known in expected}
    changed = {known.key for known in entries if known.domain} != {known.key for known in fitted if known.domain}
    assert losses or not changed


@forms
@given(data=st.binary(max_size=600))
def test_any_bytes_are_read_as_any_format(form: Format, data: bytes) -> None:
    content = form.read(Content(form.NAME, ""), data, NOW, "loose")
    assert all(isinstance(complaint, FormatError) for complaint in content.complaints)


@forms
@given(st.data())
def test_a_damaged_file_gives_entries_and_complaints(form: Format, data: st.DataObject) -> None:
    whole = bytearray(sample(form))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        if data.draw(st.booleans()):
            whole[at] = data.draw(st.integers(0, 255))
        else:
            del whole[at : at + data.draw(st.integers(1, 40))]
    content = form.read(Content(form.NAME, ""), bytes(whole), NOW, "loose")
    for known in content.entries.values():
        assert isinstance(known.include_subdomains, bool)
        assert not math.isnan(known.expiry)
        assert math.isfinite(known.last_observed)
    HSTSStore(clock=lambda: NOW).load(content.entries.values())


@forms
def test_a_format_is_recognised_by_its_content(form: Format) -> None:
    found = recognise(sample(form))
    assert found is not None
    assert found.NAME == form.NAME


@given(st.binary(max_size=600))
def test_any_bytes_have_a_format_or_none(data: bytes) -> None:
    try:
        recognise(data)
    except FormatError:
        pass


JSONS = {
    "NaN": b'{"version":2,"sts":[{"expiry":NaN}]}',
    "infinity": b'{"version":2,"sts":[{"expiry":Infinity}]}',
    "deep": b"[" * 100_000,
    "not UTF-8": b'{"version":2,"sts":[],"x":"\xff"}',
    "no list": b'{"version":2,"sts":{}}',
    "a list": b"[]",
}


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in JSONS.items()])
def test_json_that_chromium_does_not_take_gives_nothing_and_says_why(data: bytes) -> None:
    content = FORMATS["chrome"].read(Content("chrome"), data, NOW, "loose")
    assert content.entries == {}
    assert content.unusable is not None


def test_a_huge_number_is_no_time() -> None:
    entry = {
        "expiry": 10**400,
        "host": hashed("a.test"),
        "mode": "force-https",
        "sts_include_subdomains": True,
        "sts_observed": 1,
    }
    data = json.dumps({"version": 2, "sts": [entry, {**entry, "expiry": 5}]}).encode()
    content = FORMATS["chrome"].read(Content("chrome"), data, NOW, "loose")
    assert len(content.entries) == len(content.complaints) == 1


def test_a_file_of_nothing_but_bad_lines_is_not_kept_in_memory_twice() -> None:
    content = FORMATS["curl"].read(Content("curl"), b"garbage\n" * 50_000, NOW, "loose")
    assert len(content.complaints) == MOST_COMPLAINTS + 1
    assert "49,000 complaints more" in str(content.complaints[-1])


def test_a_file_of_another_kind_is_given_up_in_time() -> None:
    data = b'a.test "unlimited"\n' + b"x\n" * 300_000
    content = FORMATS["curl"].read(Content("curl"), data, NOW, "loose")
    assert content.unusable is not None
    assert "100,000 lines" in str(content.unusable)
    assert content.rest == []
    good = b"".join(b'h%d.test "unlimited"\n' % number for number in range(5))
    assert FORMATS["curl"].read(Content("curl"), good + b"x\n" * 50, NOW, "loose").unusable is None


def test_random_bytes_are_no_text() -> None:
    data = random.Random(7).randbytes(2_000_000)
    with pytest.raises(FormatError, match="none of them"):
        recognise(data)


def test_the_schema_says_what_it_is() -> None:
    assert "application_id" in SCHEMA
