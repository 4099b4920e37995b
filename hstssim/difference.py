"""Where profiles disagree: the same response, and the same request after it, under each.

Here: the comparison, and headers and hosts that bring out every known difference. Never here: why a profile
does what it does (`Profile.sources` says that), or how a comparison is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hstssim import host as hosts
from hstssim.errors import InvalidHeader, InvalidHost, short
from hstssim.interceptor import Interceptor
from hstssim.markup import mark, table
from hstssim.profile import Profile, parse_header
from hstssim.store import HSTSStore, Ignored

_FIELD = "Strict-Transport-Security"
_NOW = 1_800_000_000  # some moment of 2027: only an expiry near the end of time depends on which
_LARGEST = 2**63 - 1
_UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))

TELLING_HEADERS: tuple[str | tuple[str, ...], ...] = (
    "max-age=31536000; includeSubDomains",
    'MAX-AGE="86400" ; preload',
    "max-age=63072000",
    "max-age=9999999999",
    "max-age=99999999999999999999",
    "max-age=0",
    "max-age",
    "max-age=abc",
    "max-age=86400abc",
    "max-age=+86400",
    "max-age =86400",
    r'max-age="8640\0"',
    "max-age=86400, max-age=3600",
    "; max-age=86400",
    "max-age=86400;; includeSubDomains",
    "max-age=86400; max-age=3600",
    "max-age=86400; includeSubDomains; includeSubDomains",
    "max-age=86400; foo; foo",
    "max-age=86400; includeSubDomains=1",
    "max-age=86400; includeSubDomainsFoo",
    "max-age=86400 includeSubDomains",
    "max-age=86400; foo=",
    "max-age=86400; foo=b c",
    'max-age=86400; foo="; includeSubDomains; "',
    'max-age=86400; foo="é"',
    ("includeSubDomains", "max-age=86400"),
    ("max-age=86400", "max-age=3600; includeSubDomains"),
)
"""Field values that profiles take differently, after two that all take alike."""

TELLING_HOSTS: tuple[str | tuple[str, str], ...] = (
    "under_score.example",
    "192.0.2.1",
    "localhost",
    "a!b.example",
    ("example.com", "example.com."),
    ("example", "www.example"),
    ("example.com", "example.com:80"),
    ("example.com", "example.com:443"),
    ("example.com", "example.com:8080"),
    ("example.com:8443", "example.com"),
    ("example.com:8443", "example.com:8443"),
)
"""Hosts that profiles treat differently, but for the first two and the last: `HOST[:PORT]`, or where a header
was heard and what is asked then."""


class Outcome(NamedTuple):
    """What one profile made of a response, and of a request after it."""

    effect: str
    """`set`, `delete` (max-age is 0) or `ignore`."""
    code: str
    """Why the response was ignored: the code of `Ignored`, or what is wrong with its field; else empty."""
    max_age: int | None
    """Seconds, after the profile's cap, by the field that counted; None if none did."""
    include_subdomains: bool | None
    """Whether subdomains are covered; None if nothing was set."""
    location: str | None
    """What http://ASKED/ becomes within the same second; None if it is not upgraded."""

    def __str__(self) -> str:
        """In a few words: `1 day`, `365 days +sub`, `delete`, `ignore`.

        An entry that upgrades nothing says so; `0 seconds` is one that should have been deleted and upgrades
        until its second is over.
        """
        if self.max_age is None or (self.effect == "delete" and self.location is None):
            return self.effect
        lasting = _lasting(self.max_age) + (" +sub" if self.include_subdomains else "")
        return lasting if self.location is not None else f"{lasting}, no upgrade"


class Comparison(NamedTuple):
    """The outcomes of one response and one request under several profiles."""

    fields: tuple[str, ...]
    """The response's Strict-Transport-Security field values (bytes as ISO 8859-1)."""
    host: str
    """Where they were heard, over https without errors: `HOST[:PORT]`."""
    asked: str
    """What was then asked over http: `HOST[:PORT]`."""
    outcomes: dict[str, Outcome]
    """By the name of the profile, in the order given."""

    @property
    def differs(self) -> bool:
        """Whether the outcomes are not all alike; why a response was ignored does not count."""
        return len({outcome._replace(code="") for outcome in self.outcomes.values()}) > 1


class Comparisons(list[Comparison]):
    """Comparisons under the same profiles, as a table where a notebook shows them."""

    def _repr_html_(self) -> str:
        """A row a comparison; what is not as under the first profile stands out."""
        names = list(self[0].outcomes) if self else []
        rows = []
        for found in self:
            told = [str(outcome) for outcome in found.outcomes.values()]
            cells = [text if text == told[0] else mark(text, "plaintext") for text in told]
            where = found.host if found.host == found.asked else f"{found.host}, then {found.asked}"
            rows.append((" | ".join(found.fields), where, *cells))
        differing = sum(found.differs for found in self)
        return table(f"{differing} of {len(self)} differ", ("Strict-Transport-Security", "host", *names), rows)


