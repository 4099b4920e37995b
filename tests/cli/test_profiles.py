from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hstssim.difference import TELLING_HEADERS, TELLING_HOSTS
from hstssim.profile import PROFILES

if TYPE_CHECKING:
    from tests.cli.conftest import Run

FACTS = list(PROFILES["chrome"].facts())
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def program(*words: str) -> list[str]:
    return [sys.executable, "-m", "hstssim", *words]


def on_terminal(columns: int, *words: str, **environment: str) -> str:
    """What a command prints on a terminal of that width."""
    main_end, output_end = pty.openpty()
    fcntl.ioctl(output_end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
    with subprocess.Popen(
        program(*words), stdout=output_end, env={**clean, "TERM": "xterm", "PYTHONUTF8": "1", **environment}
    ) as running:
        os.close(output_end)
        said = b""
        while True:
            try:
                part = os.read(main_end, 65_536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            said += part
        running.wait(timeout=60)
    os.close(main_end)
    return said.decode().replace("\r\n", "\n")


# The profiles.


def test_the_table_has_a_row_for_each_fact_and_a_column_for_each_profile(run: Run) -> None:
    ran = run("profiles")
    assert ran.status == 0
    titles, head, rows = ran.lines[: len(PROFILES)], ran.lines[len(PROFILES) + 1], ran.lines[len(PROFILES) + 2 :]
    assert [title.split()[0] for title in titles] == head.split() == list(PROFILES)
    assert [row.split()[0] for row in rows] == FACTS
    cap = next(row for row in rows if row.startswith("max_age_cap "))
    assert cap.split()[1:] == ["31,536,000", "3,153,600,000", "2^63-1", "2^63-1", "2^63-1", "2^63-1", "None"]


def test_columns_stand_below_each_other(run: Run) -> None:
    head, *rows = run("profiles", "--profile", "wget", "--profile", "chrome").lines[3:]
    assert [len(row) > head.index("chrome") for row in rows] == [True] * len(FACTS)
    assert all(row[head.index("chrome") - 2 : head.index("chrome")] == "  " for row in rows)
    assert all(row[head.index("chrome")] != " " for row in rows)


@pytest.mark.parametrize("columns", [40, 80, 100])
def test_a_narrow_terminal_gets_each_fact_above_its_values(columns: int) -> None:
    said = ESCAPES.sub("", on_terminal(columns, "profiles"))
    assert "\nmax_age_cap\n  31,536,000     chrome\n" in said
    assert "\npreload_bypass\n  none  all\n" in said
    if columns >= 80:
        assert max(map(len, said.splitlines())) <= columns


def test_a_wide_terminal_gets_the_table() -> None:
    assert ESCAPES.sub("", on_terminal(200, "profiles")).splitlines() == [
        line.rstrip()
        for line in subprocess.run(program("profiles"), capture_output=True, text=True, check=True).stdout.split(
            "\n"
        )[:-1]
    ]


def test_columns_in_the_environment_go_before_the_terminals() -> None:
    assert on_terminal(80, "profiles", COLUMNS="200") == on_terminal(200, "profiles")
    assert on_terminal(200, "profiles", COLUMNS="80") == on_terminal(80, "profiles")


def test_sources_say_what_a_fact_means_and_where_each_value_is_from(run: Run) -> None:
    ran = run("profiles", "--sources", "--profile", "chrome", "--profile", "rfc6797", "--profile", "curl")
    assert ran.status == 0
    text = ran.out
    assert (
        "\nfields\n"
        "  Which Strict-Transport-Security fields of a response count.\n"
        "  first\n"
        f"    chrome: {PROFILES['chrome'].sources['fields']}\n"
        f"    rfc6797: {PROFILES['rfc6797'].sources['fields']}\n"
        "  every\n"
        f"    curl: {PROFILES['curl'].sources['fields']}\n" in text
    )
    for profile in ("chrome", "rfc6797", "curl"):
        for source in PROFILES[profile].sources.values():
            assert f": {source}\n" in text


def test_every_fact_has_its_meaning(run: Run) -> None:
    blocks = run("profiles", "--sources", "--profile", "chrome").out.rstrip("\n").split("\n\n")[1:]
    assert [block.split("\n")[0] for block in blocks] == FACTS
    assert all(block.split("\n")[1].endswith((".", ").")) for block in blocks)


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_sources_are_broken_between_words_on_a_terminal(columns: int) -> None:
    said = ESCAPES.sub("", on_terminal(columns, "profiles", "--sources")).splitlines()
    assert all(len(line) <= columns or len(line.split()) == 1 for line in said)


def test_json_has_an_object_for_each_profile_with_plain_values(run: Run) -> None:
    objects = run("profiles", "--json").objects
    assert [told["name"] for told in objects] == list(PROFILES)
    for told in objects:
        profile = PROFILES[told["name"]]
        assert list(told) == ["name", "title", "fields"]
        assert told["title"] == profile.title
        assert list(told["fields"]) == FACTS
        for field, fact in told["fields"].items():
            assert list(fact) == ["value", "source"]
            assert fact["source"] == profile.sources[field]
            if field not in ("grammar", "preload_bypass"):
                assert fact["value"] == getattr(profile, field)
    chrome = objects[0]["fields"]
    assert chrome["grammar"]["value"] == "chrome"
    assert chrome["preload_bypass"]["value"] == []


@pytest.mark.parametrize("words", [("profiles",), ("profiles", "diff")], ids=" ".join)
def test_an_unknown_profile_is_told_the_known_ones(run: Run, words: tuple[str, ...]) -> None:
    ran = run(*words, "--profile", "lynx")
    assert ran.status == 2
    assert ran.out == ""
    (complaint,) = ran.complaints
    assert all(name in complaint for name in [*PROFILES, "lynx"])


@pytest.mark.parametrize("words", [("profiles",), ("profiles", "diff")], ids=" ".join)
def test_help_shows_exit_statuses_the_json_and_examples(run: Run, words: tuple[str, ...]) -> None:
    ran = run(*words, "--help")
    assert ran.status == 0
    assert all(text in ran.out for text in ("exit status: 0", "--json: ", "examples:"))
    assert max(len(line) for line in ran.lines) <= 100


def test_the_examples_in_the_help_run(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shlex

    monkeypatch.chdir(tmp_path)
    Path("headers.txt").write_text("max-age=1\n")
    for words in (("profiles",), ("profiles", "diff")):
        examples = run(*words, "--help").out.partition("examples:\n")[2].splitlines()
        assert len(examples) >= 3
        for example in examples:
            assert run(*shlex.split(example)[1:]).status in (0, 1), example


def test_options_may_stand_before_or_after_the_word_diff(run: Run) -> None:
    before = run("profiles", "--json", "--profile", "curl", "diff", "max-age=1")
    after = run("profiles", "diff", "--json", "--profile", "curl", "max-age=1")
    assert before == after
    assert [*after.objects[0]["outcomes"]] == ["curl"]


# The comparison.


def test_without_arguments_the_telling_headers_and_hosts_are_compared(run: Run) -> None:
    objects = run("profiles", "diff", "--json").objects
    headers, hosts = objects[: len(TELLING_HEADERS)], objects[len(TELLING_HEADERS) :]
    assert [told["headers"] for told in headers] == [
        [header] if isinstance(header, str) else list(header) for header in TELLING_HEADERS
    ]
    assert {(told["host"], told["asked"]) for told in headers} == {("example.com", "example.com")}
    assert [(told["host"], told["asked"]) for told in hosts] == [
        (host, host) if isinstance(host, str) else host for host in TELLING_HOSTS
    ]
    assert {tuple(told["headers"]) for told in hosts} == {("max-age=31536000; includeSubDomains",)}


def test_json_has_the_documented_shape(run: Run) -> None:
    ran = run("profiles", "diff", "--json", "max-age=1abc", "--profile", "chrome", "--profile", "curl")
    assert ran.status == 1
    assert ran.objects == [
        {
            "headers": ["max-age=1abc"],
            "host": "example.com",
            "asked": "example.com",
            "differs": True,
            "outcomes": {
                "chrome": {
                    "effect": "ignore",
                    "code": "max-age-not-digits",
                    "max_age": None,
                    "include_subdomains": None,
                    "location": None,
                },
                "curl": {
                    "effect": "set",
                    "code": "",
                    "max_age": 1,
                    "include_subdomains": False,
                    "location": "https://example.com/",
                },
            },
        }
    ]


def test_a_piped_table_has_one_line_a_header(run: Run) -> None:
    ran = run("profiles", "diff", "max-age=99999999", "max-age=1x", "--profile", "chrome", "--profile", "wget")
    assert ran.lines == [
        "header            chrome    wget",
        "max-age=99999999  365 days  99999999 s",
        "max-age=1x        ignore    1 second",
    ]


def test_a_narrow_terminal_gets_each_header_above_its_outcomes() -> None:
    said = ESCAPES.sub("", on_terminal(80, "profiles", "diff"))
    assert max(map(len, said.splitlines())) <= 80
    assert (
        "max-age=86400abc\n"
        "  ignore  chrome, firefox, rfc6797\n"
        "  1 day   curl, curl-7.88, wget, wget-1.21\n" in said
    )
    assert "max-age=31536000; includeSubDomains\n  365 days +sub  all\n" in said


def test_a_wide_terminal_gets_the_same_table_as_a_pipe(run: Run) -> None:
    said = ESCAPES.sub("", on_terminal(200, "profiles", "diff"))
    assert said == run("profiles", "diff").out
    assert max(map(len, said.splitlines())) <= 200


def test_the_table_is_there_as_soon_as_it_fits() -> None:
    words = ("profiles", "diff", "--profile", "chrome", "--profile", "curl", "max-age=1x; includeSubDomains")
    table = ESCAPES.sub("", on_terminal(200, *words))
    width = max(len(line) for line in table.splitlines())
    assert ESCAPES.sub("", on_terminal(width, *words)) == table
    assert ESCAPES.sub("", on_terminal(width - 1, *words)) == (
        "max-age=1x; includeSubDomains\n  ignore         chrome\n  1 second +sub  curl\n"
    )


def test_on_a_terminal_what_all_treat_alike_is_dim_and_refusals_are_red() -> None:
    said = on_terminal(200, "profiles", "diff", "max-age=1", "max-age=1x")
    assert "\x1b[2m1 second\x1b[0m" in said
    assert "\x1b[31mignore\x1b[0m" in said
    assert "\x1b" not in on_terminal(200, "profiles", "diff", "max-age=1x", NO_COLOR="1")


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["max-age=1"], 0),
        (["max-age=1", "max-age=1x"], 1),
        (["max-age=1x", "--profile", "curl"], 0),
        (["max-age=1x", "--host", "a/b", "--host", "a"], 2),
        (["max-age=1", "--host", "a/b"], 2),
        ([], 1),
        (["--no-such-option"], 2),
    ],
    ids=["alike", "different", "one profile", "bad host", "only a bad host", "built-in", "usage"],
)
def test_the_exit_status_says_whether_they_agree(run: Run, words: list[str], status: int) -> None:
    assert run("profiles", "diff", *words).status == status


