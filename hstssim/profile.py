"""Profiles: how one user agent differs from another, as data.

Each field is a fact and stands beside its source. Code elsewhere asks a field, never which profile it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from hstssim import header
from hstssim.header import Directives, Grammar
from hstssim.host import TrailingDot
from hstssim.url import Port80

PreloadDecides = Literal["nearest entry", "any entry"]


class Profile:
    """How one user agent handles HSTS. Immutable; `replace` makes a variant.

    `sources` says for each field where its fact is from.
    """

    __slots__ = (
        "dns_names_only",
        "grammar",
        "internal_redirect",
        "ip_addresses_match",
        "localhost_exempt",
        "max_age_cap",
        "name",
        "port_80",
        "preload_bypass",
        "preload_decides",
        "preload_max_age_days",
        "sources",
        "title",
        "top_level_navigations_only",
        "trailing_dot",
        "upgrades_websockets",
    )

    name: str
    """What `--profile` calls it."""
    title: str
    """The user agent and its version."""
    sources: Mapping[str, str]
    """Each field's source."""
    grammar: Grammar
    """Reads a Strict-Transport-Security field value."""
    max_age_cap: int | None
    """The largest max-age that counts, in seconds; None for no limit."""
    upgrades_websockets: bool
    """Whether ws becomes wss."""
    port_80: Port80
    """What an explicit port 80 becomes."""
    internal_redirect: bool
    """Whether an upgrade shows as a 307 hop; else the URL is rewritten silently."""
    localhost_exempt: bool
    """Whether localhost and its subdomains neither note nor match."""
    ip_addresses_match: bool
    """Whether an entry for an IPv4 address, which no header can make, is obeyed."""
    trailing_dot: TrailingDot
    """Whether `example.com.` is `example.com` or another name."""
    dns_names_only: bool
    """Whether names beyond Chromium's DNS rule (`a!b.example`, empty labels) never match."""
    preload_decides: PreloadDecides
    """Which preload entry decides: the nearest to the host, or any that covers it."""
    preload_max_age_days: int | None
    """Whole days after its date from which the preload list is ignored; None for never."""
    preload_bypass: frozenset[str]
    """Single-label hosts whose preload entry is not asked (policy HSTSPolicyBypassList)."""
    top_level_navigations_only: bool
    """Whether only top-level navigations are upgraded."""

    def __init__(self, name: str, title: str, **facts: tuple[object, str]) -> None:
        values = {field: value for field, (value, _) in facts.items()}
        sources = {field: source for field, (_, source) in facts.items()}
        self._fill({"name": name, "title": title, "sources": sources, **values})

    def _fill(self, values: dict[str, Any]) -> None:
        if values.keys() != set(Profile.__slots__):
            odd = ", ".join(sorted(values.keys() ^ set(Profile.__slots__)))
            raise TypeError(f"a profile has each of its fields once; missing or unknown: {odd}")
        for field, value in values.items():
            object.__setattr__(self, field, value)

    def replace(self, *, name: str | None = None, **changes: object) -> Profile:
        """A profile like this one, but for the fields given; their source is then the caller.

        Raises:
            TypeError: a profile has no such field.
        """
        variant = object.__new__(Profile)
        values = {field: getattr(self, field) for field in Profile.__slots__}
        sources = {**self.sources, **dict.fromkeys(changes, f"changed from {self.name}")}
        variant._fill({**values, "name": name or self.name, "sources": sources, **changes})
        return variant

    def __setattr__(self, field: str, value: object) -> None:
        raise AttributeError("a Profile does not change; use replace()")

    def __delattr__(self, field: str) -> None:
        raise AttributeError("a Profile does not change; use replace()")

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, ({field: getattr(self, field) for field in Profile.__slots__},)

    def __repr__(self) -> str:
        return f"<Profile {self.name}>"


def _restored(values: dict[str, Any]) -> Profile:
    profile = object.__new__(Profile)
    profile._fill(values)
    return profile


_OFF_IN_156 = "Chromium net/base/features.cc, kHstsTopLevelNavigationsOnly: disabled by default"

CHROME = Profile(
    "chrome",
    "Chromium 156",
    grammar=(header.chrome, "Chromium net/http/http_security_headers.cc, ParseHSTSHeader"),
    max_age_cap=(31_536_000, "Chromium net/http/http_security_headers.h, kMaxHSTSAgeSecs"),
    upgrades_websockets=(True, "Chromium net/url_request/url_request_http_job.cc, Create"),
    port_80=("default", "Chromium url/gurl.cc: the default port is not written"),
    internal_redirect=(True, "Chromium net/url_request/url_request_redirect_job.cc"),
    localhost_exempt=(True, "Chromium net/base/features.cc, kIgnoreHSTSForLocalhost: enabled by default"),
    ip_addresses_match=(True, "Chromium net/http/transport_security_state.cc, GetDynamicSTSState"),
    trailing_dot=("ignored", "Chromium net/dns/dns_names_util.cc, DottedNameToNetwork"),
    dns_names_only=(True, "Chromium net/base/url_util.cc, IsCanonicalizedHostCompliant"),
    preload_decides=("nearest entry", "Chromium net/extras/preload_data/decoder.cc"),
    preload_max_age_days=(
        None,
        "a knob, off here; Chromium net/http/transport_security_state.cc, IsBuildTimely has 70",
    ),
    preload_bypass=(frozenset(), "Chromium policy HSTSPolicyBypassList: empty by default"),
    top_level_navigations_only=(False, _OFF_IN_156),
)
"""Chromium 156, with its 70-day limit on the preload list off (`replace(preload_max_age_days=70)`)."""

RFC6797 = Profile(
    "rfc6797",
    "RFC 6797 to the letter",
    grammar=(header.rfc6797, "RFC 6797 §6.1; RFC 2616 §2.2"),
    max_age_cap=(None, "RFC 6797 §11.2: a limit is left to the user agent"),
    upgrades_websockets=(False, "RFC 6797 §8.3 speaks of http URIs only"),
    port_80=("443", "RFC 6797 §8.3: an explicit port 80 is converted to 443"),
    internal_redirect=(False, "RFC 6797 §8.3: the URI is replaced before it is dereferenced"),
    localhost_exempt=(False, "RFC 6797 makes no exception for localhost"),
    ip_addresses_match=(False, "RFC 6797 §8.3 step 3: a host that is an IP address is no match"),
    trailing_dot=("distinct", "RFC 6797 §8.2 compares the labels as they are"),
    dns_names_only=(False, "RFC 6797 names no limit beyond a domain name's own"),
    preload_decides=(
        "any entry",
        "RFC 6797 §8.2, §12.3: a pre-configured host is a Known HSTS Host like another",
    ),
    preload_max_age_days=(None, "RFC 6797 §12.3 sets no age"),
    preload_bypass=(frozenset(), "RFC 6797 has no bypass"),
    top_level_navigations_only=(False, "RFC 6797 §8.3 speaks of every http URI"),
)
"""RFC 6797 to the letter."""

PROFILES: dict[str, Profile] = {profile.name: profile for profile in (CHROME, RFC6797)}
"""Every profile, by the name that `--profile` takes."""


def parse_header(value: str | bytes, *, profile: Profile = CHROME) -> Directives:
    """Read one Strict-Transport-Security field value (bytes as ISO 8859-1, one character each).

    Raises:
        InvalidHeader: the profile's grammar refuses it; says code, offset and every problem.
    """
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    return profile.grammar(value, profile.max_age_cap)
