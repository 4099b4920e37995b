"""Whatever a client says, it is refused or cut off and noted, the next is served, and nothing is left of it."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings

from hstssim.lab import Lab
from tests.lab.fuzz import ATTACKS, Attack, attack, hello, long_hello, verdict
from tests.programs import missing

BAD_CHUNK = b" / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Lab]:
    with Lab(idle_timeout=5) as lab:
        lab.site("shop.test")
        yield lab


# Three times what other properties have; 6,000 in all with `-m full`.
@settings(max_examples=3 * settings().max_examples, suppress_health_check=list(HealthCheck))
@given(what=ATTACKS)
def test_nonsense_is_refused_and_the_next_client_is_served(fuzzed: Lab, what: Attack) -> None:
    verdict(fuzzed, fuzzed.ssl_context(), what)


KNOWN = {
    "a malformed body after HEAD": Attack([], [b"HEAD" + BAD_CHUNK], False, "half-close"),
    "a malformed body after CONNECT": Attack(
        [],
        [b"CONNECT shop.test:1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
        False,
        "half-close",
    ),
    "a name of 64 KB": Attack([], [long_hello(b"a" * 65_000)], False, "half-close"),
    "requests, then gone": Attack([], [b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n" * 500], False, "reset"),
    "plaintext after a handshake": Attack(["TLS"], [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"], True, "half-close"),
    "a hello after a handshake": Attack(["TLS"], [hello(b"shop.test")], True, "half-close"),
    "a goodbye amid a request": Attack(["TLS"], [b"GET / HT"], False, "goodbye"),
    "TLS in TLS in tunnels": Attack(["CONNECT", "TLS", "CONNECT", "TLS"], [b"\0\r\n\r\n"], False, "half-close"),
}


@pytest.mark.parametrize("what", KNOWN.values(), ids=KNOWN)
def test_what_once_failed_or_might_have(fuzzed: Lab, what: Attack, caplog: pytest.LogCaptureFixture) -> None:
    verdict(fuzzed, fuzzed.ssl_context(), what)
    assert caplog.messages == [], "asyncio has nothing to warn of"


def test_tunnels_inside_tunnels_have_an_end(fuzzed: Lab) -> None:
    attack(fuzzed, fuzzed.ssl_context(), Attack(["TLS", "CONNECT"] * 400, [], False, "close"))
    [error] = fuzzed.log.errors
    fuzzed.log.clear()
    assert error == "malformed: a tunnel inside 4 others"


def test_what_is_malformed_after_the_head_is_noted_as_the_answer(fuzzed: Lab) -> None:
    attack(fuzzed, fuzzed.ssl_context(), Attack([], [b"POST" + BAD_CHUNK], False, "half-close"))
    [request] = fuzzed.requests
    fuzzed.log.clear()
    assert (request.method, request.status, request.sts) == ("POST", 400, ())


def test_nonsense_leaves_no_memory_and_no_thread(fuzzed: Lab) -> None:
    context, threads = fuzzed.ssl_context(), threading.active_count()
    nonsense = [*KNOWN.values(), Attack([], [b"GET / HTTP/1.1\r\nX: " + b"x" * 60_000], False, "close")]
    sizes = []
    tracemalloc.start()
    try:
        for _ in range(5):
            for what in nonsense * 2:
                attack(fuzzed, context, what)
            assert all(connection.closed for connection in fuzzed.log.connections)
            fuzzed.log.clear()
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert sizes[-1] - sizes[1] < 100_000, sizes
    assert threading.active_count() == threads


def test_a_client_may_ask_to_shake_hands_anew_and_is_refused(fuzzed: Lab) -> None:
    words = [
        "openssl",
        "s_client",
        "-connect",
        f"127.0.0.1:{fuzzed.https_port}",
        "-tls1_2",
        "-servername",
        "shop.test",
    ]
    try:
        done = subprocess.run(words, input=b"R\n", capture_output=True, timeout=20, check=False)
    except FileNotFoundError:
        missing("openssl is not installed")
    assert b"RENEGOTIATING" in done.stderr + done.stdout
    assert not [error for error in fuzzed.log.errors if error.startswith("the lab failed")]
    fuzzed.log.clear()


def test_the_script_shows_no_progress_in_a_pipe() -> None:
    words = [sys.executable, "-m", "tests.lab.fuzz", "--count", "120", "--seed", "3"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("seed 3: the lab served every client that came after\n")
