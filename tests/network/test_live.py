"""The live network: what servers send instead of HTTP, as Chromium 156 was seen to take it, within bounds."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from hstssim.errors import HSTSSimError, MissingExtra
from hstssim.lab import Lab
from hstssim.network import LiveNetwork, NetError, Request, Response

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
H = b"HTTP/1.1 "
END = b"Content-Length: 0\r\n\r\n"

# What a server says, and what Chromium made of it: a status and the field X, or an error.
SAID: dict[str, tuple[bytes, int | str, str | None]] = {
    "plain": (H + b"200 OK\r\nX: 1\r\n" + END, 200, "1"),
    "white space about a value": (H + b"302 F\r\nX:  \t1 \t\r\n" + END, 302, "1"),
    "a folded line": (H + b"200 F\r\nX: 1\r\n  2\r\n" + END, 200, "1 2"),
    "a blank before the colon": (H + b"200 F\r\nX : 1\r\n" + END, 200, "1"),
    "a line without a colon": (H + b"200 F\r\nblah blah\r\nX: 1\r\n" + END, 200, "1"),
    "lines that end with LF": (H + b"200 F\nX: 1\nContent-Length: 0\n\n", 200, "1"),
    "a thousand fields": (H + b"200 F\r\n" + b"Y: y\r\n" * 1000 + b"X: 1\r\n" + END, 200, "1"),
    "a long field": (H + b"200 F\r\nY: " + b"y" * 200_000 + b"\r\nX: 1\r\n" + END, 200, "1"),
    "a head that is too big": (
        H + b"200 F\r\nY: " + b"y" * 300_000 + b"\r\n" + END,
        "ERR_RESPONSE_HEADERS_TOO_BIG",
        "",
    ),
    "a zero byte": (H + b"200 F\r\nX: a\0b\r\n" + END, "ERR_INVALID_HTTP_RESPONSE", ""),
    "nothing": (b"", "ERR_EMPTY_RESPONSE", ""),
    "HTTP/1.0": (b"HTTP/1.0 200 F\r\nX: 1\r\n\r\n", 200, "1"),
    "HTTP/9.9": (b"HTTP/9.9 200 F\r\nX: 1\r\n" + END, 200, "1"),
    "white space first": (b"  HTTP/1.1 200 F\r\nX: 1\r\n" + END, 200, "1"),
    "a line of junk first": (b"xx\r\nHTTP/1.1 200 F\r\nX: 1\r\n" + END, 200, "1"),
    "an informational answer first": (H + b"103 E\r\nX: 2\r\n\r\n" + H + b"200 F\r\nX: 1\r\n" + END, 200, "1"),
    "a switch of protocols": (H + b"101 S\r\nUpgrade: x\r\n\r\n", "ERR_EMPTY_RESPONSE", ""),
    "a head without an end": (H + b"302 F\r\nX: 1\r\n", 302, "1"),
    "no reason": (H + b"200\r\nX: 1\r\n" + END, 200, "1"),
    "garbage": (b"garbage\r\n\r\n", 200, None),
    "HTTP/0.9": (b"<html>hi</html>", 200, None),
    "SSH": (b"SSH-2.0-OpenSSH\r\n", 200, None),
    "status 999": (H + b"999 F\r\nX: 1\r\n" + END, 999, "1"),
}


class Server(socketserver.ThreadingTCPServer):
    """Says `said` to each request; None says nothing and waits."""

    daemon_threads = True
    said: bytes | None = b""
    drip = 0.0

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients break off as they like."""


class Handler(socketserver.BaseRequestHandler):
    server: Server
    request: socket.socket

    def handle(self) -> None:
        self.request.recv(65536)
        if self.server.said is None:
            self.request.recv(1)
            return
        if self.server.drip:
            while True:
                self.request.sendall(b"X")
                time.sleep(self.server.drip)
        self.request.sendall(self.server.said)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(server: Server, url: str = "http://any.test/", timeout: float = 20.0) -> Response | NetError:
    address = ("127.0.0.1", int(server.server_address[1]))
    with LiveNetwork(proxy="", timeout=timeout, connect_to=lambda host, port: address) as network:
        return network.send(Request("GET", url))


@pytest.mark.parametrize("name", SAID)
def test_what_a_server_says_is_taken_as_chromium_takes_it(server: Server, name: str) -> None:
    server.said, expected, field = SAID[name]
    answer = ask(server)
    if isinstance(expected, str):
        assert isinstance(answer, NetError)
        assert answer.name == expected
    else:
        assert isinstance(answer, Response)
        assert (answer.status, answer.header("X")) == (expected, field)


def test_what_is_no_http_is_an_error_at_another_port(server: Server) -> None:
    server.said = b"SSH-2.0-OpenSSH\r\n"
    answer = ask(server, "http://any.test:8080/")
    assert isinstance(answer, NetError)
    assert answer.name == "ERR_INVALID_HTTP_RESPONSE"


def test_what_is_no_tls_is_an_error(server: Server) -> None:
    server.said = H + b"200 OK\r\n" + END
    answer = ask(server, "https://any.test/")
    assert isinstance(answer, NetError)
    assert answer.name == "ERR_SSL_PROTOCOL_ERROR"


