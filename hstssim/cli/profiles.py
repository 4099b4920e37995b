"""`hstssim profiles`: the profiles and their sources; `profiles diff`: where they disagree."""

from __future__ import annotations

import os
import re
import sys
from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from itertools import chain, islice
from typing import NamedTuple

from hstssim.cli.header import bare
from hstssim.cli.options import UsageError, command_parser
from hstssim.cli.terminal import BOLD, DIM, GREEN, RED, Progress, coloured, complain, paint, shown
from hstssim.difference import TELLING_HEADERS, TELLING_HOSTS, Comparison, diff
from hstssim.errors import InvalidHost
from hstssim.profile import PROFILES, Profile

_HOST = "example.com"
_HEADER = "max-age=31536000; includeSubDomains"
_LONGEST_LINE = 256 * 1024  # Chromium's limit for a response's head (http_stream_parser.h, kMaxHeaderBufSize)
_LONG = 400
_LONG_IN_A_TABLE = 60
_ROWS_AT_A_TIME = 500  # whose column widths are found together
_NO_UPGRADE = "no upgrade"
_LINE_END = re.compile(r"\r?\n(?![ \t])")  # but not of a folded line (RFC 9112 §5.2)

_Header = str | tuple[str, ...]
_Host = str | tuple[str, str]
_Fact = tuple[object, str]


def parser() -> ArgumentParser:
    """The command's arguments."""
    made = command_parser(
        "profiles",
        "Show the profiles: each fact by which they differ or might, and where it is from.\n"
        "`hstssim profiles diff` says where they disagree about headers and hosts.",
        """\
On a terminal too narrow for the table each fact stands above its values.

--json: one object a profile, {"name", "title", "fields": {FIELD: {"value", "source"}}}

exit status: 0, 2 usage

examples:
  hstssim profiles
  hstssim profiles --sources --profile firefox
  hstssim profiles diff --only-differences""",
    )
    _add_common(made)
    made.add_argument("--sources", action="store_true", help="what each fact means, and where each value is from")
    actions = made.add_subparsers(
        dest="action", metavar="diff", help="where they disagree; `hstssim profiles diff --help` says more"
    )
    compare = actions.add_parser(
        "diff",
        description="Compare what the profiles make of headers. Each is heard over https from a host\n"
        "that was not known, and then http is asked of that host. Without HEADER, --file\n"
        "and --host: headers and hosts that bring out the known differences.",
        epilog="""\
outcomes:
  1 day +sub  remembered so long, its subdomains too
  no upgrade  remembered, but not for what is asked
  delete      forgotten
  0 seconds   stored where it should be forgotten: upgraded until its second is over
  ignore      nothing changes; `hstssim header --profile NAME HEADER` says why

--json: one object a comparison, {"headers": [fields of the response], "host",
  "asked", "differs", "outcomes": {PROFILE: {"effect": "set", "delete" or "ignore",
  "code", "max_age", "include_subdomains", "location"}}}
  code says why it is ignored, which alone makes no difference; location is what
  http://ASKED/ becomes, or null

exit status: 0 all alike, 1 some different, 2 some input was bad (the rest is
  compared all the same)

examples:
  hstssim profiles diff --only-differences
  hstssim profiles diff 'max-age=1abc; includeSubDomainsFoo'
  hstssim profiles diff --profile chrome --profile curl --json --file headers.txt
  hstssim profiles diff --host localhost --host example.com,example.com:80""",
        formatter_class=made.formatter_class,
        allow_abbrev=False,
    )
    compare.add_argument(
        "headers",
        metavar="HEADER",
        nargs="*",
        help="a field value or a whole line; several lines in one are the fields of one response; `-` reads stdin",
    )
    compare.add_argument(
        "--file", metavar="FILE", action="append", help="a header a line; `-` is stdin; may repeat"
    )
    compare.add_argument(
        "--host",
        metavar="HOST[,ASKED]",
        action="append",
        help=f"where it is heard, and what is asked then, each with a port or not; may repeat ({_HOST}); without "
        f"HEADER it says {_HEADER}",
    )
    compare.add_argument("--only-differences", action="store_true", help="leave out what all treat alike")
    _add_common(compare, default=SUPPRESS)  # so that what stands before `diff` is kept
    return made


