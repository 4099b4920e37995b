"""HSTS for httpx, sync and async: `mount(client)`, or a transport to hand to a client.

Nothing of httpx is imported: what is needed comes from the module of the request at hand, so that a library
with the same interface under another name is served as well.
"""

from __future__ import annotations

import ssl
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from hstssim.adapters.guard import STS, Guard, Mode, mark
from hstssim.errors import InvalidURL
from hstssim.interceptor import Interceptor
from hstssim.redirect import InternalRedirect
from hstssim.store import HSTSStore

if TYPE_CHECKING:
    import httpx

    Client = TypeVar("Client", httpx.Client, httpx.AsyncClient)

    class _Transport(httpx.BaseTransport, httpx.AsyncBaseTransport):
        """What a client takes."""
else:
    _Transport = object

_STS = STS.lower().encode()
_LOST = "hstssim.lost_at_the_hop"


class HSTSTransport(_Transport):
    """Sends through another transport, and first asks whether the request may go out.

    Args:
        inner: what sends, sync or async.
        hsts: as in `Guard`.
        mode: as in `Guard`.
        bypass: as in `Guard`.
        client: the client whose other transports a rewritten request may want (its proxies).
    """

    def __init__(
        self,
        inner: httpx.BaseTransport | httpx.AsyncBaseTransport,
        *,
        hsts: Guard | Interceptor | HSTSStore | None = None,
        mode: Mode = "redirect",
        bypass: Iterable[str] = (),
        client: httpx.Client | httpx.AsyncClient | None = None,
    ) -> None:
        self.inner: Any = inner
        self.guard = hsts if isinstance(hsts, Guard) else Guard(hsts, mode=mode, bypass=bypass)
        self._client: Any = client

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer with the internal 307, or send and learn from the response."""
        redirect = self._upgrade(request)
        if redirect is not None and self.guard.shows_redirect:
            return _internal(request, redirect)
        inner = self.inner if redirect is None else self._rewrite(request, redirect)
        return self._learn(request, inner.handle_request(request), redirect)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer with the internal 307, or send and learn from the response."""
        redirect = self._upgrade(request)
        if redirect is not None and self.guard.shows_redirect:
            return _internal(request, redirect)
        inner = self.inner if redirect is None else self._rewrite(request, redirect)
        return self._learn(request, await inner.handle_async_request(request), redirect)

    def _upgrade(self, request: httpx.Request) -> InternalRedirect | None:
        if _LOST in request.extensions:
            _restore(request)
        if request.url.scheme == "https":
            return None
        try:
            return self.guard.upgrade(str(request.url), request.headers)
        except InvalidURL as error:
            if not request.url.host:  # which httpx refuses itself
                return None
            raise _library(request).ConnectError(str(error), request=request) from error

    def _rewrite(self, request: httpx.Request, redirect: InternalRedirect) -> Any:
        """Change the request's URL and what follows from it; give what sends to there."""
        url, headers = request.url, request.headers
        request.url = _library(request).URL(redirect.location)
        if headers.get("Host") == url.netloc.decode("ascii"):
            headers["Host"] = request.url.netloc.decode("ascii")
        if self._client is None:
            return self.inner
        secure = type(request)("GET", request.url, cookies=self._client.cookies).headers.get("Cookie", "")
        _set_cookies(request, headers.get("Cookie", ""), secure)
        found = self._client._transport_for_url(request.url)  # perhaps another proxy
        return found.inner if isinstance(found, HSTSTransport) else found

    def _learn(
        self, request: httpx.Request, response: httpx.Response, redirect: InternalRedirect | None
    ) -> httpx.Response:
        fields = [value for name, value in response.headers.raw if name.lower() == _STS]
        if fields and request.url.scheme == "https":
            self.guard.learn(str(request.url), fields, verified=_verified(response))
        if redirect is not None:
            mark(response, redirect)
        return response

    def close(self) -> None:
        """Close what sends."""
        self.inner.close()

    async def aclose(self) -> None:
        """Close what sends."""
        await self.inner.aclose()

    def __repr__(self) -> str:
        return f"<HSTSTransport {self.guard!r} before {self.inner!r}>"

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["inner"], name)

    def __enter__(self) -> HSTSTransport:
        self.inner.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.inner.__exit__(*error)

    async def __aenter__(self) -> HSTSTransport:
        await self.inner.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self.inner.__aexit__(*error)


