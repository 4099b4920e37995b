"""`hstssim explain`: one decision step by step, and the 307 as Chrome's network panel shows it."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from hstssim.cli.options import add_knowledge, command_parser, interceptor
from hstssim.cli.terminal import BOLD, DIM, GREEN, coloured, paint, shown
from hstssim.interceptor import REASONS, Decision

_RESULTS = {"match": "match", "no-entry": "no entry", "expired": "expired, forgotten"}


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
    made.add_argument("url", metavar="URL", help="an absolute URL, or a host")
    made.add_argument("--origin", help="the request's Origin header, which the 307 answers")
    made.add_argument(
        "--subresource",
        action="store_true",
        help="the request of an image, a frame, a script: no top-level navigation",
    )
    add_knowledge(made)
    return made


def run(arguments: Namespace) -> int:
    """Explain one URL; see the parser's text for the exit status."""
    from hstssim.cli.query import typed

    hsts, bad = interceptor(arguments, "explain")
    url, _ = typed(arguments.url)
    decision = hsts.explain(url, arguments.origin, not arguments.subresource)
    if arguments.json:
        import json

        values = {**decision.as_dict(), "input": arguments.url}
        values.setdefault("steps", [])
        values.setdefault("redirect", None)
        print(json.dumps(values))
    else:
        print("\n".join(_lines(decision, coloured(sys.stdout))))
    return 2 if bad else 0 if decision else 1


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
        f"  Request URL: {shown(decision.url)}",
        f"  Status Code: {redirect.status} {redirect.reason}",
        paint("Response Headers", BOLD, colour)
        + paint("  (made up by the browser, sent by no server)", DIM, colour),
        f"  {redirect.status_line}",
        *(f"  {name}: {value}" for name, value in redirect.headers),
    ]
    return lines
