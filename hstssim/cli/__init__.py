"""The command line: finds the command that was asked for and loads only that.

Each command is a module with `parser()` and `run(arguments)`, which gives the exit status. What goes wrong with
one input is said in one line on stderr and does not stop the rest; nothing here prints a traceback.
"""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from io import TextIOWrapper

COMMANDS = {
    "query": "would a browser upgrade these hosts or URLs, by which entry, until when",
    "explain": "the same decision step by step, and the 307 that shows it",
    "trace": "follow a chain of redirects as a browser does, internal 307s and all",
    "header": "read Strict-Transport-Security field values, with problems and their places",
    "store": "look after what is known: list, note, add, remove, clear",
    "convert": "translate a state file from one program's format to another's",
    "lab": "real TLS on this machine for any client; with --sealed, a room around any program",
    "audit": "grade any client's HSTS, case by case, by what arrives at the lab",
    "profiles": "the profiles side by side, and where they disagree; `profiles diff`: where they disagree",
    "preload": "look at the preload list, or build one",
}
"""Each command, in one line."""

USAGE = 2


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and give its exit status; `arguments` are those of the process by default."""
    words = sys.argv[1:] if arguments is None else arguments
    _prepare_streams()
    try:
        status = _main(words)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has gone (`| head`), which is no fault: end quietly.
        _discard_output()
        return 141  # as a shell shows a program that SIGPIPE ended
    except OSError as error:
        _discard_output()
        print(f"hstssim: the output cannot be written: {error.strerror}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return 130
    return status


def _main(words: list[str]) -> int:
    command = words[0] if words else ""
    if command == "help" and len(words) > 1:
        command, words = words[1], [words[1], "--help"]
    if command in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if command in ("-V", "--version"):
        from hstssim import __version__

        print(f"hstssim {__version__}")
        return 0
    if command not in COMMANDS:
        said = f"there is no command {command!r}" if command else "a command is required"
        print(f"hstssim: {said}; {_nearest(command)}", file=sys.stderr)
        return USAGE
    return _run(command, words[1:])


def _prepare_streams() -> None:
    """See that printing cannot fail for a closed stream or a character that its encoding lacks."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - for the whole process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _discard_output() -> None:
    """Let what is still unwritten go nowhere, or Python complains of it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(command: str, words: list[str]) -> int:
    from hstssim.errors import HSTSSimError

    module = import_module(f"hstssim.cli.{command}")
    gc.freeze()  # what was imported stays: the collector need not go through it again, nor at the end (3 ms)
    try:
        status: int = module.run(module.parser().parse_args(words))
    except HSTSSimError as error:
        from hstssim.cli.terminal import complain

        complain(command, "", error)
        return USAGE
    return status


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {text}" for name, text in COMMANDS.items()]
    return "\n".join(
        [
            "usage: hstssim COMMAND …",
            "",
            "Simulates how a browser handles HSTS (RFC 6797).",
            "",
            *lines,
            "",
            "`hstssim COMMAND --help` says more; `hstssim --version` says which version this is.",
        ]
    )


def _nearest(command: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(command, COMMANDS, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are {', '.join(COMMANDS)}"
