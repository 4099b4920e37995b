"""What a browser makes of a redirect: where it leads, by which method, with which fields.

Rules as pure functions, as Fetch (HTTP-redirect fetch) and Chromium have them; what they differ in was observed on
Chromium 156. Never here: internal redirects (`interceptor.py`), the walk itself (`browser.py`).
"""

from __future__ import annotations

from typing import Literal

from hstssim import host as hosts
from hstssim import url as urls
from hstssim.network import NetError, Request, Response
from hstssim.network.message import Headers, every, parts

STATUSES = (301, 302, 303, 307, 308)
"""Fetch, redirect status."""

BAD_PORTS = frozenset(
    (
        *(0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95),
        *(101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179),
        *(389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636),
        *(989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566),
        *(6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080),
    )
)
"""Fetch, bad port; Chromium net/base/port_util.cc."""

_UNSAFE = ("about", "blob", "chrome", "chrome-untrusted", "data", "devtools", "file", "filesystem")
_NEVER = ("chrome-error", "googlechrome", "javascript", "view-source")
_ONCE = {
    "location": "ERR_RESPONSE_HEADERS_MULTIPLE_LOCATION",
    "content-length": "ERR_RESPONSE_HEADERS_MULTIPLE_CONTENT_LENGTH",
    "content-disposition": "ERR_RESPONSE_HEADERS_MULTIPLE_CONTENT_DISPOSITION",
}
_CONTENT = ("content-encoding", "content-language", "content-length", "content-location", "content-type", "origin")

ReferrerPolicy = Literal[
    "no-referrer",
    "no-referrer-when-downgrade",
    "origin",
    "origin-when-cross-origin",
    "same-origin",
    "strict-origin",
    "strict-origin-when-cross-origin",
    "unsafe-url",
]
DEFAULT_POLICY: ReferrerPolicy = "strict-origin-when-cross-origin"
_POLICIES: tuple[ReferrerPolicy, ...] = (
    "no-referrer",
    "no-referrer-when-downgrade",
    "origin",
    "origin-when-cross-origin",
    "same-origin",
    "strict-origin",
    "strict-origin-when-cross-origin",
    "unsafe-url",
)


def unusable(response: Response) -> NetError | None:
    """Why a response is refused for its head alone (Chromium net/http/http_stream_parser.cc)."""
    seen: dict[str, str] = {}
    for name, value in response.headers:
        field = name.lower()
        if field in _ONCE and seen.setdefault(field, value) != value:
            return NetError(_ONCE[field], f"one {name} field is required; seen several that differ")
    if response.status == 407:
        return NetError("ERR_UNEXPECTED_PROXY_AUTH", "only a proxy asks for its credentials; seen 407 of a server")
    return None


def location(response: Response, url: str) -> str | NetError | None:
    """Where a response redirects to, as a browser shows it; None if it is no redirect.

    A Location without a fragment takes that of the request (Fetch; RFC 9110 §10.2.2). An empty Location is no
    redirect in Chromium.
    """
    if response.status not in STATUSES:
        return None
    said = response.header("Location")
    if not said:
        return None
    escaped = "".join(c if c.isascii() else f"%{ord(c):02X}" for c in said)
    found = urls.resolve(escaped, url)
    if found is None:
        return NetError("ERR_INVALID_REDIRECT", f"a Location is a URL that a browser takes; seen {said[:100]!r}")
    if "#" not in found and "#" in url:
        found += url[url.index("#") :]
    scheme = found.partition(":")[0]
    if scheme in _UNSAFE:
        return NetError("ERR_UNSAFE_REDIRECT", f"a redirect leads to no {scheme} URL; seen {found[:100]!r}")
    if scheme in _NEVER:
        return NetError("ERR_ABORTED", f"no page may lead to a {scheme} URL; seen {found[:100]!r}")
    if scheme == "chrome-extension":
        return NetError("ERR_BLOCKED_BY_CLIENT", f"no page may lead to an extension; seen {found[:100]!r}")
    return found


