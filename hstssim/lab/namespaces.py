"""The inside of a sealed room (`sealed.py`): run as a script, in its own process, with the standard library only.

`make` makes the namespaces and puts our files into them; `enter` runs a program there. Linux only
(unshare(2), setns(2), mount(2), user_namespaces(7)). Never here: what the files say.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

# <linux/sched.h>, <linux/mount.h>, <linux/prctl.h>, <linux/sockios.h>
NEW_MOUNTS, NEW_USER, NEW_PIDS, NEW_NETWORK = 0x00020000, 0x10000000, 0x20000000, 0x40000000
_NOSUID, _NODEV, _BIND, _RECURSIVE, _SLAVE, _DETACH = 0x2, 0x4, 0x1000, 0x4000, 0x80000, 0x2
_DIE_WITH_PARENT = 1
_DROP = 24
_LEAVING = (12, 16, 17, 19, 21, 22, 27)
"""CAP_NET_ADMIN, SYS_MODULE, SYS_RAWIO, SYS_PTRACE, SYS_ADMIN, SYS_BOOT, MKNOD (<linux/capability.h>)."""
_GET_FLAGS, _SET_FLAGS, _SET_ADDRESS, _UP = 0x8913, 0x8914, 0x8916, 0x1

FAILED, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127
"""Exit statuses, as with shells and containers: the room failed; the program cannot be run, is not there."""

END = signal.SIGRTMIN
"""Tells the process that entered a room to kill what runs there, and to end when that is gone."""

_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)

_libc = ctypes.CDLL(None, use_errno=True)

Tree = Mapping[str, Any]
"""A folder: the contents of files, or further folders, by name. The name `.` says that nothing else is in it."""


class _Failure(Exception):
    """What could not be done."""


def _call(what: str, name: str, *arguments: Any) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise _Failure(f"{what}: {os.strerror(number)}")


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind)]
    data = None if options is None else options.encode()
    _call(f"mount {kind or source or ''} on {target}", "mount", *words, ctypes.c_ulong(flags), data)


# ── making a room


def make(link: socket.socket) -> None:
    """Make the namespaces as the parent says, hand over what holds and serves them, and stay to clean up."""
    spec = json.loads(_line(link))
    try:
        held = _make(link, spec)
    except (_Failure, OSError) as error:
        link.sendall(json.dumps({"error": str(error)}).encode() + b"\n")
        return
    socket.send_fds(link, [b'{"error": null}\n'], held)
    for number in held:
        os.close(number)
    os.chdir("/")
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    while link.recv(1):  # the lab ends a room by ending this process: here it was killed
        pass
    shutil.rmtree(spec["folder"], ignore_errors=True)


def _make(link: socket.socket, spec: dict[str, Any]) -> list[int]:
    flags = NEW_MOUNTS | NEW_NETWORK
    names = ["net", "mnt"]
    if spec["user"]:
        _call("a user namespace", "unshare", flags | NEW_USER)
        link.sendall(b"{}\n")
        _line(link)  # the parent has said who is who in it
        names.insert(0, "user")
    else:
        _call("a network namespace", "unshare", flags)
    listeners = _network(spec["ports"])
    _mount(None, "/", None, _SLAVE | _RECURSIVE)
    stage = spec["stage"]
    _mount("tmpfs", stage, "tmpfs", _NOSUID | _NODEV, "mode=755")
    os.mkdir(os.path.join(stage, "etc"))
    _fill("/etc", os.path.join(stage, "etc"), spec["etc"])
    _mount(os.path.join(stage, "etc"), "/etc", None, _BIND | _RECURSIVE)
    _call(f"umount {stage}", "umount2", os.fsencode(stage), _DETACH)
    for source, target in spec["over"]:
        _mount(source, target, None, _BIND | _RECURSIVE)
    _empty_run(spec["kept"])
    return [*(os.open(f"/proc/self/ns/{name}", os.O_RDONLY) for name in names), *listeners]


def _network(ports: list[int]) -> list[int]:
    """Loopback, and our sockets on it: DNS first."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh22x", b"lo", 0)
        flags = struct.unpack_from("16sh", fcntl.ioctl(control, _GET_FLAGS, request))[1]
        fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sh22x", b"lo", flags | _UP))
        # aria2 asks no DNS where 127.0.0.1 is the only address.
        address = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton("127.0.0.2"))
        fcntl.ioctl(control, _SET_ADDRESS, struct.pack("16s16s8x", b"lo:0", address))
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind(("0.0.0.0", 53))  # noqa: S104 - there is nothing but loopback
    listeners = [names.detach()]
    for port in ports:
        try:
            listener = socket.create_server(
                ("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024
            )
        except (OSError, ValueError):  # a kernel without IPv6
            listener = socket.create_server(("0.0.0.0", port), backlog=1024)  # noqa: S104
        listeners.append(listener.detach())
    return listeners


def _fill(real: str, made: str, tree: Tree) -> None:
    """Make a folder of what the real one has, with ours in it."""
    found = [] if tree.get(".") or not os.path.isdir(real) else os.listdir(real)
    for name in found:
        if name in tree:
            continue
        source, target = os.path.join(real, name), os.path.join(made, name)
        if os.path.islink(source):
            os.symlink(os.readlink(source), target)
        elif os.path.isdir(source):
            os.mkdir(target)
            _mount(source, target, None, _BIND | _RECURSIVE)
        elif os.path.isfile(source):
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY))
            _mount(source, target, None, _BIND | _RECURSIVE)
    for name, content in tree.items():
        target = os.path.join(made, name)
        if name == ".":
            continue
        if isinstance(content, str):
            with open(target, "w", encoding="utf-8") as file:
                file.write(content)
        else:
            os.mkdir(target)
            _fill(os.path.join(real, name), target, content)


