from __future__ import annotations

import base64
import gzip
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Run

LIST = Path(__file__).resolve().parents[2] / "preload"
JSON = """{
  // the list
  "entries": [
    {"name": "b.test", "policy": "test", "mode": "force-https", "include_subdomains": true},
    /* taken out */ {"name": "c.b.test", "policy": "test"},
    {"name": "a.test", "policy": "custom", "mode": "force-https"}
  ]
}
"""


def test_info_tells_the_version_the_age_and_what_is_in_it(run: Run) -> None:
    ran = run("preload", "info")
    assert ran.status == 0
    told = dict(line.split("  ", 1) for line in ran.lines)
    assert told["version"].strip() == "156.0.8078.79"
    assert told["date"].strip() == "2026-10-28T20:20:00Z, 26 days old"
    assert told["entries"].strip() == "94,778"
    assert "Chrome would ignore it" in run("preload", "info", "--at", "2027-01-06T20:20:00Z").out
    assert "Chrome would ignore it" not in run("preload", "info", "--at", "2027-01-06T20:19:59Z").out


def test_info_as_json(run: Run) -> None:
    (facts,) = run("preload", "info", "--json").objects
    assert facts["entries"] == 94_778
    assert facts["labels"] == {"1": 51, "2": 86_504, "3": 8_070, "4": 153}
    assert facts["age_days"] == 26
    assert facts["sha256"] == hashlib.sha256((LIST / "chromium.txt").read_bytes()).hexdigest()


def test_the_folder_tells_the_digest_of_the_list() -> None:
    assert hashlib.sha256((LIST / "chromium.txt").read_bytes()).hexdigest() in (LIST / "README.md").read_text(
        "utf-8"
    )


def test_a_list_built_from_json_is_deterministic_and_answers(run: Run, tmp_path: Path) -> None:
    source, made = tmp_path / "list.json", tmp_path / "list.txt"
    source.write_text(JSON)
    ran = run("preload", "build", str(source), "-o", str(made), "--version", "1", "--date", "2026-11-01")
    assert ran.status == 0
    assert made.read_text().splitlines()[2:] == [
        "# entries: 3",
        "# version: 1",
        "# date: 2026-11-01",
        "# licence: BSD-3-Clause, Copyright 2012 The Chromium Authors",
        "a.test host-only",
        "b.test",
        "c.b.test host-only off",
    ]
    again = run("preload", "build", "-", "--version", "1", "--date", "2026-11-01", stdin=JSON.encode())
    assert again.out == made.read_text()
    answers = run("query", "--json", "--preload", str(made), "a.test", "x.a.test", "x.b.test", "c.b.test").objects
    assert [answer["upgraded"] for answer in answers] == [True, False, True, False]
    assert answers[3]["reason"] == "negative-entry"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["list.json", "list.txt"]


def test_the_bundled_list_is_rebuilt_from_its_own_text(run: Run) -> None:
    head = dict(line[2:].split(": ", 1) for line in (LIST / "chromium.txt").read_text().splitlines()[3:7])
    options = ["--version", head["version"], "--date", head["date"], "--source-text", head["source"], "--licence"]
    options.append(head["licence"])
    ran = run("preload", "build", str(LIST / "chromium.txt"), *options)
    assert ran.out.encode() == (LIST / "chromium.txt").read_bytes()


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("{", "JSON is required"),
        ('{"entries": 1}', "a list `entries` is required"),
        ('{"entries": [{"name": "a.test"}, {"policy": "test"}]}', "`policy` is one of"),
        ('{"entries": [{"name": "A.test", "policy": "test"}]}', "is not in canonical form"),
        ("a.test\na.test\n", "a.test comes twice"),
        ("a.test maybe\n", "1 or 0 for include_subdomains"),
        ("", "no entry at all"),
    ],
    ids=["json", "no list", "policy", "upper case", "twice", "table", "empty"],
)
def test_a_bad_source_is_said_and_nothing_is_written(run: Run, tmp_path: Path, source: str, says: str) -> None:
    made = tmp_path / "list.txt"
    made.write_text("old")
    ran = run("preload", "build", "-", "-o", str(made), stdin=source.encode())
    assert ran.status == 2
    assert says in ran.err
    assert made.read_text() == "old"


def test_many_complaints_are_cut_short(run: Run) -> None:
    entries = json.dumps({"entries": [{"name": f"n{number}.test"} for number in range(50)]})
    ran = run("preload", "build", "-", stdin=entries.encode())
    assert len(ran.complaints) == 21
    assert ran.complaints[-1] == "hstssim preload build: and 30 more"


def test_a_damaged_list_says_what_was_expected_and_seen(run: Run, tmp_path: Path) -> None:
    damaged = tmp_path / "list.txt"
    data = bytearray((LIST / "chromium.txt").read_bytes())
    data[700_000] ^= 1
    damaged.write_bytes(data)
    for words in (["query", "--preload", str(damaged), "a.test"], ["preload", "info", "--preload", str(damaged)]):
        ran = run(*words)
        assert ran.status == 2
        assert "CRC-32" in ran.err


def test_a_source_gives_the_same_bytes_however_it_is_packed(run: Run) -> None:
    made = run("preload", "build", "-", stdin=JSON.encode()).out
    assert "# licence: BSD-3-Clause" in made
    for packed in (gzip.compress(JSON.encode()), base64.encodebytes(JSON.encode())):
        assert run("preload", "build", "-", stdin=packed).out == made


def test_what_a_source_holds_cannot_forge_lines(run: Run) -> None:
    source = json.dumps({"entries": [{"name": "a\nhstssim: all is well\x1b[2J", "policy": "x"}]})
    ran = run("preload", "build", "-", stdin=source.encode())
    assert ran.status == 2
    assert "\x1b" not in ran.err
    assert all(line.startswith("hstssim preload build: ") for line in ran.complaints)
