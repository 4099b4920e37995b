"""What a store does otherwise under another profile: one claim for each field that it asks."""

from __future__ import annotations

import copy
import math
import random
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstssim.errors import InvalidHost, InvalidURL
from hstssim.interceptor import Interceptor
from hstssim.preload import PreloadEntry, PreloadList
from hstssim.profile import CHROME, CURL, FIREFOX, PROFILES, RFC6797, WGET, WGET_1_21, Profile, parse_header
from hstssim.store import HSTSStore, Ignored, KnownHost, Noted, Removed

if TYPE_CHECKING:
    from tests.conftest import Clock

STS = "Strict-Transport-Security"
YEAR = 31_536_000
profiles = pytest.mark.parametrize("profile", [pytest.param(p, id=p.name) for p in PROFILES.values()])


def limited(profile: Profile, entries: int) -> Profile:
    """The profile, with room for so many entries."""
    eviction = "oldest" if profile.eviction == "none" else profile.eviction
    return profile.replace(max_entries=entries, eviction=eviction)


def upgraded(store: HSTSStore, url: str, top_level_site: str | None = None) -> str | None:
    """Where a request goes; the same whether it is asked or explained."""
    decision = Interceptor(store).request(url, top_level_site=top_level_site)
    assert Interceptor(store).explain(url, top_level_site=top_level_site).location == decision.location
    return decision.location


def test_where_every_field_counts_the_last_valid_one_wins(clock: Clock) -> None:
    store = HSTSStore(profile=CURL, clock=clock)
    outcome = store.note("h.test", ["max-age=1", "max-age=2; includeSubDomains", "bogus"])
    assert outcome == Noted(KnownHost("h.test", True, clock.now, clock.now + 2))
    assert isinstance(store.note("h.test", ["max-age=9", "max-age=0"]), Removed)
    refused = store.note("h.test", ["bogus", "max-age=x"])
    assert isinstance(refused, Ignored)
    assert refused.error is not None
    assert refused.error.value == "bogus"


@pytest.mark.parametrize(
    ("profile", "notes"),
    [pytest.param(p, p.name.startswith(("curl", "wget")), id=p.name) for p in PROFILES.values()],
)
def test_an_unchecked_certificate_matters_to_all_but_curl_and_wget(profile: Profile, notes: bool) -> None:
    outcome = Interceptor(HSTSStore(profile=profile)).response("https://h.test/", [(STS, "max-age=9")], False)
    assert isinstance(outcome, Noted) == notes
    assert notes or (isinstance(outcome, Ignored) and outcome.code == "unverified")


@profiles
def test_no_profile_learns_over_plain_http(profile: Profile) -> None:
    outcome = Interceptor(HSTSStore(profile=profile)).response("http://h.test/", [(STS, "max-age=9")])
    assert isinstance(outcome, Ignored)
    assert outcome.code == "insecure-transport"


@profiles
def test_a_response_of_another_site_than_its_page_matters_to_firefox(profile: Profile) -> None:
    hsts = Interceptor(HSTSStore(profile=profile))
    outcome = hsts.response("https://cdn.test/i", [(STS, "max-age=9")], top_level_site="https://page.example/")
    if profile is FIREFOX:
        assert isinstance(outcome, Ignored)
        assert outcome.code == "cross-site"
    else:
        assert isinstance(outcome, Noted)
    same = hsts.response(
        "https://img.page.example/i", [(STS, "max-age=9")], top_level_site="https://page.example/"
    )
    assert isinstance(same, Noted)


