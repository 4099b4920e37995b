"""State files that real programs wrote are read as they meant them; what we write is honoured by them.

That curl, wget, Chromium and Firefox honour what we write is `test_lookups`, whose files our formats make.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from hstssim import HSTSStore, open_store
from hstssim.cli import main
from hstssim.formats import FORMATS, read, write
from hstssim.profile import PROFILES
from hstssim.store import KnownHost
from tests.oracle.programs import PROGRAMS, SITE, Curl, Program, Wget
from tests.oracle.servers import Authority, Internet
from tests.programs import missing, need

pytestmark = [pytest.mark.oracle, pytest.mark.allow_hosts(["127.0.0.1"])]

NOW = float(int(time.time()))
FIELDS = {
    f"plain.{SITE}": [b"max-age=31536000"],
    f"tree.{SITE}": [b"max-age=1000; includeSubDomains"],
    f"gone.{SITE}": [b"max-age=0"],
}


def test_what_a_program_wrote_is_read(program: Program, tmp_path: Path) -> None:
    urls = [f"https://{host}/{number}" for number, host in enumerate(FIELDS)]
    before = [
        KnownHost(f"gone.{SITE}", True, NOW - 10, NOW + 10_000),
        KnownHost(f"kept.{SITE}", True, NOW, NOW + 10_000),
    ]
    theirs = program.visit(tmp_path, before, [*urls, f"http://kept.{SITE}/x"], FIELDS).known

    store = HSTSStore(profile=PROFILES[program.profile])
    content = read(str(program.state(tmp_path)), NOW)
    assert content.complaints == []
    store.load(content.entries.values())
    names = {f"{name}.{SITE}" for name in ("plain", "tree", "gone", "kept", "page")}
    ours = {name: known for name in names if (known := store.get(name, top_level_site=SITE))}
    assert ours.keys() == theirs.keys()
    for name, known in ours.items():
        assert known.include_subdomains == theirs[name].include_subdomains
        assert known.expiry == pytest.approx(theirs[name].expiry, abs=0.001)


def test_a_store_on_a_programs_own_file_adds_to_it(program: Program, tmp_path: Path) -> None:
    """The program's file, our change, the program again."""
    urls = [f"https://plain.{SITE}/0"]
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    program.visit(first, [], urls, FIELDS)
    profile = PROFILES[program.profile]
    with open_store(program.state(first), profile=profile) as store:
        assert store.complaints == []
        store.add(
            f"added.{SITE}", include_subdomains=True, top_level_site=SITE if profile.key != "domain" else None
        )
        added = store.get(f"added.{SITE}", top_level_site=SITE)
        assert added is not None
    state = program.state(first).read_bytes()

    asked = [f"http://plain.{SITE}/1", f"http://www.added.{SITE}/2", f"http://other.{SITE}/3"]
    names = {f"plain.{SITE}", f"www.added.{SITE}", f"other.{SITE}", f"page.{SITE}"}
    authority = Authority(second, sorted(names))
    program.write(second, [])
    program.state(second).write_bytes(state)
    from tests.oracle.programs import _page

    with Internet(authority, {}, _page(asked)) as internet:
        program.run(second, internet, asked)
    reached = {arrival.path: arrival.secure for arrival in internet.arrivals if arrival.path in ("/1", "/2", "/3")}
    assert reached == {"/1": True, "/2": True, "/3": False}


def test_wgets_own_file_makes_curl_switch_to_https(tmp_path: Path) -> None:
    need("wget", "curl")
    learned, used = tmp_path / "learned", tmp_path / "used"
    learned.mkdir()
    used.mkdir()
    Wget().visit(learned, [], [f"https://tree.{SITE}/0"], FIELDS)
    assert main(["convert", str(learned / "hsts"), "--to", "curl", str(used / "hsts")]) == 0
    asked = [f"http://www.tree.{SITE}/1"]
    authority = Authority(used, [f"www.tree.{SITE}"])
    with Internet(authority, {}) as internet:
        Curl().run(used, internet, asked)
    assert [(arrival.secure, arrival.path) for arrival in internet.arrivals if arrival.path == "/1"] == [
        (True, "/1")
    ]


