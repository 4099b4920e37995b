"""Whom an audit grades: a program by its command line, or a Python callable.

A subject opens a session for each case, with a state of its own. Never here: what a client ought to do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Protocol, runtime_checkable

from hstssim.errors import AuditError, LabError, short
from hstssim.lab import Lab
from hstssim.lab.clients import CLIENTS
from hstssim.lab.sealed import Room

GAP = 1.3
"""Seconds between two runs of a program: the clocks of some have whole seconds."""
_TOLD = 2000
"""Bytes of what a program says on stderr that are kept."""


class Place(NamedTuple):
    """Where a client runs: the lab, and a sealed room if there is one."""

    lab: Lab
    room: Room | None


class Session(ABC):
    """One client with one state."""

    said: str = ""
    """What it said last, or when it first failed, for the evidence."""

    @abstractmethod
    def fetch(self, urls: Sequence[str]) -> str | None:
        """Fetch URLs one after the other; gives why that could not be done, if so."""

    @abstractmethod
    def restart(self) -> str | None:
        """End, and begin again with the state that was kept; gives why that cannot be, if so."""

    @abstractmethod
    def wait(self, seconds: float) -> None:
        """Let time pass."""

    def close(self) -> None:  # noqa: B027 - most have nothing to end
        """End."""


class Subject(ABC):
    """Who is graded."""

    name: str

    @abstractmethod
    def session(self, place: Place, workdir: str) -> Session:
        """Begin with an empty state; `workdir` is an empty folder."""


class CommandSubject(Subject):
    """A program, by its command line.

    Args:
        command: its words, with `{url}` (one run for each URL) or a word `{urls}` (one run for several). There may
            be `{store}`, a file for its state; `{workdir}`, a folder that is its HOME and where it runs; `{ca}`,
            the lab's authority; `{proxy}`, its proxy; `{connect_to}`, HOST:PORT of the lab's port for http.
        name: by default the program's.
        timeout: seconds for a run.

    Raises:
        AuditError: it takes no URL, or there is no such program.
    """

    def __init__(self, command: Sequence[str], *, name: str | None = None, timeout: float = 20.0) -> None:
        self.command = list(command)
        if not self.command or not any("{url}" in word or word == "{urls}" for word in self.command):
            raise AuditError(f"a command says where its URL goes, {{url}} or {{urls}}; seen {short(command)}")
        if shutil.which(self.command[0]) is None:
            raise AuditError(f"a command is a program that is installed; seen {short(self.command[0])}")
        if not isinstance(timeout, int | float) or not 0 < timeout < 1e6:
            raise AuditError(f"a time-out is a number of seconds above 0; seen {short(timeout)}")
        self.name = name or os.path.basename(self.command[0])
        self.timeout = timeout

    def session(self, place: Place, workdir: str) -> Session:
        """Begin with an empty state."""
        return _Runs(self, place, workdir)


class _Runs(Session):
    def __init__(self, subject: CommandSubject, place: Place, workdir: str) -> None:
        self._subject = subject
        self._place = place
        self._workdir = workdir
        self._last = 0.0

    def fetch(self, urls: Sequence[str]) -> str | None:
        """Run the program, once for each URL or once for all."""
        together = "{urls}" in self._subject.command
        for some in [urls] if together else [[url] for url in urls]:
            self.wait(max(0.0, self._last + GAP - time.monotonic()))
            problem = self._run(some)
            self._last = time.monotonic()
            if problem is not None:
                return problem
        return None

    def restart(self) -> str | None:
        """Each run is a new one."""
        return None

    def wait(self, seconds: float) -> None:
        """Wait for the clock."""
        time.sleep(seconds)

    def _run(self, urls: Sequence[str]) -> str | None:
        lab, room = self._place
        port = 80 if room else lab.http_port
        fill = {
            "{url}": urls[0],
            "{store}": os.path.join(self._workdir, "hsts"),
            "{workdir}": self._workdir,
            "{ca}": room.ca_file if room else lab.ca_file,
            "{proxy}": f"http://127.0.0.1:{port}",
            "{connect_to}": f"127.0.0.1:{port}",
        }
        words: list[str] = []
        for word in self._subject.command:
            if word == "{urls}":
                words += urls
                continue
            for place, value in fill.items():
                word = word.replace(place, value)
            words.append(word)
        environment = dict(room.environment) if room else os.environ | lab.client_env()
        environment = {name: value for name, value in environment.items() if not name.startswith("XDG_")}
        environment["HOME"] = self._workdir
        with tempfile.TemporaryFile() as errors:
            options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": errors}
            options |= {"env": environment, "cwd": self._workdir, "start_new_session": True}
            try:
                process = room.popen(words, **options) if room else subprocess.Popen(words, **options)  # noqa: S603
            except (LabError, OSError) as error:
                return f"it cannot be run: {error}"
            try:
                status = process.wait(self._subject.timeout)
            except subprocess.TimeoutExpired:
                return f"it took more than {self._subject.timeout:g} s"
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, 9)
                process.wait()
            errors.seek(max(0, errors.seek(0, os.SEEK_END) - _TOLD))
            told = errors.read().decode(errors="replace").strip()
        self.said = f"exit status {status}" + (f": {told.splitlines()[-1]}" if told else "")
        return f"it was ended by signal {-status}" if status < 0 else None


@runtime_checkable
class _Closing(Protocol):
    def close(self) -> object:
        """End."""


class CallableSubject(Subject):
    """A client in this process.

    Args:
        make: given the place and a folder for its state, gives a callable that fetches a URL; what that raises
            is the client's own affair. Its `close`, if it has one, is called at the end. `make` is called again,
            with the same folder, for the next run.
        name: what it is called.
        wait: lets seconds pass; a client that is given a clock may move that.
    """

    def __init__(
        self,
        make: Callable[[Place, str], Callable[[str], object]],
        name: str = "callable",
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self._make = make
        self._wait = wait

    def session(self, place: Place, workdir: str) -> Session:
        """Begin with an empty state."""
        return _Calls(self._make, self._wait, place, workdir)


class _Calls(Session):
    def __init__(
        self,
        make: Callable[[Place, str], Callable[[str], object]],
        wait: Callable[[float], None],
        place: Place,
        workdir: str,
    ) -> None:
        self._begin: Callable[[], Callable[[str], object]] = lambda: make(place, workdir)
        self._fetch: Callable[[str], object] = self._begin()
        self._wait = wait

    def fetch(self, urls: Sequence[str]) -> str | None:
        """Call it for each."""
        for url in urls:
            self.said = self.said or "no exception"
            try:
                self._fetch(url)
            except Exception as error:  # whatever it raises, the lab has seen what it did
                if self.said == "no exception":
                    self.said = f"{type(error).__name__}: {error}"
        return None

    def restart(self) -> str | None:
        """Make it anew."""
        self.close()
        self._fetch = self._begin()
        return None

    def close(self) -> None:
        """End it."""
        client: object = self._fetch
        if isinstance(client, _Closing):
            client.close()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._wait(seconds)


def preset(name: str, *, timeout: float = 60.0) -> CommandSubject:
    """One of the clients that we know (`hstssim.lab.clients.CLIENTS`).

    Raises:
        AuditError: we do not know it, or it is not installed.
    """
    client = CLIENTS.get(name)
    if client is None or not client.run:
        known = ", ".join(name for name, client in CLIENTS.items() if client.run)
        raise AuditError(f"a preset is one of {known}; seen {short(name)}")
    words = client.command("{url}", "{workdir}", "{store}" if client.state else None)
    if client.run[0] == "{python}":
        words[0] = sys.executable
    return CommandSubject(words, name=name, timeout=timeout)