class TestKeptBySite:
    def test_an_entry_counts_only_in_pages_of_the_site_that_it_was_learned_in(self) -> None:
        store = HSTSStore(profile=FIREFOX)
        store.note("cdn.example", "max-age=9", top_level_site="https://www.shop.example:8443/")
        assert upgraded(store, "http://cdn.example/", "http://shop.example/") == "https://cdn.example/"
        assert upgraded(store, "http://cdn.example/", "other.example") is None
        assert upgraded(store, "http://cdn.example/") is None, "its own pages are another site"

    def test_one_host_may_have_an_entry_for_each_site(self, clock: Clock) -> None:
        store = HSTSStore(profile=FIREFOX, clock=clock)
        store.note("h.test", "max-age=9", top_level_site="a.example")
        store.note("h.test", "max-age=8", top_level_site="b.example")
        assert [(known.top_level_site, known.expiry - clock.now) for known in store] == [
            ("a.example", 9),
            ("b.example", 8),
        ]
        assert store.remove("h.test", top_level_site="a.example")
        assert not store.remove("h.test", top_level_site="a.example")
        assert len(store) == 1
        assert store.clear() == 1
        assert len(store) == 0

    def test_the_site_is_the_registrable_domain(self) -> None:
        store = HSTSStore(profile=FIREFOX)
        store.note("www.example.co.uk", "max-age=9; includeSubDomains")
        assert [known.top_level_site for known in store] == ["example.co.uk"]
        assert upgraded(store, "http://a.www.example.co.uk/") == "https://a.www.example.co.uk/"
        assert upgraded(store, "http://www.example.co.uk/", "other.co.uk") is None

    def test_a_dot_at_the_end_of_the_site_makes_another_one(self) -> None:
        store = HSTSStore(profile=FIREFOX)
        store.note("h.test", "max-age=9")
        assert upgraded(store, "http://h.test./") is None
        assert upgraded(store, "http://h.test./", "https://h.test/") == "https://h.test./"

    @pytest.mark.parametrize(
        ("site", "error"), [("a/b", InvalidHost), ("", InvalidHost), ("http://", InvalidURL), ("://", InvalidURL)]
    )
    def test_what_is_no_site_is_refused(self, site: str, error: type[Exception]) -> None:
        store = HSTSStore(profile=FIREFOX)
        store.note("h.test", "max-age=9")
        with pytest.raises(error):
            store.note("h.test", "max-age=9", top_level_site=site)
        with pytest.raises(error):
            Interceptor(store).request("http://h.test/", top_level_site=site)

    def test_an_https_request_tells_its_entries_for_the_site_too(self) -> None:
        store = HSTSStore(profile=FIREFOX)
        store.note("h.test", "max-age=9", top_level_site="a.example")
        hsts = Interceptor(store)
        assert hsts.request("https://h.test/", top_level_site="a.example").dynamic is not None
        assert hsts.request("https://h.test/").dynamic is None

    def test_a_site_without_a_host_is_refused_and_nothing_is_kept(self) -> None:
        store = HSTSStore(profile=FIREFOX)
        with pytest.raises(InvalidHost, match="site has a host"):
            store.note("h.test", "max-age=9", top_level_site="file:///x")
        with pytest.raises(InvalidHost, match="is a str"):
            store.note("h.test", "max-age=9", top_level_site=[])  # type: ignore[arg-type]
        assert len(store) == 0


