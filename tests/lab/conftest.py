"""A lab for each test, and the smallest clients that can be: what they send is what was typed.

The tests of this folder may connect to 127.0.0.1 and to nothing else.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from hstssim.lab import Lab

if TYPE_CHECKING:
    from tests.conftest import Clock

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.allow_hosts(["127.0.0.1"]))


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(idle_timeout=5) as lab:
        yield lab


@pytest.fixture
def timed_lab(clock: Clock) -> Iterator[Lab]:
    """A lab whose log has the test's own clock."""
    with Lab(clock=clock) as lab:
        yield lab


class Got(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


def received(response: HTTPResponse) -> Got:
    return Got(response.status, response.getheaders(), response.read())


Get = Callable[..., Got]
Say = Callable[..., bytes]
Dial = Callable[..., socket.socket]


@pytest.fixture
def dial(lab: Lab) -> Iterator[Dial]:
    """A socket to a port of the lab; with a name, TLS that expects it."""
    opened: list[socket.socket] = []

    def connect(
        name: str | None = None, *, port: int | None = None, context: ssl.SSLContext | None = None
    ) -> socket.socket:
        if port is None:
            port = lab.http_port if name is None else lab.https_port
        sock = socket.create_connection(("127.0.0.1", port), timeout=10)
        opened.append(sock)
        if name is not None:
            sock = (context or lab.ssl_context()).wrap_socket(sock, server_hostname=name)
            opened.append(sock)
        return sock

    yield connect
    for sock in opened:
        sock.close()


@pytest.fixture
def say(dial: Dial) -> Say:
    """Send bytes, and give everything that comes back until the lab closes."""

    def send(data: bytes, name: str | None = None, *, port: int | None = None) -> bytes:
        sock = dial(name, port=port)
        sock.sendall(data)
        return everything(sock)

    return send


def everything(sock: socket.socket) -> bytes:
    heard = b""
    try:
        while data := sock.recv(65536):
            heard += data
    except ConnectionResetError:
        pass
    return heard


@pytest.fixture
def get(dial: Dial) -> Get:
    """One request to a site, over TLS unless the URL's scheme says otherwise."""

    def send(
        url: str, *, method: str = "GET", headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> Got:
        scheme, _, rest = url.partition("://")
        host, _, path = rest.partition("/")
        connection = HTTPConnection(host)
        connection.sock = dial(host if scheme == "https" else None)
        connection.request(method, f"/{path}", body, headers or {})
        return received(connection.getresponse())

    return send
