"""The pytest plugin: the lab, a store, its clock, an interceptor. Nothing happens until a test asks.

Never here: an import at the top that pytest has not made already; a run that does not use it is to pay nothing.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstssim.clock import Clock
    from hstssim.interceptor import Interceptor
    from hstssim.lab import Lab
    from hstssim.preload import PreloadList
    from hstssim.profile import Profile
    from hstssim.store import HSTSStore


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "hsts(profile='chrome', preload=True): whose rules `hsts_store` has (a Profile or its name), and its "
        "preload list: True for the bundled one, False for none, a PreloadList, or the path of one.",
    )


@pytest.fixture(scope="session")
def _hsts_session_lab() -> Iterator[Lab]:
    from hstssim.lab import Lab

    with Lab() as lab:
        yield lab


@pytest.fixture
def _hsts_time() -> Clock:
    from hstssim.clock import Clock

    return Clock()


@pytest.fixture
def hsts_clock(_hsts_time: Clock) -> Clock:
    """The time of `hsts_store` and of the lab's log: it stands still until `tick(days=1)` or `move_to(when)`.

    A test that does not ask for it has `time.time`, and so what freezegun makes of it. Certificates follow the
    machine's clock always.
    """
    _hsts_time.stop()
    return _hsts_time


@pytest.fixture
def hsts_lab(request: pytest.FixtureRequest, _hsts_time: Clock) -> Iterator[Lab]:
    """A lab, empty at the start of each test: sites over real TLS, which this process reaches by name.

    Another process gets there by `client_env()` and `client_args()`.
    """
    import socket

    socket.socket().close()  # where sockets are forbidden, pytest would remember the failure for the whole session
    lab: Lab = request.getfixturevalue("_hsts_session_lab")
    lab.log.clock = _hsts_time
    with lab.in_process():
        yield lab
    lab.reset()
    lab.log.clock = None


@pytest.fixture
def hsts_store(request: pytest.FixtureRequest, _hsts_time: Clock) -> HSTSStore:
    """An `HSTSStore` with Chrome's rules and the bundled preload list, or what `@pytest.mark.hsts` says.

    Of several markers the closest that names the profile, or the list, decides that.
    """
    from hstssim.store import HSTSStore

    asked: dict[str, Any] = {}
    for marker in request.node.iter_markers("hsts"):  # the closest comes first
        asked = {**dict.fromkeys(map(repr, marker.args)), **marker.kwargs, **asked}
    profile, preload = _asked(**asked)
    return HSTSStore(profile=profile, preload=preload, clock=_hsts_time)


@pytest.fixture
def hsts_interceptor(hsts_store: HSTSStore) -> Interceptor:
    """An `Interceptor` of `hsts_store`."""
    from hstssim.interceptor import Interceptor

    return Interceptor(hsts_store)


def _asked(
    *, profile: Any = "chrome", preload: Any = True, **unknown: object
) -> tuple[Profile, PreloadList | None]:
    """What the markers ask for; a test whose marker asks for something else fails in one line."""
    from os import PathLike

    from hstssim.errors import PreloadError, short
    from hstssim.preload import PreloadList
    from hstssim.profile import PROFILES, Profile

    if unknown:
        message = f"@pytest.mark.hsts takes profile= and preload=, by name; seen {', '.join(unknown)}"
        pytest.fail(message, pytrace=False)
    found = PROFILES.get(profile) if isinstance(profile, str) else profile
    if not isinstance(found, Profile):
        names = ", ".join(PROFILES)
        pytest.fail(
            f"@pytest.mark.hsts: profile is a Profile or its name ({names}); seen {short(profile)}", pytrace=False
        )
    if isinstance(preload, bool):
        return found, PreloadList.bundled() if preload else None
    if isinstance(preload, PreloadList):
        return found, preload
    if not isinstance(preload, str | PathLike):
        pytest.fail(
            "@pytest.mark.hsts: preload is True for the bundled list, False for none, a PreloadList, or the path "
            f"of one; seen {short(preload)}",
            pytrace=False,
        )
    try:
        return found, PreloadList.open(preload)
    except PreloadError as error:
        pytest.fail(f"@pytest.mark.hsts: {error}", pytrace=False)


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Let `assert site.plaintext_requests == []` say what was required, and why."""
    log = sys.modules.get("hstssim.lab.log")
    if log is None or op != "==" or not isinstance(left, list) or not isinstance(right, list):
        return None
    seen, expected = (left, right) if left else (right, left)
    if expected or not seen or not all(isinstance(each, log.Request) and each.plaintext for each in seen):
        return None
    from hstssim.errors import short
    from hstssim.lab.plaintext import report

    sites = {request.site for request in seen}
    whom = str(sites.pop()) if len(sites) == 1 else "any site of the lab"
    return [f"{short(left)} == {short(right)}", *report(seen, whom)]
