"""Both ports, plaintext and TLS: what is understood, what is refused, who is cut off."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

import pytest

from hstssim.lab import Lab
from hstssim.lab.machine import monotonic

if TYPE_CHECKING:
    from tests.lab.conftest import Dial, Get, Say

GET = b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("tls", [False, True], ids=["plaintext", "TLS"])
@pytest.mark.parametrize("listener", ["http", "https"])
def test_every_port_tells_tls_from_plaintext(lab: Lab, say: Say, listener: str, tls: bool) -> None:
    lab.site("shop.test")
    port = lab.http_port if listener == "http" else lab.https_port
    heard = say(LAST, "shop.test" if tls else None, port=port)
    assert heard.startswith(b"HTTP/1.1 200 OK")
    assert f"over {'https' if tls else 'http'}".encode() in heard
    [connection] = lab.log.connections
    assert (connection.listener, connection.tls) == (listener, tls)
    assert (connection.sni, connection.certificate) == (("shop.test", "valid") if tls else (None, None))
    [request] = lab.requests
    assert request.plaintext is not tls


def test_a_hello_may_come_in_small_pieces(lab: Lab, dial: Dial) -> None:
    lab.site("shop.test")
    sock = dial()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 100)
    with lab.ssl_context().wrap_socket(sock, server_hostname="shop.test") as secure:
        secure.sendall(LAST)
        assert secure.recv(1000).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("name", [None, "shop.test"], ids=["plaintext", "TLS"])
def test_a_connection_is_kept_and_requests_may_be_pipelined(lab: Lab, say: Say, name: str | None) -> None:
    shop = lab.site("shop.test")
    heard = say(GET * 20 + LAST, name)
    assert heard.count(b"HTTP/1.1 200 OK") == 21
    assert heard.endswith(f"/last over {'https' if name else 'http'}\n".encode())
    assert len(shop.requests) == 21
    assert len(lab.log.connections) == 1


def test_http_1_0_is_answered_and_closed(lab: Lab, say: Say) -> None:
    lab.site("shop.test")
    assert b"over http\n" in say(b"GET / HTTP/1.0\r\nHost: shop.test\r\n\r\n")


def test_http_1_0_without_host_goes_by_the_name_in_tls(lab: Lab, say: Say) -> None:
    shop = lab.site("shop.test")
    assert b"over https\n" in say(b"GET / HTTP/1.0\r\n\r\n", "shop.test")
    assert len(shop.requests) == 1


def test_a_body_is_counted_and_not_kept(lab: Lab, get: Get) -> None:
    shop = lab.site("shop.test")
    assert get("https://shop.test/", method="POST", body=b"x" * 3_000_000).status == 200
    [request] = shop.requests
    assert (request.method, request.body_size) == ("POST", 3_000_000)


def test_a_chunked_body_is_counted(lab: Lab, say: Say) -> None:
    shop = lab.site("shop.test")
    head = LAST.replace(b"GET", b"POST").replace(b"Connection", b"Transfer-Encoding: chunked\r\nConnection")
    say(head + b"5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n")
    assert shop.requests[0].body_size == 8


def test_a_request_is_in_the_log_before_its_body_has_come(lab: Lab, dial: Dial) -> None:
    shop = lab.site("shop.test")
    sock = dial()
    sock.sendall(b"POST /secret HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 100\r\n\r\nhalf")
    [request] = shop.plaintext_requests
    assert (request.target, request.body_size) == ("/secret", 4)


def test_a_client_that_expects_100_is_told_to_go_on(lab: Lab, dial: Dial) -> None:
    lab.site("shop.test")
    sock = dial("shop.test")
    sock.sendall(b"PUT / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
    sock.sendall(b"hi")
    assert sock.recv(1000).startswith(b"HTTP/1.1 200 OK")


def test_head_has_the_fields_of_get_and_no_body(lab: Lab, get: Get) -> None:
    lab.site("shop.test").on("/", body="twelve bytes")
    head, whole = get("https://shop.test/", method="HEAD"), get("https://shop.test/")
    assert (head.body, whole.body) == (b"", b"twelve bytes")
    assert head.values("Content-Length") == whole.values("Content-Length") == ["12"]


MALFORMED = {
    "no HTTP at all": b"\0\1\2\3 nonsense\r\n\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "a Host that is none": b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "user in Host": b"GET / HTTP/1.1\r\nHost: me@shop.test\r\n\r\n",
    "a port too high": b"GET / HTTP/1.1\r\nHost: shop.test:70000\r\n\r\n",
    "a target that is no path": b"GET shop.test HTTP/1.1\r\nHost: shop.test\r\n\r\n",
    "bad chunk": b"POST / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "a field without colon": b"GET / HTTP/1.1\r\nHost shop.test\r\n\r\n",
    "CONNECT without port": b"CONNECT shop.test HTTP/1.1\r\nHost: shop.test\r\n\r\n",
}


@pytest.mark.parametrize("name", [None, "shop.test"], ids=["plaintext", "TLS"])
@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_what_is_malformed_is_answered_400_and_noted(
    lab: Lab, dial: Dial, say: Say, data: bytes, name: str | None
) -> None:
    lab.site("shop.test")
    sock = dial(name)
    sock.sendall(data)
    assert sock.recv(1000)[:13] in (b"HTTP/1.1 400 ", b"HTTP/1.1 501 ")
    assert lab.log.errors
    assert all(error.startswith("malformed: ") for error in lab.log.errors)
    assert say(LAST).startswith(b"HTTP/1.1 200 OK")


def test_a_head_without_end_is_answered_431(lab: Lab, say: Say) -> None:
    assert say(b"GET / HTTP/1.1\r\nHost: shop.test\r\nX: " + b"x" * 200_000).startswith(b"HTTP/1.1 431 ")


# Records (RFC 8446 §5.1), none of which is a hello.
BAD_RECORDS = {
    "an empty hello": b"\x16\x03\x01\x00\x04\x01\x00\x00\x00",
    "cut off": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "garbage": b"\x16" + bytes(range(200)),
    "a record of no length": b"\x16\x03\x01\x00\x00" * 30,
    "SSL 2": b"\x16\x00\x00\x00",
}


@pytest.mark.parametrize("data", BAD_RECORDS.values(), ids=BAD_RECORDS)
def test_bad_records_are_a_failed_handshake(lab: Lab, dial: Dial, say: Say, data: bytes) -> None:
    lab.site("shop.test")
    sock = dial()
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)
    assert b"HTTP" not in sock.recv(1000)
    [failure] = lab.log.handshake_failures
    assert failure.certificate in ("valid", None)
    assert failure.message
    assert say(LAST).startswith(b"HTTP/1.1 200 OK")


def test_a_record_that_was_tampered_with_ends_the_connection(lab: Lab, dial: Dial) -> None:
    lab.site("shop.test")
    secure = dial("shop.test")
    raw = socket.socket(fileno=secure.detach())
    raw.settimeout(10)
    raw.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32)
    assert raw.recv(1000)
    raw.close()
    assert [error[:5] for error in lab.log.errors] == ["TLS: "]


def test_a_name_that_is_not_ascii_is_no_name(lab: Lab, dial: Dial, recwarn: pytest.WarningsRecorder) -> None:
    import ssl

    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = lab.ssl_context().wrap_bio(incoming, outgoing, server_hostname="shop.test")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    sock = dial()
    sock.sendall(outgoing.read().replace(b"shop.test", b"sh\xffp.test"))
    assert sock.recv(5)[0] == 0x16, "an answer to the hello"
    assert lab.log.connections[0].sni is None
    assert len(recwarn) == 0


@pytest.mark.parametrize(
    ("name", "data"),
    [
        (None, b""),
        (None, b"GET / HT"),
        (None, GET.replace(b"\r\n\r\n", b"\r\nContent-Length: 9\r\n\r\nhalf")),
        (None, b"\x16\x03\x01"),
        ("shop.test", b""),
        ("shop.test", b"GET"),
    ],
    ids=["silent", "half a head", "half a body", "half a hello", "silent in TLS", "half a head in TLS"],
)
def test_a_client_that_hangs_is_cut_off(name: str | None, data: bytes) -> None:
    begin = monotonic()
    with Lab(idle_timeout=0.1) as lab:
        lab.site("shop.test")
        with socket.create_connection(("127.0.0.1", lab.http_port), timeout=10) as sock:
            if name is None:
                sock.sendall(data)
                assert sock.recv(100) == b""
            else:
                with lab.ssl_context().wrap_socket(
                    sock, server_hostname=name, suppress_ragged_eofs=True
                ) as secure:
                    secure.sendall(data)
                    assert secure.recv(100) == b""
        [connection] = lab.log.connections
        failures = [failure.message for failure in lab.log.handshake_failures]
        assert [*connection.errors, *failures] == ["hung for 0.1 s: cut off"]
    assert monotonic() - begin < 5


def test_a_client_that_does_not_take_its_answer_is_cut_off() -> None:
    with Lab(idle_timeout=0.2) as lab:
        lab.site("shop.test").on("/", body=b"x" * 30_000_000)
        with socket.create_connection(("127.0.0.1", lab.http_port), timeout=10) as sock:
            sock.sendall(GET)
            connection = lab.log.connections[0]
            begin = monotonic()
            while not connection.closed and monotonic() < begin + 5:
                lab.log.requests  # noqa: B018  # waits for the server's turn
            assert connection.errors == ["hung for 0.2 s: cut off"]


def test_a_client_that_resets_is_no_error(lab: Lab, dial: Dial, say: Say) -> None:
    lab.site("shop.test").on("/", delay=0.05, body=b"x" * 1_000_000)
    sock = dial()
    sock.sendall(GET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    assert say(LAST).startswith(b"HTTP/1.1 200 OK")
    assert lab.log.errors == []


def test_500_names_on_500_connections_at_once(lab: Lab, dial: Dial) -> None:
    names = [f"site-{number}.test" for number in range(500)]
    for name in names:
        lab.site(name)
    context = lab.ssl_context()
    secure = [dial(name, context=context) for name in names]
    for name, sock in zip(names, secure, strict=True):
        sock.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
    for name, sock in zip(names, secure, strict=True):
        assert sock.recv(1000).endswith(f"{name} answers / over https\n".encode())
    assert not any(connection.closed for connection in lab.log.connections)
    assert len(lab.requests) == 500


DRIPS = {
    "a head": (None, b"GET / HTTP/1.1\r\nX: "),
    "a head in TLS": ("shop.test", b"GET / HTTP/1.1\r\nX: "),
    "a hello": (None, b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc"),
    "hellos": (None, b"\x16\x03\x01\x00\x01"),
}


@pytest.mark.parametrize(("name", "data"), DRIPS.values(), ids=DRIPS)
def test_bytes_that_drip_in_do_not_keep_a_client_from_being_cut_off(name: str | None, data: bytes) -> None:
    with Lab(idle_timeout=0.15) as lab:
        lab.site("shop.test")
        sock = socket.create_connection(("127.0.0.1", lab.http_port), timeout=10)
        with lab.ssl_context().wrap_socket(sock, server_hostname=name) if name else sock as client:
            begin = monotonic()
            client.sendall(data)
            client.settimeout(0.03)
            answer = None
            while answer is None and monotonic() < begin + 5:
                try:
                    client.sendall(b"a")
                    answer = client.recv(100)
                except TimeoutError:
                    pass
                except OSError:
                    answer = b""
        assert answer == b""
        assert 0.1 < monotonic() - begin < 2
        [connection] = lab.log.connections
        failures = [failure.message for failure in lab.log.handshake_failures]
        assert [*connection.errors, *failures] == ["hung for 0.15 s: cut off"]


def test_a_body_may_take_longer_than_a_head() -> None:
    with Lab(idle_timeout=0.15) as lab:
        shop = lab.site("shop.test")
        with socket.create_connection(("127.0.0.1", lab.http_port), timeout=10) as sock:
            sock.sendall(b"POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 10\r\n\r\n")
            sock.settimeout(0.03)
            for _ in range(10):
                with pytest.raises(TimeoutError):
                    sock.recv(1)
                sock.sendall(b"x")
            sock.settimeout(10)
            assert sock.recv(1000).startswith(b"HTTP/1.1 200")
        assert (shop.requests[0].body_size, lab.log.errors) == (10, [])
