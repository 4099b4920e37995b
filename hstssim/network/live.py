"""The live network: real connections by urllib3, responses read as leniently as Chromium reads them.

Names are resolved and connections made by urllib3, certificates checked by OpenSSL. What a server sends
in place of HTTP is read as Chromium does it (net/http/http_stream_parser.cc), within bounds.
Never here: redirects, HSTS.
"""

from __future__ import annotations

import errno
import http.client
import os
import re
import socket
import ssl
import threading
from collections.abc import Callable
from http.client import HTTPMessage
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from hstssim.errors import HSTSSimError, MissingExtra, short
from hstssim.network.message import (
    CertificateFault,
    Headers,
    NetError,
    Request,
    Response,
    certificate_error,
)

MOST_HEAD = 256 * 1024
"""Bytes of a response's head (Chromium http_stream_parser.cc, kMaxHeaderBufSize)."""
MOST_BODY = 1024 * 1024
"""Bytes of a body that are kept; the rest is not read."""
TIMEOUT = 30.0

_STATUS_LINE = re.compile(
    rb"[^\r\n]{0,4}?HTTP(?:/(\d+)\.(\d+))?[^ \r\n]*(?: +(\d+)[ ]?([^\r\n]*))?", re.IGNORECASE
)
_VERIFY_CODES: dict[int, CertificateFault] = {
    9: "not-yet-valid",
    10: "expired",
    2: "unknown-issuer",
    18: "self-signed",
    19: "unknown-issuer",
    20: "unknown-issuer",
    21: "unknown-issuer",
    62: "wrong-name",
    64: "wrong-name",
}
"""OpenSSL's verification errors (openssl/x509_vfy.h)."""
_ERRNO = {
    errno.ECONNREFUSED: "ERR_CONNECTION_REFUSED",
    errno.ECONNRESET: "ERR_CONNECTION_RESET",
    errno.EHOSTUNREACH: "ERR_ADDRESS_UNREACHABLE",
    errno.ENETUNREACH: "ERR_ADDRESS_UNREACHABLE",
    errno.EADDRNOTAVAIL: "ERR_ADDRESS_INVALID",
    errno.EACCES: "ERR_NETWORK_ACCESS_DENIED",
    errno.EPERM: "ERR_NETWORK_ACCESS_DENIED",
    errno.ETIMEDOUT: "ERR_CONNECTION_TIMED_OUT",
}
_MISMATCH = ("HANDSHAKE_FAILURE", "PROTOCOL_VERSION", "NO_SHARED_CIPHER", "UNSUPPORTED_PROTOCOL", "ALERT_INTERNAL")


class _HeadError(Exception):
    """A head that is no HTTP, by the name of Chromium's error."""


class _Response(http.client.HTTPResponse):
    """Reads a head as Chromium does: any number of fields, lines without a colon passed over, HTTP/0.9 taken."""

    default_port = False
    pairs: Headers = ()
    early = b""

    def begin(self) -> None:
        if self.pairs or self.headers is not None:
            return
        left = MOST_HEAD
        while True:
            status, lines, left = self._read_head(left)
            if not 100 <= status < 200 or status == 101:
                break
        if status == 101:
            raise _HeadError("ERR_EMPTY_RESPONSE", "no request asked for another protocol; seen 101")
        self.pairs = _fields(lines)
        self.code = self.status = status
        self.headers = self.msg = HTTPMessage()
        given = {name.lower(): value for name, value in reversed(self.pairs)}
        self.chunked = given.get("transfer-encoding", "").lower() == "chunked"
        self.chunk_left = None
        size = given.get("content-length", "")
        self.length = int(size) if size.isdigit() and not self.chunked else None
        if status in (204, 304) or self._method == "HEAD":
            self.length = 0
        connection = given.get("connection", "").lower()
        keeps = self.version == 11 or "keep-alive" in connection
        self.will_close = "close" in connection or not keeps or (self.length is None and not self.chunked)

    def _read_head(self, left: int) -> tuple[int, list[bytes], int]:
        line = self._line(left)
        if not line:
            raise http.client.RemoteDisconnected("the server closed the connection without an answer")
        found = _STATUS_LINE.match(line)
        if found is None and line[:1].isspace():
            found = _STATUS_LINE.match(line.lstrip())
        if found is None and len(line.strip()) <= 4:  # Chromium looks a little further for the beginning
            line = self._line(left)
            found = _STATUS_LINE.match(line)
        if found is None:
            if not self.default_port:
                raise _HeadError("ERR_INVALID_HTTP_RESPONSE", f"a status line is required; seen {short(line)}")
            self.version, self.reason, self.early = 9, "OK", line  # HTTP/0.9 is a body and nothing else
            return 200, [], left
        major, minor, status, reason = found.groups()
        self.version = 10 if (major, minor) == (b"1", b"0") or major is None or major == b"0" else 11
        self.reason = (reason or b"" if status else b"OK").decode("latin-1").strip()
        lines = []
        left -= len(line)
        while line := self._line(left):
            left -= len(line)
            line = line.rstrip(b"\r\n")
            if not line:
                break
            lines.append(line)
        return min(int(status or 200), 9999), lines, left

    def _line(self, left: int) -> bytes:
        line: bytes = self.fp.readline(left + 1)
        if len(line) > left:
            raise _HeadError(
                "ERR_RESPONSE_HEADERS_TOO_BIG", f"a head has at most {MOST_HEAD} bytes; seen more than that"
            )
        return line


