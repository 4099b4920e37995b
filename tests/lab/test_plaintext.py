"""What a failure says of requests in the clear: the requirement, what was expected, what was seen, and why."""

from __future__ import annotations

import ssl
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from hstssim.lab import Lab

if TYPE_CHECKING:
    from tests.conftest import Clock
    from tests.lab.conftest import Say

STS = "max-age=31536000; includeSubDomains"


def ask(url: str) -> None:
    """A client that knows nothing of HSTS and heeds no certificate."""
    context = ssl._create_unverified_context()  # noqa: S323
    with urllib.request.urlopen(url, timeout=10, context=context) as response:
        response.read()


def test_a_failure_says_requirement_expectation_and_what_was_seen(timed_lab: Lab) -> None:
    shop = timed_lab.site("shop.test", sts=STS)
    timed_lab.site("news.test")
    with timed_lab.in_process():
        ask("http://news.test/today")
        ask("https://shop.test/")
        ask("http://cart.shop.test/item/1")
    with pytest.raises(AssertionError) as caught:
        timed_lab.assert_no_plaintext()
    assert str(caught.value).splitlines() == [
        "RFC 6797 §8.3: the URL of a Known HSTS Host becomes https before anything is sent.",
        "Expected: no plaintext request to any site of the lab.",
        "Seen: 2 plaintext requests.",
        "  GET http://news.test/today  at 2027-01-15T08:00:00Z",
        "    nothing had told the client before: it learns over error-free TLS only (§8.1)",
        "  GET http://cart.shop.test/item/1  at 2027-01-15T08:00:00Z",
        f"    shop.test was known: https://shop.test/ had answered Strict-Transport-Security: {STS}",
    ]
    with pytest.raises(AssertionError, match=r"request to shop\.test\.\nSeen: 1 plaintext request\.\n"):
        shop.assert_no_plaintext()
    assert repr(shop.plaintext_requests) == "[<GET http://cart.shop.test/item/1 in the clear>]"


@pytest.mark.parametrize(
    ("site", "visits", "said"),
    [
        pytest.param({"sts": STS}, ["https://shop.test/"], "shop.test was known: https", id="known"),
        pytest.param({"sts": STS}, ["https://shop.test./"], "nothing had told", id="another name, by its dot"),
        pytest.param({"sts": STS}, ["http://shop.test/"], "nothing had told the client", id="heard in the clear"),
        pytest.param({}, ["https://shop.test/"], "nothing had told the client", id="no policy"),
        pytest.param({"sts": STS}, ["https://below.shop.test/"], "nothing had told", id="told by a subdomain"),
        pytest.param(
            {"sts": "max-age=900"},
            ["https://shop.test/"],
            "but a superdomain is a Known",
            id="no includeSubDomains",
        ),
        pytest.param({"sts": "max-age=9; includeSubDomains"}, ["https://shop.test/"], "expired", id="expired"),
        pytest.param({"sts": "max-age=0"}, ["https://shop.test/"], "max-age=0 says to forget it", id="forget it"),
        pytest.param(
            {"sts": "max-age=x"},
            ["https://shop.test/"],
            "but 'x' is not a whole number of seconds",
            id="not a header",
        ),
        pytest.param(
            {"sts": ("max-age=0", STS)}, ["https://shop.test/"], "max-age=0 says", id="only the first field counts"
        ),
        pytest.param(
            {"sts": STS, "certificate": "expired"}, ["https://shop.test/"], "certificate had an error", id="fault"
        ),
        pytest.param(
            {"sts": STS, "certificate": "wildcard"}, ["https://shop.test/"], "was known", id="a wildcard is none"
        ),
        pytest.param(
            {"sts": STS, "certificate": "wildcard"},
            ["https://a.a.cart.shop.test/"],
            "nothing had told",
            id="a wildcard covers one label",
        ),
    ],
)
def test_a_failure_says_what_the_client_had_been_told(
    timed_lab: Lab, clock: Clock, site: dict[str, Any], visits: list[str], said: str
) -> None:
    timed_lab.site("shop.test", **site)
    with timed_lab.in_process():
        for url in visits:
            ask(url)
        clock.now += 100
        ask("http://cart.shop.test/")
    with pytest.raises(AssertionError) as caught:
        timed_lab.assert_no_plaintext()
    assert said in str(caught.value).splitlines()[-1]


def test_what_a_fault_said_does_not_hide_what_was_known(timed_lab: Lab) -> None:
    shop = timed_lab.site("shop.test", sts=STS)
    with timed_lab.in_process():
        ask("https://shop.test/")
        shop.certificate = "expired"
        ask("https://shop.test/again")
        ask("http://shop.test/")
    with pytest.raises(AssertionError, match=r"shop\.test was known: https://shop\.test/ had"):
        timed_lab.assert_no_plaintext()


def test_a_host_with_a_dot_may_be_known_too(timed_lab: Lab) -> None:
    timed_lab.site("shop.test", sts=STS)
    with timed_lab.in_process():
        ask("https://shop.test./")
        ask("http://shop.test./")
    with pytest.raises(AssertionError, match=r"was known: https://shop\.test\./ had"):
        timed_lab.assert_no_plaintext()


def test_a_request_of_the_whole_server_has_a_url_too(lab: Lab, say: Say) -> None:
    shop = lab.site("shop.test")
    say(b"OPTIONS * HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
    assert [request.url for request in shop.requests] == ["http://shop.test"]
    with pytest.raises(AssertionError, match="nothing had told"):
        shop.assert_no_plaintext()


def test_a_long_list_is_cut_short(lab: Lab, say: Say) -> None:
    shop = lab.site("shop.test")
    say(b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n" * 29 + b"GET / HTTP/1.0\r\nHost: shop.test\r\n\r\n")
    with pytest.raises(AssertionError, match=r"Seen: 30 plaintext requests[^$]*and 20 more\Z"):
        shop.assert_no_plaintext()
