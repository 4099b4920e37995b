"""`hstssim trace` against the lab: what it prints, writes, and how it ends."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
import pytest
from freezegun import freeze_time

from hstssim.cli import main
from hstssim.lab import Lab, to_https

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
SCHEMA = json.loads((Path(__file__).parents[1] / "traces" / "har.schema.json").read_text("utf-8"))
README = Path(__file__).parents[2] / "README.md"
Trace = Callable[..., tuple[int, str, str]]


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    with Lab() as lab:
        for name, value in lab.client_env().items():
            monkeypatch.setenv(name, value)
        lab.site("github.com", sts="max-age=31536000; includeSubDomains; preload")
        shop = lab.site("shop.test", sts="max-age=1000")
        shop.on("/", scheme="http", redirect=to_https, status=301)
        lab.site("expired.test", certificate="expired")
        yield lab


@pytest.fixture
def trace(capsys: pytest.CaptureFixture[str]) -> Trace:
    def run(*words: str) -> tuple[int, str, str]:
        status = main(["trace", *words])
        said, complained = capsys.readouterr()
        return status, said, complained

    return run


def test_a_preloaded_host_shows_the_307_that_no_server_sent(lab: Lab, trace: Trace) -> None:
    status, said, complained = trace("http://github.com/")
    assert (status, complained) == (0, "")
    assert said.splitlines()[:2] == [
        "1  GET http://github.com/  307 Internal Redirect  [HSTS: not sent by the server]",
        "2  GET https://github.com/  200 OK",
    ]
    assert lab.plaintext_requests == []


def test_the_readmes_examples_print_what_they_show(lab: Lab, trace: Trace) -> None:
    apex = lab.site_of("shop.test")
    apex.sts = ()
    apex.on("/", scheme="http", redirect=to_https)
    apex.on("/", scheme="https", redirect="https://www.shop.test/")
    lab.site("www.shop.test", sts="max-age=31536000")
    examples = re.findall(r"```text\n\$ hstssim trace ([^\n]*)\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert len(examples) == 2
    for words, shown in examples:
        with freeze_time("2026-11-23T21:00:00Z"):
            status, said, complained = trace(*words.split())
        assert (status, said, complained) == (0, shown, "")


def test_a_second_visit_stands_beside_the_first(lab: Lab, trace: Trace) -> None:
    _, said, _ = trace("--twice", "shop.test")
    first = said.splitlines()[1]
    assert "[PLAINTEXT]" in first.partition("│")[0]
    assert "[HSTS: not sent by the server]" in first.partition("│")[2]


def test_curl_has_no_list_and_goes_in_the_clear(lab: Lab, trace: Trace) -> None:
    status, said, _ = trace("--profile", "curl", "http://github.com/")
    assert (status, said) == (0, "1  GET http://github.com/  200 OK  [PLAINTEXT]\n")


def test_what_is_learned_is_kept_only_when_asked(lab: Lab, trace: Trace, tmp_path: Path) -> None:
    path = tmp_path / "curl-hsts"
    path.write_text("")
    trace("--store", str(path), "http://shop.test/")
    assert path.read_text() == ""
    assert trace("--learn", "--store", str(path), "http://shop.test/")[0] == 0
    assert path.read_text().splitlines()[-1].startswith('shop.test "20')
    assert trace("--store", str(path), "http://shop.test/")[1].startswith(
        "1  GET http://shop.test/  307 Internal Redirect"
    )
    assert trace("--learn", "http://shop.test/")[0] == 0
    assert "(dynamic" in trace("--explain", "http://shop.test/")[1]
    assert trace("--learn", "--no-store", "http://shop.test/")[0] == 2


def test_an_error_is_status_1_and_goes_away_with_insecure(lab: Lab, trace: Trace) -> None:
    status, said, _ = trace("https://expired.test/")
    assert status == 1
    assert "ERR_CERT_DATE_INVALID" in said
    status, said, _ = trace("--insecure", "https://expired.test/")
    assert status == 0
    assert "not learned (unverified)" in said


def test_method_body_and_fields_are_sent(lab: Lab, trace: Trace, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b"\xff" * 10)
    trace("-d", "a=b", "-H", "X-Own: 1", "http://shop.test/form")
    trace("-X", "PUT", "-d", f"@{tmp_path / 'body'}", "http://shop.test/form")
    first, second = lab.requests
    assert (first.method, first.body_size) == ("POST", 3)
    assert ("X-Own", "1") in first.headers
    assert (second.method, second.body_size) == ("PUT", 10)


def test_json_is_one_object_a_visit(lab: Lab, trace: Trace) -> None:
    status, said, _ = trace("--json", "--twice", "http://shop.test/", "http://[/")
    first, second, bad = map(json.loads, said.splitlines())
    assert status == 2
    assert [hop["source"] for hop in first["hops"]] == ["network", "network"]
    assert [hop["source"] for hop in second["hops"]] == ["internal", "network"]
    assert second["hops"][0]["hsts"]["upgraded"] is True
    assert first["hops"][1]["learned"]["domain"] == "shop.test"
    assert {"input", "error"} == set(bad)


def test_a_har_is_written_and_follows_its_schema(lab: Lab, trace: Trace, tmp_path: Path) -> None:
    trace("--har", str(tmp_path / "x.har"), "--twice", "http://shop.test/")
    archive = json.loads((tmp_path / "x.har").read_text("utf-8"))
    jsonschema.validate(archive, SCHEMA)
    assert len(archive["log"]["pages"]) == 2
    status, _, complained = trace("--har", str(tmp_path / "none" / "x.har"), "http://shop.test/")
    assert (status, complained.count("\n")) == (2, 1)


def test_names_come_from_a_pipe_and_a_bad_one_stops_nothing(
    lab: Lab, trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = io.TextIOWrapper(io.BytesIO(b"github.com\nhttp://[/\nshop.test\n"))
    monkeypatch.setattr(sys, "stdin", pipe)
    status, said, complained = trace()
    assert status == 2
    assert said.count("200 OK") == 2
    assert [line for line in said.splitlines() if line in ("github.com", "shop.test")] == [
        "github.com",
        "shop.test",
    ]
    assert complained.startswith("hstssim trace: line 2: ")


@pytest.mark.parametrize(
    "words",
    [
        ["ftp://shop.test/"],
        ["-X", "A B", "http://shop.test/"],
        ["-H", "nonsense", "http://shop.test/"],
        ["-d", "@/nonexistent", "http://shop.test/"],
        ["--proxy", "socks5://x", "http://shop.test/"],
        ["--cacert", "/nonexistent", "http://shop.test/"],
        ["--timeout", "0", "http://shop.test/"],
        ["--timeout", "nan", "http://shop.test/"],
        ["--profile", "netscape", "http://shop.test/"],
        ["--initiator", "about:blank", "http://shop.test/"],
    ],
)
def test_what_cannot_be_asked_is_one_line_and_status_2(lab: Lab, trace: Trace, words: list[str]) -> None:
    status, said, complained = trace(*words)
    assert (status, said, complained.count("\n")) == (2, "", 1)
    assert lab.requests == []


def test_a_store_is_read_and_never_written(lab: Lab, trace: Trace, tmp_path: Path) -> None:
    store = tmp_path / "hsts"
    store.write_text('shop.test "20990101 00:00:00"\n')
    os.chmod(store, 0o400)
    _, said, _ = trace("--store", str(store), "http://shop.test/")
    assert "307 Internal Redirect" in said
    assert store.read_text() == 'shop.test "20990101 00:00:00"\n'
