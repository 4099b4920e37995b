"""Every claim of the contract is made of every adapter, in both modes where it has both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hstssim import HSTSStore
from hstssim.adapters import Guard
from hstssim.lab import Lab
from tests.adapters.clients import CLIENTS, Client

if TYPE_CHECKING:
    from tests.conftest import Clock

HERE = Path(__file__).parent
Open = Callable[..., Client]
SUBJECTS = [
    pytest.param((client, mode), id=client.name if client.shows_redirect is False else f"{client.name}, {mode}")
    for client in CLIENTS
    for mode in (("redirect", "rewrite") if client.shows_redirect else ("rewrite",))
]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.allow_hosts(["127.0.0.1"]))


@pytest.fixture(scope="session")
def one_lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.fixture
def lab(one_lab: Lab, clock: Clock) -> Iterator[Lab]:
    one_lab.reset()
    one_lab.log.clock = clock
    with one_lab.in_process():
        yield one_lab
    one_lab.reset()


@pytest.fixture
def store(clock: Clock) -> HSTSStore:
    return HSTSStore(clock=clock)


@pytest.fixture(params=SUBJECTS)
def opened(request: pytest.FixtureRequest, lab: Lab, store: HSTSStore) -> Iterator[Open]:
    """Open the client that the claim is made of; closed at the end of the test."""
    kind, mode = request.param
    clients: list[Client] = []

    def open_client(*, hsts: Any = store, bypass: Any = (), **options: Any) -> Client:
        guard = hsts if isinstance(hsts, Guard) else Guard(hsts, mode=mode, bypass=bypass)
        clients.append(kind(guard, context=lab.ssl_context(), **options))
        return clients[-1]

    yield open_client
    lab.reset()  # a client that gave up may still wait for the goodbye
    for client in clients:
        client.close()


@pytest.fixture
def client(opened: Open) -> Client:
    return opened()
