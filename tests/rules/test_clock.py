"""A clock that is moved by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from freezegun import freeze_time

from hstssim import Clock, InvalidTime

NOON = 1_796_126_400.0  # 2026-12-01T12:00Z


@pytest.mark.parametrize(
    "when",
    [
        "2026-12-01T12:00Z",
        "2026-12-01T13:00+01:00",
        NOON,
        int(NOON),
        datetime(2026, 12, 1, 12),
        datetime(2026, 12, 1, 12, tzinfo=UTC),
    ],
    ids=repr,
)
def test_it_stands_where_it_is_put(when: Any) -> None:
    assert Clock(when)() == NOON
    assert repr(Clock(when)) == "<Clock 2026-12-01T12:00:00Z>"


@pytest.mark.parametrize(
    ("delta", "units", "seconds"),
    [
        (None, {}, 1),
        (0, {}, 0),
        (timedelta(0), {}, 0),
        (-2.5, {}, -2.5),
        (None, {"days": 2, "hours": 1}, 176_400),
        (timedelta(days=1), {"hours": 1}, 90_000),
        (10, {"days": 0}, 10),
    ],
)
def test_it_ticks(delta: Any, units: dict[str, float], seconds: float) -> None:
    clock = Clock(NOON)
    moved = clock.tick(**units) if delta is None else clock.tick(delta, **units)
    assert moved == clock() == NOON + seconds


def test_it_is_the_machines_until_it_is_stopped_or_moved() -> None:
    clock = Clock()
    with freeze_time("2026-12-01T12:00Z") as frozen:
        assert clock() == NOON
        frozen.tick(60)
        assert clock() == NOON + 60
        clock.stop()
        frozen.tick(60)
        assert clock() == NOON + 60
    assert clock.move_to("+1d") == NOON + 86_460


@pytest.mark.parametrize("when", ["soon", float("nan"), float("inf"), 1e300, True, None])
def test_what_is_no_instant_is_refused(when: Any) -> None:
    clock = Clock(NOON)
    with pytest.raises(InvalidTime, match="; seen"):
        clock.move_to(when)
    assert clock() == NOON


@pytest.mark.parametrize(("delta", "units"), [(float("nan"), {}), (1e20, {}), (0, {"days": 1e12})])
def test_a_tick_to_no_instant_is_refused(delta: float, units: dict[str, float]) -> None:
    clock = Clock(NOON)
    with pytest.raises(InvalidTime, match="a clock moves by a finite time"):
        clock.tick(delta, **units)
    assert clock() == NOON
