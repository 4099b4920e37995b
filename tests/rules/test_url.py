"""The URL that takes the place of an insecure one."""

from __future__ import annotations

import string
from typing import Any

import pytest
from ada_url import URL
from hypothesis import given
from hypothesis import strategies as st

from hstssim import url as urls
from hstssim import whatwg
from hstssim.errors import InvalidURL

UPGRADES = {
    "http://e.test": "https://e.test/",
    "http://e.test/": "https://e.test/",
    "http://e.test?q": "https://e.test/?q",
    "http://e.test#f": "https://e.test/#f",
    "http://e.test/#": "https://e.test/#",
    "http://e.test/?": "https://e.test/?",
    "http://e.test:80/": "https://e.test/",
    "http://e.test:080/": "https://e.test/",
    "http://e.test:00080/": "https://e.test/",
    "http://e.test:443/": "https://e.test/",
    "http://e.test:/": "https://e.test/",
    "http://e.test:0/": "https://e.test:0/",
    "http://e.test:8080/": "https://e.test:8080/",
    "http://e.test:65535/": "https://e.test:65535/",
    "http://u:p@e.test:80/x": "https://u:p@e.test/x",
    "http://e.test./x": "https://e.test./x",
    "http://e.test//a//b": "https://e.test//a//b",
    "http://e.test/a/../b": "https://e.test/b",
    "http://e.test/a/%2e%2E/b": "https://e.test/b",
    "http://e.test/.a": "https://e.test/.a",
    "http://e.test/é?é#é": "https://e.test/%C3%A9?%C3%A9#%C3%A9",
    "http://e.test/a b?a b": "https://e.test/a%20b?a%20b",
    "http://e.test/%zz": "https://e.test/%zz",
    "http://e.test\\x": "https://e.test/x",
    "HTTP://E.TEST/X": "https://e.test/X",
    " http://e.test/ ": "https://e.test/",
    "ht\ntp://e.te\tst/": "https://e.test/",
    "http:e.test": "https://e.test/",
    "http:///e.test": "https://e.test/",
    "http://[::1]:80/": "https://[::1]/",
    "http://0x7f.1/": "https://127.0.0.1/",
    "http://bücher.test/": "https://xn--bcher-kva.test/",
    "http://e.test/\ud800": "https://e.test/%EF%BF%BD",
    "ws://e.test:80/": "wss://e.test/",
    "ws://e.test:443/": "wss://e.test/",
    "ws://e.test:123/x": "wss://e.test:123/x",
    "https://e.test/": "https://e.test/",
    "https://e.test:80/": "https://e.test:80/",
    "wss://e.test/": "wss://e.test/",
    "ftp://e.test/": "ftp://e.test/",
    "mailto:a@e.test": "mailto:a@e.test",
    "mailto:a|b": "mailto:a|b",
    "file:///a": "file:///a",
    # As Chromium writes them, unlike WHATWG.
    "http://e.test/a|b?a|b#a|b": "https://e.test/a%7Cb?a|b#a|b",
    "http://u'u:p'p@e.test/a'b": "https://u%27u:p%27p@e.test/a'b",
    "http://a b.test/": "https://a%20b.test/",
    "http://u u@a b.test/c d(20)": "https://u%20u@a%20b.test/c%20d(20)",
    "http://u@e.test/a(20)b": "https://u@e.test/a(20)b",
    "http://(20)a b(20).test/": "https://(20)a%20b(20).test/",
}


@pytest.mark.parametrize(("url", "upgraded"), UPGRADES.items(), ids=map(ascii, UPGRADES))
def test_an_upgrade_changes_the_scheme_and_a_default_port(url: str, upgraded: str) -> None:
    assert urls.upgrade(url) == upgraded


EXPLICIT_80 = {
    "http://e.test:80/x?q#f": "https://e.test:443/x?q#f",
    "http://e.test:80": "https://e.test:443/",
    "http://e.test:0080/": "https://e.test:443/",
    "http://u:p@e.test:80/": "https://u:p@e.test:443/",
    "http://[::1]:80/": "https://[::1]:443/",
    "http://E.test:80\\x": "https://e.test:443/x",
    " ht\ttp://e.test:8\n0 ": "https://e.test:443/",
    "\0http://e.test:80\0": "https://e.test:443/",
    "http:e.test:80": "https://e.test:443/",
    "ws://e.test:80/": "wss://e.test:443/",
    "http://e.test/": "https://e.test/",
    "http://e.test:/": "https://e.test/",
    "http://e.test:443/": "https://e.test:443/",
    "http://e.test:8080/": "https://e.test:8080/",
    "http://u:80@e.test/": "https://u:80@e.test/",
    "http://e.test/a:80/": "https://e.test/a:80/",
    "http://e.test/é:80/": "https://e.test/%C3%A9:80/",
    "http://e.test?é:80": "https://e.test/?%C3%A9:80",
    "https://e.test:80/": "https://e.test:80/",
}


