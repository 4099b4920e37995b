"""Profiles: how one user agent differs from another, as data.

Each field is a fact and stands beside its source. Code elsewhere asks a field, never which profile it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from hstssim import header
from hstssim.errors import short
from hstssim.header import Directives, Grammar
from hstssim.host import TrailingDot
from hstssim.url import Port80

Fields = Literal["first", "every"]
MaxAgeOverflow = Literal["none", "unlimited", "wraps around"]
MaxAgeZero = Literal["forgets", "forgets or knocks out", "forgets or stores"]
Refresh = Literal["always", "by a day", "in another second"]
StateLines = Literal["exact", "loose"]
Key = Literal["domain", "domain and port", "domain and top-level site"]
Expires = Literal["after its expiry", "at its expiry"]
Decides = Literal["any entry", "nearest covering entry", "nearest entry"]
PreloadDecides = Literal["any entry", "nearest entry", "no list"]
Localhost = Literal["ordinary", "never upgraded", "never noted or upgraded"]
Eviction = Literal["none", "oldest", "least score"]
TLSErrors = Literal["no recourse", "no recourse but thisisunsafe", "as for any host"]


class Profile:
    """How one user agent handles HSTS. Immutable; `replace` makes a variant.

    `sources` says for each field where its fact is from.
    """

    __slots__ = (
        "cross_site_notes",
        "dns_names_only",
        "dynamic_decides",
        "dynamic_replaces_preload",
        "eviction",
        "expires",
        "fetch_metadata",
        "fields",
        "grammar",
        "https_upgrades",
        "insecure_forms_blocked",
        "internal_redirect",
        "ip_addresses_match",
        "key",
        "key_hashed",
        "localhost",
        "max_age_cap",
        "max_age_overflow",
        "max_age_zero",
        "max_entries",
        "name",
        "origin_tainted",
        "port_80",
        "preload_bypass",
        "preload_decides",
        "preload_max_age_days",
        "redirect_cache",
        "redirect_limit",
        "refresh",
        "simple",
        "single_label_superdomains",
        "sources",
        "state_lines",
        "ticks_per_second",
        "title",
        "tls_errors",
        "top_level_navigations_only",
        "trailing_dot",
        "unverified_notes",
        "upgrades_websockets",
    )

    name: str
    """What `--profile` calls it."""
    title: str
    """The user agent and its version."""
    sources: Mapping[str, str]
    """Each field's source."""

    # What a response teaches.
    fields: Fields
    """Which Strict-Transport-Security fields of a response count."""
    grammar: Grammar
    """Reads a Strict-Transport-Security field value."""
    max_age_cap: int | None
    """The largest max-age that counts, in seconds; None for no limit."""
    max_age_overflow: MaxAgeOverflow
    """What becomes of an expiry beyond 2^63 - 1: it never comes, or wraps around into the past."""
    max_age_zero: MaxAgeZero
    """What max-age=0 does: it forgets the entry, or leaves one that takes the host out of the preload list
    (knocks out), or stores one that ends at once where there was none."""
    refresh: Refresh
    """When a header replaces the host's entry: always, or only if its expiry moves by more than a day or
    its includeSubDomains changes, or only in another second than the last."""
    unverified_notes: bool
    """Whether a response counts though the certificate was not checked."""
    cross_site_notes: bool
    """Whether a response counts though the page that asked for it is of another site."""
    key: Key
    """By what an entry is kept and found."""
    key_hashed: bool
    """Whether the state file holds hashes of domains."""
    state_lines: StateLines
    """How a line of a state file is read: exactly as it is written, or with other blanks and more text too."""
    max_entries: int | None
    """How many entries it keeps; None for no limit."""
    eviction: Eviction
    """Which entry makes room for one too many: the oldest, or the one used on the fewest days."""

    # Whether an entry covers a host.
    ticks_per_second: int | None
    """How fine its clock is; None for as fine as the machine's."""
    expires: Expires
    """Whether an entry still counts at the very instant of its expiry."""
    trailing_dot: TrailingDot
    """Whether `example.com.` is `example.com` or another name."""
    dns_names_only: bool
    """Whether names beyond Chromium's DNS rule (`a!b.example`, empty labels) never match."""
    ip_addresses_match: bool
    """Whether an entry for an IP address, which no header can make, is obeyed."""
    localhost: Localhost
    """Whether localhost and its subdomains can be noted, and upgraded."""
    single_label_superdomains: bool
    """Whether an entry of one label covers subdomains."""
    dynamic_decides: Decides
    """Which dynamic entry decides: any that covers the host, the nearest that covers it (an expired one too),
    or the nearest of all."""
    preload_decides: PreloadDecides
    """Which preload entry decides: the nearest to the host, or any that covers it; or there is no list."""
    dynamic_replaces_preload: bool
    """Whether a dynamic entry, expired ones too, takes the place of the preload entry of the same domain."""
    preload_max_age_days: int | None
    """Whole days after its date from which the preload list is ignored; None for never."""
    preload_bypass: frozenset[str]
    """Single-label hosts whose preload entry is not asked (policy HSTSPolicyBypassList)."""

    # What an upgrade is.
    port_80: Port80
    """What an explicit port 80 becomes."""
    upgrades_websockets: bool
    """Whether ws becomes wss."""
    top_level_navigations_only: bool
    """Whether only top-level navigations are upgraded."""
    internal_redirect: bool
    """Whether an upgrade shows as a 307 hop; else the URL is rewritten silently."""
    origin_tainted: bool
    """Whether an upgraded request of another origin carries `Origin: null`."""
    tls_errors: TLSErrors
    """Whether a person may go on after a certificate error of a Known HSTS Host."""

    # How it walks a chain of redirects.
    redirect_limit: int
    """How many redirects a navigation follows, internal ones included."""
    redirect_cache: bool
    """Whether permanent redirects, and others with an explicit lifetime, are kept and not asked for again."""
    https_upgrades: bool
    """Whether a navigation to a public name tries https first and falls back to http, HSTS or not."""
    insecure_forms_blocked: bool
    """Whether a form of an https page may not be sent to an http URL."""
    fetch_metadata: bool
    """Whether requests carry Sec-Fetch-Site and its kin, and Upgrade-Insecure-Requests."""

    # What follows from the others.
    simple: bool
    """Whether entries are looked up as in Chromium: by domain alone, any that covers the host."""

    def __init__(self, name: str, title: str, **facts: tuple[object, str]) -> None:
        values = {field: value for field, (value, _) in facts.items()}
        sources = {field: source for field, (_, source) in facts.items()}
        self._fill({"name": name, "title": title, "sources": sources, **values})

    def _fill(self, values: dict[str, Any]) -> None:
        if values.keys() != _FIELDS:
            odd = ", ".join(sorted(values.keys() ^ _FIELDS))
            raise TypeError(f"a profile has each of its fields once; missing or unknown: {odd}")
        for field, value in values.items():
            object.__setattr__(self, field, value)
        simple = self.key == "domain" and self.dynamic_decides == "any entry"
        simple = simple and self.single_label_superdomains and not self.dynamic_replaces_preload
        object.__setattr__(self, "simple", simple)
        object.__setattr__(self, "sources", MappingProxyType(dict(self.sources)))
        if (self.max_entries is None) != (self.eviction == "none"):
            raise TypeError(f"max_entries and eviction go together; seen {self.max_entries} and {self.eviction!r}")

    def facts(self) -> dict[str, tuple[Any, str]]:
        """Each field but name, title and sources, with its value and its source, in the order of this class."""
        return {
            field: (getattr(self, field), self.sources[field])
            for field in Profile.__annotations__
            if field in self.sources
        }

    def replace(self, *, name: str | None = None, **changes: object) -> Profile:
        """A profile like this one, but for the fields given; their source is then the caller.

        Raises:
            TypeError: a profile has no such field, or the field holds no such value.
        """
        for field, value in changes.items():
            if field in _FIELDS:
                _check(field, value)
        if name is not None:
            _check("name", name)
        sources = {field: f"changed from {self.name}" for field in changes if field != "title"}
        return self._variant(name or self.name, self.title, changes, sources)

    def _variant(self, name: str, title: str, values: dict[str, Any], sources: dict[str, str]) -> Profile:
        variant = object.__new__(Profile)
        variant._fill(
            {**self._values(), "name": name, "title": title, "sources": {**self.sources, **sources}, **values}
        )
        return variant

    def __setattr__(self, field: str, value: object) -> None:
        raise AttributeError("a Profile does not change; use replace()")

    def __delattr__(self, field: str) -> None:
        raise AttributeError("a Profile does not change; use replace()")

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, ({**self._values(), "sources": dict(self.sources)},)

    def _values(self) -> dict[str, Any]:
        return {field: getattr(self, field) for field in _FIELDS}

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if isinstance(other, Profile) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"<Profile {self.name}>"


