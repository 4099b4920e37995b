"""Scripts: what a site answers is what was asked of it, byte for byte where it matters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from hstssim.errors import LabError
from hstssim.lab import Lab, to_https
from hstssim.lab.machine import monotonic

if TYPE_CHECKING:
    from tests.lab.conftest import Dial, Get, Say

STS = "Strict-Transport-Security"


def test_a_path_without_script_answers_200_with_a_short_text(lab: Lab, get: Get) -> None:
    lab.site("shop.test")
    got = get("https://shop.test/any?thing")
    assert (got.status, got.body) == (200, b"shop.test answers /any?thing over https\n")
    assert [name for name, _ in got.headers] == ["Date", "Content-Type", "Content-Length"]


@pytest.mark.parametrize(
    "sts",
    ["max-age=31536000; includeSubDomains", "  not quite\t;;=", "", ["max-age=1", "max-age=2"], []],
    ids=["one", "malformed", "empty", "repeated", "none"],
)
def test_policies_are_sent_raw_and_repeated_over_https_only(lab: Lab, say: Say, sts: str | list[str]) -> None:
    fields = [sts] if isinstance(sts, str) else sts
    if fields and fields[0] != fields[0].strip():
        fields = [fields[0].strip()]  # HTTP does not carry space around a value (RFC 9112 §5)
        sts = fields
    lab.site("shop.test", sts=sts)
    request = b"GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n"
    sent = re.findall(rb"Strict-Transport-Security: ?(.*)\r\n", say(request, "shop.test"))
    assert [field.decode() for field in sent] == fields
    assert STS.encode() not in say(request), "a host sends none in the clear (RFC 6797 §7.2)"


def test_a_path_may_have_its_own_policy_even_in_the_clear(lab: Lab, get: Get) -> None:
    shop = lab.site("shop.test", sts="max-age=1")
    shop.on("/bye", sts=b"max-age=0")
    shop.on("/clear", sts=["max-age=2", "max-age=3"], scheme="http")
    shop.on("/none", sts=[])
    assert get("https://shop.test/").values(STS) == ["max-age=1"]
    assert get("https://shop.test/bye").values(STS) == ["max-age=0"]
    assert get("http://shop.test/bye").values(STS) == []
    assert get("http://shop.test/clear").values(STS) == ["max-age=2", "max-age=3"]
    assert get("https://shop.test/clear").values(STS) == ["max-age=1"]
    assert get("https://shop.test/none").values(STS) == []
    shop.sts = "max-age=9"
    assert get("https://shop.test/").values(STS) == ["max-age=9"]
    assert [request.sts for request in shop.requests][:2] == [("max-age=1",), ("max-age=0",)]


def test_the_closest_path_decides(lab: Lab, get: Get) -> None:
    shop = lab.site("shop.test")
    for path in ("*", "/a/*", "/a/b", "/a/b?c=1"):
        shop.on(path, body=path)
    shop.on("/a/*", body="in the clear", scheme="http")
    asked = ["/", "/a/", "/a/x", "/a/b", "/a/b?c=2", "/a/b?c=1", "/ab"]
    seen = [get(f"https://shop.test{path}").body.decode() for path in asked]
    assert seen == ["*", "/a/*", "/a/*", "/a/b", "/a/b", "/a/b?c=1", "*"]
    assert get("http://shop.test/a/x").body == b"in the clear"
    assert get("http://shop.test/a/b").body == b"/a/b"
    shop.on("/a/b", body="another")
    assert get("https://shop.test/a/b").body == b"another"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 399])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_redirect_has_location_and_a_note_with_a_link(lab: Lab, get: Get, status: int, scheme: str) -> None:
    lab.site("shop.test").on("/", status=status, redirect="https://shop.test/?a=1&b=2")
    got = get(f"{scheme}://shop.test/")
    assert got.status == status
    assert got.values("Location") == ["https://shop.test/?a=1&b=2"]
    assert got.values("Content-Type") == ["text/html; charset=utf-8"]
    assert b'<a href="https://shop.test/?a=1&amp;b=2">' in got.body
    assert get(f"{scheme}://shop.test/", method="HEAD").body == b""


def test_headers_may_be_a_mapping(lab: Lab, get: Get) -> None:
    lab.site("shop.test").on("/", headers={"X-One": "1"})
    assert get("https://shop.test/").values("X-One") == ["1"]


def test_a_redirect_may_be_made_from_the_request(lab: Lab, get: Get) -> None:
    shop = lab.site("shop.test")
    shop.on("*", scheme="http", redirect=to_https)
    got = get("http://shop.test/a?b")
    assert (got.status, got.values("Location")) == (302, ["https://shop.test/a?b"])


@pytest.mark.parametrize("bad", [lambda request: 1 / 0, lambda request: "a\r\nb", lambda request: None])
def test_a_redirect_that_fails_is_500_and_noted(lab: Lab, get: Get, bad: Any) -> None:
    lab.site("shop.test").on("/", redirect=bad)
    assert get("https://shop.test/").status == 500
    assert "the redirect of https://shop.test/ raised" in lab.log.errors[0]


def test_headers_are_sent_as_they_are(lab: Lab, say: Say) -> None:
    headers = [
        ("X-Twice", "1"),
        ("x-twice", "é"),
        ("Content-Type", "text/x"),
        ("Date", "today"),
        ("Set-Cookie", "a=b"),
    ]
    lab.site("shop.test").on("/", headers=headers, body=b"\xff", status=418)
    heard = say(b"GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
    lines = heard.decode("latin-1").split("\r\n")
    assert lines[0].startswith("HTTP/1.1 418 ")
    assert lines[1:6] == [f"{name}: {value}" for name, value in headers]
    assert heard.endswith(b"\r\n\r\n\xff")


@pytest.mark.parametrize("status", [204, 304])
def test_some_answers_have_no_body(lab: Lab, say: Say, status: int) -> None:
    lab.site("shop.test").on("/", status=status, body="never")
    heard = say(b"GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
    assert heard.endswith(b"\r\n\r\n")
    assert b"Content-Length" not in heard


@pytest.mark.parametrize("name", [None, "shop.test"], ids=["plaintext", "TLS"])
def test_a_connection_may_be_dropped_instead(lab: Lab, say: Say, name: str | None) -> None:
    shop = lab.site("shop.test", sts="max-age=1")
    shop.on("/", drop=True)
    assert say(b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n", name) == b""
    [request] = shop.requests
    assert request.status is None


def test_an_answer_may_be_late_and_hold_nobody_up(lab: Lab, dial: Dial, get: Get) -> None:
    lab.site("shop.test").on("/late", delay=0.3)
    slow = dial()
    begin = monotonic()
    slow.sendall(b"GET /late HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    assert get("https://shop.test/").status == 200
    assert monotonic() - begin < 0.3
    assert slow.recv(1000).startswith(b"HTTP/1.1 200")
    assert monotonic() - begin >= 0.29


def test_tls_may_be_refused_while_plaintext_is_served(lab: Lab, dial: Dial, get: Get) -> None:
    import ssl

    shop = lab.site("shop.test", refuse_tls=True)
    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        dial("shop.test")
    [failure] = lab.log.handshake_failures
    assert failure[1:4] == ("shop.test", None, "refused")
    assert get("http://shop.test/").status == 200
    shop.refuse_tls = False
    assert get("https://shop.test/").status == 200


def test_a_site_answers_below_its_name_where_no_other_does(lab: Lab, get: Get) -> None:
    lab.site("shop.test")
    lab.site("cart.shop.test", subdomains=False)
    answers = {
        "shop.test": "shop.test",
        "WWW.shop.test": "shop.test",
        "cart.shop.test": "cart.shop.test",
        "a.cart.shop.test": "shop.test",
        "shop.test.": "shop.test",
    }
    for host, name in answers.items():
        assert get(f"http://{host}/").body.decode().startswith(f"{name} answers")
    assert lab.site_of("a.b.SHOP.test").name == "shop.test"
    assert get("http://xshop.test/").status == 421


def test_a_name_beyond_ascii_is_known_by_its_a_label(lab: Lab, get: Get) -> None:
    assert lab.site("bücher.test").name == "xn--bcher-kva.test"
    assert get("https://xn--bcher-kva.test/").status == 200


@pytest.mark.parametrize(
    ("path", "script"),
    [
        ("no-slash", {}),
        (None, {}),
        ("/", {"status": 199}),
        ("/", {"status": "200"}),
        ("/", {"body": 5}),
        ("/", {"headers": [("A", "b\r\nc")]}),
        ("/", {"headers": [("A b", "c")]}),
        ("/", {"headers": [("A", "\u20ac")]}),
        ("/", {"headers": {"A": 5}}),
        ("/", {"headers": ["A: b"]}),
        ("/", {"redirect": 5}),
        ("/", {"headers": [("Content-Length", "5")]}),
        ("/", {"headers": [("transfer-encoding", "chunked")]}),
        ("/", {"redirect": "/a b\n"}),
        ("/", {"sts": "max-age=1\n"}),
        ("/", {"sts": [1]}),
        ("/", {"sts": 1}),
        ("/", {"headers": 5}),
        ("/", {"delay": -1}),
        ("/", {"delay": float("nan")}),
        ("/", {"scheme": "ftp"}),
    ],
    ids=str,
)
def test_a_script_that_cannot_be_sent_is_refused_at_once(
    lab: Lab, get: Get, path: Any, script: dict[str, Any]
) -> None:
    shop = lab.site("shop.test")
    with pytest.raises(LabError, match=r"seen|leave"):
        shop.on(path, **script)
    assert get("https://shop.test/").status == 200


@pytest.mark.parametrize("name", ["", "a b", "http://shop.test", "shop.test:80", None])
def test_a_name_that_no_url_holds_is_refused(lab: Lab, name: Any) -> None:
    with pytest.raises(LabError, match="a site has the name of a host"):
        lab.site(name)


def test_a_second_site_of_a_name_is_refused(lab: Lab) -> None:
    lab.site("shop.test")
    with pytest.raises(LabError, match=r"seen a second 'SHOP.test.'"):
        lab.site("SHOP.test.")


def test_an_unknown_site_is_refused_with_those_that_there_are(lab: Lab) -> None:
    with pytest.raises(LabError, match=r"there are: none.*lab\.site makes one; seen 'x.test'"):
        lab.site_of("x.test")
    lab.site("shop.test")
    with pytest.raises(LabError, match=r"there are: shop\.test"):
        lab.site_of("x.test")
