"""The decision before a request, and what a response teaches."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstssim.errors import InvalidURL
from hstssim.interceptor import REASONS, Decision, Interceptor, Step
from hstssim.preload import PreloadEntry, PreloadList
from hstssim.profile import CHROME, PROFILES, RFC6797, Profile
from hstssim.redirect import InternalRedirect
from hstssim.store import HSTSStore, Ignored, Noted, Removed

if TYPE_CHECKING:
    from tests.conftest import Clock

STS = "Strict-Transport-Security"
DAY = 86_400
BUILT = 1_800_000_000 - 100 * DAY

PRELOAD = PreloadList.build(
    [
        PreloadEntry("app"),
        PreloadEntry("both.test"),
        PreloadEntry("off.both.test", force_https=False),
        PreloadEntry("alone.test", include_subdomains=False),
    ],
    date="2026-10-07T08:00:00Z",
)


@pytest.fixture
def store(clock: Clock) -> HSTSStore:
    store = HSTSStore(clock=clock, preload=PRELOAD)
    store.note("known.test", "max-age=1000; includeSubDomains")
    store.note("only.test", "max-age=1000")
    store.note("both.test", "max-age=1000; includeSubDomains")
    store.add("past.test", expiry=clock.now - 1)
    store.add("localhost", include_subdomains=True)
    store.add("out.test", knock_out=True)
    return store


@pytest.fixture
def hsts(store: HSTSStore) -> Interceptor:
    return Interceptor(store)


class Case(NamedTuple):
    url: str
    by: str | None = None
    changes: dict[str, Any] = {}  # noqa: RUF012
    arguments: dict[str, Any] = {}  # noqa: RUF012


CASES = {
    "congruent-match": [
        Case("http://known.test/", "dynamic"),
        Case("ws://known.test/", "dynamic"),
        Case("http://alone.test/", "preload"),
        Case("http://both.test/", "preload"),
    ],
    "superdomain-match": [
        Case("http://a.known.test/", "dynamic"),
        Case("http://x.app/", "preload"),
        # The dynamic store does not heed what the preload list takes out.
        Case("http://a.off.both.test/", "dynamic"),
    ],
    "already-https": [
        Case("https://known.test/"),
        Case("HTTPS://unknown.test/"),
        Case("wss://known.test/"),
        Case("https://localhost/"),
    ],
    "not-http": [
        Case("ftp://known.test/"),
        Case("mailto:a@known.test"),
        Case("ws://known.test/", None, {"upgrades_websockets": False}),
    ],
    "localhost": [
        Case("http://localhost/"),
        Case("http://localhost./"),
        Case("http://a.localhost/"),
    ],
    "ip-address": [
        Case("http://127.0.0.1/"),
        Case("http://[::1]/"),
        Case("http://127.1/", None, {"ip_addresses_match": False}),
    ],
    "not-a-dns-name": [
        Case("http://a!b.known.test/"),
        Case("http://a..known.test/"),
        Case("http://*.known.test/"),
    ],
    "not-top-level": [
        Case("http://known.test/", None, {"top_level_navigations_only": True}, {"top_level_navigation": False}),
    ],
    "bypassed": [Case("http://known.test/", None, {}, {"bypass_hsts": True})],
    "preload-bypassed": [Case("http://app/", None, {"preload_bypass": frozenset({"app"})})],
    "preload-stale": [Case("http://x.app/", None, {"preload_max_age_days": 100})],
    "expired": [Case("http://past.test/"), Case("http://a.past.test/")],
    "no-include-subdomains": [Case("http://a.only.test/"), Case("http://a.alone.test/")],
    "negative-entry": [Case("http://off.both.test/"), Case("http://a.off.both.test/")],
    "knocked-out": [Case("http://out.test/")],
    "unknown-host": [Case("http://unknown.test/"), Case("http://test/"), Case("http://notknown.test/")],
}
ROWS = [(reason, case) for reason, cases in CASES.items() for case in cases]


@pytest.mark.parametrize(("reason", "case"), ROWS, ids=[f"{reason}:{case.url}" for reason, case in ROWS])
def test_a_decision_has_its_reason(hsts: Interceptor, reason: str, case: Case) -> None:
    store = hsts.store
    store.profile = store.profile.replace(**case.changes)
    if reason == "negative-entry":
        store.remove("both.test")
    decision = hsts.request(case.url, **case.arguments)
    assert decision.reason == reason
    assert decision.by == case.by
    assert bool(decision) == decision.upgraded == (case.by is not None)
    assert decision.message
    assert case.url in repr(decision)


def test_every_reason_has_a_case() -> None:
    assert set(CASES) == set(REASONS)


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "a.b.localhost."])
def test_localhost_is_exempt_where_nothing_is_known_of_it_too(host: str) -> None:
    assert Interceptor(HSTSStore()).request(f"http://{host}/").reason == "localhost"
    assert Interceptor(HSTSStore(profile=RFC6797)).request(f"http://{host}/").reason == "unknown-host"


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "http://10.1:80/", "http://9.9.0.1/"])
def test_an_entry_for_an_address_is_obeyed_where_the_profile_says_so(url: str) -> None:
    store = HSTSStore(preload=PreloadList.build([PreloadEntry("10.0.0.1")]))
    store.add("0.1", include_subdomains=True)
    hsts = Interceptor(store)
    assert hsts.request(url).upgraded
    store.profile = CHROME.replace(ip_addresses_match=False)
    decision = hsts.request(url)
    assert (decision.reason, decision.dynamic, decision.preload) == ("ip-address", None, None)


LIMITS = {
    "below the limit": ({"preload_max_age_days": 101}, "http://x.app/", "preload"),
    "at the limit": ({"preload_max_age_days": 100}, "http://x.app/", None),
    "no limit": ({}, "http://x.app/", "preload"),
    "a dynamic entry has no such limit": ({"preload_max_age_days": 1}, "http://both.test/", "dynamic"),
    "bypass takes out one name": ({"preload_bypass": frozenset({"app"})}, "http://app/", None),
    "bypass does not reach below": ({"preload_bypass": frozenset({"app"})}, "http://x.app/", "preload"),
    "bypass is for names of one label": (
        {"preload_bypass": frozenset({"both.test"})},
        "http://both.test/",
        "preload",
    ),
    "bypass compares the host as it is": ({"preload_bypass": frozenset({"app"})}, "http://app./", "preload"),
}


@pytest.mark.parametrize(("changes", "url", "by"), LIMITS.values(), ids=LIMITS)
def test_the_knobs_of_the_preload_list(
    hsts: Interceptor, changes: dict[str, Any], url: str, by: str | None
) -> None:
    hsts.store.profile = CHROME.replace(**changes)
    assert hsts.request(url).by == by


def test_the_age_of_the_list_is_counted_in_whole_days(hsts: Interceptor, clock: Clock) -> None:
    hsts.store.profile = CHROME.replace(preload_max_age_days=100)
    assert clock.now == BUILT + 100 * DAY
    assert not hsts.request("http://x.app/")
    clock.now -= 0.001
    assert hsts.request("http://x.app/")
    clock.now -= 1000 * DAY
    assert hsts.request("http://x.app/"), "an earlier clock does no harm"


def test_where_both_match_the_preload_list_is_named_and_both_entries_are_seen(hsts: Interceptor) -> None:
    decision = hsts.request("http://a.both.test/")
    assert decision.by == "preload"
    assert decision.dynamic is not None
    assert decision.preload is not None
    assert (decision.dynamic.domain, decision.preload.domain) == ("both.test", "both.test")
    assert decision.message == (
        "superdomain match both.test (preload, includeSubDomains)  list of 2026-10-07, 100 days old; "
        "superdomain match both.test (dynamic, includeSubDomains)  until 2027-01-15T08:16:40Z (16 minutes)"
    )


def test_the_match_that_is_told_is_that_of_the_entry_that_decides(hsts: Interceptor) -> None:
    hsts.store.add("x.app")
    decision = hsts.request("http://x.app/")
    assert (decision.by, decision.reason) == ("preload", "superdomain-match")
    assert decision.dynamic is not None
    assert decision.dynamic.congruent


def test_an_upgrade_shows_as_an_internal_redirect_where_the_profile_has_one(hsts: Interceptor) -> None:
    decision = hsts.request("http://u@known.test:8080/a?b#c", origin="http://page.test")
    assert decision.location == "https://u@known.test:8080/a?b#c"
    assert decision.redirect == InternalRedirect.to(decision.location, origin="http://page.test")
    hsts.store.profile = CHROME.replace(internal_redirect=False)
    assert hsts.request("http://known.test/").redirect is None
    assert hsts.request("http://unknown.test/").redirect is None


@pytest.mark.parametrize("origin", ["", "a\r\nb", "a\nSet-Cookie: b", "\0", "é", "a\x7f", 5], ids=repr)
def test_an_origin_that_no_header_field_holds_is_refused(hsts: Interceptor, origin: Any) -> None:
    for ask in (hsts.request, hsts.explain):
        with pytest.raises(InvalidURL, match="Origin header"):
            ask("http://known.test/", origin=origin)
    with pytest.raises(InvalidURL, match="Origin header"):
        InternalRedirect.to("https://known.test/", origin=origin)


def test_an_https_decision_is_lazy_and_complete(hsts: Interceptor) -> None:
    decision = hsts.request("https://a.both.test/x")
    assert not decision
    assert not decision.upgraded
    assert (decision.url, decision.by, decision.location, decision.redirect) == (
        "https://a.both.test/x",
        None,
        None,
        None,
    )
    hsts.store.remove("both.test")  # looked up at the first question about it
    assert decision.dynamic is None
    hsts.store.add("both.test", include_subdomains=True)
    assert decision.dynamic is None
    assert (decision.host, decision.reason, decision.steps) == ("a.both.test", "already-https", ())
    assert decision.preload is not None
    assert decision.preload.domain == "both.test"
    assert decision.as_dict()["preload"] == decision.preload.as_dict()
    assert decision.message.startswith("the URL is secure already; superdomain match both.test (preload")


@pytest.mark.parametrize("attribute", ["host", "reason", "dynamic", "preload", "steps", "message"])
def test_an_https_url_that_no_browser_takes_is_refused_when_its_host_is_asked_for(
    hsts: Interceptor, attribute: str
) -> None:
    decision = hsts.request("https://[/")
    assert not decision
    assert decision.location is None
    with pytest.raises(InvalidURL):
        getattr(decision, attribute)
    with pytest.raises(InvalidURL):
        hsts.explain("https://[/")


def test_a_decision_has_no_other_attributes(hsts: Interceptor) -> None:
    for url in ("http://known.test/", "https://known.test/"):
        with pytest.raises(AttributeError):
            _ = hsts.request(url).colour


def test_a_decision_writes_itself_as_json(hsts: Interceptor) -> None:
    values = hsts.request("http://a.both.test/").as_dict()
    assert json.loads(json.dumps(values)) == values
    assert list(values) == (
        ["input", "host", "upgraded", "location", "by", "reason", "message", "dynamic", "preload"]
    )
    assert values["dynamic"] == {
        "domain": "both.test",
        "match": "superdomain",
        "include_subdomains": True,
        "last_observed": "2027-01-15T08:00:00Z",
        "expiry": "2027-01-15T08:16:40Z",
    }
    assert values["preload"] == {"domain": "both.test", "match": "superdomain", "include_subdomains": True}


def test_an_explanation_tells_each_step(hsts: Interceptor) -> None:
    decision = hsts.explain("http://a.off.both.test/")
    assert decision.steps == (
        Step("a.off.both.test", "dynamic", "no-entry"),
        Step("off.both.test", "dynamic", "no-entry"),
        Step("both.test", "dynamic", "match"),
        Step("a.off.both.test", "preload", "no-entry"),
        Step("off.both.test", "preload", "negative-entry"),
    )
    values = decision.as_dict()
    assert values["steps"] == [step._asdict() for step in decision.steps]
    assert decision.redirect is not None
    assert values["redirect"] == decision.redirect.as_dict()


def test_an_explanation_goes_up_to_the_last_label(hsts: Interceptor) -> None:
    assert [tuple(step) for step in hsts.explain("http://a.past.test/").steps] == [
        ("a.past.test", "dynamic", "no-entry"),
        ("past.test", "dynamic", "expired"),
        ("test", "dynamic", "no-entry"),
        ("a.past.test", "preload", "no-entry"),
        ("past.test", "preload", "no-entry"),
        ("test", "preload", "no-entry"),
    ]


def test_the_reason_is_that_of_the_nearest_entry(hsts: Interceptor, clock: Clock) -> None:
    hsts.store.add("only.past.test")
    assert hsts.request("http://a.only.past.test/").reason == "no-include-subdomains"
    hsts.store.add("past.only.test", expiry=clock.now - 1)
    assert hsts.request("http://a.past.only.test/").reason == "expired"


def test_what_covers_nothing_here_is_named_in_the_message(hsts: Interceptor) -> None:
    assert "only.test (dynamic)" in hsts.request("http://a.b.only.test/").message
    assert "alone.test (preload, where the nearest entry decides)" in hsts.request("http://a.alone.test/").message


def test_any_preload_entry_that_covers_the_host_suffices_by_the_rfc(store: HSTSStore) -> None:
    store.profile = RFC6797
    store.clear()
    decision = Interceptor(store).request("http://a.off.both.test/")
    assert decision.by == "preload"
    assert decision.preload is not None
    assert decision.preload.domain == "both.test"


def test_a_decision_survives_copying(store: HSTSStore) -> None:
    store.clock = None
    for url in ("http://known.test/", "https://known.test/", "http://unknown.test/"):
        store.preload = None
        decision = Interceptor(store).request(url)
        expected = decision.as_dict()
        for again in (copy.copy(decision), pickle.loads(pickle.dumps(decision))):  # noqa: S301
            assert (again.as_dict(), bool(again)) == (expected, bool(decision))


RESPONSES = {
    "https": ("https://new.test/", True, Noted),
    "wss": ("wss://new.test/", True, Noted),
    "another port": ("https://u@new.test:8443/x", True, Noted),
    "http": ("http://new.test/", True, "insecure-transport"),
    "ws": ("ws://new.test/", True, "insecure-transport"),
    "ftp": ("ftp://new.test/", True, "insecure-transport"),
    "unverified": ("https://new.test/", False, "unverified"),
    "http unverified": ("http://new.test/", False, "insecure-transport"),
    "address": ("https://[::1]/", True, "ip-address"),
    "localhost": ("https://localhost/", True, "localhost"),
}


@pytest.mark.parametrize(("url", "verified", "expected"), RESPONSES.values(), ids=RESPONSES)
def test_a_response_teaches_only_over_error_free_tls(
    hsts: Interceptor, url: str, verified: bool, expected: type | str
) -> None:
    before = list(hsts.store)
    outcome = hsts.response(url, [(STS, "max-age=5")], verified=verified)
    if isinstance(expected, str):
        assert isinstance(outcome, Ignored)
        assert outcome.code == expected
        assert list(hsts.store) == before
    else:
        assert type(outcome) is expected
        assert "new.test" in hsts.store


@pytest.mark.parametrize(
    "headers",
    [
        [(STS, "max-age=5")],
        [("strict-transport-security", "max-age=5"), (STS, "max-age=0")],
        [(b"STRICT-Transport-Security", b"max-age=5")],
        [("Date", "x"), (b"x", "max-age=0"), (STS, b"max-age=5"), (STS, "")],
        iter([(STS, "max-age=5")]),
        (pair for pair in [(STS.upper(), "max-age=5")]),
    ],
    ids=["str", "first of two", "bytes", "mixed", "iterator", "generator"],
)
def test_headers_come_as_pairs_of_str_or_bytes(
    hsts: Interceptor, headers: Iterator[tuple[str | bytes, str | bytes]]
) -> None:
    noted = hsts.response("https://new.test/", headers)
    assert isinstance(noted, Noted)
    assert noted.host.expiry - noted.host.last_observed == 5


def test_headers_as_a_mapping_are_refused(hsts: Interceptor) -> None:
    headers: Any = {STS: "max-age=5"}
    with pytest.raises(TypeError, match="pairs"):
        hsts.response("https://new.test/", headers)


def test_a_response_without_the_header_teaches_nothing(hsts: Interceptor) -> None:
    outcome = hsts.response("https://known.test/", [("Date", "x")])
    assert isinstance(outcome, Ignored)
    assert outcome.code == "no-header"
    assert "known.test" in hsts.store


def test_a_response_may_ask_to_be_forgotten_and_the_preload_list_stays(hsts: Interceptor) -> None:
    assert hsts.response("https://both.test/", [(STS, "max-age=0")]) == Removed("both.test", True)
    decision = hsts.request("http://both.test/")
    assert (decision.by, decision.dynamic) == ("preload", None)


@pytest.mark.parametrize("url", ["", "known.test", "http://[/", "http://a<b/"])
def test_what_no_browser_takes_is_refused(hsts: Interceptor, url: str) -> None:
    for ask in (hsts.request, hsts.explain, lambda url: hsts.response(url, [])):
        with pytest.raises(InvalidURL) as caught:
            ask(url)
        assert caught.value.url == url


schemes = st.sampled_from(["http", "https", "ws", "wss", "HTTP", "ftp"])
names = st.sampled_from(
    ["known.test", "both.test", "a.", "off.", "localhost", "past.test", "only.test", "app", "x."]
)
signs = st.sampled_from(["://", "%41", "..", "[::1]", ":80"]) | st.sampled_from(":/\\?#@.É1 *\t\0\ud800")
texts = st.text() | st.lists(schemes | names | signs, max_size=8).map("".join)
some_urls = texts | st.builds("{}://{}".format, schemes, texts)
some_profiles = st.sampled_from(
    [
        *PROFILES.values(),
        CHROME.replace(preload_max_age_days=100),
        CHROME.replace(preload_bypass=frozenset({"app"}), top_level_navigations_only=True),
    ]
)


def told(decision: Decision) -> dict[str, object]:
    """All that a decision says but the steps of its explanation."""
    values = decision.as_dict()
    values.pop("steps", None)
    values.pop("redirect", None)
    return values | {
        "bool": bool(decision),
        "match": (decision.dynamic, decision.preload),
        "redirect": decision.redirect,
        "repr": repr(decision),
    }


@given(
    url=some_urls,
    profile=some_profiles,
    origin=st.none() | st.just("http://page.test"),
    top_level=st.booleans(),
    bypass=st.booleans(),
)
def test_any_url_is_decided_or_refused_and_explained_alike(
    url: str, profile: Profile, origin: str | None, top_level: bool, bypass: bool
) -> None:
    def new() -> Interceptor:
        store = HSTSStore(profile=profile, clock=lambda: BUILT + 100 * DAY, preload=PRELOAD)
        for name in ("known.test", "both.test"):
            store.add(name, include_subdomains=True)
        store.add("only.test")
        store.add("past.test", expiry=0)
        store.add("localhost", include_subdomains=True)
        return Interceptor(store)

    arguments: dict[str, Any] = {"origin": origin, "top_level_navigation": top_level, "bypass_hsts": bypass}
    asked, explained = new(), new()
    try:
        decision = asked.request(url, **arguments)
        said = told(decision)
    except InvalidURL:
        with pytest.raises(InvalidURL):
            explained.explain(url, **arguments)
        return
    assert told(explained.explain(url, **arguments)) == said
    assert list(asked.store) == list(explained.store)
    assert decision.reason in REASONS
    assert decision.upgraded == decision.reason.endswith("-match") == (decision.location is not None)
    if decision.location is not None:
        assert decision.location.startswith(("https://", "wss://"))
        again = asked.request(decision.location)
        assert (again.reason, again.host) == ("already-https", decision.host)


@given(url=some_urls, headers=st.lists(st.tuples(st.just(STS) | st.text() | st.binary(), st.text() | st.binary())))
def test_any_response_teaches_or_says_why_not(url: str, headers: list[tuple[str | bytes, str | bytes]]) -> None:
    hsts = Interceptor(HSTSStore())
    try:
        outcome = hsts.response(url, headers)
    except InvalidURL:
        with pytest.raises(InvalidURL):
            hsts.explain(url)
        return
    assert repr(outcome)
    assert len(hsts.store) == isinstance(outcome, Noted)


@pytest.mark.parametrize(
    "value", [InternalRedirect.to("https://a.test/", origin="http://b.test"), Step("a.test", "dynamic", "match")]
)
def test_values_survive_copying(value: object) -> None:
    for again in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):  # noqa: S301
        assert again == value
        assert type(again) is type(value)


def test_what_is_no_str_is_an_invalid_url_at_once() -> None:
    for url in (None, b"https://github.com/", b"http://github.com/", 7):
        with pytest.raises(InvalidURL, match="a URL is a str"):
            Interceptor(HSTSStore()).request(url)  # type: ignore[arg-type]


def test_the_repr_of_a_decision_never_raises() -> None:
    assert "not upgraded" in repr(Interceptor(HSTSStore()).request("https://[/"))


def test_decisions_stores_and_lists_can_be_pickled() -> None:
    for preload in (PreloadList.bundled(), PreloadList.build("a.test 0\n", version="3")):
        decision = Interceptor(HSTSStore(preload=preload)).request(f"http://{next(iter(preload)).domain}/")
        again = pickle.loads(pickle.dumps(decision))  # noqa: S301 - our own
        assert again.upgraded
        assert again.as_dict() == decision.as_dict()
        assert copy.deepcopy(preload).as_text() == preload.as_text()


@pytest.mark.parametrize(
    ("url", "change", "reason"),
    [
        ("http://x.app/", {"preload_max_age_days": 100}, "preload-stale"),
        ("http://app/", {"preload_bypass": frozenset({"app"})}, "preload-bypassed"),
    ],
)
def test_the_step_of_an_entry_that_does_not_count_says_so(
    clock: Clock, url: str, change: dict[str, Any], reason: str
) -> None:
    store = HSTSStore(profile=CHROME.replace(**change), preload=PRELOAD, clock=clock)
    decision = Interceptor(store).explain(url)
    assert decision.reason == reason
    assert decision.steps[-1] == Step("app", "preload", reason)
