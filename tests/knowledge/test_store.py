"""The dynamic store: what is noted, what is forgotten, and when."""

from __future__ import annotations

import copy
import math
import pickle
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from freezegun import freeze_time
from hypothesis import given
from hypothesis import strategies as st

from hstssim.errors import InvalidHost, InvalidTime
from hstssim.interceptor import Interceptor
from hstssim.match import Match
from hstssim.profile import PROFILES, RFC6797, Profile
from hstssim.store import HSTSStore, Ignored, KnownHost, Noted, Removed

if TYPE_CHECKING:
    from tests.conftest import Clock

profiles = pytest.mark.parametrize("profile", [pytest.param(p, id=p.name) for p in PROFILES.values()])


def test_a_noted_host_is_known_from_now_until_its_max_age_is_over(clock: Clock) -> None:
    store = HSTSStore(clock=clock)
    noted = store.note("Example.com.", "max-age=100; includeSubDomains")
    known = KnownHost("example.com", True, clock.now, clock.now + 100)
    assert noted == Noted(known)
    assert list(store) == [known]
    assert store.get("example.com") == known
    assert store.match("a.example.com") == Match("example.com", False, True, known)


def test_a_header_replaces_the_entry_whole(clock: Clock) -> None:
    store = HSTSStore(clock=clock)
    store.note("example.com", "max-age=100; includeSubDomains")
    clock.now += 1
    store.note("example.com", "max-age=5")
    assert list(store) == [KnownHost("example.com", False, clock.now, clock.now + 5)]


def test_only_the_first_field_counts(clock: Clock) -> None:
    store = HSTSStore(clock=clock)
    assert isinstance(store.note("a.test", ["max-age=1", "max-age=2"]), Noted)
    assert isinstance(store.note("b.test", ["", "max-age=2"]), Ignored)
    fields: list[str | bytes] = [b"max-age=0", "max-age=2"]
    assert isinstance(store.note("a.test", iter(fields)), Removed)
    assert len(store) == 0


IGNORED: dict[str, tuple[str, str | list[str]]] = {
    "no-header": ("example.com", []),
    "invalid-header": ("example.com", "max-age"),
    "invalid-host": ("a/b", "max-age=1"),
    "ip-address": ("127.1", "max-age=1"),
    "ip-address v6": ("::1", "max-age=1"),
    "localhost": ("a.LOCALHOST.", "max-age=1"),
    "not-a-dns-name": ("a!b.example", "max-age=1"),
}


@pytest.mark.parametrize(("code", "question"), IGNORED.items(), ids=IGNORED)
def test_what_is_ignored_says_why(code: str, question: tuple[str, str | list[str]]) -> None:
    store = HSTSStore()
    ignored = store.note(*question)
    assert isinstance(ignored, Ignored)
    assert ignored.code == code.removesuffix(" v6")
    assert ignored.host == question[0]
    assert ignored.message in repr(ignored)
    assert (ignored.error is not None) == (code == "invalid-header")
    assert len(store) == 0


def test_an_ignored_header_leaves_the_entry_as_it_was(clock: Clock) -> None:
    store = HSTSStore(clock=clock)
    store.note("example.com", "max-age=100")
    before = list(store)
    store.note("example.com", "max-age=0; includeSubDomains=1")
    assert list(store) == before


