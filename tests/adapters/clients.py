"""Each adapter as the contract sees it: a client that is opened with a store, asked for URLs, and closed.

Here: how each library is driven, and what it cannot do. Never here: what it ought to do.
"""

from __future__ import annotations

import asyncio
import ssl
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping
from http.cookiejar import CookieJar
from typing import Any, NamedTuple
from urllib.parse import urljoin

import aiohttp
import httpx
import requests
import urllib3

from hstssim.adapters import Guard, internal_redirect
from hstssim.adapters.aiohttp import HSTSMiddleware
from hstssim.adapters.httpx import mount as mount_httpx
from hstssim.adapters.requests import mount as mount_requests
from hstssim.adapters.urllib import HSTSHandler
from hstssim.adapters.urllib3 import HSTSPoolManager, HSTSProxyManager

Body = bytes | Iterable[bytes] | None
TIMEOUT = 20
AT_ONCE = 64


class Got(NamedTuple):
    """What came of a request."""

    status: int
    url: str
    body: bytes
    hops: list[tuple[int, str]]
    """Status and Location of each redirect that led here, as far as the library shows them."""
    rewritten: str | None
    """Where the request was rewritten to, if it was."""


class Client(ABC):
    """One library with HSTS."""

    name: str
    shows_redirect = True
    """Whether its history has the internal 307."""
    cookies = True
    """Whether it keeps a jar."""
    errors: tuple[type[Exception], ...]
    """What it raises where there is no answer."""

    def __init__(
        self,
        guard: Guard,
        *,
        context: ssl.SSLContext,
        verify: bool = True,
        proxy: str | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        self.guard = guard
        self.context = context if verify else ssl._create_unverified_context()  # noqa: S323
        self.verify = verify
        self.proxy = proxy
        self.timeout = timeout
        self.open()

    @abstractmethod
    def open(self) -> None:
        """Make the library's client."""

    @abstractmethod
    def request(
        self,
        method: str,
        url: str,
        *,
        body: Body = None,
        headers: Mapping[str, str] | None = None,
        follow: bool = True,
    ) -> Got:
        """Ask, and read the whole answer."""

    @abstractmethod
    def close(self) -> None:
        """End the library's client."""

    def get(self, url: str, **options: Any) -> Got:
        return self.request("GET", url, **options)

    def many(self, urls: list[str]) -> list[Got]:
        """Ask for all at once, as the library's users do that."""
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(self.get, urls))


class Requests(Client):
    name = "requests"
    errors = (requests.RequestException,)

    def open(self) -> None:
        self.session = mount_requests(requests.Session(), self.guard)
        if self.proxy is not None:
            self.session.proxies = {"http": self.proxy, "https": self.proxy}

    def request(
        self,
        method: str,
        url: str,
        *,
        body: Body = None,
        headers: Mapping[str, str] | None = None,
        follow: bool = True,
    ) -> Got:
        got = self.session.request(
            method,
            url,
            data=body,
            headers=headers,
            allow_redirects=follow,
            timeout=self.timeout,
            verify=None if self.verify else False,  # the session's would yield to REQUESTS_CA_BUNDLE
        )
        hops = [(hop.status_code, hop.headers["Location"]) for hop in got.history]
        return Got(got.status_code, got.url, got.content, hops, rewritten(got))

    def close(self) -> None:
        self.session.close()


class Httpx(Client):
    name = "httpx"
    errors = (httpx.HTTPError, httpx.InvalidURL)

    def open(self) -> None:
        self.client = mount_httpx(
            httpx.Client(verify=self.context, proxy=self.proxy, timeout=self.timeout), self.guard
        )

    def request(
        self,
        method: str,
        url: str,
        *,
        body: Body = None,
        headers: Mapping[str, str] | None = None,
        follow: bool = True,
    ) -> Got:
        got = self.client.request(method, url, content=body, headers=headers, follow_redirects=follow)
        return _httpx_got(got)

    def close(self) -> None:
        self.client.close()


class AsyncHttpx(Client):
    name = "httpx async"
    errors = Httpx.errors

    def open(self) -> None:
        self.runner = asyncio.Runner()
        self.client = mount_httpx(
            httpx.AsyncClient(verify=self.context, proxy=self.proxy, timeout=self.timeout), self.guard
        )

    def request(
        self,
        method: str,
        url: str,
        *,
        body: Body = None,
        headers: Mapping[str, str] | None = None,
        follow: bool = True,
    ) -> Got:
        content = body if isinstance(body, bytes | None) else _asynchronous(body)

        async def ask() -> Got:
            return _httpx_got(
                await self.client.request(method, url, content=content, headers=headers, follow_redirects=follow)
            )

        return self.runner.run(ask())

    def many(self, urls: list[str]) -> list[Got]:
        return self.runner.run(_at_once(self._get, urls))

    async def _get(self, url: str) -> Got:
        return _httpx_got(await self.client.get(url, follow_redirects=True))

    def close(self) -> None:
        self.runner.run(self.client.aclose())
        self.runner.close()