def mount(
    client: Client,
    hsts: Guard | Interceptor | HSTSStore | None = None,
    *,
    mode: Mode = "redirect",
    bypass: Iterable[str] = (),
) -> Client:
    """Give a client HSTS: each of its transports, those to proxies too, stays and gets ours before it.

    Args:
        client: a sync or async client; it comes back. In "redirect" mode it follows the internal 307 as any
            other, that is with `follow_redirects=True`.
        hsts: as in `Guard`; to share what is learned, give several clients the same one.
        mode: as in `Guard`.
        bypass: as in `Guard`.

    Raises:
        InvalidHost: a host to be left alone is none.
        PreloadError: the bundled list is damaged.
    """
    guard = hsts if isinstance(hsts, Guard) else Guard(hsts, mode=mode, bypass=bypass)
    unmount(client)
    inside: Any = client
    inside._transport = HSTSTransport(inside._transport, hsts=guard, client=client)
    for pattern, transport in inside._mounts.items():
        if transport is not None:  # None stands for the client's own
            inside._mounts[pattern] = HSTSTransport(transport, hsts=guard, client=client)
    return client


def unmount(client: Client) -> Client:
    """Give a client back the transports that it had."""
    inside: Any = client
    if isinstance(inside._transport, HSTSTransport):
        inside._transport = inside._transport.inner
    for pattern, transport in inside._mounts.items():
        if isinstance(transport, HSTSTransport):
            inside._mounts[pattern] = transport.inner
    return client


def _library(request: httpx.Request) -> Any:
    return sys.modules[type(request).__module__.partition(".")[0]]


def _internal(request: httpx.Request, redirect: InternalRedirect) -> httpx.Response:
    library = _library(request)
    kept = {name: request.headers[name] for name in _DROPPED if name in request.headers}
    request.extensions[_LOST] = library.URL(redirect.location), request.url, kept
    response: httpx.Response = library.Response(
        redirect.status,
        headers=list(redirect.headers),
        stream=library.ByteStream(b""),
        extensions={"http_version": b"HTTP/1.1", "reason_phrase": redirect.reason.encode("ascii")},
        request=request,
    )
    return response


_DROPPED = ("Authorization", "Cookie", "Host")
"""What a client takes off a request that it sends to another origin (httpx `Client._redirect_headers`)."""


def _restore(request: httpx.Request) -> None:
    """Give a request that follows our redirect back what a hop between origins took from it; ours is none."""
    location, before, kept = request.extensions.pop(_LOST)
    if request.url.copy_with(fragment=None) != location.copy_with(fragment=None):
        return
    headers = request.headers
    if "Authorization" in kept:
        headers.setdefault("Authorization", kept["Authorization"])
    if kept.get("Host") != before.netloc.decode("ascii"):
        headers["Host"] = kept["Host"]
    _set_cookies(request, kept.get("Cookie", ""), headers.get("Cookie", ""))


def _set_cookies(request: httpx.Request, *cookies: str) -> None:
    pairs = [pair.strip() for text in cookies for pair in text.split(";") if pair.strip()]
    if pairs:
        request.headers["Cookie"] = "; ".join({pair.partition("=")[0]: pair for pair in pairs}.values())


def _verified(response: httpx.Response) -> bool:
    """Whether the certificate was checked, its name too; a transport that does not tell is taken at its word."""
    stream = response.extensions.get("network_stream")
    tls = None if stream is None else stream.get_extra_info("ssl_object")
    context = None if tls is None else tls.context
    return context is None or (context.verify_mode == ssl.CERT_REQUIRED and context.check_hostname)
