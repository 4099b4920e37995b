"""A 307 that a real server sends, from nginx's and PHP's one-liners, beside the browser's own."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hstssim import CHROME, Browser, HSTSStore, ScriptedNetwork
from hstssim.lab import Lab
from hstssim.navigation import Navigation
from hstssim.network import LiveNetwork
from tests.programs import need

pytestmark = [pytest.mark.oracle, pytest.mark.allow_hosts(["127.0.0.1"])]

NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; server_name www.example.org; return 307 https://www.example.org/; }}
}}
"""
PHP = '<?php header("Location: https://www.example.org/", true, 307);'


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(folder: Path, server: str) -> Iterator[int]:
    """A server that redirects, on a port of its own."""
    need(server)
    port = free_port()
    if server == "nginx":
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
        words = [server, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    else:
        (folder / "index.php").write_text(PHP)
        words = [server, "-S", f"127.0.0.1:{port}", "-t", str(folder)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < until, f"{server} does not listen"
                time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("server", ["nginx", "php"])
def test_a_servers_307_travels_and_the_browsers_own_does_not(tmp_path: Path, server: str) -> None:
    profile = CHROME.replace(https_upgrades=False)
    with running(tmp_path, server) as port, Lab() as lab:
        lab.site("www.example.org", sts="max-age=31536000")

        def connect_to(host: str, asked: int) -> tuple[str, int]:
            return "127.0.0.1", port if asked == 80 else lab.https_port

        with LiveNetwork(ca_file=lab.ca_file, proxy="", connect_to=connect_to) as network:
            browser = Browser(profile, HSTSStore(profile=profile), network)
            first = browser.navigate("http://www.example.org/index.php", "POST", "a=b")
            second = browser.navigate("http://www.example.org/index.php", "POST", "a=b")
    assert _chain(first) == [
        ("POST http://www.example.org/index.php", "307 Temporary Redirect", "network"),
        ("POST https://www.example.org/", "200 OK", "network"),
    ]
    sent, made_up = first.hops[0].response, second.hops[0].response
    assert sent is not None
    assert made_up is not None
    says_of_itself = sent.header("Server") or sent.header("X-Powered-By") or ""  # as notebook 01 shows it
    assert says_of_itself.lower().startswith(f"{server}/")
    assert sent.header("Date") is not None
    assert [made_up.header(name) for name in ("Server", "X-Powered-By", "Date")] == [None] * 3
    assert _chain(second) == [
        ("POST http://www.example.org/index.php", "307 Internal Redirect", "internal"),
        ("POST https://www.example.org/index.php", "200 OK", "network"),
    ]


def test_the_same_in_a_script() -> None:
    """`GET /index.php`, `Host: www.example.org`: `307`, `Location: https://www.example.org/`."""
    profile = CHROME.replace(https_upgrades=False)
    network = ScriptedNetwork()
    site = network.site("www.example.org")
    site.on("/index.php", scheme="http", status=307, redirect="https://www.example.org/")
    navigation = Browser(profile, HSTSStore(profile=profile), network).navigate("http://www.example.org/index.php")
    assert _chain(navigation) == [
        ("GET http://www.example.org/index.php", "307 Temporary Redirect", "network"),
        ("GET https://www.example.org/", "200 OK", "network"),
    ]
    assert navigation.hops[0].request.authority == "www.example.org"
    assert navigation.hops[0].response is not None
    assert navigation.hops[0].response.header("Location") == "https://www.example.org/"


def _chain(navigation: Navigation) -> list[tuple[str, str, str]]:
    return [
        (
            f"{hop.request.method} {hop.request.url}",
            f"{hop.response.status} {hop.response.reason}" if hop.response else "",
            hop.source,
        )
        for hop in navigation.hops
    ]
