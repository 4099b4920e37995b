"""`hstssim audit`: grade any client's HSTS by what arrives at the lab."""

from __future__ import annotations

import itertools
import os
import shlex
import signal
import sys
import threading
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hstssim.audit import report
from hstssim.cli.options import UsageError, command_parser, profile
from hstssim.cli.terminal import BOLD, DIM, GREEN, RED, Progress, coloured, complain, paint, shown
from hstssim.errors import AuditError
from hstssim.profile import PROFILES

if TYPE_CHECKING:
    from hstssim.audit import Audit, Subject

_COLOURS = {"OK": GREEN, "FAILED": RED, "UNIMPLEMENTED": RED, "INCONCLUSIVE": RED}


def parser() -> ArgumentParser:
    """The command's arguments."""
    made = command_parser(
        "audit",
        "Grade a client's HSTS, case by case, by the sections of RFC 6797: it is run in a sealed room (or behind\n"
        "the lab's proxy where there is none), and judged by nothing but what arrives.",
        """\
in the command: {url} is what it fetches, one run each; {urls} several in one run, to be fetched one after the
other, and on after an error; {store} a file for its state; {workdir} its HOME; {ca} the lab's authority; {proxy}
its proxy; {connect_to} HOST:PORT of the lab. URLs have an `&`: sh -c wants "$1"

exit status: 0 every case is OK (or only a SHOULD is not), 1 some are not, 2 bad input

examples:
  hstssim audit -- curl --silent --location --hsts {store} {url}
  hstssim audit --preset wget --html wget.html
  hstssim audit --case expiry --case note -- python3 my_crawler.py {url}
  hstssim audit --preset all --junit audit.xml""",
        takes_command=True,
    )
    made.add_argument("command", metavar="-- COMMAND", nargs="*", help="the client and its arguments, after `--`")
    made.add_argument(
        "--preset", metavar="NAME", action="append", default=[], help="a client that we know, or `all`; repeatable"
    )
    made.add_argument(
        "--post", metavar="COMMAND", help="the command, in one word, that makes the client POST {body} to {url}"
    )
    made.add_argument("--name", metavar="NAME", help="what the client is called in reports (the program's name)")
    made.add_argument(
        "--profile", metavar="NAME", help=f"expect what this browser does: {', '.join(PROFILES)} (the RFC)"
    )
    made.add_argument("--case", metavar="ID", action="append", help="this case alone; repeatable")
    made.add_argument("--list", action="store_true", help="list the cases, and run nothing")
    made.add_argument("--timeout", metavar="SECONDS", type=float, default=20.0, help="for each run (20)")
    made.add_argument(
        "--proxy", action="store_true", help="behind the lab's proxy, also where there could be a room"
    )
    made.add_argument(
        "--expected", metavar="FILE", help="cases that may fail, one id a line; one that is OK then fails"
    )
    made.add_argument("--junit", metavar="FILE", help="write JUnit XML")
    made.add_argument(
        "--html", metavar="FILE", help="write one page, a matrix with what was seen behind each cell"
    )
    made.add_argument("--json", action="store_true", help="one JSON object for all clients")
    return made


def run(arguments: Namespace) -> int:
    """Audit; see the parser's text for the exit status."""
    from hstssim import __version__
    from hstssim.audit import CASES, Audit
    from hstssim.times import iso

    if arguments.list:
        width = max(map(len, CASES))
        for case in CASES.values():
            print(f"{case.id:{width}}  §{case.section:6} {case.level:6} {case.requirement}")
        return 0
    allowed = _expected(arguments.expected)
    rules = None if arguments.profile is None else profile(arguments)
    subjects = _subjects(arguments)
    audits_to_do = [
        Audit(subject, arguments.case, sealed=False if arguments.proxy else None, profile=rules)
        for subject in subjects
    ]
    for option in ("--junit", "--html"):
        _write(getattr(arguments, option[2:]), option)  # whether it can be: before minutes are spent
    audits: list[report.Audited] = []
    failed = False
    unheard: BrokenPipeError | None = None
    with _ended_by(signal.SIGTERM):
        for audit in audits_to_do:
            audited = _audited(audit, quiet=arguments.json)
            audits.append(audited)
            strange = [result.case.id for result in audited.results if report.unexpected(result, allowed)]
            bad = any(result.bad and result.case.id not in allowed for result in audited.results)
            failed = failed or bool(strange) or bad
            for name in strange:
                said = f"{name} was expected to fail, and did not: take it out of {shown(arguments.expected)}"
                complain("audit", "", said)
            if not arguments.json and unheard is None:
                try:
                    _tell(audited)
                except BrokenPipeError as error:  # the reports are still to be written
                    unheard = error
    about = report.About(iso(time.time()), __version__, arguments.profile)
    _write(arguments.junit, "--junit", report.as_junit(audits, allowed))
    _write(arguments.html, "--html", report.as_html(audits, about))
    if unheard is not None:
        raise unheard
    if arguments.json:
        print(report.as_json(audits, about))
    return int(failed)


