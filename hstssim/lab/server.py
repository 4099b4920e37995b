"""The server: two listeners on loopback, one thread, one event loop that a frozen clock does not stop.

Both listeners serve every name, tell TLS from plaintext by the first byte, and are a forward proxy besides
(`proxy.py`). Nothing here ever opens a connection. What a client does wrong is answered 400 or closed, and noted;
it never ends the server. A client that hangs is cut off: each wait for it is bounded, and so is the time that
it has for a whole handshake and for a whole head, which bytes that drip in do not extend.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import h11

from hstssim import host as hosts
from hstssim.errors import HSTSSimError, short
from hstssim.lab.authority import Authority
from hstssim.lab.log import DEFAULT_PORTS, Connection, HandshakeFailure, Log, Request
from hstssim.lab.machine import Loop
from hstssim.lab.proxy import Destination, destination
from hstssim.lab.site import Site
from hstssim.lab.stream import Plain, Secure, Stream
from hstssim.script import EVERYTHING, Reply, text_reply

if TYPE_CHECKING:
    from hstssim.lab.names import Lookup

LOOPBACK = "127.0.0.1"
_HEAD = 65536  # bytes of a request line and its fields
_AT_ONCE = 64  # connections that are accepted before others are served
_TUNNELS = 4  # inside one another; each may add a layer of TLS, and Python's stack is bounded
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class Server:
    """Listens, answers from the sites' scripts, writes the log.

    Args:
        ports: of the listeners `http` and `https`; 0 for any that is free. `open` puts in the real ones.
        authority: makes the certificates.
        log: what is seen goes there.
        find: the site that answers for a canonical host.
        idle: seconds after which a client that is silent, does not take its answer, or has not said a whole
            head or handshake, is cut off.
    """

    def __init__(
        self,
        ports: dict[str, int],
        authority: Authority,
        log: Log,
        find: Callable[[str], Site | None],
        idle: float,
    ) -> None:
        self.ports = ports
        self.authority = authority
        self.log = log
        self.find = find
        self.idle = idle
        self._talks: dict[asyncio.Task[None], socket.socket] = {}
        self._held: dict[asyncio.Task[None], Connection] = {}
        self._loop: Loop | None = None
        self._closing = threading.Lock()  # nobody asks a loop that will not answer

    def open(self) -> None:
        """Listen.

        Raises:
            OSError: a port is in use.
        """
        listeners: dict[str, socket.socket] = {}
        try:
            for name, port in self.ports.items():
                listeners[name] = socket.create_server((LOOPBACK, port), backlog=1024)
                listeners[name].setblocking(False)
        except BaseException:
            for listener in listeners.values():
                listener.close()
            raise
        self.ports = {name: listener.getsockname()[1] for name, listener in listeners.items()}
        self._stop = asyncio.Event()
        self._loop = Loop()
        self._thread = threading.Thread(
            target=self._run, args=(self._loop, listeners), name="hstssim lab", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Close every connection and end the thread."""
        with self._closing:
            loop, self._loop = self._loop, None
            if loop is not None:
                loop.call_soon_threadsafe(self._stop.set)
        if loop is not None:
            self._thread.join()

    def catch_up(self) -> None:
        """Wait until what had arrived when this was called has been dealt with."""
        self._wait_for(Loop.quiet)

    def cut(self, sni: str | None = None) -> None:
        """Close every connection, or those that were begun with this name."""
        self._wait_for(partial(self._cut, sni=sni))

    def _wait_for(self, what: Callable[[Loop], Coroutine[Any, Any, None]]) -> None:
        with self._closing:
            if self._loop is None or threading.current_thread() is self._thread:
                return
            done = asyncio.run_coroutine_threadsafe(what(self._loop), self._loop)
        done.result()

    def listen(self, name: str, listener: socket.socket) -> None:
        """Serve a further listener, of another network perhaps, until `leave`."""
        self._read(listener, partial(self._accept, name=name, listener=listener))

    def serve_names(self, sock: socket.socket, noted: Callable[[Lookup], None]) -> None:
        """Answer the DNS questions that come to a socket, until `leave`."""
        self._read(sock, partial(_answer_names, sock=sock, noted=noted))

    def leave(self, sock: socket.socket) -> None:
        """Serve a socket no longer, and close it."""

        async def left(loop: Loop) -> None:
            await loop.quiet()
            loop.remove_reader(sock)
            sock.close()

        self._wait_for(left)
        sock.close()

    def _read(self, sock: socket.socket, ready: Callable[[Loop], None]) -> None:
        sock.setblocking(False)

        async def added(loop: Loop) -> None:
            loop.add_reader(sock, ready, loop)

        self._wait_for(added)

    async def _cut(self, loop: Loop, sni: str | None = None) -> None:
        await loop.quiet()  # what is half accepted is accepted first
        talks = [
            talk for talk in self._talks if sni is None or (talk in self._held and self._held[talk].sni == sni)
        ]
        for talk in talks:
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        await loop.quiet()

    def _run(self, loop: Loop, listeners: dict[str, socket.socket]) -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(self._serve(loop, listeners))

    async def _serve(self, loop: Loop, listeners: dict[str, socket.socket]) -> None:
        for name, listener in listeners.items():
            loop.add_reader(listener, self._accept, loop, name, listener)
        await self._stop.wait()
        await loop.quiet()
        for listener in listeners.values():
            loop.remove_reader(listener)
            listener.close()
        await self._cut(loop)

    def _accept(self, loop: Loop, name: str, listener: socket.socket) -> None:
        # Not loop.sock_accept: cancelled at the wrong moment, it forgets a connection that it has accepted.
        for _ in range(_AT_ONCE):
            try:
                sock, _address = listener.accept()
            except (BlockingIOError, ConnectionError):  # nobody is there, or no longer
                return
            except Exception:  # this process has no file to spare, or a test forbids sockets: the next one waits
                loop.remove_reader(listener)
                loop.call_later(0.05, self._resume, loop, name, listener)
                return
            sock.setblocking(False)
            talk = loop.create_task(self._talk(name, sock))
            self._talks[talk] = sock
            talk.add_done_callback(self._left)

    def _left(self, talk: asyncio.Task[None]) -> None:
        self._held.pop(talk, None)
        self._talks.pop(talk).close()  # nobody else does so for a talk that was cancelled before it began

    def _resume(self, loop: Loop, name: str, listener: socket.socket) -> None:
        if listener.fileno() >= 0:
            loop.add_reader(listener, self._accept, loop, name, listener)

    async def _talk(self, listener: str, sock: socket.socket) -> None:
        connection = self.log.connect(listener)
        talk = asyncio.current_task()
        assert talk is not None
        self._held[talk] = connection
        try:
            stream = await Plain.over(sock, self.idle)
            try:
                await _Talk(self, connection).hold(stream)
            finally:
                stream.drop()
        except TimeoutError:
            connection.errors.append(self.hung)
        except ssl.SSLError as error:
            connection.errors.append(f"TLS: {error}")
        except asyncio.CancelledError:
            pass  # the lab closes
        except Exception as error:  # whatever it is, the next client is served
            connection.errors.append(f"the lab failed: {error!r}")
        finally:
            self.log.close(connection)

    @property
    def hung(self) -> str:
        """What is noted of a client that was cut off."""
        return f"hung for {self.idle:g} s: cut off"


