"""Programs and adapters under audit: what they are graded, and what becomes of those that misbehave."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from hstssim.audit import CASES, Audit, CallableSubject, CommandSubject, preset, report
from hstssim.audit.subject import Place, Session
from hstssim.errors import AuditError
from hstssim.profile import PROFILES
from tests.programs import need

ROOT = Path(__file__).resolve().parents[2]


def graded(*words: str, cases: tuple[str, ...] = ("note",), timeout: float = 20.0) -> dict[str, tuple[str, str]]:
    subject = CommandSubject(words, timeout=timeout)
    return {
        result.case.id: (result.verdict, result.reason) for result in Audit(subject, cases, sealed=False).run()
    }


# ── programs that misbehave

FETCH = """
import os, sys, urllib.request
def fetch(url):
    try:
        print(urllib.request.urlopen(url, timeout=5).status)
    except OSError as error:
        print(error, file=sys.stderr)
"""


def script(body: str) -> tuple[str, ...]:
    return (sys.executable, "-c", f"{FETCH}\n{body}", "{url}")


NORMAL = "fetch(sys.argv[1])"
CHATTER = "print('x' * 30_000_000); print('y' * 30_000_000, file=sys.stderr); "
DIRECT = "[os.environ.pop(name) for name in list(os.environ) if 'proxy' in name.lower()]; "


@pytest.mark.parametrize(
    ("body", "verdict", "said"),
    [
        (NORMAL, "UNIMPLEMENTED", "the probe came in the clear"),
        ("os.kill(os.getpid(), 9)", "NOT RUN", "it was ended by signal 9"),
        ("import time; time.sleep(60)", "NOT RUN", "it took more than 1 s"),
        (CHATTER + NORMAL, "UNIMPLEMENTED", "the probe came in the clear"),
        ("os.fork() or __import__('time').sleep(60); " + NORMAL, "UNIMPLEMENTED", "the probe came in the clear"),
        (DIRECT + NORMAL, "NOT RUN", "the control"),
        ("sys.exit(3)", "NOT RUN", "the control, http of a host that it had never met, did not arrive"),
        ("1/0", "NOT RUN", "the control"),
    ],
    ids=["normal", "crashes", "hangs", "chatters", "forks", "ignores the proxy", "fetches nothing", "raises"],
)  # fmt: skip
def test_whatever_a_client_does_the_audit_ends_and_says_it(body: str, verdict: str, said: str) -> None:
    seen, reason = graded(*script(body), timeout=1.0 if "sleep(60)" in body and "fork" not in body else 20.0)[
        "note"
    ]
    assert seen == verdict
    assert said in reason


# A client that keeps to HSTS, in a file, and does besides what is put in.
HONEST = """
import os, sys
from hstssim import CHROME, Browser, LiveNetwork, open_store
rules = CHROME.replace(https_upgrades=False)
store = open_store(sys.argv[1], profile=rules)
browser = Browser(rules, store, LiveNetwork())
"""
OTHERWISE: dict[str, tuple[str, str, str, str]] = {
    "hangs after all": ("browser.navigate(url); import time; time.sleep(60)", "note", "NOT RUN", "more than 2 s"),
    "crashes after all": ("browser.navigate(url); os.kill(os.getpid(), 11)", "note", "NOT RUN", "signal 11"),
    "crashes where it is to refuse": (
        "browser.navigate(url).error and os.kill(os.getpid(), 11)",
        "tls-error-expired",
        "NOT RUN",
        "signal 11",
    ),
    "leaks what nobody asked for": (
        "browser.navigate(url); Browser(rules, network=browser.network, store=HSTSStore(profile=rules))"
        ".navigate(url.replace('https:', 'http:').split('.test')[0] + '.test/robots.txt')",
        "note",
        "UNIMPLEMENTED",
        "http://note-1.test/robots.txt came in the clear, of a Known HSTS Host",
    ),
    "upgrades whatever it is told": (
        "browser.navigate(url.replace('http:', 'https:'))",
        "note",
        "NOT RUN",
        "it upgrades hosts that it never met",
    ),
    "follows no redirect": (
        "browser.network.send(Request('GET', url)) if '/jump' in url else browser.navigate(url)",
        "redirect-from-elsewhere",
        "OK",
        "nothing was sent in the clear, and no redirect followed",
    ),
}


@pytest.mark.parametrize(("body", "case", "verdict", "said"), OTHERWISE.values(), ids=OTHERWISE)
def test_what_a_client_does_besides_is_judged(body: str, case: str, verdict: str, said: str) -> None:
    imports = "from hstssim import HSTSStore\nfrom hstssim.network import Request\nurl = sys.argv[2]\n"
    words = (sys.executable, "-c", HONEST + imports + body, "{store}", "{url}")
    results = graded(*words, cases=("note", case), timeout=2.0 if "sleep" in body else 20.0)
    assert results[case][0] == verdict, results
    assert said in results[case][1]


def test_urls_that_come_in_another_order_are_not_judged() -> None:
    body = "[browser.navigate(url) for url in reversed(sys.argv[2:])]"
    results = graded(sys.executable, "-c", HONEST + body, "{store}", "{urls}", cases=("note",))
    assert results["note"] == ("NOT RUN", "it did not keep to the order of the URLs")


def test_what_interrupts_an_audit_ends_its_programs() -> None:
    hang = f"{HONEST}\nif 'note' not in sys.argv[2]: import time; time.sleep(600)\nbrowser.navigate(sys.argv[2])"
    places: list[Place] = []

    class Seen(CommandSubject):
        def session(self, place: Place, workdir: str) -> Session:
            places.append(place)
            return super().session(place, workdir)

    subject = Seen([sys.executable, "-c", hang, "{store}", "{url}"], timeout=600)
    began = threading.Event()

    def stop() -> None:
        began.wait()
        while not places[-1].running.processes:
            time.sleep(0.01)
        places[-1].running.stop()

    stopping = threading.Thread(target=stop)
    stopping.start()
    results = Audit(subject, ["note", "expiry"], sealed=False).run(lambda _: began.set())
    stopping.join()
    assert [result.verdict for result in results] == ["OK", "NOT RUN"], results
    assert places[-1].running.processes == set()
    [again] = Audit(subject, ["note"], sealed=False).run()
    assert again.verdict == "OK", again


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda place, folder: 1 / 0, "it cannot be made: ZeroDivisionError: division by zero"),
        (lambda place, folder: None, "a client is called with a URL; seen None"),
        (lambda place, folder: sys.exit, "SystemExit: http"),
    ],
    ids=["cannot be made", "is none", "exits"],
)
def test_a_callable_that_misbehaves_is_not_run(make: Any, said: str) -> None:
    [result] = Audit(CallableSubject(make), ["note"], sealed=False).run()
    assert result.verdict == "NOT RUN"
    assert said in result.reason


def test_a_port_that_cannot_be_seen_is_no_fault() -> None:
    """curl writes the port that it is led to into Host."""
    need("curl")
    line = "curl -s --hsts {store} --cacert {ca} --connect-to ::{connect_to} {url}"
    results = Audit(CommandSubject(line.split()), ["path-and-query", "port-other"], sealed=False).run()
    assert [(result.verdict, result.bad) for result in results] == [("OK", False), ("NOT RUN", False)], results


def test_a_command_may_name_a_file_of_the_folder_where_we_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "crawler.py").write_text(f"{FETCH}\n{NORMAL}")
    monkeypatch.chdir(tmp_path)
    subject = CommandSubject([sys.executable, "crawler.py", "{url}"])
    [result] = Audit(subject, ["note"], sealed=False).run()
    assert (subject.name, result.verdict) == ("crawler.py", "UNIMPLEMENTED")


@pytest.mark.parametrize("sealed", [None, False], ids=["room", "proxy"])
def test_several_urls_in_one_run_and_a_post(sealed: bool | None) -> None:
    need("curl")
    names = ["note", "method-and-body", "method-and-body-redirected", "cve-2023-23914", "cve-2023-23915"]
    results = Audit(preset("curl"), names, sealed=sealed).run()
    assert [result.verdict for result in results] == ["OK"] * len(names), results


def test_a_profile_is_what_is_expected() -> None:
    need("curl")
    if preset("curl").version != "7.88.1":
        pytest.skip(f"profile curl-7.88 is made after another version than {preset('curl').version}")
    results = Audit(preset("curl"), ["note", "port-80", "syntax-comma"], profile=PROFILES["curl-7.88"]).run()
    assert [result.verdict for result in results] == ["OK", "OK", "OK"], results


@pytest.mark.oracle
def test_wget_is_led_and_trusts_without_a_room() -> None:
    need("wget")
    [result] = Audit(preset("wget"), ["note"], sealed=False).run()
    assert result.verdict == "OK", result


# ── what is refused


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["curl", "http://a.test/"], "a command says where its URL goes"),
        ([], "a command says where its URL goes"),
        (["no-such-program", "{url}"], "a program that is installed; seen 'no-such-program'"),
    ],
    ids=["no url", "nothing", "no program"],
)
def test_a_command_that_cannot_be_graded_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(AuditError, match=said):
        CommandSubject(words)


@pytest.mark.parametrize(
    ("post", "said"),
    [
        ([], "a command says where its URL goes"),
        (["no-such-program", "{url}"], "a program that is installed"),
        ([sys.executable, "{url}"], r"a command that posts says where its \{body\} goes"),
    ],
)
def test_a_command_that_posts_nothing_is_refused(post: list[str], said: str) -> None:
    with pytest.raises(AuditError, match=said):
        CommandSubject([sys.executable, "{url}"], post=post)


@pytest.mark.parametrize("name", ["no-such-client", "go"])
def test_a_preset_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(AuditError, match="a preset is one of curl, wget"):
        preset(name)


# ── real clients, in the room where there can be one


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "curl",
            {"note": "OK", "subdomain": "OK", "update-zero": "OK", "tls-error-expired": "OK", "port-other": "OK"},
        ),
        (
            "wget",
            {
                "note": "OK",
                "subdomain": "OK",
                "update-invalid": "FAILED",  # it takes `max-age=` for 0
                "persistence-zero": "OK",
                "port-other": "FAILED",
            },
        ),
        ("requests", {"note": "UNIMPLEMENTED", "subdomain": "UNIMPLEMENTED"}),
        ("urllib", {"note": "UNIMPLEMENTED"}),
    ],
)
def test_clients_are_graded_as_they_were_seen_to_behave(name: str, expected: dict[str, str]) -> None:
    if name in ("curl", "wget"):
        need(name)
    results = Audit(preset(name), expected).run()
    assert {result.case.id: result.verdict for result in results} == expected


# ── what is reported


@pytest.fixture(scope="module")
def audits() -> list[report.Audited]:
    subject = CommandSubject(script(NORMAL), name='<a> & "b"')
    return [report.Audited(subject.name, "1.0", Audit(subject, sealed=False).run())]


ABOUT = report.About("2026-11-23T21:00:00Z", "0.1.0")


def test_junit_can_be_read(audits: list[report.Audited]) -> None:
    [suite] = ElementTree.fromstring(report.as_junit(audits))  # noqa: S314 - we wrote it
    assert suite.attrib["name"] == '<a> & "b"'
    assert (suite.attrib["tests"], suite.attrib["failures"]) == (str(len(CASES)), str(len(CASES)))
    assert {case.attrib["name"] for case in suite.iter("testcase")} == set(CASES)


def test_the_page_holds_every_case_and_needs_nothing_else(audits: list[report.Audited]) -> None:
    page = report.as_html(audits, ABOUT)
    assert page.count("<tr>") == len(CASES) + 1
    assert "&lt;a&gt; &amp;" in page
    assert '<a> & "b"' not in page.partition('id="data"')[0]
    assert [word for word in ("src=", "href=", "url(", "@import") if word in page] == []


def test_json_holds_what_the_results_hold(audits: list[report.Audited]) -> None:
    made = json.loads(report.as_json(audits, ABOUT))
    assert (made["date"], made["hstssim"], made["profile"]) == (ABOUT.date, ABOUT.version, None)
    [client] = made["clients"]
    assert (client["name"], client["version"]) == ('<a> & "b"', "1.0")
    assert client["results"] == [result.as_dict() for result in audits[0].results]
    assert "http://note-1.test/note-1/probe" in client["results"][0]["commands"][1]


def test_no_hsts_is_said_once(audits: list[report.Audited]) -> None:
    lines = list(report.lines(audits[0].results))
    assert sum("UNIMPLEMENTED" in line for line in lines) == 1
    assert lines[-1] == "It notes no host, or keeps none for its next run: the other cases were not tried."


def test_the_readmes_program_prints_what_it_shows() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [(code, shown)] = re.findall(r"```python\n(# grade\.py\n.*?)```\n\n```text\n(.*?)```", readme, re.DOTALL)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == (shown, "")


@pytest.mark.oracle
def test_the_readmes_spider_is_graded_as_it_shows(tmp_path: Path) -> None:
    pytest.importorskip("scrapy")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [spider] = re.findall(r"```python\n(# spider\.py\n.*?)```", readme, re.DOTALL)
    [(words, shown)] = re.findall(r"\$ hstssim (audit -- scrapy .*?)\n(.*?)```", readme, re.DOTALL)
    (tmp_path / "spider.py").write_text(spider)
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PATH": path}
    command = [sys.executable, "-m", "hstssim", *words.split()]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, shown, "")


@pytest.mark.oracle
def test_letters_beyond_ascii_reach_curl_in_any_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    need("curl")
    monkeypatch.setenv("LC_ALL", "POSIX")
    monkeypatch.setattr("locale.getencoding", lambda: "ANSI_X3.4-1968")
    results = Audit(preset("curl"), ["host-idn", "cve-2022-42916"]).run()
    assert [(result.verdict, result.reason) for result in results] == [("OK", "the probe was upgraded")] * 2
