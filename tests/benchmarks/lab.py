"""How fast the lab is, beside its peers: `python tests/benchmarks/lab.py` prints one table.

Wall time, the median of five, by turns, since a shared machine changes its speed; not the best, which one sample
that went wrong decides (a peer was once seen at twice its speed, and never again). The peers: trustme for
certificates, http.server for requests, in a process of its own, as the lab is. (pytest-httpserver keeps no
connection: werkzeug, of which it is made, closes each after one answer.) Speed is measured here, not asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from statistics import median

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from hstssim.lab import KINDS, Lab
from tests.benchmarks.run import ENVIRONMENT, ROUNDS, Row, as_line, peer

COLD = """
import time
begin = time.perf_counter()
from hstssim.lab import Lab
with Lab():
    print(time.perf_counter() - begin)
"""
TRUSTME_COLD = """
import time
begin = time.perf_counter()
import trustme
trustme.CA()
print(time.perf_counter() - begin)
"""
SERVE = """
import sys
from hstssim.lab import Lab
with Lab() as lab:
    lab.site("shop.test")
    print(lab.https_port, lab.ca_file, flush=True)
    sys.stdin.read()
"""
# The standard library's server, at its fastest: one write for each answer, no line for each request.
STANDARD = """
import ssl, sys, tempfile, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from hstssim.lab.authority import Authority
class Handler(BaseHTTPRequestHandler):
    protocol_version, wbufsize = "HTTP/1.1", -1
    def log_request(self, *arguments): pass
    def do_GET(self):
        body = b"shop.test answers / over https\\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
with tempfile.TemporaryDirectory() as directory:
    authority = Authority(directory)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = authority.context("shop.test", "valid").wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, authority.file, flush=True)
    sys.stdin.read()
"""
# Prints seconds; a client is a program of its own, so that it shares no interpreter with the server.
CLIENT = """
import socket, ssl, sys, time
port, authority, requests = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
context = ssl.create_default_context(cafile=authority)
plain = socket.create_connection(("127.0.0.1", port))
plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
sock = context.wrap_socket(plain, server_hostname="shop.test")
begin = time.perf_counter()
for _ in range(requests):
    sock.sendall(b"GET / HTTP/1.1\\r\\nHost: shop.test\\r\\n\\r\\n")
    heard = b""
    while not heard.endswith(b"over https\\n"):
        data = sock.recv(65536)
        assert data, "cut off"
        heard += data
    assert heard.startswith(b"HTTP/1.1 200 "), heard
print(time.perf_counter() - begin)
"""


def medians(calls: dict[str, Callable[[], float]]) -> dict[str, float]:
    """The median of what each call gives, taken by turns."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            taken[name].append(call())
    return {name: median(seconds) for name, seconds in taken.items()}


def said(code: str, *arguments: str) -> float:
    """What a fresh interpreter prints."""
    command = [sys.executable, "-c", code, *arguments]
    return float(subprocess.run(command, env=ENVIRONMENT, stdout=subprocess.PIPE, check=True).stdout)


def timed(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def starts() -> Iterator[Row]:
    def start() -> None:
        with Lab():
            pass

    calls = {
        "a lab starts and ends": lambda: timed(start),
        "  with a fresh interpreter's import": lambda: said(COLD),
    }
    if peer("trustme") is not None:
        calls["  trustme: import and CA"] = lambda: said(TRUSTME_COLD)
    for name, seconds in medians(calls).items():
        row = Row(name, seconds * 1e3, "ms")
        yield row if "trustme" in name else row.judged(most=300)


def rooms() -> Iterator[Row]:
    from hstssim.errors import LabError

    with Lab() as lab:

        def up() -> float:
            begin = time.perf_counter()
            with lab.sealed():
                return time.perf_counter() - begin

        try:
            with lab.sealed() as room:
                calls = {"a sealed room is up": up, "  a program in it": lambda: timed(lambda: room.run(["true"]))}
                calls["  the program alone"] = lambda: timed(lambda: subprocess.run(["true"], check=True))
                found = medians(calls)
        except LabError as error:
            yield Row("a sealed room", note=str(error))
            return
    for name, seconds in found.items():
        row = Row(name, seconds * 1e3, "ms")
        yield row.judged(most=500) if "room" in name else row


def certificates(size: int) -> Iterator[Row]:
    serial = count()
    with Lab() as lab:

        def lab_makes(kind: str) -> Callable[[], float]:
            def some() -> None:
                for _ in range(size):
                    lab.authority.context(f"site-{next(serial)}.test", kind)  # type: ignore[arg-type]

            return lambda: timed(some) / size

        calls = {f"a new name's certificate, {kind}": lab_makes(kind) for kind in KINDS}
        if peer("trustme") is not None:
            calls["  trustme, valid"] = trustme_makes(size)
        for name, seconds in medians(calls).items():
            row = Row(name, seconds * 1e3, "ms")
            yield row if "trustme" in name else row.judged(most=5)


def trustme_makes(size: int) -> Callable[[], float]:
    import ssl

    import trustme

    authority, serial = trustme.CA(), count()

    def some() -> None:
        for _ in range(size):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert(f"site-{next(serial)}.test").configure_cert(context)

    return lambda: timed(some) / size


@contextmanager
def serving(code: str) -> Iterator[list[str]]:
    """The port and authority of a server in a process of its own."""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield server.stdout.readline().split()
        finally:
            server.stdin.close()


def requests(size: int) -> Iterator[Row]:
    with serving(SERVE) as lab, serving(STANDARD) as standard:
        seconds = medians(
            {
                "lab": lambda: said(CLIENT, *lab, str(size)),
                "http.server": lambda: said(CLIENT, *standard, str(size)),
            }
        )
    yield Row("requests over kept TLS", size / seconds["lab"], "a second").judged(least=2000)
    yield Row("  http.server", size / seconds["http.server"], "a second")


def rows(size: int) -> Iterator[Row]:
    if peer("trustme") is None:
        yield Row("  trustme", note="trustme is not installed")
    yield from starts()
    yield from rooms()
    yield from certificates(max(size // 100, 5))
    yield from requests(size)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the lab beside its peers.")
    parser.add_argument("--quick", action="store_true", help="a tenth of the size")
    parser.add_argument("--json", action="store_true", help="one JSON object a line (JSON Lines)")
    options = parser.parse_args()
    if not options.json:
        print(f"{'':<42}{'measured':<15}{'ratio':>8}  {'target':<26}reached")
    for row in rows(500 if options.quick else 5000):
        print(json.dumps(row._asdict()) if options.json else as_line(row), flush=True)


if __name__ == "__main__":
    main()