@pytest.mark.parametrize(("url", "upgraded"), EXPLICIT_80.items(), ids=map(ascii, EXPLICIT_80))
def test_an_explicit_port_80_becomes_an_explicit_443_where_the_profile_says_so(url: str, upgraded: str) -> None:
    assert urls.upgrade(url, port_80="443") == upgraded


KEPT = {
    "http://e.test/": "https://e.test/",
    "http://e.test:/": "https://e.test/",
    "http://e.test:80/x?q": "https://e.test:80/x?q",
    "http://e.test:080": "https://e.test:80/",
    "http://e.test:443/": "https://e.test:443/",
    "http://e.test:8080/": "https://e.test:8080/",
    "http://u:80@e.test/a:80": "https://u:80@e.test/a:80",
    "http://u:p@e.test:80/": "https://u:p@e.test:80/",
    "http://É.test:443/": "https://xn--9ca.test:443/",
    "http://[::1]:80/": "https://[::1]:80/",
    "https://e.test:443/": "https://e.test/",
}


@pytest.mark.parametrize(("url", "upgraded"), KEPT.items(), ids=map(ascii, KEPT))
def test_an_explicit_port_stays_where_the_profile_keeps_it(url: str, upgraded: str) -> None:
    assert urls.upgrade(url, port_80="kept") == upgraded


PORTS = {
    "http://e.test/": 0,
    "http://e.test:/": 0,
    "http://e.test:80/": 0,
    "http://e.test:443/": 443,
    "https://e.test:443/": 0,
    "https://e.test:80/": 80,
    "http://e.test:08080/": 8080,
    "http://e.test:65535": 65535,
    "http://e.test/a:8080": 0,
    "http://u:1@e.test/": 0,
    "http://u:1@e.test:2/a:3": 2,
    "http://[::1]/": 0,
    "http://[::1]:8080/": 8080,
    "HTTP://E.test:8080\\x": 8080,
    "  https://e.test:8443/": 8443,
    "ws://e.test:80/": 0,
    "wss://e.test:443/": 0,
    "wss://e.test:80/": 80,
}


@pytest.mark.parametrize(("url", "port"), PORTS.items(), ids=map(ascii, PORTS))
def test_a_url_names_a_port_unless_it_is_the_default(url: str, port: int) -> None:
    assert urls.port(url) == port


@pytest.mark.parametrize(
    "url",
    ["", "e.test", "//e.test/", "http:", "http://", "http:///", "http://e.test:65536/", "http://e.test:x/"]
    + ["http://[::1", "http://a<b/", "http://256.256.256.256/", "http://@/", "http://e.test:\xa080/"],
    ids=repr,
)
def test_what_no_browser_takes_is_refused(url: str) -> None:
    for function in (urls.parse, urls.upgrade):
        with pytest.raises(InvalidURL, match="absolute URL") as caught:
            function(url)
        assert caught.value.url == url


@pytest.mark.parametrize("url", [None, 5, b"http://e.test/"], ids=repr)
def test_what_is_not_a_str_is_no_url(url: Any) -> None:
    for function in (urls.parse, urls.upgrade):
        with pytest.raises(InvalidURL, match="is a str"):
            function(url)


@pytest.mark.parametrize(
    ("url", "scheme", "host"),
    [
        ("http://e.test/", "http", "e.test"),
        ("HTTPS://E.test:1/", "https", "e.test"),
        ("ws://[::1]/", "ws", "[::1]"),
        ("mailto:a@b", "mailto", ""),
        ("file:///x", "file", ""),
        ("http://*.test/", "http", "%2A.test"),
        ("http://a b.test/", "http", "a%20b.test"),
        ("http://a(20)b.test/", "http", "a(20)b.test"),
    ],
)
def test_a_url_has_a_scheme_and_a_canonical_host(url: str, scheme: str, host: str) -> None:
    assert urls.parse(url) == (scheme, host)


words = st.sampled_from(["http", "https", "ws", "HTTP", "ftp", "foo", "e.test", "xn--", "0x7f.1", "[::1]", "(20)"])
ports = st.sampled_from([":80", ":443", ":8080", ":080"])
signs = st.sampled_from(["://", "//", "%2e", "..", "%20"]) | st.sampled_from(":/\\?#@%.Éa1|' *\t\n\0\ud800é")
pieced = st.lists(words | ports | signs, max_size=12).map("".join)
texts = st.text() | pieced
users = st.sampled_from(["", "", "u@", "u'u:p@", ":@"])
some_hosts = (
    st.sampled_from(["e.test", "É.test", "e.test.", "0x7f.1", "[::1]", "*.test", "a b", "(20)a b"]) | pieced
)
tails = st.just("") | (st.sampled_from("/?#\\") | signs).flatmap(lambda start: texts.map(start.__add__))
some_urls = st.builds(
    "{}://{}{}{}{}".format, st.sampled_from(["http", "ws", "Http"]), users, some_hosts, st.just("") | ports, tails
)


