"""Requests, responses and network errors as values, and what a network is.

Never here: sockets, or what a browser makes of a response.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, NamedTuple, Protocol

from hstssim.errors import short

Headers = tuple[tuple[str, str], ...]
"""Names and values in order, repeated fields apart; bytes beyond ASCII as ISO 8859-1."""

CertificateFault = Literal["expired", "not-yet-valid", "wrong-name", "self-signed", "unknown-issuer", "other"]


class Parts(NamedTuple):
    """What an http or https URL, as a browser shows it, is made of."""

    origin: str
    authority: str
    host: str
    port: int
    target: str


_parts = re.compile(r"(https?)://(?:[^/?#]*@)?(\[[^/?#]*\]|[^/?#:]*)(?::([0-9]+))?([^#]*)").match


@lru_cache(1024)
def parts(url: str) -> Parts:
    """Take a URL apart; of another scheme there is nothing to see."""
    found = _parts(url)
    if found is None:
        return Parts("", "", "", 0, "")
    scheme, host, port, target = found.groups("")
    authority = f"{host}:{port}" if port else host
    number = int(port) if port else 443 if scheme == "https" else 80
    return Parts(f"{scheme}://{authority}", authority, host, number, target or "/")


class Request(NamedTuple):
    """A request as it goes out."""

    method: str
    url: str
    """Absolute, as a browser shows it."""
    headers: Headers = ()
    body: bytes | None = None

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return self.url.partition(":")[0]

    @property
    def plaintext(self) -> bool:
        """Whether anyone on the way could read it."""
        return self.url[:5] == "http:"

    @property
    def authority(self) -> str:
        """Host and port as in the URL, without user and password."""
        return parts(self.url).authority

    @property
    def host(self) -> str:
        """The host, as a browser shows it; an IPv6 address in brackets."""
        return parts(self.url).host

    @property
    def port(self) -> int:
        """The port, the scheme's default one included."""
        return parts(self.url).port

    @property
    def target(self) -> str:
        """Path and query."""
        return parts(self.url).target

    def header(self, name: str) -> str | None:
        """The first value of a field, None if there is none."""
        return first(self.headers, name)

    def __repr__(self) -> str:
        return f"<{self.method} {short(self.url)[1:-1]}>"


class Response(NamedTuple):
    """What came back, or what a browser made up for itself."""

    status: int
    reason: str = ""
    headers: Headers = ()
    body: bytes = b""
    """Its beginning, if it was long."""
    verified: bool = False
    """Whether it came over TLS with a certificate that was checked and found without error."""
    address: str = ""
    """The IP address that sent it; empty where there was none."""
    complete: bool = True
    """Whether `body` is all of it."""
    version: str = "HTTP/1.1"

    def header(self, name: str) -> str | None:
        """The first value of a field, None if there is none."""
        return first(self.headers, name)

    @property
    def status_line(self) -> str:
        """`HTTP/1.1 200 OK`."""
        return f"{self.version} {self.status} {self.reason}".rstrip()

    def __repr__(self) -> str:
        return f"<{self.status_line}>"


class NetError(NamedTuple):
    """Why there is no response, by Chromium's name (net/base/net_error_list.h)."""

    name: str
    """`ERR_…`."""
    message: str
    """What was required and what was seen, in one line."""
    fault: CertificateFault | None = None
    """What is wrong with the certificate, where that is the reason."""

    @property
    def before_sending(self) -> bool:
        """Whether nothing of the request can have left: there was no connection for it."""
        return self.name in _NO_CONNECTION

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"


_NO_CONNECTION = frozenset(
    (
        *("ERR_NAME_NOT_RESOLVED", "ERR_CONNECTION_REFUSED", "ERR_CONNECTION_TIMED_OUT", "ERR_ADDRESS_INVALID"),
        *("ERR_ADDRESS_UNREACHABLE", "ERR_NETWORK_ACCESS_DENIED", "ERR_PROXY_CONNECTION_FAILED"),
    )
)


CERTIFICATE_ERRORS: dict[CertificateFault, str] = {
    "expired": "ERR_CERT_DATE_INVALID",
    "not-yet-valid": "ERR_CERT_DATE_INVALID",
    "wrong-name": "ERR_CERT_COMMON_NAME_INVALID",
    "self-signed": "ERR_CERT_AUTHORITY_INVALID",
    "unknown-issuer": "ERR_CERT_AUTHORITY_INVALID",
    "other": "ERR_CERT_INVALID",
}
"""Chromium's name for what is wrong with a certificate."""

_SENTENCES: dict[CertificateFault, str] = {
    "expired": "the certificate has expired",
    "not-yet-valid": "the certificate is not valid yet",
    "wrong-name": "the certificate is for another name",
    "self-signed": "the certificate is signed by nobody but itself",
    "unknown-issuer": "the certificate's issuer is not trusted",
    "other": "the certificate is no good",
}


def certificate_error(fault: CertificateFault, host: str, detail: str = "") -> NetError:
    """The error of a certificate that a host presented."""
    about = f" ({detail})" if detail else ""
    return NetError(CERTIFICATE_ERRORS[fault], f"{_SENTENCES[fault]}; seen from {host}{about}", fault)


class Network(Protocol):
    """What carries a request to its host and brings back what it says. Nothing of HSTS is known there."""

    def send(self, request: Request, *, verify: bool = True, timeout: float | None = None) -> Response | NetError:
        """Send a request.

        Args:
            request: with an http or https URL.
            verify: whether a certificate with an error is an error.
            timeout: seconds that it may take in all; None for the network's own.
        """


def first(headers: Headers, name: str) -> str | None:
    """The first value of a field, None if there is none."""
    name = name.lower()
    return next((value for field, value in headers if field.lower() == name), None)


def every(headers: Headers, name: str) -> list[str]:
    """All values of a field, in order."""
    name = name.lower()
    return [value for field, value in headers if field.lower() == name]
