"""Our own adapters under audit: each passes every case that a client can be asked for."""

from __future__ import annotations

import time

import pytest

from hstssim.adapters import Guard
from hstssim.adapters.urllib3 import HSTSProxyManager
from hstssim.audit import Audit, CallableSubject
from hstssim.audit.subject import Place
from hstssim.formats.kept import open_store
from hstssim.profile import RFC6797
from tests.adapters.clients import Aiohttp, AsyncHttpx, Client, Httpx, Requests, Urllib, Urllib3

ADAPTERS: tuple[type[Client], ...] = (Requests, Httpx, AsyncHttpx, Urllib3, Aiohttp, Urllib)
REFUSING = (Requests, Urllib3, Urllib)
"""They fetch nothing of a name with an ideographic full stop."""


class Driven:
    """An adapter with a store by the RFC's rules that is kept, behind the lab's proxy."""

    def __init__(self, adapter: type[Client], place: Place, workdir: str) -> None:
        self._ahead = 0.0
        self._store = open_store(
            f"{workdir}/hsts.sqlite", profile=RFC6797, clock=lambda: time.time() + self._ahead, watch=False
        )
        lab = place.lab
        self._client = adapter(Guard(self._store), context=lab.ssl_context(), proxy=lab.proxy_url, timeout=10)
        if isinstance(self._client, Requests):
            self._client.session.trust_env = False
            self._client.session.verify = lab.ca_file
        if isinstance(self._client, Urllib3):
            self._client.manager = HSTSProxyManager(lab.proxy_url, hsts=Guard(self._store), ca_certs=lab.ca_file)

    def __call__(self, url: str) -> object:
        return self._client.get(url)

    def post(self, url: str, body: str) -> object:
        return self._client.request("POST", url, body=body.encode())

    def wait(self, seconds: float) -> None:
        self._ahead += seconds

    def close(self) -> None:
        self._client.close()
        self._store.close()


@pytest.mark.parametrize("adapter", ADAPTERS, ids=[adapter.name for adapter in ADAPTERS])
def test_an_adapter_passes(adapter: type[Client]) -> None:
    subject = CallableSubject(lambda place, workdir: Driven(adapter, place, workdir), adapter.name, posts=True)
    results = Audit(subject, sealed=False).run()
    others = {result.case.id: (result.verdict, result) for result in results if result.verdict != "OK"}
    unfetched = "cve-2022-43551" if adapter in REFUSING else ""
    expected = dict.fromkeys(("preload", "cve-2022-30115", "wget-trailing-dot"), "INFORMATIONAL")
    expected[unfetched] = "NOT RUN"
    assert {name: verdict for name, (verdict, _) in others.items()} == {
        name: verdict for name, verdict in expected.items() if name
    }, others
    assert not any(result.bad for result in results)