class TestKnockOut:
    @pytest.fixture
    def store(self, clock: Clock) -> HSTSStore:
        listed = PreloadList.build([PreloadEntry("listed.test", True), PreloadEntry("deep.listed.test", True)])
        return HSTSStore(profile=FIREFOX, preload=listed, clock=clock)

    def test_max_age_0_takes_a_listed_host_out_for_good(self, store: HSTSStore, clock: Clock) -> None:
        assert upgraded(store, "http://listed.test/") == "https://listed.test/"
        assert store.note("listed.test", "max-age=0") == Removed("listed.test", known=False)
        clock.now += 1000 * YEAR
        assert upgraded(store, "http://listed.test/") is None
        decision = Interceptor(store).explain("http://listed.test/")
        assert decision.reason == "knocked-out"
        assert [(known.knock_out, known.expiry) for known in store] == [(True, math.inf)]

    def test_hosts_below_are_out_with_it_but_for_those_with_an_entry_of_their_own(self, store: HSTSStore) -> None:
        store.note("listed.test", "max-age=0")
        assert upgraded(store, "http://www.listed.test/") is None
        assert upgraded(store, "http://a.deep.listed.test/") == "https://a.deep.listed.test/"

    def test_a_host_that_is_not_listed_is_only_forgotten(self, store: HSTSStore) -> None:
        store.note("h.test", "max-age=9")
        assert store.note("h.test", "max-age=0") == Removed("h.test", known=True)
        store.note("www.listed.test", "max-age=0")
        assert len(store) == 0

    def test_a_later_header_brings_the_host_back_with_its_own_terms(self, store: HSTSStore) -> None:
        store.note("listed.test", "max-age=0")
        store.note("listed.test", "max-age=9")
        assert upgraded(store, "http://listed.test/") == "https://listed.test/"
        assert upgraded(store, "http://www.listed.test/") is None

    def test_an_expired_entry_of_a_listed_host_stays_and_hides_the_list(
        self, store: HSTSStore, clock: Clock
    ) -> None:
        store.note("listed.test", "max-age=9")
        clock.now += 10
        assert upgraded(store, "http://listed.test/") is None
        assert len(store) == 1

    def test_it_counts_for_its_site_only(self, store: HSTSStore) -> None:
        store.note("listed.test", "max-age=0", top_level_site="a.example")
        assert upgraded(store, "http://listed.test/", "a.example") is None
        assert upgraded(store, "http://listed.test/", "b.example") == "https://listed.test/"

    def test_in_chrome_nothing_undoes_the_list(self, store: HSTSStore) -> None:
        store.profile = CHROME
        store.note("listed.test", "max-age=0")
        assert upgraded(store, "http://www.listed.test/") == "https://www.listed.test/"


class TestKeptByPort:
    @pytest.mark.parametrize("profile", [WGET, WGET_1_21], ids=lambda profile: profile.name)
    @pytest.mark.parametrize(
        ("heard", "asked", "location"),
        [
            ("https://h.test/", "http://h.test/", "https://h.test/"),
            ("https://h.test:443/", "http://h.test:80/", "https://h.test/"),
            ("https://h.test/", "http://h.test:443/", None),
            ("https://h.test/", "http://h.test:8080/", None),
            ("https://h.test:8080/", "http://h.test:8080/", "https://h.test:8080/"),
            ("https://h.test:8080/", "http://h.test:08080/a:1", "https://h.test:8080/a:1"),
            ("https://h.test:8080/", "http://u:9@a.h.test:8080/", "https://u:9@a.h.test:8080/"),
            ("https://h.test:8080/", "http://h.test/a:8080", None),
            ("https://h.test:80/", "http://h.test:80/", None),
        ],
        ids=lambda value: str(value),
    )
    def test_an_entry_counts_for_its_port(
        self, profile: Profile, heard: str, asked: str, location: str | None
    ) -> None:
        store = HSTSStore(profile=profile)
        Interceptor(store).response(heard, [(STS, "max-age=9; includeSubDomains")])
        assert len(store) == 1
        assert upgraded(store, asked) == location

    def test_443_is_the_default_of_what_is_kept(self) -> None:
        store = HSTSStore(profile=WGET)
        store.add("h.test", port=443)
        assert store.get("h.test") == store.get("h.test", port=443)
        assert store.match("h.test")
        assert store.match("h.test", port=80)
        assert store.match("h.test", port=443) is None, "http at port 443 is another matter"
        assert store.note("h.test", "max-age=0", port=443) == Removed("h.test", known=True)

    def test_ports_play_no_part_in_chrome(self) -> None:
        store = HSTSStore()
        Interceptor(store).response("https://h.test:8080/", [(STS, "max-age=9")])
        assert upgraded(store, "http://h.test/") == "https://h.test/"


