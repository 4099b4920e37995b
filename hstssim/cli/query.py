"""`hstssim query`: would a browser upgrade these, by which entry, until when."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator

from hstssim.cli.options import UsageError, add_knowledge, command_parser, interceptor
from hstssim.cli.terminal import GREEN, Progress, coloured, complain, paint, shown
from hstssim.errors import HSTSSimError, InvalidHost
from hstssim.host import canonical, is_plain
from hstssim.interceptor import Decision

_LONGEST_LINE = 2 * 1024 * 1024  # Chromium's limit for a URL (url/url_constants.h, kMaxURLChars)
_SCHEMES = ("http:", "https:", "ws:", "wss:")


def parser() -> ArgumentParser:
    """The command's arguments."""
    made = command_parser(
        "query",
        "Say of each host or URL whether a browser would upgrade it, by which entry, and until when.",
        """\
exit status: 0 some are upgraded, 1 none, 2 some input was bad (the rest is answered all the same)

examples:
  hstssim query github.com 'http://www.github.com:8080/login'
  hstssim query --column 2 --only upgraded < tranco.csv
  hstssim query --store ~/.wget-hsts --at +30d example.com""",
    )
    made.add_argument("inputs", metavar="HOST_OR_URL", nargs="*", help="`-`, or nothing in a pipe, reads stdin")
    made.add_argument(
        "--column", metavar="N", type=int, help="of each line of stdin, take the Nth field (tabs or commas)"
    )
    made.add_argument("--only", choices=("upgraded", "not"), help="print only these")
    add_knowledge(made)
    return made


def run(arguments: Namespace) -> int:
    """Answer each input; see the parser's text for the exit status."""
    if arguments.column is not None and arguments.column < 1:
        raise UsageError(f"--column counts from 1; seen {arguments.column}")
    inputs = arguments.inputs
    if arguments.column is not None and inputs and "-" not in inputs:
        raise UsageError("--column says which field of each line of stdin; name `-`, or no input")
    hsts, bad = interceptor(arguments, "query")
    if (not inputs or "-" in inputs) and hsts.store.preload is not None:
        hsts.store.preload.load()
    write = sys.stdout.write
    line = _json_line if arguments.json else _text_line
    colour = coloured(sys.stdout)
    some = False
    for text, place, error in texts(inputs, arguments.column):
        try:
            if error is not None:
                raise error
            url, bare = typed(text)
            decision = hsts.request(url, top_level_site=arguments.top_level_site)
            _ = decision.host  # which is when an https URL is looked at
            upgraded = decision.upgraded
            if arguments.only is None or upgraded == (arguments.only == "upgraded"):
                write(line(text, decision, bare, colour))
            some = some or upgraded
        except HSTSSimError as wrong:
            bad = True
            if arguments.json:
                write_json({"input": text, "error": str(wrong)})
            elif not place:
                sys.stdout.flush()
            complain("query", place, wrong)
    return 2 if bad else 0 if some else 1


def typed(text: str) -> tuple[str, bool]:
    """The URL that a person means by a host or URL, and whether it was a bare host.

    A host may have a port. What has a path but no scheme is taken for an http URL.

    Raises:
        InvalidHost: it is neither.
    """
    if is_plain(text):
        return f"http://{text}/", True
    if "://" in text or text[:6].lower().startswith(_SCHEMES):
        return text, False
    if not set("/?#").isdisjoint(text):
        return f"http://{text}", False
    host, colon, port = text.rpartition(":")
    if (
        colon
        and (":" not in host or host[-1:] == "]")
        and port.isascii()
        and port.isdigit()
        and int(port[:6]) < 65536
    ):
        return f"http://{canonical(host)}:{port}/", True
    return f"http://{canonical(text)}/", True


_Text = tuple[str, str, InvalidHost | None]
"""A text to be answered, where it stood if that helps to find it, and what is wrong with it at sight."""


def texts(inputs: list[str], column: int | None = None) -> Iterator[_Text]:
    """Each text that a person gave, with `-` or an empty list for the lines of stdin.

    Raises:
        UsageError: there is nothing given and nothing piped.
    """
    if not inputs and sys.stdin.isatty():
        raise UsageError("a host or URL is required; see `--help`")
    for text in inputs or ["-"]:
        if text == "-":
            yield from _lines(column)
        else:
            yield text, "", None


def _lines(column: int | None) -> Iterator[_Text]:
    progress = Progress("lines")
    stream = sys.stdin.buffer
    number = 0
    while line := stream.readline(_LONGEST_LINE):
        number += 1
        if not number & 0xFFF:
            progress.at(number)
        text = line.decode("utf-8", "surrogateescape").strip()
        error = None
        if len(line) == _LONGEST_LINE and line[-1:] != b"\n":
            while (line := stream.readline(_LONGEST_LINE)) and line[-1:] != b"\n":
                pass
            text = text[:80]
            error = InvalidHost(text, f"a line is shorter than {_LONGEST_LINE} bytes")
        elif column is not None and text:
            fields = _fields(text)
            if column <= len(fields):
                text = fields[column - 1].strip()
            else:
                error = InvalidHost(text, f"a line has at least {column} fields")
        elif not text:
            continue
        yield text, f"line {number}", error
    progress.done()


def _fields(text: str) -> list[str]:
    delimiter = "\t" if "\t" in text else ","
    if '"' not in text:
        return text.split(delimiter)
    import csv

    try:
        return next(csv.reader([text], delimiter=delimiter))
    except csv.Error:
        return []


def _text_line(text: str, decision: Decision, bare: bool, colour: bool) -> str:
    if decision.upgraded:
        upgraded = paint("upgraded", GREEN, colour) + ("" if bare else f" to {decision.location}")
        return f"{shown(text)}  {upgraded}  {decision.message}\n"
    return f"{shown(text)}  not upgraded  {decision.message}\n"


def _json_line(text: str, decision: Decision, bare: bool, colour: bool) -> str:
    values = decision.as_dict()
    values["input"] = text
    if bare:
        values["location"] = None
    return _json(values)


def write_json(values: dict[str, object]) -> None:
    """Write one object on its line."""
    sys.stdout.write(_json(values))


def _json(values: dict[str, object]) -> str:
    import json

    return json.dumps(values) + "\n"
