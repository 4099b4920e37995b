"""Hosts, and the domains by which HSTS knows them."""

from __future__ import annotations

from typing import Any

import pytest
from ada_url import URL
from hypothesis import assume, given
from hypothesis import strategies as st

from hstssim import host as hosts
from hstssim.errors import InvalidHost

LABEL_63 = "l" * 63
NAME_253 = ".".join([LABEL_63, LABEL_63, LABEL_63, "m" * 61])


def labels(wire: bytes) -> list[str]:
    """The labels of a name in DNS wire form."""
    found = []
    while wire != b"\0":
        size = wire[0]
        found.append(wire[1 : size + 1].decode("ascii"))
        wire = wire[size + 1 :]
    return found


@pytest.mark.vectors("host_key_chrome")
def test_a_domain_is_the_name_that_chromium_hashes(case: dict[str, Any]) -> None:
    expected = case["expected"]
    try:
        domain = hosts.domain(hosts.canonical(case["input"]))
        named = hosts.domain(hosts.named(case["input"]))
    except InvalidHost:
        domain = named = None
    assert (domain is not None) == expected.get("storable", True)
    assert named == domain
    if "wire_hex" in expected:
        assert domain is not None
        assert domain.split(".") == labels(bytes.fromhex(expected["wire_hex"]))


CANONICAL = {
    "example.com": "example.com",
    "EXAMPLE.com": "example.com",
    "example.com.": "example.com.",
    "bücher.test": "xn--bcher-kva.test",
    "b%C3%BCcher.test": "xn--bcher-kva.test",
    "exa%6Dple.test": "example.test",
    "☃.net": "xn--n3h.net",
    "faß.de": "xn--fa-hia.de",
    "ｅxample。com": "example.com",
    "under_score.test": "under_score.test",
    "-a.test": "-a.test",
    "127.0.0.1": "127.0.0.1",
    "127.1": "127.0.0.1",
    "0x7f.1": "127.0.0.1",
    "2130706433": "127.0.0.1",
    "017700000001": "127.0.0.1",
    "[::1]": "[::1]",
    "::1": "[::1]",
    "[0:0:0:0:0:0:0:1]": "[::1]",
    "2001:DB8::0:1": "[2001:db8::1]",
    "a..b": "a..b",
    "a!b.test": "a!b.test",
    # As Chromium shows them, unlike WHATWG.
    "*.test": "%2A.test",
    "%2A.test": "%2A.test",
    "a b.test": "a%20b.test",
    "a%20b.test": "a%20b.test",
    "a(20)b.test": "a(20)b.test",
    "(20)a b(20).test": "(20)a%20b(20).test",
}


@pytest.mark.parametrize(("host", "canonical"), CANONICAL.items(), ids=CANONICAL)
def test_a_host_has_the_form_that_a_browser_shows(host: str, canonical: str) -> None:
    assert hosts.canonical(host) == canonical
    assert hosts.canonical(canonical) == canonical


@pytest.mark.parametrize(
    "host",
    ["", "a/b", "a?b", "a#b", "a@b", "a:80", "a\\b", "a\tb", "a\nb", "a<b", "a^b", "a|b", "a%00b", "[::1", "[::g]"]
    + ["256.256.256.256", "1.2.3.4.5", "a.0x", "xn--a.é", "%", "\xad", "http://example.com/"],
    ids=repr,
)
def test_what_no_url_can_hold_is_no_host(host: str) -> None:
    with pytest.raises(InvalidHost, match="URL can hold") as caught:
        hosts.canonical(host)
    assert caught.value.host == host


@pytest.mark.parametrize("host", [None, 5, b"example.com"], ids=repr)
def test_what_is_not_a_str_is_no_host(host: Any) -> None:
    for function in (hosts.canonical, hosts.named):
        with pytest.raises(InvalidHost, match="is a str"):
            function(host)


@pytest.mark.parametrize(
    ("host", "named"),
    [("0.1", "0.1"), ("Example.COM.", "example.com."), ("bücher.test", "xn--bcher-kva.test"), ("127.1", "127.1")],
)
def test_the_host_of_an_entry_is_ascii_in_lower_case_and_nothing_more(host: str, named: str) -> None:
    assert hosts.named(host) == named


