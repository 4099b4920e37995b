"""Stores that are kept in a file: what is acknowledged is there, whoever else writes, and whatever ends."""

from __future__ import annotations

import os
import random
import resource
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hstssim import CHROME, FormatError, HSTSStore, Interceptor, KnownHost, StoreError, open_store
from hstssim.formats import FORMATS, read
from hstssim.formats.kept import FileStore, KeptStore, SQLiteStore
from hstssim.profile import PROFILES
from tests.conftest import Clock

YEAR = "max-age=31536000"
HARD = 3
"""Rounds of the sample of what `-m full` does at full size."""

kinds = pytest.mark.parametrize("name", ["hsts.sqlite", "curl-hsts", ".wget-hsts", "TransportSecurity"])


@kinds
def test_what_is_noted_is_there_when_it_is_opened_again(name: str, tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / name
    with open_store(path, clock=clock) as store:
        store.note("example.com", f"{YEAR}; includeSubDomains")
        store.note("gone.test", YEAR)
        store.add("kept.test")
        store.note("gone.test", "max-age=0")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with open_store(path, clock=clock) as again:
        assert type(again) is type(store)
        match = again.match("www.example.com")
        assert match is not None
        assert match.expiry == clock.now + 31_536_000
        assert again.match("kept.test")
        assert not again.match("gone.test")
        assert len(again) == 2
        assert again.complaints == []


@kinds
def test_it_is_there_without_a_close(name: str, tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / name
    store = open_store(path, clock=clock)
    store.note("example.com", YEAR)
    other = open_store(path, clock=clock)
    assert other.match("example.com")
    assert other.clear() == 1
    assert store.get("example.com") is None or isinstance(store, FileStore)
    store.close()
    other.close()


def test_the_name_says_the_format_of_a_new_file(tmp_path: Path) -> None:
    for name, format in [
        ("x", "hstssim"),
        ("hsts.db", "hstssim"),
        (".wget-hsts", "wget"),
        ("SiteSecurityServiceState.bin", "firefox"),
    ]:
        with open_store(tmp_path / name) as store:
            assert store.format == format  # type: ignore[attr-defined]
    with open_store(tmp_path / "y", format="wget2") as store:
        store.add("a.test")
    assert b"#HSTS 1.0 file" in (tmp_path / "y").read_bytes()
    with pytest.raises(FormatError, match="format curl is required; this is wget2"):
        open_store(tmp_path / "y", format="curl")
    with pytest.raises(TypeError, match="format is one of"):
        open_store(tmp_path / "z", format="netscape")


def test_a_change_by_another_process_is_seen_without_asking_the_file(tmp_path: Path) -> None:
    path = str(tmp_path / "hsts.sqlite")
    with open_store(path) as store:
        hsts = Interceptor(store)
        run = "import sys; from hstssim import open_store; s = open_store(sys.argv[1], watch=False);"
        subprocess.run([sys.executable, "-c", f"{run} s.note('example.com', '{YEAR}')", path], check=True)
        until = time.monotonic() + 10
        while not hsts.request("http://example.com/") and time.monotonic() < until:
            threading.Event().wait(0.01)
        assert hsts.request("http://example.com/")
        subprocess.run([sys.executable, "-c", f"{run} s.remove('example.com')", path], check=True)
        assert store.get("example.com") is None


def test_a_decision_does_not_touch_the_file(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "hsts.sqlite"
    with open_store(path, clock=clock, watch=False) as store:
        store.note("example.com", "max-age=10")
        statements: list[str] = []
        assert isinstance(store, SQLiteStore)
        assert store._connection is not None
        store._connection.set_trace_callback(statements.append)
        hsts = Interceptor(store)
        assert hsts.request("http://example.com/")
        assert not hsts.request("http://other.test/")
        clock.now += 11
        assert not hsts.request("http://example.com/")
        assert statements == []
        store._connection.set_trace_callback(None)
    assert len(read(str(path), clock.now).entries) == 0, "the next change, or the end, takes it out"


def test_an_expired_entry_that_another_process_renewed_stays(tmp_path: Path, clock: Clock) -> None:
    with (
        open_store(tmp_path / "s", clock=clock, watch=False) as one,
        open_store(tmp_path / "s", clock=clock) as two,
    ):
        one.note("example.com", "max-age=10")
        clock.now += 20
        two.refresh()
        two.note("example.com", YEAR)
        assert HSTSStore.match(one, "example.com") is None
        one.note("other.test", YEAR)
        assert two.get("example.com") is not None
        assert one.match("example.com") is not None


def test_of_two_changes_the_later_counts_for_both(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "s"
    with open_store(path, clock=clock, watch=False) as one, open_store(path, clock=clock, watch=False) as two:
        one.add("a.test", expiry=clock.now + 10)
        two.add("a.test", expiry=clock.now + 20)
        for store in (two, one):
            known = store.get("a.test")
            assert known is not None
            assert known.expiry == clock.now + 20


def test_an_entry_added_by_name_takes_the_place_of_its_hash(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "TransportSecurity"
    for lasts in (10, 20):
        with open_store(path, clock=clock) as store:
            store.add("a.test", expiry=clock.now + lasts)
            assert len(store) == 1
    (known,) = read(str(path), 0.0).entries.values()
    assert known.expiry == clock.now + 20


def test_changes_in_a_transaction_are_written_together(tmp_path: Path) -> None:
    with open_store(tmp_path / "s") as store, open_store(tmp_path / "s", watch=False) as other:
        with store.transaction():
            for number in range(100):
                store.note(f"h{number}.test", YEAR)
            assert len(other) == 0
        assert len(other) == 100
        assert store.clear() == 100
        assert len(other) == 0


def test_what_only_some_profiles_keep_is_kept_for_them(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with open_store(path, profile=PROFILES["wget"]) as wget:
        wget.note("a.test", YEAR, port=8080)
    with open_store(path, profile=PROFILES["firefox"]) as firefox:
        assert "only wget keeps HSTS by port" in str(firefox.complaints[0])
        firefox.note("b.test", YEAR, top_level_site="shop.test")
    with open_store(path) as chrome:
        assert len(chrome) == 0
        chrome.note("c.test", YEAR)
    keys = {known.key for known in read(str(path), 0.0).entries.values()}
    assert keys == {("a.test", 8080, ""), ("b.test", 0, "shop.test"), ("c.test", 0, "")}


def test_lines_that_were_not_understood_are_written_back(tmp_path: Path) -> None:
    path = tmp_path / ".wget-hsts"
    path.write_text(
        "# HSTS 1.0 Known Hosts database for GNU Wget.\na.test\t8080\t0\t1\t9999999999\nwhat is this\n"
    )
    with open_store(path) as store:
        assert [complaint.line for complaint in store.complaints] == [3, 2]
        store.note("b.test", YEAR)
    text = path.read_text()
    assert "what is this\n" in text
    assert "a.test\t8080\t0\t1\t9999999999\n" in text
    assert "b.test\t0\t0\t" in text


def test_hashed_names_are_found_by_asking_and_stay_when_written_back(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "TransportSecurity"
    with open_store(path, clock=clock) as store:
        store.note("example.com", f"{YEAR}; includeSubDomains")
        store.note("other.test", YEAR)
    assert "example" not in path.read_text()
    with open_store(path, clock=clock) as store:
        assert {known.domain for known in store} == {""}
        assert store.match("www.example.com")
        assert not store.match("www.other.test")
        store.note("new.test", YEAR)
        assert store.remove("other.test")
        assert not store.remove("other.test")
        store.add("example.com", expiry=clock.now + 5)
    with open_store(path, clock=clock) as store:
        assert len(store) == 2
        known = store.get("example.com")
        assert known is not None
        assert known.expiry == clock.now + 5
    ours = tmp_path / "hsts.sqlite"
    ours.write_bytes(FORMATS["hstssim"].write(store, read(str(path), 0.0), 0.0))
    with open_store(ours, clock=clock) as store:
        store.note("new.test", YEAR)
        assert store.match("new.test")
    assert len(read(str(ours), 0.0).entries) == 2


def test_what_other_programs_wrote_meanwhile_is_not_lost(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "curl-hsts"
    with open_store(path, clock=clock) as store:
        store.note("a.test", YEAR)
        path.write_text('c.test "unlimited"\n' + path.read_text())
        store.note("b.test", YEAR)
        assert {known.domain for known in store} == {"a.test", "b.test", "c.test"}
    assert len(read(str(path), 0.0).entries) == 3


def test_the_days_of_use_survive(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "SiteSecurityServiceState.bin"
    with open_store(path, profile=PROFILES["firefox"], clock=clock) as store:
        store.note("a.test", YEAR)
        clock.now += 86_400
        assert store.match("a.test")
        store.note("b.test", YEAR)
    assert read(str(path), 0.0).uses["a.test", 0, "a.test"][0] == 2


def test_a_link_stays_a_link_and_a_mode_stays(tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles", tmp_path / ".wget-hsts"
    real.write_text("")
    real.chmod(0o640)
    link.symlink_to(real)
    with open_store(link) as store:
        store.add("a.test")
    assert link.is_symlink()
    assert "a.test" in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".dotfiles")] == []


@pytest.mark.parametrize("name", ["hsts.sqlite", "curl-hsts"])
def test_a_link_to_nothing_yet_makes_a_private_file(name: str, tmp_path: Path) -> None:
    (tmp_path / name).symlink_to(tmp_path / "real")
    with open_store(tmp_path / name) as store:
        store.add("a.test")
    assert (tmp_path / name).is_symlink()
    assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o600


@pytest.mark.parametrize("path", ["/dev/null", "/"])
def test_only_a_regular_file_can_be_a_store(path: str) -> None:
    with pytest.raises(StoreError, match="a regular file is required"):
        open_store(path)


def test_a_file_that_anybody_may_write_is_told(tmp_path: Path) -> None:
    for name in ("curl-hsts", "hsts.sqlite"):
        path = tmp_path / name
        open_store(path).close()
        with open_store(path) as store:
            store.add("a.test")
        path.chmod(0o666)
        with open_store(path) as store:
            assert "anybody may write to it (mode 0666)" in str(store.complaints[0])
            assert store.match("a.test")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_told_and_stays_theirs(tmp_path: Path) -> None:
    path = tmp_path / "curl-hsts"
    path.write_text('a.test "unlimited"\n')
    os.chown(path, 65534, 65534)
    with open_store(path) as store:
        assert "belongs to another user (uid 65534)" in str(store.complaints[0])
        store.add("b.test")
    assert path.stat().st_uid == 65534


BAD = {
    "garbage": (b"\x00\x01garbage" * 1000, FormatError),
    "another SQLite file": (None, FormatError),
    "a later version": (b"", FormatError),
    "broken JSON": (b'{"version":2,"sts":[', FormatError),
    "JSON of version 1": (b'{"version":1,"sts":[]}', FormatError),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_file_that_cannot_be_used_is_refused_and_left_as_it_is(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "state"
    data, error = BAD[kind]
    if data:
        path.write_bytes(data)
    else:
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE t (x)")
        if kind == "a later version":
            connection.execute("PRAGMA application_id = 0x48535453")
            connection.execute("PRAGMA user_version = 2")
        connection.commit()
        connection.close()
    before = path.read_bytes()
    with pytest.raises(error):
        open_store(path)
    if kind != "a later version":
        assert path.read_bytes() == before


def test_a_closed_store_still_answers_and_does_not_change(tmp_path: Path) -> None:
    store = open_store(tmp_path / "s")
    store.note("a.test", YEAR)
    store.close()
    store.close()
    assert store.match("a.test")
    with pytest.raises(StoreError, match="it is closed"):
        store.note("b.test", YEAR)


def test_a_fork_keeps_both_sides_working(tmp_path: Path) -> None:
    code = """
import os, sys, threading
from hstssim import open_store
store = open_store(sys.argv[1])
store.note('before.test', 'max-age=100')
child = os.fork()
store.note('child.test' if child == 0 else 'parent.test', 'max-age=100')
if child == 0:
    store.close()
    os._exit(0)
os.waitpid(child, 0)
thread = threading.Thread(target=store.note, args=('thread.test', 'max-age=100'))
thread.start()
thread.join(10)
print(sorted(known.domain for known in store))
store.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "s")], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "['before.test', 'child.test', 'parent.test', 'thread.test']\n", done.stderr


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that another user can get to."""
    made = Path(tempfile.mkdtemp(prefix="hstssim-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.mark.parametrize("name", ["hsts.sqlite", "curl-hsts"])
def test_a_read_only_folder_gives_one_clear_error(name: str, folder: Path) -> None:
    path = folder / name
    with open_store(path) as store:
        store.note("a.test", YEAR)
    path.chmod(0o444)
    folder.chmod(0o555)
    before = path.read_bytes()
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        with pytest.raises(StoreError) as caught, open_store(path) as store:
            store.note("b.test", YEAR)
        with pytest.raises(StoreError):
            open_store(folder / "new.sqlite")
        if name == "curl-hsts":
            assert len(read(str(path), 0.0).entries) == 1
    finally:
        os.seteuid(user)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["hsts.sqlite", "curl-hsts"])
def test_a_full_disk_gives_one_clear_error_and_leaves_the_old_file_whole(name: str, tmp_path: Path) -> None:
    code = """
import resource, signal, sys
from hstssim import open_store, StoreError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = open_store(sys.argv[1], watch=False)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
number = 0
try:
    while True:
        with store.transaction():
            for _ in range(100):
                store.note(f'host{number:09}.example', 'max-age=31536000')
                number += 1
        print(number, flush=True)
except StoreError as error:
    print(error)
"""
    path = tmp_path / name
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60)
    *acknowledged, error = done.stdout.splitlines()
    assert str(path) in error, done.stderr
    assert "Traceback" not in done.stderr
    with open_store(path, watch=False) as store:
        assert len(store) >= int(acknowledged[-1])
        store.note("after.test", YEAR)
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


WRITER = """
import sys
from hstssim import open_store
store = open_store(sys.argv[1], watch=False)
number = int(sys.argv[2])
while True:
    store.note(f'h{number}.test', 'max-age=31536000')
    print(number, flush=True)
    number += 1
"""


@pytest.mark.parametrize(
    "rounds", [pytest.param(20, id="sample"), pytest.param(200, id="full", marks=pytest.mark.full)]
)
@pytest.mark.parametrize("name", ["hsts.sqlite", "curl-hsts"])
def test_what_was_acknowledged_survives_kill_9(name: str, rounds: int, tmp_path: Path) -> None:
    path = tmp_path / name
    chance = random.Random(name)
    last = -1
    for _ in range(rounds):
        words = [sys.executable, "-c", WRITER, str(path), str(last + 1)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            threading.Event().wait(chance.random() * 0.03)
            process.kill()
            said = [first, *process.stdout.read().split()]
        last = int(said[-1])
        with open_store(path, watch=False) as store:
            there = {known.domain for known in store}
            assert store.complaints == []
        assert there >= {f"h{number}.test" for number in range(last + 1)}
        assert len(there) <= last + 2, "an old or a new state"
        last = len(there) - 1
    left = sorted(found.name for found in tmp_path.iterdir() if found.name.startswith(f".{name}."))
    assert len(left) <= rounds  # a killed process cannot tidy up; nothing reads these


CROWD = """
import sys
from hstssim import open_store
who, count = sys.argv[2], int(sys.argv[3])
with open_store(sys.argv[1], durable=False) as store:
    for number in range(count):
        store.note(f'h{number}.w{who}.test', 'max-age=31536000')
        if not number % 100:
            assert store.match(f'h{number}.w{who}.test')
"""


@pytest.mark.parametrize(
    "count", [pytest.param(300, id="sample"), pytest.param(10_000, id="full", marks=pytest.mark.full)]
)
def test_eight_processes_write_and_nothing_is_lost(count: int, tmp_path: Path) -> None:
    path = str(tmp_path / "hsts.sqlite")
    crowd = [
        subprocess.Popen(
            [sys.executable, "-c", CROWD, path, str(who), str(count)], stderr=subprocess.PIPE, text=True
        )
        for who in range(8)
    ]
    with open_store(path, watch=True) as reader:
        while any(process.poll() is None for process in crowd):
            reader.match("h0.w0.test")
            list(reader)
            threading.Event().wait(0.05)
        assert [process.communicate()[1] for process in crowd] == [""] * 8
        assert len(reader) == 8 * count
    with open_store(path) as store:
        assert len(store) == 8 * count


def test_threads_share_a_store(tmp_path: Path) -> None:
    with open_store(tmp_path / "s", durable=False) as store:

        def write(who: int) -> None:
            for number in range(50):
                store.note(f"h{number}.w{who}.test", YEAR)

        threads = [threading.Thread(target=write, args=(who,)) for who in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(store) == 400
    assert len(read(str(tmp_path / "s"), 0.0).entries) == 400


def test_forgotten_entries_leave_the_file_in_time(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with open_store(path, watch=False) as old:
        with open_store(path, watch=False) as store, store.transaction():
            for number in range(1500):
                store.note(f"h{number}.test", YEAR)
        assert len(old) == 1500
        with open_store(path, watch=False) as store:
            assert store.clear() == 1500
        with open_store(path, watch=False) as store:
            store.note("after.test", YEAR)
        assert {known.domain for known in old} == {"after.test"}, "though it had seen none of the rows in between"
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM known_hosts").fetchone() == (1,)
    connection.close()


def test_a_clock_that_goes_backwards_loses_nothing(tmp_path: Path, clock: Clock) -> None:
    with open_store(tmp_path / "s", clock=clock) as store:
        store.note("a.test", YEAR)
        clock.now -= 10**9
        store.note("b.test", YEAR)
        assert store.match("a.test")
        assert store.match("b.test")


def test_it_is_an_ordinary_store(tmp_path: Path) -> None:
    with open_store(tmp_path / "s", profile=CHROME) as store:
        assert isinstance(store, KeptStore)
        assert "0 known hosts" in repr(store)
        assert repr(store).endswith(f"in {tmp_path / 's'}>")
        assert isinstance(store.add("a.test"), KnownHost)


def test_an_empty_path_is_refused() -> None:
    with pytest.raises(StoreError, match="the name of a file is required"):
        open_store("")