def _fields(lines: list[bytes]) -> Headers:
    pairs: list[tuple[str, str]] = []
    for line in lines:
        if b"\0" in line:
            raise _HeadError("ERR_INVALID_HTTP_RESPONSE", "a head has no zero byte; seen one")
        if line[:1] in b" \t" and pairs:
            name, value = pairs[-1]
            pairs[-1] = name, f"{value} {line.decode('latin-1').strip()}"
            continue
        field, colon, text = line.decode("latin-1").partition(":")
        if colon and field.strip(" \t"):
            pairs.append((field.strip(" \t"), text.strip(" \t")))
    return tuple(pairs)


class _DefaultPortResponse(_Response):
    default_port = True


class _Plain(HTTPConnection):
    response_class = _Response


class _Secure(HTTPSConnection):
    response_class = _Response


class LiveNetwork:
    """Real connections. Not for several threads at once.

    Args:
        ca_file: a PEM file of the authorities to trust, alone; None for the system's (SSL_CERT_FILE is heeded).
        proxy: an http proxy for every request, `http://127.0.0.1:3128`; empty for none; None for what the
            environment says (http_proxy, https_proxy, no_proxy).
        timeout: seconds that a request may take in all.
        connect_to: told host and port, gives those to connect to instead; for servers that stand elsewhere.

    Raises:
        HSTSSimError: the proxy is no http URL, or `ca_file` cannot be read.
        MissingExtra: urllib3.future, which niquests brings along, stands where urllib3 was.
    """

    def __init__(
        self,
        *,
        ca_file: str | None = None,
        proxy: str | None = None,
        timeout: float = TIMEOUT,
        connect_to: Callable[[str, int], tuple[str, int]] | None = None,
    ) -> None:
        if not isinstance(timeout, int | float) or not 0 < timeout < 1e6:
            raise HSTSSimError(f"a time-out is a number of seconds above 0; seen {short(timeout)}")
        if not issubclass(HTTPConnection, http.client.HTTPConnection):
            raise MissingExtra(
                "live connections take urllib3; seen urllib3.future in its place: "
                "pip install --force-reinstall urllib3"
            )
        self._trusting: dict[bool, ssl.SSLContext] = {}
        self._ca_file = ca_file
        self._proxy = proxy
        self._connect_to = connect_to
        self.timeout = timeout
        self._kept: dict[tuple[object, ...], HTTPConnection] = {}
        if ca_file is not None:
            self._context(True)
        if proxy:
            _proxy_address(proxy)

    def close(self) -> None:
        """Close what is still open."""
        while self._kept:
            self._kept.popitem()[1].close()

    def __enter__(self) -> LiveNetwork:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def send(self, request: Request, *, verify: bool = True, timeout: float | None = None) -> Response | NetError:
        """Send a request over a connection of its own, or one that is still open from the last."""
        try:
            proxy = self._proxy_for(request)
        except HSTSSimError as error:
            return NetError("ERR_PROXY_CONNECTION_FAILED", str(error))
        key = (request.scheme, request.host, request.port, proxy, verify)
        kept = self._kept.pop(key, None)
        if kept is not None:
            found = self._exchange(kept, request, key, timeout, proxy)
            if isinstance(found, Response) or found.name not in ("ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET"):
                return found
        return self._exchange(self._connection(request, proxy, verify), request, key, timeout, proxy)

    def _exchange(
        self,
        connection: HTTPConnection,
        request: Request,
        key: tuple[object, ...],
        timeout: float | None,
        proxy: str,
    ) -> Response | NetError:
        limit = self.timeout if timeout is None else min(timeout, self.timeout)
        connection.timeout = limit
        late = threading.Event()

        def give_up() -> None:
            late.set()
            if connection.sock is not None:
                try:
                    socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)
                except OSError:
                    connection.sock.close()

        timer = threading.Timer(limit, give_up)
        timer.daemon = True
        timer.start()
        keep = False
        try:
            if connection.sock is None:
                connection.connect()
            else:
                connection.sock.settimeout(limit)
            address = "" if proxy else str(connection.sock.getpeername()[0])
            target = request.target
            if proxy and request.plaintext:
                target = f"http://{request.authority}{target}"
            connection.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
            names = {name.lower() for name, _ in request.headers}
            if "host" not in names:
                connection.putheader("Host", request.authority)
            if request.body is not None and "content-length" not in names:
                connection.putheader("Content-Length", str(len(request.body)))
            for name, value in request.headers:
                connection.putheader(name, value)
            connection.endheaders(request.body)
            raw: Any = http.client.HTTPConnection.getresponse(connection)
            if late.is_set():
                raise TimeoutError
            body, complete = _body(raw)
            keep = complete and not raw.will_close
            verified = isinstance(connection, _Secure) and connection.ssl_context is self._trusting.get(True)
            version = {9: "HTTP/0.9", 10: "HTTP/1.0"}.get(raw.version, "HTTP/1.1")
            return Response(
                raw.status, raw.reason, raw.pairs, body, verified, address, complete=complete, version=version
            )
        except _HeadError as error:
            return NetError(*error.args)
        except (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError, ValueError) as error:
            if late.is_set() or isinstance(error, TimeoutError):
                return NetError("ERR_TIMED_OUT", f"an answer within {limit:g} s; seen none from {request.host}")
            return _net_error(error, request, proxy)
        finally:
            timer.cancel()
            if keep and not late.is_set():
                self._kept[key] = connection
            else:
                connection.close()

    def _connection(self, request: Request, proxy: str, verify: bool) -> HTTPConnection:
        host = request.host.strip("[]")
        address = _proxy_address(proxy) if proxy else (host, request.port)
        if self._connect_to is not None and not proxy:
            address = self._connect_to(*address)
        made: HTTPConnection
        if request.plaintext:
            made = _Plain(*address)
        else:
            made = _Secure(*address, ssl_context=self._context(verify), server_hostname=host.removesuffix("."))
            if proxy:
                made.set_tunnel(request.host, request.port)
        default = request.port == (80 if request.plaintext else 443)
        made.response_class = _DefaultPortResponse if default else _Response
        return made

    def _context(self, verify: bool) -> ssl.SSLContext:
        context = self._trusting.get(verify)
        if context is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            if not verify:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            elif self._ca_file is None:
                context.load_default_certs()
            else:
                try:
                    context.load_verify_locations(self._ca_file)
                except OSError as error:
                    raise HSTSSimError(
                        f"a PEM file of certificate authorities is required ({error}); seen {short(self._ca_file)}"
                    ) from None
            self._trusting[verify] = context
        return context

    def _proxy_for(self, request: Request) -> str:
        if self._proxy is not None:
            return self._proxy
        proxies = getproxies_environment()
        found = proxies.get(request.scheme) or proxies.get("all") or ""
        if not found or proxy_bypass_environment(request.authority, proxies):
            return ""
        _proxy_address(found)
        return found

    def __repr__(self) -> str:
        return f"<LiveNetwork, proxy {'by environment' if self._proxy is None else self._proxy or 'none'}>"


