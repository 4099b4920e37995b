"""Python's HTTP clients behind one face, each used as its users do: nothing here knows of the lab.

Run as a program it visits URLs and says what came of each: `python_clients.py requests http://shop.test/`.
A library is imported when its client is made.
"""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from http.client import HTTPException
from types import TracebackType
from typing import Any, NamedTuple

PATIENCE = 10
Body = bytes | list[bytes]
"""At once, or in pieces whose number is not known when sending begins."""


class Reply(NamedTuple):
    status: int
    url: str
    sts: list[str]
    body: bytes


class Client(ABC):
    """Keeps connections and follows redirects, if the library does."""

    errors: tuple[type[BaseException], ...]
    """What the library raises if no answer comes."""
    keeps_alive = True
    resends = True
    """Whether a body goes along with a redirect by 307."""
    heeds_proxies = True
    says_why = True
    """Whether it tells the server why it refuses a certificate."""

    def __init__(self) -> None:
        self.stack = ExitStack()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stack.close()

    @abstractmethod
    def ask(self, url: str, body: Body | None = None) -> Reply:
        """GET, or POST a body."""


def pieces(body: Body | None) -> bytes | Iterator[bytes] | None:
    return iter(body) if isinstance(body, list) else body


def method(body: Body | None) -> str:
    return "GET" if body is None else "POST"


class Requests(Client):
    def __init__(self) -> None:
        import requests

        super().__init__()
        self.errors = (requests.ConnectionError,)
        self.session = self.stack.enter_context(requests.Session())

    def ask(self, url: str, body: Body | None = None) -> Reply:
        got = self.session.request(method(body), url, data=pieces(body), timeout=PATIENCE)
        return Reply(got.status_code, got.url, got.raw.headers.getlist("strict-transport-security"), got.content)


class HTTPX(Client):
    def __init__(self) -> None:
        import httpx

        super().__init__()
        self.errors = (httpx.ConnectError,)
        self.client = self.stack.enter_context(httpx.Client(follow_redirects=True, timeout=PATIENCE))

    def ask(self, url: str, body: Body | None = None) -> Reply:
        got = self.client.request(method(body), url, content=pieces(body))
        return Reply(got.status_code, str(got.url), got.headers.get_list("strict-transport-security"), got.content)


class Asynchronous(Client):
    """A client that lives in one event loop. asyncio closes with its alert unsent."""

    says_why = False

    def __init__(self) -> None:
        super().__init__()
        self.runner = self.stack.enter_context(asyncio.Runner())
        self.within = AsyncExitStack()
        self.stack.callback(lambda: self.runner.run(self.within.aclose()))
        self.runner.run(self.open())

    @abstractmethod
    async def open(self) -> None: ...

    @abstractmethod
    async def fetch(self, url: str, body: Body | None) -> Reply: ...

    def ask(self, url: str, body: Body | None = None) -> Reply:
        return self.runner.run(self.fetch(url, body))

    def pieces(self, body: Body | None) -> bytes | AsyncIterator[bytes] | None:
        async def one_by_one(body: list[bytes]) -> AsyncIterator[bytes]:
            for piece in body:
                yield piece

        return one_by_one(body) if isinstance(body, list) else body


class AsyncHTTPX(Asynchronous):
    async def open(self) -> None:
        import httpx

        self.errors = (httpx.ConnectError,)
        client = httpx.AsyncClient(follow_redirects=True, timeout=PATIENCE)
        self.client = await self.within.enter_async_context(client)

    async def fetch(self, url: str, body: Body | None) -> Reply:
        got = await self.client.request(method(body), url, content=self.pieces(body))
        return Reply(got.status_code, str(got.url), got.headers.get_list("strict-transport-security"), got.content)


class AioHTTP(Asynchronous):
    async def open(self) -> None:
        import aiohttp

        self.errors = (aiohttp.ClientConnectionError,)
        session = aiohttp.ClientSession(trust_env=True, timeout=aiohttp.ClientTimeout(PATIENCE))
        self.session = await self.within.enter_async_context(session)

    async def fetch(self, url: str, body: Body | None) -> Reply:
        async with self.session.request(method(body), url, data=self.pieces(body)) as got:
            fields = got.headers.getall("strict-transport-security", [])
            return Reply(got.status, str(got.url), fields, await got.read())


class URLLib3(Client):
    heeds_proxies = False

    def __init__(self) -> None:
        import urllib3

        super().__init__()
        self.errors = (urllib3.exceptions.HTTPError,)
        self.pool = self.stack.enter_context(urllib3.PoolManager(timeout=PATIENCE))

    def ask(self, url: str, body: Body | None = None) -> Reply:
        got = self.pool.request(method(body), url, body=pieces(body))
        return Reply(got.status, got.url or url, got.headers.getlist("strict-transport-security"), got.data)


class URLLib(Client):
    errors = (urllib.error.URLError, HTTPException)
    keeps_alive = False
    resends = False

    def ask(self, url: str, body: Body | None = None) -> Reply:
        request = urllib.request.Request(url, pieces(body))
        with urllib.request.urlopen(request, timeout=PATIENCE) as got:
            fields = got.headers.get_all("strict-transport-security", [])
            return Reply(got.status, got.url, fields, got.read())


CLIENTS: dict[str, Callable[[], Client]] = {
    "requests": Requests,
    "httpx": HTTPX,
    "httpx, async": AsyncHTTPX,
    "aiohttp": AioHTTP,
    "urllib3": URLLib3,
    "urllib.request": URLLib,
}


def visit(client: Client, url: str) -> Any:
    """The status of the answer, None if there was none."""
    try:
        return client.ask(url).status
    except client.errors:
        return None


if __name__ == "__main__":
    with CLIENTS[sys.argv[1]]() as client:
        print(json.dumps([visit(client, url) for url in sys.argv[2:]]))
