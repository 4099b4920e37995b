"""What reached the lab: each connection, each request, each handshake that failed, in the order in which it came.

A log is what a client did, not what it said it did. Reading it waits until the server has dealt with every byte
that had arrived. Never here: whether a client behaved (`plaintext.py` says it of one clause).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from hstssim.errors import short
from hstssim.script import Kind

DEFAULT_PORTS = {"http": 80, "https": 443}


class HandshakeFailure(NamedTuple):
    """A TLS handshake that came to nothing: often a client that rightly refused the certificate.

    Some clients shake hands first and judge then (wget; curl where the name is wrong): they leave a connection
    with a certificate and without a request.
    """

    time: float
    """POSIX seconds of the lab's clock."""
    sni: str | None
    certificate: Kind | None
    """What was presented, None if it did not come so far."""
    reason: str
    """OpenSSL's word for it (`TLSV1_ALERT_UNKNOWN_CA`: the client said so), or `refused`, `timeout`, or `closed`:
    so do clients of Python's asyncio, whatever the fault."""
    message: str


@dataclass(slots=True, eq=False)
class Connection:
    """One connection; the server fills it in while it lasts."""

    number: int
    time: float
    """POSIX seconds of the lab's clock."""
    listener: str
    """`http` or `https`, whichever port it came to; both understand everything."""
    tls: bool | None = None
    """Whether the client began with TLS, None if it said nothing."""
    sni: str | None = None
    """The name in the ClientHello (RFC 6066 §3)."""
    certificate: Kind | None = None
    """What kind of certificate was presented."""
    tls_version: str | None = None
    tunnel: tuple[str, int] | None = None
    """The name and port of a CONNECT."""
    failure: HandshakeFailure | None = None
    errors: list[str] = field(default_factory=list)
    """Malformed requests and records, time-outs."""
    requests: int = 0
    """How many came."""
    closed: bool = False


@dataclass(slots=True, eq=False, repr=False)
class Request:
    """One request, noted when its head has arrived; its body may still come."""

    time: float
    """POSIX seconds of the lab's clock."""
    plaintext: bool
    """Whether anyone on the way could read it: not over TLS, or asked of a proxy with an http URL."""
    host: str
    """As a browser shows it."""
    port: int
    """The port that the client asked for, as far as it said so: that of CONNECT, URL or Host, else the default."""
    method: str
    target: str
    """Path and query."""
    headers: tuple[tuple[str, str], ...]
    """Names as sent, repeated fields apart, in order."""
    site: str | None
    """The name of the site that answered, None if there is none."""
    connection: Connection
    log: Log
    status: int | None = None
    """What was answered, None if the connection was dropped instead."""
    sts: tuple[str, ...] = ()
    """The Strict-Transport-Security fields of the answer."""
    body_size: int = 0
    """Bytes that have arrived."""

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return "http" if self.plaintext else "https"

    @property
    def url(self) -> str:
        """What the client asked for; `host:port` for a CONNECT."""
        if self.method == "CONNECT":
            return self.target
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        path = self.target.removeprefix("*")  # OPTIONS of the whole server (RFC 9112 §3.2.4)
        return f"{self.scheme}://{self.host}{port}{path}"

    @property
    def sni(self) -> str | None:
        """The name in the ClientHello."""
        return self.connection.sni

    @property
    def certificate(self) -> Kind | None:
        """What kind of certificate was presented."""
        return self.connection.certificate

    def values(self, name: str) -> list[str]:
        """The values of each field of that name."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def __repr__(self) -> str:
        return f"<{self.method} {short(self.url)[1:-1]}{' in the clear' if self.plaintext else ''}>"


class Log:
    """What reached the lab.

    Args:
        clock: gives POSIX seconds; None means `time.time`, looked up at each call.
        catch_up: waits until the server has dealt with what had arrived.
    """

    def __init__(self, clock: Callable[[], float] | None, catch_up: Callable[[], None]) -> None:
        self.clock = clock
        self._catch_up = catch_up
        self._connections: list[Connection] = []
        self._requests: list[Request] = []
        self._count = 0
        self.listener: Callable[[Request | Connection], None] | None = None
        """Told, in the server's thread, of each request, and of each connection that ended without one."""

    def now(self) -> float:
        """The lab's time in POSIX seconds."""
        return time.time() if self.clock is None else self.clock()

    @property
    def connections(self) -> list[Connection]:
        """Every connection."""
        self._catch_up()
        return list(self._connections)

    @property
    def requests(self) -> list[Request]:
        """Every request."""
        self._catch_up()
        return list(self._requests)

    @property
    def handshake_failures(self) -> list[HandshakeFailure]:
        """Every handshake that came to nothing."""
        return [connection.failure for connection in self.connections if connection.failure]

    @property
    def errors(self) -> list[str]:
        """Everything that was malformed, or took too long."""
        return [error for connection in self.connections for error in connection.errors]

    def clear(self) -> None:
        """Forget everything."""
        self._catch_up()
        self._connections.clear()
        self._requests.clear()

    # The server's side: called in its thread alone, and appending to a list is atomic.

    def connect(self, listener: str) -> Connection:
        """Note a connection."""
        self._count += 1
        connection = Connection(self._count, self.now(), listener)
        self._connections.append(connection)
        return connection

    def request(self, request: Request) -> None:
        """Note a request."""
        self._requests.append(request)
        request.connection.requests += 1
        if self.listener is not None:
            self.listener(request)

    def close(self, connection: Connection) -> None:
        """Note that a connection has ended."""
        connection.closed = True
        if self.listener is not None and not connection.requests and connection.tls is not None:
            self.listener(connection)


def assert_no_plaintext(requests: Sequence[Request], whom: str) -> None:
    """Fail if a request travelled in the clear (RFC 6797 §8.3).

    Raises:
        AssertionError: one did; it says what was required, expected and seen.
    """
    seen = [request for request in requests if request.plaintext]
    if seen:
        from hstssim.lab.plaintext import report

        raise AssertionError("\n".join(report(seen, whom)))