def unreachable(url: str) -> NetError | None:
    """Why a URL is not even tried: another scheme than http's, or a port that belongs to something else."""
    scheme = url.partition(":")[0]
    if scheme in ("ws", "wss"):
        return NetError("ERR_UNKNOWN_URL_SCHEME", f"no page is fetched by {scheme}; seen {url[:100]!r}")
    if scheme not in ("http", "https"):
        return NetError("ERR_ABORTED", f"another program deals with {scheme} URLs; seen {url[:100]!r}")
    port = Request("GET", url).port
    if port in BAD_PORTS:
        return NetError("ERR_UNSAFE_PORT", f"a port that belongs to no other protocol is required; seen {port}")
    return None


def next_method(method: str, status: int) -> str:
    """The method after a redirect: 301 and 302 turn POST into GET, 303 all but HEAD, 307 and 308 nothing."""
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        return "GET"
    return method


def next_request(request: Request, url: str, status: int, policy: ReferrerPolicy) -> Request:
    """The request that follows a redirect to `url`, an internal one too.

    Body and Content-* go with a change of method. Another origin gets no Authorization, and `Origin: null` in
    place of an Origin (Chromium net/url_request/redirect_util.cc). The Referer is cut as `policy` asks.
    """
    method = next_method(request.method, status)
    headers = list(request.headers)
    body = request.body
    if method != request.method:
        body = None
        headers = [pair for pair in headers if pair[0].lower() not in _CONTENT]
    if origin(url) != origin(request.url):
        headers = [
            (name, "null" if name.lower() == "origin" else value)
            for name, value in headers
            if name.lower() != "authorization"
        ]
    return Request(method, url, _referred(tuple(headers), url, policy), body)


def _referred(headers: Headers, url: str, policy: ReferrerPolicy) -> Headers:
    kept = []
    for name, value in headers:
        if name.lower() == "referer":
            value = referrer(value, url, policy)
            if not value:
                continue
        kept.append((name, value))
    return tuple(kept)


def referrer(page: str, url: str, policy: ReferrerPolicy = DEFAULT_POLICY) -> str:
    """The Referer of a request from a page; empty for none (Referrer Policy §8.3)."""
    whole = page.partition("#")[0]
    scheme, _, rest = whole.partition("://")
    authority = rest.partition("/")[0]
    whole = f"{scheme}://{authority.rpartition('@')[2]}{rest[len(authority) :] or '/'}"
    if scheme not in ("http", "https") or policy == "no-referrer":
        return ""
    only_origin = f"{origin(page)}/"
    same = origin(page) == origin(url)
    downgrade = is_trustworthy(page) and not is_trustworthy(url)
    match policy:
        case "unsafe-url":
            return whole
        case "origin":
            return only_origin
        case "same-origin":
            return whole if same else ""
        case "origin-when-cross-origin":
            return whole if same else only_origin
        case "no-referrer-when-downgrade":
            return "" if downgrade else whole
        case "strict-origin":
            return "" if downgrade else only_origin
        case _:
            return whole if same else "" if downgrade else only_origin


def policy_after(response: Response, policy: ReferrerPolicy) -> ReferrerPolicy:
    """The referrer policy after a redirect: the last one in its Referrer-Policy that a browser knows."""
    said = ",".join(every(response.headers, "Referrer-Policy")).lower()
    for token in said.split(","):
        for known in _POLICIES:
            if token.strip() == known:
                policy = known
    return policy


def origin(url: str) -> str:
    """The origin of an http or https URL as a browser shows it."""
    return parts(url).origin


def is_trustworthy(url: str) -> bool:
    """Whether a URL is potentially trustworthy (Secure Contexts §3.1)."""
    request = Request("GET", url)
    if not request.plaintext:
        return True
    host = request.host
    return hosts.is_localhost(host) or host == "[::1]" or (hosts.is_ip_address(host) and host[:4] == "127.")


def site_relation(page: str, url: str) -> str:
    """What a request of a page is: `same-origin`, `same-site` or `cross-site` (Fetch Metadata §2.4)."""
    if origin(page) == origin(url):
        return "same-origin"
    from hstssim.site import registrable_domain

    one, other = Request("GET", page), Request("GET", url)
    same = one.scheme == other.scheme and registrable_domain(one.host) == registrable_domain(other.host)
    return "same-site" if same else "cross-site"