class TestExpiry:
    @pytest.mark.parametrize(
        ("profile", "after", "valid"),
        [
            (CHROME, 7.0, True),
            (CHROME, 7.000001, False),
            (FIREFOX, 7.0009, True),
            (FIREFOX, 7.0011, False),
            (CURL, 6.999, True),
            (CURL, 7.0, False),
            (WGET, 7.999, True),
            (WGET, 8.0, False),
        ],
        ids=lambda value: value.name if isinstance(value, Profile) else str(value),
    )
    def test_an_entry_ends_at_the_instant_that_the_profile_says(
        self, clock: Clock, profile: Profile, after: float, valid: bool
    ) -> None:
        clock.now = 1_800_000_000.0
        store = HSTSStore(profile=profile, clock=clock)
        store.note("h.test", "max-age=7")
        clock.now += after
        assert (store.match("h.test") is not None) == valid

    def test_curl_and_wget_count_from_the_whole_second(self, clock: Clock) -> None:
        clock.now += 0.9
        for profile in (CURL, WGET):
            store = HSTSStore(profile=profile, clock=clock)
            store.note("h.test", "max-age=7")
            assert [known.expiry for known in store] == [1_800_000_007]

    def test_wget_keeps_an_unknown_host_that_asks_to_be_forgotten_for_the_second(self, clock: Clock) -> None:
        store = HSTSStore(profile=WGET, clock=clock)
        assert isinstance(store.note("h.test", "max-age=0"), Noted)
        assert upgraded(store, "http://h.test/") == "https://h.test/"
        assert isinstance(store.note("h.test", "max-age=0"), Removed)
        store.note("h.test", "max-age=0")
        clock.now += 1
        assert upgraded(store, "http://h.test/") is None

    def test_in_wget_an_expired_entry_hides_its_superdomain_once(self, clock: Clock) -> None:
        store = HSTSStore(profile=WGET, clock=clock)
        store.add("h.test", include_subdomains=True)
        store.add("a.h.test", expiry=clock.now - 1)
        hsts = Interceptor(store)
        assert hsts.request("http://a.h.test/").reason == "expired"
        assert hsts.request("http://a.h.test/").upgraded

    @pytest.mark.parametrize(("profile", "covered"), [(WGET, True), (WGET_1_21, False)], ids=["wget", "wget-1.21"])
    def test_an_expired_entry_that_would_not_cover_the_host_hides_in_wget_1_21_only(
        self, clock: Clock, profile: Profile, covered: bool
    ) -> None:
        store = HSTSStore(profile=profile, clock=clock)
        store.add("h.test", include_subdomains=True)
        store.add("a.h.test", expiry=clock.now - 1)
        assert (upgraded(store, "http://b.a.h.test/") is not None) == covered

    @pytest.mark.parametrize("profile", [WGET, WGET_1_21], ids=lambda profile: profile.name)
    def test_in_wget_an_expired_superdomain_is_not_forgotten(self, clock: Clock, profile: Profile) -> None:
        store = HSTSStore(profile=profile, clock=clock)
        store.add("h.test", include_subdomains=True)
        store.add("a.h.test", include_subdomains=True, expiry=clock.now - 1)
        for _ in range(2):
            assert upgraded(store, "http://b.a.h.test/") is None

    def test_an_expiry_too_large_for_the_clock_never_comes_in_curl(self, clock: Clock) -> None:
        store = HSTSStore(profile=CURL, clock=clock)
        store.note("h.test", f"max-age={2**63 - 1}")
        assert [known.expiry for known in store] == [math.inf]
        store.note("h.test", f"max-age={2**63 - 1 - 2_000_000_000}")
        assert [known.expiry for known in store] == [2**63 - 1 - 2_000_000_000 + clock.now]

    def test_an_expiry_too_large_for_the_clock_is_past_in_wget(self, clock: Clock) -> None:
        store = HSTSStore(profile=WGET, clock=clock)
        assert isinstance(store.note("h.test", f"max-age={2**63 - 1}"), Noted)
        assert upgraded(store, "http://h.test/") is None


