"""The dynamic store: what hosts asked for (RFC 6797 §8.1), and whether it covers a host (§8.2).

Here: Known HSTS Hosts in memory and their clock. Never here: files (`formats/`), the preload list's own
look-up (`preload.py`), URLs.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from hstssim import host as hosts
from hstssim.errors import InvalidHeader, InvalidHost, InvalidTime, short
from hstssim.match import UNKNOWN_HOST, Match, Record, nearest, walk
from hstssim.profile import CHROME, Profile, parse_header
from hstssim.times import span

if TYPE_CHECKING:
    from hstssim.preload import PreloadList

ADDED_BY_HAND = 1000 * 86_400
"""Seconds that an entry added by hand lasts by default (Chromium net_internals_ui.cc: 1,000 days)."""


class KnownHost(NamedTuple):
    """A Known HSTS Host (RFC 6797 §2.2): a domain that asked for secure transport only."""

    domain: str
    include_subdomains: bool
    last_observed: float
    """POSIX seconds."""
    expiry: float
    """POSIX seconds; infinity for an entry that never expires."""

    def match_or_reason(self, congruent: bool) -> Match | str:
        """The match with the host that was asked for, or why this entry does not cover it."""
        if congruent or self.include_subdomains:
            return Match(self.domain, congruent, self.include_subdomains, self)
        return "no-include-subdomains"


class _Expired:
    """Stands for an entry that was just forgotten because its time was over."""

    def match_or_reason(self, congruent: bool) -> Match | str:
        return "expired"


class Noted(NamedTuple):
    """The host is now a Known HSTS Host, or its entry was replaced."""

    host: KnownHost

    def __repr__(self) -> str:
        subdomains = " includeSubDomains" if self.host.include_subdomains else ""
        return f"<Noted {self.host.domain}{subdomains}, {span(round(self.host.expiry - self.host.last_observed))}>"


class Removed(NamedTuple):
    """The host asked to be forgotten (max-age=0)."""

    domain: str
    known: bool
    """Whether there was an entry to remove."""

    def __repr__(self) -> str:
        return f"<Removed {self.domain}{'' if self.known else ', which was not known'}>"


class Ignored(NamedTuple):
    """Nothing was learned and nothing forgotten."""

    host: str
    """As received."""
    code: str
    """`no-header`, `invalid-header`, `invalid-host`, `ip-address`, `localhost`, `not-a-dns-name`,
    `insecure-transport` or `unverified`."""
    message: str
    error: InvalidHeader | None = None
    """What is wrong with the field value, where that is the reason."""

    def __repr__(self) -> str:
        return f"<Ignored {short(self.host)[1:-1]}: {self.message}>"


_EXPIRED = _Expired()


class HSTSStore:
    """Known HSTS Hosts in memory, treated as the profile's user agent does.

    Args:
        profile: whose rules apply.
        preload: the list that `Interceptor` asks beside this store; None for no list.
        clock: gives POSIX seconds; None means `time.time`, looked up at each call.

    Iterating gives the entries in the order in which they came, those that have expired but were not asked
    for since included, as Chromium keeps them (transport_security_state.cc).
    """

    def __init__(
        self,
        *,
        profile: Profile = CHROME,
        preload: PreloadList | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.profile = profile
        self.preload = preload
        self.clock = clock
        self._known: dict[str, KnownHost] = {}

    def now(self) -> float:
        """The store's time in POSIX seconds."""
        return time.time() if self.clock is None else self.clock()

    def note(self, host: str, fields: str | bytes | Iterable[str | bytes]) -> Noted | Removed | Ignored:
        """Heed the Strict-Transport-Security fields of one response, heard over error-free TLS (§8.1).

        `fields` is one field value or a list of them in the order received; only the first counts, valid or
        not.

        Raises:
            InvalidHost: `host` is not a str. A str never raises.
        """
        try:
            canonical = hosts.canonical(host)
        except InvalidHost as error:
            if not isinstance(host, str):
                raise
            return Ignored(host, "invalid-host", str(error))
        if hosts.is_ip_address(canonical):
            return Ignored(host, "ip-address", "an IP address is never noted (RFC 6797 §8.1.1)")
        if self.profile.localhost_exempt and hosts.is_localhost(canonical):
            return Ignored(host, "localhost", "localhost is exempt (Chromium, IgnoreHSTSForLocalhost)")
        domain = self.domain(canonical)
        if domain is None:
            return Ignored(host, "not-a-dns-name", f"{canonical} is not a name that DNS could hold")
        field = fields if isinstance(fields, str | bytes) else next(iter(fields), None)
        if field is None:
            return Ignored(host, "no-header", "the response has no Strict-Transport-Security field")
        try:
            directives = parse_header(field, profile=self.profile)
        except InvalidHeader as error:
            return Ignored(host, "invalid-header", str(error), error)
        if directives.max_age == 0:
            return Removed(domain, self._known.pop(domain, None) is not None)
        now = self.now()
        return Noted(self._put(domain, directives.include_subdomains, now, now + min(directives.max_age, 1e300)))

    def add(
        self,
        host: str,
        *,
        include_subdomains: bool = False,
        expiry: float | None = None,
        last_observed: float | None = None,
    ) -> KnownHost:
        """Make `host` a Known HSTS Host by hand, as chrome://net-internals does.

        The rules for headers do not apply: an IP address or localhost is taken, nothing is capped, and the
        expiry may be past. Times are POSIX seconds; `expiry` is 1,000 days from now by default and may be
        infinite, `last_observed` is now by default.

        Raises:
            InvalidHost: no name that DNS could hold.
            InvalidTime: a time that is no number, or a `last_observed` that is infinite.
        """
        domain = self._domain_of_entry(host)
        if domain is None:
            raise InvalidHost(host, "a Known HSTS Host is a name that DNS could hold")
        now = self.now()
        try:
            expiry = now + ADDED_BY_HAND if expiry is None else float(expiry)
            last_observed = now if last_observed is None else float(last_observed)
        except (TypeError, ValueError, OverflowError):
            raise InvalidTime((last_observed, expiry), "times are POSIX seconds, as numbers") from None
        if math.isnan(expiry) or not math.isfinite(last_observed):
            raise InvalidTime((last_observed, expiry), "times are POSIX seconds; only the expiry may be infinite")
        return self._put(domain, include_subdomains, last_observed, expiry)

    def remove(self, host: str) -> bool:
        """Forget the entry of exactly this host, and say whether there was one."""
        domain = self._domain_of_entry(host)
        return domain is not None and self._known.pop(domain, None) is not None

    def clear(self, *, start: float = -math.inf, end: float = math.inf) -> int:
        """Forget the entries last observed at or after `start` and before `end` (POSIX seconds).

        Returns:
            How many there were.
        """
        gone = [known for known in self if start <= known.last_observed < end]
        return sum(self._known.pop(known.domain, None) is not None for known in gone)

    def expire(self) -> int:
        """Forget every entry that has expired, and say how many there were.

        Chromium forgets one only when a look-up meets it, as `match` does here.
        """
        return sum(self._expired(known) for known in list(self._known.values()))

    def get(self, host: str) -> KnownHost | None:
        """The entry of exactly this host, expired or not; forgets nothing."""
        domain = self._domain_of_entry(host)
        return None if domain is None else self._known.get(domain)

    def match(self, host: str) -> Match | None:
        """The entry that covers `host` now, None if there is none or `host` is no host.

        An expired entry met on the way is forgotten. A nearer entry without includeSubDomains does not hide
        a farther one that has it (§8.2; Chromium GetDynamicSTSState).
        """
        domain = self.domain_of(host)
        found = UNKNOWN_HOST if domain is None else self.look_up(domain)
        return found if isinstance(found, Match) else None

    def look_up(self, domain: str, record: Record | None = None) -> Match | str:
        """As `match`, for a domain; the code of the reason if there is no match."""
        if record is not None:
            return walk(domain, self._get, False, record=record)
        first = nearest(domain, self._known)
        return walk(first, self._get, False, first == domain) if first else UNKNOWN_HOST

    def domain(self, canonical: str) -> str | None:
        """The domain by which the profile knows a canonical host; None where it can have no entry."""
        profile = self.profile
        return hosts.domain(canonical, trailing_dot=profile.trailing_dot, dns_names_only=profile.dns_names_only)

    def domain_of(self, host: str) -> str | None:
        """The domain by which the profile knows a host as received; None if it is no host.

        Raises:
            InvalidHost: `host` is not a str.
        """
        try:
            return self.domain(hosts.canonical(host))
        except InvalidHost:
            if not isinstance(host, str):
                raise
            return None

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Iterator[KnownHost]:
        return iter(list(self._known.values()))

    def __contains__(self, host: str) -> bool:
        return self.get(host) is not None

    def __repr__(self) -> str:
        return f"<HSTSStore {self.profile.name}, {len(self)} known hosts, {self.preload or 'no preload list'}>"

    def _domain_of_entry(self, host: str) -> str | None:
        try:
            return self.domain(hosts.named(host))
        except InvalidHost:
            if not isinstance(host, str):
                raise
            return None

    def _put(self, domain: str, include_subdomains: bool, last_observed: float, expiry: float) -> KnownHost:
        known = KnownHost(domain, include_subdomains, float(last_observed), float(expiry))
        self._known[domain] = known
        return known

    def _get(self, domain: str) -> KnownHost | _Expired | None:
        known = self._known.get(domain)
        return known if known is None or not self._expired(known) else _EXPIRED

    def _expired(self, known: KnownHost) -> bool:
        """Whether an entry is past its expiry (at it, it still counts), and if so forget it."""
        if self.now() <= known.expiry:
            return False
        if self._known.get(known.domain) is known:
            self._known.pop(known.domain, None)
        return True