DOMAINS = {
    "example.com": ("example.com", "example.com"),
    "example.com.": ("example.com", "example.com."),
    "example.com..": (None, "example.com.."),
    ".example.com": (None, ".example.com"),
    "a..b": (None, "a..b"),
    ".": (None, "."),
    "": (None, None),
    "a!b.test": (None, "a!b.test"),
    "x._tld": (None, "x._tld"),
    "x.-tld": (None, "x.-tld"),
    "_x.tld": ("_x.tld", "_x.tld"),
    "y.tld_": ("y.tld_", "y.tld_"),
    "127.0.0.1": ("127.0.0.1", "127.0.0.1"),
    "[::1]": (None, "[::1]"),
    f"{LABEL_63}.test": (f"{LABEL_63}.test", f"{LABEL_63}.test"),
    f"{LABEL_63}l.test": (None, f"{LABEL_63}l.test"),
    NAME_253: (NAME_253, NAME_253),
    f"{NAME_253}.": (NAME_253, f"{NAME_253}."),
    f"{NAME_253}m": (None, f"{NAME_253}m"),
}


@pytest.mark.parametrize(
    ("host", "chrome", "rfc6797"), [(host, *both) for host, both in DOMAINS.items()], ids=map(repr, DOMAINS)
)
def test_a_domain_is_what_the_profile_allows(host: str, chrome: str | None, rfc6797: str | None) -> None:
    assert hosts.domain(host) == chrome
    assert hosts.domain(host, trailing_dot="distinct", dns_names_only=False) == rfc6797


def test_a_distinct_trailing_dot_does_not_count_against_a_dns_name() -> None:
    assert hosts.domain(f"{NAME_253}.", trailing_dot="distinct") == f"{NAME_253}."
    assert hosts.domain("a..", trailing_dot="distinct") is None


@pytest.mark.parametrize(
    ("host", "is_ip_address", "is_localhost"),
    [
        ("127.0.0.1", True, False),
        ("127.0.0.1.", True, False),
        ("[::1]", True, False),
        ("0.1", False, False),
        ("1.2.3.4.example", False, False),
        ("localhost", False, True),
        ("localhost.", False, True),
        ("a.b.localhost", False, True),
        ("localhost..", False, False),
        ("notlocalhost", False, False),
        ("localhost.localdomain", False, False),
        ("localhost6", False, False),
    ],
)
def test_addresses_and_localhost_are_told_apart(host: str, is_ip_address: bool, is_localhost: bool) -> None:
    assert hosts.is_ip_address(host) == is_ip_address
    assert hosts.is_localhost(host) == is_localhost


def test_superdomains_come_nearest_first() -> None:
    assert list(hosts.superdomains("a.b.example.com")) == ["b.example.com", "example.com", "com"]
    assert list(hosts.superdomains("com")) == []


fragments = st.sampled_from("aB1é.-_% *:[]") | st.sampled_from(["0x", "xn--", "%41", "%2e", "(20)"])
texts = st.text() | st.lists(fragments).map("".join)


@given(texts)
def test_any_text_is_a_host_or_refused(text: str) -> None:
    for function in (hosts.canonical, hosts.named):
        try:
            found = function(text)
        except InvalidHost as error:
            assert error.host == text
            assert str(error)
        else:
            assert found.isascii()
            domain = hosts.domain(found)
            assert domain is None or hosts.domain(domain) == domain


@given(texts)
def test_the_canonical_form_of_a_canonical_host_is_itself(text: str) -> None:
    try:
        canonical = hosts.canonical(text)
    except InvalidHost:
        return
    assert hosts.canonical(canonical) == canonical


labels_of_a_name = st.text("abz019-_", min_size=1, max_size=8) | st.sampled_from(["0x", "x" * 64, "xn--", "xn--a"])
plain_looking = st.lists(labels_of_a_name, min_size=1).map(".".join)


octets = st.integers(0, 255).map(str) | st.sampled_from(["256", "00", "01", "0x1", ""])
canonical_looking = st.builds(
    "{}{}".format,
    plain_looking | st.lists(octets, min_size=4, max_size=4).map(".".join),
    st.sampled_from(["", ".", ".."]),
)


@given(canonical_looking)
def test_a_canonical_host_is_what_ada_url_makes_of_it(host: str) -> None:
    if hosts._is_canonical(host):
        assert URL(f"http://{host}/").hostname == host


@given(plain_looking)
def test_a_plain_host_is_what_ada_url_makes_of_it(host: str) -> None:
    assume(hosts.is_plain(host))
    assert URL(f"http://{host}/").hostname == host
