"""A request leaves the program as it leaves our Interceptor: in the clear, or over TLS, and to which port."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from hstssim.interceptor import Interceptor
from hstssim.profile import PROFILES
from hstssim.store import HSTSStore, KnownHost
from tests.oracle.programs import PAGE, SITE, Program
from tests.oracle.servers import Arrival

pytestmark = [pytest.mark.oracle, pytest.mark.allow_hosts(["127.0.0.1"])]

NOW = float(int(time.time()))
YEAR = 31_536_000


def known(
    domain: str, subdomains: bool = True, lasts: int = YEAR, port: int = 0, top_level_site: str = ""
) -> KnownHost:
    return KnownHost(domain, subdomains, NOW - 2 * YEAR, NOW + lasts, port, top_level_site)


ENTRIES = (
    known(f"exact.{SITE}", subdomains=False),
    known(f"tree.{SITE}"),
    known(f"leaf.tree.{SITE}", subdomains=False),
    known(f"tree.tree.{SITE}"),
    known(f"old.tree.{SITE}", subdomains=False, lasts=-YEAR),
    known(f"oldtree.tree.{SITE}", lasts=-YEAR),
    known(f"old.{SITE}", lasts=-YEAR),
    known("single"),
    known("localhost"),
    known("10.0.0.1"),
    known("elsewhere.test"),
)

# Each is asked for a path of its own. Expired entries are asked for twice: the first look-up may forget them.
ORIGINS = (
    f"http://exact.{SITE}",
    f"http://EXACT.{SITE.title()}",
    f"http://exact.{SITE}:80",
    f"http://exact.{SITE}:443",
    f"http://exact.{SITE}:8080",
    f"http://exact.{SITE}.",
    f"https://exact.{SITE}",
    f"https://exact.{SITE}:8443",
    f"http://www.exact.{SITE}",
    f"http://tree.{SITE}",
    f"http://tree.{SITE}.",
    f"http://www.tree.{SITE}",
    f"http://www.tree.{SITE}.",
    f"http://www.tree.{SITE}:8080",
    f"http://a.b.c.tree.{SITE}",
    f"http://xtree.{SITE}",
    f"http://leaf.tree.{SITE}",
    f"http://www.leaf.tree.{SITE}",
    f"http://www.tree.tree.{SITE}",
    f"http://a_b.tree.{SITE}",
    f"http://_a.tree.{SITE}",
    f"http://-a.tree.{SITE}",
    f"http://xn--bcher-kva.tree.{SITE}",
    f"http://{'a' * 63}.tree.{SITE}",
    f"http://old.{SITE}",
    f"http://old.{SITE}",
    f"http://www.old.{SITE}",
    f"http://www.old.tree.{SITE}",
    f"http://old.tree.{SITE}",
    f"http://old.tree.{SITE}",
    f"http://www.oldtree.tree.{SITE}",
    f"http://oldtree.tree.{SITE}",
    f"http://www.oldtree.tree.{SITE}",
    f"http://unknown.{SITE}",
    f"https://unknown.{SITE}",
    "http://single",
    "http://www.single",
    "http://localhost",
    "http://www.localhost",
    "http://10.0.0.1",
    "http://10.0.0.2",
    "http://elsewhere.test",
    "http://www.elsewhere.test",
)

# What only some programs can be told, or asked.
MORE_ENTRIES = {
    "firefox": (known(f"partitioned.{SITE}", top_level_site="elsewhere.test"),),
    "wget-1.21": tuple(known(f"port{port}.{SITE}", port=port) for port in (80, 8080)),
}
WEBSOCKETS = (f"ws://exact.{SITE}", f"ws://www.tree.{SITE}:8080", f"ws://unknown.{SITE}")
MORE_ORIGINS = {
    "chrome": (*WEBSOCKETS, f"http://tree.{SITE}..", f"http://a!b.tree.{SITE}", f"http://{'a' * 64}.tree.{SITE}"),
    # Firefox sends nothing to a host like a!b, known or not.
    "firefox": (
        *WEBSOCKETS,
        f"http://tree.{SITE}..",
        f"http://partitioned.{SITE}",
        f"http://{'a' * 64}.tree.{SITE}",
    ),
    "wget-1.21": tuple(
        f"http://{sub}port{port}.{SITE}{asked}"
        for port in (80, 8080)
        for sub in ("", "www.")
        for asked in ("", ":80", ":443", ":8080")
    ),
}


def test_a_request_is_upgraded_as_the_program_upgrades_it(program: Program, tmp_path: Path) -> None:
    entries = ENTRIES + MORE_ENTRIES.get(program.profile, ())
    origins = ORIGINS + MORE_ORIGINS.get(program.profile, ())
    urls = [f"{origin}/{number}" for number, origin in enumerate(origins)]
    store = HSTSStore(profile=PROFILES[program.profile], clock=lambda: NOW)
    for entry in entries:
        store.add(
            entry.domain,
            include_subdomains=entry.include_subdomains,
            expiry=entry.expiry,
            last_observed=entry.last_observed,
            port=entry.port,
            top_level_site=entry.top_level_site or PAGE,
        )
    interceptor = Interceptor(store)

    visit = program.visit(tmp_path, entries, urls, {})

    disagreements = []
    for number, url in enumerate(urls):
        ours = _destination(interceptor.request(url, top_level_site=PAGE).location or url)
        theirs = {arrival.origin for arrival in visit.arrivals if arrival.path == f"/{number}"} or {
            # No certificate is good enough for some names, which are asked for once.
            arrival.origin
            for arrival in visit.arrivals
            if not arrival.path and arrival.host == urlsplit(url).hostname
        }
        if theirs != {ours}:
            seen = " and ".join(sorted(theirs)) or "nowhere"
            disagreements.append(f"{program.command}, {url}: to {ours} with us, to {seen} with the program")
    assert not disagreements, "\n".join(disagreements)


def _destination(url: str) -> str:
    """Where a request for a URL arrives, as `Arrival.origin` writes it."""
    parts = urlsplit(url)
    secure = parts.scheme in ("https", "wss")
    return Arrival(secure, parts.hostname or "", parts.port or (443 if secure else 80), "", 0).origin