def _proxy_address(proxy: str) -> tuple[str, int]:
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        if parts.scheme == "http" and parts.hostname:
            return parts.hostname, parts.port or 80
    except ValueError:
        pass
    raise HSTSSimError(f"a proxy is an http URL with a host; seen {short(proxy)}")


def _body(raw: Any) -> tuple[bytes, bool]:
    """The beginning of a body, and whether it is all."""
    body: bytes = raw.early
    try:
        while len(body) <= MOST_BODY:
            more = raw.read(min(65536, MOST_BODY + 1 - len(body)))
            if not more:
                whole = raw.length in (None, 0)
                return body, whole
            body += more
    except (http.client.HTTPException, OSError, ValueError):
        return body, False  # what has come is shown all the same
    return body[:MOST_BODY], False


def _net_error(error: Exception, request: Request, proxy: str) -> NetError:
    """Chromium's name for what went wrong (net/base/net_errors_posix.cc, net/socket/ssl_client_socket_impl.cc)."""
    host = request.host
    if isinstance(error, ssl.SSLCertVerificationError):
        fault = _VERIFY_CODES.get(error.verify_code, "other")
        return certificate_error(fault, host, error.verify_message.rstrip("."))
    if isinstance(error, ssl.SSLError):
        return _tls_error(error, host)
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        where = "the proxy's" if proxy else "this"
        name = "ERR_PROXY_CONNECTION_FAILED" if proxy else "ERR_NAME_NOT_RESOLVED"
        return NetError(name, f"{where} name has an address in DNS; seen none for {_proxy_host(proxy) or host}")
    if proxy and (isinstance(error, urllib3.exceptions.NewConnectionError)):
        return NetError("ERR_PROXY_CONNECTION_FAILED", f"a proxy that answers; seen {_cause(error)} from {proxy}")
    if str(error).startswith("Tunnel connection failed"):
        return NetError("ERR_TUNNEL_CONNECTION_FAILED", f"a proxy that connects to {host}; seen {error}")
    if isinstance(error, http.client.RemoteDisconnected):
        return NetError("ERR_EMPTY_RESPONSE", f"an answer; seen the connection closed by {host}")
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _ERRNO:
            return NetError(_ERRNO[cause.errno], f"a connection to {host}:{request.port}; seen {_cause(error)}")
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, urllib3.exceptions.ConnectTimeoutError):
        return NetError("ERR_CONNECTION_TIMED_OUT", f"a connection in time; seen none to {host}")
    if isinstance(error, UnicodeError | urllib3.exceptions.LocationParseError):
        return NetError("ERR_NAME_NOT_RESOLVED", f"a name that DNS can hold; seen {short(host)}")
    if isinstance(error, http.client.HTTPException | ValueError):
        return NetError("ERR_INVALID_HTTP_RESPONSE", f"HTTP; seen {error!r} with {host}")
    name = "ERR_CONNECTION_CLOSED" if isinstance(error, ConnectionError) else "ERR_CONNECTION_FAILED"
    return NetError(name, f"a connection to {host}:{request.port}; seen {_cause(error)}")


def _tls_error(error: ssl.SSLError, host: str) -> NetError:
    reason = error.reason or str(error)
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return NetError("ERR_CONNECTION_CLOSED", f"a TLS handshake; seen the connection closed by {host}")
    name = "ERR_SSL_PROTOCOL_ERROR"
    if any(word in reason for word in _MISMATCH):
        name = "ERR_SSL_VERSION_OR_CIPHER_MISMATCH"
    elif "UNRECOGNIZED_NAME" in reason:
        name = "ERR_SSL_UNRECOGNIZED_NAME_ALERT"
    elif "CERTIFICATE_REQUIRED" in reason:
        name = "ERR_BAD_SSL_CLIENT_AUTH_CERT"
    return NetError(name, f"TLS; seen {reason} from {host}")


def _cause(error: BaseException) -> str:
    cause = error.__cause__ or error.__context__ or error
    return os.strerror(cause.errno) if isinstance(cause, OSError) and cause.errno else str(cause) or repr(cause)


def _proxy_host(proxy: str) -> str:
    return _proxy_address(proxy)[0] if proxy else ""
