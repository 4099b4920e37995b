from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hstssim.profile import PROFILES

if TYPE_CHECKING:
    from tests.cli.conftest import Run

TABLE = [
    ("github.com", "upgraded", "congruent match github.com (preload, includeSubDomains)"),
    ("www.github.com", "upgraded", "superdomain match github.com (preload, includeSubDomains)"),
    ("GitHub.COM.", "upgraded", "congruent match github.com (preload, includeSubDomains)"),
    ("app", "upgraded", "congruent match app (preload, includeSubDomains)"),
    ("foo.app", "upgraded", "superdomain match app (preload, includeSubDomains)"),
    ("github.com:8080", "upgraded", "congruent match github.com"),
    ("github.com/login", "upgraded to https://github.com/login", "congruent match github.com"),
    ("http://GitHub.com:8080/a b?c#d", "upgraded to https://github.com:8080/a%20b?c#d", "congruent match"),
    ("ws://github.com/", "upgraded to wss://github.com/", "congruent match github.com"),
    (
        "x.www.figma.com",
        "not upgraded",
        "without includeSubDomains: www.figma.com (preload, where the nearest entry decides)",
    ),
    ("google.com", "not upgraded", "not preloaded and never visited"),
    ("bücher.de", "not upgraded", "not preloaded and never visited"),
    ("127.0.0.1", "not upgraded", "an IP address"),
    ("0x7f.1", "not upgraded", "an IP address"),
    ("::1", "not upgraded", "an IP address"),
    ("[::1]:80", "not upgraded", "an IP address"),
    ("localhost", "not upgraded", "localhost and its subdomains are exempt"),
    ("a..app", "not upgraded", "no name that DNS could hold"),
    ("https://github.com/", "not upgraded", "the URL is secure already; congruent match github.com"),
    ("ftp://github.com/", "not upgraded", "only http URLs are upgraded, and ws by some"),
]


@pytest.mark.parametrize(("text", "answer", "why"), TABLE, ids=[row[0] for row in TABLE])
def test_a_line_names_the_input_the_answer_and_the_reason(run: Run, text: str, answer: str, why: str) -> None:
    ran = run("query", text)
    assert ran.lines[0].startswith(f"{text}  {answer}  ")
    assert why in ran.lines[0]
    assert ran.status == (0 if answer.startswith("upgraded") else 1)
    assert ran.err == ""


BAD = [
    "",
    "http://",
    "a:b:c.d",
    "http://a:b/",
    "http://[::1",
    "%zz",
    "a\x00b",
    "user@github.com",
    "github.com:99999",
]


@pytest.mark.parametrize("text", BAD, ids=ascii)
def test_bad_input_is_one_line_on_stderr_and_the_rest_is_answered(run: Run, text: str) -> None:
    ran = run("query", text, "github.com")
    assert ran.status == 2
    assert len(ran.complaints) == 1
    assert ran.complaints[0].startswith("hstssim query: ")
    assert [line.split("  ")[0] for line in ran.lines] == ["github.com"]


def test_json_has_the_documented_keys_in_order(run: Run) -> None:
    keys = ["input", "host", "upgraded", "location", "by", "reason", "message", "dynamic", "preload"]
    upgraded, bad, bare, secure = run(
        "query", "--json", "http://WWW.github.com/x", "http://", "github.com", "https://github.com/"
    ).objects
    assert list(upgraded) == keys
    assert upgraded["input"] == "http://WWW.github.com/x"
    assert upgraded["host"] == "www.github.com"
    assert upgraded["location"] == "https://www.github.com/x"
    assert upgraded["by"] == "preload"
    assert upgraded["reason"] == "superdomain-match"
    assert upgraded["dynamic"] is None
    assert upgraded["preload"] == {"domain": "github.com", "match": "superdomain", "include_subdomains": True}
    assert list(bad) == ["input", "error"]
    assert bare["location"] is None
    assert bare["upgraded"] is True
    assert secure["reason"] == "already-https"
    assert secure["preload"]["domain"] == "github.com"


def test_a_store_of_ones_own_counts_beside_the_list(run: Run, tmp_path: Path) -> None:
    store = tmp_path / "hsts"
    store.write_text('.mine.test "20261201 00:00:00"\ngithub.com "unlimited"\n')
    mine, both = run("query", "--json", "--store", str(store), "a.mine.test", "github.com").objects
    assert mine["by"] == "dynamic"
    assert mine["dynamic"] == {
        "domain": "mine.test",
        "match": "superdomain",
        "include_subdomains": True,
        "last_observed": "1970-01-01T00:00:00Z",
        "expiry": "2026-12-01T00:00:00Z",
    }
    assert both["by"] == "preload"
    assert both["dynamic"]["domain"] == "github.com"
    text = run("query", "--store", str(store), "a.mine.test").out
    assert "superdomain match mine.test (dynamic, includeSubDomains)  until 2026-12-01T00:00:00Z (7 days)" in text