def _empty_run(kept: list[str]) -> None:
    """Hide the sockets of the machine's services: they are on no network, and some look names up for others."""
    if not os.path.isdir("/run"):
        return
    saved = [(path, os.open(path, os.O_PATH)) for path in kept]
    _mount("tmpfs", "/run", "tmpfs", _NOSUID | _NODEV, "mode=755")
    os.mkdir("/run/lock")
    os.chmod("/run/lock", 0o1777)  # noqa: S103 - as it is everywhere
    os.makedirs(f"/run/user/{os.getuid()}", mode=0o700)
    for path, number in saved:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        _mount(f"/proc/self/fd/{number}", path, None, _BIND | _RECURSIVE)
        os.close(number)


def _line(link: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        more = link.recv(1 << 20)
        if not more:
            sys.exit(FAILED)  # nobody is there any more
        line += more
    return line


# ── running a program there


def enter(lifeline: int, namespaces: list[int], words: list[str]) -> int:
    """Run a program in a room, in process identifiers of its own: when it ends, all that it began ends with it.

    Signals that are sent to this process go on to the program, and its exit status, or the signal that ended it,
    is this process's. It all ends when the lab's side of the lifeline is closed.
    """
    for number in (lifeline, *namespaces):
        os.set_inheritable(number, False)
    environment = _environment()
    folder = os.getcwd()
    watched = {*_FORWARDED, signal.SIGCHLD, signal.SIGIO, END}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    # No thread may watch it where process identifiers are new, so a signal tells of its end. The signal goes with
    # what is opened, and other programs have the same one: so it is opened anew.
    lifeline = os.open(f"/proc/self/fd/{lifeline}", os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, os.O_NONBLOCK | os.O_ASYNC)
    for number in namespaces:
        _call("enter a namespace", "setns", number, 0)
    _call("process identifiers", "unshare", NEW_PIDS | NEW_MOUNTS)
    tell, told = os.pipe()
    first = os.fork()
    if first == 0:
        os.close(tell)
        _guarded(_first, told, folder, words, environment, before, len(namespaces) > 2)
    os.close(told)
    ended = False
    while not ended and not _over(lifeline):
        came = signal.sigwaitinfo(watched)
        if came.si_signo == signal.SIGCHLD:
            ended = os.waitpid(first, os.WNOHANG)[0] == first
        elif came.si_signo == END:
            break
        elif came.si_signo != signal.SIGIO and came.si_code <= 0:
            # It is from a process; what the terminal sends reaches the program by itself.
            os.kill(first, came.si_signo)
    if not ended:
        os.kill(first, signal.SIGKILL)
        os.waitpid(first, 0)  # which waits for all that it had begun
    status = os.read(tell, 16)
    return int(status) if status else -int(signal.SIGKILL)


def _over(lifeline: int) -> bool:
    try:
        return not os.read(lifeline, 1)
    except BlockingIOError:
        return False


def _first(
    told: int,
    folder: str,
    words: list[str],
    environment: dict[bytes, bytes],
    mask: set[signal.Signals],
    confined: bool,
) -> NoReturn:
    """Process 1: starts the program, buries the orphans, and takes everything with it when the program ends."""
    _call("end with the parent", "prctl", _DIE_WITH_PARENT, int(signal.SIGKILL), 0, 0, 0)
    _mount("proc", "/proc", "proc", _NOSUID | _NODEV)
    program = os.fork()
    if program == 0:
        os.close(told)
        _guarded(_execute, folder, words, environment, mask, confined)
    while True:
        came = signal.sigwaitinfo({*_FORWARDED, signal.SIGCHLD})
        if came.si_signo != signal.SIGCHLD:
            if came.si_code <= 0:
                os.kill(program, came.si_signo)
            continue
        while True:
            try:
                ended, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if ended == program:
                os.write(told, str(os.waitstatus_to_exitcode(status)).encode())
                os._exit(0)
            if not ended:
                break


def _execute(
    folder: str, words: list[str], environment: dict[bytes, bytes], mask: set[signal.Signals], confined: bool
) -> NoReturn:
    if not confined:  # by a user namespace: this is the machine's root, who could leave
        for capability in _LEAVING:
            _call("drop a capability", "prctl", _DROP, capability, 0, 0, 0)
    for name in ("SIGPIPE", "SIGXFSZ"):  # Python ignores them
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        os.chdir(folder)
    except OSError as error:
        raise _Failure(f"the folder {folder} is not in the room: {error.strerror}") from None
    try:
        os.execvpe(words[0], words, environment)  # noqa: S606 - no shell is wanted
    except OSError as error:
        print(f"hstssim: {words[0]} cannot be run: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE)


def _guarded(what: Any, *arguments: Any) -> NoReturn:
    """Run the rest of a process that was forked."""
    try:
        what(*arguments)
    except (_Failure, OSError) as error:
        print(f"hstssim: the room failed: {error}", file=sys.stderr, flush=True)
    os._exit(FAILED)


def _environment() -> dict[bytes, bytes]:
    """What this process was given: Python has changed the locale in its own since (PEP 538)."""
    with open("/proc/self/environ", "rb") as file:
        pairs = [entry.partition(b"=") for entry in file.read().split(b"\0") if b"=" in entry]
    return {name: value for name, _, value in pairs}


def _main(words: list[str]) -> None:
    if words[0] == "make":
        make(socket.socket(fileno=int(words[1])))
        return
    lifeline, *namespaces = map(int, words[1].split(","))
    try:
        status = enter(lifeline, namespaces, words[2:])
    except (_Failure, OSError) as error:
        print(f"hstssim: the room failed: {error}", file=sys.stderr, flush=True)
        status = FAILED
    if status >= 0:
        os._exit(status)
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the program has left a core, or not: this process has none
    signal.signal(-status, signal.SIG_DFL) if -status not in (signal.SIGKILL, signal.SIGSTOP) else None
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {-status})
    os.kill(os.getpid(), -status)
    os._exit(128 - status)


if __name__ == "__main__":
    _main(sys.argv[1:])