_FIELDS = set(Profile.__slots__) - {"simple"}


def _restored(values: dict[str, Any]) -> Profile:
    profile = object.__new__(Profile)
    profile._fill(values)
    return profile


def _check(field: str, value: object) -> None:
    """See that a field may hold a value, and say what it may hold."""
    kind = get_type_hints(Profile)[field]
    if get_origin(kind) is Literal:
        required, fits = f"one of {', '.join(map(repr, get_args(kind)))}", value in get_args(kind)
    elif kind is bool:
        required, fits = "True or False", isinstance(value, bool)
    elif kind == int | None:
        least = 1 if field in ("ticks_per_second", "max_entries") else 0
        required = f"a whole number of at least {least}, or None"
        fits = value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= least)
    elif kind == frozenset[str]:
        required = "a frozenset of str"
        fits = isinstance(value, frozenset) and all(isinstance(name, str) for name in value)
    elif field == "grammar":
        required, fits = "a function of a field value and a cap", callable(value)
    elif kind is str:
        required, fits = "a str", isinstance(value, str)
    else:
        required, fits = "what follows from the other fields", False
    if not fits:
        raise TypeError(f"{field} is {required}; seen {short(repr(value))}")


def _revision(of: Profile, name: str, title: str, **facts: tuple[object, str]) -> Profile:
    """Another version of the same program: a profile that differs in these facts."""
    values = {field: value for field, (value, _) in facts.items()}
    return of._variant(name, title, values, {field: source for field, (_, source) in facts.items()})


