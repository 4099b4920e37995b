"""The fixtures in a project that installs hstssim: each claim is a run of pytest in a folder of its own."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.programs import missing

Inner = Callable[..., "subprocess.CompletedProcess[str]"]
ROOT = Path(__file__).resolve().parents[2]
INSTALLED = any(point.name == "hstssim" for point in importlib.metadata.entry_points(group="pytest11"))
LOAD = () if INSTALLED else ("-p", "hstssim.pytest_plugin")


@pytest.fixture
def inner(tmp_path: Path) -> Inner:
    """Run pytest on a file of tests, and see how many passed and failed."""

    def run(
        tests: str, *args: str, passed: int = 0, failed: int = 0, errors: int = 0
    ) -> subprocess.CompletedProcess[str]:
        (tmp_path / "test_inner.py").write_text(tests, encoding="utf-8")
        (tmp_path / "pytest.ini").touch()
        words = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", *LOAD, *args]
        if "asyncio_mode=auto" not in args:
            words += ["-p", "no:asyncio"]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        environment = {name: value for name, value in environment.items() if not name.startswith("PYTEST_")}
        done = subprocess.run(
            words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        found = re.findall(r"\b(\d+) (passed|failed|errors?)\b", done.stdout)
        seen = {word.removesuffix("s") if word == "errors" else word: int(number) for number, word in found}
        expected = {"passed": passed, "failed": failed, "error": errors}
        assert seen == {word: count for word, count in expected.items() if count}, done.stdout + done.stderr
        return done

    return run


def needs(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        missing(f"{module} is not installed")


README = (ROOT / "README.md").read_text(encoding="utf-8")
CRAWLER, FIX = re.findall(r"```python\n(# test_crawler\.py\n.*?)```", README, re.DOTALL)


def test_the_readmes_crawler_leaks_and_fails_with_the_words_that_it_shows(inner: Inner) -> None:
    [shown] = re.findall(r"```text\n(E .*?)```", README, re.DOTALL)
    said = [line for line in inner(CRAWLER, failed=1).stdout.splitlines() if line[:2] == "E "]
    time = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
    assert [time.sub("TIME", line) for line in said] == [time.sub("TIME", line) for line in shown.splitlines()]


def test_the_readmes_fix_mends_it(inner: Inner) -> None:
    test = CRAWLER[CRAWLER.index("def test_crawler_honours_hsts") :]
    inner(f"{FIX}\n\n{test}", passed=1)


def test_other_comparisons_are_told_as_ever(inner: Inner) -> None:
    said = inner(
        """
import urllib.request
from hstssim.lab import Request

def test_numbers():
    assert [1] == []

def test_requests_over_tls(hsts_lab):
    shop = hsts_lab.site("shop.test")
    urllib.request.urlopen("https://shop.test/").close()
    assert shop.requests == []
""",
        failed=2,
    ).stdout
    assert "RFC 6797" not in said
    assert "assert [1] == []" in said


def test_each_test_has_an_empty_lab_of_one_server(inner: Inner) -> None:
    inner(
        """
import socket, urllib.request
import pytest

ports, kept = set(), []

@pytest.mark.parametrize("time", range(3))
def test_it_is_empty(hsts_lab, time):
    assert (hsts_lab.sites, hsts_lab.requests, hsts_lab.log.connections) == ([], [], [])
    ports.add((hsts_lab.http_port, hsts_lab.https_port))
    for sock in kept:
        assert sock.recv(1) == b"", "connections of the test before are cut"
        sock.close()
    kept[:] = [socket.create_connection(("shop.test", 80))] if hsts_lab.site("shop.test") else []
    urllib.request.urlopen("http://shop.test/").close()
    assert len(hsts_lab.requests) == 1

def test_it_was_one_server():
    assert len(ports) == 1
    kept[0].close()

def test_names_are_as_before_without_it():
    with pytest.raises(OSError):
        socket.create_connection(("shop.test", 80))
""",
        passed=5,
    )


def test_the_clock_moves_store_and_log(inner: Inner) -> None:
    inner(
        """
import time, urllib.request
from datetime import UTC, datetime, timedelta
import pytest
import hstssim

def test_store(hsts_store, hsts_clock, hsts_interceptor):
    hsts_store.note("shop.test", "max-age=300")
    hsts_clock.tick(300)
    assert hsts_interceptor.request("http://shop.test/")
    hsts_clock.tick()
    assert not hsts_interceptor.request("http://shop.test/")

def test_order_does_not_matter(hsts_clock, hsts_store, hsts_lab):
    hsts_lab.site("shop.test")
    for _ in range(2):
        urllib.request.urlopen("https://shop.test/").close()
        hsts_clock.tick(days=400)
    first, second = hsts_lab.requests
    assert second.time - first.time == 400 * 86400
    assert hsts_store.now() == second.time + 400 * 86400

def test_it_stands_still(hsts_clock):
    assert hsts_clock() == hsts_clock()
    assert abs(hsts_clock() - time.time()) < 60

