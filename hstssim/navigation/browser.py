"""The browser: a navigation from its first URL to its last response, internal and server redirects together.

Every hop is recorded with its reason. Order as in Chrome: HSTS, HTTPS-Upgrades, redirect cache, network.
Never here: how requests travel (`network/`), how a chain is shown (`traces/`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from time import perf_counter
from typing import Literal, NamedTuple

from hstssim import url as urls
from hstssim.errors import InvalidRequest, InvalidURL, short
from hstssim.interceptor import Decision, Interceptor
from hstssim.markup import mark, table
from hstssim.navigation import redirects
from hstssim.navigation.cache import RedirectCache
from hstssim.navigation.https_upgrades import PATIENCE, HTTPSUpgrades
from hstssim.network import NetError, Network, Request, Response
from hstssim.profile import CHROME, Profile, check_profile
from hstssim.redirect import InternalRedirect
from hstssim.store import HSTSStore, Ignored, Noted, Removed
from hstssim.times import iso

Source = Literal["internal", "cache", "network"]
Confirm = Callable[[Request, str], bool]
_token = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_value = re.compile(r"[\t\x20-\x7e\x80-\xff]*").fullmatch
_FORBIDDEN = ("CONNECT", "TRACE", "TRACK")
_NORMALIZED = ("DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT")
_FRAMING = ("connection", "content-length", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade")
"""Fields that the network itself writes (Fetch, forbidden request-header)."""
_RANK = ("same-origin", "same-site", "cross-site")


class Hop(NamedTuple):
    """One request of a navigation, and what became of it."""

    request: Request
    response: Response | None
    """None where there was none, and then `error` says why."""
    error: NetError | None
    source: Source
    """Where the response is from: made up by the browser, kept from before, or sent by a server."""
    reason: str
    """Why it is internal: `HSTS`, `HttpsUpgrades`, `HttpsUpgrades-fallback`; else empty."""
    decision: Decision | None
    """What HSTS said of an http URL; None for others."""
    learned: Noted | Removed | Ignored | None
    """What the store made of the response."""
    time: float
    """When it began, POSIX seconds of the store's clock."""
    seconds: float
    """How long it took."""
    replaced: str | None = None
    """The URL that was asked for, where the profile upgrades without a redirect."""
    passed_over: NetError | None = None
    """The error that was not heeded: of a certificate, or what HTTPS-Upgrades met and went back from."""
    location: str | None = None
    """Where it leads, if it redirects."""

    @property
    def internal(self) -> bool:
        """Whether the browser made the response up, and nothing was sent."""
        return self.source == "internal"

    @property
    def plaintext(self) -> bool:
        """Whether the request travelled in the clear."""
        if self.error is not None and self.error.before_sending:
            return False
        return self.source == "network" and self.request.plaintext

    def as_dict(self) -> dict[str, object]:
        """The hop as `hstssim trace --json` writes it."""
        response, error = self.response, self.error
        upgraded = self.decision is not None and (self.reason == "HSTS" or self.replaced is not None)
        return {
            "method": self.request.method,
            "url": self.request.url,
            "source": self.source,
            "reason": self.reason or None,
            "plaintext": self.plaintext,
            "status": None if response is None else response.status,
            "status_text": None if response is None else response.reason,
            "headers": None if response is None else [list(pair) for pair in response.headers],
            "location": self.location,
            "replaced": self.replaced,
            "hsts": None
            if self.decision is None
            else {"upgraded": upgraded, "by": self.decision.by, "message": self.decision.message},
            "learned": None if self.learned is None else _learned(self.learned),
            "error": None if error is None else {"name": error.name, "message": error.message},
            "passed_over": None if self.passed_over is None else self.passed_over.name,
            "time": iso(self.time),
            "seconds": round(self.seconds, 6),
        }


