"""A navigation in words: a line for each hop, a sentence for each hop, and what to learn from the whole.

Plain text, that is marks instead of colours. Never here: terminals.
"""

from __future__ import annotations

from collections.abc import Iterator

from hstssim.errors import short
from hstssim.navigation import Hop, Navigation
from hstssim.store import Noted, Removed
from hstssim.times import iso, span

PLAINTEXT = "PLAINTEXT"
NOT_SENT = "not sent by the server"
_LONG = 300

_SENTENCES = {
    "HSTS": "The browser knows this host as a Known HSTS Host and redirects to https by itself; nothing is sent.",
    "HttpsUpgrades": "The browser tries https first (HTTPS-Upgrades, which is not HSTS); nothing is sent.",
    "HttpsUpgrades-fallback": "There was no page by https, so the browser goes back to http (HTTPS-Upgrades).",
}
_METHODS = {
    301: "moved for good: POST becomes GET, other methods stay; browsers keep the answer",
    302: "found elsewhere for now: POST becomes GET, other methods stay",
    303: "see other: the next request is a GET",
    307: "elsewhere for now: method and body stay",
    308: "moved for good: method and body stay; browsers keep the answer",
}


def lines(navigation: Navigation) -> Iterator[str]:
    """A line for each hop, with marks for what is internal or in the clear, and what was learned below it."""
    width = len(str(len(navigation.hops)))
    for number, hop in enumerate(navigation.hops, 1):
        yield f"{number:{width}}  {summary(hop)}"
        indent = " " * (width + 2)
        if hop.passed_over is not None:
            yield f"{indent}not heeded: {hop.passed_over}"
        learned = _learned(hop)
        if learned:
            yield f"{indent}{learned}"
    yield from _end(navigation)


def explained(navigation: Navigation) -> Iterator[str]:
    """As `lines`, with a sentence that says why for each hop."""
    width = len(str(len(navigation.hops)))
    indent = " " * (width + 2)
    for number, hop in enumerate(navigation.hops, 1):
        yield f"{number:{width}}  {summary(hop)}"
        yield from (f"{indent}{sentence}" for sentence in sentences(hop))
    yield from _end(navigation)
    yield from lessons(navigation)


def summary(hop: Hop) -> str:
    """A hop on one line: method, URL, status, and its marks."""
    response = hop.response
    url = hop.request.url
    url = url if len(url) <= _LONG else f"{url[:_LONG]}… ({len(url)} characters)"
    text = f"{hop.request.method} {url}  "
    text += f"{response.status} {response.reason}".rstrip() if response is not None else "no response"
    marks = []
    if hop.internal and response is not None:
        marks.append(f"{_reason(hop)}: {NOT_SENT}")
    if hop.source == "cache":
        marks.append("from the cache: not asked again")
    if hop.replaced is not None:
        marks.append(f"HSTS, in place of {hop.replaced}")
    if hop.plaintext:
        marks.append(PLAINTEXT)
    return text + (f"  [{'; '.join(marks)}]" if marks else "")


def _reason(hop: Hop) -> str:
    assert hop.response is not None
    return hop.response.header("Non-Authoritative-Reason") or hop.reason


def sentences(hop: Hop) -> Iterator[str]:
    """Why a hop went as it did."""
    if hop.internal and hop.response is not None:
        yield _SENTENCES[hop.reason]
        if hop.passed_over is not None:
            yield f"What came instead: {hop.passed_over}."
        if hop.reason == "HSTS" and hop.decision is not None:
            yield f"Known by: {hop.decision.message}."
        return
    if hop.replaced is not None and hop.decision is not None:
        yield f"The URL was rewritten before anything was sent, by: {hop.decision.message}."
    if hop.plaintext:
        why = "" if hop.decision is None else f" HSTS did not help: {hop.decision.message}."
        yield f"This request travelled in the clear, where anyone on the way can read and change it.{why}"
    if hop.source == "cache":
        yield "The browser kept this redirect from an earlier visit and did not ask again."
    if hop.passed_over is not None:
        yield f"The certificate was not heeded, so nothing is learned: {hop.passed_over}."
    if hop.response is not None and hop.location is not None and not hop.internal:
        yield f"The server redirects, {_METHODS[hop.response.status]}."
    learned = _learned(hop)
    if learned:
        yield f"{learned[0].upper()}{learned[1:]}."
    elif hop.learned is not None:
        yield f"Nothing was learned: {getattr(hop.learned, 'message', '')}."
    if hop.error is not None:
        yield f"{hop.error}."


