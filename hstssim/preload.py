"""The preload list: names that ship with a browser (RFC 6797 §12.3), as one sorted text.

Here: open the text, look names up in it, make it. A new list bisects the memory-mapped text; one that is asked
often turns it into a dictionary. Never here: where its entries come from (`preload_source.py`).

The text is ASCII. Its head is lines `# key: value`; the first names the format, the second holds the CRC-32 of
all that follows it. Then each line is a name, in the order of its bytes: force-https with include_subdomains,
unless the words `host-only` (no include_subdomains) or `off` (no force-https) follow it.
"""

from __future__ import annotations

import mmap
import os
import re
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from hstssim import host as hosts
from hstssim.errors import InvalidHost, PreloadError
from hstssim.match import UNKNOWN_HOST, Match, Record, nearest, walk
from hstssim.profile import Decides

if TYPE_CHECKING:
    from datetime import datetime

_MAGIC = b"# hstssim preload list 1\n"
_CRC = b"# crc32: "
_COLD_QUESTIONS = 32  # then the dictionary, which costs about a thousand cold questions, is likely worth it
_CHUNK = 65_536

_last_two = re.compile(r"(?:[a-z0-9_-]++\.)*?([a-z0-9_-]++\.([a-z][a-z0-9_-]*+))").fullmatch
"""Matches a host in the plain form (`host.PLAIN_HOST`) of two labels or more: the last two, the last."""

_new = tuple.__new__  # half the time of a NamedTuple's own

_WORDS = ("host-only", "off")


class PreloadEntry(NamedTuple):
    """One name of a preload list."""

    domain: str
    include_subdomains: bool = True
    force_https: bool = True
    """False for a negative entry, which takes itself and what is below it out of its superdomain's reach."""

    def match_or_reason(self, congruent: bool) -> Match | str:
        """The match with the host that was asked for, or why this entry does not cover it."""
        if not self.force_https:
            return "negative-entry"
        if congruent or self.include_subdomains:
            return Match(self.domain, congruent, self.include_subdomains)
        return "no-include-subdomains"


_PLAIN = PreloadEntry("")


