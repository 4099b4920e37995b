"""`hstssim lab`: the TLS lab by hand, or a sealed room for a program."""

from __future__ import annotations

import os
import queue
import shlex
import shutil
import signal
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

from hstssim.cli.options import UsageError, command_parser
from hstssim.cli.terminal import BOLD, DIM, GREEN, RED, coloured, paint, shown
from hstssim.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstssim.lab import Connection, Lab, Request
    from hstssim.lab.sitefile import SiteFile

URL = "https://good.test/"


def parser() -> ArgumentParser:
    """The command's arguments."""
    made = command_parser(
        "lab",
        "Real TLS on this machine, under any name, with every fault in certificates and headers. Without\n"
        "--sealed it says how to point curl, wget, browsers and Python at it, and shows what arrives until\n"
        "Ctrl-C. With it, a program runs, unchanged, where every name is the lab's and nothing leads out (Linux).",
        """\
exit status: 0, the program's own with --sealed, 2 bad input

examples:
  hstssim lab
  hstssim lab shop.toml
  hstssim lab --sites
  hstssim lab --sealed -- wget http://good.test/
  hstssim lab --sealed shop.toml -- bash""",
        takes_command=True,
    )
    made.add_argument(
        "file", metavar="FILE", nargs="?", help="a TOML file of sites, in place of the built-in ones"
    )
    made.add_argument(
        "command", metavar="-- COMMAND", nargs="*", help="with --sealed: a program and its arguments, after `--`"
    )
    made.add_argument("--sites", action="store_true", help="list the sites, and start nothing")
    made.add_argument("--toml", action="store_true", help="with --sites: as the file that they are")
    made.add_argument("--sealed", action="store_true", help="run a program in a sealed room")
    made.add_argument("--http-port", metavar="N", type=int, help="where plaintext is expected (any that is free)")
    made.add_argument("--https-port", metavar="N", type=int, help="where TLS is expected (any that is free)")
    made.add_argument(
        "--timeout", metavar="SECONDS", type=float, help="with --sealed: for the program (status 124)"
    )
    made.add_argument(
        "--fresh-home",
        action="store_true",
        help="with --sealed: an empty HOME: it knows nothing and keeps nothing",
    )
    made.add_argument("--quiet", "-q", action="store_true", help="with --sealed: say nothing of what arrived")
    made.add_argument("--log", metavar="FILE", help="write what arrives there, as JSON Lines")
    made.add_argument("--json", action="store_true", help="JSON Lines (with --sealed: on stderr)")
    return made


def run(arguments: Namespace) -> int:
    """Run the lab; see the parser's text for the exit status."""
    from hstssim.lab import Lab, sitefile

    path, command = arguments.file, arguments.command
    if command and not arguments.sealed:
        raise UsageError(f"a command is taken with --sealed; seen {shlex.join(command)!r}")
    if arguments.sealed and not command and not arguments.sites:
        raise UsageError("--sealed takes a command: hstssim lab --sealed -- COMMAND …")
    if arguments.timeout is not None and not 0 < arguments.timeout < 1e9:
        raise UsageError(f"--timeout is a number of seconds above 0; seen {arguments.timeout}")
    file = sitefile.read(sitefile.BUILT_IN if path is None else path)
    if arguments.sites:
        return _list(file, arguments)
    ports = {"http_port": arguments.http_port, "https_port": arguments.https_port}
    lab = Lab(**(file.settings | {name: port for name, port in ports.items() if port is not None}))
    file.put_into(lab)
    with ExitStack() as stack:
        seen = _Seen(arguments, _log_file(arguments.log, stack))
        lab.log.listener = seen.arrived.put
        stack.enter_context(lab)
        return _sealed(lab, seen, arguments) if arguments.sealed else _serve(lab, seen, file, arguments)


def _list(file: SiteFile, arguments: Namespace) -> int:
    if arguments.toml:
        with open(file.path, encoding="utf-8") as text:
            print(text.read(), end="")
    elif arguments.json:
        for site, _answers in file.sites:
            _print_json({"site": site["name"], "about": file.about[site["name"]]})
    else:
        width = max(len(name) for name in file.about)
        for name, about in file.about.items():
            print(f"{shown(name):{width}}  {shown(about)}".rstrip())
    return 0


# ── at the terminal


