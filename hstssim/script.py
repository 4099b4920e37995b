"""Scripts: what the paths of a site answer on http and on https, as data.

The lab sends it over real sockets (`lab/`), a scripted network hands it over in memory (`network/`). Never here:
either of them, certificates.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Literal, NamedTuple, Protocol, TypeVar, get_args

import h11

from hstssim import host as hosts
from hstssim import url as urls
from hstssim.errors import HSTSSimError, LabError, short


class Asked(Protocol):
    """What a script may look at in a request."""

    @property
    def url(self) -> str:
        """The whole of it."""

    @property
    def method(self) -> str:
        """`GET`."""

    @property
    def target(self) -> str:
        """Path and query."""

    @property
    def scheme(self) -> str:
        """`http` or `https`."""


Kind = Literal[
    "valid", "expired", "not-yet-valid", "wrong-name", "self-signed", "unknown-issuer", "wildcard", "ip-address"
]
"""What is special about a certificate. `wildcard` is for a site's name and the names one label below it,
`ip-address` for 127.0.0.1 and nothing else."""

KINDS: tuple[Kind, ...] = get_args(Kind)
EVERYTHING = "*"
"""The name of the site that answers for whatever no other does."""

Scheme = Literal["http", "https"]
Redirect = str | Callable[[Any], str]
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})


class Answer(NamedTuple):
    """What a path answers."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    """None for a short text of the lab's."""
    redirect: Redirect | None = None
    sts: tuple[str, ...] | None = None
    """Strict-Transport-Security fields; None for the site's."""
    delay: float = 0.0
    drop: bool = False


