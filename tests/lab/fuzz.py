"""Nonsense for the lab, and the clients that say it: `python -m tests.lab.fuzz --count 20000 --seed 7`.

`ATTACKS` draws what `attack` does. What must hold of it is in `test_fuzz.py`, which draws fewer.
"""

from __future__ import annotations

import argparse
import socket
import ssl
import struct
import sys
from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol, TypeVar, get_args

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from hstssim.lab import Lab

Layer = Literal["TLS", "CONNECT"]
T = TypeVar("T")
End = Literal["close", "half-close", "reset", "goodbye"]
GOOD = b"GET /good HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n"
REFUSED = (b"400", b"403", b"414", b"421", b"431", b"501")


class Attack(NamedTuple):
    layers: list[Layer]
    """What is agreed on first, the outermost first."""
    pieces: list[bytes]
    below: bool
    """Whether the pieces go into the socket itself, past all layers."""
    end: End


# ── HTTP

_methods = st.sampled_from(b"GET HEAD POST CONNECT OPTIONS PRI get G\0T G(T".split(b" ")) | st.binary(max_size=5)
_authorities = st.sampled_from(
    b"shop.test shop.test:80 shop.test:99999 :80 shop.test: [::1]:443 [::1 [] 127.0.0.1:1 localhost:22 "
    b"me@shop.test a..b xn--a -a- \xff\xfe.test shop.test\0 %73hop.test shop.test:8\xb2 0x7f.1 @ *".split(b" ")
) | st.integers(1, 70_000).map(lambda size: b"a." * (size // 2) + b"test")
_targets = st.one_of(
    st.sampled_from(
        b"/ * /a?b=c // http:// http:/// HTTP://shop.test https://shop.test/x ftp://shop.test/".split()
    ),
    _authorities,
    _authorities.map(lambda name: b"http://" + name + b"/x"),
    st.binary(max_size=20),
)
_versions = st.sampled_from(b"HTTP/1.1 HTTP/1.0 HTTP/2.0 HTTP/1.11 HTTP/9 http/1.1 HTTP".split()) | st.just(b"")
_fields = st.one_of(
    _authorities.map(lambda name: b"Host: " + name),
    st.integers(-1, 40).map(lambda size: b"Content-Length: %d" % size),
    st.sampled_from(
        [
            *(b"Content-Length: " + value for value in (b"", b"1, 1", b"1, 2", b"0x1", b"9" * 5000, b"+1")),
            *(b"Transfer-Encoding: " + value for value in (b"chunked", b"gzip", b"chunked, chunked", b"")),
            *(b"Connection: " + value for value in (b"close", b"keep-alive", b"upgrade")),
            b"Expect: 100-continue",
            b"Upgrade: h2c",
            b" folded",
            b"no colon",
            b": no name",
            b"na me: x",
            b"X: a\0b",
            b"X: " + b"x" * 70_000,
        ]
    ),
    st.binary(max_size=20),
)
_bodies = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"5\r\nhello\r\n0\r\n\r\n", b"zz\r\n", b"-1\r\n", b"5\r\nhell", b"0\r\nTrailer: x\r\n\r\n"]),
    st.sampled_from([b"f" * 40 + b"\r\n", b"5;" + b"e" * 70_000, b"1\r\naXX"]),
)


@st.composite
def _requests(draw: st.DrawFn) -> bytes:
    ends = st.sampled_from([b"\r\n"] * 8 + [b"\n", b"\r", b"\0"])
    first = b" ".join((draw(_methods), draw(_targets), draw(_versions)))
    host = draw(st.sampled_from([[b"Host: shop.test"]] * 3 + [[]]))
    lines = [first, *host, *draw(st.lists(_fields, max_size=4)), b""]
    return b"".join(line + draw(ends) for line in lines) + draw(_bodies)


_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
_http = st.one_of(
    _requests(),
    _requests().flatmap(lambda whole: st.integers(0, len(whole)).map(lambda size: whole[:size])),
    st.sampled_from([_PREFACE, GOOD, GOOD.replace(b"Connection: close\r\n", b"") * 50, b"\r\n" * 100, b"\0" * 99]),
    st.binary(max_size=100),
)


# ── TLS


