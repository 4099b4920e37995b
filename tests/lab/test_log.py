"""The log: what travelled, when, and the message of a failed claim."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from hstssim.lab import Lab

if TYPE_CHECKING:
    from tests.conftest import Clock
    from tests.lab.conftest import Dial, Get, Say


def test_a_request_is_noted_with_all_that_it_said(lab: Lab, say: Say) -> None:
    shop = lab.site("shop.test", certificate="wildcard")
    say(
        b"POST /login?a=1 HTTP/1.1\r\nHost: Cart.Shop.Test:8443\r\nX-B: 1\r\nx-b: 2\r\n"
        b"Content-Length: 3\r\nConnection: close\r\n\r\nabc",
        "cart.shop.test",
    )
    [request] = shop.requests
    assert (request.method, request.target, request.body_size) == ("POST", "/login?a=1", 3)
    assert (request.host, request.port, request.scheme) == ("cart.shop.test", 8443, "https")
    assert request.url == "https://cart.shop.test:8443/login?a=1"
    assert (request.sni, request.certificate, request.plaintext) == ("cart.shop.test", "wildcard", False)
    assert request.headers[0] == ("Host", "Cart.Shop.Test:8443")
    assert request.values("x-B") == ["1", "2"]
    assert (request.site, request.status) == ("shop.test", 200)
    assert request.connection.tls_version == "TLSv1.3"
    assert repr(request) == "<POST https://cart.shop.test:8443/login?a=1>"


def test_times_are_those_of_the_labs_clock(timed_lab: Lab, clock: Clock) -> None:
    from http.client import HTTPConnection

    timed_lab.site("shop.test")
    for step in (0, 31_536_000):
        clock.now += step
        connection = HTTPConnection("127.0.0.1", timed_lab.http_port)
        connection.request("GET", "/", headers={"Host": "shop.test"})
        response = connection.getresponse()
        response.read()
        connection.close()
    assert [request.time for request in timed_lab.requests] == [1_800_000_000, 1_831_536_000]
    assert [connection.time for connection in timed_lab.log.connections] == [1_800_000_000, 1_831_536_000]
    assert response.getheader("Date") == "Sat, 15 Jan 2028 08:00:00 GMT"


def test_reading_the_log_waits_for_what_was_sent(lab: Lab, dial: Dial) -> None:
    shop = lab.site("shop.test")
    for number in range(50):
        dial().sendall(f"GET /{number} HTTP/1.1\r\nHost: shop.test\r\n\r\n".encode())  # and listens to no answer
        assert len(shop.plaintext_requests) == number + 1


def test_a_connection_that_says_nothing_is_noted(lab: Lab, dial: Dial) -> None:
    dial().close()
    [connection] = lab.log.connections
    assert (connection.tls, connection.closed, connection.errors) == (None, True, [])
    assert lab.requests == []


@pytest.mark.parametrize("name", [None, "nobody.test"], ids=["plaintext", "TLS"])
def test_a_name_without_a_site_is_answered_with_the_fix(lab: Lab, say: Say, name: str | None) -> None:
    lab.site("shop.test")
    heard = say(b"GET / HTTP/1.1\r\nHost: nobody.test\r\nConnection: close\r\n\r\n", name)
    assert heard.startswith(b"HTTP/1.1 421 ")
    assert b"lab.site('nobody.test')" in heard
    [request] = lab.unknown_requests
    assert (request.site, request.host, request.status) == (None, "nobody.test", 421)
    lab.assert_no_plaintext()


def test_no_plaintext_is_no_failure(lab: Lab, get: Get) -> None:
    shop = lab.site("shop.test", sts="max-age=1")
    get("https://shop.test/")
    lab.assert_no_plaintext()
    shop.assert_no_plaintext()
    assert shop.plaintext_requests == []


def test_clearing_the_log_keeps_sites_and_connections(lab: Lab, dial: Dial) -> None:
    shop = lab.site("shop.test")
    sock = dial()
    sock.sendall(b"GET /before HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    sock.recv(1000)
    lab.log.clear()
    sock.sendall(b"GET /after HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    assert [request.target for request in shop.requests] == ["/after"]


def test_reset_gives_a_new_lab_at_the_old_ports(lab: Lab, dial: Dial, get: Get) -> None:
    lab.site("shop.test", certificate="expired")
    sock = dial()
    sock.sendall(b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    assert sock.recv(1000)
    ports, authority = (lab.http_port, lab.https_port), lab.ca_file
    lab.reset()
    assert sock.recv(1000) == b""
    assert (lab.sites, lab.requests, lab.log.connections) == ([], [], [])
    assert (lab.http_port, lab.https_port) == ports
    assert lab.ca_file == authority
    lab.site("shop.test")
    assert get("https://shop.test/").status == 200


def test_the_log_may_be_read_while_it_is_written(lab: Lab, get: Get) -> None:
    shop = lab.site("shop.test")
    wrong: list[BaseException] = []

    def read() -> None:
        try:
            counts = [len(shop.requests) for _ in range(30)]
            assert counts == sorted(counts)
        except BaseException as error:
            wrong.append(error)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for _ in range(30):
        get("http://shop.test/")
    for reader in readers:
        reader.join()
    assert wrong == []
    assert len(shop.requests) == 30
