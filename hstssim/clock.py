"""A clock that is moved by hand, for tests and teaching; whatever takes a `clock` takes it."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from hstssim.errors import InvalidTime

if TYPE_CHECKING:
    from datetime import datetime, timedelta


class Clock:
    """A time that is moved by hand: call it for POSIX seconds.

    ```pycon
    >>> import hstssim
    >>> clock = hstssim.Clock("2026-12-01T12:00Z")
    >>> store = hstssim.HSTSStore(clock=clock)
    >>> store.note("shop.test", "max-age=3600")
    <Noted shop.test, 1 hour>
    >>> clock.tick(hours=2)
    1796133600.0
    >>> store.match("shop.test") is None
    True

    ```

    Args:
        when: what `move_to` takes; None for `time.time`, looked up at each call, until it is stopped or moved.

    Raises:
        InvalidTime: `when` is no instant.
    """

    def __init__(self, when: float | str | datetime | None = None) -> None:
        self._now: float | None = None
        if when is not None:
            self.move_to(when)

    def __call__(self) -> float:
        """POSIX seconds."""
        return time.time() if self._now is None else self._now

    def stop(self) -> None:
        """Stand still."""
        self._now = self()

    def tick(self, delta: float | timedelta | None = None, /, **units: float) -> float:
        """Move by seconds, by a timedelta, or by `days=366` and the like; by a second if nothing is said.

        Returns:
            The new time in POSIX seconds.

        Raises:
            InvalidTime: it would be no instant any more.
        """
        from datetime import timedelta

        try:
            if delta is None:
                moved = timedelta(**units) if units else timedelta(seconds=1)
            else:
                moved = (delta if isinstance(delta, timedelta) else timedelta(seconds=delta)) + timedelta(**units)
        except (OverflowError, ValueError):
            raise InvalidTime((delta, units), "a clock moves by a finite time of less than 10^9 days") from None
        self._now = self() + moved.total_seconds()
        return self._now

    def move_to(self, when: float | str | datetime) -> float:
        """Move to an instant: POSIX seconds, ISO 8601, `+30d`, or a datetime, in UTC where it names no zone.

        Returns:
            The new time in POSIX seconds.

        Raises:
            InvalidTime: it is no instant.
        """
        from datetime import UTC, datetime

        from hstssim.times import parse_instant

        if isinstance(when, datetime):
            self._now = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
        elif isinstance(when, int | float):
            if isinstance(when, bool) or not math.isfinite(when) or abs(when) > 1e15:
                raise InvalidTime(when, "a time is a finite number of POSIX seconds")
            self._now = float(when)
        else:
            self._now = parse_instant(when, self())
        return self._now

    def __repr__(self) -> str:
        from hstssim.times import iso

        return f"<Clock {iso(self())}>"
