"""`hstssim convert`: translate a state file from one program's format to another's."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, Namespace

from hstssim.cli.options import UsageError, clock_of, command_parser, complain_of
from hstssim.cli.terminal import complain
from hstssim.errors import StoreError
from hstssim.store import KnownHost


def parser() -> ArgumentParser:
    """The command's arguments."""
    made = command_parser(
        "convert",
        "Translate state file A into state file B. What B's format cannot hold is said on stderr.",
        """\
The format of A is recognised by its content; that of B is --to, or what B's name or content says.

exit status: 0 all entries are in B, 1 some are not or end sooner, 2 bad input

examples:
  hstssim convert ~/.wget-hsts --to curl ~/.curl-hsts
  hstssim convert ~/.config/chromium/Default/TransportSecurity --names hosts.txt --to wget -""",
    )
    made.add_argument("source", metavar="A", help="a state file of any format; `-`: stdin")
    made.add_argument("target", metavar="B", help="where to write; `-`: stdout")
    made.add_argument(
        "--to",
        metavar="FORMAT",
        help="hstssim, chrome, curl, wget, wget2, wget2-1.99, firefox, firefox-txt or libsoup",
    )
    made.add_argument("--force", action="store_true", help="replace B if it has entries")
    made.add_argument("--merge", action="store_true", help="keep the entries of B, but for those that A has too")
    made.add_argument(
        "--names", metavar="FILE", action="append", default=[], help="hosts to try on hashed names, one a line"
    )
    made.add_argument("--no-preload", action="store_true", help="do not try the names of the preload list")
    made.add_argument("--at", metavar="TIME", help="which of two entries counts may depend on it (now)")
    return made


def run(arguments: Namespace) -> int:
    """Translate; see the parser's text for the exit status."""
    from hstssim.formats import FORMATS, files, named, read, write
    from hstssim.formats.files import STDIO

    if arguments.to is not None and arguments.to not in FORMATS:
        raise UsageError(f"--to is one of {', '.join(FORMATS)}; seen {arguments.to!r}")
    if arguments.source != STDIO and files.signature(arguments.source)[0] == 0:
        raise StoreError(arguments.source, "a state file must be readable", "there is none")
    now = (clock_of(arguments) or time.time)()
    content = read(arguments.source, now)
    complaints = list(content.complaints)
    entries = dict(content.entries)
    form = arguments.to
    there = arguments.target != STDIO and files.signature(arguments.target)[1] > 0
    if there and not (arguments.force and arguments.to):
        old = read(arguments.target, now)
        if (old.entries or old.complaints) and not (arguments.force or arguments.merge):
            raise UsageError(
                f"{arguments.target} has {len(old.entries):,} entries already: "
                "--merge adds to them, --force replaces them"
            )
        form = form or old.format
        if arguments.merge:
            if old.complaints:
                complain_of("convert", old.complaints)
                raise UsageError(f"{arguments.target} is not written: not all of it was understood")
            entries = {**old.entries, **entries}
    form = form or named(arguments.target)
    if not form:
        raise UsageError(f"--to says which format {arguments.target} is to have: {', '.join(FORMATS)}")
    complain_of("convert", complaints)
    if content.unusable is not None:
        return 2
    known_hosts = list(entries.values())
    if not FORMATS[form].HOLDS.hashes and any(not known.domain for known in known_hosts):
        known_hosts = _with_names(known_hosts, arguments)
    losses = write(arguments.target, known_hosts, FORMATS[form], now)
    left_out = len({loss.known.key for loss in losses if loss.left_out})
    for what in dict.fromkeys(loss.what for loss in losses):
        of = [loss for loss in losses if loss.what == what]
        first = of[0].known.domain or of[0].known.name_hash
        done = "left out: " if of[0].left_out else ""
        entry = f"{len(of):,} {'entry' if len(of) == 1 else 'entries'} (first {first})"
        complain("convert", "", f"{entry}: {done}{what}")
    print(
        f"hstssim convert: {len(known_hosts) - left_out:,} of {len(known_hosts):,} entries from "
        f"{content.format or 'an empty file'} to {form}",
        file=sys.stderr,
    )
    return 2 if complaints else 1 if any(loss.matters for loss in losses) else 0


def _with_names(known_hosts: list[KnownHost], arguments: Namespace) -> list[KnownHost]:
    from hstssim.cli.store import candidates
    from hstssim.host import hashed

    unnamed = {known.name_hash for known in known_hosts if not known.domain}
    names = {}
    for name in candidates(arguments):
        key = hashed(name.lower())
        if key in unnamed:
            names[key] = name.lower()
    return [
        known._replace(domain=names[known.name_hash]) if not known.domain and known.name_hash in names else known
        for known in known_hosts
    ]
