from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from hstssim import __version__
from hstssim.cli import COMMANDS

if TYPE_CHECKING:
    from tests.cli.conftest import Run


def test_help_lists_every_command(run: Run) -> None:
    ran = run("--help")
    assert ran.status == 0
    assert all(f"  {command} " in ran.out for command in COMMANDS)
    assert run("--version").out == f"hstssim {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself_with_its_exit_statuses(run: Run, command: str) -> None:
    ran = run(command, "--help")
    assert ran.status == 0
    assert "exit status:" in ran.out


@pytest.mark.parametrize(
    ("words", "says"),
    [([], "a command is required"), (["qurey"], "did you mean 'query'?"), (["zzz"], "there are query,")],
    ids=["none", "typing mistake", "unknown"],
)
def test_a_wrong_command_is_told_the_right_ones(run: Run, words: list[str], says: str) -> None:
    ran = run(*words)
    assert ran.status == 2
    assert says in ran.err


def test_only_the_chosen_command_is_loaded() -> None:
    code = (
        "import sys; from hstssim.cli import main; main(['query', 'github.com']);"
        "heavy = {'dataclasses', 'inspect', 'json', 'pathlib', 'ada_url', 'shutil', 'hstssim.preload_source',"
        " 'hstssim.cli.header', 'hstssim.formats', 'hstssim.redirect', 'importlib.metadata'};"
        "print(*sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("github.com  upgraded")
    assert done.stderr == "\n"


@pytest.mark.parametrize(
    ("redirection", "status"),
    [("<&-", 1), (">&-", 0), ("2>&-", 0), ("> /dev/full", 2)],
    ids=["no stdin", "no stdout", "no stderr", "full disk"],
)
def test_closed_and_full_streams_end_without_a_traceback(redirection: str, status: int) -> None:
    words = "query -" if redirection == "<&-" else "query github.com"
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "{sys.executable}" -m hstssim {words} {redirection}'],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    assert ("No space left" in done.stderr) == (redirection == "> /dev/full")


def test_what_the_terminals_encoding_lacks_is_escaped() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hstssim", "query", "bücher.de"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout.startswith(b"b\\xfccher.de  not upgraded")
