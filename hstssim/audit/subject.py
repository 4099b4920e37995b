"""Whom an audit grades: a program by its command line, or a Python callable.

A subject opens a session for each case, with a state of its own. Never here: what a client ought to do.
"""

from __future__ import annotations

import locale
import os
import shlex
import shutil
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from hstssim.audit.cases import Ability
from hstssim.errors import AuditError, LabError, short
from hstssim.lab import Lab
from hstssim.lab.clients import CLIENTS, Client

if TYPE_CHECKING:
    from hstssim.lab.sealed import Room

GAP = 1.3
"""Seconds between two runs of a program: the clocks of some have whole seconds."""
_TOLD = 2000
"""Bytes of what a program says on stderr that are kept."""
_INTERPRETERS = ("python", "node", "ruby", "perl", "php", "sh", "bash", "deno", "bun")


class Running:
    """The programs that run in one audit, so that whatever interrupts it can end them."""

    def __init__(self) -> None:
        self.processes: set[subprocess.Popen[Any]] = set()
        self.stopped = threading.Event()

    def stop(self) -> None:
        """Kill what runs, and let nothing go on that begins from here on."""
        self.stopped.set()
        for process in list(self.processes):
            _kill(process)


class Place(NamedTuple):
    """Where a client runs: the lab, a sealed room if there is one, and what else runs in the same audit."""

    lab: Lab
    room: Room | None
    running: Running


class Session(ABC):
    """One client with one state. What fetches gives the reason for which that could not be done, if so."""

    said: str = ""
    """What it said last, or when it first failed, for the evidence."""
    commands: Sequence[str] = ()
    """The command lines that were run."""

    @abstractmethod
    def fetch(self, urls: Sequence[str]) -> str | None:
        """Fetch URLs one after the other, in runs of their own or not."""

    def post(self, url: str, body: str) -> str | None:
        """POST a body; asked of the able only."""
        raise NotImplementedError

    def together(self, urls: Sequence[str], parallel: bool) -> str | None:
        """Fetch URLs in one run; asked of the able only."""
        raise NotImplementedError

    @abstractmethod
    def restart(self) -> None:
        """End, and begin again with the state that was kept."""

    @abstractmethod
    def wait(self, seconds: float) -> None:
        """Let time pass."""

    def close(self) -> None:  # noqa: B027 - most have nothing to end
        """End."""


class Subject(ABC):
    """Who is graded."""

    name: str
    version: str = ""
    able: frozenset[Ability] = frozenset()
    """What it can be told to do besides fetching a URL."""
    at_once: int = 12
    """How many sessions there may be at the same time: most of their time is waiting."""

    @abstractmethod
    def session(self, place: Place, workdir: str) -> Session:
        """Begin with an empty state; `workdir` is an empty folder."""