@pytest.mark.parametrize(("how", "seconds"), [
    (dict(), 1), (dict(days=1), 86400), (dict(minutes=1, seconds=1), 61)])
def test_ticks(hsts_clock, how, seconds):
    now = hsts_clock()
    assert hsts_clock.tick(**how) == hsts_clock() == pytest.approx(now + seconds)
    assert hsts_clock.tick(timedelta(seconds=-1)) == pytest.approx(now + seconds - 1)
    assert hsts_clock.tick(-1.5) == pytest.approx(now + seconds - 2.5)

@pytest.mark.parametrize("when", [1e9, 10**9, "2001-09-09T01:46:40Z", "1000000000",
    datetime(2001, 9, 9, 1, 46, 40), datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)])
def test_instants(hsts_clock, when):
    assert hsts_clock.move_to(when) == hsts_clock() == 1e9
    assert hsts_clock.move_to("+1d") == 1e9 + 86400
    assert repr(hsts_clock) == "<Clock 2001-09-10T01:46:40Z>"

def test_no_instant(hsts_clock):
    with pytest.raises(hstssim.InvalidTime):
        hsts_clock.move_to("soon")

def test_a_later_test_has_the_true_time(hsts_clock, hsts_lab):
    assert hsts_clock() > 1e9 + 86400
    urllib.request.urlopen("http://shop.test/").close() if hsts_lab.site("shop.test") else None
    assert hsts_lab.requests[0].time == hsts_clock()
""",
        passed=14,
    )


def test_without_the_clock_store_and_log_follow_freezegun(inner: Inner) -> None:
    inner(
        """
import socket, time, urllib.request
from freezegun import freeze_time

def ask():
    urllib.request.urlopen("https://shop.test/late").close()

def test_inside(hsts_lab, hsts_store):
    hsts_lab.site("shop.test").on("/late", delay=0.01)
    hsts_store.note("shop.test", "max-age=300")
    with freeze_time("2040-01-01") as frozen:
        assert hsts_store.match("shop.test") is None
        ask()
        frozen.tick(3600)
        ask()
    first, second = hsts_lab.requests
    assert second.time - first.time == 3600

@freeze_time("2001-01-01")
def test_all_of_it(hsts_lab, hsts_store):
    hsts_lab.site("shop.test").on("/late", delay=0.01)
    ask()
    assert hsts_lab.requests[0].time == time.time() == hsts_store.now()

def test_thawed(hsts_lab):
    hsts_lab.site("another.test")
    urllib.request.urlopen("https://another.test/").close()
    assert hsts_lab.requests[0].time > 1.7e9
""",
        passed=3,
    )


def test_a_lab_may_open_under_a_frozen_clock(inner: Inner) -> None:
    inner(
        """
import urllib.request
import pytest
from freezegun import freeze_time

@pytest.fixture(autouse=True, scope="session")
def frozen():
    with freeze_time("2035-05-05"):
        yield

@pytest.mark.parametrize("time", range(2))
def test_it(hsts_lab, time):
    hsts_lab.site("shop.test").on("/", delay=0.01)
    urllib.request.urlopen("https://shop.test/").close()
    assert hsts_lab.plaintext_requests == []
""",
        passed=2,
    )


def test_the_marker_says_profile_and_list_and_the_closest_one_counts(inner: Inner, tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_bytes((ROOT / "preload" / "chromium.txt").read_bytes())
    inner(
        """
import pathlib
import pytest
import hstssim

def test_by_default_it_is_chrome_with_the_bundled_list(hsts_store):
    assert (hsts_store.profile, hsts_store.preload) == (hstssim.CHROME, hstssim.PreloadList.bundled())
    assert hsts_store.match("github.com") is None and hsts_store.preload.match("github.com")

@pytest.mark.hsts(profile="firefox")
class TestFirefox:
    def test_of_the_class(self, hsts_store):
        assert (hsts_store.profile, hsts_store.preload) == (hstssim.FIREFOX, hstssim.PreloadList.bundled())

    @pytest.mark.hsts(profile=hstssim.CURL, preload=False)
    def test_of_the_test(self, hsts_store):
        assert (hsts_store.profile, hsts_store.preload) == (hstssim.CURL, None)

    @pytest.mark.hsts(preload=False)
    def test_of_both(self, hsts_store):
        assert (hsts_store.profile, hsts_store.preload) == (hstssim.FIREFOX, None)

@pytest.mark.parametrize("preload", [
    pytest.param("own.txt", marks=pytest.mark.hsts(preload="own.txt")),
    pytest.param("path", marks=pytest.mark.hsts(preload=pathlib.Path("own.txt"))),
    pytest.param("list", marks=pytest.mark.hsts(preload=hstssim.PreloadList.open("own.txt")))])
def test_of_a_parameter(hsts_store, preload):
    assert len(hsts_store.preload) > 90_000
    assert hsts_store.preload is not hstssim.PreloadList.bundled()