def _learned(hop: Hop) -> str:
    learned = hop.learned
    if isinstance(learned, Noted):
        known = learned.host
        subdomains = " and its subdomains" if known.include_subdomains else ""
        left = known.expiry - hop.time
        until = "for ever" if known.expiry == float("inf") else f"until {iso(known.expiry)} ({span(round(left))})"
        return f"learned: {known.domain}{subdomains}, https only {until}"
    if isinstance(learned, Removed):
        return f"learned: {learned.domain} asked to be forgotten" + (
            "" if learned.known else ", but was not known"
        )
    if learned is not None and learned.code != "no-header":
        return f"not learned ({learned.code}): {learned.message}"
    return ""


def _end(navigation: Navigation) -> Iterator[str]:
    error = navigation.error
    if error is not None:
        yield f"{error}"
        if error.fault is not None:
            yield (
                "A person could click through this."
                if navigation.can_proceed
                else "Nobody can click through this: it is a Known HSTS Host."
            )


def lessons(navigation: Navigation) -> Iterator[str]:
    """What is worth saying of the whole: which hosts HSTS did not upgrade, and why they did not become known."""
    said = set()
    for hop in navigation.hops:
        host = hop.request.host
        if host in said or not hop.request.plaintext or hop.reason == "HSTS":
            continue
        said.add(host)
        secure = [
            other
            for other in navigation.hops
            if not other.internal and not other.request.plaintext and other.request.host == host
        ]
        noted = [
            other.learned.host
            for other in navigation.hops
            if isinstance(other.learned, Noted)
            and (
                other.learned.host.domain == host.removesuffix(".")
                or (other.learned.host.include_subdomains and host.endswith(f".{other.learned.host.domain}"))
            )
        ]
        if noted:
            yield f"{host} is known from now on: the next visit does not travel in the clear."
        elif not secure:
            yield (
                f"{host} does not become known: no response of https://{host}/ is met on this chain, and only "
                f"that could carry its Strict-Transport-Security."
            )
        else:
            yield f"{host} does not become known: {_why(secure[-1])}."


def _why(hop: Hop) -> str:
    if hop.error is not None:
        return f"its https has an error ({hop.error.name})"
    if hop.source == "cache":
        return f"its redirect ({short(hop.request.url)[1:-1]}) came from the cache, and no header with it"
    if hop.learned is None or isinstance(hop.learned, Noted | Removed):
        return "it asked to be forgotten"
    if hop.learned.code == "no-header":
        return f"its answer over https ({short(hop.request.url)[1:-1]}) has no Strict-Transport-Security field"
    return hop.learned.message


def beside(first: Navigation, second: Navigation, columns: int | None) -> Iterator[str]:
    """Two visits side by side, one below the other where `columns` are too few (None for any number)."""
    left, right = list(lines(first)), list(lines(second))
    width = max(map(len, ["first visit", *left]))
    if columns is not None and width + 3 + max(map(len, ["second visit", *right])) > columns:
        yield from ("first visit", *left, "", "second visit", *right)
        return
    yield f"{'first visit':{width}} │ second visit"
    for number in range(max(len(left), len(right))):
        one = left[number] if number < len(left) else ""
        other = right[number] if number < len(right) else ""
        yield f"{one:{width}} │ {other}".rstrip()
