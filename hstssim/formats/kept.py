"""Stores that are kept in a file: `open_store`.

Every one answers from memory. Our own format is SQLite in WAL mode, with one transaction a change; a file of
another format is written back whole after each change.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from hstssim.errors import FormatError, StoreError, short
from hstssim.formats import FORMATS, files, load_into, named, read, sqlite
from hstssim.formats.content import Content, Loss, fit
from hstssim.host import hashed
from hstssim.profile import CHROME, Profile
from hstssim.store import HSTSStore, KnownHost

if TYPE_CHECKING:
    from hstssim.preload import PreloadList

WATCHED = 0.02
"""Seconds between two looks at whether another process has changed the file."""
_LAST = "SELECT seq FROM sqlite_sequence WHERE name = 'known_hosts'"

PATIENCE = 60.0
"""Seconds that a change waits for those of other processes."""


def open_store(
    path: str | os.PathLike[str],
    *,
    profile: Profile = CHROME,
    preload: PreloadList | None = None,
    clock: Callable[[], float] | None = None,
    format: str | None = None,
    durable: bool = True,
    watch: bool = True,
) -> KeptStore:
    """Open a store that is kept in a file, or begin a new one.

    Whatever `note`, `add`, `remove` and `clear` have done when they return is in the file.

    Args:
        path: the state file of any program that we know, or where to make one (mode 0600).
        profile: whose rules apply.
        preload: the list that `Interceptor` asks beside this store; None for no list.
        clock: gives POSIX seconds; None means `time.time`, looked up at each call.
        format: of a new file; by default what its name says (`.wget-hsts`, `TransportSecurity`), else our own.
        durable: in our own format, whether a change also survives a power cut; False makes changes several times
            faster, and they still survive the end of every process.
        watch: in our own format, whether a thread looks for the changes of other processes; `refresh` does too.

    Raises:
        FormatError: the file has none of the formats, or another version of one.
        StoreError: the file cannot be read or made.
        TypeError: there is no such format, or path is no path.
    """
    path = os.fspath(path)
    if not isinstance(path, str):
        raise TypeError(f"a path is a str; seen {short(path)}")
    if not path:
        raise StoreError(path, "the name of a file is required", "it is empty")
    if format is not None and format not in FORMATS:
        raise TypeError(f"format is one of {', '.join(FORMATS)}; seen {short(format)}")
    there = files.signature(path)
    if os.path.exists(path) and not os.path.isfile(path):
        raise StoreError(
            path, "a regular file is required", "it is a folder" if os.path.isdir(path) else "it is none"
        )
    content = Content(format or named(path) or sqlite.NAME, path)
    if there[1]:
        known_format = _format_of(path)
        content.format = known_format or content.format
        if format is not None and known_format not in (None, format):
            raise FormatError(f"a file of the format {format} is required; this is {known_format}", path=path)
    if content.format == sqlite.NAME:
        return SQLiteStore(path, profile, preload, clock, durable, watch)
    return FileStore(path, content.format, profile, preload, clock)


def _format_of(path: str) -> str | None:
    with contextlib.suppress(OSError), open(path, "rb") as file:
        if sqlite.recognises(file.read(100), path):
            return sqlite.NAME  # which may be large, and is read by SQLite
    return read(path, time.time()).format or None


class KeptStore(HSTSStore, ABC):
    """An `HSTSStore` that is kept in a file. Close it, or use it in a `with`."""

    def __init__(
        self, path: str, profile: Profile, preload: PreloadList | None, clock: Callable[[], float] | None
    ) -> None:
        super().__init__(profile=profile, preload=preload, clock=clock)
        self.path = path
        self.complaints: list[FormatError] = []
        """What was wrong with the file when it was opened."""
        self.losses: list[Loss] = []
        """What the file could not hold when it was last written."""
        self._lock = threading.RLock()
        self._batch: list[tuple[KnownHost, bool]] | None = None
        self._recording = False

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Changes inside are written together at the end; other threads' wait for it."""
        with self._lock:
            if self._batch is not None:
                yield
                return
            self._batch = []
            try:
                yield
            finally:
                batch, self._batch = self._batch, None
                if batch:
                    self._write(batch)

    def _changed(self, known: KnownHost, forgotten: bool) -> None:
        with self._lock:  # before looking: another thread may be reading in what others wrote
            if not self._recording:
                return
            if self._batch is not None:
                self._batch.append((known, forgotten))
            else:
                self._write([(known, forgotten)])

    @abstractmethod
    def _write(self, batch: list[tuple[KnownHost, bool]]) -> None:
        """Write changes that were made in memory: entries, each with whether it was forgotten."""

    @abstractmethod
    def refresh(self) -> None:
        """See the changes of other processes now."""

    def close(self) -> None:
        """End the use of the file. The entries stay in memory, and change no more."""

    def _adopt(self, content: Content) -> tuple[list[FormatError], list[KnownHost]]:
        """Take what was read in place of what is in memory; no look-up sees anything between."""
        fresh = HSTSStore(profile=self.profile, preload=self.preload, clock=self.clock)
        said = load_into(fresh, content)
        self._known, self._scoped, self._used = fresh._known, fresh._scoped, fresh._used
        self._scoped_domains, self._soonest = fresh._scoped_domains, fresh._soonest
        return said

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, in {self.path}>"


