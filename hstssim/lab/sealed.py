"""A sealed room: a program runs, unchanged, where every name is the lab's and nothing leads out (Linux).

The room is a network with loopback alone, a resolver that answers every name with 127.0.0.1, and an `/etc` whose
certificate stores trust the lab's authority and no other. Its sockets are made inside and served here, by the
lab's own thread. `namespaces.py` is the part that happens in there.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from hstssim.errors import LabError, short
from hstssim.lab import clients, namespaces
from hstssim.lab.names import Lookup

if TYPE_CHECKING:
    from hstssim.lab.authority import Authority
    from hstssim.lab.server import Server

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
"""Where programs in a room find the lab's authority; the other usual places have it too."""

_MISLEADING = (*clients.PROXY_VARIABLES, "RES_OPTIONS", "LOCALDOMAIN", "HOSTALIASES", "SSLKEYLOGFILE")
_XDG_HOME = re.compile("XDG_[A-Z]+_HOME|WGETRC|CURL_HOME")


class Room:
    """Where programs run that reach the lab and nothing else. Made by `Lab.sealed`.

    Each program gets process identifiers of its own, so that whatever it began ends when it ends.
    """

    def __init__(
        self, server: Server, authority: Authority, directory: str, ports: Sequence[int], fresh_home: bool
    ) -> None:
        self.ports = _checked(ports)
        self._server = server
        self._lookups: list[Lookup] = []
        self._running: weakref.WeakSet[subprocess.Popen[Any]] = weakref.WeakSet()
        self._open = True
        self._home: str | None = None
        if fresh_home:
            self._home = tempfile.mkdtemp(prefix="home-", dir=directory)
            with contextlib.suppress(LabError):  # browsers have their policies, too
                database = clients.nss_database(directory, authority.file)
                shutil.copytree(database, os.path.join(self._home, ".pki", "nssdb"))
        stage = os.path.join(directory, "room")
        os.makedirs(stage, exist_ok=True)
        spec = {
            "folder": directory,
            "stage": stage,
            "ports": self.ports,
            "etc": _etc(authority),
            "over": [] if fresh_home else _databases(authority.file, directory),
            "kept": _displays(),
        }
        self._namespaces, listeners = self._make(spec)
        self._lifeline, self._own_end = os.pipe()
        names_socket, *others = [socket.socket(fileno=number) for number in listeners]
        server.serve_names(names_socket, self._lookups.append)
        self._sockets = [names_socket, *others]
        for port, listener in zip(self.ports, others, strict=True):
            server.listen("https" if port in (443, 8443) else "http", listener)

    def _make(self, spec: dict[str, Any]) -> tuple[list[int], list[int]]:
        """Namespaces and sockets, with a user namespace; as root without one where there is none to be had."""
        failures = []
        for user in (True, False) if os.geteuid() == 0 else (True,):
            ours, theirs = socket.socketpair()
            script = [sys.executable, "-I", "-S", namespaces.__file__, "make", str(theirs.fileno())]
            # In a session of its own, for it cleans up after a lab that was killed.
            keeper = subprocess.Popen(  # noqa: S603
                script, pass_fds=[theirs.fileno()], start_new_session=True, stdin=subprocess.DEVNULL
            )
            theirs.close()
            try:
                ours.sendall(json.dumps(spec | {"user": user}).encode() + b"\n")
                said, numbers = _heard(ours)
                if user and not said.get("error"):
                    _map_users(keeper.pid)
                    ours.sendall(b"\n")
                    said, numbers = _heard(ours)
            except OSError as error:
                said, numbers = {"error": str(error)}, []
            if not said.get("error") and numbers:
                self._keeper, self._link = keeper, ours
                split = 3 if user else 2
                return numbers[:split], numbers[split:]
            failures.append(said.get("error") or "it ended")
            ours.close()
            keeper.kill()
            keeper.wait()
        raise LabError(
            f"a sealed room needs namespaces, which this system refuses: {clients.INSTEAD}; {_hint(failures)}"
        )

    # ── programs

    @property
    def environment(self) -> dict[str, str]:
        """The environment of programs: this process's, without proxies, with variables that name our authority."""
        kept = {name: value for name, value in os.environ.items() if name not in _MISLEADING}
        if self._home is not None:
            kept = {name: value for name, value in kept.items() if not _XDG_HOME.fullmatch(name)}
            kept["HOME"] = self._home
        return kept | clients.trust_environment(BUNDLE) | {"SSL_CERT_DIR": os.path.dirname(BUNDLE)}

    @property
    def ca_file(self) -> str:
        """The PEM file of the lab's authority, as programs in the room see it."""
        return BUNDLE

    @property
    def lookups(self) -> list[Lookup]:
        """The DNS questions that came, in order."""
        self._server.catch_up()
        return list(self._lookups)

    def popen(
        self, command: Sequence[str | os.PathLike[str]], *, env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[Any]:
        """Start a program in the room, as `subprocess.Popen` does: its options are that function's.

        Its signals reach the program, its exit status is the program's.

        Args:
            command: the program and its arguments.
            env: its whole environment; None for `environment`.
            options: `stdout`, `cwd`, `text`, …; not `shell`, `executable` and `preexec_fn`.

        Raises:
            LabError: there is no such program, or the room is closed.
        """
        if not self._open:
            raise LabError("a program runs in a room that is open; this one is closed")
        words = [os.fspath(word) for word in command]
        unfit = [name for name in ("shell", "executable", "preexec_fn", "process_group") if options.get(name)]
        if not words or isinstance(command, str | bytes) or unfit:
            raise LabError(
                f"a command is a list, its program first, without {unfit or 'a shell'}; seen {short(command)}"
            )
        environment = self.environment if env is None else dict(env)
        _find(words[0], environment, options.get("cwd"))
        numbers = [self._lifeline, *self._namespaces]
        script = [sys.executable, "-I", "-S", namespaces.__file__, "enter", ",".join(map(str, numbers)), *words]
        options["pass_fds"] = [*options.get("pass_fds", ()), *numbers]
        process = subprocess.Popen(script, env=environment, **options)  # noqa: S603
        self._running.add(process)
        return process

    def run(
        self,
        command: Sequence[str | os.PathLike[str]],
        *,
        input: Any = None,  # noqa: A002 - as subprocess.run has it
        timeout: float | None = None,
        check: bool = False,
        capture_output: bool = False,
        **options: Any,
    ) -> subprocess.CompletedProcess[Any]:
        """Run a program in the room to its end, as `subprocess.run` does.

        Args:
            command: the program and its arguments.
            input: what its stdin says.
            timeout: seconds, after which it is killed with all that it began.
            check: whether an exit status other than 0 is an error.
            capture_output: whether stdout and stderr are kept.
            options: those of `popen`.

        Raises:
            LabError: there is no such program, or the room is closed.
            subprocess.TimeoutExpired: it took longer.
            subprocess.CalledProcessError: with `check`, it failed.
        """
        if input is not None:
            options["stdin"] = subprocess.PIPE
        if capture_output:
            options["stdout"] = options["stderr"] = subprocess.PIPE
        with self.popen(command, **options) as process:
            try:
                said, errors = process.communicate(input, timeout)
            except subprocess.TimeoutExpired as late:
                self.end(process)
                late.cmd = list(command)
                late.stdout, late.stderr = process.communicate()
                raise
            except BaseException:
                self.end(process)
                raise
        done = subprocess.CompletedProcess(list(command), process.returncode, said, errors)
        if check:
            done.check_returncode()
        return done

    def end(self, process: subprocess.Popen[Any]) -> None:
        """Kill a program and all that it began; it is gone afterwards."""
        process.send_signal(namespaces.END)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()

    # ── closing

    def close(self) -> None:
        """End every program, and the room."""
        if not self._open:
            return
        self._open = False
        os.close(self._own_end)
        for process in list(self._running):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
        for listener in self._sockets:
            self._server.leave(listener)
        for number in (self._lifeline, *self._namespaces):
            os.close(number)
        self._keeper.send_signal(signal.SIGKILL)
        self._keeper.wait()
        self._link.close()

    def __enter__(self) -> Room:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Room {'open' if self._open else 'closed'}, ports {', '.join(map(str, self.ports))}>"


def _checked(ports: Sequence[int]) -> list[int]:
    for port in ports:
        if not isinstance(port, int) or not 0 < port <= 65535 or ports.count(port) > 1:
            raise LabError(f"the ports of a room are different numbers from 1 to 65535; seen {short(ports)}")
    return list(ports)


def _heard(link: socket.socket) -> tuple[dict[str, Any], list[int]]:
    line, numbers, _flags, _address = socket.recv_fds(link, 65536, 253)
    return json.loads(line) if line else {"error": "its process ended"}, numbers


def _map_users(process: int) -> None:
    """Everybody is who they are outside: root may say so of all, others of themselves."""
    for kind, own in (("uid", os.geteuid()), ("gid", os.getegid())):
        ranges = f"{own} {own} 1\n"
        if os.geteuid() == 0:
            with open(f"/proc/self/{kind}_map", encoding="ascii") as file:
                rows = [row.split() for row in file]
            ranges = "".join(f"{inside} {inside} {count}\n" for inside, _outside, count in rows)
        elif kind == "gid":
            with open(f"/proc/{process}/setgroups", "w", encoding="ascii") as file:
                file.write("deny")
        with open(f"/proc/{process}/{kind}_map", "w", encoding="ascii") as file:
            file.write(ranges)


def _hint(failures: list[str]) -> str:
    for path, refused in (
        ("/proc/sys/user/max_user_namespaces", "0"),
        ("/proc/sys/kernel/unprivileged_userns_clone", "0"),
        ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"),
    ):
        with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
            if file.read().strip() == refused:
                return f"seen {failures[0]}, with {path} {refused}"
    return f"in a container it takes --privileged; seen {failures[-1]}"


def _find(program: str, environment: Mapping[str, str], folder: Any) -> None:
    if "/" in program:
        found = os.path.exists(os.path.join(folder or "", program))
    else:
        found = shutil.which(program, os.F_OK, environment.get("PATH", os.defpath)) is not None
    if not found:
        raise LabError(f"a command is a program that is installed; seen {short(program)}")


def _etc(authority: Authority) -> namespaces.Tree:
    """What `/etc` has of ours in a room: names, the authority wherever one is looked for, browsers' policies."""
    pem = authority.pem
    browsers = json.dumps(
        {
            "CACertificates": [authority.base64],
            "DnsOverHttpsMode": "off",
        }
    )
    firefox = {
        "Certificates": {"Install": ["/etc/ssl/certs/hstssim.pem"]},
        "DNSOverHTTPS": {"Enabled": False},
    }
    policies: namespaces.Tree = {"policies": {"managed": {"hstssim.json": browsers}}}
    return {
        "hosts": f"127.0.0.1 localhost {socket.gethostname()}\n::1 localhost\n",
        "resolv.conf": "nameserver 127.0.0.1\n",
        "nsswitch.conf": _switch(),
        "ssl": {
            "certs": {
                ".": True,
                "ca-certificates.crt": pem,
                "hstssim.pem": pem,
                f"{authority.subject_hash}.0": pem,
            },
            "cert.pem": pem,
            "ca-bundle.pem": pem,
        },
        "pki": {
            "tls": {"certs": {"ca-bundle.crt": pem}, "cert.pem": pem},
            "ca-trust": {"extracted": {"pem": {"tls-ca-bundle.pem": pem}}},
        },
        "chromium": policies,
        "opt": {"chrome": policies, "edge": policies},
        "brave": policies,
        "firefox": {"policies": {"policies.json": json.dumps({"policies": firefox})}},
    }


def _switch() -> str:
    """nsswitch.conf, in which hosts are asked of the file and of DNS and nobody else."""
    lines = []
    with contextlib.suppress(OSError), open("/etc/nsswitch.conf", encoding="utf-8", errors="replace") as file:
        lines = [line for line in file if not line.lstrip().startswith("hosts:")]
    return "".join([*lines, "\nhosts: files dns\n"])


def _databases(ca_file: str, directory: str) -> list[tuple[str, str]]:
    """The user's NSS database, covered by one that trusts the authority, if there is one and NSS's tool."""
    theirs = os.path.expanduser("~/.pki/nssdb")
    if not os.path.isdir(theirs) or shutil.which("certutil") is None:
        return []
    return [(clients.nss_database(directory, ca_file), theirs)]


def _displays() -> list[str]:
    """What below /run a program needs to show itself: a socket and a file."""
    wayland = os.path.join(os.environ.get("XDG_RUNTIME_DIR", ""), os.environ.get("WAYLAND_DISPLAY", ""))
    paths = map(os.path.realpath, (wayland, os.environ.get("XAUTHORITY", "")))
    return [
        path for path in paths if path.startswith("/run/") and os.path.exists(path) and not os.path.isdir(path)
    ]
