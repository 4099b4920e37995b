"""`hstssim explain`: one decision step by step, and the 307 as Chrome's network panel shows it."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from hstssim.cli.options import add_knowledge, command_parser, interceptor
from hstssim.cli.query import texts, typed, write_json
from hstssim.cli.terminal import BOLD, DIM, GREEN, coloured, complain, paint, shown
from hstssim.errors import HSTSSimError
from hstssim.interceptor import REASONS, Decision
from hstssim.url import as_shown

_RESULTS = {"match": "match", "no-entry": "no entry", "expired": "expired"}


def parser() -> ArgumentParser:
    """The command's arguments."""
    made = command_parser(
        "explain",
        "Show step by step why a browser would upgrade a URL or not, and the internal 307 that shows it.",
        """\
exit status: 0 upgraded, 1 not upgraded, 2 bad input

example:
  hstssim explain http://www.github.com/""",
    )
    made.add_argument(
        "urls", metavar="URL", nargs="*", help="an absolute URL, or a host; `-`, or nothing in a pipe, reads stdin"
    )
    made.add_argument("--origin", help="the request's Origin header, which the 307 answers")
    made.add_argument("--subresource", action="store_true", help="of an image, a frame, a script: no navigation")
    made.add_argument(
        "--top-level-only", action="store_true", help="with Chromium's feature HstsTopLevelNavigationsOnly"
    )
    add_knowledge(made)
    return made


def run(arguments: Namespace) -> int:
    """Explain each URL; see the parser's text for the exit status."""
    hsts, bad = interceptor(arguments, "explain")
    if arguments.top_level_only:
        hsts.store.profile = hsts.store.profile.replace(top_level_navigations_only=True)
    some = False
    for text, place, error in texts(arguments.urls):
        try:
            if error is not None:
                raise error
            decision = hsts.explain(
                typed(text)[0], arguments.origin, not arguments.subresource, arguments.top_level_site
            )
            if arguments.json:
                write_json(_values(text, decision))
            else:
                print("\n".join(_lines(decision, coloured(sys.stdout))))
            some = some or decision.upgraded
        except HSTSSimError as wrong:
            bad = True
            if arguments.json:
                write_json({"input": text, "error": str(wrong)})
            complain("explain", place, wrong)
    return 2 if bad else 0 if some else 1


def _values(text: str, decision: Decision) -> dict[str, object]:
    redirect = decision.redirect
    return {
        **decision.as_dict(),
        "input": text,
        "steps": [step._asdict() for step in decision.steps],
        "redirect": None if redirect is None else redirect.as_dict(),
    }


def _lines(decision: Decision, colour: bool) -> list[str]:
    lines = [shown(decision.url)]
    if decision.host not in decision.url:
        lines.append(f"  the host is {decision.host}")
    lines.append("")
    width = max((len(step.domain) for step in decision.steps), default=0)
    for number, step in enumerate(decision.steps, 1):
        result = _RESULTS.get(step.result) or REASONS[step.result]
        if step.result == "match":
            found = decision.dynamic if step.source == "dynamic" else decision.preload
            if found is not None:
                result = f"{found.match} match{', includeSubDomains' if found.include_subdomains else ''}"
            result = paint(result, GREEN, colour)
        lines.append(f"  {number:2}  {step.source:7}  {step.domain:{width}}  {result}")
    if decision.steps:
        lines.append("")
    lines.append(f"{paint('upgraded' if decision else 'not upgraded', BOLD, colour)}: {decision.message}")
    redirect = decision.redirect
    if redirect is None:
        if decision.location is not None:
            lines.append(f"the URL is replaced silently by {decision.location}")
        return lines
    lines += [
        "",
        paint("General", BOLD, colour),
        f"  Request URL: {as_shown(decision.url)}",
        f"  Status Code: {redirect.status} {redirect.reason}",
        paint("Response Headers", BOLD, colour)
        + paint("  (made up by the browser, sent by no server)", DIM, colour),
        f"  {redirect.status_line}",
        *(f"  {name}: {value}" for name, value in redirect.headers),
    ]
    return lines