_OFF_IN_156 = "Chromium net/base/features.cc, kHstsTopLevelNavigationsOnly: disabled by default"
_NO_LIST = "has no built-in list"

CHROME = Profile(
    "chrome",
    "Chromium 156",
    fields=("first", "Chromium net/url_request/url_request_http_job.cc, ProcessStrictTransportSecurityHeader"),
    grammar=(header.chrome, "Chromium net/http/http_security_headers.cc, ParseHSTSHeader"),
    max_age_cap=(31_536_000, "Chromium net/http/http_security_headers.h, kMaxHSTSAgeSecs"),
    max_age_overflow=("none", "the cap leaves no room for it"),
    max_age_zero=("forgets", "Chromium net/http/transport_security_state.cc, AddHSTSInternal"),
    refresh=("always", "Chromium net/http/transport_security_state.cc, AddHSTSInternal"),
    unverified_notes=(False, "Chromium net/url_request/url_request_http_job.cc: not with a certificate error"),
    cross_site_notes=(True, "observed on Chromium 156: any subresource of any page counts"),
    key=("domain", "Chromium net/http/transport_security_state.cc: no port, no partition"),
    key_hashed=(True, "Chromium net/http/transport_security_state.cc, HashHost: SHA-256 of the DNS form"),
    state_lines=("loose", "has no lines: those of others are read as loosely as any of them does"),
    max_entries=(None, "Chromium net/http/transport_security_state.cc: no limit"),
    eviction=("none", "no limit, so nothing to evict"),
    ticks_per_second=(None, "Chromium base/time: microseconds"),
    expires=("after its expiry", "Chromium net/http/transport_security_state.cc: now > expiry"),
    trailing_dot=("ignored", "Chromium net/dns/dns_names_util.cc, DottedNameToNetwork"),
    dns_names_only=(True, "Chromium net/base/url_util.cc, IsCanonicalizedHostCompliant"),
    ip_addresses_match=(True, "Chromium net/http/transport_security_state.cc, GetDynamicSTSState"),
    localhost=(
        "never noted or upgraded",
        "Chromium net/base/features.cc, kIgnoreHSTSForLocalhost: enabled by default",
    ),
    single_label_superdomains=(True, "observed on Chromium 156: a top-level domain may cover all below it"),
    dynamic_decides=("any entry", "Chromium net/http/transport_security_state.cc, GetDynamicSTSState"),
    preload_decides=("nearest entry", "Chromium net/extras/preload_data/decoder.cc"),
    dynamic_replaces_preload=(False, "Chromium net/http/transport_security_state.cc: either one suffices"),
    preload_max_age_days=(
        None,
        "a knob, off here; Chromium net/http/transport_security_state.cc, IsBuildTimely has 70",
    ),
    preload_bypass=(frozenset(), "Chromium policy HSTSPolicyBypassList: empty by default"),
    port_80=("default", "Chromium url/gurl.cc: the default port is not written"),
    upgrades_websockets=(True, "Chromium net/url_request/url_request_http_job.cc, Create"),
    top_level_navigations_only=(False, _OFF_IN_156),
    internal_redirect=(True, "Chromium net/url_request/url_request_redirect_job.cc"),
    origin_tainted=(True, "observed on Chromium 156: the hop is a cross-origin redirect"),
    tls_errors=("no recourse but thisisunsafe", "observed on Chromium 156: no link, but typing it passes"),
    redirect_limit=(19, "observed on Chromium 156: the 20th redirect of a navigation is ERR_TOO_MANY_REDIRECTS"),
    redirect_cache=(True, "Chromium net/http/http_response_headers.cc, GetFreshnessLifetimes; observed"),
    https_upgrades=(True, "Chromium chrome/browser/ssl/https_upgrades_interceptor.cc; observed"),
    insecure_forms_blocked=(True, "observed on Chromium 156: ERR_BLOCKED_BY_CLIENT, a page that warns"),
    fetch_metadata=(True, "observed on Chromium 156"),
)
"""Chromium 156, with its 70-day limit on the preload list off (`replace(preload_max_age_days=70)`)."""

