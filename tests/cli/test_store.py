"""`hstssim store` and `hstssim convert`."""

from __future__ import annotations

import json
import os
import re
import shlex
import stat
from pathlib import Path

import pytest
from freezegun import freeze_time

from hstssim.cli.options import default_store
from hstssim.formats import FORMATS, read
from tests.cli.conftest import Run

YEAR = "max-age=31536000; includeSubDomains"
WGET = "# HSTS 1.0 Known Hosts database for GNU Wget.\nexample.com\t0\t1\t1790000000\t31536000\n"


def test_what_is_noted_is_listed_and_asked_for(run: Run) -> None:
    noted = run("store", "note", "www.Example.com", YEAR)
    assert noted.status == 0
    assert noted.lines == ["www.example.com  365 days left, until 2027-11-23T20:20:00Z  includeSubDomains"]
    assert run("store", "list").lines == noted.lines
    asked = run("query", "a.www.example.com")
    assert asked.status == 0
    assert "superdomain match www.example.com (dynamic" in asked.out
    assert run("query", "--no-store", "a.www.example.com").status == 1
    assert run("query", "--no-store", "--store", "x", "a.test").status == 2
    path = default_store()
    assert path is not None
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert run("store", "clear").lines == ["1 entry forgotten"]
    assert run("store", "list").err.endswith("hsts.sqlite has no entries\n")


