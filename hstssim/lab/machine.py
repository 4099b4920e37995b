"""The machine's own time, which a frozen clock in a test must not stop.

Timers of the server would hang, and certificates be expired for every client, if they followed a clock that a
test moves: freezegun replaces `time.time` and `time.monotonic` wherever it finds them, and so nothing here is
read from there. Never here: the time of the log, which is the lab's `clock`.
"""

from __future__ import annotations

import asyncio
import datetime
import selectors
import time
from collections.abc import Iterator
from contextlib import contextmanager

_RUNNING = {"wall": time.time, "monotonic": time.monotonic}  # in a dictionary, freezegun does not find them


def wall() -> float:
    """POSIX seconds."""
    return time.clock_gettime(time.CLOCK_REALTIME) if hasattr(time, "clock_gettime") else _RUNNING["wall"]()


def monotonic() -> float:
    """Seconds since some instant."""
    return time.clock_gettime(time.CLOCK_MONOTONIC) if hasattr(time, "clock_gettime") else _RUNNING["monotonic"]()


def day(offset: float) -> datetime.datetime:
    """The instant so many days from now."""
    return _datetime().fromtimestamp(wall() + offset * 86_400, datetime.UTC)


@contextmanager
def unfrozen_datetime() -> Iterator[None]:
    """While it lasts, `datetime.datetime` is Python's own.

    cryptography keeps the class that it finds there at its first use, and takes no other from then on: if that
    were freezegun's, there could be no certificate once the clock runs again.
    """
    found = datetime.datetime
    setattr(datetime, "datetime", _datetime())  # noqa: B010 - to mypy a class is no variable
    try:
        yield
    finally:
        setattr(datetime, "datetime", found)  # noqa: B010


def _datetime() -> type[datetime.datetime]:
    return next(kind for kind in datetime.datetime.__mro__ if kind.__module__ == "datetime")


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose timers run while a test's clock stands still, and that knows when nothing comes in."""

    def __init__(self) -> None:
        self._watch = _Watch()
        super().__init__(self._watch)

    def time(self) -> float:
        """Seconds since some instant."""
        return monotonic()

    async def quiet(self) -> None:
        """Wait until everything that had arrived has been dealt with.

        That is when nothing comes in for as many turns as it takes from accepting a connection to its
        first bytes; at last after a thousand turns, for there may be clients that never pause.
        """
        self._watch.quiet_turns = 0
        for _ in range(1000):
            await asyncio.sleep(0)
            if self._watch.quiet_turns > 10:
                return


class _Watch(selectors.DefaultSelector):
    """Counts the turns of the loop in which nothing came in."""

    quiet_turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(timeout)
        self.quiet_turns = 0 if events else self.quiet_turns + 1
        return events
