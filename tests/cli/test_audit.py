"""`hstssim audit` at the terminal; what it grades is tested in tests/audit."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from hstssim.audit import CASES
from tests.cli.conftest import Run
from tests.programs import need

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

FETCH = """
import sys, urllib.request
try:
    urllib.request.urlopen(sys.argv[1], timeout=5)
except OSError:
    pass
"""
CLIENT = ("--proxy", "--case", "note", "--", sys.executable, "-c", FETCH, "{url}")


def test_the_cases_are_listed(run: Run) -> None:
    ran = run("audit", "--list")
    assert (ran.status, len(ran.lines)) == (0, len(CASES))
    assert ran.lines[0].split()[:3] == ["note", "§8.1", "MUST"]


def test_a_client_without_hsts_fails_and_is_told_so(run: Run) -> None:
    ran = run("audit", *CLIENT)
    assert ran.status == 1
    assert ran.lines[1].startswith("UNIMPLEMENTED note")
    assert "PLAINTEXT GET http://note-1.test/note-1/probe 200" in ran.out
    assert ran.lines[-1].endswith(": 1 UNIMPLEMENTED")


def test_what_is_expected_to_fail_may(run: Run, tmp_path: Path) -> None:
    (tmp_path / "expected").write_text("note  # nothing yet\n")
    assert run("audit", "--expected", str(tmp_path / "expected"), *CLIENT).status == 0


def test_a_report_stays_where_the_command_is_wrong(run: Run, tmp_path: Path) -> None:
    page = tmp_path / "a.html"
    page.write_text("of last week")
    assert run("audit", "--html", str(page), "--preset", "netscape").status == 2
    assert page.read_text() == "of last week"


def test_a_case_named_twice_is_tried_once(run: Run) -> None:
    assert run("audit", "--case", "note", *CLIENT).lines[-1].endswith(": 1 UNIMPLEMENTED")


def test_what_no_command_is_there_for_is_refused(run: Run) -> None:
    ran = run("audit", "--preset", "curl", "--name", "mine")
    assert (ran.status, "--name is said of a command" in ran.err) == (2, True)


def test_a_client_that_does_nothing_is_told_once(run: Run) -> None:
    ran = run("audit", "--proxy", "--", sys.executable, "-c", "", "{url}")
    assert ran.status == 1
    assert sum("NOT RUN" in line for line in ran.lines) == 2  # the first case, and the sum
    assert ran.lines[-2] == "The other cases were not tried."


@pytest.mark.parametrize(
    ("body", "allowed", "expected"),
    [
        (FETCH, "", ("1", "0", "0")),
        (FETCH, "note", ("0", "0", "1")),
        ("", "", ("0", "1", "0")),
        ("", "note", ("0", "0", "1")),
    ],
    ids=["fails", "may fail", "does nothing", "may do nothing"],
)
def test_junit_fails_where_the_audit_does(
    run: Run, tmp_path: Path, body: str, allowed: str, expected: tuple[str, str, str]
) -> None:
    path, listed = tmp_path / "a.xml", tmp_path / "expected"
    listed.write_text(allowed)
    words = ("--proxy", "--case", "note", "--", sys.executable, "-c", body, "{url}")
    status = run("audit", "--expected", str(listed), "--junit", str(path), *words).status
    [suite] = ElementTree.parse(path).getroot()  # noqa: S314 - we wrote it
    counted = tuple(suite.attrib[key] for key in ("failures", "errors", "skipped"))
    assert counted == expected
    assert (status == 0) is (counted[:2] == ("0", "0"))


def test_every_report_is_written(run: Run, tmp_path: Path) -> None:
    junit, page = tmp_path / "a.xml", tmp_path / "a.html"
    ran = run("audit", "--json", "--junit", str(junit), "--html", str(page), *CLIENT)
    [client] = json.loads(ran.out)["clients"]
    assert [result["verdict"] for result in client["results"]] == ["UNIMPLEMENTED"]
    assert "<testsuite " in junit.read_text()
    assert page.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "a client is required"),
        (["--", "curl", "http://a.test/"], "a command says where its URL goes"),
        (["--", "no-such-program", "{url}"], "a command is a program that is installed"),
        (["--preset", "netscape"], "a preset is one of curl"),
        (["--profile", "netscape", "--", sys.executable, "{url}"], "--profile is one of chrome"),
        (["--post", "'", "--", sys.executable, "{url}"], "--post is a command as a shell has it"),
        (["--post", f"{sys.executable} {{url}}", "--", sys.executable, "{url}"], "says where its {body} goes"),
        (["--html", "/no/such/folder/a.html", "--", sys.executable, "{url}"], "--html names a file that can be"),
        ([sys.executable, "{url}"], "a command and its arguments stand after `--`"),
        (["--presett=curl"], "there is no option --presett, and a command and its arguments stand after `--`"),
        (["--case", "nte", "--preset", "curl"], "(74 in all: hstssim audit --list); seen 'nte'"),
        (["--case", "none", "--", sys.executable, "{url}"], "a case is one of note"),
        (["--expected", "/no/such/file", "--", sys.executable, "{url}"], "--expected names a file of cases"),
    ],
    ids=[
        "no client",
        "no url",
        "no program",
        "no preset",
        "no profile",
        "no shell",
        "no body",
        "no html",
        "no dashes",
        "no option",
        "no case among many",
        "no case",
        "no file",
    ],
)
def test_bad_input_is_one_line_and_exit_status_2(run: Run, words: list[str], said: str) -> None:
    ran = run("audit", *words)
    assert (ran.status, ran.out, len(ran.complaints)) == (2, "", 1)
    assert said in ran.err


def test_two_clients_of_one_name_are_two(run: Run) -> None:
    need("curl")
    ran = run("audit", "--json", "--name", "curl", "--preset", "curl", *CLIENT)
    clients = json.loads(ran.out)["clients"]
    assert [client["name"] for client in clients] == ["curl", "curl (2)"]
    assert [client["results"][0]["verdict"] for client in clients] == ["UNIMPLEMENTED", "OK"]


def test_a_case_that_was_expected_to_fail_and_does_not_is_told(run: Run, tmp_path: Path) -> None:
    need("curl")
    path = tmp_path / "expected"
    path.write_text("note\n")
    ran = run("audit", "--expected", str(path), "--proxy", "--case", "note", "--preset", "curl")
    assert ran.status == 1
    assert ran.complaints == [f"hstssim audit: note was expected to fail, and did not: take it out of {path}"]