class CommandSubject(Subject):
    """A program, by its command line.

    Args:
        command: its words, with `{url}` (one run for each URL) or a word `{urls}` (one run for several). There may
            be `{store}`, a file for its state; `{workdir}`, a folder that is its HOME; `{ca}`, the lab's
            authority; `{proxy}`, its proxy; `{connect_to}`, HOST:PORT of the lab's port for http. It runs in the
            folder where we do.
        name: by default the program's, or that of the script it is given.
        timeout: seconds for a run.
        post: the words that make it POST `{body}`; None if it cannot.
        client: what is known of it, if it is a client of our table.
        version: which one it is, for reports.

    Raises:
        AuditError: it takes no URL or body, or there is no such program.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        name: str | None = None,
        timeout: float = 20.0,
        post: Sequence[str] | None = None,
        client: Client | None = None,
        version: str = "",
    ) -> None:
        self.command = list(command)
        self.posting = list(post or ())
        for words in (self.command, self.posting) if post is not None else (self.command,):
            if not words or not any("{url}" in word or word == "{urls}" for word in words):
                raise AuditError(f"a command says where its URL goes, {{url}} or {{urls}}; seen {short(words)}")
            if shutil.which(words[0]) is None:
                there = ", a file that is not executable" if os.path.isfile(words[0]) else ""
                raise AuditError(f"a command is a program that is installed; seen {short(words[0])}{there}")
        if post is not None and not any("{body}" in word for word in post):
            raise AuditError(f"a command that posts says where its {{body}} goes; seen {short(post)}")
        if not isinstance(timeout, int | float) or not 0 < timeout < 1e6:
            raise AuditError(f"a time-out is a number of seconds above 0; seen {short(timeout)}")
        self.name = name or _name(self.command)
        self.timeout = timeout
        self.client = client or Client(self.name)
        self.version = version
        self.at_once = self.client.at_once
        several = "{urls}" in self.command or (self.client.several and "{url}" in self.command)
        abilities: list[Ability] = ["several"] if several else []
        self.able = frozenset([*abilities, "post"] if self.posting else abilities)

    def session(self, place: Place, workdir: str) -> Session:
        """Begin with an empty state."""
        self.client.prepare(workdir)
        return _Runs(self, place, workdir)


def _name(command: Sequence[str]) -> str:
    program, *rest = map(os.path.basename, command)
    scripts = [os.path.basename(word) for word in command[1:] if os.path.isfile(word)]
    return scripts[0] if rest and scripts and program.startswith(_INTERPRETERS) else program


class _Runs(Session):
    def __init__(self, subject: CommandSubject, place: Place, workdir: str) -> None:
        self._subject = subject
        self._place = place
        self._workdir = workdir
        self._last = 0.0
        self._failed = False
        self.commands: list[str] = []

    def fetch(self, urls: Sequence[str]) -> str | None:
        """Run the program, once for each URL or once for all."""
        command = self._subject.command
        for some in [urls] if "{urls}" in command else [[url] for url in urls]:
            problem = self._run(command, some)
            if problem is not None:
                return problem
        return None

    def post(self, url: str, body: str) -> str | None:
        """Run it by its other command."""
        return self._run(self._subject.posting, [url], body)

    def together(self, urls: Sequence[str], parallel: bool) -> str | None:
        """Run it once."""
        program, *words = self._subject.command
        return self._run([program, *(self._subject.client.parallel if parallel else ()), *words], urls)

    def restart(self) -> None:
        """Each run is a new one."""

    def wait(self, seconds: float) -> None:
        """Wait for the clock."""
        self._place.running.stopped.wait(seconds)

    def _run(self, command: Sequence[str], urls: Sequence[str], body: str = "") -> str | None:
        self.wait(max(0.0, self._last + GAP - time.monotonic()))
        words = self._words(command, urls, body)
        self.commands.append(shlex.join(words))
        room, running = self._place.room, self._place.running
        options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
        options |= {"env": self._environment(), "start_new_session": True}
        with _Tail() as errors:
            options["stderr"] = errors.entrance
            try:
                process = room.popen(words, **options) if room else subprocess.Popen(words, **options)  # noqa: S603
            except (LabError, OSError) as error:
                return f"it cannot be run: {error}"
            running.processes.add(process)
            try:
                if running.stopped.is_set():
                    return "the audit was interrupted"
                status = self._ended(process)
            finally:
                if room:
                    room.end(process)
                _kill(process)
                process.wait()
                running.processes.discard(process)
                self._last = time.monotonic()
        told = errors.text.strip()
        if not self._failed:
            how = f"exit status {status}" if status is not None else "ended after the time that it had"
            self.said = how + (f": {told.splitlines()[-1]}" if told else "")
            self._failed = status != 0
        if status is None:
            return f"it took more than {self._subject.timeout:g} s"
        return f"it was ended by signal {-status}" if status < 0 else None

    def _words(self, command: Sequence[str], urls: Sequence[str], body: str) -> list[str]:
        lab, room, _ = self._place
        port = 80 if room else lab.http_port
        fill = {
            "{url}": urls[0],
            "{body}": body,
            "{store}": os.path.join(self._workdir, "hsts"),
            "{workdir}": self._workdir,
            "{ca}": room.ca_file if room else lab.ca_file,
            "{proxy}": f"http://127.0.0.1:{port}",
            "{connect_to}": f"127.0.0.1:{port}",
        }
        words: list[str] = []
        for word in command:
            if word == "{urls}" or (word == "{url}" and len(urls) > 1):
                words += urls
                continue
            for place, value in fill.items():
                word = word.replace(place, value)
            words.append(word)
        client = self._subject.client
        if room is None and client.arguments is not None and not client.files:
            words[1:1] = lab.client_args(client.name)
        return words

    def _environment(self) -> dict[str, str]:
        lab, room, _ = self._place
        own = {"HOME": self._workdir}
        if locale.getencoding().lower() != "utf-8":  # curl, wget take no other letters then
            own["LC_ALL"] = "C.UTF-8"
        if room is None:
            own |= lab.client_env(self._subject.client.name if self._subject.client.environment else None)
        outer = room.environment if room else os.environ
        return {name: value for name, value in outer.items() if not name.startswith("XDG_")} | own

    def _ended(self, process: subprocess.Popen[Any]) -> int | None:
        """Its exit status; None if it did not end in time."""
        with suppress(subprocess.TimeoutExpired):
            lingers = self._subject.client.lingers
            if not lingers:
                return process.wait(self._subject.timeout)
            try:
                return process.wait(lingers)
            except subprocess.TimeoutExpired:
                process.terminate()
                process.wait(self._subject.timeout)
                return 0
        return None


def _kill(process: subprocess.Popen[Any]) -> None:
    """Kill a process and its group, if it is still there."""
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, 9)


class _Tail:
    """Reads what is written to `entrance`, however much it is, and keeps the end of it."""

    def __enter__(self) -> _Tail:
        exit_, self.entrance = os.pipe()
        self._kept = b""
        self._reader = threading.Thread(target=self._read, args=(exit_,), daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.entrance)
        self._reader.join(1.0)  # what left its session may hold the pipe for ever

    @property
    def text(self) -> str:
        return self._kept.decode(errors="replace")

    def _read(self, exit_: int) -> None:
        with open(exit_, "rb", buffering=0) as file:
            while some := file.read(65_536):
                self._kept = (self._kept + some)[-_TOLD:]


@runtime_checkable
class _Closing(Protocol):
    def close(self) -> object:
        """End."""


@runtime_checkable
class _Waiting(Protocol):
    def wait(self, seconds: float, /) -> object:
        """Let time pass."""


@runtime_checkable
class _Posting(Protocol):
    def post(self, url: str, body: str, /) -> object:
        """POST."""


class CallableSubject(Subject):
    """A client in this process.

    Args:
        make: given the place and a folder for its state, gives a callable that fetches a URL; what that raises
            is the client's own affair, and how long it takes: nothing ends it. It may have `post(url, body)`;
            `wait(seconds)`, which puts its clock forward instead of waiting; and `close()`, called at the end.
            `make` is called again, with the same folder, for the next run.
        name: what it is called.
        posts: whether what `make` gives has a `post`.
    """

    def __init__(
        self, make: Callable[[Place, str], Callable[[str], object]], name: str = "callable", *, posts: bool = False
    ) -> None:
        self.name = name
        self.make = make
        self.able = frozenset(["several", "post"] if posts else ["several"])

    def session(self, place: Place, workdir: str) -> Session:
        """Begin with an empty state."""
        return _Calls(lambda: self.make(place, workdir))


class _Calls(Session):
    def __init__(self, begin: Callable[[], Callable[[str], object]]) -> None:
        self._begin = begin
        self._client: object = None
        self._problem: str | None = None
        self.restart()

    def fetch(self, urls: Sequence[str]) -> str | None:
        """Call it for each."""
        for url in urls:
            self._do(self._client, url)
        return self._problem

    def post(self, url: str, body: str) -> str | None:
        """Have it POST."""
        client = self._client
        if not isinstance(client, _Posting):
            return self._problem or "it has no method `post`"
        self._do(client.post, url, body)
        return self._problem

    def together(self, urls: Sequence[str], parallel: bool) -> str | None:
        """Call it for each: it is one run."""
        return self.fetch(urls)

    def restart(self) -> None:
        """Make it anew."""
        self.close()
        self._client = None
        try:
            self._client = self._begin()
        except _ITS_OWN as error:
            self._problem = f"it cannot be made: {_told(error)}"

    def close(self) -> None:
        """End it."""
        if isinstance(self._client, _Closing):
            self._do(self._client.close)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        if isinstance(self._client, _Waiting):
            self._do(self._client.wait, seconds)
        else:
            time.sleep(seconds)

    def _do(self, what: object, *arguments: object) -> None:
        if not callable(what):
            self._problem = self._problem or f"a client is called with a URL; seen {short(what)}"
            return
        self.said = self.said or "no exception"
        try:
            what(*arguments)
        except _ITS_OWN as error:  # whatever it raises, the lab has seen what it did
            if self.said == "no exception":
                self.said = _told(error)


_ITS_OWN = (Exception, SystemExit)


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def preset(name: str, *, timeout: float = 60.0) -> CommandSubject:
    """One of the clients that we know (`hstssim.lab.clients.CLIENTS`).

    Raises:
        AuditError: we do not know it, or it is not installed.
    """
    client = CLIENTS.get(name)
    if client is None or not client.run:
        known = ", ".join(name for name, client in CLIENTS.items() if client.run)
        raise AuditError(f"a preset is one of {known}; seen {short(name)}")
    version = client.version()
    if version is None:
        raise AuditError(f"a preset is a client that is installed ({client.source}); seen no {name}")
    store = "{store}" if client.state else None
    posting = client.command("{url}", "{workdir}", store, "{body}") if client.posts else None
    words = client.command("{url}", "{workdir}", store)
    return CommandSubject(words, name=name, timeout=timeout, post=posting, client=client, version=version)
