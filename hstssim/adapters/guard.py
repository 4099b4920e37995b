"""What every adapter asks before a request and tells after a response, whichever library it is for.

Never here: anything of one library.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from hstssim import host as hosts
from hstssim.errors import HSTSSimError, InvalidHost, InvalidURL, short
from hstssim.interceptor import Interceptor
from hstssim.preload import PreloadList
from hstssim.redirect import InternalRedirect
from hstssim.store import HSTSStore, Ignored, Noted, Removed

Mode = Literal["redirect", "rewrite"]
STS = "Strict-Transport-Security"
_zone = re.compile(r"\w+://[^/?#]*\[[^\]/?#]*%[^\]/?#]*\]").match
"""An address on a link (RFC 6874), which browsers do not take: an address all the same, so no host to know."""
_MARK = "_hstssim_internal_redirect"


class Guard:
    """Stands between a client and the network: upgrades its requests, learns from its responses.

    Args:
        hsts: whose store and profile decide: an `Interceptor` or an `HSTSStore`, which several clients may
            share. None for a new store with Chrome's rules and the bundled preload list.
        mode: "redirect" shows the internal 307 where the library can show it; "rewrite" changes the URL, and
            `internal_redirect` tells. A profile that shows no redirect (curl's) always rewrites.
        bypass: hosts that are left alone, neither upgraded nor learned from: `app`, or `*.dev` for all
            names below dev, such as a docker network has them.

    Raises:
        InvalidHost: a host to be left alone is none.
        TypeError: `hsts` or `mode` is something else.
    """

    def __init__(
        self,
        hsts: Interceptor | HSTSStore | None = None,
        *,
        mode: Mode = "redirect",
        bypass: Iterable[str] = (),
    ) -> None:
        if hsts is None:
            hsts = HSTSStore(preload=PreloadList.bundled())
        if isinstance(hsts, HSTSStore):
            hsts = Interceptor(hsts)
        if not isinstance(hsts, Interceptor):
            raise TypeError(f"hsts is an Interceptor, an HSTSStore, or None for Chrome's; seen {short(hsts)}")
        if mode not in ("redirect", "rewrite"):
            raise TypeError(f"mode is 'redirect' or 'rewrite'; seen {short(mode)}")
        if isinstance(bypass, str):
            raise TypeError(f"bypass is several hosts, as in [{bypass!r}]; seen a str")
        self.hsts = hsts
        self.shows_redirect = mode == "redirect" and hsts.store.profile.internal_redirect
        names = [(name.removeprefix("*."), name) for name in bypass]
        self._names = {_canonical(host) for host, name in names if host == name}
        self._below = {_canonical(host) for host, name in names if host != name}

    def upgrade(self, url: str, headers: Mapping[str, Any]) -> InternalRedirect | None:
        """Where a request goes instead, None if it may go out as it is.

        Args:
            url: the URL that is about to be requested.
            headers: the request's, whose Origin the redirect answers.

        Raises:
            InvalidURL: no browser takes the URL; it must not be sent.
            MissingExtra: the URL is not plain, and ada-url is not installed.
        """
        if url[:6] == "https:":
            return None
        try:
            decision = self.hsts.request(url)
        except InvalidURL:
            if _zone(url):
                return None
            raise
        if not decision or self._bypasses(decision.host):
            return None
        origin = headers.get("Origin")
        return InternalRedirect.to(decision.location or "", origin=origin if isinstance(origin, str) else None)

    def learn(self, url: str, fields: Iterable[str | bytes], *, verified: bool) -> Noted | Removed | Ignored:
        """Learn from a response.

        Args:
            url: the URL that was requested.
            fields: the values of its Strict-Transport-Security fields, repeated ones apart, in order.
            verified: whether the connection's certificate was checked and is without error.
        """
        try:
            if (self._names or self._below) and self._bypasses(self.hsts.request(url).host):
                return Ignored(url, "bypassed", "this host is left alone (`bypass`)")
            return self.hsts.response(url, [(STS, field) for field in fields], verified)
        except InvalidURL as error:
            return Ignored(url, "invalid-host", str(error))

    def _bypasses(self, host: str) -> bool:
        if not self._names and not self._below:
            return False
        name = host.removesuffix(".")
        return name in self._names or any(parent in self._below for parent in hosts.superdomains(name))

    def __repr__(self) -> str:
        return f"<Guard {self.hsts.store!r}>"


def internal_redirect(response: object) -> InternalRedirect | None:
    """The internal redirect that led to a response of any of the libraries, where its request was rewritten."""
    found = getattr(response, _MARK, None)
    return found if isinstance(found, InternalRedirect) else None


def mark(response: object, redirect: InternalRedirect) -> None:
    """Note on a response that its request was rewritten."""
    setattr(response, _MARK, redirect)


def _canonical(name: str) -> str:
    required = "a host to be left alone is a name, or `*.` and a name"
    try:
        host = hosts.canonical(name).removesuffix(".")
    except HSTSSimError as error:
        raise InvalidHost(name, f"{required}: {error}") from None
    if not hosts.is_ip_address(host) and hosts.domain(host) is None:
        raise InvalidHost(name, required)
    return host