class FileStore(KeptStore):
    """A store kept in a file of another program, which is read whole and written back whole and at once."""

    def __init__(
        self,
        path: str,
        format: str,
        profile: Profile,
        preload: PreloadList | None,
        clock: Callable[[], float] | None,
    ) -> None:
        super().__init__(path, profile, preload, clock)
        self.format = format
        self._form = FORMATS[format]
        self._content = Content(format, path)
        self._others: list[KnownHost] = []  # which this profile does not keep
        self._signature = (0, 0, 0)
        self.refresh()
        if not os.path.exists(path):
            with files.locked(path):  # which makes the file, so that a folder that is not there shows now
                pass
            self._signature = files.signature(path)
        self._recording = True

    def refresh(self) -> None:
        """See what other programs have done to the file."""
        with self._lock:
            signature = files.signature(self.path)
            if signature == self._signature:
                return
            if signature[0]:
                content = read(self.path, self.now(), self.profile.state_lines)
                if content.unusable is not None:
                    raise content.unusable
                complaints, self._others = self._adopt(content)
                self.complaints = [*content.complaints, *complaints]
                self._content = content
            self._signature = signature

    def _write(self, batch: list[tuple[KnownHost, bool]]) -> None:
        try:
            with files.locked(self.path):
                if files.signature(self.path) != self._signature:
                    self.refresh()
                    self._again(batch)
                self._content.uses.update(self.uses())
                fitted, self.losses = fit([*self, *self._others], self._form.TITLE, self._form.HOLDS)
                files.replace(self.path, self._form.write(fitted, self._content, self.now()))
                self._signature = files.signature(self.path)
        except StoreError:
            self._signature = (-1, 0, 0)  # what is in memory and in the file differ: look again
            raise

    def _again(self, batch: list[tuple[KnownHost, bool]]) -> None:
        """Make changes once more, after what others have done."""
        self._recording = False
        try:
            for known, forgotten in batch:
                if not forgotten:
                    self._take(known)
                elif known.domain:
                    self.remove(known.domain, port=known.port, top_level_site=known.top_level_site or None)
        finally:
            self._recording = True


