"""A Browser walks whole chains: what is internal, what travels, what is learned, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from freezegun import freeze_time
from hypothesis import given
from hypothesis import strategies as st

from hstssim import CHROME, PROFILES, Browser, HSTSStore, PreloadList, Profile, ScriptedNetwork
from hstssim.errors import InvalidRequest, InvalidURL
from hstssim.navigation import Navigation, redirects
from hstssim.navigation.redirects import ReferrerPolicy
from hstssim.network import NetError, Request, Response
from hstssim.script import to_https
from hstssim.store import Ignored, Noted
from tests.conftest import Clock

Make = Callable[..., Browser]
STATUSES = (301, 302, 303, 307, 308)


@pytest.fixture
def network() -> ScriptedNetwork:
    network = ScriptedNetwork()
    network.site("plain.test")
    network.site("other.test")
    network.site("known.test", sts="max-age=1000; includeSubDomains")
    return network


@pytest.fixture
def make(network: ScriptedNetwork, clock: Clock) -> Make:
    def browser(profile: Profile = CHROME, known: tuple[str, ...] = ("known.test",), **options: Any) -> Browser:
        store = HSTSStore(profile=profile, clock=clock)
        for host in known:
            store.add(host, include_subdomains=True)
        return Browser(profile, store, network, **options)

    return browser


@pytest.fixture
def browser(make: Make) -> Browser:
    return make()


def shape(navigation: Navigation) -> list[tuple[str, int, str]]:
    return [(hop.request.url, hop.response.status if hop.response else 0, hop.source) for hop in navigation.hops]


# ── what is internal


def test_a_known_host_is_asked_over_https_only(browser: Browser, network: ScriptedNetwork) -> None:
    navigation = browser.navigate("http://known.test/a?b#c")
    assert shape(navigation) == [
        ("http://known.test/a?b#c", 307, "internal"),
        ("https://known.test/a?b#c", 200, "network"),
    ]
    internal = navigation.hops[0].response
    assert internal is not None
    assert internal.status_line == "HTTP/1.1 307 Internal Redirect"
    assert internal.header("non-authoritative-reason") == "HSTS"
    assert [request.url for request in network.requests] == ["https://known.test/a?b#c"]
    assert navigation.plaintext == ()


def test_the_first_visit_learns_and_the_second_is_internal(make: Make, network: ScriptedNetwork) -> None:
    browser = make(known=())
    network.sites["known.test"].on("/", scheme="http", redirect=to_https)
    first, second = browser.navigate("http://known.test/"), browser.navigate("http://known.test/")
    assert [source for *_, source in shape(first)] == ["network", "network"]
    assert isinstance(first.hops[1].learned, Noted)
    assert [hop.plaintext for hop in first.hops] == [True, False]
    assert [source for *_, source in shape(second)] == ["internal", "network"]


@freeze_time("2026-11-24")
def test_a_preloaded_host_is_known_at_first_contact(network: ScriptedNetwork) -> None:
    network.site("github.com")
    store = HSTSStore(preload=PreloadList.bundled())
    navigation = Browser(CHROME, store, network).navigate("http://github.com/")
    assert [source for *_, source in shape(navigation)] == ["internal", "network"]


@pytest.mark.parametrize("profile", [name for name in PROFILES if not PROFILES[name].internal_redirect])
def test_a_profile_without_an_internal_redirect_rewrites(make: Make, profile: str) -> None:
    browser = make(PROFILES[profile])
    [hop] = browser.navigate("http://known.test/").hops
    assert hop.request.url in ("https://known.test/", "https://known.test:443/")
    assert hop.replaced == "http://known.test/"


def test_a_header_over_http_or_a_bad_certificate_teaches_nothing(make: Make, network: ScriptedNetwork) -> None:
    network.site("clear.test").on("/", scheme="http", sts="max-age=9")
    network.site("bad.test", sts="max-age=9", certificate="expired")
    browser = make(ignore_certificate_errors=True)
    for url, code in (("http://clear.test/", "insecure-transport"), ("https://bad.test/", "unverified")):
        navigation = browser.navigate(url)
        learned = navigation.hops[0].learned
        assert isinstance(learned, Ignored)
        assert learned.code == code
    assert navigation.hops[0].passed_over == NetError(
        "ERR_CERT_DATE_INVALID", "the certificate has expired; seen from bad.test", "expired"
    )


# ── methods, bodies, fields


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("status", STATUSES)
def test_a_redirect_keeps_or_changes_the_method(
    browser: Browser, network: ScriptedNetwork, status: int, method: str
) -> None:
    """Fetch, HTTP-redirect fetch."""
    network.sites["plain.test"].on("/", status=status, redirect="/next")
    body = None if method in ("GET", "HEAD") else b"text"
    navigation = browser.navigate("http://plain.test/", method, body, {"Content-Language": "en"})
    changes = (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST")
    last = navigation.hops[-1].request
    assert (last.method, last.body) == (("GET", None) if changes else (method, body))
    assert (last.header("Content-Language") is None) == (last.method != method)


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "PATCH"])
def test_an_internal_redirect_keeps_method_and_body(browser: Browser, method: str) -> None:
    navigation = browser.navigate("http://known.test/", method, b"text")
    assert [(hop.request.method, hop.request.body) for hop in navigation.hops] == [(method, b"text")] * 2


@pytest.mark.parametrize(
    ("url", "origin", "referer"),
    [
        ("http://plain.test/x", "http://plain.test", "http://plain.test/page?secret"),
        ("http://other.test/x", "http://plain.test", "http://plain.test/"),
        ("https://other.test/x", "http://plain.test", "http://plain.test/"),
        ("http://known.test/x", "null", "http://plain.test/"),
    ],
)
def test_a_form_tells_its_origin_until_it_is_led_to_another(
    browser: Browser, network: ScriptedNetwork, url: str, origin: str, referer: str
) -> None:
    browser.navigate(url, "POST", "a=b", initiator="http://plain.test/page?secret#top")
    [request] = network.requests
    assert (request.header("Origin"), request.header("Referer")) == (origin, referer)


def test_authorization_goes_to_no_other_origin(browser: Browser, network: ScriptedNetwork) -> None:
    network.sites["plain.test"].on("/own", redirect="/x")
    network.sites["plain.test"].on("/other", redirect="http://other.test/")
    for path, kept in (("/own", "secret"), ("/other", None)):
        last = browser.navigate(f"http://plain.test{path}", headers={"Authorization": "secret"}).hops[-1]
        assert last.request.header("Authorization") == kept


@pytest.mark.vectors("upgraded_request_chrome")
def test_what_follows_an_internal_redirect_is_chromes(case: dict[str, Any]) -> None:
    expected = case["expected"]
    if expected.get("reaches_server") is False:
        pytest.skip("a preflight, which no navigation makes")
    cors = "cors" in case["request"] and "no-cors" not in case["request"]
    headers = [("Referer", redirects.referrer(case["page"], case["url"]))]
    if cors:
        headers.append(("Origin", case["page"].rstrip("/")))
    method = expected["method"]
    request = Request(method, case["url"], tuple(headers), b"x" if method == "POST" else None)
    location = case["url"].replace("http:", "https:")
    after = redirects.next_request(request, location, 307, redirects.DEFAULT_POLICY)
    assert (after.method, after.header("Origin")) == (method, expected["origin_header"])
    assert after.header("Referer") == expected["referer"]
    assert redirects.site_relation(case["page"], location) == expected["sec_fetch_site"]
    assert (after.body is not None) == expected["body_preserved"]


POLICIES: list[tuple[ReferrerPolicy, str, str, str]] = [
    ("no-referrer", "", "", ""),
    ("no-referrer-when-downgrade", "https://a.test/p?q", "https://a.test/p?q", ""),
    ("origin", "https://a.test/", "https://a.test/", "https://a.test/"),
    ("origin-when-cross-origin", "https://a.test/p?q", "https://a.test/", "https://a.test/"),
    ("same-origin", "https://a.test/p?q", "", ""),
    ("strict-origin", "https://a.test/", "https://a.test/", ""),
    ("strict-origin-when-cross-origin", "https://a.test/p?q", "https://a.test/", ""),
    ("unsafe-url", "https://a.test/p?q", "https://a.test/p?q", "https://a.test/p?q"),
]


@pytest.mark.parametrize(("policy", "own", "other", "downgraded"), POLICIES, ids=[row[0] for row in POLICIES])
def test_a_referrer_is_cut_as_the_policy_asks(
    policy: ReferrerPolicy, own: str, other: str, downgraded: str
) -> None:
    """Referrer Policy §8.3."""
    page = "https://user:pw@a.test/p?q#f"
    urls = ("https://a.test/x", "https://b.test/x", "http://a.test/x")
    assert [redirects.referrer(page, url, policy) for url in urls] == [own, other, downgraded]


def test_a_redirect_may_change_the_referrer_policy(browser: Browser, network: ScriptedNetwork) -> None:
    policy = {"Referrer-Policy": "origin, no-such-policy"}
    network.sites["plain.test"].on("/", redirect="/x", headers=policy)
    page = "http://plain.test/page?secret"
    sent = [hop.request.header("Referer") for hop in browser.navigate("http://plain.test/", initiator=page).hops]
    assert sent == [page, "http://plain.test/"]


# ── where it leads


@pytest.mark.parametrize(
    ("location", "leads"),
    [
        ("x", "http://plain.test/d/x#foo"),
        ("?q", "http://plain.test/d/from?q#foo"),
        ("//other.test/x", "http://other.test/x#foo"),
        ("http://other.test/#own", "http://other.test/#own"),
        ("http://other.test/#", "http://other.test/#"),
        ("http://other.test/é", "http://other.test/%C3%A9#foo"),
        ("http://a b.other.test/", "http://a%20b.other.test/#foo"),
    ],
)
def test_a_location_leads_where_it_leads_a_browser(
    browser: Browser, network: ScriptedNetwork, location: str, leads: str
) -> None:
    network.sites["plain.test"].on("/d/from", redirect=location.encode().decode("latin-1"))
    navigation = browser.navigate("http://plain.test/d/from#foo")
    assert navigation.hops[0].location == leads


@pytest.mark.parametrize(
    ("location", "name"),
    [
        ("http://", "ERR_INVALID_REDIRECT"),
        ("http://[::1", "ERR_INVALID_REDIRECT"),
        ("data:text/html,x", "ERR_UNSAFE_REDIRECT"),
        ("file:///etc/passwd", "ERR_UNSAFE_REDIRECT"),
        ("javascript:alert(1)", "ERR_ABORTED"),
        ("mailto:x@y", "ERR_ABORTED"),
        ("wss://plain.test/", "ERR_UNKNOWN_URL_SCHEME"),
        ("http://plain.test:6000/", "ERR_UNSAFE_PORT"),
        ("http://nowhere.test/", "ERR_NAME_NOT_RESOLVED"),
    ],
)
def test_a_location_that_leads_nowhere_is_an_error_by_chromes_name(
    browser: Browser, network: ScriptedNetwork, location: str, name: str
) -> None:
    network.sites["plain.test"].on("/", redirect=location)
    navigation = browser.navigate("http://plain.test/")
    assert navigation.error is not None
    assert navigation.error.name == name
    assert navigation.response is None


@given(location=st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=60))
def test_any_location_leads_to_an_end(location: str) -> None:
    class Once:
        def send(self, request: Request, *, verify: bool = True, timeout: float | None = None) -> Response:
            return Response(302, "Found", (("Location", location),))

    browser = Browser(CHROME, HSTSStore(), Once())
    navigation = browser.navigate("http://plain.test/a?b#c")
    assert 1 <= len(navigation.hops) <= 41
    assert navigation.error is not None or not location.strip()


@pytest.mark.parametrize(
    ("name", "travelled"), [("ERR_CONNECTION_REFUSED", False), ("ERR_CONNECTION_RESET", True)]
)
def test_what_found_no_connection_did_not_travel(
    browser: Browser, network: ScriptedNetwork, name: str, travelled: bool
) -> None:
    network.site("down.test", down=name)
    assert bool(browser.navigate("http://down.test/").plaintext) == travelled


def test_an_upgrade_comes_before_the_port_is_looked_at(browser: Browser) -> None:
    navigation = browser.navigate("http://known.test:6000/")
    assert shape(navigation) == [
        ("http://known.test:6000/", 307, "internal"),
        ("https://known.test:6000/", 0, "internal"),
    ]
    assert navigation.error is not None
    assert navigation.error.name == "ERR_UNSAFE_PORT"


def test_nineteen_redirects_are_followed_and_hsts_hops_count(browser: Browser, network: ScriptedNetwork) -> None:
    network.sites["known.test"].on("/", redirect="http://known.test/")
    navigation = browser.navigate("http://known.test/")
    assert navigation.error is not None
    assert (navigation.error.name, len(navigation.hops)) == ("ERR_TOO_MANY_REDIRECTS", 20)
    assert len(network.requests) == 10


def test_a_chain_of_ten_thousand_ends_at_the_limit(browser: Browser, network: ScriptedNetwork) -> None:
    network.sites["plain.test"].on("*", redirect=lambda request: f"/{int(request.target[1:] or 0) + 1}")
    navigation = browser.navigate("http://plain.test/")
    assert (navigation.error and navigation.error.name, len(network.requests)) == ("ERR_TOO_MANY_REDIRECTS", 20)


# ── certificates


@pytest.mark.parametrize("host", ["bad.test", "bad.known.test"])
def test_a_person_can_go_on_past_a_certificate_but_not_of_a_known_host(
    browser: Browser, network: ScriptedNetwork, host: str
) -> None:
    network.site(host, certificate="self-signed")
    navigation = browser.navigate(f"https://{host}/")
    assert navigation.error is not None
    assert navigation.error.name == "ERR_CERT_AUTHORITY_INVALID"
    assert navigation.can_proceed == (host == "bad.test")


# ── the redirect cache

CACHED: list[tuple[int, dict[str, str], float | None]] = [
    (301, {}, 1e12),
    (308, {}, 1e12),
    (302, {}, None),
    (303, {}, None),
    (307, {}, None),
    (307, {"Cache-Control": "max-age=60"}, 60),
    (302, {"Cache-Control": "private, MAX-AGE=60"}, 60),
    (301, {"Cache-Control": "max-age=60"}, 60),
    (301, {"Cache-Control": "no-store"}, None),
    (301, {"Cache-Control": "no-cache"}, None),
    (301, {"Cache-Control": "max-age=x"}, 1e12),
    (301, {"Pragma": "no-cache"}, None),
    (301, {"Vary": "*"}, None),
    (302, {"Age": "20", "Cache-Control": "max-age=60"}, 40),
    (302, {"Expires": "Fri, 15 Jan 2027 08:01:00 GMT"}, 60),
    (302, {"Expires": "Fri, 15 Jan 2027 08:01:00 GMT", "Cache-Control": "max-age=5"}, 5),
    (301, {"Expires": "0"}, None),
    (301, {"Expires": "soon"}, 1e12),
]


@pytest.mark.parametrize(("status", "headers", "lifetime"), CACHED)
def test_a_redirect_is_kept_as_long_as_chromium_keeps_it(
    browser: Browser,
    network: ScriptedNetwork,
    clock: Clock,
    status: int,
    headers: dict[str, str],
    lifetime: float | None,
) -> None:
    network.sites["plain.test"].on("/", status=status, headers=headers, redirect="http://other.test/")
    begin = clock.now
    for after, kept in (
        (0, False),
        ((lifetime or 1) * 0.99, lifetime is not None),
        ((lifetime or 1) * 1.01, False),
    ):
        clock.now = begin + after
        if after > 1e12:
            break
        assert (browser.navigate("http://plain.test/").hops[0].source == "cache") == kept, after


def test_hsts_comes_before_the_cache(make: Make, network: ScriptedNetwork) -> None:
    browser = make(known=())
    network.sites["known.test"].on("/", scheme="http", redirect="http://other.test/", status=301)
    for _ in range(2):
        kept = browser.navigate("http://known.test/")
    assert kept.hops[0].source == "cache"
    browser.navigate("https://known.test/")
    assert browser.navigate("http://known.test/").hops[0].source == "internal"


def test_a_link_of_another_site_has_a_cache_of_its_own(browser: Browser, network: ScriptedNetwork) -> None:
    network.sites["plain.test"].on("/", status=301, redirect="/landed")
    pages = (None, "http://other.test/", "http://other.test/", "http://plain.test/", None)
    sources = [browser.navigate("http://plain.test/", initiator=page).hops[0].source for page in pages]
    assert sources == ["network", "network", "cache", "cache", "cache"]


def test_what_a_form_asks_for_is_asked_anew(browser: Browser, network: ScriptedNetwork) -> None:
    network.sites["plain.test"].on("/kept", status=301, redirect="/landed")
    network.sites["plain.test"].on("/form", status=303, redirect="/kept")
    browser.navigate("http://plain.test/kept")
    page = "http://plain.test/"
    assert browser.navigate("http://plain.test/form", "POST", "a=b", initiator=page).hops[1].source == "network"


def test_a_redirect_behind_a_bad_certificate_is_not_kept(make: Make, network: ScriptedNetwork) -> None:
    network.site("bad.test", certificate="expired").on("/", status=301, redirect="http://other.test/")
    browser = make(ignore_certificate_errors=True)
    assert [browser.navigate("https://bad.test/").hops[0].source for _ in range(2)] == ["network", "network"]


# ── a person's word (RFC 2616 §10.3.8), and none's (RFC 9110 §15.4)


@pytest.mark.parametrize("agrees", [True, False])
def test_a_person_may_be_asked_before_a_body_goes_elsewhere(
    make: Make, network: ScriptedNetwork, agrees: bool
) -> None:
    asked = []

    def confirm(request: Request, url: str) -> bool:
        asked.append((request.method, request.url, url))
        return agrees

    browser = make(confirm=confirm)
    network.sites["plain.test"].on("/", status=307, redirect="http://other.test/")
    navigation = browser.navigate("http://plain.test/", "POST", "a=b")
    assert asked == [("POST", "http://plain.test/", "http://other.test/")]
    assert len(navigation.hops) == (2 if agrees else 1)
    assert navigation.error is None
    browser.navigate("http://plain.test/")
    browser.navigate("http://known.test/", "POST", "a=b")
    network.sites["plain.test"].on("/get", status=302, redirect="http://other.test/")
    browser.navigate("http://plain.test/get", "POST", "a=b")
    assert len(asked) == 1, "not for GET, and not for what no server sent"


# ── HTTPS-Upgrades


@pytest.mark.parametrize(
    ("host", "applies"),
    [
        ("www.example.com", True),
        ("example.com.", True),
        ("github.io", True),
        ("8.8.8.8", True),
        ("shop.test", False),
        ("shop", False),
        ("com", False),
        ("localhost", False),
        ("printer.local", False),
        ("10.0.0.1", False),
        ("224.0.0.1", False),
        ("[2606:4700::1]", False),
        ("www.example.com:8080", False),
    ],
)
def test_https_upgrades_takes_public_names_only(browser: Browser, host: str, applies: bool) -> None:
    """Each as observed on Chromium 156."""
    first = browser.navigate(f"http://{host}/").hops[0]
    assert (first.reason == "HttpsUpgrades") == applies
    if applies:
        assert first.response is not None
        assert first.response.status_line == "HTTP/1.1 307 Temporary Redirect"


@pytest.mark.parametrize("fault", ["refuses", "expired", "hangs", "loops"])
def test_https_upgrades_goes_back_where_there_is_no_https(
    browser: Browser, network: ScriptedNetwork, fault: str
) -> None:
    site = network.site("www.example.com")
    if fault == "refuses":
        site.refuse_tls = True
    elif fault == "expired":
        site.certificate = "expired"
    elif fault == "hangs":
        site.on("/", scheme="https", delay=4.0)
    else:
        site.on("/", scheme="https", redirect="http://www.example.com/")
    first, second = browser.navigate("http://www.example.com/"), browser.navigate("http://www.example.com/")
    assert [hop.reason for hop in first.hops if hop.reason] == ["HttpsUpgrades", "HttpsUpgrades-fallback"]
    assert first.error is None
    assert first.url == "http://www.example.com/"
    assert [hop.reason for hop in second.hops] == [""], "the host is left alone from then on"


def test_after_the_way_back_redirects_are_counted_anew(browser: Browser, network: ScriptedNetwork) -> None:
    """As observed on Chromium 156: 19 redirects, the way back, and 20 more."""
    network.site("www.example.com").on("/", redirect="https://www.example.com/")
    navigation = browser.navigate("http://www.example.com/")
    reasons = [hop.reason for hop in navigation.hops]
    assert (len(reasons), reasons.index("HttpsUpgrades-fallback")) == (41, 19)
    assert navigation.error is not None
    assert navigation.error.name == "ERR_TOO_MANY_REDIRECTS"


def test_hsts_comes_before_https_upgrades_and_there_is_a_knob(make: Make, network: ScriptedNetwork) -> None:
    network.site("www.example.com")
    assert make(known=("example.com",)).navigate("http://www.example.com/").hops[0].reason == "HSTS"
    off = CHROME.replace(https_upgrades=False)
    assert [hop.reason for hop in make(off).navigate("http://www.example.com/").hops] == [""]


def test_a_form_of_an_https_page_is_not_sent_in_the_clear(browser: Browser, network: ScriptedNetwork) -> None:
    network.sites["other.test"].on("/", status=307, redirect="http://known.test/")
    for url in ("http://plain.test/", "https://other.test/"):
        navigation = browser.navigate(url, "POST", "a=b", initiator="https://other.test/page")
        assert navigation.error is not None
        assert navigation.error.name == "ERR_BLOCKED_BY_CLIENT"
    assert network.plaintext_requests == []


# ── the caller's faults


@pytest.mark.parametrize(
    ("error", "arguments"),
    [
        (InvalidURL, {"url": "ftp://a.test/"}),
        (InvalidURL, {"url": "a.test"}),
        (InvalidURL, {"url": "http://a.test/", "initiator": "about:blank"}),
        (InvalidRequest, {"url": "http://a.test/", "method": "A B"}),
        (InvalidRequest, {"url": "http://a.test/", "method": "connect"}),
        (InvalidRequest, {"url": "http://a.test/", "headers": {"A": "b\r\nc"}}),
        (InvalidRequest, {"url": "http://a.test/", "headers": {"A B": "c"}}),
        (InvalidRequest, {"url": "http://a.test/", "headers": {"Content-Length": "9"}}),
        (InvalidRequest, {"url": "http://a.test/", "headers": {"host": "b.test"}}),
        (InvalidRequest, {"url": "http://a.test/", "headers": ["A"]}),
        (InvalidRequest, {"url": "http://a.test/", "body": 1}),
    ],
)
def test_what_cannot_be_asked_is_refused(
    browser: Browser, network: ScriptedNetwork, error: type[Exception], arguments: dict[str, Any]
) -> None:
    with pytest.raises(error, match="seen"):
        browser.navigate(**arguments)
    assert network.requests == []


def test_a_browser_and_its_store_have_one_profile() -> None:
    with pytest.raises(TypeError, match="seen firefox and chrome"):
        Browser(PROFILES["firefox"], HSTSStore())
