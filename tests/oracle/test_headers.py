"""A header leaves in our store what it leaves in the program's own state."""

from __future__ import annotations

import math
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from hstssim.interceptor import Interceptor
from hstssim.profile import PROFILES
from hstssim.store import HSTSStore, KnownHost
from tests.oracle.headers import sample
from tests.oracle.programs import PAGE, SITE, Program

pytestmark = [pytest.mark.oracle, pytest.mark.allow_hosts(["127.0.0.1"])]

SLACK = 2.5
"""Seconds between when the server sends a header and when a program, whose clock may be whole, notes it."""


@pytest.mark.parametrize("count", [60, pytest.param(400, marks=pytest.mark.full)])
def test_a_header_leaves_what_it_leaves_in_the_program(program: Program, count: int, tmp_path: Path) -> None:
    """Each is sent by a host that was not known before, and by one that was."""
    observed = float(int(time.time()) - 1000)
    headers = {
        f"{before}{number:03}.{SITE}": lines
        for number, lines in enumerate(sample(count))
        for before in ("new", "old")
    }
    known = {
        host: KnownHost(host, True, observed, observed + 10_000_000) for host in headers if host.startswith("old")
    }

    visit = program.visit(tmp_path, known.values(), [f"https://{host}/" for host in headers], headers)

    end = time.time()
    heard = {arrival.host: arrival.time for arrival in visit.arrivals if arrival.secure}
    disagreements = [f"{host} was not asked" for host in headers if host not in heard]
    for host, lines in headers.items():
        ours = _noted(program.profile, known.get(host), host, lines, heard.get(host, end))
        theirs = visit.known.get(host)
        if not _alike(ours, theirs, end):
            sent = " and ".join(map(repr, lines))
            disagreements.append(
                f"{program.command}, {sent} from a host {'known' if host in known else 'unknown'} before: "
                f"{_shown(ours, end)} in our store, {_shown(theirs, end)} in the program"
            )
    assert not disagreements, "\n".join(disagreements)


SENDERS = (
    f"https://plain.{SITE}",
    f"https://port.{SITE}:8443",
    f"http://clear.{SITE}",
    f"https://UPPER.{SITE}",
    f"https://dot.{SITE}.",
    f"https://_a.{SITE}",
    f"https://a_b.{SITE}",
    f"https://xn--bcher-kva.{SITE}",
    "https://single",
    "https://elsewhere.test",
    "https://localhost",
    "https://www.localhost",
    "https://10.0.0.1",
)


def test_a_header_counts_from_whom_it_counts_in_the_program(program: Program, tmp_path: Path) -> None:
    fields = {urlsplit(url).hostname or "": (b" max-age=5000",) for url in SENDERS}
    store = HSTSStore(profile=PROFILES[program.profile])

    visit = program.visit(tmp_path, [], SENDERS, fields)

    interceptor = Interceptor(store)
    for url in SENDERS:
        interceptor.response(url, [("Strict-Transport-Security", "max-age=5000")], top_level_site=PAGE)
    asked = {arrival.host for arrival in visit.arrivals if arrival.path == "/"}
    assert asked == set(fields)
    theirs = {(known.domain.lower(), known.port) for known in visit.known.values()}  # curl's file keeps the case
    assert theirs == {(known.domain, known.port) for known in store}


def _noted(
    profile: str, known: KnownHost | None, host: str, lines: tuple[bytes, ...], now: float
) -> KnownHost | None:
    """What our store holds of a host after it was heard."""
    store = HSTSStore(profile=PROFILES[profile], clock=lambda: now)
    if known is not None:
        store.add(
            host,
            include_subdomains=known.include_subdomains,
            expiry=known.expiry,
            last_observed=known.last_observed,
            top_level_site=PAGE,
        )
    # White space around a field value is not part of it (RFC 9110 §5.5).
    store.note(host, [line.strip(b" \t") for line in lines], top_level_site=PAGE)
    return store.get(host, top_level_site=PAGE)


def _alike(ours: KnownHost | None, theirs: KnownHost | None, end: float) -> bool:
    if ours is None or theirs is None:
        over = ours is not None and ours.last_observed < ours.expiry <= end  # the program may have dropped it
        return ours is theirs or (theirs is None and over)
    expire_alike = math.isclose(ours.expiry, theirs.expiry, rel_tol=1e-12, abs_tol=SLACK)
    return expire_alike and ours.include_subdomains == theirs.include_subdomains


def _shown(known: KnownHost | None, end: float) -> str:
    if known is None:
        return "nothing"
    subdomains = " with" if known.include_subdomains else " without"
    return f"{known.expiry - end:.0f} s{subdomains} includeSubDomains"