def _serve(lab: Lab, seen: _Seen, file: SiteFile, arguments: Namespace) -> int:
    if arguments.json:
        names = [site.name for site in lab.sites]
        opened = {
            "event": "open",
            "http_port": lab.http_port,
            "https_port": lab.https_port,
            "ca_file": lab.ca_file,
        }
        _print_json(opened | {"sites": names})
    else:
        colour = coloured(sys.stdout)
        for line in _pointers(lab, file):
            print(paint(line, BOLD, colour) if line[:1] not in ("", " ") else line)
    sys.stdout.flush()
    ended: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: ended.append(number))
    while not ended:
        seen.show(0.2)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    lab.catch_up()
    seen.show(0)
    if arguments.json:
        _print_json({"event": "closed"} | seen.counts())
    else:
        print()
        for line in seen.summary(lab, sys.stdout):
            print(line)
    return 0


def _pointers(lab: Lab, file: SiteFile) -> Iterator[str]:
    """How to point programs at the lab; each is to be copied and pasted."""
    own = next((name for name in file.about if name != "*" and "." in name), "any.test")
    from hstssim.lab.clients import CLIENTS

    url = URL if lab.answers_for("good.test") else f"https://{own}/"
    count = f"{len(lab.sites)} site{'s' if len(lab.sites) != 1 else ''}"
    yield f"hstssim lab: {count} on 127.0.0.1, ports {lab.http_port} (http) and {lab.https_port} (https)"
    yield ""
    yield "curl"
    yield from _wrapped(["curl", *lab.client_args("curl"), url])
    yield "wget"
    yield from _wrapped(["wget", "-O", "-", *lab.client_args("wget"), url])
    yield "Python, and what else heeds these variables"
    variables = lab.client_env()
    wanted = ("http_proxy", "https_proxy", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
    yield from _wrapped(["export", *(f"{name}={variables[name]}" for name in wanted)])
    yield "  python3 -c \\"
    yield f"    \"from urllib.request import urlopen; print(urlopen('{url}').read())\""
    for browser, program in (("chromium", "chromium"), ("firefox", "firefox-esr")):
        program = next((name for name in (program, browser) if shutil.which(name)), "")
        if not program:
            continue
        yield browser
        try:
            words = [program, *lab.client_args(browser), url]
            if browser == "chromium":
                home = lab.client_env(browser)["HOME"]
                words = ["env", f"HOME={home}", program, *CLIENTS[browser].for_user, *words[1:]]
        except LabError as error:
            yield f"  {error}"
            continue
        yield from _wrapped(words)
    yield "any program at all"
    yield "  hstssim lab --sealed -- COMMAND"
    yield ""
    from hstssim.lab.sitefile import BUILT_IN

    sites = "hstssim lab --sites" + ("" if file.path == BUILT_IN else f" {shlex.quote(file.path)}")
    yield f"`{sites}` lists the sites. Ctrl-C ends the lab."


def _wrapped(words: list[str], width: int = 78) -> Iterator[str]:
    """A command for the shell, in lines that end with a backslash."""
    together: list[str] = []
    for word in map(shlex.quote, words):
        if together and together[-1][:1] == "-" and " " not in together[-1] and word[:1] != "-":
            together[-1] += f" {word}"  # an option and its value
        else:
            together.append(word)
    line = " "
    for word in together:
        if len(line) + 1 + len(word) > width - 2 and line.strip():
            yield f"{line} \\"
            line = "   "
        line = f"{line} {word}"
    yield line


# ── in a room


def _sealed(lab: Lab, seen: _Seen, arguments: Namespace) -> int:
    with lab.sealed(fresh_home=arguments.fresh_home) as room:
        process = room.popen(arguments.command)
        before = _pass_signals_to(process)
        try:
            status = process.wait(arguments.timeout)
        except subprocess.TimeoutExpired:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(2)
            room.end(process)
            status = 124  # as timeout(1)
        for number, handler in before.items():
            signal.signal(number, handler)
        lab.catch_up()
    seen.show(0, None if arguments.quiet else sys.stderr)
    if not arguments.quiet and arguments.json:
        _print_json({"event": "closed", "exit_status": status} | seen.counts(), sys.stderr)
    elif not arguments.quiet:
        for line in seen.summary(lab, sys.stderr):
            print(line, file=sys.stderr)
    if status < 0:
        lab.close()
        _end_by(-status)
    return status


def _pass_signals_to(process: subprocess.Popen[Any]) -> dict[int, Any]:
    """Whatever is sent to this process goes to the program; what the terminal sends, it has got already."""

    def forward(number: int, _frame: object) -> None:
        if number in (signal.SIGINT, signal.SIGQUIT) and _in_foreground():
            return
        process.send_signal(number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
    return {number: signal.signal(number, forward) for number in numbers}


def _in_foreground() -> bool:
    try:
        with open("/dev/tty", encoding="ascii") as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False


def _end_by(number: int) -> None:
    """End as the program did: by a signal."""
    import resource

    sys.stdout.flush()
    sys.stderr.flush()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


# ── what arrives


class _Seen:
    """What arrived, shown line by line and counted."""

    def __init__(self, arguments: Namespace, log: TextIO | None) -> None:
        self.arrived: queue.SimpleQueue[Request | Connection] = queue.SimpleQueue()
        self._json = arguments.json
        self._log = log
        self._requests = self._plaintext = self._refused = 0

    def show(self, patience: float, stream: TextIO | None = sys.stdout) -> None:
        """Show what has arrived; wait so many seconds for the first."""
        with suppress(queue.Empty):
            arrived = self.arrived.get(timeout=patience) if patience else self.arrived.get_nowait()
            while True:
                self._show(arrived, stream)
                arrived = self.arrived.get_nowait()

    def _show(self, arrived: Request | Connection, stream: TextIO | None) -> None:
        from hstssim.lab import Request

        if isinstance(arrived, Request):
            event, line = _request(arrived)
            self._requests += 1
            self._plaintext += arrived.plaintext
        else:
            event, line = _without_request(arrived)
            self._refused += 1
        if self._log is not None:
            _print_json(event, self._log)
        if stream is None:
            return
        if self._json:
            _print_json(event, stream)
            return
        colour = coloured(stream)
        if event.get("plaintext"):
            line = paint(line, RED, colour)
        elif event["event"] != "request":
            line = paint(line, DIM, colour)
        print(line, file=stream, flush=True)

    def counts(self) -> dict[str, int]:
        """So many of each."""
        return {
            "requests": self._requests,
            "plaintext_requests": self._plaintext,
            "connections_without_request": self._refused,
        }

    def summary(self, lab: Lab, stream: TextIO) -> Iterator[str]:
        """What came, and what of it should not have travelled in the clear."""
        from hstssim.lab.plaintext import known_before

        broken = known_before(lab.plaintext_requests)
        colour = coloured(stream)
        plain = f"{self._plaintext} in the clear"
        plain = paint(plain, RED, colour) if self._plaintext else paint(plain, GREEN, colour)
        yield (
            f"hstssim lab: {_count(self._requests, 'request')}, {plain}; "
            f"{_count(self._refused, 'connection')} without a request"
        )
        if broken:
            yield f"  {len(broken)} to a host that had said to use https (RFC 6797 §8.3), the first:"
            request, why = broken[0]
            yield f"  {shown(request.method)} {shown(request.url)}"
            yield f"  {shown(why)}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _clock(posix: float) -> str:
    return datetime.fromtimestamp(posix).strftime("%H:%M:%S")


def _request(request: Request) -> tuple[dict[str, Any], str]:
    event = {
        "event": "request",
        "time": _iso(request.time),
        "method": request.method,
        "url": request.url,
        "plaintext": request.plaintext,
        "status": request.status,
        "site": request.site,
        "certificate": request.certificate,
        "strict_transport_security": list(request.sts),
        "headers": [list(pair) for pair in request.headers],
    }
    status = "---" if request.status is None else request.status
    parts = [_clock(request.time), str(status), shown(request.method), shown(request.url)]
    if request.plaintext:
        parts.append(" PLAINTEXT")
    parts += [f" sts: {shown(field)}" for field in request.sts]
    return event, " ".join(parts)


def _without_request(connection: Connection) -> tuple[dict[str, Any], str]:
    failure = connection.failure
    reason = failure.reason if failure else connection.errors[0] if connection.errors else "closed"
    event = {
        "event": "no-request",
        "time": _iso(connection.time),
        "tls": connection.tls,
        "sni": connection.sni,
        "certificate": connection.certificate,
        "reason": reason,
    }
    about = f"TLS {shown(connection.sni or 'without a name')}" if connection.tls else "plaintext"
    certificate = f", {connection.certificate} certificate" if connection.certificate else ""
    return event, f"{_clock(connection.time)} --- {about}{certificate}, no request: {shown(reason)}"


def _iso(posix: float) -> str:
    from hstssim.times import iso

    return iso(posix)


def _print_json(value: dict[str, Any], stream: TextIO | None = None) -> None:
    import json

    print(json.dumps(value), file=stream or sys.stdout, flush=True)


def _log_file(path: str | None, stack: ExitStack) -> TextIO | None:
    if path is None:
        return None
    try:
        return stack.enter_context(open(path, "w", encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--log names a file that can be written ({error.strerror}); seen {path!r}") from None
