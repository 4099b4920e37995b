"""URLs as browsers parse and write them (WHATWG URL): the one place that asks ada-url.

ada-url is the engine in Node; it is imported at the first question. Nothing of HSTS is known here.
"""

from __future__ import annotations

import re

from hstssim.errors import MissingExtra

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ada_url import URL


def parse(url: str) -> tuple[str, str] | None:
    """The scheme and host of an absolute URL, as a browser shows them; None if no browser takes it.

    The host is empty for a URL without one (`mailto:`).

    Two characters of a host, neither of which any DNS name holds, are treated as Chromium treats them and
    WHATWG does not: a space is taken and shown as `%20`, an asterisk is shown as `%2A` (url_canon_host.cc).

    Raises:
        MissingExtra: ada-url is not installed.
    """
    parsed, space, count = _parsed(url)
    if parsed is None:
        return None
    host: str = parsed.hostname.replace(space, "%20", count).replace("*", "%2A")
    return parsed.protocol[:-1], host


def with_scheme(url: str, scheme: str) -> str:
    """Write a URL that `parse` takes with another special scheme; a port that this makes the default goes.

    As Chromium writes it: unlike WHATWG it escapes `|` in a path and `'` in user and password
    (url_canon_path.cc, url_canon_userinfo.cc).

    Raises:
        MissingExtra: ada-url is not installed.
    """
    parsed, space, count = _parsed(url)
    assert parsed is not None, url
    if parsed.protocol != f"{scheme}:":
        parsed.protocol = scheme
    for part, seen, written in (("pathname", "|", "%7C"), ("username", "'", "%27"), ("password", "'", "%27")):
        text = getattr(parsed, part)
        if seen in text and parsed.hostname:
            setattr(parsed, part, text.replace(seen, written))
    return str(parsed.href).replace(space, "%20", count)


def resolve(reference: str, base: str) -> str | None:
    """A reference from a URL that `parse` takes, as a browser shows it; None if no browser takes it.

    Raises:
        MissingExtra: ada-url is not installed.
    """
    try:
        from ada_url import URL
    except ImportError as error:
        raise MissingExtra(f"resolving {reference!r} needs ada-url: pip install ada-url") from error
    try:
        found = URL(reference, base=base)
    except ValueError:
        # A space in its authority is what Chromium takes: that form says its scheme, or takes the base's.
        whole = re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", reference)
        text = reference if whole else f"{base.partition(':')[0]}:{reference}"
        parsed, _, count = _parsed(text)
        return with_scheme(text, parsed.protocol[:-1]) if parsed is not None and count else None
    if not found.hostname:
        return str(found.href)
    return with_scheme(found.href, found.protocol[:-1])


def _parsed(url: str) -> tuple[URL | None, str, int]:
    """The URL, what stands for each space of its authority, and how many of them there are."""
    space = "(20)"
    parsed = _url(url)
    begin = re.match(r"(\s*[^:/?#]*:[/\\]*)([^/?#\\]*)", url) if parsed is None else None
    if begin is None:
        return parsed, space, 0
    while space in url:
        space = f"({space})"
    authority, count = re.subn(" |%20", space, begin[2])
    return _url(begin[1] + authority + url[begin.end() :]), space, count


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
