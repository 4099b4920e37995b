"""The lab's names in this Python process: a patch of `socket`, limited to them, for threads and asyncio.

`socket.getaddrinfo` and `gethostbyname` give each name of a lab an address of its own in 127.0.0.0/8, and
`connect` to such an address goes to the lab's port instead: 443 to its https port, every other to its http port.
So also a client that resolves first and connects to the port it asked for (anyio) arrives. Any other name or
address is untouched. A client with its own resolver or event loop in C (aiodns, uvloop) does not pass here: give
it the proxy.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from hstssim import host as hosts
from hstssim.errors import HSTSSimError

_SERVICES = {"http": 80, "https": 443}


class Reached(Protocol):
    """What is to be reached: a lab."""

    @property
    def http_port(self) -> int:
        """Its port for plaintext."""

    @property
    def https_port(self) -> int:
        """Its port for TLS."""

    def answers_for(self, host: str) -> bool:
        """Whether a canonical host is one of its names."""


class _Patch:
    """What stands in `socket` while at least one lab is to be reached."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.labs: list[Reached] = []
        self.names: dict[str, str] = {}
        self.addresses: dict[str, str] = {}
        self.undo: list[tuple[Any, str, Any, Any]] = []

    def lab_of(self, name: str) -> Reached | None:
        return next((lab for lab in reversed(self.labs) if lab.answers_for(name)), None)

    def address(self, name: str) -> str:
        """The address of 127.0.0.0/8 that stands for a name."""
        with self.lock:
            if name not in self.addresses:
                number = len(self.addresses) + 1
                address = f"127.{104 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
                self.addresses[name] = address
                self.names[address] = name
            return self.addresses[name]

    def port(self, address: Any) -> int | None:
        """The port of the lab that an address to connect to stands for, None if it is none of ours."""
        host, asked = address[:2] if isinstance(address, tuple) and len(address) >= 2 else (None, None)
        name = self.names.get(host) if isinstance(host, str) else None
        if name is None and isinstance(host, str) and host[:4] != "127." and asked in _SERVICES.values():
            name = host  # a site that is named by an address
        lab = None if name is None else self.lab_of(name)
        if lab is None:
            return None
        return lab.https_port if asked == 443 else lab.http_port

    def install(self) -> None:
        getaddrinfo = socket.getaddrinfo

        def patched(host: Any, port: Any, *args: Any, **options: Any) -> Any:
            name = _name(host)
            if name is not None and self.lab_of(name) is not None:
                host, port = self.address(name), _SERVICES.get(port, port)
            return getaddrinfo(host, port, *args, **options)

        gethostbyname = socket.gethostbyname

        def patched_name(host: Any) -> Any:
            name = _name(host)
            return gethostbyname(host if name is None or self.lab_of(name) is None else self.address(name))

        self._set(socket, "getaddrinfo", patched)
        self._set(socket, "gethostbyname", patched_name)
        for method in ("connect", "connect_ex"):
            self._set(socket.socket, method, self._connecting(getattr(socket.socket, method)))

    def _connecting(self, connect: Any) -> Any:
        def patched(sock: socket.socket, address: Any) -> Any:
            port = self.port(address) if sock.family == socket.AF_INET else None
            return connect(sock, address if port is None else ("127.0.0.1", port))

        return patched

    def _set(self, owner: Any, name: str, value: Any) -> None:
        self.undo.append((owner, name, value, vars(owner).get(name)))
        setattr(owner, name, value)

    def restore(self) -> None:
        for owner, name, ours, before in reversed(self.undo):
            if vars(owner).get(name) is not ours:
                continue  # somebody else has put theirs there
            if before is None:
                delattr(owner, name)
            else:
                setattr(owner, name, before)
        self.undo.clear()
        self.names.clear()
        self.addresses.clear()


_patch = _Patch()


@contextmanager
def resolving(lab: Reached) -> Iterator[None]:
    """While it lasts, this process reaches the names of the lab. May be nested; the innermost lab answers."""
    with _patch.lock:
        if not _patch.labs:
            _patch.install()
        _patch.labs.append(lab)
    try:
        yield
    finally:
        with _patch.lock:
            _patch.labs.remove(lab)
            if not _patch.labs:
                _patch.restore()


def _name(host: Any) -> str | None:
    try:
        return hosts.canonical(host.decode("ascii") if isinstance(host, bytes | bytearray) else host)
    except (HSTSSimError, UnicodeDecodeError):
        return None
