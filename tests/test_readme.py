"""The README's examples do what they show."""

from __future__ import annotations

import doctest
import importlib
import re
import shlex
from pathlib import Path

import pytest
from freezegun import freeze_time

from hstssim.cli import main

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
WRITTEN = "2026-11-23T21:00:00Z"  # the day on which its outputs were made

EXAMPLES = [
    (command, output)
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for command, output in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
    if command.startswith("hstssim ")
]


def test_readme_has_console_examples() -> None:
    assert len(EXAMPLES) >= 4


@pytest.mark.parametrize(("command", "output"), EXAMPLES, ids=[command for command, _ in EXAMPLES])
def test_console_example_prints_what_it_shows(
    command: str, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with freeze_time(WRITTEN):
        main(shlex.split(command)[1:])
    assert capsys.readouterr().out == output


def test_python_examples_run_as_shown() -> None:
    with freeze_time(WRITTEN):
        failed, tried = doctest.testfile(str(ROOT / "README.md"), module_relative=False, encoding="utf-8")
    assert tried >= 8
    assert failed == 0


def test_the_teaching_program_prints_what_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    [(code, shown)] = re.findall(r"```python\n(# teach\.py\n.*?)```\n\n```text\n(.*?)```", README, re.DOTALL)
    exec(code, {})  # noqa: S102 - the README's own
    assert capsys.readouterr().out == shown


SHOWING = [path for path in sorted((ROOT / "hstssim").rglob("*.py")) if ">>> " in path.read_text("utf-8")]


@pytest.mark.parametrize("path", SHOWING, ids=[path.stem for path in SHOWING])
def test_docstrings_show_what_happens(path: Path) -> None:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert tried > 0
    assert failed == 0


def test_ci_runs_the_readmes_test_command() -> None:
    found = re.findall(r"^\$ (.*\.venv/bin/pytest.*)$", README, re.MULTILINE)
    assert len(found) == 1
    assert r"sed -n 's/^\$ \(.*\.venv\/bin\/pytest.*\)$/\1/p' README.md" in (ROOT / ".ci" / "run").read_text(
        "utf-8"
    )


def test_every_reason_is_named_in_the_readme() -> None:
    from hstssim.interceptor import REASONS

    assert [code for code in REASONS if f"`{code}`" not in README] == []