def _audited(audit: Audit, *, quiet: bool) -> report.Audited:
    subject = audit.subject
    progress = Progress(f"of {len(audit.cases)} cases ({subject.name})", beside_output=not quiet)
    count = itertools.count(1)
    results = audit.run(lambda _: progress.at(next(count)))
    progress.done()
    return report.Audited(subject.name, subject.version, results)


@contextmanager
def _ended_by(number: signal.Signals) -> Iterator[None]:
    """Let a signal end this as an exception does, so that clients, rooms and folders go with it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(number, end)
    try:
        yield
    finally:
        signal.signal(number, before)


def _tell(audited: report.Audited) -> None:
    colour = coloured(sys.stdout)
    print(paint(shown(f"{audited.name} {audited.version}".strip()), BOLD, colour))
    for line in report.lines(audited.results):
        verdict, rest = line[:13], line[13:]
        if verdict.strip() in _COLOURS:
            print(paint(verdict, _COLOURS[verdict.strip()], colour) + shown(rest))
        else:
            print(shown(line) if verdict.strip() else paint(shown(line), DIM, colour))
    print(f"{shown(audited.name)}: {report.summary(audited.results)}", flush=True)


def _subjects(arguments: Namespace) -> list[Subject]:
    from hstssim.audit import CommandSubject, preset
    from hstssim.lab.clients import CLIENTS

    subjects: list[Subject] = []
    for option in ("name", "post"):
        if getattr(arguments, option) is not None and not arguments.command:
            raise UsageError(f"--{option} is said of a command, after `--`; seen none")
    if arguments.command:
        try:
            post = None if arguments.post is None else shlex.split(arguments.post)
        except ValueError as error:
            raise UsageError(f"--post is a command as a shell has it ({error}); seen {arguments.post!r}") from None
        subjects.append(
            CommandSubject(arguments.command, name=arguments.name, timeout=arguments.timeout, post=post)
        )
    for name in dict.fromkeys(arguments.preset):
        if name != "all":
            subjects.append(preset(name, timeout=arguments.timeout))
            continue
        for client in CLIENTS:
            try:
                subjects.append(preset(client, timeout=arguments.timeout))
            except AuditError:  # it is not installed
                continue
    if not subjects:
        raise UsageError("a client is required: hstssim audit -- COMMAND … {url}, or --preset NAME")
    seen: list[str] = []
    for subject in subjects:  # two of one name are two
        seen.append(subject.name)
        if seen.count(subject.name) > 1:
            subject.name += f" ({seen.count(subject.name)})"
    return subjects


def _expected(path: str | None) -> set[str]:
    if path is None:
        return set()
    from hstssim.audit import CASES

    try:
        with open(path, encoding="utf-8") as file:
            names = {line.partition("#")[0].strip() for line in file} - {""}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--expected names a file of cases that can be read ({error}); seen {path!r}") from None
    for name in sorted(names - CASES.keys()):
        raise UsageError(f"--expected names cases, one a line; seen {name!r} in {os.fspath(path)}")
    return names


def _write(path: str | None, option: str, text: str | None = None) -> None:
    """Write a file; without a text see only that it could be."""
    if path is None:
        return
    try:
        with open(path, "a" if text is None else "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text or "")
    except OSError as error:
        raise UsageError(f"{option} names a file that can be written ({error.strerror}); seen {path!r}") from None
