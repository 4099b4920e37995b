"""What Firefox, curl and wget were seen, or read in their sources, to do with whole responses and requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hstssim import formats
from hstssim.interceptor import Interceptor
from hstssim.preload import PreloadEntry, PreloadList
from hstssim.profile import CURL, CURL_7_88, FIREFOX, WGET, WGET_1_21, Profile
from hstssim.store import HSTSStore, Ignored, KnownHost, Noted
from hstssim.times import iso

if TYPE_CHECKING:
    from tests.conftest import Clock

VECTORS = Path(__file__).parent.parent / "vectors"

curls = pytest.mark.parametrize("profile", [pytest.param(p, id=p.name) for p in (CURL, CURL_7_88)])
wgets = pytest.mark.parametrize("profile", [pytest.param(p, id=p.name) for p in (WGET, WGET_1_21)])
PAGE = "http://page0.origin.example"


def response(
    store: HSTSStore, host: str, values: list[str], top_level: str | None = None, port: int = 443
) -> object:
    fields = [("strict-transport-security", value) for value in values]
    return Interceptor(store).response(f"https://{host}:{port}/", fields, top_level_site=top_level)


def lasts(known: KnownHost | None) -> dict[str, object] | None:
    """An entry as the vectors write it."""
    if known is None:
        return None
    return {"max_age": known.expiry - known.last_observed, "include_subdomains": known.include_subdomains}


@curls
@pytest.mark.vectors("header_process_curl")
def test_a_response_sets_what_it_sets_in_curl(case: dict[str, Any], profile: Profile, clock: Clock) -> None:
    store = HSTSStore(profile=profile, clock=clock)
    response(store, "h.example", case["headers"])
    assert lasts(store.get("h.example")) == case["expected"]


@wgets
@pytest.mark.vectors("header_process_wget")
def test_a_response_sets_what_it_sets_in_wget(case: dict[str, Any], profile: Profile, clock: Clock) -> None:
    store = HSTSStore(profile=profile, clock=clock)
    response(store, "h.example", case["headers"])
    assert lasts(store.get("h.example")) == case["expected"]


@pytest.mark.vectors("header_process_firefox")
def test_a_response_sets_what_it_sets_in_firefox(case: dict[str, Any], clock: Clock) -> None:
    store = HSTSStore(profile=FIREFOX, clock=clock)
    host = case["host"]
    before = None
    if case["pre_existing_entry"]:
        entry = case["existing_entry"]
        site = entry["partition"].split("%2C")[1].removesuffix("%29")
        before = store.add(host, include_subdomains=entry["include_subdomains"], top_level_site=site)
    response(store, host, case["headers"], case["top_level"])
    after = store.get(host, top_level_site=case["top_level"])
    expected = case["expected"]
    if after is not None:
        assert expected["stored_key_suffix"] == f"^partitionKey=%28https%2C{after.top_level_site}%29"
    if expected["result"] == "set":
        assert lasts(after) == {key: expected[key] for key in ("max_age", "include_subdomains")}
    else:
        assert expected["result"] in ("unchanged", "no-entry")
        assert after == (before if expected["result"] == "unchanged" else None)


@wgets
@pytest.mark.vectors("header_parse_wget")
def test_a_header_has_the_effect_that_it_has_in_wget(case: dict[str, Any], profile: Profile, clock: Clock) -> None:
    store = HSTSStore(profile=profile, clock=clock)
    response(store, "new.example", [case["input"]])
    store.add("old.example", expiry=clock.now + 5, last_observed=clock.now - 5)
    response(store, "old.example", [case["input"]])
    expected = case["expected"]
    effects = {"store", "none"}, {"update", "delete", "none"}
    assert expected["effect_without_entry"] in effects[0]
    assert expected["effect_on_existing_entry"] in effects[1]
    new, old = store.get("new.example"), store.get("old.example")
    assert (new is not None) == (expected["effect_without_entry"] == "store")
    assert (old is None) == (expected["effect_on_existing_entry"] == "delete")
    if old is not None:
        assert (old.last_observed == clock.now) == (expected["effect_on_existing_entry"] == "update")
    for known in (new, old):
        if known is not None and known.last_observed == clock.now:
            assert known.include_subdomains == expected["include_subdomains"]
            overflows = expected["max_age"] + clock.now >= 2**63
            assert known.expiry == pytest.approx(clock.now + expected["max_age"] - overflows * 2**64)


def run_steps(
    steps: list[dict[str, Any]], store: HSTSStore, clock: Clock, tmp_path: Path, differs: dict[str, bool]
) -> None:
    hsts = Interceptor(store)
    for step in steps:
        match step:
            case {"op": "set_time", "unix": now}:
                clock.now = now
            case {"op": "advance", "seconds": seconds}:
                clock.now += seconds
            case {"op": "preload", "entries": entries}:
                store.preload = PreloadList.build(
                    PreloadEntry(e["name"], e["include_subdomains"]) for e in entries
                )
            case {"op": "add", "host": host, "include_subdomains": subdomains, "expires_in": seconds}:
                store.add(host, include_subdomains=subdomains, expiry=clock.now + seconds)
            case {"op": "load_file", "lines": lines}:
                lines = [line.replace("NOW-10", str(int(clock.now) - 10)) for line in lines]
                (tmp_path / "state").write_text("\n".join([*lines, ""]))
                assert formats.read_into(store, str(tmp_path / "state")) == []
            case {"op": "read_callback", "entries": entries}:
                lines = [f'{name} "{date or "unlimited"}"' for name, date in entries]
                (tmp_path / "state").write_text("\n".join([*lines, ""]))
                assert formats.read_into(store, str(tmp_path / "state")) == []
            case {"op": "header", "host": host, "value": value}:
                outcome = store.note(host, value)
                assert isinstance(outcome, Ignored) != step.get("ok", not isinstance(outcome, Ignored)), step
            case {"op": "store", "scheme": scheme, "host": host, "port": port, "created": created}:
                value = f"max-age={step['max_age']}{'; includeSubDomains' if step['include_subdomains'] else ''}"
                url = f"{scheme}://{host}:{port}/"
                new = hsts.response(url, [("Strict-Transport-Security", value)])
                assert isinstance(new, Noted) == created
            case {"op": "find", "host": host, "match": found}:
                match = store.match(host)
                assert (match.match if match else "none") == differs.get(host, found), step
            case {"op": "query", "host": host, "upgrade": upgrade}:
                port = f":{step['port']}" if "port" in step else ""
                decision = hsts.request(f"http://{host}{port}/")
                assert bool(decision) == differs.get(host, upgrade), step
                if decision and "matched_domain" in step:
                    assert decision.dynamic is not None
                    assert decision.dynamic.domain == step["matched_domain"]
                if decision and "expires" in step:
                    assert decision.dynamic is not None
                    assert decision.dynamic.expiry == step["expires"]
                if decision and "include_subdomains" in step:
                    assert decision.dynamic is not None
                    assert decision.dynamic.include_subdomains == step["include_subdomains"]
            case {"op": "count", "expected": count}:
                assert len(store) == count
            case {"op": "saved_lines", "expected": lines}:
                assert [curl_line(known) for known in store] == lines
            case {"op": "stored_expiry_changed", "expected": changed}:
                (known,) = store
                assert (known.last_observed == clock.now) == changed
            case _:
                pytest.fail(f"no such step: {step}")


def curl_line(known: KnownHost) -> str:
    dot = "." if known.include_subdomains else ""
    if known.expiry == float("inf"):
        return f'{dot}{known.domain} "unlimited"'
    return f'{dot}{known.domain} "{iso(known.expiry).replace("-", "").replace("T", " ").removesuffix("Z")}"'


@curls
@pytest.mark.vectors("lookup_curl")
def test_a_scripted_lookup_ends_as_in_curl(
    case: dict[str, Any], profile: Profile, clock: Clock, tmp_path: Path
) -> None:
    run_steps(case["steps"], HSTSStore(profile=profile, clock=clock), clock, tmp_path, {})


@wgets
@pytest.mark.vectors("lookup_wget")
def test_a_scripted_lookup_ends_as_in_wget(
    case: dict[str, Any], profile: Profile, clock: Clock, tmp_path: Path
) -> None:
    differs = case.get("observed_1_21_3", {}) if profile is WGET_1_21 else {}
    run_steps(case["steps"], HSTSStore(profile=profile, clock=clock), clock, tmp_path, differs)


@pytest.mark.vectors("lookup_firefox")
def test_a_scripted_lookup_ends_as_in_firefox(case: dict[str, Any], clock: Clock, tmp_path: Path) -> None:
    run_steps(case["steps"], HSTSStore(profile=FIREFOX, clock=clock), clock, tmp_path, {})


@pytest.fixture
def firefox_store(clock: Clock) -> HSTSStore:
    """The state behind `lookup_firefox_observed`."""
    _chrome, fixture = json.loads((VECTORS / "fixture.json").read_text("utf-8"))
    preload = PreloadList.build(PreloadEntry(name, subdomains) for name, subdomains in fixture["preload_entries"])
    store = HSTSStore(profile=FIREFOX, preload=preload, clock=clock)
    times = {"FUT": clock.now + 1_000_000, "PAST": clock.now - 100}
    for host, value in fixture["entries"].items():
        expiry, state, subdomains = (value.split(",") + ["", ""])[:3]
        store.add(
            host,
            include_subdomains=subdomains == "1",
            expiry=times.get(expiry, float("inf")),
            top_level_site="origin.example",
            knock_out=state != "1",  # unset, or not to be read: it takes the host out of the list all the same
        )
    for host in fixture["unpartitioned"]:
        store.add(host, include_subdomains=True, top_level_site="elsewhere.example")
    return store


@pytest.mark.vectors("lookup_firefox_observed")
def test_a_host_is_upgraded_as_firefox_was_seen_to_do(case: dict[str, Any], firefox_store: HSTSStore) -> None:
    decision = Interceptor(firefox_store).request(
        f"http://{case['host']}/", top_level_navigation=False, top_level_site=PAGE
    )
    assert decision.upgraded == case["expected"]["upgraded"]
    explained = Interceptor(firefox_store).explain(f"http://{case['host']}/", top_level_site=PAGE)
    assert explained.upgraded == decision.upgraded


@curls
@pytest.mark.vectors("url_upgrade_curl")
def test_a_url_is_upgraded_as_in_curl(case: dict[str, Any], profile: Profile) -> None:
    store = HSTSStore(profile=profile)
    for host in case["known"]:
        store.add(host)
    decision = Interceptor(store).request(case["input"])
    assert decision.location == case["expected"]
    assert decision.redirect is None


@wgets
@pytest.mark.vectors("url_upgrade_wget")
def test_a_url_is_upgraded_as_in_wget(case: dict[str, Any], profile: Profile) -> None:
    store = HSTSStore(profile=profile)
    store.add(case["host"], port=case["stored_port"])
    location = Interceptor(store).request(f"http://{case['host']}:{case['port']}/").location
    port = "" if case["expected_port"] == 443 else f":{case['expected_port']}"
    assert location == f"https://{case['host']}{port}/"
