"""Whom a request is for: the forms of a request target (RFC 9112 §3.2), of which a proxy understands two more.

Every port of the lab is a forward proxy besides: it takes an absolute URL, and CONNECT. It brings any name and
port of the lab to the lab by answering itself. It never connects to anything, so no other name can be reached
through it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from hstssim import host as hosts
from hstssim.errors import HSTSSimError
from hstssim.lab.log import DEFAULT_PORTS

_authority = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:@/?#\[\]\s]+)(?::([0-9]{0,5}))?").fullmatch
_absolute = re.compile(r"(https?)://([^/?#]*)([^#]*)(?:#.*)?", re.IGNORECASE).fullmatch


class Destination(NamedTuple):
    """Whom a request is for."""

    scheme: str | None
    """That of an absolute URL, None where the request does not say."""
    host: str
    """Canonical; empty if the request does not say."""
    port: int | None
    target: str
    """Path and query."""
    proxied: bool
    """Whether it was asked of a proxy."""


def destination(method: str, target: str, host_field: str) -> Destination:
    """Read a request's target and its Host field.

    Raises:
        ValueError: they are malformed.
    """
    if method == "CONNECT":
        host, port = authority(target)
        if port is None:
            raise ValueError("CONNECT names a port (RFC 9110 §9.3.6)")
        return Destination(None, host, port, target, True)
    absolute = _absolute(target)
    if absolute is not None:
        scheme = absolute[1].lower()
        host, port = authority(absolute[2])
        rest = absolute[3]
        rest = rest if rest[:1] == "/" else f"/{rest}"
        return Destination(scheme, host, DEFAULT_PORTS[scheme] if port is None else port, rest, True)
    if target[:1] != "/" and not (method == "OPTIONS" and target == "*"):
        raise ValueError("a request target is a path or an absolute URL (RFC 9112 §3.2)")
    host, port = authority(host_field) if host_field else ("", None)
    return Destination(None, host, port, target, False)


def authority(text: str) -> tuple[str, int | None]:
    """The canonical host and the port of `host[:port]`.

    Raises:
        ValueError: it is malformed.
    """
    match = _authority(text)
    if match is None or (match[2] and int(match[2]) > 65535):
        raise ValueError("an authority is a host, then perhaps a colon and a port (RFC 9110 §7.2)")
    try:
        host = hosts.canonical(match[1])
    except HSTSSimError as error:
        raise ValueError(str(error)) from None
    return host, int(match[2]) if match[2] else None