@pytest.mark.parametrize("drip", [0.0, 0.02])
def test_a_server_that_says_nothing_or_little_is_given_up(server: Server, drip: float) -> None:
    server.said, server.drip = (b"x" if drip else None), drip
    answer = ask(server, timeout=0.3)
    assert isinstance(answer, NetError)
    assert answer.name == "ERR_TIMED_OUT"


def test_a_body_is_read_no_further_than_its_beginning(server: Server) -> None:
    server.said = H + b"200 OK\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 3_000_000
    answer = ask(server)
    assert isinstance(answer, Response)
    assert (len(answer.body), answer.complete) == (1024 * 1024, False)


@pytest.mark.parametrize("body", [b"Content-Length: 30\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc"])
def test_a_body_that_breaks_off_is_shown_as_far_as_it_came(server: Server, body: bytes) -> None:
    server.said = H + b"200 OK\r\n" + body
    answer = ask(server)
    assert isinstance(answer, Response)
    assert (answer.body[:3], answer.complete) == (b"abc"[: len(answer.body)], False)


FAULTS = {
    "expired": "ERR_CERT_DATE_INVALID",
    "not-yet-valid": "ERR_CERT_DATE_INVALID",
    "wrong-name": "ERR_CERT_COMMON_NAME_INVALID",
    "self-signed": "ERR_CERT_AUTHORITY_INVALID",
    "unknown-issuer": "ERR_CERT_AUTHORITY_INVALID",
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_certificates_fault_is_named(kind: str) -> None:
    with Lab() as lab, LiveNetwork(ca_file=lab.ca_file, proxy=lab.proxy_url) as network:
        lab.site("shop.test", certificate=kind)
        answer = network.send(Request("GET", "https://shop.test/"))
        assert isinstance(answer, NetError)
        assert (answer.name, answer.fault) == (FAULTS[kind], kind)
        assert lab.requests == []
        unverified = network.send(Request("GET", "https://shop.test/"), verify=False)
        assert isinstance(unverified, Response)
        assert not unverified.verified


def test_a_good_certificate_is_verified_and_a_connection_is_kept() -> None:
    with Lab() as lab, LiveNetwork(ca_file=lab.ca_file, proxy=lab.proxy_url) as network:
        lab.site("shop.test")
        for _ in range(2):
            answer = network.send(Request("POST", "https://shop.test/a?b#c", (("X", "é"),), b"text"))
            assert isinstance(answer, Response)
            assert answer.verified
        assert [(request.url, request.body_size) for request in lab.requests] == [("https://shop.test/a?b", 4)] * 2
        assert len({request.connection.number for request in lab.requests}) == 1


def test_the_environment_may_name_the_proxy_and_the_authority(monkeypatch: pytest.MonkeyPatch) -> None:
    with Lab() as lab:
        lab.site("shop.test")
        for name, value in lab.client_env().items():
            monkeypatch.setenv(name, value)
        with LiveNetwork() as network:
            answer = network.send(Request("GET", "https://shop.test/"))
        assert isinstance(answer, Response)


def test_refused_connections_proxies_and_tls_have_chromes_names() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with LiveNetwork(proxy="") as network:
        refused = network.send(Request("GET", f"http://127.0.0.1:{port}/"))
    with LiveNetwork(proxy=f"http://127.0.0.1:{port}") as network:
        no_proxy = network.send(Request("GET", "http://shop.test/"))
    with Lab() as lab, LiveNetwork(ca_file=lab.ca_file, proxy=lab.proxy_url) as network:
        lab.site("shop.test", refuse_tls=True)
        no_tls = network.send(Request("GET", "https://shop.test/"))
        no_tunnel = network.send(Request("GET", "https://nowhere.test/"))
    assert [
        answer.name if isinstance(answer, NetError) else answer
        for answer in (refused, no_proxy, no_tls, no_tunnel)
    ] == [
        "ERR_CONNECTION_REFUSED",
        "ERR_PROXY_CONNECTION_FAILED",
        "ERR_SSL_VERSION_OR_CIPHER_MISMATCH",
        "ERR_TUNNEL_CONNECTION_FAILED",
    ]


def test_what_a_network_cannot_use_is_refused() -> None:
    cases: list[dict[str, Any]] = [{"proxy": "socks5://127.0.0.1"}, {"ca_file": "/nonexistent"}, {"timeout": 0}]
    for options in cases:
        with pytest.raises(HSTSSimError, match="seen"):
            LiveNetwork(**options)


def test_an_unverified_context_is_never_the_verified_one() -> None:
    network = LiveNetwork(proxy="")
    assert network._context(True).verify_mode == ssl.CERT_REQUIRED
    assert network._context(False).verify_mode == ssl.CERT_NONE


def test_what_stands_where_urllib3_was_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """urllib3.future installs itself as urllib3, and has none of http.client's connections."""
    monkeypatch.setattr("hstssim.network.live.HTTPConnection", object)
    with pytest.raises(MissingExtra, match=r"live connections take urllib3; seen urllib3\.future"):
        LiveNetwork()