class SQLiteStore(KeptStore):
    """A store kept in our own format: SQLite in WAL mode, shared with other processes."""

    format = sqlite.NAME

    def __init__(
        self,
        path: str,
        profile: Profile,
        preload: PreloadList | None,
        clock: Callable[[], float] | None,
        durable: bool,
        watch: bool,
    ) -> None:
        super().__init__(path, profile, preload, clock)
        self._durable = durable
        self._watching = watch
        self._seen = 0  # the number of the last row that is in memory
        self._version = -1  # SQLite's, of the last look
        self._hashes: set[str] = set()  # of rows without a name
        self._expired: list[KnownHost] = []  # which a look-up has met
        self._stop: threading.Event | None = None
        self._connection: sqlite3.Connection | None = None
        for worry in files.worries(path):
            self.complaints.append(FormatError(worry, format=self.format, path=path))
        self._make()
        self._connect()
        try:
            with self._errors():
                self._prepare()
                self._load()
        except BaseException:
            self._disconnect()
            raise
        self._recording = True
        _OPEN.add(self)
        self._start()

    def refresh(self) -> None:
        """See the changes of other processes now."""
        with self._lock:
            if self._connection is None or self._batch is not None or not self._recording:
                return
            with self._errors():
                (version,) = self._connection.execute("PRAGMA data_version").fetchone()
                if version != self._version:
                    self._catch_up(self._connection, set())
                    self._version = version

    def close(self) -> None:
        """End the use of the file. The entries stay in memory; a change after this is an error."""
        self._halt()
        with self._lock:
            _OPEN.discard(self)
            if self._connection is not None and self._expired:
                with contextlib.suppress(StoreError):
                    self._write([])
            self._disconnect()

    def get(self, host: str, *, port: int = 0, top_level_site: str | None = None) -> KnownHost | None:
        """The entry of exactly this host, expired or not, as the file has it now."""
        self.refresh()
        return super().get(host, port=port, top_level_site=top_level_site)

    def __iter__(self) -> Iterator[KnownHost]:
        self.refresh()
        return super().__iter__()

    def __len__(self) -> int:
        self.refresh()
        return super().__len__()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self._halt(wait=False)
            self._disconnect()

    def _let_go(self, known: KnownHost) -> None:
        # A look-up does not touch the file: the next change takes the entry out of it.
        if self._drop(known):
            self._expired.append(known)

    def _write(self, batch: list[tuple[KnownHost, bool]]) -> None:
        connection = self._connection
        if connection is None:
            raise StoreError(self.path, "a store must be open to change", "it is closed")
        with self._errors():
            connection.execute("BEGIN IMMEDIATE")
            try:
                self._catch_up(connection, {known.key for known, _ in batch})
                for known, forgotten in batch:
                    if not forgotten:
                        connection.execute(sqlite.PUT, sqlite.row_of(known))
                    else:
                        connection.execute(sqlite.PUT, _tombstone(known.domain, known))
                    if known.domain and self._hashes and (key := hashed(known.domain)) in self._hashes:
                        self._hashes.discard(key)
                        connection.execute(sqlite.PUT, _tombstone("", known._replace(domain="", name_hash=key)))
                    elif not known.domain and not forgotten:
                        self._hashes.add(known.name_hash)
                self._bury(connection)
                (last,) = connection.execute(
                    "SELECT seq FROM sqlite_sequence WHERE name = 'known_hosts'"
                ).fetchone()
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            self._seen = last

    def _bury(self, connection: sqlite3.Connection) -> None:
        """Take expired entries out of the file, unless another process has renewed them."""
        while self._expired:
            known = self._expired.pop()
            same = connection.execute(
                "SELECT 1 FROM known_hosts WHERE domain = ? AND port = ? AND top_level_site = ? AND expiry = ?",
                (known.domain, known.port, known.top_level_site, known.expiry),
            ).fetchone()
            if same is not None:
                connection.execute(sqlite.PUT, _tombstone(known.domain, known))

    def _catch_up(self, connection: sqlite3.Connection, but: set[tuple[str, int, str]]) -> None:
        """Bring the changes of other processes into memory, but for these keys."""
        recording, self._recording = self._recording, False
        try:
            (purged,) = connection.execute("SELECT change FROM purged").fetchone()
            if purged > self._seen:
                self._load()
            rows = connection.execute(f"{sqlite.COLUMNS} WHERE change > ? ORDER BY change", (self._seen,))
            for row in rows.fetchall():
                self._seen = row[0]
                if (row[1] or row[8], row[5], row[6]) not in but:
                    self._apply(row)
        finally:
            self._recording = recording

    def _apply(self, row: sqlite.Row) -> None:
        domain, port, site, name_hash = row[1], row[5], row[6], row[8]
        if row[4] is None:
            gone = self._entry(domain, (port, site)) if domain else self._unnamed().get(name_hash)
            if gone is not None:
                self._drop(gone)
            return
        known = sqlite.known_host(row)
        placed = self._placed(known) if known is not None else ""
        if not isinstance(placed, str):
            if not placed[0].domain:
                self._hashes.add(name_hash)
            most = self.profile.max_entries
            if most is None or HSTSStore.__len__(self) < most or self._entry(domain, placed[1]) is not None:
                self._keep(*placed)

    def _load(self) -> None:
        """Read the file whole, in place of what is in memory."""
        assert self._connection is not None
        content = Content(self.format, self.path)
        entries: dict[str, KnownHost] = {}
        self._hashes = set()
        by_domain = self.profile.key != "domain and top-level site" and self.profile.max_entries is None
        seen = self._seen
        rows = self._connection.execute(f"{sqlite.COLUMNS} WHERE expiry IS NOT NULL ORDER BY change")
        with _collector_off():
            for known, row in sqlite.plain(rows):
                seen = row[0]
                if known is not None and by_domain:
                    entries[known.domain] = known
                    continue
                known = sqlite.known_host(row)
                if known is None:
                    content.complain(f"row {row[0]}: not an entry; seen {str(row[1:])[:120]}")
                else:
                    content.entries[known.key] = known
                    if not known.domain:
                        self._hashes.add(known.name_hash)
            complaints, _ = self._adopt(content)
            if entries:
                entries.update(self._known)
                self._known = entries if not self._unnamed() else self._with_unnamed(entries)
        self.complaints += [*content.complaints, *complaints]
        (last,) = self._connection.execute("SELECT coalesce(max(change), 0) FROM known_hosts").fetchone()
        self._seen = max(seen, min(last, max(seen, self._seen)))

    def _with_unnamed(self, entries: dict[str, KnownHost]) -> dict[str, KnownHost]:
        self._known.update(entries)
        return self._known

    def _make(self) -> None:
        """Make an empty file that is ours alone to read, if there is none."""
        try:
            os.close(os.open(os.path.realpath(self.path), os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            pass
        except (OSError, ValueError) as error:
            raise StoreError(self.path, "a state file must be writable, and its folder too", error) from error

    def _connect(self) -> None:
        with self._errors():
            self._connection = sqlite3.connect(
                self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA trusted_schema = OFF")
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")

    def _prepare(self) -> None:
        """See that the file has our tables, and is in WAL mode."""
        connection = self._connection
        assert connection is not None
        # Before WAL mode is on: only so does the file itself, and not its log, say at once what it is.
        (identity,) = connection.execute("PRAGMA application_id").fetchone()
        if not identity:
            connection.execute("BEGIN IMMEDIATE")
            (identity,) = connection.execute("PRAGMA application_id").fetchone()
            if not identity:
                for statement in sqlite.SCHEMA.split(";"):
                    connection.execute(statement)
            connection.execute("COMMIT")
        wrong = sqlite.wrong_version(connection)
        if wrong is not None:
            raise FormatError(wrong, format=self.format, path=self.path)
        until = time.monotonic() + PATIENCE
        while connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            try:
                if connection.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
                    raise StoreError(self.path, "a file is required that SQLite can share (WAL)", "it cannot")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > until:
                    raise
                time.sleep(0.01)
        (forgotten,) = connection.execute("SELECT count(*) FROM known_hosts WHERE expiry IS NULL").fetchone()
        if forgotten > 1000:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(
                "UPDATE purged SET change = (SELECT seq FROM sqlite_sequence WHERE name = 'known_hosts')"
            )
            connection.execute("DELETE FROM known_hosts WHERE expiry IS NULL")
            connection.execute("COMMIT")

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise StoreError(
                self.path, "a store must be readable and writable, and its folder too", error
            ) from error

    def _start(self) -> None:
        if self._watching:
            self._stop = threading.Event()
            thread = threading.Thread(
                target=_watch, args=(weakref.ref(self), self._stop), name="hstssim store", daemon=True
            )
            self._thread = thread
            thread.start()

    def _halt(self, wait: bool = True) -> None:
        stop, self._stop = self._stop, None
        if stop is not None:
            stop.set()
            if wait and self._thread is not threading.current_thread():
                self._thread.join()

    def _before_fork(self) -> None:
        # Neither threads nor SQLite's connections live on in a child.
        self._halt()
        self._lock.acquire()
        self._disconnect()

    def _after_fork(self, child: bool = False) -> None:
        self._version = -1
        self._connect()
        self._start()
        if child:
            self._lock = threading.RLock()  # the threads that might have let it go are not here
        else:
            self._lock.release()


def _tombstone(domain: str, known: KnownHost) -> tuple[object, ...]:
    """The row of an entry that was forgotten."""
    return domain, 0, 0.0, None, known.port, known.top_level_site, 0, "" if domain else known.name_hash


def _watch(store: weakref.ref[SQLiteStore], stop: threading.Event) -> None:
    while not stop.wait(WATCHED):
        there = store()
        if there is None:
            return
        with contextlib.suppress(StoreError):
            there.refresh()
        del there


@contextlib.contextmanager
def _collector_off() -> Iterator[None]:
    """Without Python's collector of cycles, which looks at every entry again and again while a million come in."""
    import gc

    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


_OPEN: weakref.WeakSet[SQLiteStore] = weakref.WeakSet()


def _each(act: Callable[[SQLiteStore], None]) -> Callable[[], None]:
    def act_on_each() -> None:
        for store in list(_OPEN):
            act(store)

    return act_on_each


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_each(SQLiteStore._before_fork),
        after_in_parent=_each(SQLiteStore._after_fork),
        after_in_child=_each(partial(SQLiteStore._after_fork, child=True)),
    )
