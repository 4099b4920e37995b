"""Programs and adapters under audit: what they are graded, and what becomes of those that misbehave."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from hstssim.audit import CASES, Audit, CallableSubject, CommandSubject, preset, report
from hstssim.audit.subject import Place
from hstssim.errors import AuditError

ROOT = Path(__file__).resolve().parents[2]

SAMPLE = ("note", "subdomain", "update-zero", "tls-error-expired", "port-other")


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
        ("wget", {"note": "OK", "subdomain": "OK", "update-zero": "FAILED", "port-other": "FAILED"}),
        ("requests", {"note": "UNIMPLEMENTED", "subdomain": "UNIMPLEMENTED"}),
        ("urllib", {"note": "UNIMPLEMENTED"}),
    ],
)
def test_clients_are_graded_as_they_were_seen_to_behave(name: str, expected: dict[str, str]) -> None:
    if name in ("curl", "wget") and shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    results = Audit(preset(name), expected).run()
    assert {result.case.id: result.verdict for result in results} == expected


# ── our own adapters


def by_requests(place: Place, workdir: str) -> Callable[[str], object]:
    import requests

    from hstssim.adapters.requests import mount

    class Client:
        def __init__(self) -> None:
            self.store, self.session = kept(workdir), requests.Session()
            self.session.trust_env = False
            self.session.verify = place.lab.ca_file
            self.session.proxies = dict.fromkeys(("http", "https"), place.lab.proxy_url)
            mount(self.session, self.store)

        def __call__(self, url: str) -> object:
            return self.session.get(url, timeout=10)

        def close(self) -> None:
            self.session.close()
            self.store.close()

    return Client()


def by_httpx(place: Place, workdir: str) -> Callable[[str], object]:
    import httpx

    from hstssim.adapters.httpx import mount

    class Client:
        def __init__(self) -> None:
            self.store = kept(workdir)
            self.client = mount(
                httpx.Client(
                    verify=place.lab.ssl_context(),
                    proxy=place.lab.proxy_url,
                    trust_env=False,
                    follow_redirects=True,
                ),
                self.store,
            )

        def __call__(self, url: str) -> object:
            return self.client.get(url)

        def close(self) -> None:
            self.client.close()
            self.store.close()

    return Client()


def kept(workdir: str) -> Any:
    from hstssim import open_store
    from hstssim.profile import PROFILES

    return open_store(f"{workdir}/hsts.sqlite", profile=PROFILES["rfc6797"], watch=False)


@pytest.mark.parametrize("make", [by_requests, by_httpx], ids=["requests", "httpx"])
@pytest.mark.parametrize("name", SAMPLE)
def test_an_adapter_passes(make: Callable[[Place, str], Callable[[str], object]], name: str) -> None:
    [result] = Audit(CallableSubject(make, "adapter"), [name], sealed=False).run()
    assert result.verdict == "OK", result


# ── what is reported


@pytest.fixture(scope="module")
def audits() -> dict[str, Any]:
    subject = CommandSubject(script(NORMAL), name='<a> & "b"')
    return {subject.name: Audit(subject, sealed=False).run()}


def test_junit_can_be_read(audits: dict[str, Any]) -> None:
    [suite] = ElementTree.fromstring(report.as_junit(audits))  # noqa: S314 - we wrote it
    assert suite.attrib["name"] == '<a> & "b"'
    assert (suite.attrib["tests"], suite.attrib["failures"]) == (str(len(CASES)), str(len(CASES)))
    assert {case.attrib["name"] for case in suite} == set(CASES)


def test_the_page_holds_every_case_and_needs_nothing_else(audits: dict[str, Any]) -> None:
    page = report.as_html(audits, "2026-11-23T21:00:00Z", "0.1.0")
    assert page.count("<tr>") == len(CASES) + 1
    assert "&lt;a&gt; &amp;" in page
    assert '<a> & "b"' not in page.partition('id="data"')[0]
    assert [word for word in ("src=", "href=", "url(", "@import") if word in page] == []


def test_json_holds_what_the_results_hold(audits: dict[str, Any]) -> None:
    [results] = json.loads(report.as_json(audits))["clients"].values()
    assert results == [result.as_dict() for result in next(iter(audits.values()))]


def test_no_hsts_is_said_once(audits: dict[str, Any]) -> None:
    lines = list(report.lines(next(iter(audits.values()))))
    assert sum("UNIMPLEMENTED" in line for line in lines) == 1
    assert lines[-1] == "The client has no HSTS: the other cases were not tried."


def test_the_readmes_program_prints_what_it_shows() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [(code, shown)] = re.findall(r"```python\n(# grade\.py\n.*?)```\n\n```text\n(.*?)```", readme, re.DOTALL)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == (shown, "")
