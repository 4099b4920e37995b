"""The redirect cache: which redirects are kept, and until when.

As Chromium's HTTP cache (net/http/http_response_headers.cc, GetFreshnessLifetimes; observed on Chromium 156).
Never here: pages.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from math import inf
from typing import NamedTuple

from hstssim.network import Request, Response
from hstssim.network.message import every

PERMANENT = (301, 308)


class _Kept(NamedTuple):
    response: Response
    until: float
    """POSIX seconds."""


class RedirectCache:
    """Redirects that a browser does not ask for again."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, bool], _Kept] = {}

    def get(self, request: Request, cross_site: bool, now: float) -> Response | None:
        """The redirect that answers a request, None if the network must.

        Args:
            request: GET only, and none that asks for a fresh answer.
            cross_site: whether a page of another site asked: such answers are kept apart (Chromium
                http_cache.cc, is_cross_site_main_frame_navigation).
            now: POSIX seconds.
        """
        key = (request.url.partition("#")[0], cross_site)
        kept = self._kept.get(key)
        if kept is None or request.method != "GET" or request.header("Cache-Control") is not None:
            return None
        if now < kept.until:
            return kept.response
        del self._kept[key]
        return None

    def put(self, request: Request, response: Response, cross_site: bool, now: float) -> None:
        """Keep a redirect if it may be kept."""
        if request.method != "GET" or "no-store" in _directives(response):
            return
        key = (request.url.partition("#")[0], cross_site)
        lifetime = freshness(response, now)
        if lifetime > 0:
            self._kept[key] = _Kept(response, now + lifetime)
        else:
            self._kept.pop(key, None)

    def clear(self) -> None:
        """Forget all of them."""
        self._kept.clear()

    def __len__(self) -> int:
        return len(self._kept)


def freshness(response: Response, now: float) -> float:
    """Seconds for which a redirect answers again: for ever if it is permanent and says nothing else."""
    directives = _directives(response)
    pragma = ",".join(every(response.headers, "Pragma")).lower()
    if "no-cache" in directives or "no-store" in directives or "no-cache" in pragma or _varies(response):
        return 0.0
    for directive in directives:
        name, _, value = directive.partition("=")
        if name == "max-age" and value.isascii() and value.isdigit():
            return max(0.0, float(min(int(value[:18]), 2**53)) - _age(response))
    expires = response.header("Expires")
    if expires is not None:
        instant = 0.0 if expires.strip() == "0" else _instant(expires)
        if instant is not None:
            date = _instant(response.header("Date") or "")
            return max(0.0, instant - (now if date is None else date) - _age(response))
    return inf if response.status in PERMANENT else 0.0


def _directives(response: Response) -> list[str]:
    fields = ",".join(every(response.headers, "Cache-Control")).lower()
    return [directive.strip() for directive in fields.split(",")]


def _varies(response: Response) -> bool:
    return any(name.strip() == "*" for name in ",".join(every(response.headers, "Vary")).split(","))


def _age(response: Response) -> float:
    age = (response.header("Age") or "").strip()
    return float(age[:15]) if age.isascii() and age.isdigit() else 0.0


def _instant(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