class TestRefresh:
    @pytest.mark.parametrize(
        ("value", "later", "refreshed"),
        [
            ("max-age=999999", 3600, False),
            ("max-age=999999", 86_400, False),
            ("max-age=999999", 86_401, True),
            ("max-age=999999; includeSubDomains", 1, True),
            ("max-age=900000", 1, True),
            ("max-age=999000", 1, False),
        ],
    )
    def test_firefox_leaves_an_entry_that_would_move_by_less_than_a_day(
        self, clock: Clock, value: str, later: int, refreshed: bool
    ) -> None:
        store = HSTSStore(profile=FIREFOX, clock=clock)
        store.note("h.test", "max-age=999999")
        (before,) = store
        clock.now += later
        outcome = store.note("h.test", value)
        assert isinstance(outcome, Noted)
        assert [outcome.host] == list(store)
        assert (outcome.host != before) == refreshed

    def test_wget_leaves_an_entry_of_the_same_second(self, clock: Clock) -> None:
        store = HSTSStore(profile=WGET, clock=clock)
        store.note("h.test", "max-age=9; includeSubDomains")
        (before,) = store
        assert store.note("h.test", "max-age=5") == Noted(before)
        clock.now += 1
        assert store.note("h.test", "max-age=5") == Noted(KnownHost("h.test", False, clock.now, clock.now + 5))


class TestLimit:
    def test_the_oldest_makes_room_in_curl_and_a_refreshed_one_stays_old(self, clock: Clock) -> None:
        store = HSTSStore(profile=CURL.replace(max_entries=2), clock=clock)
        for host in ("a.test", "b.test", "a.test", "c.test"):
            store.note(host, "max-age=9")
        assert [known.domain for known in store] == ["b.test", "c.test"]

    def test_expired_ones_make_room_first_in_curl(self, clock: Clock) -> None:
        store = HSTSStore(profile=CURL.replace(max_entries=3), clock=clock)
        for host, seconds in (("live.test", 9999), ("x.test", 1), ("y.test", 1)):
            store.note(host, f"max-age={seconds}")
        clock.now += 10
        store.note("new.test", "max-age=9")
        assert [known.domain for known in store] == ["live.test", "new.test"]

    def test_the_one_used_on_the_fewest_days_makes_room_in_firefox(self, clock: Clock) -> None:
        store = HSTSStore(profile=FIREFOX.replace(max_entries=2), clock=clock)
        store.note("a.test", "max-age=99999999")
        store.note("b.test", "max-age=99999999")
        clock.now += 86_400
        store.match("a.test")
        store.note("c.test", "max-age=99999999")
        assert [known.domain for known in store] == ["a.test", "c.test"]

    @profiles
    def test_no_more_entries_are_kept_than_the_profile_allows(self, profile: Profile) -> None:
        store = HSTSStore(profile=limited(profile, 3))
        for number in range(9):
            store.note(f"h{number}.test", "max-age=9")
            store.note(f"h{number}.test", "max-age=9")
        assert len(store) == 3 == len(list(store))

    @pytest.mark.parametrize(("profile", "limit"), [(FIREFOX, 2048), (CURL, 10_000)], ids=["firefox", "curl"])
    def test_the_limits_are_those_of_the_sources(self, profile: Profile, limit: int) -> None:
        store = HSTSStore(profile=profile)
        for number in range(limit + 1):
            store.note(f"h{number}.test", "max-age=9")
        assert len(store) == limit
        assert "h0.test" not in store


@pytest.mark.parametrize(("profile", "covers"), [(WGET, True), (WGET_1_21, False)], ids=["wget", "wget-1.21"])
def test_a_last_label_is_no_superdomain_in_wget_1_21(profile: Profile, covers: bool) -> None:
    store = HSTSStore(profile=profile)
    store.add("test", include_subdomains=True)
    assert upgraded(store, "http://test/") == "https://test/"
    assert (upgraded(store, "http://a.test/") is not None) == covers