def test_only_differences_leaves_out_the_rest_and_keeps_the_status(run: Run) -> None:
    ran = run("profiles", "diff", "--only-differences", "--json")
    assert ran.status == 1
    assert all(told["differs"] for told in ran.objects)
    assert 0 < len(ran.objects) < len(TELLING_HEADERS) + len(TELLING_HOSTS)
    alike = run("profiles", "diff", "--only-differences", "max-age=1")
    assert (alike.status, alike.out) == (0, "")


def test_only_differences_shows_no_row_whose_texts_are_all_the_same(run: Run) -> None:
    for line in run("profiles", "diff", "--only-differences").lines:
        cells = re.split(r"  +", line)
        if len(cells) == len(PROFILES) + 1 and cells[1:] != list(PROFILES):
            assert len(set(cells[1:])) > 1


def test_a_bad_host_is_said_in_one_line_and_the_rest_is_compared(run: Run) -> None:
    ran = run("profiles", "diff", "--host", "a/b", "--host", "localhost", "--host", "a,:", "--json", "max-age=5")
    assert ran.status == 2
    assert [told["host"] for told in ran.objects] == ["localhost"]
    assert [("'a/b'" in complaint, "':'" in complaint) for complaint in ran.complaints] == [
        (True, False),
        (False, True),
    ]


