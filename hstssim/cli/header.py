"""`hstssim header`: read Strict-Transport-Security field values, with problems and their places."""

from __future__ import annotations

import re
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import NamedTuple

from hstssim.cli.options import UsageError, add_profile, command_parser, profile
from hstssim.cli.terminal import DIM, GREEN, RED, coloured, complain, paint, shown
from hstssim.errors import InvalidHeader
from hstssim.header import Directives, Problem
from hstssim.profile import Profile, parse_header
from hstssim.times import span

_FIELD = re.compile(r"strict-transport-security[ \t]*:(.*)", re.IGNORECASE | re.DOTALL)


_LONG = 400
_LATEST = 2**63 - 1
_ON_OVERFLOW = {"unlimited": "for ever", "wraps around": "which is too far off, so that the entry never counts"}
_ON_ZERO = {
    "forgets": "",
    "forgets or knocks out": ", and taken out of the preload list if it stands there",
    "forgets or stores": "; one that was not known is kept for the rest of the second",
}
_MOST_PROBLEMS = 20


class _Value(NamedTuple):
    text: str
    first: bool = True
    """False for a field after the first of its response, which most profiles do not read (RFC 6797 §8.1)."""


def parser() -> ArgumentParser:
    """The command's arguments."""
    made = command_parser(
        "header",
        "Read values of the Strict-Transport-Security field as a browser does: what they ask for, and what is\n"
        "wrong with them at which place.",
        """\
exit status: 0 all accepted, 1 some refused (or no such field in a response), 2 usage

examples:
  hstssim header 'max-age=31536000; includeSubDomains; preload'
  curl -sI https://example.com/ | hstssim header""",
    )
    made.add_argument(
        "values",
        metavar="VALUE",
        nargs="*",
        help="a field value or a whole line; `-`, or nothing in a pipe, reads stdin, which may be `curl -sI`'s",
    )
    add_profile(made)
    return made


def run(arguments: Namespace) -> int:
    """Read each value; see the parser's text for the exit status."""
    rules = profile(arguments)
    inputs = arguments.values
    if not inputs:
        if sys.stdin.isatty():
            raise UsageError("a field value is required; `hstssim header --help` says more")
        inputs = ["-"]
    refused = False
    colour = coloured(sys.stdout)
    for text in inputs:
        values = (
            list(_in_text(sys.stdin.buffer.read().decode("utf-8", "replace")))
            if text == "-"
            else [_Value(bare(text))]
        )
        if not values:
            complain("header", "", "no Strict-Transport-Security field and no value stands in the input")
            refused = True
        for value in values:
            try:
                directives: Directives | None = parse_header(value.text, profile=rules)
                problems = directives.problems if directives else ()
            except InvalidHeader as error:
                directives, problems = None, error.problems
                refused = True
            if arguments.json:
                print(_json(value, rules, directives, problems))
            else:
                print("\n".join(_report(value, rules, directives, problems, colour)))
    return 1 if refused else 0


def bare(text: str) -> str:
    """The field value in a text, which may be the whole line."""
    field = _FIELD.fullmatch(text.strip())
    return field[1].strip(" \t") if field else text


def _in_text(text: str) -> Iterator[_Value]:
    """The values in a text: of responses their fields, else one a line."""
    lines = [line.rstrip("\r") for line in text.split("\n")]
    responses = any(_FIELD.fullmatch(line) or line.startswith("HTTP/") for line in lines)
    if not responses:
        yield from (_Value(line) for line in lines if line.strip())
        return
    fields: list[str] = []
    for line in lines:
        if line[:1] in (" ", "\t") and fields:
            fields[-1] += f" {line.strip()}"  # a folded line (RFC 9112 §5.2)
        else:
            fields.append(line)
    in_response = seen = False
    for line in fields:
        if line.startswith("HTTP/"):
            in_response, seen = True, False
        elif _FIELD.fullmatch(line):
            yield _Value(bare(line), first=not (in_response and seen))
            seen = True


def _heeded(value: _Value, rules: Profile) -> bool:
    return value.first or rules.fields == "every"


def _report(
    value: _Value,
    rules: Profile,
    directives: Directives | None,
    problems: tuple[Problem, ...],
    colour: bool,
) -> Iterator[str]:
    yield shown(
        value.text if len(value.text) <= _LONG else f"{value.text[:_LONG]}… ({len(value.text)} characters)"
    )
    for problem in problems[:_MOST_PROBLEMS]:
        before = shown(value.text[: problem.offset]) if problem.offset <= _LONG else ""
        place = f"{' ' * len(before)}^" if before or not problem.offset else f"at {problem.offset}:"
        source = problem.rule[problem.rule.rindex("(") :]
        code = paint(problem.code, RED if problem.refuses else DIM, colour)
        yield f"{place} {code}: {shown(problem.message)} {source}"
    if len(problems) > _MOST_PROBLEMS:
        yield f"  and {len(problems) - _MOST_PROBLEMS} more problems"
    if directives is None:
        yield f"  {paint('refused', RED, colour)}: nothing changes"
    elif not _heeded(value, rules):
        yield "  not heeded: of several fields in a response only the first counts (RFC 6797 §8.1)"
    else:
        accepted = paint("accepted", GREEN, colour)
        last = "" if value.first else "; of several fields in a response the last accepted one counts"
        if directives.max_age == 0:
            yield f"  {accepted}: the host is forgotten{_ON_ZERO[rules.max_age_zero]}{last}"
        else:
            subdomains = " and its subdomains" if directives.include_subdomains else ""
            seconds = directives.max_age
            text = f"{seconds} second{'' if seconds == 1 else 's'}"
            days = "" if seconds < 60 else f" ({span(seconds)})"
            if rules.max_age_overflow != "none" and time.time() + seconds > _LATEST:
                days = f" ({_ON_OVERFLOW[rules.max_age_overflow]})"
            yield f"  {accepted}: the host{subdomains} for {text}{days}{last}"


def _json(value: _Value, rules: Profile, directives: Directives | None, problems: tuple[Problem, ...]) -> str:
    import json

    return json.dumps(
        {
            "value": value.text,
            "profile": rules.name,
            "accepted": directives is not None,
            "max_age": directives.max_age if directives else None,
            "max_age_sent": directives.max_age_sent if directives else None,
            "include_subdomains": directives.include_subdomains if directives else None,
            "preload": directives.preload if directives else None,
            "effect": directives.effect if directives and _heeded(value, rules) else "ignore",
            "problems": [
                {"code": problem.code, "offset": problem.offset, "message": problem.message}
                for problem in problems
            ],
        }
    )
