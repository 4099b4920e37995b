"""The options that commands share, and the interceptor that they ask for."""

from __future__ import annotations

import os
import sys
import time
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from hstssim.cli.terminal import complain
from hstssim.errors import FormatError, HSTSSimError, StoreError
from hstssim.interceptor import Interceptor
from hstssim.preload import PreloadList
from hstssim.profile import PROFILES, Profile
from hstssim.store import HSTSStore, KnownHost

_STORE = "hsts.sqlite"
_MOST_COMPLAINTS = 20


class UsageError(HSTSSimError):
    """An option that means nothing."""


class _Parser(ArgumentParser):
    takes_command = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; what stands after the first `--` is the command's, also what looks like an option of ours."""
        if not self.takes_command:
            return super().parse_known_args(args, namespace)
        words = list(sys.argv[1:] if args is None else args)
        place = words.index("--") if "--" in words else len(words)
        parsed, rest = super().parse_known_args(words[:place], namespace)
        if rest or parsed.command:
            word = [*rest, *parsed.command][0]
            option = f"there is no option {word.partition('=')[0]}, and " if word.startswith("--") else ""
            self.error(f"{option}a command and its arguments stand after `--`; seen {word!r}")
        parsed.command = words[place + 1 :]
        return parsed, rest

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line, and end."""
        raise UsageError(f"{message} (see `{self.prog} --help`)")


class _ReadOnlyStore(HSTSStore):
    """A store that forgets nothing when it is asked, so that no answer depends on an earlier one."""

    def _let_go(self, known: KnownHost) -> None:
        pass


def command_parser(command: str, description: str, epilog: str, takes_command: bool = False) -> ArgumentParser:
    """A parser for one command, with an epilog that keeps its lines.

    With `takes_command` the words after `--` are those of its argument `command`.
    """
    parser = _Parser(
        prog=f"hstssim {command}",
        description=description,
        epilog=epilog,
        formatter_class=lambda prog: RawDescriptionHelpFormatter(prog, width=_width()),
        allow_abbrev=False,
    )
    parser.takes_command = takes_command
    return parser


def _width() -> int:
    # Left to itself argparse imports shutil to find this out: 2 ms for each start of the program.
    try:
        return os.get_terminal_size().columns - 2
    except OSError:
        return 78


def add_profile(parser: ArgumentParser) -> None:
    """Add `--profile` and `--json`."""
    parser.add_argument(
        "--profile", metavar="NAME", default="chrome", help=f"whose rules: {', '.join(PROFILES)} (chrome)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line (JSON Lines)")


def add_knowledge(parser: ArgumentParser) -> None:
    """Add the options that say what is known of hosts, and when it is."""
    add_profile(parser)
    parser.add_argument(
        "--store",
        metavar="FILE",
        help="what is known: a state file of hstssim, Chromium, Firefox, curl, wget, wget2 or libsoup "
        "(that of `hstssim store`, if there is one)",
    )
    parser.add_argument("--no-store", action="store_true", help="nothing but the preload list is known")
    parser.add_argument(
        "--top-level-site", metavar="SITE", help="the site in the address bar, for firefox (the host's own)"
    )
    parser.add_argument("--no-preload", action="store_true", help="without the preload list")
    parser.add_argument("--preload", metavar="FILE", help="another preload list (hstssim preload build)")
    parser.add_argument(
        "--stale-after", metavar="DAYS", type=int, help="ignore a list that old, as Chrome does after 70 (never)"
    )
    parser.add_argument(
        "--at", metavar="TIME", help="as of then: ISO 8601, POSIX seconds, or from now on: +30d, --at=-30d"
    )


def profile(arguments: Namespace) -> Profile:
    """The profile that was asked for.

    Raises:
        UsageError: there is none of this name; it lists them.
    """
    found = PROFILES.get(arguments.profile)
    if found is None:
        raise UsageError(f"--profile is one of {', '.join(PROFILES)}; seen {arguments.profile!r}")
    return found


def clock_of(arguments: Namespace) -> Callable[[], float] | None:
    """The clock that `--at` stops; None for the machine's.

    Raises:
        InvalidTime: it is no time.
    """
    if arguments.at is None:
        return None
    from hstssim.times import parse_instant

    instant = parse_instant(arguments.at, time.time())
    return lambda: instant


def interceptor(arguments: Namespace, command: str, learn: bool = False) -> tuple[Interceptor, bool]:
    """The interceptor that the options describe, and whether something about them was bad and said so.

    With `learn` its store is kept in its file; without, nothing is ever written.

    Raises:
        UsageError, InvalidTime, PreloadError, FormatError: an option that cannot be followed.
    """
    clock = clock_of(arguments)
    if arguments.no_preload:
        if arguments.preload:
            raise UsageError("--preload and --no-preload exclude each other")
        preload = None
    else:
        preload = PreloadList.open(arguments.preload) if arguments.preload else PreloadList.bundled()
    rules = profile(arguments)
    if arguments.stale_after is not None:
        if arguments.stale_after < 0:
            raise UsageError(f"--stale-after is a number of days, 0 or more; seen {arguments.stale_after}")
        rules = rules.replace(preload_max_age_days=arguments.stale_after)
    if arguments.top_level_site is not None:
        from hstssim.site import site

        try:
            site(arguments.top_level_site)
        except HSTSSimError as wrong:
            raise UsageError(f"--top-level-site: {wrong}") from wrong
    if preload is not None:
        _ = preload.date  # which may be damaged, and is asked for in every answer
    if learn:
        if arguments.no_store:
            raise UsageError("--learn and --no-store exclude each other")
        from hstssim.formats.kept import open_store

        path = arguments.store or make_default_store()
        kept = open_store(path, profile=rules, preload=preload, clock=clock, watch=False)
        complain_of(command, kept.complaints)
        return Interceptor(kept), bool(kept.complaints)
    store = _ReadOnlyStore(profile=rules, preload=preload, clock=clock)
    if arguments.store and arguments.no_store:
        raise UsageError("--store and --no-store exclude each other")
    path = arguments.store or (None if arguments.no_store else default_store(only_if_there=True))
    complaints: list[FormatError] = []
    if path:
        from hstssim.formats import read_into

        complaints = read_into(store, path)
        complain_of(command, complaints)
    return Interceptor(store), bool(complaints)


def complain_of(command: str, complaints: Sequence[object]) -> None:
    """Say what is wrong with a state file; of very much only the beginning."""
    for complaint in complaints[:_MOST_COMPLAINTS]:
        complain(command, "", complaint)
    if len(complaints) > _MOST_COMPLAINTS:
        complain(command, "", f"and {len(complaints) - _MOST_COMPLAINTS:,} more")


def make_default_store() -> str:
    """The state file in the user's state folder, with the folder made."""
    path = default_store()
    assert path is not None
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    except OSError as error:
        raise StoreError(path, "the folder of the store must be writable", error) from error
    return path


def default_store(*, only_if_there: bool = False) -> str | None:
    """The state file in the user's state folder; None where it is asked for only if it is there, and is not."""
    if only_if_there and sys.platform == "linux":
        # platformdirs takes longer to import than an answer takes, and says the same (a test compares them).
        state = os.environ.get("XDG_STATE_HOME", "").strip() or os.path.expanduser("~/.local/state")
        path = os.path.join(state, "hstssim", _STORE)
        return path if os.path.exists(path) else None
    from platformdirs import user_state_dir

    path = os.path.join(user_state_dir("hstssim", appauthor=False), _STORE)
    return None if only_if_there and not os.path.exists(path) else path