def hello(name: bytes, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> bytes:
    """A ClientHello as OpenSSL makes it; any bytes as the name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = version
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="x" * min(len(name), 60) or "x")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read().replace(b"x" * min(len(name), 60), name[:60]) if name else outgoing.read()


def long_hello(name: bytes) -> bytes:
    """A ClientHello whose name has any length, in records of at most 16 KB."""
    entry = struct.pack(">BH", 0, len(name) & 0xFFFF) + name
    names = struct.pack(">H", len(entry) & 0xFFFF) + entry
    extensions = struct.pack(">HH", 0, len(names) & 0xFFFF) + names
    body = b"\3\3" + bytes(32) + b"\0" + b"\0\2\x13\1" + b"\1\0" + struct.pack(">H", len(extensions) & 0xFFFF)
    body += extensions
    message = b"\1" + len(body).to_bytes(3) + body
    parts = (message[at : at + 16384] for at in range(0, len(message), 16384))
    return b"".join(b"\x16\3\1" + struct.pack(">H", len(part)) + part for part in parts)


@st.composite
def _records(draw: st.DrawFn) -> bytes:
    payload = draw(st.binary(max_size=60))
    kind = draw(st.sampled_from([20, 21, 22, 22, 22, 23, 24]) | st.integers(0, 255))
    size = draw(st.just(len(payload)) | st.integers(0, 0xFFFF))
    version = draw(st.sampled_from([b"\3\1", b"\3\3"]) | st.binary(min_size=2, max_size=2))
    return bytes([kind]) + version + struct.pack(">H", size) + payload


@st.composite
def _broken_hellos(draw: st.DrawFn) -> bytes:
    whole = bytearray(draw(st.sampled_from(_HELLOS)))
    for _ in range(draw(st.integers(0, 3))):
        whole[draw(st.integers(0, min(len(whole) - 1, 600)))] = draw(st.integers(0, 255))
    return bytes(whole[: draw(st.just(len(whole)) | st.integers(0, len(whole)))])


_HELLOS = [
    *(hello(name) for name in (b"shop.test", b"", b"\xff" * 9, b"sh\0p.test", b"127.0.0.1", b"a..b", b"-" * 60)),
    hello(b"shop.test", ssl.TLSVersion.TLSv1_2),
    *(long_hello(b"a" * size) for size in (0, 254, 4000, 65_000, 200_000)),
]
_ALERT, _CHANGE = b"\x15\3\3\0\2\1\x5a", b"\x14\3\3\0\1\1"
_tls = st.one_of(
    _records(),
    _broken_hellos(),
    st.tuples(st.sampled_from(_HELLOS), _records()).map(b"".join),
    st.sampled_from([b"\x80\x2e\1\0\2\0\x15\0\0\0\x10" + bytes(37), _ALERT * 200, _CHANGE * 200, _HELLOS[0] * 20]),
    st.sampled_from([_HELLOS[0] + _ALERT * 50, _HELLOS[0] + _CHANGE * 50, b"\x17\3\3\0\0" * 200]),
)

_DEEP: list[Layer] = ["TLS", "CONNECT"] * 6
_layers = st.lists(st.sampled_from(_DEEP[:2]), max_size=3) | st.just(_DEEP)
ATTACKS = st.builds(
    Attack, _layers, st.lists(_http | _tls, max_size=3), st.booleans(), st.sampled_from(get_args(End))
)


# ── the client


class Wire(Protocol):
    def sendall(self, data: bytes, /) -> object: ...
    def recv(self, size: int, /) -> bytes: ...


class Inside:
    """TLS inside whatever carries bytes."""

    def __init__(self, below: Wire, context: ssl.SSLContext) -> None:
        self._below = below
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="shop.test")
        self._pump(self._tls.do_handshake)

    def sendall(self, data: bytes) -> None:
        self._pump(lambda: self._tls.write(data))

    def recv(self, size: int) -> bytes:
        try:
            return self._pump(lambda: self._tls.read(size))
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return b""

    def goodbye(self) -> None:
        self._pump(self._tls.unwrap)

    def _pump(self, step: Callable[[], T]) -> T:
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                self._flush()
                data = self._below.recv(65536)
                if data:
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
            else:
                self._flush()
                return done

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self._below.sendall(data)


def attack(lab: Lab, context: ssl.SSLContext, what: Attack) -> bytes:
    """Do it, and give what was heard in the end, inside of all layers."""
    with socket.create_connection(("127.0.0.1", lab.http_port), timeout=10) as sock:
        try:
            return _attack(sock, context, what)
        except TimeoutError:
            raise  # the lab neither answers nor closes
        except (OSError, EOFError):
            return b""


def _attack(sock: socket.socket, context: ssl.SSLContext, what: Attack) -> bytes:
    wire: Wire = sock
    for layer in what.layers:
        if layer == "TLS":
            wire = Inside(wire, context)
        else:
            wire.sendall(b"CONNECT shop.test:443 HTTP/1.1\r\nHost: shop.test:443\r\n\r\n")
            if not wire.recv(1000).startswith(b"HTTP/1.1 200"):
                raise EOFError
    for piece in what.pieces:
        (sock if what.below else wire).sendall(piece)
    if what.end == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return b""
    if what.end == "goodbye" and isinstance(wire, Inside):
        wire.goodbye()
    if what.end == "half-close":
        sock.shutdown(socket.SHUT_WR)
        heard = b""
        while data := wire.recv(65536):
            heard += data
        return heard
    return b""


def verdict(lab: Lab, context: ssl.SSLContext, what: Attack) -> None:
    """What must hold after an attack, whatever it was.

    Raises:
        AssertionError: it does not.
    """
    heard = attack(lab, context, what)
    with socket.create_connection(("127.0.0.1", lab.http_port), timeout=10) as sock:
        sock.sendall(GOOD)
        assert sock.recv(1000).startswith(b"HTTP/1.1 200 OK"), "the next client is served"
    errors = lab.log.errors
    assert not [error for error in errors if error.startswith("the lab failed")], errors
    status = heard[9:12] if heard.startswith(b"HTTP/1.1 ") else b""
    assert status in (b"", b"100", b"200", *REFUSED), heard[:200]
    if status in (b"400", b"414", b"431", b"501"):
        assert errors, "it is noted"
    lab.log.clear()


def main() -> None:
    parser = argparse.ArgumentParser(description="Say nonsense to a lab, and see that it serves the next client.")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    done = 0
    with Lab(idle_timeout=5) as lab:
        lab.site("shop.test")
        context = lab.ssl_context()

        @seed(options.seed)
        @settings(
            max_examples=options.count, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(ATTACKS)
        def fuzz(what: Attack) -> None:
            nonlocal done
            done += 1
            if done % 100 == 0 and sys.stderr.isatty():
                print(f"\r{done:,} of {options.count:,}", end="", file=sys.stderr, flush=True)
            verdict(lab, context, what)

        fuzz()
    print(f"{done:,} attacks, seed {options.seed}: the lab served every client that came after")


if __name__ == "__main__":
    main()