def _add_common(parser: ArgumentParser, default: str | None = None) -> None:
    parser.add_argument(
        "--profile",
        metavar="NAME",
        action="append",
        default=default,
        help=f"only this one; may repeat: {', '.join(PROFILES)}",
    )
    parser.add_argument(
        "--json", action="store_true", default=default or False, help="one JSON object a line (JSON Lines)"
    )


def run(arguments: Namespace) -> int:
    """Show the profiles or compare them; see the parsers' texts for the exit statuses."""
    for name in arguments.profile or ():
        if name not in PROFILES:
            raise UsageError(f"--profile is one of {', '.join(PROFILES)}; seen {name!r}")
    profiles = [PROFILES[name] for name in dict.fromkeys(arguments.profile or PROFILES)]
    if arguments.action == "diff":
        return _Diff(arguments, profiles).run()
    if arguments.json:
        _show_json(profiles)
    else:
        _show(profiles, arguments.sources)
    return 0


# The profiles.


def _show_json(profiles: list[Profile]) -> None:
    import json

    for profile in profiles:
        facts = profile.facts().items()
        fields = {field: {"value": _plain(value), "source": source} for field, (value, source) in facts}
        print(json.dumps({"name": profile.name, "title": profile.title, "fields": fields}))


def _show(profiles: list[Profile], sources: bool) -> None:
    colour = coloured(sys.stdout)
    facts = {profile.name: profile.facts() for profile in profiles}
    fields = list(profiles[0].facts())
    width = max(map(len, facts))
    for profile in profiles:
        print(f"{paint(f'{profile.name:{width}}', BOLD, colour)}  {profile.title}")
    if sources:
        meanings = _meanings()
        for field in fields:
            values = {name: own[field] for name, own in facts.items()}
            print("\n".join(_with_sources(field, meanings.get(field, ""), values, colour)))
    else:
        print()
        _write("", list(facts), (_fact_row(field, facts) for field in fields), colour)


def _plain(value: object) -> object:
    """A fact as JSON has it: a grammar by its name, a set as a list."""
    if callable(value):
        return str(getattr(value, "__name__", value))
    return sorted(value) if isinstance(value, frozenset) else value


def _short(value: object) -> str:
    """A fact in a few words."""
    match _plain(value):
        case bool(flag):
            return "yes" if flag else "no"
        case int(number):
            return f"{number:,}" if number < 2**63 - 1 else "2^63-1"
        case list(names):
            return ", ".join(names) or "none"
        case text:
            return str(text)


def _fact_row(field: str, facts: Mapping[str, Mapping[str, _Fact]]) -> _Row:
    texts = {name: _short(own[field][0]) for name, own in facts.items()}
    return _Row(field, texts, len(set(texts.values())) > 1)


def _with_sources(field: str, meaning: str, facts: Mapping[str, _Fact], colour: bool) -> Iterator[str]:
    """What a fact means, then each of its values with the profiles that have it and their sources."""
    yield ""
    yield paint(field, BOLD, colour)
    if meaning:
        yield from _wrapped("  ", meaning, "  ")
    values: dict[str, dict[str, list[str]]] = {}
    for name, (value, source) in facts.items():
        values.setdefault(_short(value), {}).setdefault(source, []).append(name)
    for text, sources in values.items():
        yield f"  {paint(text, GREEN, colour)}"
        for source, names in sources.items():
            yield from _wrapped("    ", f"{', '.join(names)}: {source}", "      ")


def _meanings() -> dict[str, str]:
    """What each fact means: the text below it in the source of `Profile`, where that can be read."""
    import ast
    import inspect

    try:
        tree = ast.parse(inspect.getsource(Profile))
    except OSError:
        return {}
    meanings = {}
    for made in tree.body:
        assert isinstance(made, ast.ClassDef)
        for node, below in zip(made.body, made.body[1:], strict=False):
            match node, below:
                case ast.AnnAssign(target=ast.Name(id=field)), ast.Expr(value=ast.Constant(value=str(text))):
                    meanings[field] = " ".join(text.split())
    return meanings


# The comparison.


class _Section(NamedTuple):
    """Comparisons that stand in one table."""

    title: str
    headers: Iterable[_Header]
    hosts: list[_Host]
    by_host: bool
    """Whether its rows are hosts, and one header is common to them."""