def diff(
    profiles: Iterable[Profile],
    headers: str | bytes | Iterable[str | bytes | Sequence[str | bytes]] = TELLING_HEADERS,
    hosts: str | Iterable[str | tuple[str, str]] = ("example.com",),
) -> Comparisons:
    """Compare what profiles make of each header on each host, each time with an empty store and no list.

    Args:
        profiles: what to compare; no two of one name.
        headers: field values; several in a sequence of their own are the fields of one response.
        hosts: `HOST[:PORT]`, or a pair: where the header is heard, and what is asked then.

    Returns:
        One comparison for each header and each host, header by header.

    Raises:
        InvalidHost: no browser takes a host; nothing has been compared then.
        MissingExtra: ada-url or publicsuffixlist is needed and not installed.
        TypeError: something else than a profile or a field value.
        ValueError: two profiles of one name.
    """
    named: dict[str, Profile] = {}
    for profile in profiles:
        if not isinstance(profile, Profile):
            raise TypeError(f"profiles are compared; seen {short(profile)}")
        if profile.name in named:
            raise ValueError(f"profiles have names of their own (replace(name=…)); seen {profile.name!r} twice")
        named[profile.name] = profile
    pairs = [_pair(host) for host in ([hosts] if isinstance(hosts, str) else hosts)]
    responses = map(_fields, [headers] if isinstance(headers, str | bytes) else headers)
    return Comparisons(
        Comparison(
            fields,
            heard.text,
            asked.text,
            {name: _outcome(profile, fields, heard, asked) for name, profile in named.items()},
        )
        for fields in responses
        for heard, asked in pairs
    )


class _Host(NamedTuple):
    text: str
    authority: str
    """As it stands in a URL."""


def _pair(host: object) -> tuple[_Host, _Host]:
    if isinstance(host, str):
        one = _host(host)
        return one, one
    if not isinstance(host, Sequence) or len(host) != 2:
        raise InvalidHost(host, "a host is HOST[:PORT], or a pair of them: where it is heard, what is asked")
    return _host(host[0]), _host(host[1])


def _host(text: object) -> _Host:
    if not isinstance(text, str):
        raise InvalidHost(text, f"a host is a str, not {type(text).__name__}")
    name, _, port = text.rpartition(":")
    bracketed = ":" not in name or name[-1] == "]"  # an IPv6 address without brackets ends as if with a port
    if bracketed and port.isascii() and port.isdigit() and len(port) < 10 and int(port) < 65_536:
        return _Host(text, f"{hosts.canonical(name)}:{int(port)}")
    return _Host(text, hosts.canonical(text))


def _fields(header: object) -> tuple[str, ...]:
    values = [header] if isinstance(header, str | bytes) else header
    if not isinstance(values, Sequence) or not all(isinstance(value, str | bytes) for value in values):
        raise TypeError(f"a header is a str or bytes, or a sequence of those; seen {short(header)}")
    return tuple(value.decode("latin-1") if isinstance(value, bytes) else value for value in values)


def _outcome(profile: Profile, fields: tuple[str, ...], heard: _Host, asked: _Host) -> Outcome:
    hsts = Interceptor(HSTSStore(profile=profile, clock=lambda: _NOW))
    taught = hsts.response(f"https://{heard.authority}/", [(_FIELD, field) for field in fields])
    location = hsts.request(f"http://{asked.authority}/").location
    if isinstance(taught, Ignored):
        return Outcome("ignore", taught.error.code if taught.error else taught.code, None, None, location)
    directives = None
    for field in fields if profile.fields == "every" else fields[:1]:
        try:
            directives = parse_header(field, profile=profile)
        except InvalidHeader:
            continue
    assert directives is not None
    flag = directives.include_subdomains if directives.max_age else None
    return Outcome(directives.effect, "", directives.max_age, flag, location)


def _lasting(seconds: int) -> str:
    """A max-age in the largest unit that leaves no rest, so that none differ unseen; from 10^15 on roughly."""
    if seconds == _LARGEST:
        return "2^63-1 s"
    if seconds >= 10**15:
        return f"10^{len(str(seconds)) - 1} s or more"
    unit, size = next(pair for pair in _UNITS if pair[1] == 1 or (seconds >= pair[1] and seconds % pair[1] == 0))
    count = seconds // size
    if count >= 10**6:
        return f"{seconds} s"
    return f"{count} {unit}{'' if count == 1 else 's'}"
