"""URLs: which scheme and host a URL has, and the URL that takes its place (RFC 6797 §8.3).

The plain shapes are read with regular expressions, which property tests hold equal to ada-url; the rest goes
to `whatwg.py`. Never here: whether a URL is to be upgraded.
"""

from __future__ import annotations

import re
from typing import Literal

from hstssim import whatwg
from hstssim.errors import InvalidURL
from hstssim.host import PLAIN_HOST

Port80 = Literal["default", "443"]
"""What an explicit port 80 becomes: it is gone with the default port, or an explicit 443."""

SECURE = {"http": "https", "ws": "wss"}
"""The scheme that takes the place of each insecure one (Fetch, main fetch; RFC 6797 §8.3)."""

plain_http = re.compile(f"http://({PLAIN_HOST})(?::[0-9]{{1,4}}+)?+(?=[/?#]|\\Z)").match
"""Matches at the start of an http URL whose host, group 1, is in the plain form."""

_plain = re.compile(f"(https?|wss?)://({PLAIN_HOST})(?::[0-9]{{1,4}}+)?+(?=[/?#]|\\Z)").match
# The characters that WHATWG leaves alone, and no segment of a path that is or might be a dot segment.
_plain_whole = re.compile(
    f"(?:http|ws)://({PLAIN_HOST})(?::([0-9]{{1,4}}))?"
    r"((?:/(?![.]|%2[eE])[A-Za-z0-9._~!$%&'()*+,;=:@-]*)*)"
    r"(\?[A-Za-z0-9._~!$%&()*+,;=:@/?-]*)?(#[A-Za-z0-9._~!$%&'()*+,;=:@/?-]*)?"
).fullmatch
_EXPLICIT_80 = r"[^:/?#]*:[/\\]*(?:[^/?#\\]*@)?[^/?#\\@]*:0*80(?:[/?#\\]|\Z)"
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


def upgrade(url: str, *, port_80: Port80 = "default") -> str:
    """The URL that takes the place of an http or ws URL, as a browser shows it.

    The scheme becomes https or wss. A port that is the default of the old or of the new scheme disappears,
    any other stays (RFC 6797 §8.3; Chromium url_request_http_job.cc, UpgradeSchemeToCryptographic). Any
    other URL comes back as a browser shows it.

    Raises:
        InvalidURL: no browser takes it.
        MissingExtra: it is not plain, and ada-url is not installed.
    """
    match = _plain_whole(url) if isinstance(url, str) else None
    if match is not None:
        host, port, path, query, fragment = match.groups("")
        number = int(port or 80)
        if port and number == 80 and port_80 == "443":
            port = ":443"
        else:
            port = "" if number in (80, 443) else f":{number}"
        return f"{'https' if url[0] == 'h' else 'wss'}://{host}{port}{path or '/'}{query}{fragment}"
    scheme, _ = parse(url)
    upgraded = whatwg.with_scheme(url, SECURE.get(scheme, scheme))
    if port_80 == "443" and scheme in SECURE and re.match(_EXPLICIT_80, url.strip(_TRIMMED).translate(_UNSEEN)):
        authority = re.match(r"[a-z]+://[^/?#]*", upgraded)
        assert authority is not None
        return f"{authority[0]}:443{upgraded[authority.end() :]}"
    return upgraded


def as_shown(url: str) -> str:
    """A URL as a browser shows it: canonical, without the default port of its scheme.

    Raises:
        InvalidURL: no browser takes it.
        MissingExtra: it is not plain, and ada-url is not installed.
    """
    match = _plain_whole(url) if isinstance(url, str) else None
    if match is not None and match[2] is None and match[3]:
        return url
    scheme, _ = parse(url)
    return whatwg.with_scheme(url, scheme)
