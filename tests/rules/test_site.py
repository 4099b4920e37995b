"""The registrable domain of a host."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstssim.errors import InvalidHost, InvalidURL, MissingExtra
from hstssim.site import _public_suffixes, _site, site

SITES = {
    "www.example.com": "example.com",
    "example.com": "example.com",
    "www.example.co.uk": "example.co.uk",
    "co.uk": "co.uk",
    "a.b.github.io": "b.github.io",
    "h.test": "h.test",
    "www.h.test": "h.test",
    "single": "single",
    "www.example.com.": "example.com.",
    "127.0.0.1": "127.0.0.1",
    "[::1]": "[::1]",
    "WWW.Bücher.Example": "xn--bcher-kva.example",
    "https://www.example.com:8443/path?q": "example.com",
    "http://192.0.2.7/": "192.0.2.7",
}


@pytest.mark.parametrize(("host", "expected"), SITES.items(), ids=map(ascii, SITES))
def test_a_site_is_one_label_below_a_public_suffix(host: str, expected: str) -> None:
    assert site(host) == expected


@given(st.text() | st.text("aB.-_1:[]%é!/", max_size=12))
def test_any_text_has_a_site_or_is_refused_and_a_site_is_its_own(text: str) -> None:
    try:
        found = site(text)
    except (InvalidHost, InvalidURL):
        return
    assert site(found) == found


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    _public_suffixes.cache_clear()
    _site.cache_clear()
    monkeypatch.setitem(sys.modules, "publicsuffixlist", None)
    with pytest.raises(MissingExtra, match="pip install publicsuffixlist"):
        site("www.example.com")
