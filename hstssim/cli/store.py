"""`hstssim store`: look after the entries in a state file of any format."""

from __future__ import annotations

import math
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from typing import TYPE_CHECKING

from hstssim.cli.options import (
    UsageError,
    add_profile,
    clock_of,
    command_parser,
    complain_of,
    default_store,
    make_default_store,
    profile,
)
from hstssim.cli.terminal import RED, coloured, complain, paint, shown
from hstssim.errors import HSTSSimError, StoreError
from hstssim.store import HSTSStore, Ignored, KnownHost, Noted
from hstssim.times import iso, span

if TYPE_CHECKING:
    from hstssim.formats.kept import KeptStore


def parser() -> ArgumentParser:
    """The command's arguments."""
    made = command_parser(
        "store",
        "Look after what is known: the store in the user's state folder, or --store FILE of any format.",
        """\
exit status: 0, 1 an entry was not there or a header was ignored, 2 bad input

examples:
  hstssim store note example.com 'max-age=31536000; includeSubDomains'
  hstssim store list --sort expiry
  hstssim store list --store ~/.config/chromium/Default/TransportSecurity --names hosts.txt
  hstssim store remove --store ~/.wget-hsts example.com""",
    )
    actions = made.add_subparsers(dest="action", required=True, metavar="list|note|add|remove|clear")

    def action(name: str, text: str) -> ArgumentParser:
        added = actions.add_parser(
            name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False
        )
        added.add_argument("--store", metavar="FILE", help="a state file of any format (the user's own store)")
        add_profile(added)
        added.add_argument("--at", metavar="TIME", help="as of then: ISO 8601, POSIX seconds, or +30d")
        return added

    def scoped(added: ArgumentParser) -> None:
        added.add_argument("--port", metavar="N", type=int, default=0, help="the port, for wget (the default one)")
        added.add_argument("--top-level-site", metavar="SITE", help="the site in the address bar, for firefox")

    listing = action("list", "show each entry with the time that remains; writes nothing")
    listing.add_argument("--sort", choices=("domain", "expiry", "observed"), default="domain", help="(domain)")
    listing.add_argument(
        "--names", metavar="FILE", action="append", default=[], help="hosts to try on hashed names, one a line"
    )
    listing.add_argument("--no-preload", action="store_true", help="do not try the names of the preload list")
    note = action("note", "heed Strict-Transport-Security field values as if the host had sent them over TLS")
    note.add_argument("host", metavar="HOST")
    note.add_argument("values", metavar="VALUE", nargs="+")
    scoped(note)
    add = action("add", "add entries by hand, as chrome://net-internals does")
    add.add_argument("hosts", metavar="HOST", nargs="+")
    add.add_argument("--include-subdomains", action="store_true")
    add.add_argument("--expiry", metavar="TIME", help="ISO 8601, POSIX seconds, +30d or never (+1000d)")
    scoped(add)
    remove = action("remove", "forget the entries of exactly these hosts")
    remove.add_argument("hosts", metavar="HOST", nargs="+")
    scoped(remove)
    clear = action("clear", "forget all entries, or those last observed within a time")
    clear.add_argument("--since", metavar="TIME", help="only those last observed then or later")
    clear.add_argument("--before", metavar="TIME", help="only those last observed before then")
    clear.add_argument("--expired", action="store_true", help="only those that have expired")
    return made


def run(arguments: Namespace) -> int:
    """Do one of the five."""
    path = arguments.store or default_store()
    assert path is not None
    if arguments.action == "list":
        return _list(arguments, path)
    from hstssim.formats.kept import open_store

    if not arguments.store:
        make_default_store()
    act = {"note": _note, "add": _add, "remove": _remove, "clear": _clear}[arguments.action]
    with open_store(path, profile=profile(arguments), clock=clock_of(arguments), watch=False) as store:
        complain_of(f"store {arguments.action}", store.complaints)
        complained = bool(store.complaints)
        status = act(arguments, store)
        told = {loss.what: loss for loss in store.losses if loss.matters}
        complain_of(f"store {arguments.action}", [f"{path}: {what}" for what in told])
    return 2 if complained else status


def _list(arguments: Namespace, path: str) -> int:
    store = HSTSStore(profile=profile(arguments), clock=clock_of(arguments))
    complaints = []
    if arguments.store or os.path.exists(path):
        from hstssim.formats import read_into

        complaints = read_into(store, path)
        complain_of("store list", complaints)
    if any(not known.domain for known in store):
        for name in candidates(arguments):
            store.get(name)
    entries = sorted(store, key=_ORDERS[arguments.sort])
    now = store.now()
    if arguments.json:
        import json

        for known in entries:
            print(json.dumps(as_dict(known, now)))
    elif entries:
        colour = coloured(sys.stdout)
        width = min(max(len(_name(known)) for known in entries), 60)
        for known in entries:
            print(_line(known, store, now, width, colour))
    elif not complaints:
        print(f"hstssim store list: {path} has no entries", file=sys.stderr)
    return 2 if complaints else 0