RFC6797 = Profile(
    "rfc6797",
    "RFC 6797 to the letter",
    fields=("first", "RFC 6797 §8.1: only the first field is processed"),
    grammar=(header.rfc6797, "RFC 6797 §6.1; RFC 2616 §2.2"),
    max_age_cap=(None, "RFC 6797 §11.2: a limit is left to the user agent"),
    max_age_overflow=("none", "RFC 6797 knows no largest instant"),
    max_age_zero=("forgets", "RFC 6797 §6.1.1: it signals to cease regarding the host as known"),
    refresh=("always", "RFC 6797 §8.1: the information cached is updated"),
    unverified_notes=(False, "RFC 6797 §8.1: only over secure transport without errors or warnings"),
    cross_site_notes=(True, "RFC 6797 §8.1 does not ask who made the request"),
    key=("domain", "RFC 6797 §8.2, §8.3: ports play no part"),
    key_hashed=(False, "RFC 6797 leaves storage to the user agent"),
    state_lines=("loose", "has no lines: those of others are read as loosely as any of them does"),
    max_entries=(None, "RFC 6797 sets no limit"),
    eviction=("none", "RFC 6797 sets no limit"),
    ticks_per_second=(None, "RFC 6797 sets no grain"),
    expires=("after its expiry", "RFC 6797 §8.1.1: cached no longer than max-age seconds"),
    trailing_dot=("distinct", "RFC 6797 §8.2 compares the labels as they are"),
    dns_names_only=(False, "RFC 6797 names no limit beyond a domain name's own"),
    ip_addresses_match=(False, "RFC 6797 §8.3 step 3: a host that is an IP address is no match"),
    localhost=("ordinary", "RFC 6797 makes no exception for localhost"),
    single_label_superdomains=(True, "RFC 6797 §8.2 sets no least number of labels"),
    dynamic_decides=("any entry", "RFC 6797 §8.2: any superdomain match with includeSubDomains suffices"),
    preload_decides=(
        "any entry",
        "RFC 6797 §8.2, §12.3: a pre-configured host is a Known HSTS Host like another",
    ),
    dynamic_replaces_preload=(False, "RFC 6797 §12.3 does not say how the two meet"),
    preload_max_age_days=(None, "RFC 6797 §12.3 sets no age"),
    preload_bypass=(frozenset(), "RFC 6797 has no bypass"),
    port_80=("443", "RFC 6797 §8.3: an explicit port 80 is converted to 443"),
    upgrades_websockets=(False, "RFC 6797 §8.3 speaks of http URIs only"),
    top_level_navigations_only=(False, "RFC 6797 §8.3 speaks of every http URI"),
    internal_redirect=(False, "RFC 6797 §8.3: the URI is replaced before it is dereferenced"),
    origin_tainted=(False, "RFC 6797 §8.3: the URI is replaced before the request is made"),
    tls_errors=("no recourse", "RFC 6797 §8.4, §12.1: terminate, without user recourse"),
    redirect_limit=(20, "Fetch, HTTP-redirect fetch: a redirect count of 20 is a network error"),
    redirect_cache=(False, "RFC 9110 §15.4: a permanent redirect may be kept, and need not"),
    https_upgrades=(False, "RFC 6797 upgrades Known HSTS Hosts only"),
    insecure_forms_blocked=(False, "RFC 6797 says nothing of forms"),
    fetch_metadata=(False, "RFC 6797 says nothing of other fields"),
)
"""RFC 6797 to the letter."""

