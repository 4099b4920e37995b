"""What the commands print with: colour, texts that cannot harm a terminal, complaints, progress."""

from __future__ import annotations

import os
import sys
import time
from typing import TextIO

GREEN, RED, DIM, BOLD = "32", "31", "2", "1"


def coloured(stream: TextIO) -> bool:
    """Whether `stream` is a terminal that wants colour (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str, on: bool) -> str:
    """`text` in a colour where that is on."""
    return f"\x1b[{colour}m{text}\x1b[0m" if on else text


def shown(text: str) -> str:
    """`text` with what is not printable escaped, so that it stays on its line."""
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable()
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text
    )


def complain(command: str, about: str, message: object) -> None:
    """Say on stderr, in one line, what is wrong with one input."""
    place = f"{shown(about)}: " if about else ""
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)  # a progress line may stand there
    print(f"hstssim {command}: {place}{shown(str(message))}", file=sys.stderr)


class Progress:
    """A count on stderr while something long is done: only on a terminal, and only if stdout is none.

    With `beside_output` also if it is one: nothing is printed meanwhile.
    """

    def __init__(self, what: str, beside_output: bool = False) -> None:
        self._what = what
        self._on = sys.stderr.isatty() and (beside_output or not sys.stdout.isatty())
        self._began = time.monotonic()
        self._due = self._began + 0.5

    def at(self, count: int) -> None:
        """Show the count if it is time to."""
        now = time.monotonic()
        if self._on and now >= self._due:
            self._due = now + 0.5
            rate = count / (now - self._began)
            speed = f", {rate:,.0f} a second" if rate >= 1 else ""
            print(f"\r{count:,} {self._what}{speed}", end="", file=sys.stderr, flush=True)

    def done(self) -> None:
        """Take the count off the terminal."""
        if self._on and self._due > self._began + 0.5:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
