"""The interceptor: what becomes of a request before the network, and what a response teaches (RFC 6797 §8).

Here: the decision, its reason, and the internal redirect that shows it. Never here: how entries are kept
(`store.py`, `preload.py`), or sockets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from hstssim import host as hosts
from hstssim import url as urls
from hstssim.errors import HSTSSimError, InvalidURL, short
from hstssim.match import EXPIRED, UNKNOWN_HOST, Match, Record
from hstssim.store import HSTSStore, Ignored, Noted, Removed
from hstssim.times import iso, span

if TYPE_CHECKING:
    from hstssim.redirect import InternalRedirect

_FIELD = ("strict-transport-security", b"strict-transport-security")
_PASSED_OVER = ("no-include-subdomains", "negative-entry")
_new = object.__new__

ALREADY_HTTPS = "already-https"

REASONS = {
    "congruent-match": "the host is a Known HSTS Host (RFC 6797 §8.2)",
    "superdomain-match": "a superdomain is a Known HSTS Host with includeSubDomains (RFC 6797 §8.2)",
    ALREADY_HTTPS: "the URL is secure already",
    "not-http": "only http URLs are upgraded, and ws by some",
    "localhost": "localhost and its subdomains are exempt",
    "ip-address": "an IP address, for which no host can ask for HSTS",
    "not-a-dns-name": "no name that DNS could hold, so no entry applies to it",
    "not-top-level": "only top-level navigations are upgraded",
    "bypassed": "the request asked to bypass HSTS",
    "preload-bypassed": "policy takes this name out of the preload list (HSTSPolicyBypassList)",
    "preload-stale": "the preload list is too old to count",
    EXPIRED: "it was a Known HSTS Host, but the entry has expired",
    "no-include-subdomains": "a superdomain is a Known HSTS Host, but without includeSubDomains",
    "negative-entry": "the preload list takes this name out",
    "knocked-out": "the host asked to be forgotten, which takes it out of the preload list",
    UNKNOWN_HOST: "not preloaded and never visited: one visit over HTTPS may change that",
}
"""Every reason of a decision, by its stable code."""


class Step(NamedTuple):
    """One question of a decision and its answer."""

    domain: str
    source: str
    """`dynamic` or `preload`."""
    result: str
    """`match`, `no-entry`, or the code of a reason."""


class Decision:
    """Whether a request is upgraded, by which entry, and why. True if it is upgraded.

    Of an https URL all but `url`, `upgraded`, `location` and `redirect` is looked up when it is first asked
    for, as of that moment.
    """

    __slots__ = (
        "_hsts",
        "_origin",
        "_top_level_site",
        "by",
        "dynamic",
        "host",
        "preload",
        "reason",
        "steps",
        "url",
    )

    _hsts: Interceptor
    _origin: str | None
    _top_level_site: str | None
    url: str
    """As received."""
    host: str
    """Canonical, as a browser shows it."""
    by: str | None
    """`dynamic` or `preload`; `preload` where both match, as Chromium labels it; None if not upgraded."""
    reason: str
    """A stable code, one of `REASONS`."""
    dynamic: Match | None
    """The dynamic entry that covers the host, whether or not it decided."""
    preload: Match | None
    """The preload entry that covers the host, whether or not it decided."""
    steps: tuple[Step, ...]
    """What was asked and answered, in order; filled by `explain` only."""

    @property
    def upgraded(self) -> bool:
        """Whether another URL takes the place of the request's."""
        return self.by is not None

    def __bool__(self) -> bool:
        return self.by is not None

    @property
    def location(self) -> str | None:
        """The URL that takes the place of the request's, as a browser shows it; None if not upgraded."""
        if self.by is None:
            return None
        return urls.upgrade(self.url, port_80=self._hsts.store.profile.port_80)

    @property
    def redirect(self) -> InternalRedirect | None:
        """The internal redirect that shows the upgrade; None if there is none or the profile rewrites."""
        location = self.location
        if location is None or not self._hsts.store.profile.internal_redirect:
            return None
        from hstssim.redirect import InternalRedirect

        return InternalRedirect.to(location, origin=self._origin)

    @property
    def message(self) -> str:
        """The reason in words, with the entry, its expiry, and the age of the list as of now."""
        found = []
        now = self._hsts.store.now()
        if self.preload is not None:
            found.append(_entry_text(self.preload, "preload") + self._list_age(now))
        if self.dynamic is not None:
            expiry = self.dynamic.expiry or 0
            until = f"until {iso(expiry)}" if expiry != float("inf") else "for ever"
            left = f" ({span(expiry - now)})" if now <= expiry < float("inf") else ""
            found.append(f"{_entry_text(self.dynamic, 'dynamic')}  {until}{left}")
        entries = "; ".join(found)
        if self.by is not None:
            return entries
        text = REASONS[self.reason]
        if self.reason is UNKNOWN_HOST and self._hsts.store.profile.preload_decides == "no list":
            text = "never visited, and no preload list is used: one visit over HTTPS may change that"
        if self.reason in _PASSED_OVER:
            text = f"{text}: {self._passed_over()}"
        return f"{text}; {entries}" if entries else text

    def as_dict(self) -> dict[str, object]:
        """The decision as `hstssim query --json` writes it; `explain` adds `steps` and `redirect`."""
        values: dict[str, object] = {
            "input": self.url,
            "host": self.host,
            "upgraded": self.upgraded,
            "location": self.location,
            "by": self.by,
            "reason": self.reason,
            "message": self.message,
            "dynamic": self.dynamic.as_dict() if self.dynamic else None,
            "preload": self.preload.as_dict() if self.preload else None,
        }
        if self.steps:
            values["steps"] = [step._asdict() for step in self.steps]
            values["redirect"] = self.redirect.as_dict() if self.redirect else None
        return values

    def __getattr__(self, name: str) -> object:
        # Only a slot that is still empty gets here: what `request` left for later.
        if name == "by" or name == "_top_level_site":
            return None
        if name not in ("host", "reason", "dynamic", "preload", "steps"):
            raise AttributeError(name)
        _, host = urls.parse(self.url)
        self._hsts._look_up(self, host, self._hsts.store.domain(host), self._top_level_site, None)
        self.reason = ALREADY_HTTPS
        return getattr(self, name)

    def __repr__(self) -> str:
        try:
            message = self.message
        except HSTSSimError as error:  # an https URL that no browser takes is found out only now
            message = str(error)
        return f"<Decision {short(self.url)[1:-1]} {'upgraded' if self else 'not upgraded'}: {message}>"

    def _repr_html_(self) -> str:
        """The decision as a notebook shows it."""
        from hstssim.markup import mark, table

        redirect = self.redirect
        if redirect is not None:
            end = mark(f"{redirect.status_line} to {redirect.location}", "internal")
        elif self:
            end = mark(f"rewritten to {self.location}", "internal")
        else:
            secure = self.url[:6].lower() in ("https:", "wss://")
            end = mark("as it is", "secure") if secure else mark("in the clear", "plaintext")
        rows = [("what becomes of it", end), ("why", f"{self.reason}: {self.message}")]
        rows += [(f"{step.domain} ({step.source})", step.result) for step in self.steps]
        return table(self.url, (), rows)

    def _passed_over(self) -> str:
        """The nearest entries of the host and its superdomains, none of which covers it."""
        decides = self._hsts.store.profile.preload_decides
        explained = self._hsts.explain(self.url, top_level_site=self._top_level_site)
        found = {}
        for step in explained.steps:
            if step.result in _PASSED_OVER and step.source not in found:
                where = ", where the nearest entry decides" if decides == "nearest entry" else ""
                found[step.source] = f"{step.domain} ({step.source}{where if step.source == 'preload' else ''})"
        return ", ".join(found.values())

    def _list_age(self, now: float) -> str:
        preload = self._hsts.store.preload
        if preload is None or preload.date is None:
            return ""
        age = now - preload.date.timestamp()
        when = f"{span(age)} old" if age >= 0 else f"{span(-age)} ahead"
        return f"  list of {preload.date:%Y-%m-%d}, {when}"


