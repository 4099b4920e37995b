"""`hstssim audit`: grade any client's HSTS by what arrives at the lab."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from hstssim.cli.options import UsageError, command_parser
from hstssim.cli.terminal import BOLD, DIM, GREEN, RED, Progress, coloured, paint, shown
from hstssim.errors import AuditError

if TYPE_CHECKING:
    from hstssim.audit import Result, Subject

_COLOURS = {"OK": GREEN, "FAILED": RED, "UNIMPLEMENTED": RED, "INCONCLUSIVE": RED}


def parser() -> ArgumentParser:
    """The command's arguments."""
    made = command_parser(
        "audit",
        "Grade a client's HSTS, case by case, by the sections of RFC 6797: it is run in a sealed room (or behind\n"
        "the lab's proxy where there is none), and judged by nothing but what arrives.",
        """\
in the command: {url} is what it fetches, one run each ({urls}: several in one run), {store} a file for its state,
{workdir} its HOME, {ca} the lab's authority, {proxy} its proxy, {connect_to} HOST:PORT of the lab

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
    from hstssim.audit import CASES, Audit, report

    if arguments.list:
        width = max(map(len, CASES))
        for case in CASES.values():
            print(f"{case.id:{width}}  §{case.section:6} {case.level:6} {case.requirement}")
        return 0
    allowed = _expected(arguments.expected)
    audits: dict[str, list[Result]] = {}
    failed = False
    colour = coloured(sys.stdout)
    for subject in _subjects(arguments):
        progress = Progress("cases")
        done = 0

        def told(_result: Result, progress: Progress = progress) -> None:
            nonlocal done
            done += 1
            progress.at(done)

        audit = Audit(subject, arguments.case, sealed=False if arguments.proxy else None)
        results = audits[subject.name] = audit.run(told)
        progress.done()
        bad = {result.case.id for result in results if result.verdict in report.BAD}
        amiss = bad ^ (allowed & {result.case.id for result in results})
        failed = failed or bool(amiss)
        if not arguments.json:
            print(paint(shown(subject.name), BOLD, colour))
            for line in report.lines(results):
                verdict = line[:13].strip()
                text = paint(shown(line), _COLOURS.get(verdict, DIM), colour) if not verdict else shown(line)
                print(
                    text.replace(verdict, paint(verdict, _COLOURS[verdict], colour), 1)
                    if verdict in _COLOURS
                    else text
                )
            print(f"{shown(subject.name)}: {report.summary(results)}", flush=True)
            for name in sorted(amiss & allowed):
                print(f"{name} was expected to fail, and did not: take it out of {shown(arguments.expected)}")
    if arguments.json:
        print(report.as_json(audits))
    if arguments.junit:
        _write(arguments.junit, "--junit", report.as_junit(audits))
    if arguments.html:
        import time

        from hstssim import __version__
        from hstssim.times import iso

        _write(arguments.html, "--html", report.as_html(audits, iso(time.time()), __version__))
    return int(failed)


def _subjects(arguments: Namespace) -> list[Subject]:
    from hstssim.audit import CommandSubject, preset
    from hstssim.lab.clients import CLIENTS

    subjects: list[Subject] = []
    if arguments.command:
        subjects.append(CommandSubject(arguments.command, timeout=arguments.timeout))
    for name in arguments.preset:
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


def _write(path: str, option: str, text: str) -> None:
    try:
        with open(path, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"{option} names a file that can be written ({error.strerror}); seen {path!r}") from None