def test_max_age_0_forgets_the_host_and_says_whether_it_was_known() -> None:
    store = HSTSStore()
    store.note("example.com", "max-age=100; includeSubDomains")
    assert store.note("www.example.com", "max-age=0") == Removed("www.example.com", False)
    assert store.note("example.com", "max-age=0") == Removed("example.com", True)
    assert store.match("example.com") is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (
            HSTSStore(clock=lambda: 0).note("example.com", "max-age=31536000; includeSubDomains"),
            "<Noted example.com includeSubDomains, 365 days>",
        ),
        (HSTSStore(clock=lambda: 0).note("example.com", "max-age=1"), "<Noted example.com, 1 second>"),
        (HSTSStore(clock=lambda: 2143077772.01149).note("a.test", "max-age=31449600"), "<Noted a.test, 364 days>"),
        (Removed("example.com", True), "<Removed example.com>"),
        (Removed("example.com", False), "<Removed example.com, which was not known>"),
        (Ignored("a.test", "localhost", "why"), "<Ignored a.test: why>"),
        (HSTSStore(), "<HSTSStore chrome, 0 known hosts, no preload list>"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_values_show_what_they_say(value: object, shown: str) -> None:
    assert repr(value) == shown


@given(now=st.floats(0, 2**32), days=st.integers(1, 36_500))
def test_a_noted_host_shows_the_days_of_its_max_age_at_any_time(now: float, days: int) -> None:
    noted = HSTSStore(profile=RFC6797, clock=lambda: now).note("a.test", f"max-age={days * 86_400}")
    assert repr(noted) == f"<Noted a.test, {days} day{'s' if days > 1 else ''}>"


def test_a_max_age_without_end_is_kept() -> None:
    store = HSTSStore(profile=RFC6797, clock=lambda: 0)
    noted = store.note("example.com", f"max-age={'9' * 5000}")
    assert isinstance(noted, Noted)
    assert noted.host.expiry > 1e299
    assert "days" in repr(noted)
    assert "days" in Interceptor(store).request("http://example.com/").message


def test_by_hand_an_address_or_localhost_is_taken_and_nothing_is_capped() -> None:
    store = HSTSStore(clock=lambda: 0)
    assert store.add("localhost").expiry == 1000 * 86_400
    assert store.add("0.1", include_subdomains=True, expiry=math.inf).expiry == math.inf
    assert store.add("past.test", expiry=-5, last_observed=-9) == KnownHost("past.test", False, -9, -5)
    found = store.match("9.9.0.1")
    assert found is not None
    assert found.domain == "0.1"
    assert "for ever" in Interceptor(store).request("http://9.9.0.1/").message


@pytest.mark.parametrize("host", ["", ".", "a..b", "a!b.test", "x._tld", "a/b", "[::1]", f"{'l' * 64}.test"])
def test_by_hand_only_a_name_that_dns_could_hold_is_taken(host: str) -> None:
    store = HSTSStore()
    with pytest.raises(InvalidHost) as caught:
        store.add(host)
    assert caught.value.host == host
    assert not store.remove(host)
    assert store.get(host) is None
    assert host not in store


@pytest.mark.parametrize("field", ["expiry", "last_observed"])
def test_by_hand_a_time_is_a_number(field: str) -> None:
    times: dict[str, Any] = {field: math.nan}
    store = HSTSStore()
    with pytest.raises(InvalidTime):
        store.add("example.com", **times)
    assert len(store) == 0


@pytest.mark.parametrize("ask", ["note", "add", "remove", "get", "match"])
def test_what_is_not_a_str_is_no_host(ask: str) -> None:
    arguments: tuple[Any, ...] = (b"example.com", "max-age=1") if ask == "note" else (b"example.com",)
    with pytest.raises(InvalidHost, match="str"):
        getattr(HSTSStore(), ask)(*arguments)


@profiles
@given(host=st.text() | st.text("aB.-_1:[]%é!", max_size=9), fields=st.text() | st.binary() | st.lists(st.text()))
def test_noting_never_raises(profile: Profile, host: str, fields: str | bytes | list[str]) -> None:
    store = HSTSStore(profile=profile)
    assert isinstance(store.note(host, fields), Noted | Removed | Ignored)
    assert repr(store.note(host, "max-age=1"))
    store.match(host)


@profiles
@given(host=st.text() | st.text("aB.-_1:[]%é!", max_size=9))
def test_what_is_added_is_found_again_by_the_same_words(profile: Profile, host: str) -> None:
    store = HSTSStore(profile=profile)
    try:
        known = store.add(host)
    except InvalidHost as error:
        assert error.host == host
        return
    names = [host, known.domain]
    if known.domain != host and (known.domain.endswith(".") or known.top_level_site):
        names.remove(known.domain)  # `a..` is kept as `a.`, which asks for `a`; and a dot makes another site
    for name in names:
        assert store.get(name) == known
        assert name in store
    assert store.remove(host)


def test_the_trailing_dot_is_another_host_where_the_profile_says_so() -> None:
    store = HSTSStore(profile=RFC6797)
    store.note("example.com.", "max-age=9")
    assert store.match("example.com") is None
    assert store.get("example.com") is None
    assert store.get("example.com.") is not None
    assert store.remove("example.com.")


def test_at_its_expiry_an_entry_still_counts(clock: Clock) -> None:
    store = HSTSStore(clock=clock)
    store.note("example.com", "max-age=100")
    clock.now += 100
    assert store.match("example.com") is not None
    assert store.expire() == 0
    clock.now = math.nextafter(clock.now, math.inf)
    assert store.get("example.com") is not None, "get forgets nothing"
    assert store.match("example.com") is None
    assert len(store) == 0


def test_a_question_forgets_only_the_expired_entries_on_its_way(clock: Clock) -> None:
    store = HSTSStore(clock=clock)
    for host in ("example.com", "a.example.com", "b.example.com", "other.test"):
        store.note(host, "max-age=1")
    clock.now += 2
    store.match("x.a.example.com")
    assert [known.domain for known in store] == ["b.example.com", "other.test"]
    assert store.expire() == 2
    assert len(store) == 0


def test_clearing_heeds_when_an_entry_was_last_observed() -> None:
    store = HSTSStore()
    for second in range(5):
        store.add(f"h{second}.test", last_observed=second)
    assert store.clear(start=1, end=3) == 2
    assert [known.domain for known in store] == ["h0.test", "h3.test", "h4.test"]
    assert store.clear() == 3
    assert len(store) == 0


def test_without_a_clock_the_time_is_that_of_the_system() -> None:
    before = time.time()
    store = HSTSStore()
    assert before <= store.now() <= time.time()


def test_freezegun_freezes_and_moves_the_clock() -> None:
    store = HSTSStore()
    with freeze_time("2027-01-31T12:00:00Z") as frozen:
        noted = store.note("example.com", "max-age=100")
        assert isinstance(noted, Noted)
        assert noted.host.last_observed == 1_801_396_800
        frozen.tick(100)
        assert store.match("example.com") is not None
        frozen.tick(1)
        assert store.match("example.com") is None
    assert store.now() != 1_801_396_901


def test_entries_may_be_forgotten_while_the_store_is_iterated() -> None:
    store = HSTSStore()
    for host in ("a.test", "b.test", "c.test"):
        store.add(host)
    for known in store:
        store.remove(known.domain)
    assert len(store) == 0


KNOWN = KnownHost("example.com", True, 1.0, 2.0)


@pytest.mark.parametrize(
    "value",
    [
        KNOWN,
        Noted(KNOWN),
        Removed("example.com", True),
        HSTSStore().note("example.com", "max-age"),
        Match("example.com", True, False, KNOWN),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_survive_copying(value: object) -> None:
    for again in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):  # noqa: S301
        assert type(again) is type(value)
        assert repr(again) == repr(value)


def test_a_store_survives_pickling(clock: Clock) -> None:
    store = HSTSStore()
    store.add("example.com")
    again = pickle.loads(pickle.dumps(store))  # noqa: S301
    assert list(again) == list(store)
    assert again.profile.name == "chrome"
    again.clear()
    assert len(store) == 1


def test_threads_share_a_store() -> None:
    now = [0.0]
    store = HSTSStore(clock=lambda: now[0])
    hsts = Interceptor(store)
    start = threading.Barrier(8)
    errors: list[BaseException] = []

    def live(number: int) -> None:
        try:
            start.wait()
            for turn in range(300):
                own = f"h{turn}.t{number}.test"
                store.note(own, "max-age=1000")
                store.note("shared.test", f"max-age={turn % 2}; includeSubDomains")
                assert hsts.request(f"http://{own}/").by == "dynamic"
                hsts.request("http://a.shared.test/")
                store.add(f"gone{turn}.test", expiry=-1)
                assert store.match(f"gone{turn}.test") is None
                if turn % 50 == 0:
                    store.expire()
                    assert all(known.domain for known in store)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=live, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    now[0] = 0.5
    assert sum(known.domain.endswith(tuple(f".t{n}.test" for n in range(8))) for known in store) == 8 * 300