class Navigation(NamedTuple):
    """A whole chain: its hops in order, and its end."""

    hops: tuple[Hop, ...]
    error: NetError | None
    """Why there is no page; None if a response is shown."""
    can_proceed: bool
    """Whether a person could go on past the error: a certificate's, and not of a Known HSTS Host."""
    profile: Profile

    @property
    def url(self) -> str:
        """The last URL that was asked for."""
        return self.hops[-1].request.url

    @property
    def response(self) -> Response | None:
        """The response that is shown; None if there is an error instead."""
        return None if self.error is not None else self.hops[-1].response

    @property
    def plaintext(self) -> tuple[Hop, ...]:
        """The hops that travelled in the clear."""
        return tuple(hop for hop in self.hops if hop.plaintext)

    def as_dict(self) -> dict[str, object]:
        """The navigation as `hstssim trace --json` writes it."""
        error, response = self.error, self.response
        return {
            "profile": self.profile.name,
            "hops": [hop.as_dict() for hop in self.hops],
            "url": self.url,
            "status": None if response is None else response.status,
            "error": None
            if error is None
            else {"name": error.name, "message": error.message, "can_proceed": self.can_proceed},
        }

    def _repr_html_(self) -> str:
        """The navigation as a notebook shows it, a row a hop."""
        rows = [(number, *_row(hop)) for number, hop in enumerate(self.hops, 1)]
        end = f"{self.error}" if self.error is not None else ""
        return table(f"{self.hops[0].request.url}", ("", "request", "answer", "learned"), rows, end)

    def __repr__(self) -> str:
        end = self.error.name if self.error else self.hops[-1].response
        return f"<Navigation {len(self.hops)} hops, {short(self.url)[1:-1]}: {end}>"


def _row(hop: Hop) -> tuple[object, ...]:
    request = f"{hop.request.method} {hop.request.url}"
    answer = hop.response.status_line if hop.response is not None else getattr(hop.error, "name", "no response")
    if hop.replaced is not None:
        request += f" in place of {hop.replaced}"
    if hop.internal and hop.response is not None:
        return request, mark(f"{answer}, made up by the browser ({hop.reason}): nothing sent", "internal"), ""
    if hop.source == "cache":
        return request, mark(f"{answer}, from the cache: nothing sent", "internal"), ""
    learned = "" if hop.learned is None or getattr(hop.learned, "code", "") == "no-header" else repr(hop.learned)
    shown = mark(f"PLAINTEXT {request}", "plaintext") if hop.plaintext else mark(request, "secure")
    return shown, answer, learned


