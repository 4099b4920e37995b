"""What requests in the clear broke, in words that teach: the requirement, what was expected, what was seen.

The answers in the log are replayed to a store of RFC 6797, which knows what a client had to know by then.
Never here: whether a given client may be excused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from hstssim.errors import short
from hstssim.interceptor import Interceptor
from hstssim.profile import PROFILES
from hstssim.store import HSTSStore, Ignored, Noted, Removed
from hstssim.times import iso

if TYPE_CHECKING:
    from hstssim.lab.log import Request

_SHOWN = 10


def report(requests: Sequence[Request], whom: str) -> list[str]:
    """What is to be said of requests in the clear, in lines.

    Args:
        requests: at least one, all of one log, in the order in which they came.
        whom: to whom there should have been none.
    """
    lines = [
        "RFC 6797 §8.3: the URL of a Known HSTS Host becomes https before anything is sent.",
        f"Expected: no plaintext request to {whom}.",
        f"Seen: {len(requests)} plaintext request{'s' if len(requests) > 1 else ''}.",
    ]
    replay = _Replay(requests[0].log.requests)
    for request in requests[:_SHOWN]:
        lines.append(f"  {request.method} {short(request.url)[1:-1]}  at {iso(request.time)}")
        lines.append(f"    {replay.judge(request)[1]}")
    if len(requests) > _SHOWN:
        lines.append(f"  and {len(requests) - _SHOWN} more")
    return lines


def known_before(requests: Sequence[Request]) -> list[tuple[Request, str]]:
    """Those of the requests in the clear that went to a Known HSTS Host, each with the answer that had told so."""
    if not requests:
        return []
    replay = _Replay(requests[0].log.requests)
    judged = [(request, *replay.judge(request)) for request in requests]
    return [(request, why) for request, known, why in judged if known]


class _Replay:
    """What a client of RFC 6797 knows, from the answers in a log up to a request."""

    def __init__(self, requests: Sequence[Request]) -> None:
        self._now = 0.0
        self._hsts = Interceptor(HSTSStore(profile=PROFILES["rfc6797"], clock=lambda: self._now))
        self._told: dict[str, tuple[Request, Noted | Removed | Ignored]] = {}
        self._rest: Iterator[Request] = iter(requests)

    def judge(self, request: Request) -> tuple[bool, str]:
        """Whether its host was known, and why it was or was not."""
        for other in self._rest:
            if other is request:
                break
            if other.sts:
                self._hear(other)
        self._now = request.time
        decision = self._hsts.request(request.url)
        if decision.dynamic is not None:
            told, _ = self._told[decision.dynamic.domain]
            return True, f"{decision.dynamic.domain} was known: {_answer(told)}"
        parents = [name for name in self._told if f".{decision.host}".endswith(f".{name}")]
        if not parents:
            return False, "nothing had told the client before: it learns over error-free TLS only (§8.1)"
        told, outcome = self._told[max(parents, key=len)]
        why = decision.message
        if isinstance(outcome, Ignored):
            why = outcome.message
        elif isinstance(outcome, Removed):
            why = "max-age=0 says to forget it (§6.1.1)"
        return False, f"{_answer(told)}, but {why}"

    def _hear(self, request: Request) -> None:
        self._now = request.time
        fields = [("Strict-Transport-Security", field) for field in request.sts]
        outcome = self._hsts.response(request.url, fields, verified=_error_free(request))
        domain = outcome.host.domain if isinstance(outcome, Noted) else request.host
        before = self._told.get(domain)
        if before is None or not isinstance(outcome, Ignored) or isinstance(before[1], Ignored):
            self._told[domain] = request, outcome


def _answer(request: Request) -> str:
    return f"{request.url} had answered Strict-Transport-Security: {short(request.sts[0])[1:-1]}"


def _error_free(request: Request) -> bool:
    """Whether the certificate that was presented is one for the host (RFC 6797 §8.1)."""
    match request.certificate:
        case "valid":
            return True
        case "wildcard":
            below = request.host.removesuffix(".").removesuffix(request.site or "")
            return below.count(".") <= 1
        case "ip-address":
            return request.host == "127.0.0.1"
    return False
