"""`hstssim trace`: follow a chain of redirects as a browser does, internal redirects and all."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from contextlib import AbstractContextManager

from hstssim.cli.options import UsageError, add_knowledge, command_parser, interceptor
from hstssim.cli.query import texts, typed, write_json
from hstssim.cli.terminal import BOLD, DIM, GREEN, RED, coloured, complain, paint, shown
from hstssim.errors import HSTSSimError


def parser() -> ArgumentParser:
    """The command's arguments."""
    made = command_parser(
        "trace",
        "Follow a URL from redirect to redirect as a browser does. An internal 307 is the browser's own, which\n"
        "no server sent; what travels in the clear is marked. What is learned on the way is forgotten at the\n"
        "end, but for --learn.",
        """\
exit status: 0 every chain ends with a response, 1 some with a net error, 2 bad input

examples:
  hstssim trace http://github.com/
  hstssim trace --twice --explain http://example.com/
  hstssim trace -X POST -d 'a=b' --har post.har http://example.com/form""",
    )
    made.add_argument(
        "urls", metavar="URL", nargs="*", help="a URL, or a host; `-`, or nothing in a pipe, reads stdin"
    )
    made.add_argument("-X", "--request", metavar="METHOD", help="the method (GET, or POST with -d)")
    made.add_argument("-d", "--data", metavar="TEXT", help="the body; `@FILE` reads it from there")
    made.add_argument(
        "-H", "--header", metavar="FIELD", action="append", default=[], help="a field, 'Name: value'; repeatable"
    )
    made.add_argument("--initiator", metavar="URL", help="the page whose link or form it is (none: typed)")
    made.add_argument("--twice", action="store_true", help="visit twice, and show both side by side")
    made.add_argument("--explain", action="store_true", help="a sentence for each hop")
    made.add_argument(
        "--learn", action="store_true", help="keep what is learned in --store (or that of `hstssim store`)"
    )
    made.add_argument("--har", metavar="FILE", help="write an HTTP Archive for a browser's network panel")
    made.add_argument(
        "--insecure", action="store_true", help="go on past certificate errors, and learn nothing then"
    )
    made.add_argument("--no-https-upgrades", action="store_true", help="without Chrome's HTTPS-Upgrades")
    made.add_argument("--cacert", metavar="FILE", help="trust these authorities, alone (PEM)")
    made.add_argument("--proxy", metavar="URL", help="an http proxy (http_proxy, https_proxy, no_proxy)")
    made.add_argument("--timeout", metavar="SECONDS", type=float, default=30.0, help="for each request (30)")
    add_knowledge(made)
    return made


def run(arguments: Namespace) -> int:
    """Trace each URL; see the parser's text for the exit status."""
    from hstssim.navigation import Browser
    from hstssim.network import LiveNetwork

    headers = [_field(text) for text in arguments.header]
    body = _body(arguments.data)
    method = arguments.request or ("GET" if body is None else "POST")
    hsts, bad = interceptor(arguments, "trace", learn=arguments.learn)
    store = hsts.store
    if arguments.no_https_upgrades:
        store.profile = store.profile.replace(https_upgrades=False)
    failed = False
    navigations = []
    network = LiveNetwork(ca_file=arguments.cacert, proxy=arguments.proxy, timeout=arguments.timeout)
    with network:
        browser = Browser(store.profile, store, network, ignore_certificate_errors=arguments.insecure)
        for text, place, error in texts(arguments.urls):
            try:
                if error is not None:
                    raise error
                url = typed(text)[0]
                visits = [
                    browser.navigate(url, method, body, headers, arguments.initiator)
                    for _ in range(2 if arguments.twice else 1)
                ]
                navigations += visits
                failed = failed or any(visit.error is not None for visit in visits)
                _show(text, visits, arguments, heading=bool(place) or len(arguments.urls) > 1)
            except HSTSSimError as wrong:
                bad = True
                if arguments.json:
                    write_json({"input": text, "error": str(wrong)})
                sys.stdout.flush()
                complain("trace", place, wrong)
    if isinstance(store, AbstractContextManager):  # it is kept in a file
        store.__exit__(None, None, None)
    if arguments.har and navigations:
        _write_har(arguments.har, navigations)
    return 2 if bad else 1 if failed else 0


def _show(text: str, visits: list, arguments: Namespace, *, heading: bool) -> None:  # type: ignore[type-arg]
    from hstssim.traces import beside, explained, lessons, lines

    if arguments.json:
        for number, visit in enumerate(visits, 1):
            write_json({"input": text, "visit": number, **visit.as_dict()})
        return
    colour = coloured(sys.stdout)
    if len(visits) == 1:
        said = list(explained(visits[0]) if arguments.explain else lines(visits[0]))
    elif arguments.explain:
        said = ["first visit", *explained(visits[0]), "", "second visit", *explained(visits[1])]
    else:
        said = [*beside(visits[0], visits[1], _columns()), *lessons(visits[0])]
    if heading:
        print(paint(shown(text), BOLD, colour))
    for line in said:
        print(_painted(shown(line), colour))


def _painted(line: str, colour: bool) -> str:
    if not colour:
        return line
    line = line.replace("PLAINTEXT", paint("PLAINTEXT", RED, True))
    line = line.replace("not sent by the server", paint("not sent by the server", DIM, True))
    if line.lstrip().startswith("ERR_"):
        return paint(line, RED, True)
    return paint(line, GREEN, True) if line.lstrip().startswith("learned: ") else line


def _columns() -> int | None:
    if not sys.stdout.isatty():
        return None
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except OSError:
        return 80


def _field(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise UsageError(f"--header takes 'Name: value'; seen {text!r}")
    return name.strip(), value.strip()


def _body(text: str | None) -> bytes | None:
    if text is None or text[:1] != "@":
        return None if text is None else text.encode("utf-8", "surrogateescape")
    try:
        with open(text[1:], "rb") as file:
            return file.read()
    except OSError as error:
        raise UsageError(
            f"--data @FILE names a file that can be read ({error.strerror}); seen {text[1:]!r}"
        ) from None


def _write_har(path: str, navigations: list) -> None:  # type: ignore[type-arg]
    import json

    from hstssim.traces import har

    try:
        with open(path, "w", encoding="utf-8") as file:
            json.dump(har(*navigations), file, indent=1)
    except OSError as error:
        raise UsageError(f"--har names a file that can be written ({error.strerror}); seen {path!r}") from None
