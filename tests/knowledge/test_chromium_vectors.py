"""Chromium's own answers, and those of RFC 6797, to whole questions."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from hstssim import url as urls
from hstssim.errors import InvalidHost, InvalidURL
from hstssim.interceptor import Decision, Interceptor
from hstssim.preload import PreloadEntry, PreloadList
from hstssim.profile import CHROME, RFC6797
from hstssim.redirect import InternalRedirect
from hstssim.store import HSTSStore
from hstssim.times import iso

if TYPE_CHECKING:
    from tests.conftest import Clock

BY = {"none": None, "static": "preload", "dynamic": "dynamic"}


def ask(hsts: Interceptor, host: str) -> Decision | None:
    """What becomes of a top-level http request; None where no browser takes the host."""
    try:
        return hsts.request(f"http://{host}/")
    except InvalidURL:
        return None


@pytest.mark.vectors("header_process_chrome")
def test_a_response_sets_what_it_sets_in_chromium(case: dict[str, Any], clock: Clock) -> None:
    store = HSTSStore(clock=clock)
    host = urls.parse(case["url"])[1]
    before = None
    if case["pre_existing_entry"]:
        entry = case["existing_entry"]
        before = store.add(
            host,
            include_subdomains=entry["include_subdomains"],
            expiry=clock.now + entry["expires_in"],
            last_observed=clock.now - entry["observed_seconds_ago"],
        )
    fields = [("strict-Transport-security", value) for value in case["headers"]]
    Interceptor(store).response(case["url"], fields, verified=not case.get("cert_error"))
    expected = case["expected"]
    after = store.get(host)
    if expected["result"] == "set":
        assert after is not None
        assert after.expiry - after.last_observed == expected["max_age"]
        assert after.include_subdomains == expected["include_subdomains"]
    else:
        assert expected["result"] in ("unchanged", "no-entry")
        assert after == (before if expected["result"] == "unchanged" else None)


@pytest.mark.vectors("lookup_chrome", "preload_lookup_chrome")
def test_a_scripted_lookup_ends_as_in_chromium(case: dict[str, Any], clock: Clock) -> None:
    store = HSTSStore(clock=clock, preload=PreloadList.bundled() if "list" in case else None)
    hsts = Interceptor(store)
    for step in case["steps"]:
        match step:
            case {"op": "preload", "entries": entries}:
                built = clock.now - step.get("build_age_days", 0) * 86_400
                store.profile = store.profile.replace(preload_max_age_days=70)
                store.preload = PreloadList.build(
                    (
                        PreloadEntry(e["name"], e.get("include_subdomains", False), e.get("mode") == "force-https")
                        for e in entries
                    ),
                    date=iso(built),
                )
            case {"op": "bypass_list", "hosts": names}:
                store.profile = store.profile.replace(preload_bypass=frozenset(names))
            case {"op": "add", "host": host, "include_subdomains": include_subdomains, "expires_in": seconds}:
                with suppress(InvalidHost):
                    store.add(host, include_subdomains=include_subdomains, expiry=clock.now + seconds)
            case {"op": "header", "host": host, "value": value}:
                store.note(host, value)
            case {"op": "advance", "seconds": seconds}:
                clock.now += seconds
            case {"op": "delete_host", "host": host, "expected": there}:
                assert store.remove(host) == there
            case {"op": "delete_observed_between", "from": start, "to": "max"}:
                store.clear(start=clock.now + start)
            case {"op": "count", "expected": count}:
                assert len(store) == count
            case {"op": "query", "host": host, "upgrade": upgrade}:
                check(ask(hsts, host), upgrade, step)
            case _:
                pytest.fail(f"no such step: {step}")


def check(decision: Decision | None, upgrade: bool, step: dict[str, Any]) -> None:
    assert bool(decision) == upgrade, step
    if decision is not None:
        assert decision.by == BY.get(step.get("decision", ""), decision.by)
        known = decision.dynamic is not None or decision.preload is not None
        assert known == step.get("ssl_errors_fatal", known)
        if "matched_domain" in step:
            assert decision.dynamic is not None
            assert decision.dynamic.domain == step["matched_domain"]


@pytest.mark.vectors("preload_lookup_libhsts")
def test_the_preload_list_answers_as_libhsts_does(case: dict[str, Any]) -> None:
    preload, *questions = case["steps"]
    built = PreloadList.build(PreloadEntry(e["name"], e["include_subdomains"]) for e in preload["entries"])
    for step in questions:
        found = built.match(step["host"])
        assert step["op"] == "get"
        assert ("none" if found is None else "self" if found.congruent else "ancestor") == step["found"]


@pytest.mark.vectors("lookup_chrome_observed")
def test_a_host_is_upgraded_as_chromium_was_seen_to_do(
    case: dict[str, Any], clock: Clock, chrome_fixture: list[dict[str, Any]]
) -> None:
    store = HSTSStore(clock=clock, preload=PreloadList.bundled())
    for entry in chrome_fixture:
        expiry = clock.now + entry["expires_in"]
        # A name that can hold no entry never matches, so it makes no difference that it is refused here.
        with suppress(InvalidHost):
            store.add(entry["host"], include_subdomains=entry["include_subdomains"], expiry=expiry)
    decision = Interceptor(store).request(f"http://{case['input_authority']}/")
    expected = case["expected"]
    assert decision.host == case["canonical_host"]
    assert decision.upgraded == expected["redirected"]
    # The net-log tells what is stored, not what is done: they differ for localhost.
    known = decision.dynamic is not None or decision.preload is not None
    assert known == expected["netlog_should_upgrade_to_ssl"] == expected["get_sts_state_result"]


@pytest.mark.vectors("top_level_only_chrome")
def test_only_top_level_navigations_are_upgraded_where_the_feature_is_on(case: dict[str, Any]) -> None:
    store = HSTSStore(profile=CHROME.replace(top_level_navigations_only=case["feature_enabled"]))
    store.add("inc.test")
    decision = Interceptor(store).request(
        "ws://inc.test/" if case["destination"] == "websocket" else "http://inc.test/",
        top_level_navigation=case["destination"].startswith("main frame"),
    )
    assert decision.upgraded == case["expected"]["upgraded"]
    assert decision.upgraded or decision.reason == "not-top-level"


@pytest.mark.vectors("url_upgrade_chrome")
def test_a_url_is_upgraded_as_in_chromium(case: dict[str, Any]) -> None:
    store = HSTSStore()
    for host in case["known_hsts_hosts"]:
        store.add(host, include_subdomains=True)
    flags = case.get("load_flags", [])
    assert flags in ([], ["SHOULD_BYPASS_HSTS"])
    decision = Interceptor(store).request(case["input"], bypass_hsts=bool(flags))
    assert (decision.location or case["input"]) == case["expected"]
    if "redirect_count" in case:
        assert decision.upgraded == bool(case["redirect_count"])
    assert (decision.redirect is not None) == decision.upgraded


@pytest.mark.vectors("url_upgrade_rfc6797")
def test_a_url_is_upgraded_as_rfc_6797_has_it(case: dict[str, Any]) -> None:
    store = HSTSStore(profile=RFC6797)
    store.add("example.com")
    decision = Interceptor(store).request(case["input"])
    assert decision.location == case["expected"]
    assert decision.redirect is None


@pytest.mark.vectors("synthetic_response_chrome")
def test_the_internal_redirect_is_the_one_that_chromium_synthesises(case: dict[str, Any]) -> None:
    store = HSTSStore()
    store.add("inc.test")
    expected = case["expected"]
    reason = dict(expected["headers_in_order"])["Non-Authoritative-Reason"]
    redirect: InternalRedirect | None
    if reason == "HSTS":
        redirect = Interceptor(store).request(case["url"], origin=case["request_origin_header"]).redirect
    else:
        redirect = InternalRedirect.to(urls.upgrade(case["url"]), by=reason)
    assert redirect is not None
    assert redirect.status_line == expected["status_line"]
    assert [list(pair) for pair in redirect.headers] == expected["headers_in_order"]
    assert redirect.as_dict()["headers"] == expected["headers_in_order"]
    assert redirect.location == urls.upgrade(case["url"])