def test_the_short_way_to_the_default_store_is_the_librarys(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for home in (str(tmp_path / "a"), ""):
        monkeypatch.setenv("XDG_STATE_HOME", home)
        monkeypatch.setenv("HOME", str(tmp_path))
        path = default_store()
        assert path is not None
        assert default_store(only_if_there=True) is None
        os.makedirs(os.path.dirname(path))
        Path(path).touch()
        assert default_store(only_if_there=True) == path


@pytest.mark.parametrize("name", ["hsts.sqlite", "curl-hsts", "wget-hsts", "TransportSecurity"])
def test_each_action_works_on_a_file_of_any_format(run: Run, name: str, tmp_path: Path) -> None:
    of = ("--store", str(tmp_path / name))
    assert run("store", "note", *of, "a.test", YEAR).status == 0
    assert run("store", "add", *of, "b.test", "c.test", "--expiry", "+10d").status == 0
    assert run("store", "remove", *of, "b.test").out == "b.test  forgotten\n"
    assert run("store", "remove", *of, "b.test").status == 1
    assert run("store", "note", *of, "d.test", "max-age=x").status == 1
    assert run("query", *of, "www.a.test", "c.test").status == 0
    listed = run("store", "list", *of, "--json", "--no-preload")
    assert listed.status == 0
    assert sorted(entry["remaining"] for entry in listed.objects) == [864_000, 31_536_000]
    assert run("store", "clear", *of, "--expired").lines == ["0 entries forgotten"]
    assert run("store", "clear", *of, "--before", "+1d").lines == ["2 entries forgotten"]


def test_the_list_is_sorted_as_asked(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "hsts"
    path.write_text('b.test "20280101"\n.a.test "unlimited"\na.example "20270101"\nold.test "20260101"\n')
    of = ("--store", str(path))
    assert [line.split()[0] for line in run("store", "list", *of).lines] == [
        "a.example",
        "a.test",
        "b.test",
        "old.test",
    ]
    by_expiry = run("store", "list", *of, "--sort", "expiry").lines
    assert [line.split()[0] for line in by_expiry] == ["old.test", "a.example", "b.test", "a.test"]
    assert by_expiry[0].split(maxsplit=1)[1] == "expired 326 days ago"
    assert by_expiry[-1].split(maxsplit=1)[1] == "for ever  includeSubDomains"
    first = run("store", "list", *of, "--json").objects[1]
    assert first == {
        "domain": "a.test",
        "include_subdomains": True,
        "last_observed": None,
        "expiry": None,
        "remaining": None,
        "port": None,
        "top_level_site": None,
        "knock_out": False,
        "name_hash": None,
    }


def test_hashed_names_are_listed_by_candidates(run: Run, tmp_path: Path) -> None:
    of = ("--store", str(tmp_path / "TransportSecurity"))
    run("store", "add", *of, "github.com", "mine.test")
    listed = run("store", "list", *of).lines
    assert listed[0].startswith("github.com ")
    assert listed[1].startswith("(hash ")
    (tmp_path / "names").write_text("# mine\nmine.test\nother.test\n")
    assert run("store", "list", *of, "--names", str(tmp_path / "names")).lines[1].startswith("mine.test ")
    assert run("store", "list", *of, "--names", "/nowhere").status == 2
    curl = str(tmp_path / "curl-hsts")
    converted = run("convert", of[1], curl)
    assert converted.status == 1
    assert "1 entry (first " in converted.err
    assert "only the hashes are known" in converted.err
    assert run("convert", of[1], curl, "--force", "--names", str(tmp_path / "names")).status == 0
    assert {known.domain for known in read(curl, 0.0).entries.values()} == {"github.com", "mine.test"}


@pytest.mark.parametrize("form", FORMATS)
def test_any_format_is_made_of_wgets(run: Run, form: str, tmp_path: Path) -> None:
    source, target = tmp_path / ".wget-hsts", tmp_path / "made"
    source.write_text(WGET.replace("example.com", "github.com"))  # which Chromium's list can name
    converted = run("convert", str(source), str(target), "--to", form)
    assert converted.status == 0
    assert converted.complaints[-1] == f"hstssim convert: 1 of 1 entries from wget to {form}"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert run("query", "--no-preload", "--store", str(target), "www.github.com").status == 0
    back = run("convert", str(target), "-", "--to", "wget")
    assert back.status == 0
    assert back.out.splitlines()[-1].split()[:3] == ["github.com", "0", "1"]


def test_what_is_there_is_not_replaced_unasked(run: Run, tmp_path: Path) -> None:
    source, target = tmp_path / ".wget-hsts", tmp_path / "curl-hsts"
    source.write_text(WGET)
    target.write_text('other.test "unlimited"\n')
    refused = run("convert", str(source), str(target))
    assert refused.status == 2
    assert "has 1 entries already: --merge adds to them, --force replaces them" in refused.err
    assert target.read_text() == 'other.test "unlimited"\n'
    assert run("convert", str(source), str(target), "--merge").status == 0
    assert len(read(str(target), 0.0).entries) == 2
    assert run("convert", str(source), str(target), "--force").status == 0
    assert len(read(str(target), 0.0).entries) == 1


def test_what_a_format_cannot_hold_is_said(run: Run, tmp_path: Path) -> None:
    store = str(tmp_path / "all.sqlite")
    run("store", "add", "--store", store, "a.test", "--expiry", "never")
    run("store", "add", "--store", store, "10.0.0.1")
    run("store", "add", "--store", store, "--profile", "wget", "--port", "8080", "b.test")
    run("store", "add", "--store", store, "--profile", "firefox", "--top-level-site", "shop.test", "c.test")
    said = {
        "curl": ["keeps no entries by port", "for the pages of another site", "when they were last observed"],
        "wget": ["end in the year 9999", "keeps no IP addresses", "for the pages of another site"],
        "chrome": ["end in the year 9999", "keeps no entries by port", "for the pages of another site"],
        "firefox": ["keeps no entries by port", "only in the pages of their own site"],
    }
    for form, words in said.items():
        converted = run("convert", store, str(tmp_path / form), "--to", form)
        assert converted.status == 1
        for word in words:
            assert word in converted.err, form
    assert run("convert", store, str(tmp_path / "copy"), "--to", "hstssim").status == 0
    assert read(str(tmp_path / "copy"), 0.0).entries == read(store, 0.0).entries


BAD = {
    "no such file": (["convert", "/nowhere/a", "x", "--to", "curl"], "must be readable"),
    "no such format": (["convert", "x", "y", "--to", "netscape"], "--to is one of"),
    "no format at all": (["convert", "SOURCE", "TARGET"], "--to says which format"),
    "no folder": (["convert", "SOURCE", "/nowhere/x", "--to", "curl"], "its folder too"),
    "bad host": (["store", "add", "--store", "TARGET", "a/b"], "a Known HSTS Host is"),
    "bad time": (["store", "add", "--store", "TARGET", "a.test", "--expiry", "soon"], "a time is"),
    "bad header host": (["store", "note", "--store", "TARGET", "a/b", "max-age=1"], "a host is"),
    "a folder": (["store", "add", "--store", "/", "a.test"], "it is a folder"),
    "two bounds": (["store", "clear", "--store", "TARGET", "--expired", "--since", "+1d"], "goes without"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_one_line_and_status_2(run: Run, kind: str, tmp_path: Path) -> None:
    words, says = BAD[kind]
    (tmp_path / "s").write_text(WGET)
    places = {"SOURCE": str(tmp_path / "s"), "TARGET": str(tmp_path / "t")}
    ran = run(*(places.get(word, word) for word in words))
    assert ran.status == 2
    assert len(ran.complaints) == 1
    assert says in ran.err


def test_a_bad_host_does_not_stop_the_others(run: Run, tmp_path: Path) -> None:
    path = str(tmp_path / "curl-hsts")
    assert run("store", "add", "--store", path, "a.test", "b/c", "d.test").status == 2
    assert len(read(path, 0.0).entries) == 2


def test_listing_and_asking_write_nothing(run: Run, tmp_path: Path) -> None:
    for name in ("hsts.sqlite", "curl-hsts"):
        path = tmp_path / name
        run("store", "add", "--store", str(path), "a.test", "--expiry", "+1d")
        before = path.read_bytes(), sorted(os.listdir(tmp_path))
        for words in (["store", "list"], ["query", "a.test"], ["explain", "a.test"]):
            run(words[0], *words[1:], "--store", str(path), "--at", "+9d")
        assert (path.read_bytes(), sorted(os.listdir(tmp_path))) == before
    assert run("store", "list").status == 0
    assert default_store(only_if_there=True) is None


def test_a_list_of_five_thousand(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "hsts"
    path.write_text("".join(f'h{number}.test "20280101"\n' for number in range(5000)))
    listed = run("store", "list", "--store", str(path))
    assert len(listed.lines) == 5000
    assert listed.status == 0


def test_json_says_what_was_done(run: Run) -> None:
    assert run("store", "note", "--json", "a.test", YEAR).objects[0]["remaining"] == 31_536_000
    assert run("store", "note", "--json", "a.test", "max-age=0").objects == [{"domain": "a.test", "removed": True}]
    assert run("store", "add", "--json", "b.test").objects[0]["domain"] == "b.test"
    assert run("store", "remove", "--json", "b.test", "c.test").objects == [
        {"domain": "b.test", "removed": True},
        {"domain": "c.test", "removed": False},
    ]
    assert json.loads(run("store", "clear", "--json").out) == {"removed": 0}


README = Path(__file__).parent.parent.parent / "README.md"


def test_the_readmes_session_prints_what_it_shows(run: Run) -> None:
    (session,) = re.findall(r"```text\n(\$ hstssim store note.*?)```", README.read_text("utf-8"), re.DOTALL)
    steps = re.findall(r"^\$ hstssim (.*)\n((?:(?!\$ ).*\n)*)", session, re.MULTILINE)
    assert len(steps) == 5
    with freeze_time("2026-11-23T21:00:00Z"):
        for command, output in steps:
            assert run(*shlex.split(command)).out == output


def test_the_readme_names_every_format() -> None:
    assert [name for name in FORMATS if f"| `{name}` |" not in README.read_text("utf-8")] == []
