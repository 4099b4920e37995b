"""Bytes to and from one client: plain, or TLS on top of another stream (so a tunnel in TLS works too).

Here: the first byte that tells TLS from plaintext, the ClientHello read before any answer, the time-out of
each wait. Never here: HTTP.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from abc import ABC, abstractmethod
from contextlib import suppress

_CHUNK = 65536
_HANDSHAKE = 0x16  # the first byte of TLS, content type handshake (RFC 8446 §5.1); no HTTP method begins so
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux has it
_REFUSED = bytes((0x15, 3, 1, 0, 2, 2, 40))  # a fatal alert, handshake_failure (RFC 8446 §6.2)


class Stream(ABC):
    """Bytes from a client, some of which may be looked at before they are read."""

    _held = b""

    @abstractmethod
    async def _receive(self) -> bytes:
        """The next bytes from below, none at the end."""

    @abstractmethod
    async def write(self, data: bytes) -> None:
        """Send, and wait until the client takes it.

        Raises:
            TimeoutError: it does not.
        """

    @abstractmethod
    async def finish(self) -> None:
        """End in order, so that the client can read what was sent before."""

    @abstractmethod
    def drop(self) -> None:
        """End at once."""

    async def read(self) -> bytes:
        """Some bytes, none at the end.

        Raises:
            TimeoutError: the client sends nothing.
        """
        held, self._held = self._held, b""
        return held or await self._receive()

    async def peek(self, size: int) -> bytes:
        """The next bytes, which stay unread; fewer than `size` only at the end."""
        while len(self._held) < size:
            more = await self._receive()
            if not more:
                break
            self._held += more
        return self._held[:size]

    def unread(self, data: bytes) -> None:
        """Put bytes back."""
        self._held = data + self._held

    async def speaks_tls(self) -> bool | None:
        """Whether the client begins with TLS; None if it says nothing."""
        first = await self.peek(1)
        return first[0] == _HANDSHAKE if first else None

    async def server_name(self) -> str | None:
        """The name in the ClientHello that comes next (RFC 6066 §3), which stays unread."""
        message, at = b"", 0
        for _ in range(16):  # records; a hello has one
            head = await self.peek(at + 5)
            if len(head) < at + 5 or head[at] != _HANDSHAKE:
                break
            size = int.from_bytes(head[at + 3 :])
            message += (await self.peek(at + 5 + size))[at + 5 :]
            at += 5 + size
            if len(message) >= 4 + int.from_bytes(message[1:4]):
                break
        return _server_name(message)

    async def refuse_tls(self) -> None:
        """Answer a ClientHello with the alert that ends the matter."""
        await self.write(_REFUSED)
        await self.finish()


class Plain(Stream):
    """Bytes as they travel; each wait for the client ends after `idle` seconds."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, idle: float) -> None:
        self._reader = reader
        self._writer = writer
        self._idle = idle

    @classmethod
    async def over(cls, sock: socket.socket, idle: float) -> Plain:
        """A stream over a connection that was accepted."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_CHUNK)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, sock)
        return cls(reader, asyncio.StreamWriter(transport, protocol, reader, loop), idle)

    async def _receive(self) -> bytes:
        data = b""
        with suppress(ConnectionError):
            async with asyncio.timeout(self._idle):
                data = await self._reader.read(_CHUNK)
        self._acknowledge()
        return data

    def _acknowledge(self) -> None:
        """Acknowledge at once: until then a client may hold back what it sends next (RFC 1122 §4.2.3.4)."""
        if _QUICKACK is not None:
            with suppress(OSError):
                self._writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    async def write(self, data: bytes) -> None:
        """Send, and wait until the client takes it."""
        if self._writer.is_closing():  # asyncio warns of bytes for a client that has left
            return
        with suppress(ConnectionError):
            self._writer.write(data)
            async with asyncio.timeout(self._idle):
                await self._writer.drain()

    async def finish(self) -> None:
        """End in order."""
        # Closing with bytes unread resets the connection, and the answer may be lost with it (RFC 9112 §9.6).
        with suppress(OSError, TimeoutError):
            self._writer.write_eof()
            async with asyncio.timeout(min(self._idle, 1.0)):
                while await self._reader.read(_CHUNK):
                    pass

    def drop(self) -> None:
        """End at once."""
        self._writer.transport.abort()


class Secure(Stream):
    """TLS on top of another stream."""

    def __init__(self, below: Stream, context: ssl.SSLContext) -> None:
        self._below = below
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    @property
    def version(self) -> str | None:
        """`TLSv1.3`, say."""
        return self._tls.version()

    async def handshake(self) -> None:
        """Agree on everything.

        Raises:
            ssl.SSLError: there was no agreement; the client was told.
        """
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._feed()
            except ssl.SSLError:
                await self._flush()
                raise
            else:
                return await self._flush()

    async def _receive(self) -> bytes:
        while True:
            try:
                return self._tls.read(_CHUNK)
            except ssl.SSLWantReadError:
                await self._feed()
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return b""
            except ssl.SSLError:
                await self._flush()
                raise

    async def write(self, data: bytes) -> None:
        """Send, and wait until the client takes it."""
        with suppress(ssl.SSLEOFError, ssl.SSLZeroReturnError):
            self._tls.write(data)
        await self._flush()

    async def finish(self) -> None:
        """Say goodbye, and end in order."""
        with suppress(ssl.SSLError):  # it wants the client's goodbye too, for which nobody waits
            self._tls.unwrap()
        with suppress(TimeoutError):
            await self._flush()
        await self._below.finish()

    def drop(self) -> None:
        """End at once."""
        self._below.drop()

    async def _feed(self) -> None:
        await self._flush()
        data = await self._below.read()
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    async def _flush(self) -> None:
        data = self._outgoing.read()
        if data:
            await self._below.write(data)


def _server_name(hello: bytes) -> str | None:
    """The host name in a ClientHello (RFC 8446 §4.1.2), None if it has none or is none."""
    try:
        at = 4 + 2 + 32  # the message's header, version, random
        at += 1 + hello[at]  # session
        at += 2 + _uint16(hello, at)  # cipher suites
        at += 1 + hello[at]  # compression
        end = at + 2 + _uint16(hello, at)
        at += 2
        while at < end:
            if _uint16(hello, at) == 0:  # server_name: its size, the list's size, a type, the name's size
                size = _uint16(hello, at + 7)
                return hello[at + 9 : at + 9 + size].decode("ascii") or None
            at += 4 + _uint16(hello, at + 2)
    except (IndexError, struct.error, UnicodeDecodeError):
        pass
    return None


def _uint16(data: bytes, at: int) -> int:
    number: int = struct.unpack_from(">H", data, at)[0]
    return number
