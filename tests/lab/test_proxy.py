"""The forward proxy: any name and port of the lab, and no other name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from hstssim.lab import Lab

if TYPE_CHECKING:
    from tests.lab.conftest import Dial, Say

CLOSE = b"Connection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("target", "port", "path"),
    [
        ("http://shop.test/a?b", 80, "/a?b"),
        ("http://shop.test", 80, "/"),
        ("HTTP://SHOP.test:8080?q", 8080, "/?q"),
        ("http://shop.test:/", 80, "/"),
    ],
)
def test_an_absolute_url_is_answered_and_its_port_noted(
    lab: Lab, say: Say, target: str, port: int, path: str
) -> None:
    shop = lab.site("shop.test")
    heard = say(f"GET {target} HTTP/1.1\r\nHost: somewhere.else\r\n".encode() + CLOSE)
    assert heard.startswith(b"HTTP/1.1 200 OK")
    [request] = shop.plaintext_requests
    assert (request.host, request.port, request.target) == ("shop.test", port, path)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_reached_by_tls_does_not_make_an_http_url_secret(lab: Lab, say: Say, scheme: str) -> None:
    shop = lab.site("shop.test")
    heard = say(f"GET {scheme}://shop.test/ HTTP/1.1\r\nHost: shop.test\r\n".encode() + CLOSE, "127.0.0.1")
    assert heard.endswith(f"over {scheme}\n".encode())
    [request] = shop.requests
    assert request.plaintext is (scheme == "http")


@pytest.mark.parametrize("tls", [False, True], ids=["plaintext", "TLS"])
@pytest.mark.parametrize("outside", [None, "127.0.0.1"], ids=["proxy in plaintext", "proxy in TLS"])
@pytest.mark.parametrize("port", [80, 443, 8443])
def test_a_tunnel_leads_to_the_lab_and_its_port_is_noted(
    lab: Lab, dial: Dial, tls: bool, outside: str | None, port: int
) -> None:
    import ssl

    shop = lab.site("shop.test")
    sock = dial(outside)
    sock.sendall(f"CONNECT Cart.shop.test:{port} HTTP/1.1\r\nHost: Cart.shop.test:{port}\r\n\r\n".encode())
    assert sock.recv(1000) == b"HTTP/1.1 200 Connected\r\n\r\n"
    request = b"GET /in HTTP/1.1\r\nHost: cart.shop.test\r\n\r\n"
    if tls:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        inner = lab.ssl_context().wrap_bio(incoming, outgoing, server_hostname="cart.shop.test")

        def pump(step: Any) -> Any:
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    sock.sendall(outgoing.read())
                    incoming.write(sock.recv(65536))

        pump(inner.do_handshake)
        inner.write(request)
        heard = pump(lambda: inner.read(1000))
    else:
        sock.sendall(request)
        heard = sock.recv(1000)
    assert heard.endswith(f"/in over {'https' if tls else 'http'}\n".encode())
    [seen] = shop.requests
    assert (seen.host, seen.port, seen.plaintext) == ("cart.shop.test", port, not tls)
    assert seen.connection.tunnel == ("cart.shop.test", port)


OTHERS = ["example.com", "localhost", "127.0.0.1", "[::1]", "shop.test.evil.example", "xshop.test"]


@pytest.mark.parametrize("host", OTHERS)
def test_any_other_name_is_refused_with_a_clear_text(lab: Lab, say: Say, host: str) -> None:
    lab.site("shop.test")
    for line in (f"GET http://{host}/", f"CONNECT {host}:443", f"CONNECT {host}:{lab.http_port}"):
        heard = say(f"{line} HTTP/1.1\r\nHost: {host}\r\n".encode() + CLOSE)
        assert heard.startswith(b"HTTP/1.1 403 Forbidden\r\n")
        assert heard.endswith(b"The lab's proxy leads to the lab's sites only.\n")
    assert [request.host for request in lab.unknown_requests] == [host] * 3
    assert [request.url for request in lab.unknown_requests][1:] == [f"{host}:443", f"{host}:{lab.http_port}"]


ODD = [
    "",
    ":80",
    "a b",
    "shop.test@evil",
    "[::1",
    "[",
    "%zz",
    "\0",
    "shop.test:-1",
    "shop.test:8\xb2",
]


@pytest.mark.parametrize("name", ODD)
def test_what_is_no_name_is_refused(lab: Lab, say: Say, name: str) -> None:
    lab.site("shop.test")
    for line in (f"GET http://{name}/", f"CONNECT {name}", f"CONNECT {name}:443"):
        heard = say(f"{line} HTTP/1.1\r\nHost: shop.test\r\n".encode("latin-1") + CLOSE)
        assert heard.startswith(b"HTTP/1.1 400 "), line
    assert lab.requests == []
    assert len(lab.log.errors) == 3


ADDRESSES = ["127.0.0.2", "10.0.0.1", "169.254.169.254", "[::]", "[fe80::1]", "[::ffff:127.0.0.1]"]
SHORT = [
    "127.1",
    "2130706433",
    "0x7f.1",
    "017700000001",
    "localhost.",
    "LOCALHOST",
    "xn--a",
    "b\xfccher.test",
]


@pytest.mark.parametrize("name", [*ADDRESSES, *SHORT])
def test_no_address_and_no_way_to_write_one_leads_anywhere(lab: Lab, say: Say, name: str) -> None:
    lab.site("shop.test")
    for line in (f"GET http://{name}/", f"GET http://{name}:{lab.http_port}/", f"CONNECT {name}:{lab.http_port}"):
        heard = say(f"{line} HTTP/1.1\r\nHost: shop.test\r\n".encode("latin-1") + CLOSE)
        assert heard[:13] in (b"HTTP/1.1 403 ", b"HTTP/1.1 400 "), line
    assert [request.site for request in lab.requests] in ([None] * 3, [])


def test_bytes_that_come_with_connect_are_not_lost(lab: Lab, say: Say) -> None:
    lab.site("shop.test")
    heard = say(
        b"CONNECT shop.test:80 HTTP/1.1\r\nHost: shop.test:80\r\n\r\nGET /early HTTP/1.1\r\nHost: shop.test\r\n"
        + CLOSE
    )
    assert heard.endswith(b"shop.test answers /early over http\n")


connected: list[Any] = []
listening: list[Any] = []
_watching = False


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event == "socket.connect":
        connected.append(arguments[1])
    if _watching and event == "socket.bind":
        listening.append(arguments[1])


def test_the_lab_connects_to_nobody_and_listens_on_loopback_only(dial: Dial) -> None:
    global _watching  # an audit hook cannot be taken away
    sys.addaudithook(_watch)
    _watching = True
    try:
        with Lab() as other:
            other.site("shop.test")
            for line in (b"GET http://shop.test/", b"CONNECT shop.test:22", b"CONNECT example.com:443"):
                sock = dial(port=other.http_port)
                sock.sendall(line + b" HTTP/1.1\r\nHost: shop.test\r\n" + CLOSE)
                assert sock.recv(100).startswith(b"HTTP/1.1 ")
            own = {("127.0.0.1", other.http_port)}
    finally:
        _watching = False
    assert set(connected) == own, "the test's own connections, and no other"
    assert listening == [("127.0.0.1", 0)] * 2


LISTENERS = """
import os
from hstssim.lab import Lab
def listening():
    seen = set()
    paths = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
    own = {os.readlink(path) for path in paths if os.path.exists(path)}
    for table in ("tcp", "tcp6", "udp", "udp6"):
        with open(f"/proc/self/net/{table}") as lines:
            for line in list(lines)[1:]:
                fields = line.split()
                if f"socket:[{fields[9]}]" in own:
                    seen.add((table, fields[1], fields[3]))
    return seen
with Lab() as lab:
    # Little-endian 127.0.0.1, the port, and the state LISTEN.
    expected = {("tcp", f"0100007F:{port:04X}", "0A") for port in (lab.http_port, lab.https_port)}
    assert listening() == expected, listening()
    import ssl, socket
    lab.site("shop.test")
    plain = socket.create_connection(("127.0.0.1", lab.https_port))
    with lab.ssl_context().wrap_socket(plain, server_hostname="shop.test") as secure:
        secure.sendall(b"GET / HTTP/1.1\\r\\nHost: shop.test\\r\\n\\r\\n")
        assert secure.recv(100).startswith(b"HTTP/1.1 200")
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/net/tcp") or sys.byteorder != "little", reason="reads /proc")
def test_what_the_system_says_is_open_is_on_loopback() -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", LISTENERS], timeout=60, check=True)


def test_a_lab_works_where_there_is_no_network_but_loopback() -> None:
    alone = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    if not (shutil.which("unshare") and shutil.which("ip")):
        pytest.skip("needs unshare and ip")
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("unshare --net is not permitted here")
    subprocess.run([*alone, sys.executable, "-W", "error", "-c", LISTENERS], timeout=60, check=True)