def test_wget2_honours_what_we_write(tmp_path: Path) -> None:
    """It says what it does with HSTS, and then finds no proxy: no test server here is one to its liking."""
    need("wget2")
    entries = [
        KnownHost("tree.test", True, NOW, NOW + 9999),
        KnownHost("leaf.test", False, NOW, NOW + 9999),
        KnownHost("old.test", True, NOW - 9, NOW - 5),
        KnownHost("far.test", False, NOW, float("inf")),
    ]
    state = tmp_path / "wget-hsts"
    losses = write(str(state), entries, FORMATS["wget2-1.99"], NOW)
    assert [loss.known.domain for loss in losses] == ["far.test"]
    store = HSTSStore()
    store.load(entries)
    words = ["wget2", "--no-config", "--debug", "--hsts", f"--hsts-file={state}", "--tries=1", "-O", "/dev/null"]
    words += ["--http-proxy=http://127.0.0.1:9", "--https-proxy=http://127.0.0.1:9"]
    for host in ("tree.test", "www.tree.test", "leaf.test", "www.leaf.test", "old.test", "far.test"):
        done = subprocess.run(
            [*words, f"http://{host}/"], cwd=tmp_path, check=False, timeout=60, capture_output=True, text=True
        )
        effect = f"HSTS in effect for {host}" in done.stdout + done.stderr
        assert effect == (store.match(host) is not None), host


SOUP = """
import sys, gi
gi.require_version("Soup", "3.0")
from gi.repository import Gio, Soup
enforcer = Soup.HSTSEnforcerDB.new(sys.argv[1])
for name in sys.argv[2].split():
    enforcer.set_policy(Soup.HSTSPolicy.new(name, 1000, True))
session = Soup.Session(proxy_resolver=Gio.SimpleProxyResolver.new("http://127.0.0.1:9", None))
session.add_feature(enforcer)
for name in sys.argv[3].split():
    message, seen = Soup.Message.new("GET", f"http://{name}/"), []
    message.connect("hsts-enforced", lambda *_: seen.append(name))
    try:
        session.send(message, None)
    except Exception:
        pass
    print(name, bool(seen))
"""


def soup(state: Path, add: Sequence[str], ask: Sequence[str]) -> dict[str, bool]:
    python = "/usr/bin/python3"
    probe = [python, "-c", "import gi; gi.require_version('Soup', '3.0'); from gi.repository import Soup"]
    if not os.path.exists(python) or subprocess.run(probe, check=False, capture_output=True).returncode:
        missing("libsoup 3 with its Python binding is not installed")
    words = [python, "-c", SOUP, str(state), " ".join(add), " ".join(ask)]
    done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=60, env={"PATH": "/usr/bin"})
    return {name: seen == "True" for name, seen in (line.split() for line in done.stdout.splitlines())}


def test_libsoup_honours_what_we_write(tmp_path: Path) -> None:
    state = tmp_path / "hsts.sqlite"
    entries = [
        KnownHost("tree.test", True, NOW, NOW + 9999),
        KnownHost("leaf.test", False, NOW, NOW + 9999),
        KnownHost("old.test", True, NOW - 9, NOW - 5),
        KnownHost("xn--bcher-kva.test", False, NOW, NOW + 9999),
        KnownHost("far.test", False, NOW, float("inf")),
    ]
    losses = write(str(state), entries, FORMATS["libsoup"], NOW)
    assert [loss.known.domain for loss in losses] == ["far.test"]
    asked = [
        "tree.test",
        "www.tree.test",
        "leaf.test",
        "www.leaf.test",
        "old.test",
        "xn--bcher-kva.test",
        "far.test",
    ]
    store = HSTSStore()
    store.load(entries)
    assert soup(state, [], asked) == {name: store.match(name) is not None for name in asked}


def test_we_read_what_libsoup_writes(tmp_path: Path) -> None:
    state = tmp_path / "hsts.sqlite"
    assert soup(state, ["a.test", "bücher.test"], ["www.a.test"]) == {"www.a.test": True}
    content = read(str(state), NOW)
    assert (content.format, content.complaints) == ("libsoup", [])
    known = {known.domain: known for known in content.entries.values()}
    assert known.keys() == {"a.test", "xn--bcher-kva.test"}
    assert known["a.test"].expiry - known["a.test"].last_observed == 1000
    with open_store(state) as store:
        store.add("b.test", include_subdomains=True)
    assert soup(state, [], ["www.b.test", "a.test"]) == {"www.b.test": True, "a.test": True}


def test_every_program_is_asked() -> None:
    assert {program.command for program in PROGRAMS} == {"curl", "wget", "chromium", "firefox-esr"}
