"""Preload files that are not what they should be: a PreloadError tells what was required and seen."""

from __future__ import annotations

import random
import signal
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from hstssim.errors import PreloadError
from hstssim.preload import PreloadEntry, PreloadList

SMALL = PreloadList.build(
    [PreloadEntry("a.test"), PreloadEntry("b.test", False), PreloadEntry("c.test", False, False)],
    version="1",
    date="2027-01-31",
).as_text()


@pytest.fixture(autouse=True)
def _no_endless_question() -> Iterator[None]:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError("a question has no end")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def checked(body: str) -> bytes:
    """A list of this body whose checksum is right."""
    return f"# hstssim preload list 1\n# crc32: {zlib.crc32(body.encode()):08x}\n{body}".encode()


def use(path: Path, content: bytes) -> PreloadList:
    """Write a file, and ask the list in it everything."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    preload = PreloadList.open(path)
    for host in ("a.test", "x.b.test", "zz.zz", "0"):
        preload.match(host)
    preload.load()
    assert preload.as_text().encode() == content
    return preload


def test_the_undamaged_list_is_taken(tmp_path: Path) -> None:
    assert len(use(tmp_path / "list", SMALL.encode())) == 3


FOREIGN = {
    "empty": (b"", r"begins with '# hstssim preload list 1'; seen ''"),
    "another version": (
        SMALL.encode().replace(b"list 1\n", b"list 2\n", 1),
        "list 1'; seen '# hstssim preload list 2'",
    ),
    "no newline after the version": (b"# hstssim preload list 1", "seen '# hstssim preload list 1'"),
    "only the first line": (b"# hstssim preload list 1\n", r"CRC-32 of '' is required; seen [0-9a-f]{8}"),
    "no checksum": (b"# hstssim preload list 1\n# entries: 0\n", "CRC-32 of '# entries: 0' is required"),
    "JSON": (b'{"entries": []}\n', r"seen '\{\"entries\": \[\]\}'"),
    "gzip": (b"\x1f\x8b\x08\x00" + bytes(99), r"seen '\\x1f"),
    "DOS line ends": (SMALL.encode().replace(b"\n", b"\r\n"), "begins with"),
    "a byte order mark": (b"\xef\xbb\xbf" + SMALL.encode(), "begins with"),
    "UTF-16": (SMALL.encode("utf-16"), "begins with"),
    "something after the end": (SMALL.encode() + b"d.test\n", "damaged or cut off"),
    "no number of entries": (checked("a.test\n"), "entries in digits; seen ''"),
    "entries not in digits": (checked("# entries: three\na.test\n"), "entries in digits; seen 'three'"),
    "digits that are not ASCII": (checked("# entries: \N{ARABIC-INDIC DIGIT THREE}\n"), "entries in digits"),
    "more names than it says": (checked("# entries: 1\na.test\nb.test\n"), "head says 1 names; seen 2"),
    "fewer names than it says": (checked("# entries: 3\na.test\nb.test\n"), "head says 3 names; seen 2"),
    "a name twice": (checked("# entries: 2\na.test\na.test\n"), "head says 2 names; seen 1"),
    "a word of the future": (checked("# entries: 1\na.test pinned\n"), "host-only and off; seen 'a.test pinned'"),
    "names in disorder": (
        checked("# entries: 2\nb.test off\na.test\n"),
        "order of their bytes; seen 'b.test off'",
    ),
    "no newline at the end": (checked("# entries: 2\na.test\nb.test"), r"ends with a newline; seen b'.*b\.test'"),
    "no newline after the head": (checked("# entries: 1"), "ends with a newline"),
}


@pytest.mark.parametrize(("content", "complaint"), FOREIGN.values(), ids=FOREIGN)
def test_what_is_no_list_of_this_version_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    file = tmp_path / "list"
    with pytest.raises(PreloadError, match=complaint) as caught:
        use(file, content)
    assert str(caught.value).startswith(f"{file}: ")


def test_a_date_that_is_none_is_refused_when_it_is_asked_for(tmp_path: Path) -> None:
    preload = use(tmp_path / "list", checked("# entries: 0\n# date: soon\n"))
    with pytest.raises(PreloadError, match="ISO 8601; seen 'soon'"):
        _ = preload.date


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PreloadError, match=r"missing\.txt: a preload list must be readable; No such file"):
        PreloadList.open(tmp_path / "missing.txt")


def test_a_folder_is_no_list(tmp_path: Path) -> None:
    with pytest.raises(PreloadError, match="Is a directory"):
        PreloadList.open(tmp_path)


def test_a_path_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(PreloadError, match="null byte"):
        PreloadList.open("a\0b")


def test_a_list_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    whole = SMALL.encode()
    for length in range(len(whole)):
        with pytest.raises(PreloadError):
            use(tmp_path / "list", whole[:length])


def test_a_byte_changed_anywhere_is_found(tmp_path: Path) -> None:
    whole = SMALL.encode()
    for place in range(len(whole)):
        for flip in (0x01, 0x20, 0x80, 0xFF):
            changed = bytearray(whole)
            changed[place] ^= flip
            with pytest.raises(PreloadError):
                use(tmp_path / "list", bytes(changed))


@pytest.mark.parametrize("seed", range(4))
def test_the_bundled_list_is_refused_when_it_is_cut_off_or_changed(tmp_path: Path, seed: int) -> None:
    whole = Path(PreloadList.bundled().path).read_bytes()
    chance = random.Random(seed)
    near_a_chunk = [65_535, 65_536, 65_537, len(whole) - 1]
    for length in [*near_a_chunk, *(chance.randrange(len(whole)) for _ in range(8))]:
        with pytest.raises(PreloadError, match=r"begins with|damaged or cut off"):
            use(tmp_path / "list", whole[:length])
    for place in [*near_a_chunk, *(chance.randrange(len(whole)) for _ in range(8))]:
        changed = bytearray(whole)
        changed[place] ^= 1 << chance.randrange(8)
        with pytest.raises(PreloadError, match=r"begins with|damaged or cut off"):
            use(tmp_path / "list", bytes(changed))


def test_lines_lost_and_doubled_are_found(tmp_path: Path) -> None:
    lines = SMALL.splitlines(keepends=True)
    for place in range(len(lines)):
        for changed in (lines[:place] + lines[place + 1 :], lines[: place + 1] + lines[place:]):
            with pytest.raises(PreloadError):
                use(tmp_path / "list", "".join(changed).encode())