def test_a_host_may_name_what_is_asked_after_a_comma(run: Run) -> None:
    words = ("--host", "example.com:8443,example.com", "--profile", "chrome", "--profile", "wget")
    ran = run("profiles", "diff", *words, "--json")
    (told,) = ran.objects
    assert (told["headers"], told["host"], told["asked"]) == (
        ["max-age=31536000; includeSubDomains"],
        "example.com:8443",
        "example.com",
    )
    assert run("profiles", "diff", *words).lines == [
        "max-age=31536000; includeSubDomains, by host",
        "host                            chrome    wget",
        "example.com:8443 → example.com  upgraded  no upgrade",
    ]


def test_where_the_urls_differ_they_are_shown(run: Run) -> None:
    words = ("--host", "a.example,a.example:80", "--profile", "chrome", "--profile", "curl")
    assert run("profiles", "diff", *words).lines[-1].split("  ") == [
        "a.example → a.example:80",
        "https://a.example/",
        "https://a.example:80/",
    ]
    several = run("profiles", "diff", *words, "max-age=5", "max-age=99999999").lines
    assert re.split(r"  +", several[-1])[-2:] == [
        "365 days, https://a.example/",
        "99999999 s, https://a.example:80/",
    ]


def test_headers_and_hosts_are_all_combined(run: Run) -> None:
    ran = run("profiles", "diff", "--host", "a", "--host", "b,c", "--profile", "curl", "max-age=1", "max-age=2")
    assert [line.split("  ")[:2] for line in ran.lines[1:]] == [
        ["max-age=1", "a"],
        ["max-age=1", "b → c"],
        ["max-age=2", "a"],
        ["max-age=2", "b → c"],
    ]