class Reply(NamedTuple):
    """What is sent: an answer with everything settled."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    sts: tuple[str, ...] = ()
    delay: float = 0.0
    drop: bool = False
    error: str | None = None
    """What went wrong in a script."""


def text_reply(status: int, text: str) -> Reply:
    """A plain text, as the lab itself answers."""
    return Reply(status, [("Content-Type", "text/plain; charset=utf-8")], f"{text}\n".encode())


def to_https(request: Asked) -> str:
    """The Location that leads from a request in the clear to its like over https, for `Site.on`."""
    return urls.upgrade(request.url)


def as_kind(text: str) -> Kind:
    """A kind of certificate by its name.

    Raises:
        LabError: there is no such kind.
    """
    for known in KINDS:
        if text == known:
            return known
    raise LabError(f"a certificate is one of {', '.join(KINDS)}; seen {short(text)}")


class Script:
    """A name, what is special about its certificate, and what its paths answer.

    The attributes may be set at any time and hold for the next connection or request.
    """

    def __init__(
        self,
        name: str,
        *,
        sts: str | bytes | Sequence[str | bytes] = (),
        certificate: str = "valid",
        subdomains: bool = True,
        refuse_tls: bool = False,
    ) -> None:
        self.name = name
        self.sts = sts
        self.certificate = certificate
        self.subdomains = subdomains
        self.refuse_tls = refuse_tls
        self._script: dict[tuple[str, Scheme | None], Answer] = {}

    @property
    def sts(self) -> tuple[str, ...]:
        """The Strict-Transport-Security fields of each answer over https.

        A host must send none in the clear (RFC 6797 §7.2).
        """
        return self._sts

    @sts.setter
    def sts(self, fields: str | bytes | Sequence[str | bytes]) -> None:
        self._sts = _fields(fields)

    @property
    def certificate(self) -> Kind:
        """The kind of certificate that it presents."""
        return self._certificate

    @certificate.setter
    def certificate(self, kind: str) -> None:
        self._certificate = as_kind(kind)

    def on(
        self,
        path: str,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        body: str | bytes | None = None,
        redirect: Redirect | None = None,
        sts: str | bytes | Sequence[str | bytes] | None = None,
        delay: float = 0.0,
        drop: bool = False,
        scheme: Scheme | None = None,
    ) -> None:
        """Say what a path answers.

        Args:
            path: a path (`/login`), a path with its query, or a beginning (`/img/*`, `*`); the closest decides.
            status: 200 by default, 302 with a redirect.
            headers: a mapping, or pairs where a field is repeated; added as they are, in order. One replaces
                the lab's own of that name.
            body: a text or bytes; a short text by default.
            redirect: the Location, or a function that makes it from the request, such as `to_https`.
            sts: the Strict-Transport-Security fields instead of the site's, raw, one or several. Without a
                scheme they go over https only; `scheme="http"` sends them in the clear, where a client must
                ignore them (RFC 6797 §8.1).
            delay: seconds before the answer.
            drop: close the connection instead of answering.
            scheme: only for requests in plaintext (`http`) or over TLS (`https`).

        Raises:
            LabError: it could not be sent.
        """
        if not isinstance(path, str) or not (path[:1] == "/" or path == "*"):
            raise LabError(f"a path begins with '/', or is '*' for all; seen {short(path)}")
        if scheme not in (None, "http", "https"):
            raise LabError(f"a scheme is 'http', 'https', or None for both; seen {short(scheme)}")
        if status is None:
            status = 200 if redirect is None else 302
        if not isinstance(delay, int | float) or not 0 <= delay < 1e6:
            raise LabError(f"a delay is a number of seconds; seen {short(delay)}")
        content = body.encode() if isinstance(body, str) else body
        fields = None if sts is None else _fields(sts)
        if not isinstance(headers, Iterable):
            raise LabError(f"headers are a mapping, or pairs of name and value; seen {short(headers)}")
        pairs = tuple(headers.items() if isinstance(headers, Mapping) else headers)
        answer = Answer(status, pairs, content, redirect, fields, delay, drop)
        _check(answer)
        self._script[path, scheme] = answer

    def reply(self, request: Asked) -> Reply:
        """What is sent to a request."""
        answer = self._answer(request.target, request.scheme)
        own = () if request.scheme == "http" else self.sts
        sts = own if answer.sts is None else answer.sts
        headers = [*answer.headers, *(("Strict-Transport-Security", field) for field in sts)]
        body, kind = answer.body, "text/plain; charset=utf-8"
        if answer.redirect is not None:
            try:
                location = answer.redirect if isinstance(answer.redirect, str) else answer.redirect(request)
                headers.append(("Location", location))
                if location is not answer.redirect:
                    _check(answer._replace(headers=tuple(headers), redirect=location))
            except Exception as error:
                reply = text_reply(500, f"the redirect of {request.target} failed: {error}")
                return reply._replace(error=f"the redirect of {request.url} raised {error!r}")
            if body is None:
                body, kind = _hypertext(answer.status, location), "text/html; charset=utf-8"
        if body is None:
            what = f"{self.name} answers {request.target} over {request.scheme}"
            if self.name == EVERYTHING:
                what = f"the lab answers {request.url}"
            body = f"{what}\n".encode()
        elif body[:1] == b"<":
            kind = "text/html; charset=utf-8"
        if answer.status in (204, 304):
            body = b""
        elif not any(name.lower() == "content-type" for name, _ in headers):
            headers.insert(0, ("Content-Type", kind))
        return Reply(answer.status, headers, body, sts, answer.delay, answer.drop)

    def _answer(self, target: str, scheme: Scheme | str) -> Answer:
        path = target.partition("?")[0]
        beginnings = {key for key, _ in self._script if key[-1] == "*" and path.startswith(key[:-1])}
        for key in (target, path, *sorted(beginnings, key=len, reverse=True)):
            for only in (scheme, None):
                answer = self._script.get((key, only))  # type: ignore[arg-type]
                if answer is not None:
                    # Fields that were not asked for in the clear are not sent in it.
                    return answer._replace(sts=()) if only is None and scheme == "http" else answer
        return Answer()


def site_name(name: str) -> str:
    """The name of a site, as a browser shows it and without a dot at its end.

    Raises:
        LabError: it is no host that DNS could hold.
    """
    try:
        host = hosts.canonical(name)
    except HSTSSimError as error:
        raise LabError(f"a site has the name of a host: {error}") from None
    domain = host if hosts.is_ip_address(host) else hosts.domain(host)
    if domain is None:
        raise LabError(f"a site has the name of a host that DNS could hold; seen {short(name)}")
    return domain


S = TypeVar("S", bound=Script)


def find(sites: Mapping[str, S], host: str) -> S | None:
    """The site that answers for a canonical host: its own, or the nearest above it that has `subdomains`."""
    domain = host.removesuffix(".")
    site = sites.get(domain)
    if site is not None or hosts.is_ip_address(domain):
        return site
    for name in hosts.superdomains(domain):
        site = sites.get(name)
        if site is not None and site.subdomains:
            return site
    return None


def _fields(sts: str | bytes | Sequence[str | bytes]) -> tuple[str, ...]:
    raw = (sts,) if isinstance(sts, str | bytes) or not isinstance(sts, Iterable) else tuple(sts)
    for field in raw:
        if not isinstance(field, str | bytes):
            raise LabError(f"a Strict-Transport-Security field is a str or bytes; seen {short(field)}")
    fields = tuple(field.decode("latin-1") if isinstance(field, bytes) else field for field in raw)
    _check(Answer(headers=tuple(("Strict-Transport-Security", field) for field in fields)))
    return fields


def _check(answer: Answer) -> None:
    """See that an answer could be sent."""
    headers = answer.headers
    if answer.redirect is not None and not callable(answer.redirect):
        headers = (*headers, ("Location", answer.redirect))
    if not isinstance(answer.status, int) or not 200 <= answer.status <= 599:
        raise LabError(f"a status is a number from 200 to 599; seen {short(answer.status)}")
    if not isinstance(answer.body, bytes | None):
        raise LabError(f"a body is a str or bytes; seen {short(answer.body)}")
    try:
        pairs = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers]
        h11.Response(status_code=answer.status, headers=pairs)
    except (h11.LocalProtocolError, UnicodeError, AttributeError, TypeError, ValueError) as error:
        raise LabError(f"headers are pairs that HTTP can carry ({error}); seen {short(headers)}") from None
    framing = [name for name, _ in headers if name.lower() in _FRAMING]
    if framing:
        raise LabError(
            f"the lab itself says how an answer is framed: leave {framing[0]} out; drop=True breaks off"
        )


def _hypertext(status: int, location: str) -> bytes:
    """The note with a link that a redirect carries (RFC 9110 §15.4)."""
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Redirect"
    link = html.escape(location)
    page = f'<!doctype html>\n<title>{status} {phrase}</title>\n<p>{phrase}: <a href="{link}">{link}</a></p>\n'
    return page.encode()
