"""Files read whole, and replaced whole: a new one is written beside the old, and takes its place at once."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterator

from hstssim.errors import StoreError

MOST_BYTES = 1024 * 1024 * 1024
"""How large a state file may be."""

STDIO = "-"


def load(path: str) -> bytes:
    """Everything in a file, or on stdin.

    Raises:
        StoreError: it cannot be read, or is too large.
    """
    try:
        if path == STDIO:
            data = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with open(path, "rb") as file:
                data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise StoreError(path, "a state file must be readable", error) from error
    if len(data) > MOST_BYTES:
        raise StoreError(path, f"a state file has at most {MOST_BYTES:,} bytes", "there are more")
    return data


def worries(path: str) -> list[str]:
    """Why what stands in a file may not be its owner's own doing."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return []
    if not stat.S_ISREG(status.st_mode) or os.name != "posix":
        return []
    said = []
    if status.st_mode & stat.S_IWOTH:
        mode = stat.S_IMODE(status.st_mode)
        said.append(f"anybody may write to it (mode {mode:04o}), so its entries may be anybody's; chmod o-w helps")
    if status.st_uid not in (os.geteuid(), 0):
        said.append(f"it belongs to another user (uid {status.st_uid}), and so do its entries")
    return said


def replace(path: str, data: bytes) -> None:
    """Write a file whole or not at all; one that is there keeps its mode and owner, a new one is private (0600).

    A symbolic link stays, and the file that it names is replaced.

    Raises:
        StoreError: it cannot be written; what was there still is.
    """
    if path == STDIO:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    import tempfile  # which takes a while, and only writing needs

    beside = ""
    try:
        target = os.path.realpath(path)
        there = os.stat(target) if os.path.exists(target) else None
        if there is not None and not stat.S_ISREG(there.st_mode):
            raise StoreError(path, "only a regular file can be replaced", "it is none")
        handle, beside = tempfile.mkstemp(prefix=f".{os.path.basename(target)}.", dir=os.path.dirname(target))
        with open(handle, "wb") as file:
            if there is not None:
                _give(beside, there)
                os.chmod(beside, stat.S_IMODE(there.st_mode))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, target)
        beside = ""
        _sync_folder(os.path.dirname(target))
    except StoreError:
        raise
    except (OSError, ValueError) as error:
        raise StoreError(path, "a state file must be writable, and its folder too", error) from error
    finally:
        if beside:
            with contextlib.suppress(OSError):
                os.unlink(beside)


def _give(path: str, to: os.stat_result) -> None:
    """Make a file belong to the same user, and to the same group where that is possible."""
    status = os.stat(path)
    if os.name == "posix" and (status.st_uid, status.st_gid) != (to.st_uid, to.st_gid):
        try:
            os.chown(path, to.st_uid, to.st_gid)
        except PermissionError:
            if status.st_uid != to.st_uid:
                raise


def _sync_folder(folder: str) -> None:
    with contextlib.suppress(OSError):  # not every system can
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def locked(path: str) -> Iterator[None]:
    """Keep others who lock the file (this program, wget, wget2) from replacing it meanwhile."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        except OSError as error:
            raise StoreError(path, "a state file must be writable, and its folder too", error) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if signature(path)[0] == os.fstat(handle).st_ino:
                yield
                return
        finally:
            os.close(handle)


def signature(path: str) -> tuple[int, int, int]:
    """What changes whenever a file does: its inode, size, and time of change in nanoseconds; zeros for none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return 0, 0, 0
    return status.st_ino, status.st_size, status.st_mtime_ns
