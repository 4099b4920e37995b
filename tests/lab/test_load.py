"""Many clients at once, and what is left of them: nothing, whatever they were about when the lab closed."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from hstssim.lab import Lab
from tests.lab.test_lifetime import open_files

SHOP = b"GET /%d HTTP/1.1\r\nHost: shop.test\r\n\r\n"

FIVE_HUNDRED = """
import socket, threading
from hstssim.lab import Lab
with Lab() as lab:
    names = [f"site-{number}.test" for number in range(500)]
    for name in names:
        lab.site(name)
    context = lab.ssl_context()
    clients = {}
    def connect(some):
        for name in some:
            plain = socket.create_connection(("127.0.0.1", lab.https_port))
            clients[name] = context.wrap_socket(plain, server_hostname=name)
    threads = [threading.Thread(target=connect, args=(names[at::10],)) for at in range(10)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    for name, client in clients.items():
        client.sendall(f"GET / HTTP/1.1\\r\\nHost: {name}\\r\\n\\r\\n".encode())
    for name, client in clients.items():
        assert client.recv(1000).endswith(f"{name} answers / over https\\n".encode())
    seen = lab.log.connections
    assert (len(seen), sum(connection.closed for connection in seen)) == (500, 0)
"""

MIDWAY = """
import socket, threading
from hstssim.lab import Lab
with Lab() as lab:
    lab.site("shop.test").on("/late", delay=60)
    request = b"GET /late HTTP/1.1\\r\\nHost: shop.test\\r\\n\\r\\n"
    clients = [socket.create_connection(("127.0.0.1", lab.https_port)) for _ in range(100)]
    for client, said in zip(clients, [b"", b"\\x16\\3\\1\\1\\0\\1", request[:9], request] * 25):
        client.sendall(said)
    {read}
    # Some of these are accepted, some wait to be.
    clients += [socket.create_connection(("127.0.0.1", lab.http_port)) for _ in range(100)]
"""

END = """
import gc, os
for client in (clients.values() if isinstance(clients, dict) else clients): client.close()
gc.collect()
assert threading.active_count() == 1, threading.enumerate()
paths = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
left = [os.readlink(path) for path in paths if os.path.exists(path)]
assert not [name for name in left if "socket" in name or "epoll" in name or "hstssim" in name], left
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="counts open files in /proc")
@pytest.mark.parametrize(
    "program",
    [FIVE_HUNDRED, MIDWAY.format(read="lab.requests"), MIDWAY.format(read="")],
    ids=["500 names at once", "closed midway", "closed while all of them come"],
)
def test_nothing_is_left(program: str) -> None:
    words = [sys.executable, "-W", "error", "-c", program + END]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="counts open files in /proc")
def test_50_labs_one_after_another_leave_nothing() -> None:
    threads, files = threading.active_count(), open_files()
    for _ in range(50):
        with Lab() as lab:
            socket.create_connection(("127.0.0.1", lab.http_port)).close()
    assert (threading.active_count(), open_files()) == (threads, files)


@pytest.fixture
def talking(lab: Lab) -> Iterator[list[int]]:
    """Clients that ask again and again, anew when they are cut off; how often each was answered."""
    stop, answers = threading.Event(), [0, 0, 0, 0]

    def talk(number: int) -> None:
        while not stop.is_set():
            try:
                with socket.create_connection(("127.0.0.1", lab.http_port), timeout=10) as sock:
                    while not stop.is_set():
                        sock.sendall(SHOP % number)
                        if not sock.recv(1000):
                            break
                        answers[number] += 1
            except ConnectionError:
                pass

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(len(answers))]
    for thread in threads:
        thread.start()
    yield answers
    stop.set()
    for thread in threads:
        thread.join()


def test_a_reset_while_clients_talk_forgets_what_was(lab: Lab, talking: list[int]) -> None:
    for round_ in range(20):
        shop = lab.site("shop.test")
        while not shop.requests:
            pass
        lab.reset()
        assert lab.sites == [], round_
    assert lab.log.errors == []
    before = list(talking)
    while any(now == then for now, then in zip(talking, before, strict=True)):
        pass  # everyone is served on


def test_a_log_may_be_read_while_the_lab_closes() -> None:
    for _ in range(20):
        with Lab() as lab:
            reading = threading.Event()

            def read(lab: Lab = lab, reading: threading.Event = reading) -> None:
                for _ in range(200):
                    lab.requests  # noqa: B018
                    reading.set()

            thread = threading.Thread(target=read)
            thread.start()
            reading.wait()
        thread.join(10)
        assert not thread.is_alive()


WAYS = ["plaintext, kept", "TLS, kept", "plaintext, new", "TLS, new"]


def missed(way: str, count: int) -> int:
    """How many requests were not in the log right after they were sent."""
    misses = 0
    with Lab() as lab:
        lab.site("shop.test")
        context = lab.ssl_context()

        def connect() -> socket.socket:
            sock = socket.create_connection(("127.0.0.1", lab.http_port), timeout=10)
            return context.wrap_socket(sock, server_hostname="shop.test") if "TLS" in way else sock

        sock = connect()
        for number in range(count):
            if "new" in way:
                sock.close()
                sock = connect()
            sock.sendall(SHOP % number)
            misses += f"/{number}" not in [request.target for request in lab.requests]
            if "kept" in way:
                sock.recv(1000)
            if number % 20 == 0:
                lab.log.clear()
        sock.close()
    return misses


@pytest.mark.parametrize("way", WAYS)
def test_what_was_sent_is_in_the_log(way: str) -> None:
    assert missed(way, 100) == 0


@pytest.mark.full
@pytest.mark.parametrize("way", WAYS)
def test_what_was_sent_is_in_the_log_each_of_2000_times(way: str) -> None:
    assert missed(way, 2000) == 0


def test_a_tls_client_may_be_in_the_log_at_once_whatever_its_kernel_holds_back(lab: Lab) -> None:
    """Nagle's algorithm holds a request back until the last message of the handshake is acknowledged."""
    lab.site("shop.test")
    context = lab.ssl_context()
    for number in range(1, 30):
        sock = socket.create_connection(("127.0.0.1", lab.http_port), timeout=10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
        with context.wrap_socket(sock, server_hostname="shop.test", suppress_ragged_eofs=True) as secure:
            assert isinstance(secure, ssl.SSLSocket)
            secure.sendall(SHOP % number)
            secure.sendall(SHOP % number)
            assert len(lab.requests) == 2 * number