@pytest.mark.parametrize(
    ("profile", "noted", "obeyed"),
    [pytest.param(p, p is not CHROME, p not in (CHROME, FIREFOX), id=p.name) for p in PROFILES.values()],
)
def test_localhost_is_exempt_in_browsers(profile: Profile, noted: bool, obeyed: bool) -> None:
    store = HSTSStore(profile=profile)
    assert isinstance(store.note("localhost", "max-age=9"), Noted) == noted
    store.add("localhost")
    assert (upgraded(store, "http://localhost/") is not None) == obeyed
    assert obeyed or Interceptor(store).request("http://localhost/").reason == "localhost"


@pytest.mark.parametrize(
    ("profile", "obeyed"),
    [pytest.param(p, p.name in ("chrome", "curl", "curl-7.88"), id=p.name) for p in PROFILES.values()],
)
def test_an_entry_for_an_ip_address_is_obeyed_by_chrome_and_curl(profile: Profile, obeyed: bool) -> None:
    store = HSTSStore(profile=profile)
    assert isinstance(store.note("192.0.2.1", "max-age=9"), Ignored)
    store.add("192.0.2.1")
    assert (upgraded(store, "http://192.0.2.1/") is not None) == obeyed


@pytest.mark.parametrize(
    ("profile", "matches"),
    [
        (CHROME, {"h.test", "h.test."}),
        (FIREFOX, {"h.test", "h.test.", "h.test.."}),
        (CURL, {"h.test", "h.test."}),
        (WGET, {"h.test"}),
        (RFC6797, {"h.test"}),
    ],
    ids=lambda value: value.name if isinstance(value, Profile) else "",
)
def test_trailing_dots(profile: Profile, matches: set[str]) -> None:
    store = HSTSStore(profile=profile)
    store.note("h.test", "max-age=9")
    asked = ("h.test", "h.test.", "h.test..")
    assert {host for host in asked if upgraded(store, f"http://{host}/", "http://h.test/")} == matches


@pytest.mark.parametrize(
    ("profile", "listed"),
    [pytest.param(p, not p.name.startswith(("curl", "wget")), id=p.name) for p in PROFILES.values()],
)
def test_curl_and_wget_have_no_preload_list(profile: Profile, listed: bool) -> None:
    store = HSTSStore(profile=profile, preload=PreloadList.build([PreloadEntry("h.test", True)]))
    decision = Interceptor(store).request("http://h.test/")
    assert decision.upgraded == listed
    assert listed or "no preload list" in decision.message


@profiles
def test_only_chrome_shows_an_upgrade_as_a_307(profile: Profile) -> None:
    store = HSTSStore(profile=profile)
    store.add("h.test")
    decision = Interceptor(store).request("http://h.test/")
    assert decision.upgraded
    assert (decision.redirect is not None) == (profile is CHROME)


@pytest.mark.parametrize(
    ("profile", "upgrades"),
    [pytest.param(p, p in (CHROME, FIREFOX), id=p.name) for p in PROFILES.values()],
)
def test_browsers_upgrade_websockets(profile: Profile, upgrades: bool) -> None:
    store = HSTSStore(profile=profile)
    store.add("h.test")
    assert (upgraded(store, "ws://h.test/") is not None) == upgrades


hosts = st.sampled_from(
    ["test", "h.test", "a.h.test", "b.a.h.test", "h.test.", "localhost", "192.0.2.1", "listed.test"]
)
values = (
    st.sampled_from([b"max-age=9", b"max-age=9; includeSubDomains", b"max-age=0", b"max-age=99999999"])
    | st.binary()
)
sites = st.sampled_from([None, "h.test", "https://other.example/"])
ports = st.sampled_from([0, 80, 443, 8080])
heard = st.tuples(hosts, st.lists(values, max_size=2), ports, sites)
asked = st.tuples(st.just("ask"), hosts, ports, sites)


