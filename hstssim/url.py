"""URLs: which scheme and host a URL has, and the URL that takes its place (RFC 6797 §8.3).

The plain shapes are read with regular expressions, which property tests hold equal to ada-url; the rest goes
to `whatwg.py`. Never here: whether a URL is to be upgraded.
"""

from __future__ import annotations

import re
from typing import Literal

from hstssim import whatwg
from hstssim.errors import InvalidURL
from hstssim.host import CANONICAL_HOST, PLAIN_HOST

Port80 = Literal["default", "443", "kept"]
"""What an explicit port 80 becomes: it is gone with the default port, an explicit 443 (as does 443), or stays."""

SECURE = {"http": "https", "ws": "wss"}
"""The scheme that takes the place of each insecure one (Fetch, main fetch; RFC 6797 §8.3)."""

plain_http = re.compile(f"http://({PLAIN_HOST})(?::[0-9]{{1,4}}+)?+(?=[/?#]|\\Z)").match
"""Matches at the start of an http URL whose host, group 1, is in the plain form."""

_plain = re.compile(f"(https?|wss?)://({CANONICAL_HOST})(?::([0-9]{{1,4}}+))?+(?=[/?#]|\\Z)").match
# The characters that WHATWG leaves alone, and no segment of a path that is or might be a dot segment.
_PATH = r"(?:/(?![.]|%2[eE])[A-Za-z0-9._~!$%&'()*+,;=:@-]*)"
_REST = r"(\?[A-Za-z0-9._~!$%&()*+,;=:@/?-]*)?(#[A-Za-z0-9._~!$%&'()*+,;=:@/?-]*)?"
_plain_whole = re.compile(f"(https?|wss?)://({CANONICAL_HOST})(?::([0-9]{{1,4}}))?({_PATH}*){_REST}").fullmatch
_plain_shown = re.compile(f"https?://{CANONICAL_HOST}{_PATH}+{_REST}").fullmatch
_plain_path = re.compile(f"(?!//){_PATH}+{_REST}").fullmatch
_authority = re.compile("https?://[^/?#]*").match
_EXPLICIT = r"[^:/?#]*:[/\\]*(?:[^/?#\\]*@)?[^/?#\\@]*:0*([0-9]{1,5})(?:[/?#\\]|\Z)"
_DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
_WRITTEN = {
    "default": {},
    "443": {80: 443, 443: 443},
    "kept": {80: 80, 443: 443},
}  # where a browser would write none
_UNSEEN = {ord(character): None for character in "\t\n\r"}  # WHATWG URL drops them wherever they stand
_TRIMMED = "".join(map(chr, range(33)))  # and these at both ends


def parse(url: str) -> tuple[str, str]:
    """The scheme and the canonical host of an absolute URL.

    Raises:
        InvalidURL: no browser takes it.
        MissingExtra: it is not plain, and ada-url is not installed.
    """
    if not isinstance(url, str):
        raise InvalidURL(url, f"a URL is a str, not {type(url).__name__}")
    match = _plain(url)
    if match is not None:
        return match[1], match[2]
    parsed = whatwg.parse(url)
    if parsed is None:
        raise InvalidURL(url, "an absolute URL that a browser takes is required")
    return parsed


def port(url: str) -> int:
    """The port that an absolute URL names; 0 where it names none, or its scheme's default.

    Raises:
        InvalidURL: no browser takes it.
        MissingExtra: it is not plain, and ada-url is not installed.
    """
    if isinstance(url, str) and url.find(":", len("https:")) < 0:
        return 0
    match = _plain(url) if isinstance(url, str) else None
    scheme = match[1] if match is not None else parse(url)[0]
    text = match[3] if match is not None else _explicit_port(as_shown(url))
    number = int(text or 0)
    return 0 if number == _DEFAULT_PORTS.get(scheme) else number


def upgrade(url: str, *, port_80: Port80 = "default") -> str:
    """The URL that takes the place of an http or ws URL, as a browser shows it.

    The scheme becomes https or wss. A port that is the default of the old or of the new scheme disappears
    unless `port_80` keeps it, any other stays (RFC 6797 §8.3; Chromium url_request_http_job.cc,
    UpgradeSchemeToCryptographic). Any other URL comes back as a browser shows it.

    Raises:
        InvalidURL: no browser takes it.
        MissingExtra: it is not plain, and ada-url is not installed.
    """
    match = _plain_whole(url) if isinstance(url, str) else None
    if match is not None and match[1] in SECURE:
        scheme, host, port, path, query, fragment = match.groups("")
        number = int(port or 80)
        if port and number in _WRITTEN[port_80]:
            port = f":{_WRITTEN[port_80][number]}"
        else:
            port = "" if number in (80, 443) else f":{number}"
        return f"{SECURE[scheme]}://{host}{port}{path or '/'}{query}{fragment}"
    scheme, _ = parse(url)
    upgraded = whatwg.with_scheme(url, SECURE.get(scheme, scheme))
    written = _WRITTEN[port_80].get(int(_explicit_port(url) or 0)) if scheme in SECURE else None
    if written is None:
        return upgraded
    authority = re.match(r"[a-z]+://[^/?#]*", upgraded)
    assert authority is not None
    return f"{authority[0]}:{written}{upgraded[authority.end() :]}"


def resolve(reference: str, base: str) -> str | None:
    """A reference from a URL, such as a Location, as a browser shows it; None if no browser takes it.

    `base` is as a browser shows it.

    Raises:
        MissingExtra: it is not plain, and ada-url is not installed.
    """
    if _plain_shown(reference):
        return reference
    authority = _authority(base)
    if authority is not None and _plain_path(reference):
        return authority[0] + reference
    return whatwg.resolve(reference, base)


def _explicit_port(url: str) -> str:
    match = re.match(_EXPLICIT, url.strip(_TRIMMED).translate(_UNSEEN))
    return "" if match is None else match[1]


def as_shown(url: str) -> str:
    """A URL as a browser shows it: canonical, without the default port of its scheme.

    Raises:
        InvalidURL: no browser takes it.
        MissingExtra: it is not plain, and ada-url is not installed.
    """
    match = _plain_whole(url) if isinstance(url, str) else None
    if match is not None:
        scheme, host, port, path, query, fragment = match.groups("")
        number = int(port or _DEFAULT_PORTS[scheme])
        port = "" if number == _DEFAULT_PORTS[scheme] else f":{number}"
        return f"{scheme}://{host}{port}{path or '/'}{query}{fragment}"
    scheme, _ = parse(url)
    return whatwg.with_scheme(url, scheme)