def _answer_names(_loop: Loop, sock: socket.socket, noted: Callable[[Lookup], None]) -> None:
    from hstssim.lab.names import answer

    with suppress(OSError):
        while True:
            question, whose = sock.recvfrom(65536)
            reply, lookup = answer(question)
            if lookup is not None:
                noted(lookup)
            if reply:
                sock.sendto(reply, whose)


class _Talk:
    """All that is said on one connection."""

    def __init__(self, server: Server, connection: Connection) -> None:
        self._server = server
        self._connection = connection
        self._tunnels = 0

    async def hold(self, stream: Stream) -> None:
        """Talk until one side ends it; begins again inside a tunnel."""
        inside: Stream | None = stream
        while inside is not None:
            tls = await inside.speaks_tls()
            if tls is None:
                return
            self._connection.tls = tls
            if tls:
                secure = await self._secure(inside)
                if secure is None:
                    return
                inside = secure
            inside = await self._speak_http(inside, tls)

    async def _secure(self, stream: Stream) -> Secure | None:
        """Shake hands, as the site that is asked for does it; None if nothing comes of it."""
        connection = self._connection
        try:
            async with asyncio.timeout(self._server.idle):
                connection.sni = await stream.server_name()
                name, site = self._named(connection.sni)
                if site is not None and site.refuse_tls:
                    reason = message = "refused"
                    await stream.refuse_tls()
                else:
                    kind = "valid" if site is None else site.certificate
                    if site is not None and kind == "wildcard" and site.name != EVERYTHING:
                        name = site.name
                    secure = Secure(stream, self._server.authority.context(name, kind))
                    connection.certificate = kind
                    await secure.handshake()
                    connection.tls_version = secure.version
                    return secure
        except ssl.SSLEOFError as error:
            reason, message = "closed", str(error)
        except ssl.SSLError as error:
            reason, message = error.reason or "unknown", str(error)
        except TimeoutError:
            reason, message = "timeout", self._server.hung
        connection.failure = HandshakeFailure(
            self._server.log.now(), connection.sni, connection.certificate, reason, message
        )
        return None

    def _named(self, sni: str | None) -> tuple[str, Site | None]:
        """The canonical name that the client expects, and its site."""
        tunnel = self._connection.tunnel
        name = sni or (tunnel[0] if tunnel else "")
        try:
            name = hosts.canonical(name)
        except HSTSSimError:
            name = ""
        site = self._server.find(name)
        return name or (LOOPBACK if site is None or site.name == EVERYTHING else site.name), site

    async def _speak_http(self, stream: Stream, tls: bool) -> Stream | None:
        """Answer requests; a stream if the client goes on inside a tunnel."""
        http = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD)
        method, request = b"", None
        try:
            while True:
                async with asyncio.timeout(self._server.idle):
                    head = await self._next(http, stream)
                if not isinstance(head, h11.Request):
                    break
                method = head.method
                reply, request, tunnel = self._read(head, tls)
                while isinstance(data := await self._next(http, stream), h11.Data):
                    if request is not None:
                        request.body_size += len(data.data)
                if isinstance(data, h11.ConnectionClosed):
                    return None
                if tunnel is not None:
                    await stream.write(http.send(h11.Response(status_code=200, headers=[], reason=b"Connected")))
                    stream.unread(http.trailing_data[0])
                    self._connection.tunnel = tunnel
                    self._tunnels += 1
                    return stream
                if reply.delay:
                    await asyncio.sleep(reply.delay)
                if reply.drop:
                    return None
                await stream.write(self._bytes(http, method, reply))
                if http.our_state is not h11.DONE:
                    break
                http.start_next_cycle()
                method, request = b"", None
        except h11.RemoteProtocolError as error:
            self._connection.errors.append(f"malformed: {error}")
            if http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                status = error.error_status_hint
                status = status if status in _PHRASES else 400
                if request is not None:
                    request.status, request.sts = status, ()
                await stream.write(self._bytes(http, method, text_reply(status, str(error)), last=True))
        await stream.finish()
        return None

    async def _next(self, http: h11.Connection, stream: Stream) -> h11.Event | type[h11.PAUSED]:
        while (event := http.next_event()) is h11.NEED_DATA:
            if http.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
                await stream.write(http.send(go_on))
            http.receive_data(await stream.read())
        return event  # type: ignore[return-value]  # NEED_DATA is a type of its own

    def _read(self, head: h11.Request, tls: bool) -> tuple[Reply, Request | None, tuple[str, int] | None]:
        """What a request gets: a reply, its place in the log, or a tunnel."""
        connection, server = self._connection, self._server
        headers = tuple(
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers.raw_items()
        )
        host_field = next((value for name, value in headers if name.lower() == "host"), "")
        method = head.method.decode("ascii")
        try:
            asked = destination(method, head.target.decode("latin-1"), host_field)
        except ValueError as error:
            connection.errors.append(f"malformed: {error}; seen {short(head.target)} of {short(host_field)}")
            return text_reply(400, str(error)), None, None
        asked = self._elsewhere(asked)
        site = server.find(asked.host)
        if method == "CONNECT" and site is not None:
            assert asked.port is not None
            if self._tunnels == _TUNNELS:
                connection.errors.append(f"malformed: a tunnel inside {_TUNNELS} others")
                return text_reply(400, f"The lab's proxy leads no deeper than {_TUNNELS} tunnels."), None, None
            return text_reply(200, "connected"), None, (asked.host, asked.port)
        plaintext = not tls or asked.scheme == "http"
        port = DEFAULT_PORTS["http" if plaintext else "https"] if asked.port is None else asked.port
        request = Request(
            time=server.log.now(),
            plaintext=plaintext,
            host=asked.host,
            port=port,
            method=method,
            target=asked.target,
            headers=headers,
            site=None if site is None else site.name,
            connection=connection,
            log=server.log,
        )
        reply = _nobody(asked) if site is None else site.reply(request)
        request.sts = reply.sts
        request.status = None if reply.drop else reply.status
        if reply.error:
            connection.errors.append(reply.error)
        server.log.request(request)
        return reply, request, None

    def _elsewhere(self, asked: Destination) -> Destination:
        """Complete a request by what the tunnel and the ClientHello say of it."""
        connection = self._connection
        if asked.proxied:
            return asked
        tunnel = connection.tunnel or ("", None)
        host = asked.host or tunnel[0] or (connection.sni or "").lower()
        return asked._replace(host=host, port=tunnel[1] or asked.port)

    def _bytes(self, http: h11.Connection, method: bytes, reply: Reply, *, last: bool = False) -> bytes:
        headers = list(reply.headers)
        if not any(name.lower() == "date" for name, _ in headers):
            headers.insert(0, ("Date", formatdate(self._server.log.now(), usegmt=True)))
        if reply.status not in (204, 304):
            headers.append(("Content-Length", str(len(reply.body))))
        if last:
            headers.append(("Connection", "close"))
        response = h11.Response(
            status_code=reply.status,
            reason=_PHRASES.get(reply.status, "").encode(),
            headers=[(name.encode("ascii"), value.encode("latin-1")) for name, value in headers],
        )
        sent = http.send(response)
        if method != b"HEAD":
            sent += http.send(h11.Data(data=reply.body))
        return sent + http.send(h11.EndOfMessage())


def _nobody(asked: Destination) -> Reply:
    """The answer for a name that is no site's: it goes nowhere, and says how to change that."""
    name = asked.host or "a request without a name"
    text = f"No site of the lab answers for {name}. Make one: lab.site({name!r})."
    if asked.proxied:
        return text_reply(403, f"{text} The lab's proxy leads to the lab's sites only.")
    return text_reply(421, text)