@profiles
@given(steps=st.lists(heard | asked | st.sampled_from([1, 10, 90_000])))
def test_whatever_happens_a_request_and_its_explanation_agree(profile: Profile, steps: list[Any]) -> None:
    now = 1_800_000_000.5
    preload = PreloadList.build([PreloadEntry("listed.test", True)])
    store = HSTSStore(profile=limited(profile, 5), preload=preload, clock=lambda: now)
    hsts = Interceptor(store)
    for step in steps:
        match step:
            case int(seconds):
                now += seconds
            case ("ask", host, port, site):
                url = f"http://{host}:{port}/" if port else f"http://{host}/"
                before = copy.deepcopy(store)
                decision = hsts.request(url, top_level_site=site)
                explained = Interceptor(before).explain(url, top_level_site=site)
                assert explained.as_dict() == decision.as_dict() | {
                    key: explained.as_dict()[key] for key in ("steps", "redirect") if explained.steps
                }
                assert sorted(before) == sorted(store)
            case (host, fields, port, site):
                url = f"https://{host}:{port}/" if port else f"https://{host}/"
                hsts.response(url, [("Strict-Transport-Security", field) for field in fields], top_level_site=site)
        assert len(list(store)) == len(store) <= 5


@profiles
@pytest.mark.parametrize(
    "value", ["max-age=99999999999999999999", f"max-age={'9' * 500}", "max-age=9223372036854775807"]
)
def test_the_longest_max_age_can_be_shown(profile: Profile, value: str) -> None:
    store = HSTSStore(profile=profile)
    outcome = store.note("h.example", value)
    assert len(repr(outcome)) < 600
    assert len(Interceptor(store).request("http://h.example/").message) < 300


def test_entries_of_ipv6_addresses_are_obeyed_in_curl() -> None:
    store = HSTSStore(profile=CURL)
    store.add("::1")
    assert upgraded(store, "http://[::1]:9/") == "https://[::1]:9/"


@pytest.mark.parametrize("port", [-1, 65_536, "80", [1]], ids=repr)
def test_what_is_no_port_is_refused(port: Any) -> None:
    with pytest.raises(InvalidHost, match="a port is"):
        HSTSStore(profile=WGET).add("h.test", port=port)


def test_a_list_too_old_to_count_makes_no_knock_outs(clock: Clock) -> None:
    listed = PreloadList.build([PreloadEntry("listed.test", True)], date="2020-01-01")
    store = HSTSStore(profile=FIREFOX.replace(preload_max_age_days=126), preload=listed, clock=clock)
    store.note("listed.test", "max-age=0")
    assert len(store) == 0


@pytest.mark.parametrize("profile", [FIREFOX, WGET], ids=lambda profile: profile.name)
def test_threads_may_share_a_store_that_keeps_entries_apart(profile: Profile) -> None:
    store = HSTSStore(profile=limited(profile, 20))
    hsts = Interceptor(store)
    wrong: list[Exception] = []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        try:
            for _ in range(1500):
                host = f"h{chance.randrange(40)}.test"
                url = f"https://{host}:{chance.choice([443, 8080])}/"
                hsts.response(url, [(STS, f"max-age={chance.randrange(3)}")])
                hsts.request(url.replace("https", "http"))
                list(store)
                store.expire()
                store.remove(host, port=chance.choice([0, 8080]))
        except Exception as error:
            wrong.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert wrong == []
    assert len(list(store)) == len(store)


def test_what_is_passed_over_is_named(clock: Clock) -> None:
    store = HSTSStore(profile=WGET, clock=clock, preload=PreloadList.build([PreloadEntry("h.test", True)]))
    store.add("h.test")
    store.add("b.h.test", port=8080)
    message = Interceptor(store).request("http://a.b.h.test:8080/").message
    assert message.endswith("without includeSubDomains: b.h.test (dynamic)")


def test_a_name_is_no_profile() -> None:
    name: Any = "firefox"
    for call in (lambda: HSTSStore(profile=name), lambda: parse_header("max-age=1", profile=name)):
        with pytest.raises(TypeError, match=r"hstssim.PROFILES \(chrome, firefox"):
            call()
    value: Any = 5
    with pytest.raises(TypeError, match="str or bytes"):
        parse_header(value)