_SSS = "Firefox security/manager/ssl/nsSiteSecurityService.cpp"

FIREFOX = Profile(
    "firefox",
    "Firefox 153 ESR",
    fields=("first", "observed on Firefox 153: an invalid first field voids the rest"),
    grammar=(header.firefox, "Firefox security/manager/ssl/nsSecurityHeaderParser.cpp"),
    max_age_cap=(3_153_600_000, f"{_SSS}, sMaxMaxAgeInSeconds"),
    max_age_overflow=("none", "the cap leaves no room for it"),
    max_age_zero=("forgets or knocks out", f"{_SSS}, MarkHostAsNotHSTS: a preloaded host gets a knock-out entry"),
    refresh=("by a day", f"{_SSS}, SetHSTSState: a smaller change is not written"),
    unverified_notes=(False, "Firefox netwerk/protocol/http/nsHttpChannel.cpp: not with a certificate error"),
    cross_site_notes=(False, "observed on Firefox 153: an image of another site is not heeded"),
    key=("domain and top-level site", f"{_SSS}, GetStorageKey: origin attributes with partitionKey"),
    key_hashed=(False, "Firefox security/manager/ssl/data_storage: the host in clear text"),
    state_lines=("loose", "has no lines: those of others are read as loosely as any of them does"),
    max_entries=(2048, "Firefox security/manager/ssl/data_storage: 2,048 slots"),
    eviction=("least score", "Firefox security/manager/ssl/data_storage: the slot used on the fewest days"),
    ticks_per_second=(1000, f"{_SSS}, ExpireTimeFromMaxAge: milliseconds"),
    expires=("after its expiry", f"{_SSS}, SiteHSTSState::IsExpired: now > expiry"),
    trailing_dot=("all ignored", "Firefox PublicKeyPinningService.cpp, CanonicalizeHostname"),
    dns_names_only=(False, "observed on Firefox 153: no rule beyond the URL parser's"),
    ip_addresses_match=(False, f"{_SSS}, IsSecureURI: an IP address is never secure"),
    localhost=("never upgraded", "observed on Firefox 153: an entry of localhost is stored and not obeyed"),
    single_label_superdomains=(True, f"{_SSS}, IsSecureHost: goes up to the last label"),
    dynamic_decides=("any entry", f"{_SSS}, IsSecureHost: goes on past entries that do not cover the host"),
    preload_decides=("any entry", f"{_SSS}, IsSecureHost: each superdomain is asked in turn"),
    dynamic_replaces_preload=(True, f"{_SSS}, HostMatchesHSTSEntry: the list is asked only without an entry"),
    preload_max_age_days=(
        None,
        "a knob, off here; Firefox nsSTSPreloadList.inc, gPreloadListExpirationTime is 18 weeks ahead",
    ),
    preload_bypass=(frozenset(), "Firefox has no bypass by name"),
    port_80=("default", "Firefox netwerk/base/nsStandardURL.cpp: the default port is not written"),
    upgrades_websockets=(True, "observed on Firefox 153; netwerk/protocol/websocket/WebSocketChannel.cpp"),
    top_level_navigations_only=(False, "observed on Firefox 153: images are upgraded too"),
    internal_redirect=(False, "observed on Firefox 153: an internal redirect without any HTTP response"),
    origin_tainted=(False, "observed on Firefox 153: a cross-origin POST keeps its Origin"),
    tls_errors=("no recourse", "Firefox about:neterror: no exception can be added for such a host"),
    redirect_limit=(20, "Firefox modules/libpref/init/all.js, network.http.redirection-limit"),
    redirect_cache=(True, "Firefox netwerk/protocol/http/nsHttpResponseHead.cpp, ComputeFreshnessLifetime"),
    https_upgrades=(False, "Firefox dom.security.https_first, off in the profile that was observed"),
    insecure_forms_blocked=(False, "Firefox security.warn_submit_secure_to_insecure: a person is asked"),
    fetch_metadata=(True, "Firefox dom/security/SecFetch.cpp"),
)
"""Firefox 153 ESR, with the expiry of its preload list off."""