class _Diff:
    """One run of `profiles diff`."""

    def __init__(self, arguments: Namespace, profiles: list[Profile]) -> None:
        self._given = arguments
        self._profiles = profiles
        self._bad = False
        self._different = False

    def run(self) -> int:
        colour = coloured(sys.stdout)
        names = [profile.name for profile in self._profiles]
        before = ""
        for section in self._sections():
            comparisons = self._compared(section)
            if self._given.json:
                for comparison in comparisons:
                    print(_json(comparison))
                continue
            rows = (_row(comparison, section) for comparison in comparisons)
            first = next(rows, None)
            if first is None:
                continue
            if section.title:
                print(f"{before}{paint(section.title, BOLD, colour)}")
            _write("host" if section.by_host else "header", names, chain([first], rows), colour)
            before = "\n"
        return 2 if self._bad else 1 if self._different else 0

    def _compared(self, section: _Section) -> Iterator[Comparison]:
        for header in section.headers:
            for comparison in diff(self._profiles, [header], section.hosts):
                self._different = self._different or comparison.differs
                if comparison.differs or not self._given.only_differences:
                    yield comparison

    def _sections(self) -> Iterator[_Section]:
        given = self._given
        named = given.headers or given.file
        if not named and not given.host:
            yield _Section("", TELLING_HEADERS, [_HOST], False)
        hosts = self._hosts() if named or given.host else list(TELLING_HOSTS)
        if not hosts:
            return
        if not named:
            yield _by_host(_HEADER, hosts)
        elif len(hosts) > 1 and not given.file and len(given.headers) == 1 and given.headers != ["-"]:
            for header in self._headers():
                yield _by_host(header, hosts)
        else:
            title = _pair(*_both(hosts[0])) if len(hosts) == 1 and hosts != [_HOST] else ""
            yield _Section(title, self._headers(), hosts, False)

    def _hosts(self) -> list[_Host]:
        hosts: list[_Host] = []
        for text in self._given.host or [_HOST]:
            heard, comma, asked = text.partition(",")
            host: _Host = (heard, asked) if comma else heard
            try:
                diff([], [], [host])
            except InvalidHost as error:
                self._complain("--host", error)
            else:
                hosts.append(host)
        return hosts

    def _headers(self) -> Iterator[_Header]:
        for text in self._given.headers:
            if text == "-":
                yield from self._in_file("-")
            else:
                yield tuple(map(bare, _LINE_END.split(text)))
        for path in self._given.file or ():
            yield from self._in_file(path)

    def _in_file(self, path: str) -> Iterator[str]:
        """The headers in a file, or on stdin for `-`; blank lines are none."""
        place = "stdin" if path == "-" else path
        progress = Progress("headers")
        number = 0
        try:
            with nullcontext(sys.stdin.buffer) if path == "-" else open(path, "rb") as stream:
                while line := stream.readline(_LONGEST_LINE):
                    number += 1
                    progress.at(number)
                    if len(line) == _LONGEST_LINE and line[-1:] != b"\n":
                        while (line := stream.readline(_LONGEST_LINE)) and line[-1:] != b"\n":
                            pass
                        self._complain(f"{place}:{number}", f"a line is shorter than {_LONGEST_LINE} bytes")
                    elif text := line.decode("utf-8", "surrogateescape").strip(" \t\r\n"):
                        yield bare(text)
        except (OSError, ValueError) as error:  # of the file: what goes wrong with the output is not raised here
            self._complain(place, getattr(error, "strerror", None) or error)
        progress.done()

    def _complain(self, about: str, error: object) -> None:
        self._bad = True
        sys.stdout.flush()
        complain("profiles diff", about, error)


def _by_host(header: _Header, hosts: list[_Host]) -> _Section:
    return _Section(f"{_one_line(header)}, by host", [header], hosts, True)


def _one_line(header: _Header) -> str:
    fields = [header] if isinstance(header, str) else header
    text = shown(" ⏎ ".join(fields)) or "(empty)"
    return text if len(text) <= _LONG else f"{text[:_LONG]}… ({len(text)} characters)"


def _both(host: _Host) -> tuple[str, str]:
    return (host, host) if isinstance(host, str) else host


def _pair(heard: str, asked: str) -> str:
    return shown(heard if heard == asked else f"{heard} → {asked}")


