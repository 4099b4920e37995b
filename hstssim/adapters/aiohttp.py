"""HSTS for aiohttp: a client middleware, `ClientSession(middlewares=[HSTSMiddleware()])`.

A middleware sees one request at a time and a session keeps the history, so requests are rewritten, and
`internal_redirect` tells.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import Any

from hstssim.adapters.guard import STS, Guard, mark
from hstssim.errors import InvalidURL, MissingExtra
from hstssim.interceptor import Interceptor
from hstssim.redirect import InternalRedirect
from hstssim.store import HSTSStore

try:
    import aiohttp
    from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
    from aiohttp.helpers import get_env_proxy_for_url
    from yarl import URL
except ImportError as error:
    raise MissingExtra("this adapter wants aiohttp 3.12 or later: pip install 'hstssim[aiohttp]'") from error


class HSTSMiddleware:
    """Changes requests on their way out, and learns from the responses.

    Args:
        hsts: as in `Guard`; to share what is learned, give several sessions' middlewares the same one.
        bypass: as in `Guard`.
    """

    def __init__(self, hsts: Guard | Interceptor | HSTSStore | None = None, *, bypass: Iterable[str] = ()) -> None:
        self.guard = hsts if isinstance(hsts, Guard) else Guard(hsts, mode="rewrite", bypass=bypass)

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Send a request, or where it was to go in the clear to a known host, what takes its place."""
        try:
            redirect = self.guard.upgrade(str(request.url), request.headers)
        except InvalidURL as error:
            raise aiohttp.InvalidURL(request.url, str(error)) from error
        if redirect is not None:
            _rewrite(request, redirect)
        response = await handler(request)
        fields = response.headers.getall(STS, [])
        if fields and request.is_ssl():
            self.guard.learn(str(request.url), fields, verified=_verified(request))
        if redirect is not None:
            mark(response, redirect)
        return response

    def __repr__(self) -> str:
        return f"<HSTSMiddleware {self.guard!r}>"


def _rewrite(request: ClientRequest, redirect: InternalRedirect) -> None:
    """Change the URL of a request and what follows from it: Host, the jar's cookies, the environment's proxy."""
    before = request.url
    request.url = URL(redirect.location, encoded=True)
    request.original_url = request.url.with_fragment(request.original_url.raw_fragment or None)
    if request.headers.get("Host") == before.host_port_subcomponent:
        request.headers["Host"] = request.url.host_port_subcomponent or ""
    session: Any = request.session
    request.update_cookies(session.cookie_jar.filter_cookies(request.url))
    if session.trust_env and request.proxy == _environment_proxy(before)[0]:
        request.update_proxy(*_environment_proxy(request.url), request.proxy_headers)


def _environment_proxy(url: URL) -> tuple[URL | None, aiohttp.BasicAuth | None]:
    try:
        return get_env_proxy_for_url(url)
    except LookupError:
        return None, None


def _verified(request: ClientRequest) -> bool:
    """Whether the certificate was checked, its name too (`TCPConnector._get_ssl_context`)."""
    for asked in (request.ssl, getattr(request.session.connector, "_ssl", True)):
        if isinstance(asked, ssl.SSLContext):
            return asked.verify_mode == ssl.CERT_REQUIRED and asked.check_hostname
        if asked is not True:  # False, or a fingerprint instead of a chain
            return False
    return True