class Interceptor:
    """Asks a store, and the preload list that it names, before a request reaches the network.

    `request` and `explain` change nothing but that an expired entry they meet is forgotten; `response` is
    what learns.
    """

    def __init__(self, store: HSTSStore) -> None:
        self.store = store

    def request(
        self,
        url: str,
        origin: str | None = None,
        top_level_navigation: bool = True,
        top_level_site: str | None = None,
        bypass_hsts: bool = False,
    ) -> Decision:
        """Decide what becomes of a request (RFC 6797 §8.3; Chromium GetSSLUpgradeDecision).

        Args:
            url: an absolute URL.
            origin: the request's Origin header, None if it has none.
            top_level_navigation: whether it is the navigation of an outermost main frame.
            top_level_site: the site or URL in the address bar, for profiles that keep entries by it; None for
                the request's own.
            bypass_hsts: for requests without credentials that must not be upgraded, as for CRLs (Chromium
                LOAD_SHOULD_BYPASS_HSTS).

        Raises:
            InvalidURL: no browser takes `url`; or `origin` could not stand in a header field. Of an https
                URL neither matters until its host is asked for.
            InvalidHost: `top_level_site` is asked for, and is no host.
            MissingExtra: `url` is not plain, and ada-url is not installed; or entries are kept by site, and
                publicsuffixlist is not.
        """
        try:
            if url[:8] == "https://":
                later: Decision = _new(Decision)
                later._hsts = self
                later.url = url
                if top_level_site is not None:
                    later._top_level_site = top_level_site
                return later
        except TypeError:
            raise _not_a_str(url) from None
        return self._decide(url, origin, top_level_navigation, top_level_site, bypass_hsts, None)

    def explain(
        self,
        url: str,
        origin: str | None = None,
        top_level_navigation: bool = True,
        top_level_site: str | None = None,
        bypass_hsts: bool = False,
    ) -> Decision:
        """The same decision as `request`, by the same walk, with each question and answer in `steps`.

        Raises:
            InvalidURL: as `request`, at once.
            MissingExtra: as `request`.
        """
        return self._decide(url, origin, top_level_navigation, top_level_site, bypass_hsts, [])

    def response(
        self,
        url: str,
        headers: Iterable[tuple[str | bytes, str | bytes]],
        verified: bool = True,
        top_level_site: str | None = None,
    ) -> Noted | Removed | Ignored:
        """Learn from a response (RFC 6797 §8.1; Chromium ProcessStrictTransportSecurityHeader).

        Args:
            url: the URL that was requested.
            headers: its header fields as pairs, in the order received and not joined: of several
                Strict-Transport-Security fields only the first counts (in most profiles).
            verified: False if the connection had a certificate error, or nobody checked.
            top_level_site: the site or URL in the address bar, for profiles that keep entries by it or heed
                that site only; None for the response's own.

        Raises:
            InvalidURL: no browser takes `url`.
            InvalidHost: `top_level_site` is asked for, and is no host.
            MissingExtra: `url` is not plain, and ada-url is not installed.
        """
        if isinstance(headers, Mapping):
            raise TypeError("headers are pairs of name and value: a mapping has joined or lost repeated fields")
        scheme, host = urls.parse(url)
        if scheme not in ("https", "wss"):
            return Ignored(host, "insecure-transport", "a header over plain http counts for nothing (§8.1)")
        profile = self.store.profile
        if not verified and not profile.unverified_notes:
            message = "the connection's certificate had an error or was not checked (§8.1)"
            return Ignored(host, "unverified", message)
        if top_level_site is not None and not profile.cross_site_notes:
            from hstssim.site import site

            if site(host) != site(top_level_site):
                return Ignored(
                    host,
                    "cross-site",
                    f"only what is of the site of its page counts, not of {short(top_level_site)}",
                )
        fields = [value for name, value in headers if name.lower() in _FIELD]
        port = urls.port(url) if profile.key == "domain and port" else 0
        return self.store.note(host, fields, port=port, top_level_site=top_level_site)

    def _decide(
        self,
        url: str,
        origin: str | None,
        top_level_navigation: bool,
        top_level_site: str | None,
        bypass_hsts: bool,
        steps: list[Step] | None,
    ) -> Decision:
        if origin is not None:
            from hstssim.redirect import check_origin

            check_origin(origin)
        try:
            match = urls.plain_http(url)
        except TypeError:
            raise _not_a_str(url) from None
        decision: Decision = _new(Decision)
        decision._hsts = self
        decision._origin = origin
        if top_level_site is not None:
            decision._top_level_site = top_level_site
        decision.url = url
        if match is not None and len(match[1]) < 64:
            scheme = "http"
            host = domain = match[1]
            decision.by = self._look_up(decision, host, domain, top_level_site, steps)
        else:
            scheme, host = urls.parse(url)
            decision.by = self._look_up(decision, host, self.store.domain(host), top_level_site, steps)
        if scheme != "http" or bypass_hsts or not top_level_navigation:
            self._withhold(decision, scheme, top_level_navigation, bypass_hsts)
        return decision

    def _look_up(
        self,
        decision: Decision,
        host: str,
        domain: str | None,
        top_level_site: str | None,
        steps: list[Step] | None,
    ) -> str | None:
        """Fill in what is known of a canonical host, and say which entry would upgrade it."""
        store = self.store
        profile = store.profile
        dynamic: Match | str = UNKNOWN_HOST
        preload: Match | str = UNKNOWN_HOST
        if domain is None:
            dynamic = "not-a-dns-name"
        elif not profile.ip_addresses_match and hosts.is_ip_address(host):
            dynamic = "ip-address"
        else:
            replaced = None
            record = None if steps is None else _recorder(steps, "dynamic")
            if profile.simple:
                dynamic = store.look_up(domain, record)
            else:
                site = host if top_level_site is None else top_level_site
                port = urls.port(decision.url) if profile.key == "domain and port" else 0
                dynamic = store.look_up_scoped(domain, port, site, record)
                if profile.dynamic_replaces_preload and dynamic is not UNKNOWN_HOST:
                    replaced = store.replaced(site)
            if store.preload is not None and profile.preload_decides != "no list":
                record = None if steps is None else _recorder(steps, "preload")
                preload = store.preload.look_up(domain, profile.preload_decides, record, replaced)
                if profile.preload_max_age_days is not None or profile.preload_bypass:
                    found, preload = preload, self._in_force(preload, host)
                    if steps and preload is not found:  # the entry is there, and does not count
                        steps[-1] = steps[-1]._replace(result=str(preload))
        known = None if dynamic.__class__ is str else dynamic
        listed = None if preload.__class__ is str else preload
        decision.host = host
        decision.dynamic = known  # type: ignore[assignment]
        decision.preload = listed  # type: ignore[assignment]
        decision.steps = () if steps is None else tuple(steps)
        if known is None and listed is None:
            decision.reason = dynamic if dynamic is not UNKNOWN_HOST else preload  # type: ignore[assignment]
            if decision.reason is UNKNOWN_HOST or decision.reason == "not-a-dns-name":
                if not host[-1:].isalpha() and hosts.is_ip_address(host):
                    decision.reason = "ip-address"
                elif "localhost" in host and profile.localhost != "ordinary" and hosts.is_localhost(host):
                    decision.reason = "localhost"
            return None
        if (
            known is not None
            and "localhost" in host
            and profile.localhost != "ordinary"
            and hosts.is_localhost(host)
        ):
            decision.reason = "localhost"
            return None
        congruent = known.congruent if listed is None else listed.congruent  # type: ignore[union-attr]
        decision.reason = "congruent-match" if congruent else "superdomain-match"
        return "dynamic" if listed is None else "preload"

    def _in_force(self, found: Match | str, host: str) -> Match | str:
        """What the preload list says, once the profile's age limit and bypass list are heard."""
        profile = self.store.profile
        preload = self.store.preload
        assert preload is not None
        if isinstance(found, Match):
            # One name with a dot voids the whole list (Chromium policy HSTSPolicyBypassList).
            bypass = profile.preload_bypass
            if "." not in host and host in bypass and not any("." in name for name in bypass):
                return "preload-bypassed"
            limit = profile.preload_max_age_days
            age = preload.age(self.store.now())
            if limit is not None and age is not None and age // 86_400 >= limit:
                return "preload-stale"
        return found

    def _withhold(self, decision: Decision, scheme: str, top_level_navigation: bool, bypass_hsts: bool) -> None:
        """Leave the request as it is, whatever is known of its host, where something forbids the upgrade."""
        profile = self.store.profile
        if scheme in ("https", "wss"):
            reason = ALREADY_HTTPS
        elif scheme != "http" and not (scheme == "ws" and profile.upgrades_websockets):
            reason = "not-http"
        elif bypass_hsts:
            reason = "bypassed"
        elif not top_level_navigation and profile.top_level_navigations_only:
            reason = "not-top-level"
        else:
            return
        decision.reason = reason
        decision.by = None


def _not_a_str(url: object) -> InvalidURL:
    return InvalidURL(url, f"a URL is a str, not {type(url).__name__}")


def _recorder(steps: list[Step], source: str) -> Record:
    return lambda domain, result: steps.append(Step(domain, source, result))


def _entry_text(match: Match, source: str) -> str:
    subdomains = ", includeSubDomains" if match.include_subdomains else ""
    return f"{match.match} match {match.domain} ({source}{subdomains})"