def _row(comparison: Comparison, section: _Section) -> _Row:
    """A comparison's label and outcomes in words, with URLs where one is not just the https of what was asked."""
    label = _one_line(comparison.fields)
    pair = _pair(comparison.host, comparison.asked)
    if section.by_host:
        label = pair
    elif len(section.hosts) > 1:
        label = f"{label}  {pair}"
    outcomes = comparison.outcomes
    lasting = {(one.max_age, one.include_subdomains) for one in outcomes.values() if one.effect == "set"}
    expected = all(one.location in (None, f"https://{comparison.asked}/") for one in outcomes.values())
    texts = {}
    for name, outcome in outcomes.items():
        text = texts[name] = str(outcome)
        url = "upgraded" if expected else outcome.location
        if outcome.effect == "set" and section.by_host and len(lasting) == 1:
            texts[name] = _NO_UPGRADE if outcome.location is None else str(url)
        elif outcome.location is not None and not expected:
            texts[name] = f"{text}, {url}"
    return _Row(label, texts, comparison.differs)


def _json(comparison: Comparison) -> str:
    import json

    return json.dumps(
        {
            "headers": comparison.fields,
            "host": comparison.host,
            "asked": comparison.asked,
            "differs": comparison.differs,
            "outcomes": {name: outcome._asdict() for name, outcome in comparison.outcomes.items()},
        }
    )


# Tables.


class _Row(NamedTuple):
    """What the profiles say to one thing."""

    label: str
    texts: Mapping[str, str]
    """By the name of the profile."""
    differs: bool


def _write(corner: str, names: list[str], rows: Iterable[_Row], colour: bool) -> None:
    """Print rows as a table with a column for each profile, or stacked where a terminal is too narrow."""
    columns = _columns()
    stacked = False
    left = iter(rows)
    while block := list(islice(left, _ROWS_AT_A_TIME)):
        first = max(len(row.label) for row in block)
        first = max(len(corner), min(first, _LONG_IN_A_TABLE))
        widths = {name: max(len(name), *(len(row.texts[name]) for row in block)) for name in names}
        stacked = stacked or (columns is not None and first + sum(widths.values()) + 2 * len(widths) > columns)
        lines: Iterable[str]
        if stacked:
            lines = chain.from_iterable(_stacked(row, colour) for row in block)
        else:
            lines = _table(corner, first, widths, block, colour)
        print("\n".join(lines))


def _table(corner: str, first: int, widths: Mapping[str, int], rows: list[_Row], colour: bool) -> Iterator[str]:
    head = "  ".join([f"{corner:{first}}", *(f"{name:{width}}" for name, width in widths.items())])
    yield paint(head.rstrip(), BOLD, colour)
    for row in rows:
        cells = [_cell(row.texts[name], row.differs, colour, width) for name, width in widths.items()]
        yield "  ".join([f"{row.label:{first}}", *cells]).rstrip()


def _stacked(row: _Row, colour: bool) -> Iterator[str]:
    yield paint(row.label, BOLD, colour)
    names: dict[str, list[str]] = {}
    for name, text in row.texts.items():
        names.setdefault(text, []).append(name)
    width = max(map(len, names))
    for text, having in names.items():
        who = ", ".join(having) if row.differs else "all" if len(having) > 1 else having[0]
        yield from _wrapped(f"  {_cell(text, row.differs, colour, width)}  ", who, " " * (width + 4), width + 4)


def _cell(text: str, differs: bool, colour: bool, width: int) -> str:
    """A text in its column; what all say alike is dim."""
    padding = " " * (width - len(text))
    if not differs:
        return paint(text, DIM, colour) + padding
    ineffective = text == "ignore" or text.endswith(_NO_UPGRADE)
    return (paint(text, RED, colour) if ineffective else text) + padding


def _wrapped(before: str, text: str, indent: str, used: int | None = None) -> Iterator[str]:
    """`text` after `before`, which takes `used` columns; on a terminal broken between words, with an indent."""
    columns = _columns()
    line = before
    used = len(before) if used is None else used
    fresh = True
    for word in text.split(" "):
        if columns is not None and not fresh and used + 1 + len(word) > columns:
            yield line
            line, used, fresh = indent, len(indent), True
        line, used, fresh = f"{line}{'' if fresh else ' '}{word}", used + len(word) + (not fresh), False
    yield line


def _columns() -> int | None:
    """How wide the terminal is; None where the output goes elsewhere, and lines may be of any length."""
    if not sys.stdout.isatty():
        return None
    asked = os.environ.get("COLUMNS", "")
    if asked.isascii() and asked.isdigit() and int(asked[:6]):
        return int(asked[:6])
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (OSError, ValueError):
        return 80