def test_asking_as_of_another_time_does_not_write_the_store(run: Run, tmp_path: Path) -> None:
    store = tmp_path / "hsts"
    store.write_text('mine.test "20261201 00:00:00"\n')
    before = store.read_bytes(), store.stat().st_mtime_ns
    assert run("query", "--store", str(store), "mine.test").status == 0
    expired = run("query", "--store", str(store), "--at", "+30d", "mine.test")
    assert expired.status == 1
    assert "the entry has expired" in expired.out
    assert (store.read_bytes(), store.stat().st_mtime_ns) == before


def test_a_bad_line_in_the_store_is_named_and_the_good_ones_count(run: Run, tmp_path: Path) -> None:
    store = tmp_path / "hsts"
    store.write_text('good.test "unlimited"\nbad line\n')
    ran = run("query", "--store", str(store), "good.test")
    assert ran.status == 2
    assert ran.lines[0].startswith("good.test  upgraded")
    assert f"{store}:2: " in ran.err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--profile", "netscape"], "--profile is one of chrome, firefox, curl, curl-7.88, wget"),
        (["--at", "soon"], "a time is ISO 8601"),
        (["--store", "/nowhere/at/all"], "No such file"),
        (["--preload", "/nowhere/at/all"], "No such file"),
        (["--preload", __file__], "a preload list begins with '# hstssim preload list 1'"),
        (["--no-preload", "--preload", "x"], "exclude each other"),
        (["--column", "0"], "--column counts from 1"),
        (["--frobnicate"], "unrecognized arguments"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_option_that_cannot_be_followed_says_so_and_exits_2(run: Run, options: list[str], says: str) -> None:
    ran = run("query", *options, "github.com")
    assert ran.status == 2
    assert says in ran.err
    assert ran.out == ""


def test_stdin_is_read_line_by_line(run: Run) -> None:
    ran = run("query", "-", stdin=b"github.com\r\n\n  google.com \nhttp://app/x\n")
    assert [line.split("  ")[0] for line in ran.lines] == ["github.com", "google.com", "http://app/x"]
    assert run("query", stdin=b"github.com").lines[0].startswith("github.com  upgraded")


def test_a_column_is_taken_from_commas_or_tabs(run: Run) -> None:
    ran = run("query", "--column", "2", stdin=b'1,google.com\n2\tgithub.com\n3,"app"\n4\n')
    assert [line.split("  ")[0] for line in ran.lines] == ["google.com", "github.com", "app"]
    assert ran.complaints == ["hstssim query: line 4: a line has at least 2 fields; seen '4'"]
    assert ran.status == 2


@pytest.mark.parametrize(("which", "left"), [("upgraded", "github.com"), ("not", "google.com")])
def test_only_prints_only_these(run: Run, which: str, left: str) -> None:
    ran = run("query", "--only", which, "github.com", "google.com")
    assert [line.split("  ")[0] for line in ran.lines] == [left]
    assert ran.status == 0


def test_bytes_that_are_no_utf8_and_endless_lines_are_bad_input(run: Run) -> None:
    ran = run("query", "-", stdin=b"\xff\xfe.test\n" + b"a" * 5_000_000 + b"\ngithub.com\n")
    assert ran.status == 2
    assert [complaint.split(": ")[1] for complaint in ran.complaints] == ["line 1", "line 2"]
    assert ran.lines[0].startswith("github.com  upgraded")


def test_what_could_harm_a_terminal_is_escaped(run: Run) -> None:
    ran = run("query", "http://github.com/\x1b[31m")
    assert "\x1b" not in ran.out
    assert ran.out.startswith(r"http://github.com/\x1b[31m  upgraded")


def test_the_rfc_profile_rewrites_without_a_list_of_its_own_rules(run: Run) -> None:
    assert run("query", "--profile", "rfc6797", "x.www.figma.com").status == 0
    assert run("query", "--profile", "rfc6797", "ws://github.com/").status == 1


def test_no_preload_leaves_only_the_store(run: Run) -> None:
    assert run("query", "--no-preload", "github.com").status == 1


def program(*words: str) -> list[str]:
    return [sys.executable, "-m", "hstssim", *words]


def test_a_closed_pipe_ends_silently() -> None:
    many = "".join(f"host{number}.test\n" for number in range(200_000))
    with subprocess.Popen(
        program("query", "-"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        assert reader.stderr is not None
        reader.stdout.close()
        try:
            reader.stdin.write(many)
            reader.stdin.close()
        except BrokenPipeError:
            pass
        assert reader.stderr.read() == ""
        assert reader.wait(timeout=60) == 141


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_progress_shows_on_a_terminal_only(terminal: bool, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("".join(f"host{number}.test\n" for number in range(300_000)))
    main_end, error_end = pty.openpty() if terminal else os.pipe()
    with hosts.open("rb") as stdin:
        subprocess.run(
            program("query", "-"), stdin=stdin, stdout=subprocess.DEVNULL, stderr=error_end, check=False
        )
    os.close(error_end) if not terminal else None
    os.set_blocking(main_end, False)
    try:
        said = os.read(main_end, 100_000)
    except BlockingIOError:
        said = b""
    os.close(main_end)
    assert (b" lines, " in said) == terminal


@pytest.mark.parametrize(
    ("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)], ids=["", "NO_COLOR"]
)
def test_colour_is_for_terminals_that_want_it(environment: dict[str, str], coloured: bool) -> None:
    main_end, output_end = pty.openpty()
    clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")}
    subprocess.run(
        program("query", "github.com"),
        stdout=output_end,
        env={**clean, "TERM": "xterm", **environment},
        check=True,
    )
    said = os.read(main_end, 10_000)
    os.close(main_end)
    os.close(output_end)
    assert (b"\x1b[32mupgraded\x1b[0m" in said) == coloured


def test_no_answer_depends_on_an_earlier_one(run: Run, tmp_path: Path) -> None:
    store = tmp_path / "hsts"
    store.write_text('mine.test "20261201 00:00:00"\n')
    answers = run("query", "--json", "--store", str(store), "--at", "2031-01-01", "mine.test", "mine.test").objects
    assert [answer["reason"] for answer in answers] == ["expired", "expired"]


def test_a_list_counts_as_stale_when_asked_to(run: Run) -> None:
    assert run("query", "--stale-after", "70", "--at", "2027-01-06T20:19:59Z", "github.com").status == 0
    (answer,) = run("query", "--json", "--stale-after", "70", "--at", "20270201", "github.com").objects
    assert answer["reason"] == "preload-stale"


def test_an_error_cannot_forge_lines_or_move_the_cursor(run: Run) -> None:
    for words in (["--\x1b[31mx"], ["--store", "\x1b[31m"], ["--preload", "a\nhstssim query: fine"]):
        ran = run("query", *words, "github.com")
        assert ran.status == 2
        assert len(ran.complaints) == 1
        assert "\x1b" not in ran.err


def test_a_field_in_quotes_is_taken_whole(run: Run) -> None:
    assert run("query", "--column", "2", stdin=b'"a,b",github.com\n').lines[0].startswith("github.com  upgraded")
    assert run("query", "--column", "2", "github.com").status == 2


def test_fields_that_are_no_csv_are_bad_input(run: Run) -> None:
    ran = run("query", "--column", "2", stdin=b'1,"' + b"a" * 200_000 + b'",x\n1,github.com\n')
    assert ran.status == 2
    assert len(ran.complaints) == 1
    assert ran.lines[0].startswith("github.com  upgraded")


def test_a_bad_https_url_is_bad_input_whatever_is_printed(run: Run) -> None:
    for only in ("upgraded", "not"):
        ran = run("query", "--only", only, "https://[", "github.com")
        assert ran.status == 2
        assert len(ran.complaints) == 1


def test_a_port_counts_where_the_profile_keeps_entries_by_it(run: Run, tmp_path: Path) -> None:
    state = tmp_path / "wget-hsts"
    state.write_text("example.com\t8080\t0\t1700000000\t99999999999\n")
    of_wget = ("--store", str(state), "--profile", "wget")
    assert run("query", *of_wget, "example.com").status == 1
    assert run("query", *of_wget, "example.com:8080").status == 0
    assert run("query", *of_wget, "http://example.com:8080/x").out.split()[2:4] == [
        "to",
        "https://example.com:8080/x",
    ]
    chrome = run("query", "--store", str(state), "example.com:8080")
    assert chrome.status == 2
    assert "only wget keeps HSTS by port" in chrome.err


def test_the_top_level_site_counts_where_the_profile_keeps_entries_by_it(run: Run, tmp_path: Path) -> None:
    state = tmp_path / "hsts.txt"
    state.write_text('cdn.example "unlimited"\n')
    of_firefox = ("--store", str(state), "--profile", "firefox", "cdn.example")
    assert run("query", *of_firefox).status == 0
    assert run("explain", *of_firefox, "--top-level-site", "https://www.cdn.example/").status == 0
    assert run("query", *of_firefox, "--top-level-site", "shop.example").status == 1
    refused = run("query", *of_firefox, "--top-level-site", "a/b")
    assert refused.status == 2
    assert refused.err.startswith("hstssim query: --top-level-site: ")
    assert refused.err.count("\n") == 1


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_answers(run: Run, profile: str) -> None:
    ran = run("query", "--profile", profile, "github.com", "http://localhost/", "https://x.test/", "a..b", "[::1]")
    assert ran.err == ""
    assert ran.status == (1 if profile.startswith(("curl", "wget")) else 0)
    assert run("explain", "--profile", profile, "github.com").status == ran.status
