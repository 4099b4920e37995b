"""Opening, closing, a clock that stands still, and what is left behind: nothing."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from typing import Any

import pytest
from freezegun import freeze_time

from hstssim.errors import LabError
from hstssim.lab import Lab


def open_files() -> set[str]:
    return {
        os.readlink(f"/proc/self/fd/{fd}")
        for fd in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{fd}")
    }


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="counts open files in /proc")
def test_closing_leaves_no_thread_no_socket_and_no_file() -> None:
    threads, files = set(threading.enumerate()), open_files()
    with Lab() as lab:
        directory = os.path.dirname(lab.ca_file)
        shop = lab.site("shop.test")
        shop.on("/late", delay=60)
        clients = [socket.create_connection(("127.0.0.1", lab.http_port), timeout=10) for _ in range(5)]
        clients[1].sendall(b"\x16\x03\x01")
        clients[2].sendall(b"GET / HT")
        clients[3].sendall(b"GET /late HTTP/1.1\r\nHost: shop.test\r\n\r\n")
        clients[4] = lab.ssl_context().wrap_socket(clients[4], server_hostname="shop.test")
        assert len(lab.log.connections) == 5
    for client in clients:
        client.close()
    gc.collect()
    assert set(threading.enumerate()) == threads
    assert open_files() == files
    assert not os.path.exists(directory)
    assert len(shop.requests) == 1, "the log stays"
    assert all(connection.closed for connection in lab.log.connections)


PROGRAM = """
import socket
from hstssim.lab import Lab
lab = Lab().open()
lab.site("shop.test")
plain = socket.create_connection(("127.0.0.1", lab.https_port))
sock = lab.ssl_context().wrap_socket(plain, server_hostname="shop.test")
sock.sendall(b"GET / HTTP/1.1\\r\\nHost: shop.test\\r\\n\\r\\n")
assert sock.recv(1000)
{}
sock.close()
"""


@pytest.mark.parametrize(
    "end", ["lab.close()", "lab.close(); lab.close()", "lab.reset(); lab.close(); lab.open().close()"]
)
def test_no_warning_is_left(end: str) -> None:
    words = [sys.executable, "-W", "error", "-c", PROGRAM.format(end)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_program_that_forgets_to_close_ends_all_the_same() -> None:
    words = [sys.executable, "-c", PROGRAM.format("")]
    assert subprocess.run(words, capture_output=True, timeout=60, check=False).returncode == 0


def test_a_failure_inside_closes_too() -> None:
    def fail() -> None:
        with Lab() as opened:
            seen.append(opened)
            raise KeyError

    seen: list[Lab] = []
    threads = threading.active_count()
    with pytest.raises(KeyError):
        fail()
    assert repr(seen[0]) == "<Lab closed, 0 sites>"
    assert threading.active_count() == threads


def test_ports_may_be_fixed_and_one_in_use_is_said() -> None:
    threads = threading.active_count()
    with Lab() as lab:
        taken = lab.http_port
        with pytest.raises(LabError, match=f"free ports on 127.0.0.1.*seen https_port={taken}: .*in use"):
            Lab(https_port=taken).open()
    assert threading.active_count() == threads
    with Lab(http_port=taken) as lab:
        assert lab.http_port == taken
        assert lab.proxy_url == f"http://127.0.0.1:{taken}"


@pytest.mark.parametrize("port", [-1, 70_000, 65_536, "80", None])
def test_a_port_that_is_none_is_said(port: Any) -> None:
    with pytest.raises(LabError, match="a port is a number from 0"):
        Lab(http_port=port)


@pytest.mark.parametrize("idle", [0, -1, float("nan"), float("inf"), None, "5"])
def test_a_time_out_that_is_none_is_said(idle: Any) -> None:
    with pytest.raises(LabError, match="a time-out is a number of seconds above 0; seen"):
        Lab(idle_timeout=idle)


@pytest.mark.parametrize(
    "use",
    [
        lambda lab: lab.http_port,
        lambda lab: lab.ca_file,
        lambda lab: lab.ssl_context(),
        lambda lab: lab.client_env(),
        lambda lab: lab.client_args("curl"),
        lambda lab: lab.in_process().__enter__(),
    ],
)
def test_a_lab_that_is_not_open_says_so(use: Any) -> None:
    lab = Lab()
    lab.site("shop.test")
    with pytest.raises(LabError, match="while it is open"):
        use(lab)
    assert lab.requests == []


def test_a_lab_is_opened_once() -> None:
    with Lab() as lab, pytest.raises(LabError, match="opened once"):
        lab.open()


def read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as response:
        body: bytes = response.read()
        return body


@pytest.mark.parametrize("when", ["2001-01-01", "2040-01-01"])
def test_a_frozen_clock_stops_neither_the_lab_nor_its_certificates(when: str) -> None:
    with freeze_time(when), Lab(idle_timeout=0.2) as lab, lab.in_process():
        lab.site("shop.test").on("/late", delay=0.05)
        assert read("https://shop.test/late") == b"shop.test answers /late over https\n"
        assert read("http://shop.test/late") == b"shop.test answers /late over http\n"
        assert {request.time for request in lab.requests} == {time.time()}, "the log follows the test's clock"
        with socket.create_connection(("127.0.0.1", lab.http_port), timeout=10) as silent:
            assert silent.recv(1) == b"", "time-outs do not"


def test_a_lab_whose_first_certificate_was_made_under_a_frozen_clock_makes_more_when_it_runs() -> None:
    program = """
from freezegun import freeze_time
with freeze_time("2001-01-01"):
    from hstssim.lab import Lab
    lab = Lab().open()
    lab.authority.issue("early.test")
print(lab.authority.issue("late.test").not_valid_after_utc.year > 2020)
lab.close()
with freeze_time("2002-02-02"), Lab() as lab:
    lab.authority.issue("frozen.test")
"""
    words = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stderr, done.stdout) == ("", "True\n")


def test_a_clock_may_be_frozen_while_the_lab_is_open() -> None:
    with Lab() as lab, lab.in_process():
        shop = lab.site("shop.test")
        shop.on("/late", delay=0.05)
        with freeze_time("2030-01-01") as frozen:
            read("https://shop.test/late")
            frozen.tick(3600)
            read("https://shop.test/late")
        first, second = shop.requests
        assert second.time - first.time == 3600