class Browser:
    """Walks whole chains of redirects as the profile's user agent does.

    Args:
        profile: whose rules apply to redirects; those of HSTS are the store's.
        store: what it knows and where it learns; None for a new one with this profile and the bundled list.
        network: what it talks to; None for the live one.
        confirm: asked before a 301, 302, 307 or 308 of a method other than GET and HEAD is followed with that
            method (RFC 2616 §10.3.8 wants a person to confirm it); False ends there. None follows, as browsers
            and RFC 9110 §15.4 do.
        ignore_certificate_errors: goes on past every certificate error, and learns nothing then.

    Raises:
        TypeError: `profile` is none, or `store` has another one's rules.
    """

    def __init__(
        self,
        profile: Profile = CHROME,
        store: HSTSStore | None = None,
        network: Network | None = None,
        *,
        confirm: Confirm | None = None,
        ignore_certificate_errors: bool = False,
    ) -> None:
        check_profile(profile)
        if store is None:
            from hstssim.preload import PreloadList

            store = HSTSStore(profile=profile, preload=PreloadList.bundled())
        if not isinstance(store, HSTSStore):
            raise TypeError(f"a store is an HSTSStore; seen {short(store)}")
        if store.profile.name != profile.name:
            raise TypeError(
                f"a browser and its store have one profile, HSTSStore(profile=…) takes it; "
                f"seen {profile.name} and {store.profile.name}"
            )
        if network is None:
            from hstssim.network import LiveNetwork

            network = LiveNetwork()
        self.profile = profile
        self.store = store
        self.network: Network = network
        self.confirm = confirm
        self.ignore_certificate_errors = ignore_certificate_errors
        self.cache = RedirectCache()
        self.https_upgrades = HTTPSUpgrades()
        self._hsts = Interceptor(store)

    def navigate(
        self,
        url: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        initiator: str | None = None,
    ) -> Navigation:
        """Go to a URL in a new page, and on to wherever that leads.

        Args:
            url: an http or https URL.
            method: `POST` is a form's.
            body: what a form sends; a str goes out as UTF-8.
            headers: fields of the first request, which the following ones keep as Fetch says.
            initiator: the URL of the page whose link or form it is; None as if a person had typed it.

        Raises:
            InvalidURL: no browser takes `url` or `initiator`, or it is not http or https.
            InvalidRequest: a method or field that no request can have.
        """
        page = None if initiator is None else _shown(initiator)
        request = self._first(_shown(url), method, body, headers, page)
        walk = _Walk(self, page)
        if page is not None and self._is_insecure_form(request, page):
            error = NetError(
                "ERR_BLOCKED_BY_CLIENT", "a form of an https page is sent over https; seen an http action"
            )
            return Navigation((walk.failed(request, error),), error, False, self.profile)
        return walk.go(request)

    def _is_insecure_form(self, request: Request, page: str) -> bool:
        if not self.profile.insecure_forms_blocked or request.method in ("GET", "HEAD"):
            return False
        return page[:6] == "https:" and not redirects.is_trustworthy(request.url)

    def _first(
        self,
        url: str,
        method: str,
        body: bytes | str | None,
        headers: Mapping[str, str] | Iterable[tuple[str, str]],
        page: str | None,
    ) -> Request:
        if not isinstance(method, str) or not _token(method):
            raise InvalidRequest(f"a method is a token (RFC 9110 §9.1); seen {short(method)}")
        if method.upper() in _FORBIDDEN:
            raise InvalidRequest(f"no browser sends {' or '.join(_FORBIDDEN)} (Fetch); seen {method}")
        if method.upper() in _NORMALIZED:
            method = method.upper()
        if not isinstance(body, bytes | str | None):
            raise InvalidRequest(f"a body is bytes or a str; seen {short(body)}")
        content = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
        for pair in pairs:
            if len(pair) != 2 or not all(isinstance(text, str) for text in pair):
                raise InvalidRequest(f"headers are pairs of name and value; seen {short(pair)}")
            if not _token(pair[0]) or not _value(pair[1]):
                raise InvalidRequest(f"a field is a token and a value on one line, ISO 8859-1; seen {short(pair)}")
            if pair[0].lower() in _FRAMING:
                raise InvalidRequest(f"no caller sets a field that frames or routes a request; seen {short(pair)}")
        named = {name.lower() for name, _ in pairs}
        added = [("User-Agent", "hstssim"), ("Accept", "text/html,*/*;q=0.8")]
        if self.profile.fetch_metadata:
            added.append(("Upgrade-Insecure-Requests", "1"))
        if method == "POST":
            added.append(("Cache-Control", "max-age=0"))
        if content is not None:
            added.append(("Content-Type", "application/x-www-form-urlencoded"))
        if page is not None:
            if method not in ("GET", "HEAD"):
                added.append(("Origin", redirects.origin(page)))
            referrer = redirects.referrer(page, url)
            if referrer:
                added.append(("Referer", referrer))
        kept = [pair for pair in added if pair[0].lower() not in named]
        return Request(method, url, (*kept, *pairs), content)

    def __repr__(self) -> str:
        return f"<Browser {self.profile.name}, {self.store!r}, {self.network!r}>"


