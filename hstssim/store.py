"""The dynamic store: what hosts asked for (RFC 6797 §8.1), and whether it covers a host (§8.2).

Here: Known HSTS Hosts in memory and their clock. Never here: files (`formats/`), the preload list's own
look-up (`preload.py`), URLs.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from hstssim import host as hosts
from hstssim.errors import InvalidHeader, InvalidHost, InvalidTime, short
from hstssim.match import EXPIRED, UNKNOWN_HOST, Match, Record, nearest, walk
from hstssim.profile import CHROME, Profile, check_profile, parse_header
from hstssim.times import iso, span

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from hstssim.preload import PreloadList

K = TypeVar("K")
Scope = tuple[int, str]
"""What besides its domain an entry is kept by: a port or a top-level site, as in `KnownHost`."""

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
    port: int = 0
    """The port that it is for, where the profile keeps entries by port; 0 for the default one."""
    top_level_site: str = ""
    """The site in whose pages it counts, where the profile keeps entries by it."""
    knock_out: bool = False
    """Whether it only takes its domain out of the preload list."""
    name_hash: str = ""
    """Its key in a file that has hashes for names (Chromium's), if it is from one; until it is asked for by
    its domain, that is empty."""

    @property
    def key(self) -> tuple[str, int, str]:
        """What tells it from every other entry: its domain (or the hash), port and top-level site."""
        return self.domain or self.name_hash, self.port, self.top_level_site

    def match_or_reason(self, congruent: bool) -> Match | str:
        """The match with the host that was asked for, or why this entry does not cover it."""
        if self.knock_out:
            return "knocked-out"
        if congruent or self.include_subdomains:
            return Match(self.domain, congruent, self.include_subdomains, self)
        return "no-include-subdomains"


class _Expired(NamedTuple):
    """Stands for an entry whose time is over."""

    known: KnownHost

    def match_or_reason(self, congruent: bool) -> Match | str:
        return "knocked-out" if self.known.knock_out else EXPIRED


class Noted(NamedTuple):
    """The host asked to be a Known HSTS Host."""

    host: KnownHost
    """Its entry as it is kept: a new one, or the old one where the profile leaves that (`Profile.refresh`)."""

    def __repr__(self) -> str:
        subdomains = " includeSubDomains" if self.host.include_subdomains else ""
        lasts = self.host.expiry - self.host.last_observed
        return f"<Noted {self.host.domain}{subdomains}, {span(round(lasts) if math.isfinite(lasts) else lasts)}>"


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
    `insecure-transport`, `unverified`, `cross-site`, or `bypassed` by an adapter."""
    message: str
    error: InvalidHeader | None = None
    """What is wrong with the field value, where that is the reason."""

    def __repr__(self) -> str:
        return f"<Ignored {short(self.host)[1:-1]}: {self.message}>"


class _HashedNames(dict[str, KnownHost]):
    """Entries by domain, some of which are known by the hash of it only, until the domain is asked for."""

    def __init__(self, named: Mapping[str, KnownHost]) -> None:
        super().__init__(named)
        self.unnamed: dict[str, KnownHost] = {}

    def __contains__(self, domain: object) -> bool:
        return super().__contains__(domain) or self._name(domain)

    def get(self, domain: str, default: KnownHost | None = None) -> KnownHost | None:  # type: ignore[override]
        if not super().__contains__(domain):
            self._name(domain)
        return super().get(domain, default)

    def _name(self, domain: object) -> bool:
        if not self.unnamed or not isinstance(domain, str):
            return False
        known = self.unnamed.get(hosts.hashed(domain))
        if known is None:
            return False
        self[domain] = known._replace(domain=domain)  # before it is gone from the other: no look-up may miss it
        self.unnamed.pop(known.name_hash, None)
        return True


class _Unkept:
    """What begins and ends the changes to a store that is kept nowhere: nothing."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


_EVERYWHERE: Scope = (0, "")
_SHOWN = 20  # entries that a notebook shows
_LATEST = 2**63 - 1  # the largest instant of a 64-bit clock, in POSIX seconds


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
        check_profile(profile)
        self.profile = profile
        self.preload = preload
        self.clock = clock
        self._known: dict[str, KnownHost] = {}
        self._scoped: dict[tuple[str, Scope], KnownHost] = {}
        self._scoped_domains: set[str] = set()  # of `_scoped`, and maybe some that are gone
        self._soonest = math.inf  # no entry expires before this
        self._used: dict[tuple[str, Scope], tuple[int, float]] = {}  # score and last day, for `eviction`

    def now(self) -> float:
        """The store's time in POSIX seconds, as fine as the profile's clock."""
        now = time.time() if self.clock is None else self.clock()
        ticks = self.profile.ticks_per_second
        return now if ticks is None else math.floor(now * ticks) / ticks

    def note(
        self,
        host: str,
        fields: str | bytes | Iterable[str | bytes],
        *,
        port: int = 0,
        top_level_site: str | None = None,
    ) -> Noted | Removed | Ignored:
        """Heed the Strict-Transport-Security fields of one response, heard over secure transport (§8.1).

        Args:
            host: the host that sent them.
            fields: one field value or a list of them in the order received. In most profiles only the first
                counts, valid or not; where every one does, the result is that of the last valid one.
            port: the port they came from, for profiles that keep entries by it; 0 or 443 for the default.
            top_level_site: the site or URL in the address bar, for profiles that keep entries by it; None for
                the host's own.

        Raises:
            InvalidHost: `host` or `top_level_site` is not a str, or the latter is no host; or `port` is none.
            TypeError: a field value is neither str nor bytes.
            InvalidURL: `top_level_site` looks like a URL and is none.
            MissingExtra: ada-url or publicsuffixlist is needed and not installed.
        """
        try:
            canonical = hosts.canonical(host)
        except InvalidHost as error:
            if not isinstance(host, str):
                raise
            return Ignored(host, "invalid-host", str(error))
        if hosts.is_ip_address(canonical):
            return Ignored(host, "ip-address", "an IP address is never noted (RFC 6797 §8.1.1)")
        if self.profile.localhost == "never noted or upgraded" and hosts.is_localhost(canonical):
            return Ignored(host, "localhost", "localhost is exempt (Chromium, IgnoreHSTSForLocalhost)")
        domain = self.domain(canonical)
        if domain is None:
            return Ignored(host, "not-a-dns-name", f"{canonical} is not a name that DNS could hold")
        scope = _EVERYWHERE
        if self.profile.key != "domain":
            scope = self._scope(canonical, _explicit(port), top_level_site)
        if isinstance(fields, (str, bytes)):
            return self._heed(host, domain, scope, fields)
        received = iter(fields)
        outcome = self._heed(host, domain, scope, next(received, None))
        if self.profile.fields == "every":
            for field in received:
                heard = self._heed(host, domain, scope, field)
                if not isinstance(heard, Ignored):
                    outcome = heard
        return outcome

    def _heed(self, host: str, domain: str, scope: Scope, field: str | bytes | None) -> Noted | Removed | Ignored:
        """Do what one field value asks."""
        profile = self.profile
        if field is None:
            return Ignored(host, "no-header", "the response has no Strict-Transport-Security field")
        try:
            directives = parse_header(field, profile=profile)
        except InvalidHeader as error:
            return Ignored(host, "invalid-header", str(error), error)
        known = self._known.get(domain) if scope is _EVERYWHERE else self._entry(domain, scope)
        now = self.now()
        if directives.max_age == 0 and (known is not None or profile.max_age_zero != "forgets or stores"):
            if profile.max_age_zero == "forgets or knocks out" and self._listed(domain):
                self._put(KnownHost(domain, False, now, math.inf, *scope, knock_out=True), scope)
            elif known is not None:
                self._forget(known)
            return Removed(domain, known is not None)
        expiry = now + min(directives.max_age, 1e300)
        if expiry > _LATEST and profile.max_age_overflow != "none":
            expiry = math.inf if profile.max_age_overflow == "unlimited" else expiry - 2 * _LATEST
        noted = KnownHost(domain, directives.include_subdomains, now, expiry, scope[0], scope[1])
        if known is not None and profile.refresh != "always" and not self._replaces(noted, known):
            return Noted(known)
        self._put(noted, scope)
        return Noted(noted)

    def _replaces(self, noted: KnownHost, known: KnownHost) -> bool:
        """Whether what a header says takes the place of an entry of the same host."""
        if self.profile.refresh == "in another second":
            return noted.last_observed != known.last_observed
        if self.profile.refresh == "by a day" and not known.knock_out:
            moved = abs(noted.expiry - known.expiry) > 86_400
            return moved or noted.include_subdomains != known.include_subdomains
        return True

    def add(
        self,
        host: str,
        *,
        include_subdomains: bool = False,
        expiry: float | None = None,
        last_observed: float | None = None,
        port: int = 0,
        top_level_site: str | None = None,
        knock_out: bool = False,
    ) -> KnownHost:
        """Make `host` a Known HSTS Host by hand, as chrome://net-internals does.

        The rules for headers do not apply: an IP address or localhost is taken, nothing is capped, and the
        expiry may be past. Times are POSIX seconds; `expiry` is 1,000 days from now by default and may be
        infinite, `last_observed` is now by default. `port` and `top_level_site` are as in `note`; a
        `knock_out` takes the host out of the preload list of profiles that allow it.

        Raises:
            InvalidHost: no name that DNS could hold.
            InvalidTime: a time that is no number, or a `last_observed` that is infinite.
        """
        name, domain = self._named(host)
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
        scope = self._scope(name, _explicit(port), top_level_site)
        known = KnownHost(domain, include_subdomains, last_observed, expiry, *scope, knock_out=knock_out)
        self._put(known, scope)
        return known

    def remove(self, host: str, *, port: int = 0, top_level_site: str | None = None) -> bool:
        """Forget the entry of exactly this host, and say whether there was one."""
        known = self.get(host, port=port, top_level_site=top_level_site)
        if known is not None:
            self._forget(known)
        return known is not None

    def clear(self, *, start: float = -math.inf, end: float = math.inf) -> int:
        """Forget the entries last observed at or after `start` and before `end` (POSIX seconds).

        Returns:
            How many there were.
        """
        gone = [known for known in self if start <= known.last_observed < end]
        with self.transaction():
            for known in gone:
                self._forget(known)
        return len(gone)

    def expire(self) -> int:
        """Forget every entry that has expired, and say how many there were.

        Chromium forgets one only when a look-up meets it, as `match` does here.
        """
        gone = [known for known in self if self.is_over(known)]
        with self.transaction():
            for known in gone:
                self._forget(known)
        return len(gone)

    def transaction(self) -> AbstractContextManager[None]:
        """Changes inside belong together: a store that is kept in a file writes them at once, at the end."""
        return _Unkept()

    def load(self, known_hosts: Iterable[KnownHost]) -> list[tuple[KnownHost, str]]:
        """Take entries as a state file has them, as far as the profile can keep them.

        Returns:
            Those left out, each with the reason.
        """
        left_out = []
        loaded: list[tuple[KnownHost, KnownHost]] = []
        with self.transaction():
            for known in known_hosts:
                taken = self._take(known)
                if isinstance(taken, str):
                    left_out.append((known, taken))
                elif self.profile.max_entries is not None:
                    loaded.append((known, taken))
        limit = f"{self.profile.name} keeps at most {self.profile.max_entries} entries"
        for known, taken in loaded:
            if self._entry(taken.domain, (taken.port, taken.top_level_site)) is None:
                left_out.append((known, limit))
        return left_out

    def uses(self) -> dict[tuple[str, int, str], tuple[int, int]]:
        """The days on which each entry was used, and the last one counted from 1970, where the profile counts."""
        return {(domain, *scope): (score, int(day)) for (domain, scope), (score, day) in list(self._used.items())}

    def set_uses(self, uses: Mapping[tuple[str, int, str], tuple[int, int]]) -> None:
        """Take over, for entries that are here, what `uses` gave."""
        if self.profile.eviction == "least score":
            for (domain, port, site), use in uses.items():
                if (domain, (port, site)) in self._used:
                    self._used[domain, (port, site)] = use

    def _take(self, known: KnownHost) -> KnownHost | str:
        """Put an entry of a state file, or say why the profile cannot keep it."""
        placed = self._placed(known)
        if not isinstance(placed, str):
            self._put(*placed)
            return placed[0]
        return placed

    def _placed(self, known: KnownHost) -> tuple[KnownHost, Scope] | str:
        """An entry of a state file as the profile keeps it, or why it cannot."""
        key = self.profile.key
        if not known.domain:
            if key != "domain":
                return f"its name is hashed, and {self.profile.name} keeps entries by more than the name"
            return known, _EVERYWHERE
        name, domain = self._named(known.domain)
        if domain is None:
            return "a Known HSTS Host is a name that DNS could hold"
        if known.port and key != "domain and port":
            return f"port {known.port}: only wget keeps HSTS by port"
        scope = (known.port, "")
        if key == "domain and top-level site" or known.top_level_site:
            from hstssim.site import registrable_domain

            own = registrable_domain(name)
            if key == "domain and top-level site":
                scope = 0, known.top_level_site or own
            elif known.top_level_site != own:
                return f"{self.profile.name} keeps no entries for the pages of one site ({known.top_level_site})"
        if known.domain != domain or known.port != scope[0] or known.top_level_site != scope[1]:
            known = known._replace(domain=domain, port=scope[0], top_level_site=scope[1])
        return known, _EVERYWHERE if scope == _EVERYWHERE else scope

    def get(self, host: str, *, port: int = 0, top_level_site: str | None = None) -> KnownHost | None:
        """The entry of exactly this host, expired or not; forgets nothing."""
        name, domain = self._named(host)
        return None if domain is None else self._entry(domain, self._scope(name, _explicit(port), top_level_site))

    def match(self, host: str, *, port: int = 0, top_level_site: str | None = None) -> Match | None:
        """The entry that covers `host` now, None if there is none or `host` is no host.

        An expired entry met on the way is forgotten. A nearer entry without includeSubDomains does not hide
        a farther one that has it (§8.2; Chromium GetDynamicSTSState), unless the profile says so.
        """
        domain = self.domain_of(host)
        if domain is None:
            return None
        if self.profile.simple:
            found = self.look_up(domain)
        else:
            found = self.look_up_scoped(domain, port, host if top_level_site is None else top_level_site)
        return found if isinstance(found, Match) else None

    def look_up(self, domain: str, record: Record | None = None) -> Match | str:
        """As `match`, for a domain and a `simple` profile; the code of the reason if there is no match."""
        if record is not None:
            return walk(domain, self._get, "any entry", record=record)
        first = nearest(domain, self._known)
        return walk(first, self._get, "any entry", first == domain) if first else UNKNOWN_HOST

    def look_up_scoped(
        self, domain: str, port: int, top_level_site: str, record: Record | None = None
    ) -> Match | str:
        """As `look_up`, for any profile; it needs the host as `top_level_site` where there is no other."""
        profile = self.profile
        table: Container[str] = self._scoped_domains
        if profile.key == "domain" or (profile.key == "domain and port" and port in (0, 80)):
            table = self._known
        start = nearest(domain, table) if record is None else domain
        if not start:
            return UNKNOWN_HOST
        scope = _EVERYWHERE if table is self._known else self._scope(top_level_site, port, top_level_site)
        now = self.now()

        def get(name: str) -> KnownHost | _Expired | None:
            known = self._entry(name, scope)
            if known is None:
                return None
            if "." not in name and name != domain and not profile.single_label_superdomains:
                return None
            if profile.eviction == "least score":
                self._use(name, scope, now)
            if now < known.expiry or not self.is_over(known):
                return known
            if (
                profile.dynamic_decides == "nearest covering entry"
                and name != domain
                and not known.include_subdomains
            ):
                return known
            listed = profile.dynamic_replaces_preload and self._listed(name)
            if not listed and (name == domain or profile.dynamic_decides == "any entry"):
                self._let_go(known)
            return _Expired(known)

        return walk(start, get, profile.dynamic_decides, start == domain, record=record)

    def replaced(self, top_level_site: str) -> Callable[[str], bool]:
        """Tells of a domain whether an entry has the place of the preload list's (`dynamic_replaces_preload`)."""
        scope = self._scope(top_level_site, 0, top_level_site)
        return lambda name: self._entry(name, scope) is not None

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
        return len(self._known) + len(self._scoped) + len(self._unnamed())

    def __iter__(self) -> Iterator[KnownHost]:
        everywhere = [*list(self._known.values()), *list(self._unnamed().values())]
        return iter([*everywhere, *list(self._scoped.values())])

    def __contains__(self, host: str) -> bool:
        return self.get(host) is not None

    def __repr__(self) -> str:
        return f"<HSTSStore {self.profile.name}, {len(self)} known hosts, {self.preload or 'no preload list'}>"

    def _repr_html_(self) -> str:
        """The store as a notebook shows it: what it knows, the first entries of many."""
        from hstssim.markup import mark, table

        now = self.now()
        rows: list[tuple[object, ...]] = []
        for known in islice(self, _SHOWN):
            name = f"{known.domain or known.name_hash}{f':{known.port}' if known.port else ''}"
            if known.top_level_site and known.top_level_site != known.domain:
                name += f" in pages of {known.top_level_site}"
            until = iso(known.expiry) if math.isfinite(known.expiry) else "for ever"
            over = mark("expired", "plaintext") if self.is_over(known) else span(known.expiry - now)
            covers = "and its subdomains" if known.include_subdomains else "alone"
            rows.append((name, "taken out of the list" if known.knock_out else covers, until, over))
        more = f"and {len(self) - _SHOWN} more" if len(self) > _SHOWN else ""
        note = "; ".join(
            part for part in (more, f"as of {iso(now)}", str(self.preload or "no preload list")) if part
        )
        head = ("Known HSTS Host", "covers", "until", "that is in")
        return table(f"{self.profile.name}: {len(self)} known hosts", head, rows, note)

    def _named(self, host: str) -> tuple[str, str | None]:
        """The canonical form of a host that names an entry, and its domain; None if there can be no entry."""
        try:
            name = hosts.named(host)
        except InvalidHost:
            if not isinstance(host, str):
                raise
            return host, None
        return name, self.domain(name)

    def _scope(self, host: str, port: int, top_level_site: str | None) -> Scope:
        """What besides the domain the profile keeps an entry of a canonical host by."""
        key = self.profile.key
        if key == "domain and top-level site":
            from hstssim.site import registrable_domain, site

            return 0, registrable_domain(host) if top_level_site is None else site(top_level_site)
        return (port, "") if port and key == "domain and port" else _EVERYWHERE

    def _entry(self, domain: str, scope: Scope) -> KnownHost | None:
        if scope == _EVERYWHERE:
            return self._known.get(domain)
        return self._scoped.get((domain, scope))

    def _unnamed(self) -> dict[str, KnownHost]:
        """The entries of which only the hash of the name is known, by it."""
        return self._known.unnamed if isinstance(self._known, _HashedNames) else {}

    def _put(self, known: KnownHost, scope: Scope) -> None:
        self._keep(known, scope)
        self._changed(known, False)

    def _changed(self, known: KnownHost, forgotten: bool) -> None:
        """Called after an entry was put or forgotten; a store that is kept in a file writes it there."""

    def _keep(self, known: KnownHost, scope: Scope) -> None:
        profile = self.profile
        domain = known.domain
        if not domain:
            if not isinstance(self._known, _HashedNames):
                self._known = _HashedNames(self._known)
            self._known.unnamed[known.name_hash] = known
            return
        if isinstance(self._known, _HashedNames):
            self._known.get(domain)  # so that it is not there twice
        if profile.max_entries is not None:
            if len(self) >= profile.max_entries:
                self._make_room(domain, scope)
            self._soonest = min(self._soonest, known.expiry)
        if scope is _EVERYWHERE:
            self._known[domain] = known
            return
        self._scoped[domain, scope] = known
        self._scoped_domains.add(domain)
        if len(self._scoped_domains) > 2 * len(self._scoped) + 1000:
            # Another thread may put an entry meanwhile: hence the second look.
            self._scoped_domains = {name for name, _ in list(self._scoped)}
            self._scoped_domains.update(name for name, _ in list(self._scoped))
        if profile.eviction == "least score":
            self._use(domain, scope, known.last_observed)

    def _make_room(self, domain: str, scope: Scope) -> None:
        """Forget an entry where one more would be too many; expired ones first where the oldest goes."""
        profile = self.profile
        if profile.eviction == "oldest" and self._soonest <= self.now():
            self.expire()
            self._soonest = min((known.expiry for known in self), default=math.inf)
        if self._entry(domain, scope) is not None:
            return
        while profile.max_entries is not None and len(self) >= profile.max_entries:
            gone = self._least_used() if profile.eviction == "least score" else None
            oldest = _first(self._known)
            if gone is None and oldest is not None:
                gone = self._known.get(oldest)
            gone = gone or next(iter(self), None)
            if gone is None:  # other threads have made room
                return
            self._forget(gone)

    def _least_used(self) -> KnownHost | None:
        key = _first(self._used)
        score, _ = (0, 0) if key is None else self._used.get(key, (0, 0))
        if key is not None and score > 1:  # there may be a lesser one than the oldest's
            key = min(list(self._used.items()), key=lambda item: item[1][0])[0]
        return None if key is None else self._entry(*key)

    def _forget(self, known: KnownHost) -> None:
        """Forget an entry, unless another has taken its place meanwhile."""
        if self._drop(known):
            self._changed(known, True)

    def _drop(self, known: KnownHost) -> bool:
        scope = (known.port, known.top_level_site)
        if not known.domain:
            return self._unnamed().pop(known.name_hash, None) is not None
        if self._entry(known.domain, scope) is not known:
            return False
        self._used.pop((known.domain, scope), None)
        if scope == _EVERYWHERE:
            self._known.pop(known.domain, None)
        else:
            self._scoped.pop((known.domain, scope), None)
        return True

    def _get(self, domain: str) -> KnownHost | _Expired | None:
        known = self._known.get(domain)
        if known is None or self.now() < known.expiry or not self.is_over(known):
            return known
        self._let_go(known)
        return _Expired(known)

    def is_over(self, known: KnownHost) -> bool:
        """Whether an entry has expired by now."""
        now = self.now()
        return now > known.expiry or (now == known.expiry and self.profile.expires == "at its expiry")

    def _let_go(self, known: KnownHost) -> None:
        """Called for an expired entry that a look-up has met."""
        self._forget(known)

    def _use(self, domain: str, scope: Scope, now: float) -> None:
        """Count the days on which an entry was used, for profiles that evict by it."""
        day = now // 86_400
        score, last = self._used.get((domain, scope), (0, -1))
        if day != last:
            self._used[domain, scope] = score + 1, day

    def _listed(self, domain: str) -> bool:
        """Whether the preload list, if it is not too old, has an entry of exactly this domain."""
        preload = self.preload
        if preload is None or preload.get(domain) is None:
            return False
        limit, age = self.profile.preload_max_age_days, preload.age(self.now())
        return limit is None or age is None or age // 86_400 < limit


def _first(table: Mapping[K, object]) -> K | None:
    """The oldest key of a table that other threads may change meanwhile."""
    while True:
        try:
            return next(iter(table), None)
        except RuntimeError:  # it changed between the two calls
            continue


def _explicit(port: int) -> int:
    """The port of an https URL as entries are kept by it."""
    if not isinstance(port, int) or not 0 <= port < 65_536:
        raise InvalidHost(port, "a port is a whole number from 0 to 65535")
    return 0 if port == 443 else port