_HSTS_C = "curl lib/hsts.c"

CURL = Profile(
    "curl",
    "curl, source of August 2026",
    fields=("every", "curl lib/http.c: each field is processed, a later valid one overwrites"),
    grammar=(header.curl, f"{_HSTS_C}, Curl_hsts_parse"),
    max_age_cap=(2**63 - 1, f"{_HSTS_C}, Curl_hsts_parse: curl_off_t, the largest on overflow"),
    max_age_overflow=("unlimited", f"{_HSTS_C}, Curl_hsts_parse: CURL_OFF_T_MAX never comes"),
    max_age_zero=("forgets", f"{_HSTS_C}, Curl_hsts_parse: only the entry of exactly this host"),
    refresh=("always", f"{_HSTS_C}, Curl_hsts_parse"),
    unverified_notes=(True, "observed on curl 7.88.1: heeded with --insecure too"),
    cross_site_notes=(True, "curl has no pages"),
    key=("domain", f"{_HSTS_C}: no port"),
    key_hashed=(False, f"{_HSTS_C}, hsts_out"),
    state_lines=("exact", f"{_HSTS_C}, hsts_add: one blank, a word in quotes, the end of the line"),
    max_entries=(10_000, "curl lib/hsts.h, MAX_HSTS_ENTRIES"),
    eviction=("oldest", f"{_HSTS_C}, hsts_append: the first of the list"),
    ticks_per_second=(1, f"{_HSTS_C}: time_t"),
    expires=("at its expiry", f"{_HSTS_C}, Curl_hsts: expires <= now"),
    trailing_dot=("ignored", f"{_HSTS_C}, Curl_hsts: one trailing dot is stripped"),
    dns_names_only=(False, f"{_HSTS_C} compares texts"),
    ip_addresses_match=(True, "observed on curl 7.88.1: an entry in the file is obeyed"),
    localhost=("ordinary", f"{_HSTS_C} makes no exception"),
    single_label_superdomains=(True, f"{_HSTS_C}, Curl_hsts"),
    dynamic_decides=("any entry", f"{_HSTS_C}, Curl_hsts: exact, else the longest tail with includeSubDomains"),
    preload_decides=("no list", f"curl {_NO_LIST}"),
    dynamic_replaces_preload=(False, f"curl {_NO_LIST}"),
    preload_max_age_days=(None, f"curl {_NO_LIST}"),
    preload_bypass=(frozenset(), f"curl {_NO_LIST}"),
    port_80=("kept", "observed on curl 7.88.1: TLS goes to port 80"),
    upgrades_websockets=(False, "curl lib/url.c: only the scheme http"),
    top_level_navigations_only=(False, "curl has no pages"),
    internal_redirect=(False, 'curl lib/url.c: "Switched from HTTP to HTTPS due to HSTS"'),
    origin_tainted=(False, "curl has no origins"),
    tls_errors=("as for any host", "curl verifies every host alike"),
    redirect_limit=(50, "curl src/tool_cfgable.c, maxredirs"),
    redirect_cache=(False, "curl keeps no answers"),
    https_upgrades=(False, "curl asks for the URL that it is given"),
    insecure_forms_blocked=(False, "curl has no pages"),
    fetch_metadata=(False, "curl has no pages"),
)
"""curl, source of August 2026."""

CURL_7_88 = _revision(
    CURL,
    "curl-7.88",
    "curl 7.88.1",
    grammar=(header.curl_7_88, "curl 7.88.1 lib/hsts.c, Curl_hsts_parse; observed"),
    state_lines=("loose", "curl 7.88.1 lib/hsts.c, hsts_add: scanf; observed"),
    max_entries=(None, "curl 7.88.1 lib/hsts.c: no limit"),
    eviction=("none", "curl 7.88.1 lib/hsts.c: no limit"),
)
"""curl 7.88.1, which Debian 12 has."""

_HSTS_W = "wget src/hsts.c"