class PreloadList:
    """A preload list. Made with `bundled`, `open` or `build`; it never changes.

    Iterating gives its entries in the order of their names.
    """

    def __init__(self, head: dict[str, str], count: int, *, path: str = "") -> None:
        self.path = path
        """The file it was opened from; empty for a list built in memory."""
        self.version = head.get("version", "")
        """The version of the browser that ships it; empty if the list does not say."""
        self.source = head.get("source", "")
        """Where it is from."""
        self.licence = head.get("licence", "")
        """Licence and copyright of the names."""
        self._date = head.get("date", "")
        self._count = count
        self._text: mmap.mmap | None = None
        self._body = 0
        self._questions = 0
        # Once loaded: all names, and each two labels that more than one label stands before; those of them
        # that need a second look, with their entry if they have one; what the single labels do to those below.
        self._names: Set[str] | None = None
        self._unusual: dict[str, PreloadEntry | None] = {}
        self._top: dict[str, Match] = {}

    @staticmethod
    @lru_cache(maxsize=1)
    def bundled() -> PreloadList:
        """The list that comes with this package; opened once.

        Raises:
            PreloadError: it is missing or damaged.
        """
        here = os.path.dirname(os.path.abspath(__file__))
        installed = os.path.join(here, "preload.txt")
        checkout = os.path.join(os.path.dirname(here), "preload", "chromium.txt")
        return PreloadList.open(installed if os.path.exists(installed) else checkout)

    @staticmethod
    def open(path: str | os.PathLike[str]) -> PreloadList:
        """Open a list; its names are read when they are asked for.

        Raises:
            PreloadError: the file is missing, damaged, truncated, or something else.
        """
        name = os.fspath(path)
        try:
            with open(name, "rb", buffering=0) as file:
                head, body = _checked_head(name, file.read)
                text = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise PreloadError(f"{name}: a preload list must be readable; {reason}") from error
        if text[-1:] != b"\n":
            raise PreloadError(f"{name}: the last line of a preload list ends with a newline; seen {text[-20:]!r}")
        opened = PreloadList(head, _whole(name, "entries", head.get("entries", "")), path=name)
        opened._text = text
        opened._body = body
        return opened

    @staticmethod
    def build(
        entries: str | bytes | Iterable[PreloadEntry | Mapping[str, object]],
        *,
        version: str = "",
        date: str = "",
        source: str = "",
        licence: str = "",
        historical: bool = False,
    ) -> PreloadList:
        """Make a list of entries in any order, of mappings as in Chromium's JSON, or of a source's text.

        Args:
            entries: for the text of a source and its checks see `preload_source.entries`; mappings are
                checked as if they were `historical`.
            version: of the browser that ships the list.
            date: the time from which the list counts its age, ISO 8601.
            source: where it is from, in words.
            licence: of the names.
            historical: lets pass what older JSON files have.

        Raises:
            PreloadError: a bad source; a name that is not canonical or comes twice (as Chromium's generator
                checks, transport_security_state_generator.cc); text that a head cannot hold. It says each.
        """
        from hstssim import preload_source

        found: dict[str, PreloadEntry] = {}
        wrong = []
        for entry in preload_source.read(entries, historical=historical):
            if hosts.domain(entry.domain) != entry.domain:
                wrong.append(f"{entry.domain!r} is not in canonical form (lower case, A-labels, no trailing dot)")
            elif entry.domain in found:
                wrong.append(f"{entry.domain} comes twice")
            found[entry.domain] = entry
        head = {"version": version, "date": date, "source": source, "licence": licence}
        head = {key: value.strip() for key, value in head.items()}
        for key, value in head.items():
            if not (value.isascii() and (value.isprintable() or not value)):
                wrong.append(f"{key} is printable ASCII on one line, not {value!r}")
        if head["date"]:
            _instant("the list", head["date"])
        if wrong:
            raise PreloadError("\n".join(wrong))
        built = PreloadList(head, len(found))
        built._settle(set(found), found, {name: entry for name, entry in found.items() if _words(entry)})
        return built

    @property
    def date(self) -> datetime | None:
        """The time from which the list counts its age, in UTC; None if it does not say.

        For Chromium's list that is the build time of the browser (base/build_time.h).

        Raises:
            PreloadError: the list's head has no date there.
        """
        return _instant(self.path, self._date) if self._date else None

    def age(self, now: float) -> float | None:
        """Seconds from the list's date to `now` (POSIX seconds); None if the list has no date."""
        return None if self.date is None else now - self.date.timestamp()

    def get(self, domain: str) -> PreloadEntry | None:
        """The entry of exactly this name; None if it has none or is no host.

        Raises:
            InvalidHost: `domain` is not a str.
        """
        found = _domain(domain)
        return None if found is None else self._get(found)

    def match(self, host: str) -> Match | None:
        """The entry that upgrades `host`, None if none does or `host` is no host.

        As Chromium looks up, the entry nearest to the host decides: where it does not cover the host, one
        farther up does not count (net/extras/preload_data/decoder.cc).

        Raises:
            InvalidHost: `host` is not a str.
        """
        # Most hosts are plain, and at most their last two labels are on the list: for them the following, up
        # to the last lines, comes to the same as those.
        try:
            last_two = _last_two(host)
        except TypeError:
            raise InvalidHost(host, f"a host is a str, not {type(host).__name__}") from None
        names = self._names
        if names is not None and last_two is not None:
            domain = last_two[1]
            if domain not in names:
                top = self._top.get(last_two[2])
                if top is None or len(host) < 64:
                    return top
            elif domain not in self._unusual and len(host) < 64:
                return _new(Match, (domain, domain == host, True, None))
        canonical = host if last_two is not None and len(host) < 64 else _domain(host)
        found = UNKNOWN_HOST if canonical is None else self.look_up(canonical)
        return found if isinstance(found, Match) else None

    def look_up(
        self,
        domain: str,
        decides: Decides = "nearest entry",
        record: Record | None = None,
        replaced: Callable[[str], bool] | None = None,
    ) -> Match | str:
        """As `match`, for a domain; the code of the reason if there is no match.

        `replaced` tells of a name whether its entry does not count, because a dynamic one has its place.
        """
        if replaced is not None:
            first = domain if record is not None or self._names is None else nearest(domain, self._names)
            if not first:
                return UNKNOWN_HOST

            def get(name: str) -> PreloadEntry | None:
                return None if replaced(name) else self._get(name)

            return walk(first, get, decides, first == domain, record=record)
        names = self._names
        if names is None:
            self._questions += 1
            if self._questions > _COLD_QUESTIONS:
                self.load()
        elif record is None:
            first = nearest(domain, names)
            while first and self._unusual.get(first, _PLAIN) is None:  # no entry, only on the way to some
                first = nearest(first.partition(".")[2], names)
            if not first:
                return UNKNOWN_HOST
            if first not in self._unusual:
                return _new(Match, (first, first == domain, True, None))
            return walk(first, self._get, decides, first == domain)
        return walk(domain, self._get, decides, record=record)

    def load(self) -> PreloadList:
        """Turn the text into a dictionary now, for a process that will ask often; gives the list itself.

        Raises:
            PreloadError: the text does not hold what its head says.
        """
        mapped = self._text
        if mapped is not None:
            text = mapped[self._body :].decode("ascii", "replace")
            lines = text.split("\n")
            lines.pop()  # what follows the last newline: nothing
            unusual: dict[str, PreloadEntry | None] = {}
            blank = text.find(" ")
            while blank >= 0:
                end = text.find("\n", blank)
                line = text[text.rfind("\n", 0, blank) + 1 : end]
                entry = unusual[line.partition(" ")[0]] = _entry(self.path, line)
                place = bisect_left(lines, line)
                if lines[place : place + 1] != [line]:
                    raise PreloadError(f"{self.path}: the names stand in the order of their bytes; seen {line!r}")
                lines[place] = entry.domain
                blank = text.find(" ", end)
            names = set(lines)
            if len(names) != self._count:
                raise PreloadError(f"{self.path}: its head says {self._count} names; seen {len(names)}")
            self._settle(names, lines, unusual)
        return self

    def as_text(self) -> str:
        """The list as the text that `open` reads; the same entries and head give the same text."""
        lines = [
            f"# entries: {len(self)}",
            *(f"# {key}: {value}" for key, value in self.head().items() if value),
            *(" ".join([entry.domain, *_words(entry)]) for entry in self),
        ]
        text = "\n".join(lines) + "\n"
        return f"{_MAGIC.decode()}{_CRC.decode()}{zlib.crc32(text.encode()):08x}\n{text}"

    def head(self) -> dict[str, str]:
        """What the list says of itself: version, date, source, licence; empty where it is silent."""
        return {"version": self.version, "date": self._date, "source": self.source, "licence": self.licence}

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process opens the same file, or makes the same list.
        return (
            (PreloadList.open, (os.path.abspath(self.path),))
            if self.path
            else (_rebuilt, (list(self), self.head()))
        )

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[PreloadEntry]:
        names = self.load()._names
        assert names is not None
        return (entry for name in sorted(names) if (entry := self._unusual.get(name, PreloadEntry(name))))

    def __contains__(self, domain: str) -> bool:
        return self.get(domain) is not None

    def __repr__(self) -> str:
        return f"<PreloadList {self.version or self.path or 'built'}, {len(self)} names>"

    def _settle(self, names: set[str], in_order: Iterable[str], unusual: dict[str, PreloadEntry | None]) -> None:
        top = {}
        # In the order in which they lie in memory, which takes a third of the time that the set's own would.
        for name in [name for name in in_order if name.count(".") != 1]:
            if "." in name:
                last_two = name[name.rfind(".", 0, name.rfind(".")) + 1 :]
                if last_two not in unusual:
                    unusual[last_two] = PreloadEntry(last_two) if last_two in names else None
            elif name not in unusual:
                top[name] = Match(name, False, True)
        names.update(unusual)
        self._unusual = unusual
        self._top = top
        self._names = names
        self._text = None

    def _get(self, domain: str) -> PreloadEntry | None:
        if self._names is None:
            return self._bisect(domain)
        if domain in self._unusual:
            return self._unusual[domain]
        return PreloadEntry(domain) if domain in self._names else None

    def _bisect(self, domain: str) -> PreloadEntry | None:
        text = self._text
        if text is None:  # another thread has just made the dictionary
            return self._get(domain)
        name = domain.encode()
        low, high = self._body, len(text)
        while low < high:
            begin = text.rfind(b"\n", low, (low + high) // 2) + 1 or low
            end = text.find(b"\n", begin, high)
            line = text[begin:end]
            key = line.split(b" ", 1)[0]
            if key == name:
                return _entry(self.path, line.decode("ascii", "replace"))
            if key < name:
                low = end + 1
            else:
                high = begin
        return None


def _rebuilt(entries: list[PreloadEntry], head: dict[str, str]) -> PreloadList:
    return PreloadList.build(entries, **head)  # type: ignore[arg-type]


def _domain(host: str) -> str | None:
    """The domain by which the list knows a host as received; None if it is no host."""
    try:
        return hosts.domain(hosts.canonical(host))
    except InvalidHost:
        if not isinstance(host, str):
            raise
        return None


def _checked_head(path: str, read: Callable[[int], bytes | None]) -> tuple[dict[str, str], int]:
    """Read a list to its end and check it; gives what its head says and where its names begin."""
    start = read(_CHUNK) or b""
    if not start.startswith(_MAGIC):
        seen = start.split(b"\n", 1)[0][:60].decode("latin-1")
        raise PreloadError(f"{path}: a preload list begins with {_MAGIC.decode().strip()!r}; seen {seen!r}")
    checked = start.find(b"\n", len(_MAGIC)) + 1
    declared = start[len(_MAGIC) : checked].removeprefix(_CRC).strip().decode("ascii", "replace")
    head = {}
    body = checked
    while start[body : body + 1] == b"#":
        end = start.find(b"\n", body) + 1 or len(start)
        key, _, value = start[body + 1 : end].decode("ascii", "replace").partition(":")
        head[key.strip()] = value.strip()
        body = end
    crc = zlib.crc32(start[checked:])
    while chunk := read(_CHUNK):
        crc = zlib.crc32(chunk, crc)
    if declared != f"{crc:08x}":
        raise PreloadError(
            f"{path}: damaged or cut off; a CRC-32 of {declared[:20]!r} is required; seen {crc:08x}"
        )
    return head, body


def _entry(path: str, line: str) -> PreloadEntry:
    name, *words = line.split(" ")
    if not set(words) <= set(_WORDS):
        raise PreloadError(f"{path}: after a name stand only {' and '.join(_WORDS)}; seen {line!r}")
    return PreloadEntry(name, "host-only" not in words, "off" not in words)


def _words(entry: PreloadEntry) -> list[str]:
    return [
        word
        for word, holds in zip(_WORDS, (entry.include_subdomains, entry.force_https), strict=True)
        if not holds
    ]


def _whole(path: str, key: str, text: str) -> int:
    if not text.isdigit() or not text.isascii() or len(text) > 12:
        raise PreloadError(f"{path}: the head says {key} in digits; seen {text!r}")
    return int(text)


def _instant(path: str, text: str) -> datetime:
    from datetime import UTC, datetime

    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise PreloadError(f"{path}: a date is ISO 8601; seen {text!r}") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