def as_dict(known: KnownHost, now: float) -> dict[str, object]:
    """An entry as `hstssim store list --json` writes it; `now` in POSIX seconds."""
    for_ever = known.expiry == math.inf
    return {
        "domain": known.domain or None,
        "include_subdomains": known.include_subdomains,
        "last_observed": iso(known.last_observed) if known.last_observed else None,
        "expiry": None if for_ever else iso(known.expiry),
        "remaining": None if for_ever else math.floor(known.expiry - now),
        "port": known.port or None,
        "top_level_site": known.top_level_site or None,
        "knock_out": known.knock_out,
        "name_hash": known.name_hash or None,
    }


_ORDERS = {
    "domain": lambda known: (not known.domain, known.domain.split(".")[::-1], known.key),
    "expiry": lambda known: (known.expiry, known.key),
    "observed": lambda known: (known.last_observed, known.key),
}


def _name(known: KnownHost) -> str:
    port = f":{known.port}" if known.port else ""
    return shown(f"{known.domain or f'(hash {known.name_hash})'}{port}")


def _line(known: KnownHost, store: HSTSStore, now: float, width: int, colour: bool) -> str:
    if known.knock_out:
        remains = "not in the preload list any more"
    elif known.expiry == math.inf:
        remains = "for ever"
    elif store.is_over(known):
        remains = f"{paint('expired', RED, colour)} {span(max(0.0, now - known.expiry))} ago"
    else:
        remains = f"{span(known.expiry - now)} left, until {iso(known.expiry)}"
    subdomains = "  includeSubDomains" if known.include_subdomains else ""
    pages = f"  in pages of {shown(known.top_level_site)}" if known.top_level_site else ""
    return f"{_name(known):{width}}  {remains}{subdomains}{pages}"


def candidates(arguments: Namespace) -> Iterable[str]:
    """Names to try on hashes: those of the files given, and those of the preload list."""
    for path in arguments.names:
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                yield from (name for line in file if (name := line.strip()) and name[0] != "#")
        except OSError as error:
            raise StoreError(path, "a file of hosts must be readable", error) from error
    if not arguments.no_preload:
        from hstssim.preload import PreloadList

        yield from (entry.domain for entry in PreloadList.bundled())


def _note(arguments: Namespace, store: KeptStore) -> int:
    outcome = store.note(
        arguments.host, arguments.values, port=arguments.port, top_level_site=arguments.top_level_site
    )
    if isinstance(outcome, Ignored):
        complain("store note", arguments.host, outcome.message)
        return 2 if outcome.code == "invalid-host" else 1
    if isinstance(outcome, Noted):
        _say(outcome.host, store, arguments)
    elif arguments.json:
        _json({"domain": outcome.domain, "removed": outcome.known})
    else:
        print(f"{outcome.domain}  {'forgotten' if outcome.known else 'was not known'}")
    return 0


def _add(arguments: Namespace, store: KeptStore) -> int:
    from hstssim.times import parse_instant

    expiry = None
    if arguments.expiry is not None:
        expiry = math.inf if arguments.expiry == "never" else parse_instant(arguments.expiry, store.now())
    status = 0
    for host in arguments.hosts:
        try:
            known = store.add(
                host,
                include_subdomains=arguments.include_subdomains,
                expiry=expiry,
                port=arguments.port,
                top_level_site=arguments.top_level_site,
            )
        except StoreError:
            raise
        except HSTSSimError as error:
            complain("store add", "", error)
            status = 2
        else:
            _say(known, store, arguments)
    return status


def _remove(arguments: Namespace, store: KeptStore) -> int:
    status = 0
    for host in arguments.hosts:
        known = store.remove(host, port=arguments.port, top_level_site=arguments.top_level_site)
        if arguments.json:
            _json({"domain": host, "removed": known})
        elif known:
            print(f"{shown(host)}  forgotten")
        else:
            complain("store remove", host, "there is no entry of exactly this host")
        status = status if known else 1
    return status


def _clear(arguments: Namespace, store: KeptStore) -> int:
    from hstssim.times import parse_instant

    bounds = {
        name: parse_instant(text, store.now())
        for name, text in (("start", arguments.since), ("end", arguments.before))
        if text is not None
    }
    if arguments.expired and bounds:
        raise UsageError("--expired goes without --since and --before")
    gone = store.expire() if arguments.expired else store.clear(**bounds)
    if arguments.json:
        _json({"removed": gone})
    else:
        print(f"{gone:,} {'entry' if gone == 1 else 'entries'} forgotten")
    return 0


def _say(known: KnownHost, store: HSTSStore, arguments: Namespace) -> None:
    if arguments.json:
        _json(as_dict(known, store.now()))
    else:
        print(_line(known, store, store.now(), 0, coloured(sys.stdout)))


def _json(values: dict[str, object]) -> None:
    import json

    print(json.dumps(values))
