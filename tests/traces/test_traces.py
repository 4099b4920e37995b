"""A navigation as text and as an HTTP Archive."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from hstssim import CHROME, PROFILES, Browser, HSTSStore, Profile, ScriptedNetwork
from hstssim.script import to_https
from hstssim.traces import beside, explained, har, lessons, lines
from tests.conftest import Clock

SCHEMA = json.loads((Path(__file__).parent / "har.schema.json").read_text("utf-8"))


@pytest.fixture
def network() -> ScriptedNetwork:
    network = ScriptedNetwork()
    network.site("www.shop.test", sts="max-age=31536000; includeSubDomains")
    shop = network.site("shop.test")
    shop.on("/", scheme="http", redirect=to_https, status=301)
    shop.on("/", scheme="https", redirect="https://www.shop.test/", status=301)
    network.site("expired.test", certificate="expired")
    network.site("picture.test").on("/", headers={"Content-Type": "image/png"}, body=b"\x89PNG\xff")
    return network


def made(network: ScriptedNetwork, clock: Clock, profile: Profile = CHROME, known: str = "known.test") -> Browser:
    store = HSTSStore(profile=profile, clock=clock)
    store.add(known, include_subdomains=True, expiry=clock.now + 86_400)
    return Browser(profile, store, network)


def test_two_visits_stand_side_by_side_and_say_why_the_apex_stays_unknown(
    network: ScriptedNetwork, clock: Clock
) -> None:
    browser = made(network, clock)
    first, second = (browser.navigate("http://shop.test/") for _ in range(2))
    learned = "   learned: www.shop.test and its subdomains, https only until 2028-01-15T08:00:00Z (365 days)"
    assert list(lines(first)) == [
        "1  GET http://shop.test/  301 Moved Permanently  [PLAINTEXT]",
        "2  GET https://shop.test/  301 Moved Permanently",
        "3  GET https://www.shop.test/  200 OK",
        learned,
    ]
    assert list(lines(second))[:2] == [
        "1  GET http://shop.test/  301 Moved Permanently  [from the cache: not asked again]",
        "2  GET https://shop.test/  301 Moved Permanently  [from the cache: not asked again]",
    ]
    assert list(lessons(first)) == [
        "shop.test does not become known: its answer over https (https://shop.test/) has no "
        "Strict-Transport-Security field."
    ]
    wide, narrow = list(beside(first, second, None)), list(beside(first, second, 80))
    assert wide[1] == f"{[*lines(first)][0]:{len(learned)}} │ {[*lines(second)][0]}"  # noqa: RUF015
    assert narrow == ["first visit", *lines(first), "", "second visit", *lines(second)]


def test_an_internal_redirect_is_explained_by_its_entry(network: ScriptedNetwork, clock: Clock) -> None:
    text = list(explained(made(network, clock, known="shop.test").navigate("http://www.shop.test/")))
    assert text == [
        "1  GET http://www.shop.test/  307 Internal Redirect  [HSTS: not sent by the server]",
        "   The browser knows this host as a Known HSTS Host and redirects to https by itself; nothing is sent.",
        "   Known by: superdomain match shop.test (dynamic, includeSubDomains)  "
        "until 2027-01-16T08:00:00Z (1 day).",
        "2  GET https://www.shop.test/  200 OK",
        "   Learned: www.shop.test and its subdomains, https only until 2028-01-15T08:00:00Z (365 days).",
    ]


def test_a_silent_upgrade_says_what_it_takes_the_place_of(network: ScriptedNetwork, clock: Clock) -> None:
    browser = made(network, clock, PROFILES["curl"], known="www.shop.test")
    [line, *_] = lines(browser.navigate("http://www.shop.test/"))
    assert line == "1  GET https://www.shop.test/  200 OK  [HSTS, in place of http://www.shop.test/]"


@pytest.mark.parametrize("known", [False, True])
def test_an_error_says_whether_a_person_can_go_on(network: ScriptedNetwork, clock: Clock, known: bool) -> None:
    browser = made(network, clock, known="expired.test" if known else "other.test")
    assert list(lines(browser.navigate("https://expired.test/"))) == [
        "1  GET https://expired.test/  no response",
        "ERR_CERT_DATE_INVALID: the certificate has expired; seen from expired.test",
        "Nobody can click through this: it is a Known HSTS Host."
        if known
        else "A person could click through this.",
    ]


def test_the_way_back_of_https_upgrades_says_what_came_instead(network: ScriptedNetwork, clock: Clock) -> None:
    network.site("www.example.com", refuse_tls=True)
    text = "\n".join(explained(made(network, clock).navigate("http://www.example.com/")))
    assert "[HttpsUpgrades: not sent by the server]" in text
    assert "What came instead: ERR_SSL_VERSION_OR_CIPHER_MISMATCH: www.example.com refuses TLS." in text


def test_a_har_of_every_kind_of_hop_follows_its_schema(network: ScriptedNetwork, clock: Clock) -> None:
    browser = made(network, clock)
    asked = ("http://shop.test/?a=b&c=%ff", "http://shop.test/", "http://shop.test/", "https://expired.test/")
    navigations = [browser.navigate(url) for url in (*asked, "http://known.test/", "http://picture.test/")]
    navigations.append(browser.navigate("http://known.test/", "POST", b"a=\xff"))
    archive = har(*navigations)
    jsonschema.validate(json.loads(json.dumps(archive)), SCHEMA)
    entries = archive["log"]["entries"]  # type: ignore[index]
    assert len(entries) == sum(len(navigation.hops) for navigation in navigations)
    assert {entry["_hstssim"]["source"] for entry in entries} == {"internal", "cache", "network"}


def test_the_schema_can_fail(network: ScriptedNetwork, clock: Clock) -> None:
    archive = json.loads(json.dumps(har(made(network, clock).navigate("http://shop.test/"))))
    del archive["log"]["entries"][0]["response"]["content"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(archive, SCHEMA)