class Urllib3(Client):
    name = "urllib3"
    cookies = False
    errors = (urllib3.exceptions.HTTPError,)

    def open(self) -> None:
        options: dict[str, Any] = {
            "hsts": self.guard,
            "cert_reqs": "CERT_REQUIRED" if self.verify else "CERT_NONE",
        }
        self.manager: urllib3.PoolManager = (
            HSTSPoolManager(**options) if self.proxy is None else HSTSProxyManager(self.proxy, **options)
        )

    def request(
        self,
        method: str,
        url: str,
        *,
        body: Body = None,
        headers: Mapping[str, str] | None = None,
        follow: bool = True,
    ) -> Got:
        got = self.manager.request(
            method,
            url,
            body=body,
            headers=headers,
            redirect=follow,
            retries=urllib3.Retry(5, connect=0, read=0, other=0),
            timeout=self.timeout,
        )
        history = got.retries.history if got.retries else ()
        hops = [(hop.status or 0, hop.redirect_location or "") for hop in history]
        return Got(got.status, urljoin(rewritten(got) or url, got.geturl() or ""), got.data, hops, rewritten(got))

    def close(self) -> None:
        self.manager.clear()


class Aiohttp(Client):
    name = "aiohttp"
    shows_redirect = False
    errors = (aiohttp.ClientError, asyncio.TimeoutError)

    def open(self) -> None:
        self.runner = asyncio.Runner()
        self.runner.run(self._open())

    async def _open(self) -> None:
        self.session = aiohttp.ClientSession(
            middlewares=[HSTSMiddleware(self.guard)],
            connector=aiohttp.TCPConnector(ssl=self.context),
            proxy=self.proxy,
            timeout=aiohttp.ClientTimeout(self.timeout),
        )

    async def _ask(self, method: str, url: str, body: Any, headers: Any, follow: bool) -> Got:
        async with self.session.request(method, url, data=body, headers=headers, allow_redirects=follow) as got:
            hops = [(hop.status, hop.headers["Location"]) for hop in got.history]
            return Got(got.status, str(got.real_url), await got.read(), hops, rewritten(got))

    def request(
        self,
        method: str,
        url: str,
        *,
        body: Body = None,
        headers: Mapping[str, str] | None = None,
        follow: bool = True,
    ) -> Got:
        content = body if isinstance(body, bytes | None) else _asynchronous(body)
        return self.runner.run(self._ask(method, url, content, headers, follow))

    def many(self, urls: list[str]) -> list[Got]:
        return self.runner.run(_at_once(lambda url: self._ask("GET", url, None, None, True), urls))

    def close(self) -> None:
        self.runner.run(self._close())
        self.runner.close()

    async def _close(self) -> None:
        await self.session.close()
        for _ in range(20):  # its connections close in turns of the loop that nobody waits for
            await asyncio.sleep(0)


class Urllib(Client):
    name = "urllib.request"
    shows_redirect = False
    errors = (OSError,)

    def open(self) -> None:
        proxies = {} if self.proxy is None else {"http": self.proxy, "https": self.proxy}
        handlers = [
            HSTSHandler(self.guard),
            urllib.request.HTTPSHandler(context=self.context),
            urllib.request.ProxyHandler(proxies),
            urllib.request.HTTPCookieProcessor(CookieJar()),
        ]
        self.opener = urllib.request.build_opener(*handlers)
        self.still = urllib.request.build_opener(*handlers, _Still())

    def request(
        self,
        method: str,
        url: str,
        *,
        body: Body = None,
        headers: Mapping[str, str] | None = None,
        follow: bool = True,
    ) -> Got:
        asked = urllib.request.Request(url, data=body, headers=dict(headers or {}), method=method)
        opener = self.opener if follow else self.still
        with opener.open(asked, timeout=self.timeout) as got:
            return Got(got.status, got.url, got.read(), [], rewritten(got))

    def close(self) -> None:
        pass


class _Still(urllib.request.HTTPRedirectHandler):
    """Follows nothing."""

    def redirect_request(self, *arguments: Any) -> None:
        return None


def rewritten(response: object) -> str | None:
    redirect = internal_redirect(response)
    return None if redirect is None else redirect.location


def _httpx_got(got: httpx.Response) -> Got:
    hops = [(hop.status_code, hop.headers["Location"]) for hop in got.history]
    return Got(got.status_code, str(got.url), got.content, hops, rewritten(got))


async def _at_once(ask: Callable[[str], Awaitable[Got]], urls: list[str]) -> list[Got]:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(url: str) -> Got:
        async with room:
            return await ask(url)

    return await asyncio.gather(*map(one, urls))


async def _asynchronous(parts: Iterable[bytes]) -> Any:
    for part in parts:
        yield part


CLIENTS: list[type[Client]] = [Requests, Httpx, AsyncHttpx, Urllib3, Aiohttp, Urllib]