WGET = Profile(
    "wget",
    "wget, source of June 2024",
    fields=("first", "wget src/http.c, gethttp: resp_header_strdup gives the first"),
    grammar=(header.wget, "wget src/http.c, parse_strict_transport_security"),
    max_age_cap=(2**63 - 1, "wget src/http.c, parse_strict_transport_security: strtoll"),
    max_age_overflow=("wraps around", "observed on wget 1.21.3: such an entry never matches"),
    max_age_zero=("forgets or stores", f"{_HSTS_W}, hsts_store_entry"),
    refresh=("in another second", f"{_HSTS_W}, hsts_store_entry"),
    unverified_notes=(True, "observed on wget 1.21.3: heeded with --no-check-certificate too"),
    cross_site_notes=(True, "wget has no pages"),
    key=("domain and port", f"{_HSTS_W}, struct hsts_kh: explicit_port, 0 for the default"),
    key_hashed=(False, f"{_HSTS_W}, hsts_store_dump"),
    state_lines=("loose", "wget src/hsts.c, hsts_read_database: scanf"),
    max_entries=(None, f"{_HSTS_W}: no limit"),
    eviction=("none", f"{_HSTS_W}: no limit"),
    ticks_per_second=(1, f"{_HSTS_W}: time_t"),
    expires=("after its expiry", f"{_HSTS_W}, hsts_match: created + max_age >= now counts"),
    trailing_dot=("distinct", f"{_HSTS_W} compares texts"),
    dns_names_only=(False, f"{_HSTS_W} compares texts"),
    ip_addresses_match=(False, f"{_HSTS_W}, hsts_new_entry: an address is not stored, from a file neither"),
    localhost=("ordinary", f"{_HSTS_W} makes no exception"),
    single_label_superdomains=(True, f"{_HSTS_W}, hsts_find_entry (2024)"),
    dynamic_decides=("nearest covering entry", f"{_HSTS_W}, hsts_find_entry (2024): an expired one decides too"),
    preload_decides=("no list", f"wget {_NO_LIST}"),
    dynamic_replaces_preload=(False, f"wget {_NO_LIST}"),
    preload_max_age_days=(None, f"wget {_NO_LIST}"),
    preload_bypass=(frozenset(), f"wget {_NO_LIST}"),
    port_80=("default", f"{_HSTS_W}, hsts_match: 80 becomes 443, which wget does not write"),
    upgrades_websockets=(False, "wget knows no ws"),
    top_level_navigations_only=(False, "wget has no pages"),
    internal_redirect=(False, f"{_HSTS_W}, hsts_match: the URL is changed"),
    origin_tainted=(False, "wget has no origins"),
    tls_errors=("as for any host", "wget verifies every host alike"),
    redirect_limit=(20, "wget src/init.c, max_redirect"),
    redirect_cache=(False, "wget keeps no answers"),
    https_upgrades=(False, "wget asks for the URL that it is given"),
    insecure_forms_blocked=(False, "wget has no pages"),
    fetch_metadata=(False, "wget has no pages"),
)
"""wget, source of June 2024."""

WGET_1_21 = _revision(
    WGET,
    "wget-1.21",
    "wget 1.21.3",
    single_label_superdomains=(False, "wget 1.21.3 src/hsts.c, hsts_find_entry: never the last label; observed"),
    dynamic_decides=("nearest entry", "wget 1.21.3 src/hsts.c, hsts_find_entry: even an expired one; observed"),
)
"""wget 1.21.3, which Debian 12 has."""

PROFILES: dict[str, Profile] = {
    profile.name: profile for profile in (CHROME, FIREFOX, CURL, CURL_7_88, WGET, WGET_1_21, RFC6797)
}
"""Every profile, by the name that `--profile` takes."""


def parse_header(value: str | bytes, *, profile: Profile = CHROME) -> Directives:
    """Read one Strict-Transport-Security field value (bytes as ISO 8859-1, one character each).

    Raises:
        InvalidHeader: the profile's grammar refuses it; says code, offset and every problem.
        TypeError: `value` is no str or bytes, or `profile` no Profile.
    """
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    elif not isinstance(value, str):
        raise TypeError(f"a field value is str or bytes, not {type(value).__name__}")
    try:
        return profile.grammar(value, profile.max_age_cap)
    except AttributeError:
        check_profile(profile)
        raise


def check_profile(profile: object) -> None:
    """See that it is a Profile.

    Raises:
        TypeError: it is none; where the profiles are is said.
    """
    if not isinstance(profile, Profile):
        raise TypeError(f"a Profile is required, as in hstssim.PROFILES ({', '.join(PROFILES)}); seen {profile!r}")
