"""`hstssim lab`: the sites, the lab at the terminal, the sealed room; each in a process of its own."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.programs import missing, need

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60
NOT_THERE = "hstssim lab: a command is a program that is installed; seen "


# ── what starts nothing


def test_the_sites_are_listed_with_what_they_are_for(run: Run) -> None:
    ran = run("lab", "--sites")
    assert (ran.status, len(ran.lines)) == (0, 32)
    assert ran.lines[0] == "good.test                as it should be: one year, http leads to https"
    assert max(map(len, ran.lines)) <= 80


def test_the_sites_as_json_and_as_the_file_that_they_are(run: Run, tmp_path: Path) -> None:
    objects = run("lab", "--sites", "--json").objects
    assert objects[0] == {"site": "good.test", "about": "as it should be: one year, http leads to https"}
    copy = tmp_path / "copy.toml"
    copy.write_text(run("lab", "--sites", "--toml").out)
    assert run("lab", "--sites", "--json", str(copy)).objects == objects


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["no-such.toml"], "a file of sites is required; seen no-such.toml: No such file or directory"),
        (["a.toml", "b.toml"], "a command and its arguments stand after `--`; seen 'b.toml'"),
        (["--sealed", "wget", "-q", "http://a.test/"], "stand after `--`; seen 'http://a.test/'"),
        (["--sealed", "wget", "-O", "-"], "stand after `--`; seen '-O'"),
        (["--", "wget", "-q"], "a command is taken with --sealed; seen 'wget -q'"),
        (["--sealed"], "--sealed takes a command: hstssim lab --sealed -- COMMAND …"),
        (["--sealed", "--timeout", "0", "--", "true"], "--timeout is a number of seconds above 0; seen 0.0"),
        (["--http-port", "70000"], "a port is a number from 0, for any that is free, to 65535; seen 70000"),
        (["--log", "/no/such/folder/log"], "--log names a file that can be written"),
    ],
    ids=[
        "no file",
        "two files",
        "no dashes",
        "no dashes, options",
        "no --sealed",
        "no command",
        "time-out",
        "port",
        "log",
    ],
)
def test_bad_input_is_one_line_and_exit_status_2(run: Run, words: list[str], said: str) -> None:
    ran = run("lab", *words)
    assert (ran.status, ran.out, len(ran.complaints)) == (2, "", 1)
    assert said in ran.err


def test_bad_toml_is_one_line_with_its_place(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("[[site]]\nname = shop.test\n")
    ran = run("lab", str(path))
    assert (ran.status, len(ran.complaints)) == (2, 1)
    assert f"{path}: " in ran.err
    assert "line 2" in ran.err


# ── at the terminal

Started = subprocess.Popen[str]
Start = Callable[..., Started]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    processes: list[Started] = []

    def begin(*words: str) -> Started:
        process = subprocess.Popen(
            [sys.executable, "-m", "hstssim", "lab", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
            start_new_session=True,
        )
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def program(name: str) -> str:
    need(name)
    return name


def opened(lab: Started) -> list[str]:
    """What it prints before the first client."""
    assert lab.stdout is not None
    lines: list[str] = []
    while not lines or "Ctrl-C ends the lab" not in lines[-1]:
        lines.append(lab.stdout.readline().rstrip("\n"))
        assert lines[-1] or lines[-2:] != ["", ""], lab.stderr and lab.stderr.read()
    return lines


def pasted(lines: list[str]) -> dict[str, str]:
    """The commands that it prints, by what stands above them."""
    commands: dict[str, str] = {}
    title = ""
    for line in lines:
        if line.startswith("  "):
            commands[title] = commands.get(title, "") + line + "\n"
        else:
            title = line
    return commands


def ended(lab: Started, number: int = signal.SIGINT) -> list[str]:
    lab.send_signal(number)
    said, errors = lab.communicate(timeout=PATIENCE)
    assert (lab.returncode, errors) == (0, "")
    return said.splitlines()


CLIENTS = {"curl": "curl", "wget": "wget", "Python, and what else heeds these variables": "python3"}


@pytest.mark.oracle
@pytest.mark.parametrize("title", CLIENTS)
def test_what_it_prints_can_be_pasted_into_a_shell(start: Start, tmp_path: Path, title: str) -> None:
    program(CLIENTS[title])
    lab = start()
    lines = opened(lab)
    assert [line for line in lines if len(line) > 80 and "://" not in line and "MAP" not in line] == []
    shell = ["bash", "-c", pasted(lines)[title]]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(shell, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert "good.test answers / over https" in done.stdout, done.stderr
    arrived, _, summary = ended(lab)
    assert re.fullmatch(r"\d\d:\d\d:\d\d 200 GET https://good\.test/  sts: max-age=31536000", arrived)
    assert summary == "hstssim lab: 1 request, 0 in the clear; 0 connections without a request"


@pytest.mark.oracle
def test_chromium_is_led_by_what_it_prints(start: Start, tmp_path: Path) -> None:
    program("chromium")
    program("certutil")
    lab = start()
    command = pasted(opened(lab))["chromium"].replace(
        " chromium ", " chromium --headless --disable-gpu --dump-dom "
    )
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(
        ["bash", "-c", command], env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert "good.test answers / over https" in done.stdout, done.stderr
    assert any("GET https://good.test/" in line for line in ended(lab))


@pytest.mark.oracle
def test_plaintext_to_a_known_host_is_told_at_the_end(start: Start) -> None:
    program("curl")
    lab = start()
    curl = pasted(opened(lab))["curl"]
    for command in (curl, curl.replace("https://good", "http://good")):  # one run would remember
        subprocess.run(["bash", "-c", command], capture_output=True, check=False, timeout=PATIENCE)
    lines = ended(lab)
    assert [line[9:] for line in lines[:2]] == [
        "200 GET https://good.test/  sts: max-age=31536000",
        "301 GET http://good.test/  PLAINTEXT",
    ]
    assert lines[3:] == [
        "hstssim lab: 2 requests, 1 in the clear; 0 connections without a request",
        "  1 to a host that had said to use https (RFC 6797 §8.3), the first:",
        "  GET http://good.test/",
        "  good.test was known: https://good.test/ had answered Strict-Transport-Security: max-age=31536000",
    ]


@pytest.mark.oracle
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_json_lines_say_what_opens_arrives_and_closes(start: Start, tmp_path: Path, number: int) -> None:
    program("curl")
    log = tmp_path / "log"
    lab = start("--json", "--log", str(log))
    assert lab.stdout is not None
    first = json.loads(lab.stdout.readline())
    proxy, ca_file = f"http://127.0.0.1:{first['http_port']}", first["ca_file"]
    for url in ("https://good.test/", "https://expired.test/"):
        subprocess.run(
            ["curl", "-s", "--proxy", proxy, "--cacert", ca_file, url], check=False, capture_output=True
        )
    request, failure, last = map(json.loads, ended(lab, number))
    assert (request["event"], request["url"], request["plaintext"]) == ("request", "https://good.test/", False)
    assert request["strict_transport_security"] == ["max-age=31536000"]
    assert (failure["event"], failure["sni"], failure["certificate"]) == ("no-request", "expired.test", "expired")
    assert last == {
        "event": "closed",
        "requests": 1,
        "plaintext_requests": 0,
        "connections_without_request": 1,
    }
    assert [json.loads(line) for line in log.read_text().splitlines()] == [request, failure]
    assert not os.path.exists(os.path.dirname(ca_file))


# ── in a room

README = (ROOT / "README.md").read_text(encoding="utf-8")
TIME = re.compile(r"^\d\d:\d\d:\d\d ", re.MULTILINE)


@pytest.fixture
def sealed(start: Start) -> Callable[..., tuple[int, str, str]]:
    def run_in_room(*words: str) -> tuple[int, str, str]:
        process = start(*words)
        said, errors = process.communicate(timeout=PATIENCE)
        if "needs namespaces" in errors:
            missing(errors)
        return process.returncode, said, errors

    return run_in_room


@pytest.mark.oracle
def test_the_readmes_command_prints_what_it_shows(sealed: Callable[..., tuple[int, str, str]]) -> None:
    program("curl")
    [(command, shown)] = re.findall(r"```text\n\$ hstssim lab (--sealed .*?)\n(.*?)```", README, re.DOTALL)
    status, said, errors = sealed(*shlex.split(command))
    assert (status, TIME.sub("", said + errors)) == (0, TIME.sub("", shown))


@pytest.mark.oracle
def test_the_readmes_program_prints_what_it_shows() -> None:
    program("wget")
    [(code, shown)] = re.findall(r"```python\n(# sealed\.py\n.*?)```\n\n```text\n(.*?)```", README, re.DOTALL)
    words = [sys.executable, "-W", "error", "-c", code]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE)
    if "needs namespaces" in done.stderr:
        missing(done.stderr)
    assert (done.stdout, done.stderr) == (shown, "")


def test_the_readmes_file_of_sites_is_one(run: Run, tmp_path: Path) -> None:
    [text] = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "shop.toml").write_text(text)
    assert [line.split()[0] for line in run("lab", "--sites", str(tmp_path / "shop.toml")).lines] == [
        "shop.test",
        "*",
    ]


@pytest.mark.oracle
def test_the_lab_answers_for_the_whole_internet(sealed: Callable[..., tuple[int, str, str]]) -> None:
    program("curl")
    status, said, errors = sealed("--sealed", "--", "bash", "-c", "curl -s https://github.com/")
    assert (status, said) == (0, "the lab answers https://github.com/\n")
    request, summary = errors.splitlines()
    assert request[9:] == "200 GET https://github.com/"
    assert summary == "hstssim lab: 1 request, 0 in the clear; 0 connections without a request"


@pytest.mark.oracle
def test_a_file_of_sites_may_stand_before_the_command(
    sealed: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    program("curl")
    path = tmp_path / "shop.toml"
    path.write_text('[[site]]\nname = "shop.test"\n')
    status, said, _ = sealed("--sealed", str(path), "--", "curl", "-s", "https://shop.test/")
    assert (status, said) == (0, "shop.test answers / over https\n")


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["-q", "--", "sh", "-c", "exit 7"], 7, ""),
        (["-q", "--", "sh", "-c", "kill -TERM $$"], -signal.SIGTERM, ""),
        (
            ["--", "no-such-program"],
            2,
            "hstssim lab: a command is a program that is installed; seen 'no-such-program'\n",
        ),
        (["-q", "--timeout", "0.5", "--", "sleep", "100"], 124, ""),
        (["-q", "--", "echo", "--", "-x"], 0, ""),
    ],
    ids=["exit", "signal", "no such program", "time-out", "arguments"],
)
def test_the_exit_status_is_the_programs(
    sealed: Callable[..., tuple[int, str, str]], words: list[str], status: int, said: str
) -> None:
    seen, out, errors = sealed("--sealed", *words)
    assert (seen, errors) == (status, said)
    assert out == ("-- -x\n" if "echo" in words else "")


@pytest.mark.oracle
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_goes_on_to_the_program(start: Start, number: signal.Signals) -> None:
    trap = f"trap 'echo heard; exit 3' {number.name[3:]}; echo ready; while :; do sleep 0.01; done"
    process = start("--sealed", "-q", "--", "sh", "-c", trap)
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        missing(process.communicate()[1])
    process.send_signal(number)
    said, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said, errors) == (3, "heard\n", "")
