"""HSTS for urllib3: a `PoolManager` and a `ProxyManager`."""

from __future__ import annotations

import io
import ssl
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from hstssim.adapters.guard import STS, Guard, Mode, mark
from hstssim.errors import InvalidURL, MissingExtra
from hstssim.interceptor import Interceptor
from hstssim.redirect import InternalRedirect
from hstssim.store import HSTSStore

try:
    import urllib3
    from urllib3 import HTTPHeaderDict, HTTPResponse
    from urllib3.exceptions import LocationParseError, MaxRetryError
    from urllib3.util import Retry, parse_url
    from urllib3.util.ssl_ import resolve_cert_reqs
except ImportError as error:
    raise MissingExtra("this adapter wants urllib3 2 or later: pip install 'hstssim[urllib3]'") from error

if TYPE_CHECKING:
    _Manager = urllib3.PoolManager
else:
    _Manager = object


class _HSTS(_Manager):
    """What both managers do."""

    def __init__(
        self,
        *args: Any,
        hsts: Guard | Interceptor | HSTSStore | None = None,
        mode: Mode = "redirect",
        bypass: Iterable[str] = (),
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.guard = hsts if isinstance(hsts, Guard) else Guard(hsts, mode=mode, bypass=bypass)
        pools: dict[str, Any] = dict(self.pool_classes_by_scheme)
        self.pool_classes_by_scheme = pools | {"https": partial(_Pool, guard=self.guard)}

    def urlopen(  # type: ignore[override]
        self, method: str, url: str, redirect: bool = True, **options: Any
    ) -> urllib3.BaseHTTPResponse:
        """Send a request, or where it was to go in the clear to a known host, what takes its place.

        Each redirect comes here too.
        """
        parsed = parse_url(url)  # what urllib3 refuses, it refuses itself
        if parsed.host is None:
            return super().urlopen(method, url, redirect, **options)
        asked = url if parsed.scheme else parsed._replace(scheme="http").url  # as it takes it still
        headers = options.get("headers", self.headers) or {}
        try:
            internal = self.guard.upgrade(asked, headers)
        except InvalidURL as error:
            raise LocationParseError(str(error)) from error
        if internal is not None and self.guard.shows_redirect:
            answer = response(url, internal)
            if not redirect:
                return answer
            retries = options.get("retries")
            if not isinstance(retries, Retry):
                retries = Retry.from_int(retries, redirect=redirect)
            try:
                options["retries"] = retries.increment(method, url, response=answer)
            except MaxRetryError as error:
                if retries.raise_on_redirect:
                    raise MaxRetryError(self.connection_from_url(url), url, error.reason) from None
                return answer
        sent = super().urlopen(method, url if internal is None else internal.location, redirect, **options)
        if internal is not None and not self.guard.shows_redirect:
            mark(sent, internal)
        return sent


class HSTSPoolManager(_HSTS, urllib3.PoolManager):
    """A `PoolManager` with HSTS; the internal 307 stands in `response.retries.history`.

    Args:
        *args: as of `PoolManager`.
        hsts: as in `Guard`; to share what is learned, give several managers the same one.
        mode: as in `Guard`.
        bypass: as in `Guard`.
        **options: as of `PoolManager`.
    """


class HSTSProxyManager(_HSTS, urllib3.ProxyManager):
    """A `ProxyManager` with HSTS, as `HSTSPoolManager`."""


class _Pool(urllib3.HTTPSConnectionPool):
    """Learns from each response, also from those that are followed as redirects."""

    def __init__(self, *args: Any, guard: Guard, **options: Any) -> None:
        super().__init__(*args, **options)
        self._guard = guard

    def urlopen(self, *args: Any, **options: Any) -> urllib3.BaseHTTPResponse:
        answer = super().urlopen(*args, **options)
        fields = answer.headers.getlist(STS)
        if fields and ":" not in self.host:
            self._guard.learn(f"https://{self.host}:{self.port}/", fields, verified=verified(self))
        return answer


def verified(pool: Any) -> bool:
    """Whether a connection pool checks certificates, their names too, of the very host that answers."""
    if getattr(getattr(pool, "proxy_config", None), "use_forwarding_for_https", False):
        return False  # the proxy ends TLS
    if getattr(pool, "assert_hostname", None) is False:
        return False
    required = getattr(pool, "cert_reqs", None)
    context = getattr(pool, "conn_kw", {}).get("ssl_context")
    if required is None and context is not None:
        required = context.verify_mode
    return resolve_cert_reqs(required) == ssl.CERT_REQUIRED


def response(url: str, redirect: InternalRedirect) -> HTTPResponse:
    """The internal redirect that answers a request for `url`."""
    return HTTPResponse(
        body=io.BytesIO(),
        headers=HTTPHeaderDict(redirect.headers),
        status=redirect.status,
        version=11,
        reason=redirect.reason,
        preload_content=False,
        request_url=url,
    )