@given(texts | some_urls)
def test_any_text_is_a_url_or_refused(text: str) -> None:
    try:
        scheme, host = urls.parse(text)
    except InvalidURL as error:
        assert error.url == text
        with pytest.raises(InvalidURL):
            urls.upgrade(text)
    else:
        assert scheme.isascii()
        assert host.isascii()
        assert urls.upgrade(text).isascii()


@given(some_urls)
def test_an_upgraded_url_is_left_alone(url: str) -> None:
    try:
        upgraded = urls.upgrade(url)
    except InvalidURL:
        return
    assert urls.upgrade(upgraded) == upgraded
    assert urls.upgrade(urls.upgrade(url, port_80="443")) == upgraded


@given(some_urls)
def test_a_port_is_the_one_that_ada_url_reads(url: str) -> None:
    try:
        parsed = URL(url)
    except ValueError:
        return
    assert urls.port(url) == int(parsed.port or 0)


@given(some_urls)
def test_only_the_scheme_and_the_port_change(url: str) -> None:
    try:
        before = URL(url)
    except ValueError:
        return
    after = URL(urls.upgrade(url))
    assert after.protocol == {"http:": "https:", "ws:": "wss:"}[before.protocol]
    assert after.port == ("" if before.port == "443" else before.port)
    assert after.hostname == before.hostname
    assert after.pathname == before.pathname.replace("|", "%7C")
    assert (after.search, after.hash) == (before.search, before.hash)
    assert after.username == before.username.replace("'", "%27")
    assert after.password == before.password.replace("'", "%27")


def written_by_ada(url: str) -> str:
    """The upgraded URL as WHATWG writes it."""
    parsed = URL(url)
    parsed.protocol = parsed.protocol.replace(":", "s:")
    return str(parsed.href)


plain_looking = st.builds(
    "{}://{}{}{}{}{}".format,
    st.sampled_from(["http", "ws"]),
    st.sampled_from(
        ["e.test", "a-.b_.c", "localhost", "1.x", "xn--.xn--a", "e.test.", "e.test..", "127.0.0.1", "255.9.10.199"]
    ),
    st.sampled_from(["", ":80", ":443", ":0", ":1", ":8080", ":0443", ":9999"]),
    st.lists(st.text(string.ascii_letters + string.punctuation + "0129", max_size=5), max_size=4).map(
        lambda segments: "".join(f"/{segment}" for segment in segments)
    ),
    st.just("") | st.text(string.printable, max_size=9).map("?{}".format),
    st.just("") | st.text(string.printable, max_size=9).map("#{}".format),
)


@given(plain_looking)
def test_the_fast_way_is_what_ada_url_makes_of_a_url(url: str) -> None:
    match = urls._plain(url)
    if match is not None:
        parsed = URL(url)
        assert (parsed.protocol, parsed.hostname) == (f"{match[1]}:", match[2])
    if urls._plain_whole(url):
        assert urls.upgrade(url) == written_by_ada(url)
    assert urls.upgrade(url) == whatwg.with_scheme(url, f"{url.partition(':')[0]}s")


@given(plain_looking, st.sampled_from(["", "s"]))
def test_the_fast_way_shows_a_url_as_ada_url_does(url: str, secure: str) -> None:
    url = url.replace(":", f"{secure}:", 1)
    assert urls.as_shown(url) == whatwg.with_scheme(url, url.partition(":")[0])


references = plain_looking.map(lambda url: url[url.index("/", 8) :] if "/" in url[8:] else url)


@given(references, st.sampled_from(["https://e.test/", "http://u:p@e.test:8080/a/b?c#d", "https://[::1]/"]))
def test_the_fast_way_resolves_a_reference_as_ada_url_does(reference: str, base: str) -> None:
    assert urls.resolve(reference, base) == whatwg.resolve(reference, base)


@pytest.mark.parametrize(
    "place", ["/{}", "/a{}b", "/a/{}/b", "?{}", "?a{}b", "#{}", "#a{}b", "/%2{}", "/.{}", "/{}.x"]
)
def test_every_character_of_ascii_is_written_as_ada_url_does(place: str) -> None:
    for character in map(chr, range(128)):
        for both in (character, character * 2):
            url = f"http://e.test{place.format(both)}"
            expected = written_by_ada(url)
            if character == "|" and place[0] == "/":  # Chromium url_canon_path.cc
                expected = expected.replace("|", "%7C")
            assert urls.upgrade(url) == expected
