"""Hosts and domains: what a browser makes of the host of a URL, and which name HSTS knows it by.

A *host* is a text as received. `canonical` gives it the form that a browser shows (WHATWG URL, host parser);
`domain` gives that form's name in HSTS (RFC 6797 §8.2, §10), or None where no entry can ever apply. Never
here: whether an entry exists.

The plain form is lower case labels of letters, digits, `-` and `_`, the last of which begins with a letter,
without a trailing dot. Nearly every host has it and is its own canonical host and its own domain.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from hstssim import whatwg
from hstssim.errors import InvalidHost

PLAIN_HOST = r"(?:[a-z0-9_-]++\.)*+[a-z][a-z0-9_-]*+"
"""A regular expression for the plain form. What has it is its own canonical host, whatever its length; a label
`xn--…` is checked by browsers only beside a label that is not ASCII."""

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
CANONICAL_HOST = rf"(?:{PLAIN_HOST}|(?:[a-z0-9_-]+\.)*[a-z][a-z0-9_-]*\.+|(?:{_OCTET}\.){{3}}{_OCTET})"
"""The plain form, dots at its end, or four decimal parts: these, too, are their own canonical hosts."""

TrailingDot = Literal["ignored", "all ignored", "distinct"]
"""Whether one dot at the end, all of them, or none are left out of a domain."""

is_plain = re.compile(PLAIN_HOST).fullmatch
"""Whether a text has that form."""

_is_canonical = re.compile(CANONICAL_HOST).fullmatch

# Chromium net/base/url_util.cc, IsCanonicalizedHostCompliant, and net/dns/dns_names_util.cc.
_dns_name = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9][a-z0-9_-]{0,62}").fullmatch
_ipv4 = re.compile(r"(?:[0-9]+\.){3}[0-9]+").fullmatch
_NOT_IN_A_HOST = frozenset("\t\n\r/?#\\@")


def canonical(host: str) -> str:
    """Give `host` the form in which a browser puts it into a URL (WHATWG URL, host parser).

    Lower case, A-labels, percent-escapes undone, IPv4 in four decimal parts, IPv6 compressed and in brackets
    (which may be missing). Trailing dots stay.

    Raises:
        InvalidHost: no browser takes it.
        MissingExtra: it is not in a canonical form of ASCII, and ada-url is not installed.
    """
    if not isinstance(host, str):
        raise InvalidHost(host, f"a host is a str, not {type(host).__name__}")
    if is_plain(host):
        return host
    if host.isascii() and _is_canonical(lowered := host.lower()):
        return lowered
    text = f"[{host}]" if host.count(":") > 1 and host[0] != "[" else host
    if text and _NOT_IN_A_HOST.isdisjoint(text) and (":" not in text or text[0] == "["):
        parsed = whatwg.parse(f"http://{text}/")
        if parsed is not None:
            return parsed[1]
    raise InvalidHost(host, "a host is a name or an IP address that a URL can hold, and nothing else")


def named(host: str) -> str:
    """The canonical form of a host that names an entry, as in a state file or a list.

    As `canonical`, but ASCII is only put in lower case, as Chromium's AddHSTS does (`0.1` stays `0.1` and
    may cover `9.9.0.1`).

    Raises:
        InvalidHost: no browser takes it.
        MissingExtra: it is not ASCII, and ada-url is not installed.
    """
    if isinstance(host, str) and host.isascii() and _dns_name((lowered := host.lower()).removesuffix(".")):
        return lowered
    return canonical(host)


def domain(host: str, *, trailing_dot: TrailingDot = "ignored", dns_names_only: bool = True) -> str | None:
    """The name by which HSTS knows a canonical host; None where no entry applies to it.

    Chromium's rule: one trailing dot is ignored, no label is empty or over 63 characters, all together are at
    most 253, only letters, digits, `-` and `_`, and the last label begins with a letter or digit. The
    arguments are the profile's.
    """
    name = host
    if host[-1:] == "." and trailing_dot != "distinct":
        name = host[:-1] if trailing_dot == "ignored" else host.rstrip(".")
    if dns_names_only:
        text = name.removesuffix(".") if trailing_dot == "distinct" else name
        return name if _dns_name(text) and len(text) <= 253 else None
    return name or None


def is_ip_address(host: str) -> bool:
    """Whether a canonical host is an IP address literal (RFC 6797 §8.1.1)."""
    if host[-1:].isalpha():
        return False
    return host[:1] == "[" or _ipv4(host.removesuffix(".")) is not None


def is_localhost(host: str) -> bool:
    """Whether a canonical host is `localhost` or below it, one trailing dot aside (RFC 6761 §6.3)."""
    name = host.removesuffix(".")
    return name == "localhost" or name.endswith(".localhost")


def superdomains(domain: str) -> Iterator[str]:
    """The superdomains of `domain`, nearest first (RFC 6797 §8.2)."""
    dot = domain.find(".")
    while dot >= 0:
        yield domain[dot + 1 :]
        dot = domain.find(".", dot + 1)


def wire_form(domain: str) -> bytes | None:
    """A domain as DNS sends it: each label after its length, and a zero byte; None where it does not fit.

    Chromium net/dns/dns_names_util.cc, DottedNameToNetwork.
    """
    labels = domain.encode("utf-8", "surrogateescape").split(b".")
    if not all(0 < len(label) < 64 for label in labels):
        return None
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def hashed(domain: str) -> str:
    """The key of a domain in Chromium's state file; empty where it has none.

    Base64 of the SHA-256 of its wire form (transport_security_state.cc, HashHost).
    """
    from base64 import b64encode
    from hashlib import sha256

    wire = wire_form(domain)
    return "" if wire is None else b64encode(sha256(wire).digest()).decode("ascii")
