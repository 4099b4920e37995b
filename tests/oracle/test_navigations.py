"""A navigation in our Browser goes hop by hop as in a real Chromium, and puts the same requests on the wire."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from hstssim.lab import Lab
from hstssim.lab.log import Request
from hstssim.navigation import Browser, Navigation
from hstssim.network import LiveNetwork
from hstssim.preload import PreloadList
from hstssim.profile import PROFILES
from hstssim.store import HSTSStore
from tests.oracle.chromium import Chain, Chromium, Tab, need_chromium
from tests.oracle.navigations import Case, cases, world
from tests.oracle.programs import Chromium as Program

pytestmark = [pytest.mark.oracle, pytest.mark.allow_hosts(["127.0.0.1"])]

COMPARED = ("content-type", "origin", "referer", "sec-fetch-site", "upgrade-insecure-requests")
"""The fields of a request that are compared."""
NOT_A_PAGE = ("ERR_ABORTED", "ERR_HTTP_RESPONSE_CODE_FAILURE", "ERR_INVALID_AUTH_CREDENTIALS")
"""What Chromium calls a response that it has and does not show as it is: 204, 304, an empty 404."""


@dataclass
class Pair:
    """What came of a case in both."""

    case: Case
    theirs: list[str]
    ours: list[str]

    def __str__(self) -> str:
        lines = [f"{self.case.id}:"]
        for theirs, ours in zip(_padded(self.theirs, self.ours), _padded(self.ours, self.theirs), strict=True):
            mark = " " if theirs == ours else "!"
            lines.append(
                f"  {mark} Chromium: {theirs}" + ("" if theirs == ours else f"\n  {mark} Browser:  {ours}")
            )
        return "\n".join(lines)


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        world(lab)
        yield lab


@pytest.fixture
def chromium(lab: Lab) -> Iterator[Chromium]:
    need_chromium()
    other = Program().other_version()
    if other is not None:
        pytest.skip(f"profile chrome is made after another version than {other}")
    arguments = [word for word in lab.client_args("chromium") if "HttpsUpgrades" not in word]
    with Chromium(arguments, lab.client_env("chromium")) as browser:
        yield browser


@pytest.mark.parametrize("count", [60, pytest.param(None, marks=pytest.mark.full)])
def test_a_navigation_goes_as_in_chromium(chromium: Chromium, lab: Lab, count: int | None) -> None:
    chosen = list(cases())
    if count is not None:
        chosen = chosen[:: len(chosen) // count + 1] or chosen
        chosen += [case for case in cases() if case not in chosen][: count - len(chosen)]
    pairs = [_both(case, chromium, lab) for case in chosen]
    disagreements = [str(pair) for pair in pairs if pair.theirs != pair.ours]
    assert not disagreements, f"{len(disagreements)} of {len(pairs)}\n" + "\n".join(disagreements)


def _both(case: Case, chromium: Chromium, lab: Lab) -> Pair:
    with chromium.context() as tab:
        for host in ("known", "exact"):
            tab.type(f"https://{host}.test/")
        theirs = [line for step in case.steps for line in _seen(tab, step.how, step.url, lab)]
    with lab.in_process(), LiveNetwork(proxy="") as network:
        store = HSTSStore(preload=PreloadList.bundled())
        browser = Browser(PROFILES["chrome"], store, network)
        for host in ("known", "exact"):
            browser.navigate(f"https://{host}.test/")
        ours = []
        page: str | None = None
        for step in case.steps:
            begin = len(lab.requests)
            method = "POST" if step.how == "submit" else "GET"
            body = "a=b" if step.how == "submit" else None
            initiator = None if step.how == "type" else page
            navigation = browser.navigate(step.url, method, body, initiator=initiator)
            page = navigation.url
            ours += _lines(_as_chain(navigation), lab.requests[begin:])
    return Pair(case, theirs, ours)


def _seen(tab: Tab, how: str, url: str, lab: Lab) -> list[str]:
    begin = len(lab.requests)
    do = {"type": tab.type, "submit": tab.submit, "follow": tab.follow}[how]
    chain = do(url)
    return _lines(chain, lab.requests[begin:])


def _as_chain(navigation: Navigation) -> Chain:
    from tests.oracle.chromium import Hop

    hops = []
    for hop in navigation.hops:
        response = hop.response
        headers = () if response is None else tuple(sorted((n.lower(), v) for n, v in response.headers))
        status, reason = (0, "") if response is None else (response.status, response.reason)
        cached = hop.source == "cache"
        hops.append(Hop(hop.request.method, hop.request.url, status, reason, headers, cached))
    return Chain(tuple(hops), navigation.error.name if navigation.error else "")


def _lines(chain: Chain, requests: list[Request]) -> list[str]:
    """A chain and what went over the wire for it, a line each."""
    lines = []
    for number, hop in enumerate(chain.hops, 1):
        last = number == len(chain.hops)
        status = "no page" if last and chain.error and chain.error not in NOT_A_PAGE[1:] else str(hop.status)
        if status == "304":
            status = "no page"
        if status != "no page":
            internal = dict(hop.headers).get("non-authoritative-reason")
            status += "" if internal is None else f" {hop.reason} {hop.headers}"
            status += " from cache" if hop.from_cache else ""
        lines.append(f"{hop.method} {hop.url} {status}")
    error = chain.error
    if error in NOT_A_PAGE[1:]:
        error = ""
    last_status = chain.hops[-1].status if chain.hops else 0
    if error == "ERR_ABORTED" and last_status == 0 and lines and "304" in chain.hops[-1].url:
        error = ""
    lines.append(f"end {error or 'a response'}")
    for request in requests:
        if request.target == "/favicon.ico" or request.site is None:
            continue
        headers = {name.lower(): value for name, value in request.headers}
        kept = {name: headers[name] for name in COMPARED if name in headers}
        lines.append(f"sent {request.method} {request.url} {request.body_size} {kept}")
    return lines


def _padded(lines: list[str], others: list[str]) -> list[str]:
    return lines + ["nothing"] * (len(others) - len(lines))
