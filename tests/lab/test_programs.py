"""Programs against the lab: curl, wget, Node and headless browsers, each told of it in the lab's own words."""

from __future__ import annotations

import os
import re
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from hstssim.lab import KINDS, Lab, Site
from hstssim.lab.clients import PROXY_VARIABLES
from tests.programs import need

pytestmark = pytest.mark.oracle

ROOT = Path(__file__).resolve().parents[2]

PATIENCE = 120
"""Seconds that a program may take."""

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a program to its end, with nothing of the user's own: no proxies, no settings."""
    home = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}

    def start(*words: str, env: dict[str, str]) -> Done:
        need(words[0])
        process = subprocess.Popen(
            words,
            env=home | env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            said, errors = process.communicate(timeout=PATIENCE)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # a browser has children
            process.wait()
        return subprocess.CompletedProcess(words, process.returncode, said, errors)

    return start


# ── curl and wget

WORDS = {
    "curl": ["curl", "--disable", "--silent", "--show-error", "--location", "--max-time", "20"],
    "wget": ["wget", "--no-verbose", "--output-document=-", "--tries=1", "--timeout=20"],
}
STATE = {"curl": "--hsts", "wget": "--hsts-file"}
KNOWN = {"curl": '.shop.test "20990101 00:00:00"\n', "wget": "shop.test\t0\t1\t1700000000\t3000000000\n"}
"""What the file says of a Known HSTS Host and the names below it."""
REFUSED = {"curl": 60, "wget": 5}
"""The exit status that means: its certificate."""

Visit = Callable[..., Done]


def test_the_readmes_example_prints_what_it_shows(run: Run) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [(program, shown)] = re.findall(r"```python\n(# lab\.py\n.*?)```\n\n```text\n(.*?)```", readme, re.DOTALL)
    need("curl")
    done = run(sys.executable, "-W", "error", "-c", program, env={"PYTHONPATH": str(ROOT)})
    assert (done.stdout, done.stderr) == (shown, "")


@pytest.fixture(params=["curl", "wget"])
def command(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["arguments", "environment"])
def visit(request: pytest.FixtureRequest, lab: Lab, run: Run, command: str, tmp_path: Path) -> Visit:
    """Fetch a URL by a program that was told of the lab in one way or the other."""
    state = tmp_path / "hsts"

    def fetch(url: str, known: str = "") -> Done:
        state.write_text(known)
        words = [*WORDS[command], STATE[command], str(state), url]
        if request.param == "arguments":
            return run(*words, *lab.client_args(command), env={})
        return run(*words, env=lab.client_env(command))

    return fetch


URLS = [
    "http://shop.test/",
    "https://shop.test/",
    "http://shop.test:8080/",
    "https://shop.test:8443/",
    "https://a.cart.shop.test/page?q",
]


@pytest.mark.parametrize("url", URLS)
def test_every_name_and_port_of_a_site_is_reached(lab: Lab, visit: Visit, url: str) -> None:
    lab.site("shop.test")
    done = visit(url)
    assert (done.returncode, done.stdout[:18]) == (0, "shop.test answers ")
    [request] = lab.requests
    assert (request.url, request.plaintext) == (url, url.startswith("http:"))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_curls_arguments_lead_each_scheme_to_its_port(lab: Lab, run: Run, scheme: str) -> None:
    lab.site("shop.test")
    run(*WORDS["curl"], *lab.client_args("curl"), f"{scheme}://shop.test/", env={})
    assert [connection.listener for connection in lab.log.connections] == [scheme]


def test_a_redirect_is_followed(lab: Lab, visit: Visit) -> None:
    shop = lab.site("shop.test")
    shop.on("/", scheme="http", redirect="https://shop.test/")
    assert visit("http://shop.test/").stdout == "shop.test answers / over https\n"
    assert [request.url for request in lab.requests] == ["http://shop.test/", "https://shop.test/"]


# These shake hands first and look at the certificate then: all that is seen is that nothing was asked.
JUDGED_LATE: dict[str, set[str]] = {"curl": {"wrong-name", "ip-address"}, "wget": {*KINDS}}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_certificate_is_judged(lab: Lab, command: str, visit: Visit, kind: str) -> None:
    lab.site("shop.test", certificate=kind)
    good = kind in ("valid", "wildcard")
    assert visit("https://shop.test/").returncode == (0 if good else REFUSED[command])
    assert [request.certificate for request in lab.requests] == ([kind] if good else [])
    [connection] = lab.log.connections
    assert (connection.sni, connection.certificate) == ("shop.test", kind)
    assert (connection.failure is None) == (good or kind in JUDGED_LATE[command])


def test_a_known_host_sees_no_plaintext(lab: Lab, command: str, visit: Visit) -> None:
    lab.site("shop.test")
    assert visit("http://cart.shop.test/", KNOWN[command]).returncode == 0
    assert [request.url for request in lab.requests] == ["https://cart.shop.test/"]
    lab.assert_no_plaintext()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_policy_is_learned_over_tls_only(lab: Lab, visit: Visit, tmp_path: Path, scheme: str) -> None:
    shop = lab.site("shop.test", sts="max-age=31536000; includeSubDomains")
    shop.on("/", scheme="http", sts="max-age=31536000; includeSubDomains")
    visit(f"{scheme}://shop.test/")
    assert [len(request.sts) for request in lab.requests] == [1]
    assert ("shop.test" in (tmp_path / "hsts").read_text()) == (scheme == "https")


# ── the variables that say whom to trust, each alone

CURL = [*WORDS["curl"], "https://shop.test/"]
# Node heeds no proxy.
NODE = """
const options = {host: "127.0.0.1", port: process.env.PORT, servername: "shop.test", headers: {host: "shop.test"}}
const request = require("https").get(options, answer => answer.resume())
request.on("error", () => { process.exitCode = 60 })
"""
VARIABLES = {
    "curl": {"SSL_CERT_FILE": True, "CURL_CA_BUNDLE": True, "REQUESTS_CA_BUNDLE": False},
    "node": {"NODE_EXTRA_CA_CERTS": True, "SSL_CERT_FILE": False},
}
ALONE = [(command, name, trusts) for command, names in VARIABLES.items() for name, trusts in names.items()]


@pytest.mark.parametrize(("program", "variable", "trusts"), ALONE, ids=[" by ".join(row[:2]) for row in ALONE])
def test_each_variable_is_trust_enough_or_none(
    lab: Lab, run: Run, program: str, variable: str, trusts: bool
) -> None:
    lab.site("shop.test")
    environment = lab.client_env()
    environment = {name: environment[name] for name in (*PROXY_VARIABLES, variable)}
    words = CURL if program == "curl" else ["node", "--eval", NODE]
    done = run(*words, env={**environment, "PORT": str(lab.https_port)})
    assert done.returncode == (0 if trusts else 60), done.stderr
    assert len(lab.requests) == trusts
    assert [failure.certificate for failure in lab.log.handshake_failures] == ([] if trusts else ["valid"])


# ── browsers

PAGE = """<!doctype html><meta charset="utf-8"><title>Shop</title><link rel="icon" href="data:,">
<body style="margin: 20px; font: 28px sans-serif; background: #0a7d3c; color: white">
<h1>shop.test</h1><p>Served by the lab over TLS.</p>"""
BROWSERS = {"chromium": ["chromium", "--headless", "--disable-gpu"], "firefox": ["firefox-esr", "--headless"]}


@pytest.fixture
def shop(lab: Lab) -> Site:
    shop = lab.site("shop.test", sts="max-age=31536000; includeSubDomains")
    shop.on("/", body=PAGE)
    return shop


@pytest.fixture(params=BROWSERS)
def browser(request: pytest.FixtureRequest, lab: Lab, run: Run, tmp_path: Path) -> Visit:
    """Open a page in a browser with a new profile, and take a picture of it."""
    name: str = request.param

    def show(url: str) -> Done:
        need("certutil")
        words = [*BROWSERS[name], *lab.client_args(name)]
        picture = str(tmp_path / "picture.png")
        words += ["--window-size=640,400"]
        if name == "chromium":
            words.append(f"--screenshot={picture}")
            if os.geteuid() == 0:
                words.append("--no-sandbox")
        else:
            words += ["--screenshot", picture]
        return run(*words, url, env=lab.client_env(name))

    return show


def test_a_browser_shows_a_page_of_the_lab(lab: Lab, shop: Site, browser: Visit, tmp_path: Path) -> None:
    browser("https://shop.test/")
    assert [request.url for request in shop.requests] == ["https://shop.test/"]
    # A browser asks for things of its own, too.
    assert [failure for failure in lab.log.handshake_failures if failure.sni == "shop.test"] == []
    width, height, colours = seen_in(tmp_path / "picture.png")
    assert (width, height) == (640, 400)
    assert {(0x0A, 0x7D, 0x3C), (255, 255, 255)} <= colours


def test_a_browser_upgrades_what_it_has_learned(shop: Site, browser: Visit) -> None:
    shop.on("/learn", redirect="http://cart.shop.test/item")
    browser("https://shop.test/learn")
    assert [request.url for request in shop.requests if request.target != "/favicon.ico"] == [
        "https://shop.test/learn",
        "https://cart.shop.test/item",
    ]
    shop.assert_no_plaintext()


@pytest.mark.parametrize("name", ["unknown.test", "unknown.com"])
def test_a_browser_upgrades_nothing_by_itself(lab: Lab, browser: Visit, name: str) -> None:
    lab.site(name)
    browser(f"http://{name}/item")
    assert [request.plaintext for request in lab.requests if request.target == "/item"] == [True]


def test_a_browser_refuses_a_bad_certificate(lab: Lab, shop: Site, browser: Visit) -> None:
    lab.site("bad.test", certificate="expired")
    shop.on("/", body=f'{PAGE}<img src="https://bad.test/picture">')
    browser("https://shop.test/")
    assert {request.host for request in lab.requests if request.site} == {"shop.test"}
    failures = {(failure.sni, failure.certificate) for failure in lab.log.handshake_failures}
    assert ("bad.test", "expired") in failures


def test_chromium_puts_an_error_in_the_place_of_a_page_with_a_bad_certificate(lab: Lab, run: Run) -> None:
    need("certutil")
    bad = lab.site("bad.test", certificate="expired")
    words = [*BROWSERS["chromium"], *lab.client_args("chromium"), "--dump-dom"]
    words += ["--no-sandbox"] if os.geteuid() == 0 else []
    done = run(*words, "https://bad.test/", env=lab.client_env("chromium"))
    assert "ERR_CERT_DATE_INVALID" in done.stderr
    assert "bad.test answers" not in done.stdout
    assert bad.requests == []


def seen_in(picture: Path) -> tuple[int, int, set[tuple[int, int, int]]]:
    """Width, height and colours of a PNG of 8 bits a channel (W3C PNG §5, §9)."""
    data, chunks, at = picture.read_bytes(), b"", 8
    width, height, depth, kind = struct.unpack_from(">IIBB", data, 16)
    assert depth == 8
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        if name == b"IDAT":
            chunks += data[at + 8 : at + 8 + size]
        at += size + 12
    step = {2: 3, 6: 4}[kind]
    stride, lines = width * step, zlib.decompress(chunks)
    above, colours = bytes(stride), set()
    for start in range(0, height * (stride + 1), stride + 1):
        line = _unfiltered(lines[start], bytearray(lines[start + 1 : start + 1 + stride]), above, step)
        colours |= set(zip(line[0::step], line[1::step], line[2::step], strict=True))
        above = bytes(line)
    return width, height, colours


def _unfiltered(kind: int, line: bytearray, above: bytes, step: int) -> bytearray:
    for at in range(len(line)):
        left, up, corner = line[at - step] if at >= step else 0, above[at], above[at - step] if at >= step else 0
        paeth = min((left, up, corner), key=lambda near: abs(left + up - corner - near))
        line[at] = (line[at] + (0, left, up, (left + up) // 2, paeth)[kind]) & 255
    return line