def test_several_lines_in_one_argument_are_the_fields_of_one_response(run: Run) -> None:
    folded = "Strict-Transport-Security: max-age=1\r\nstrict-transport-security:max-age=2;\n includeSubDomains"
    (told,) = run("profiles", "diff", "--json", folded).objects
    assert told["headers"] == ["max-age=1", "max-age=2;\n includeSubDomains"]
    assert run("profiles", "diff", "max-age=1\nmax-age=2").lines[1].startswith("max-age=1 ⏎ max-age=2  1 second")


HEADERS = b"max-age=1abc\n\nStrict-Transport-Security:  max-age=5 \r\n\xff\x1b[2J\nmax-age=7"


@pytest.mark.parametrize("how", ["file", "stdin", "stdin as file"])
def test_headers_come_one_a_line(run: Run, tmp_path: Path, how: str) -> None:
    path = tmp_path / "headers.txt"
    path.write_bytes(HEADERS)
    words = {"file": ["--file", str(path)], "stdin": ["-"], "stdin as file": ["--file", "-"]}[how]
    ran = run("profiles", "diff", "--json", *words, stdin=HEADERS)
    assert [told["headers"] for told in ran.objects] == [
        ["max-age=1abc"],
        ["max-age=5"],
        ["\udcff\x1b[2J"],
        ["max-age=7"],
    ]
    assert ran.status == 1
    assert ran.err == ""


@pytest.mark.parametrize("header", ["\x00\x1b[2J", "é" * 10, "\udcff", ""], ids=ascii)
def test_any_header_is_compared_and_printed_on_its_line(run: Run, header: str) -> None:
    ran = run("profiles", "diff", "--", header)
    assert ran.status == 0
    assert len(ran.lines) == 2
    assert "\x1b" not in ran.out
    assert not ran.lines[1].startswith(" ")


def test_a_file_that_cannot_be_read_is_said_and_the_rest_is_compared(run: Run, tmp_path: Path) -> None:
    ran = run(
        *("profiles", "diff", "--json", "max-age=1", "--file", str(tmp_path), "--file", f"{tmp_path}/missing"),
        *("--file", "a\0b", "--file", "-"),
        stdin=b"max-age=2",
    )
    assert ran.status == 2
    assert [told["headers"] for told in ran.objects] == [["max-age=1"], ["max-age=2"]]
    assert len(ran.complaints) == 3
    assert "No such file" in ran.complaints[1]


def test_a_line_longer_than_any_response_is_said_and_passed_over(run: Run) -> None:
    ran = run("profiles", "diff", "--json", "-", stdin=b"x" * 2_000_000 + b"\nmax-age=1\n")
    assert ran.status == 2
    assert [told["headers"] for told in ran.objects] == [["max-age=1"]]
    assert "stdin:1: " in ran.err


def test_a_long_header_is_cut_short_in_a_table(run: Run) -> None:
    assert "(5000 characters)" in run("profiles", "diff", "x" * 5000).out
    assert len(run("profiles", "diff", "x" * 5000).lines[1]) < 600


def test_a_closed_pipe_ends_silently(tmp_path: Path) -> None:
    path = tmp_path / "headers.txt"
    path.write_text("max-age=1abc\n" * 5000)
    for words in (["--json"], []):
        with subprocess.Popen(
            program("profiles", "diff", "--file", str(path), *words),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as running:
            assert running.stdout is not None
            assert running.stderr is not None
            running.stdout.readline()
            running.stdout.close()
            assert running.stderr.read() == b""
            assert running.wait(timeout=60) == 141


def test_a_long_file_is_read_as_it_comes(tmp_path: Path) -> None:
    with subprocess.Popen(
        program("profiles", "diff", "--profile", "curl", "-"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write("max-age=1\n" * 5000)
        running.stdin.flush()
        assert running.stdout.readline().split() == ["header", "curl"], "before the input has ended"
        running.stdin.close()
        running.stdout.read()


def test_the_built_in_comparison_shows_only_what_the_json_says(run: Run) -> None:
    """Each cell of the first table is the outcome of the same place in JSON."""
    rows = run("profiles", "diff").lines[1 : len(TELLING_HEADERS) + 1]
    objects: list[dict[str, Any]] = run("profiles", "diff", "--json").objects
    for row, told in zip(rows, objects, strict=False):
        cells = re.split(r"  +", row.rstrip())[-len(PROFILES) :]
        effects = [outcome["effect"] for outcome in told["outcomes"].values()]
        expected = {"ignore": "ignore", "delete": "delete|0 seconds", "set": r"[0-9].*"}
        assert all(re.fullmatch(expected[e], c) for e, c in zip(effects, cells, strict=True)), (
            row,
            json.dumps(told),
        )
