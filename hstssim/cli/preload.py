"""`hstssim preload`: look at the preload list (`info`), or make one (`build`)."""

from __future__ import annotations

import os
import sys
import time
from argparse import ArgumentParser, Namespace

from hstssim.cli.options import command_parser
from hstssim.cli.terminal import complain
from hstssim.errors import PreloadError
from hstssim.preload import PreloadList
from hstssim.times import parse_instant, span

_CHROMIUM_LICENCE = "BSD-3-Clause, Copyright 2012 The Chromium Authors"
_MOST_COMPLAINTS = 20


def parser() -> ArgumentParser:
    """The command's arguments."""
    made = command_parser("preload", "Look at the preload list, or build one.", "exit status: 0, 2 bad input")
    actions = made.add_subparsers(dest="action", required=True, metavar="info|build")
    info = actions.add_parser("info", help="what the list says of itself, and what is in it", allow_abbrev=False)
    info.add_argument("--preload", metavar="FILE", help="another list than the bundled one")
    info.add_argument("--at", metavar="TIME", help="count its age as of then")
    info.add_argument("--json", action="store_true", help="one JSON object")
    build = actions.add_parser(
        "build",
        help="make the text of a list from Chromium's JSON or a table",
        description="Make the text of a preload list; the same source and options give the same bytes.",
        allow_abbrev=False,
    )
    build.add_argument(
        "source",
        metavar="SOURCE",
        help="transport_security_state_static.json, a table (name, include_subdomains, mode), a list; `-`: stdin",
    )
    build.add_argument("-o", "--output", metavar="FILE", default="-", help="where to write it (stdout)")
    build.add_argument("--version", metavar="TEXT", default="", help="the version of the browser that ships it")
    build.add_argument(
        "--date", metavar="TIME", default="", help="the time from which it counts its age, ISO 8601"
    )
    build.add_argument("--source-text", metavar="TEXT", default="", help="where it is from, in words")
    build.add_argument("--licence", metavar="TEXT", help="of the names (Chromium's for Chromium's JSON)")
    build.add_argument(
        "--historical",
        action="store_true",
        help="let pass what older JSON files have and today's generator refuses",
    )
    return made


def run(arguments: Namespace) -> int:
    """Do one of the two; gives 0, or 2 where the source is bad."""
    return _info(arguments) if arguments.action == "info" else _build(arguments)


def _info(arguments: Namespace) -> int:
    listed = PreloadList.open(arguments.preload) if arguments.preload else PreloadList.bundled()
    now = time.time()
    if arguments.at is not None:
        now = parse_instant(arguments.at, now)
    entries = list(listed)
    age = listed.age(now)
    labels = [entry.domain.count(".") + 1 for entry in entries]
    facts: dict[str, object] = {
        "version": listed.version,
        "date": listed.head()["date"],
        "age_days": None if age is None else int(age // 86_400),
        "entries": len(entries),
        "include_subdomains": sum(entry.include_subdomains for entry in entries),
        "host_only": sum(not entry.include_subdomains for entry in entries),
        "negative": sum(not entry.force_https for entry in entries),
        "labels": {str(count): labels.count(count) for count in sorted(set(labels))},
        "source": listed.source,
        "licence": listed.licence,
        "path": listed.path,
        "sha256": _sha256(listed),
    }
    if arguments.json:
        import json

        print(json.dumps(facts))
        return 0
    told = {
        "version": listed.version or "not told",
        "date": f"{facts['date']}, {_age(age)}" if age is not None else "not told",
        "entries": f"{len(entries):,}",
        "with subdomains": f"{facts['include_subdomains']:,}",
        "host only": f"{facts['host_only']:,}",
        "taken out": f"{facts['negative']:,}",
        "labels": ", ".join(f"{labels.count(count):,} of {count}" for count in sorted(set(labels))),
        "source": listed.source or "not told",
        "licence": listed.licence or "not told",
        "file": listed.path,
        "sha256": facts["sha256"],
    }
    width = max(map(len, told))
    print("\n".join(f"{name:{width}}  {text}" for name, text in told.items()))
    return 0


def _age(age: float) -> str:
    if age < 0:
        return f"{span(-age)} from now"
    stale = "; Chrome would ignore it (70 days or more)" if age // 86_400 >= 70 else ""
    return f"{span(age)} old{stale}"


def _sha256(listed: PreloadList) -> str:
    import hashlib

    return hashlib.sha256(listed.as_text().encode()).hexdigest()


def _build(arguments: Namespace) -> int:
    from hstssim.preload_source import entries, is_chromium_json

    path = "stdin" if arguments.source == "-" else arguments.source
    try:
        if arguments.source == "-":
            data = sys.stdin.buffer.read()
        else:
            with open(path, "rb") as file:
                data = file.read()
        licence = arguments.licence
        if licence is None:
            licence = _CHROMIUM_LICENCE if is_chromium_json(data) else ""
        built = PreloadList.build(
            entries(data, path=path, historical=arguments.historical),
            version=arguments.version,
            date=arguments.date,
            source=arguments.source_text,
            licence=licence,
        )
        if arguments.output == "-":
            sys.stdout.write(built.as_text())
        else:
            _write(arguments.output, built.as_text())
    except PreloadError as error:
        complaints = str(error).split("\n")
        for complaint in complaints[:_MOST_COMPLAINTS]:
            complain("preload build", "", complaint)
        if len(complaints) > _MOST_COMPLAINTS:
            print(f"hstssim preload build: and {len(complaints) - _MOST_COMPLAINTS} more", file=sys.stderr)
        return 2
    except (OSError, ValueError) as error:
        complain("preload build", "", getattr(error, "strerror", None) or error)
        return 2
    if arguments.output != "-":
        print(f"{arguments.output}: {len(built):,} names", file=sys.stderr)
    return 0


def _write(path: str, text: str) -> None:
    """Write the file whole or not at all."""
    beside = f"{path}.{os.getpid()}.part"
    try:
        with open(beside, "w", encoding="ascii", newline="\n") as file:
            file.write(text)
        os.replace(beside, path)
    except BaseException:
        if os.path.exists(beside):
            os.unlink(beside)
        raise