class _Walk:
    """One navigation while it lasts."""

    def __init__(self, browser: Browser, page: str | None) -> None:
        self._browser = browser
        self._profile = browser.profile
        self._page = page
        self._hops: list[Hop] = []
        self._followed = 0
        self._relation = "none" if page is None else _RANK[0]
        self._policy = redirects.DEFAULT_POLICY
        self._tried: set[str] = set()  # http URLs that HTTPS-Upgrades took up
        self._way_back: str | None = None  # the last of them, while its https is under way

    def go(self, request: Request) -> Navigation:
        """Walk to the end."""
        while True:
            hop = self._hop(request)
            error = hop.error
            if error is None and hop.location is not None:
                error = self._refused(hop, hop.location)
            self._followed += 1
            if error is not None and self._way_back is not None:
                back, self._followed = self._give_up(self._way_back), -1  # Chromium begins to count anew
                hop = self._internal(hop.request, back, "HttpsUpgrades-fallback", hop.decision, hop.time)
                hop, error = hop._replace(passed_over=error), None
            self._hops.append(hop)
            if error is not None:
                return self._end(error)
            if hop.location is None or not self._confirmed(hop, hop.location):
                return self._end(None)
            request = self._next(hop, hop.location)

    def failed(self, request: Request, error: NetError) -> Hop:
        """The hop of a request that was not sent."""
        return Hop(request, None, error, "internal", "", None, None, self._browser.store.now(), 0.0)

    def _hop(self, request: Request) -> Hop:
        began, now = perf_counter(), self._browser.store.now()
        scheme = request.scheme
        if scheme not in ("http", "https"):
            return self.failed(request, redirects.unreachable(request.url) or _no_error())
        decision = replaced = None
        if scheme == "http":
            decision = self._browser._hsts.request(request.url, request.header("Origin"))
            location = decision.location
            if location is not None and not self._profile.internal_redirect:
                replaced, request = request.url, request._replace(url=location)
            elif location is not None:
                return self._internal(request, location, "HSTS", decision, now)
            elif self._profile.https_upgrades:
                upgrade = self._https_upgrade(request)
                if upgrade is not None:
                    return self._internal(request, upgrade[0], upgrade[1], decision, now)
        error = redirects.unreachable(request.url)
        if error is not None:
            return self.failed(request, error)._replace(decision=decision, replaced=replaced)
        self._relate(request)
        response = self._cached(request, now)
        if response is not None:
            hop = Hop(request, response, None, "cache", "", decision, None, now, perf_counter() - began, replaced)
        else:
            hop = self._send(request, decision, replaced, now, began)
        if hop.response is None:
            return hop
        location_or_error = redirects.location(hop.response, request.url)
        if isinstance(location_or_error, NetError):
            return hop._replace(error=location_or_error)
        return hop._replace(location=location_or_error)

    def _https_upgrade(self, request: Request) -> tuple[str, str] | None:
        """Where HTTPS-Upgrades sends a request, and what to call it."""
        upgrades = self._browser.https_upgrades
        if not upgrades.applies(request):
            self._way_back = None
            return None
        if request.url in self._tried:  # https led back to it
            return self._give_up(self._way_back or request.url), "HttpsUpgrades-fallback"
        self._tried.add(request.url)
        self._way_back = request.url
        return urls.upgrade(request.url), "HttpsUpgrades"

    def _give_up(self, url: str) -> str:
        """Take a host for one without https, and give the http URL to go back to."""
        self._browser.https_upgrades.plain_hosts.add(Request("GET", url).host)
        self._way_back = None
        return url

    def _internal(
        self, request: Request, location: str, reason: str, decision: Decision | None, now: float
    ) -> Hop:
        by = reason.partition("-")[0]
        origin = request.header("Origin")
        redirect = InternalRedirect.to(location, origin=origin, by=by)
        response = Response(redirect.status, redirect.reason, redirect.headers)
        return Hop(request, response, None, "internal", reason, decision, None, now, 0.0, location=location)

    def _cached(self, request: Request, now: float) -> Response | None:
        if not self._profile.redirect_cache:
            return None
        return self._browser.cache.get(request, self._is_cross_site(request), now)

    def _send(
        self, request: Request, decision: Decision | None, replaced: str | None, now: float, began: float
    ) -> Hop:
        browser = self._browser
        sent = request._replace(headers=(*request.headers, *self._metadata(request)))
        timeout = PATIENCE if self._way_back is not None else None
        answer = browser.network.send(sent, timeout=timeout)
        passed_over = None
        if isinstance(answer, NetError) and answer.fault is not None and browser.ignore_certificate_errors:
            passed_over = answer
            answer = browser.network.send(sent, verify=False, timeout=timeout)
        learned = None
        error = answer if isinstance(answer, NetError) else redirects.unusable(answer)
        response = None if error is not None or isinstance(answer, NetError) else answer
        if response is not None:
            if not request.plaintext or response.header("Strict-Transport-Security") is not None:
                learned = browser._hsts.response(request.url, response.headers, response.verified)
            if self._profile.redirect_cache and response.status in redirects.STATUSES and passed_over is None:
                browser.cache.put(request, response, self._is_cross_site(request), now)
        took = perf_counter() - began
        return Hop(sent, response, error, "network", "", decision, learned, now, took, replaced, passed_over)

    def _relate(self, request: Request) -> None:
        if self._page is not None and self._relation != _RANK[-1]:
            found = redirects.site_relation(self._page, request.url)
            self._relation = max(self._relation, found, key=_RANK.index)

    def _metadata(self, request: Request) -> tuple[tuple[str, str], ...]:
        """Fetch Metadata, which only trustworthy URLs are sent."""
        if not self._profile.fetch_metadata or not redirects.is_trustworthy(request.url):
            return ()
        return (
            ("Sec-Fetch-Site", self._relation),
            ("Sec-Fetch-Mode", "navigate"),
            ("Sec-Fetch-User", "?1"),
            ("Sec-Fetch-Dest", "document"),
        )

    def _is_cross_site(self, request: Request) -> bool:
        return self._page is not None and redirects.site_relation(self._page, request.url) == "cross-site"

    def _refused(self, hop: Hop, location: str) -> NetError | None:
        """Why a redirect is not followed."""
        limit = self._profile.redirect_limit
        if self._followed >= limit:
            return NetError("ERR_TOO_MANY_REDIRECTS", f"at most {limit} redirects are followed; seen one more")
        if hop.internal or self._page is None or location[:5] != "http:":
            return None
        following = redirects.next_method(hop.request.method, _status(hop))
        if self._browser._is_insecure_form(Request(following, location), self._page):
            return NetError(
                "ERR_BLOCKED_BY_CLIENT", "a form of an https page is sent over https; seen a redirect to http"
            )
        return None

    def _confirmed(self, hop: Hop, location: str) -> bool:
        """Whether a person agrees, where one is asked."""
        confirm = self._browser.confirm
        method = hop.request.method
        if confirm is None or hop.internal or method in ("GET", "HEAD"):
            return True
        kept = redirects.next_method(method, _status(hop)) == method
        return not kept or bool(confirm(hop.request, location))

    def _next(self, hop: Hop, location: str) -> Request:
        request = self._asked(hop)
        assert hop.response is not None
        if hop.internal and not self._profile.origin_tainted:
            return request._replace(url=location)
        self._policy = redirects.policy_after(hop.response, self._policy)
        self._relate(request)
        return redirects.next_request(request, location, _status(hop), self._policy)

    def _asked(self, hop: Hop) -> Request:
        """The hop's request without what is made anew for each."""
        kept = tuple(pair for pair in hop.request.headers if not pair[0].startswith("Sec-Fetch-"))
        return hop.request._replace(headers=kept)

    def _end(self, error: NetError | None) -> Navigation:
        can_proceed = False
        if error is not None and error.fault is not None:
            seen = self._browser._hsts.request(self._hops[-1].request.url)
            known = seen.dynamic is not None or seen.preload is not None
            can_proceed = not known or self._profile.tls_errors == "as for any host"
        return Navigation(tuple(self._hops), error, can_proceed, self._profile)


def _status(hop: Hop) -> int:
    assert hop.response is not None
    return hop.response.status


def _no_error() -> NetError:
    return NetError("ERR_UNKNOWN_URL_SCHEME", "an http or https URL is required")


def _shown(url: str) -> str:
    shown = urls.as_shown(url)
    if shown[:5] != "http:" and shown[:6] != "https:":
        raise InvalidURL(url, "a navigation begins with an http or https URL")
    return shown


def _learned(learned: Noted | Removed | Ignored) -> dict[str, object]:
    if isinstance(learned, Noted):
        known = learned.host
        return {
            "effect": "set",
            "domain": known.domain,
            "include_subdomains": known.include_subdomains,
            "expiry": None if known.expiry == float("inf") else iso(known.expiry),
        }
    if isinstance(learned, Removed):
        return {"effect": "delete", "domain": learned.domain}
    return {"effect": "ignore", "code": learned.code, "message": learned.message}