""",
        "--strict-markers",
        passed=7,
    )


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ("profile='netscape'", "profile is a Profile or its name (chrome, firefox, "),
        ("profile=None", "seen None"),
        (
            "preload=5",
            "preload is True for the bundled list, False for none, a PreloadList, or the path of one; seen 5",
        ),
        ("preload='missing.txt'", "missing.txt: a preload list must be readable"),
        ("'firefox'", "takes profile= and preload=, by name; seen 'firefox'"),
        ("profil='firefox'", "takes profile= and preload=, by name; seen profil"),
    ],
)
def test_a_marker_that_asks_for_something_else_is_one_clear_error(inner: Inner, marker: str, said: str) -> None:
    tests = f"import pytest\n@pytest.mark.hsts({marker})\ndef test_it(hsts_interceptor): pass\n"
    done = inner(tests, errors=1)
    assert said in done.stdout
    assert "Traceback" not in done.stdout


def test_nothing_is_loaded_for_tests_that_do_not_ask(inner: Inner) -> None:
    inner(
        """
import sys

def test_it():
    loaded = {name for name in sys.modules if name.partition(".")[0] == "hstssim"}
    assert loaded <= {"hstssim", "hstssim.pytest_plugin"}
    assert not {"cryptography", "h11", "ada_url", "publicsuffixlist"} & {*sys.modules}

def test_comparisons_load_nothing_either():
    try:
        assert [1] == []
    except AssertionError:
        assert "hstssim.lab" not in sys.modules
""",
        passed=2,
    )


def test_each_worker_has_a_lab_of_its_own(inner: Inner) -> None:
    needs("xdist")
    inner(
        """
import urllib.request
import pytest

@pytest.mark.parametrize("number", range(12))
def test_it(hsts_lab, number):
    shop = hsts_lab.site("shop.test")
    for _ in range(10):
        urllib.request.urlopen(f"https://shop.test/{number}").close()
    assert {request.target for request in shop.requests} == {f"/{number}"}
    assert len(shop.requests) == 10
""",
        "-n",
        "2",
        passed=12,
    )


ASYNC = """
import httpx
import pytest
{imports}

{marker}
async def test_it(hsts_lab, hsts_interceptor):
    shop = hsts_lab.site("shop.test", sts="max-age=300")
    async with httpx.AsyncClient() as client:
        for path in "ab":
            got = await client.get(f"https://shop.test/{{path}}")
            hsts_interceptor.response(str(got.url), got.headers.raw)
    assert hsts_interceptor.request("http://shop.test/").location == "https://shop.test/"
    assert shop.plaintext_requests == []
    assert len(shop.requests) == 2
"""


def test_it_works_with_anyio(inner: Inner) -> None:
    needs("anyio")
    needs("httpx")
    inner(ASYNC.format(imports="", marker="@pytest.mark.anyio"), "-k", "asyncio", passed=1)


def test_it_works_with_pytest_asyncio(inner: Inner) -> None:
    needs("pytest_asyncio")
    needs("httpx")
    mode = ("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")
    inner(ASYNC.format(imports="", marker=""), "-p", "no:anyio", *mode, passed=1)


def test_it_works_with_import_mode_importlib_and_sockets_disabled_but_for_loopback(inner: Inner) -> None:
    inner(CRAWLER, "--import-mode=importlib", "--allow-hosts=127.0.0.1", failed=1)


def test_a_test_that_may_open_no_socket_spoils_no_other(inner: Inner) -> None:
    inner(
        """
import urllib.request
import pytest

def test_forbidden(hsts_lab):
    pass

@pytest.mark.allow_hosts(["127.0.0.1"])
def test_allowed(hsts_lab):
    hsts_lab.site("shop.test")
    urllib.request.urlopen("https://shop.test/").close()

@pytest.mark.disable_socket
def test_without():
    pass

@pytest.mark.allow_hosts(["127.0.0.1"])
def test_allowed_again(hsts_lab):
    hsts_lab.site("shop.test")
    urllib.request.urlopen("https://shop.test/").close()
""",
        "--disable-socket",
        passed=3,
        errors=1,
    )


def test_a_run_ends_without_a_warning_or_a_thread(inner: Inner) -> None:
    done = inner(
        """
import atexit, socket, threading
import urllib.request

atexit.register(lambda: print("threads:", [thread.name for thread in threading.enumerate()]))

def test_it(hsts_lab):
    hsts_lab.site("shop.test")
    global kept
    kept = socket.create_connection(("shop.test", 443))
    urllib.request.urlopen("https://shop.test/").close()
    kept.close()
""",
        passed=1,
    )
    assert "threads: ['MainThread']" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--markers", ["@pytest.mark.hsts(profile='chrome', preload=True)"]),
        ("--fixtures", ["hsts_lab", "hsts_store", "hsts_clock", "hsts_interceptor", "A lab, empty at the start"]),
    ],
)
def test_pytest_tells_what_there_is(tmp_path: Path, option: str, said: list[str]) -> None:
    words = [sys.executable, "-m", "pytest", *LOAD, option, "-p", "no:cacheprovider"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert [text for text in said if text not in done.stdout] == []
    assert "_hsts_" not in done.stdout
