"""What every test shares: the vectors, a clock that only a test moves, and how hard Hypothesis tries.

`@pytest.mark.vectors("suite", …)` gives the test an argument `case` for each item of tests/vectors/suite.json.
`pytest -m full` runs what is marked so and the property tests, with twenty times as many examples.
"""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test, settings

VECTORS = Path(__file__).parent / "vectors"

settings.register_profile("sample", max_examples=100, deadline=None)
settings.register_profile("full", max_examples=2000, deadline=None)


_STATES = count()


class Clock:
    """POSIX seconds that stand still until a test moves them."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "vectors(*suites): runs with each case of these files of tests/vectors")
    settings.load_profile("full" if _runs_full(config) else "sample")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marker = metafunc.definition.get_closest_marker("vectors")
    if marker is not None:
        cases = [
            case for suite in marker.args for case in json.loads((VECTORS / f"{suite}.json").read_text("utf-8"))
        ]
        metafunc.parametrize("case", cases, ids=[case["id"] for case in cases])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if _runs_full(config):
        for item in items:
            if isinstance(item, pytest.Function) and is_hypothesis_test(item.function):
                item.add_marker("full")


def _runs_full(config: pytest.Config) -> bool:
    return bool(config.getoption("markexpr") == "full")


@pytest.fixture(autouse=True)
def _no_store_of_the_user(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the user's own store knows is no part of any test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / f"state{next(_STATES)}"))


@pytest.fixture
def clock() -> Clock:
    return Clock(1_800_000_000.0)


@pytest.fixture(scope="session")
def chrome_fixture() -> list[dict[str, object]]:
    """The dynamic entries that the `*_chrome_observed` suites were asked against."""
    chrome, _firefox = json.loads((VECTORS / "fixture.json").read_text("utf-8"))
    entries: list[dict[str, object]] = chrome["dynamic_entries"]
    return entries
