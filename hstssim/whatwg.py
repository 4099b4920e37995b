"""URLs as browsers parse and write them (WHATWG URL): the one place that asks ada-url.

ada-url is the engine in Node; it is imported at the first question. Nothing of HSTS is known here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from hstssim.errors import MissingExtra

if TYPE_CHECKING:
    from ada_url import URL

_AUTHORITY = re.compile(r"(\s*[^:/?#]*:[/\\]*)([^/?#\\]*)", re.DOTALL)
_SPACE = re.compile(" |%20")


class Parsed(NamedTuple):
    """What an absolute URL says, in the form that a browser shows."""

    scheme: str
    host: str
    """Empty for a URL without one (`mailto:`)."""


def parse(url: str) -> Parsed | None:
    """Parse an absolute URL; None if no browser would.

    Two characters of a host, neither of which any DNS name holds, are treated as Chromium treats them and
    WHATWG does not: a space is taken and shown as `%20`, an asterisk is shown as `%2A` (url_canon_host.cc).

    Raises:
        MissingExtra: ada-url is not installed.
    """
    parsed = _url(url) or _url(_spaces_hidden(url))
    if parsed is None:
        return None
    return Parsed(parsed.protocol[:-1], _spaces_shown(parsed.hostname.replace("*", "%2A")))


def with_scheme(url: str, scheme: str) -> str:
    """Write a URL that `parse` takes with another special scheme; a port that this makes the default goes.

    As Chromium writes it: unlike WHATWG it escapes `|` in a path and `'` in user and password
    (url_canon_path.cc, url_canon_userinfo.cc).

    Raises:
        MissingExtra: ada-url is not installed.
    """
    parsed = _url(url) or _url(_spaces_hidden(url))
    assert parsed is not None, url
    parsed.protocol = scheme
    parsed.pathname = parsed.pathname.replace("|", "%7C")
    for part in ("username", "password"):
        setattr(parsed, part, getattr(parsed, part).replace("'", "%27"))
    return _spaces_shown(str(parsed.href))


def _spaces_hidden(url: str) -> str:
    begin = _AUTHORITY.match(url)
    return begin[1] + _SPACE.sub("(20)", begin[2]) + url[begin.end() :] if begin else url


def _spaces_shown(text: str) -> str:
    return text.replace("(20)", "%20")


def _url(url: str) -> URL | None:
    try:
        from ada_url import URL
    except ImportError as error:
        raise MissingExtra(
            f"{url!r} is not plain ASCII in canonical form and needs ada-url: pip install ada-url"
        ) from error
    try:
        return URL(url)
    except UnicodeEncodeError:  # a lone surrogate counts as U+FFFD (Web IDL, USVString)
        return _url(url.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    except ValueError:
        return None
