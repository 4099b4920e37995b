"""The audit itself: the reference passes every case, and for each there is a client that fails it."""

from __future__ import annotations

from typing import Any

import pytest

from hstssim.audit import CASES, Audit, CallableSubject, Case, Result, reference
from hstssim.audit.reference import Reference
from hstssim.audit.subject import Place
from hstssim.errors import AuditError
from hstssim.navigation import Browser
from hstssim.profile import PROFILES, RFC6797

RULES = [*PROFILES.values()]
DOTS = ("cve-2022-30115", "wget-trailing-dot")
"""Where a dot at the end counts, which to the RFC makes another name."""


def subject(client: type[Reference]) -> CallableSubject:
    return CallableSubject(client, client.__name__, posts=True)


@pytest.mark.parametrize("name", CASES)
def test_the_reference_passes(name: str) -> None:
    [result] = Audit(reference(), [name], sealed=False).run()
    assert result.verdict == ("INFORMATIONAL" if name in DOTS else "OK"), result


class NoDot(Reference):
    """Takes a name with a dot at its end for the same."""

    def __init__(self, place: Place, workdir: str) -> None:
        super().__init__(place, workdir, RFC6797.replace(trailing_dot="ignored"))


def test_a_dot_at_the_end_may_lead_around_nothing() -> None:
    results = Audit(subject(NoDot), DOTS, sealed=False).run()
    assert [result.verdict for result in results] == ["OK", "OK"], results


@pytest.mark.parametrize("profile", RULES, ids=[profile.name for profile in RULES])
def test_a_browser_does_what_its_own_profile_says(profile: Any) -> None:
    results = Audit(reference(profile), sealed=False, profile=profile).run()
    assert [result for result in results if result.verdict != "OK"] == []


@pytest.mark.parametrize(
    ("rules", "case"),
    [("chrome", "cve-2022-30115"), ("wget-1.21", "port-other"), ("curl-7.88", "port-80"), ("chrome", "tls")],
)
def test_another_does_not(rules: str, case: str) -> None:
    """The RFC's reference is graded by profiles that differ from it."""
    wanted = [name for name in CASES if name.startswith(case)]
    alike = case == "tls"
    verdicts = {
        result.verdict for result in Audit(reference(), wanted, sealed=False, profile=PROFILES[rules]).run()
    }
    assert (verdicts == {"OK"}) is alike


class Forgets(Reference):
    """Does not know the host of the probe, nor one above it."""

    def __call__(self, url: str) -> object:
        if "/probe" in url or "/jump" in url:
            self.store.clear()
        return super().__call__(url)


class Gets(Reference):
    """Makes a GET of a POST."""

    def post(self, url: str, body: str) -> object:
        return self(url)


class Unlisted(Reference):
    """Has no preload list."""

    def __init__(self, place: Place, workdir: str) -> None:
        super().__init__(place, workdir, preloaded=False)


class Believes(Reference):
    """Takes the host of the probe for known."""

    def __call__(self, url: str) -> object:
        return super().__call__(url.replace("http:", "https:") if "/probe" in url else url)


class Trusts(Reference):
    """Goes on past certificate errors."""

    def __init__(self, place: Place, workdir: str) -> None:
        super().__init__(place, workdir)
        self.browser = Browser(RFC6797, self.store, self.network, ignore_certificate_errors=True)


class Rewrites(Reference):
    """Upgrades to another port or path than it should."""

    def __call__(self, url: str) -> object:
        wrong = url.replace("http:", "https:").replace(":8080/", "/").replace(":80/", ":8443/").split("?")[0]
        return super().__call__(wrong if "/probe" in url else url)


def fault(case: Case) -> type[Reference]:
    if case.body is not None:
        return Gets
    if case.id == "preload":
        return Unlisted
    if case.expected == "nothing":
        return Trusts
    if case.expected == "plaintext":
        return Believes
    return Rewrites if case.section == "8.3" and case.arrives_as and "redirect" not in case.id else Forgets


@pytest.mark.parametrize("name", [name for name in CASES if name != "note"])
def test_a_client_with_the_fault_fails(name: str) -> None:
    client = fault(CASES[name])

    class Faulty(client):  # type: ignore[misc, valid-type]
        """It has the fault in this case only: what it does in `note` says that it knows HSTS."""

        def __call__(self, url: str) -> object:
            return super().__call__(url) if name in url or "preload" in name else Reference.__call__(self, url)

    results = Audit(subject(Faulty), [name], sealed=False).run()
    [result] = [result for result in results if result.case.id == name]
    assert result.verdict == {"MUST": "FAILED", "SHOULD": "NON-STRICT", "MAY": "INFORMATIONAL"}[CASES[name].level]


def test_a_client_without_hsts_is_told_so_once() -> None:
    results = Audit(subject(Forgets), sealed=False).run()
    assert {result.verdict for result in results} == {"UNIMPLEMENTED"}
    assert [result.reason for result in results if result.case.id != "note"] == ["as in the case `note`"] * (
        len(CASES) - 1
    )


def test_an_unknown_case_is_refused() -> None:
    with pytest.raises(AuditError, match=r"a case is one of note, .*; seen 'notes'"):
        Audit(reference(), ["notes"])


def test_there_are_enough_cases_and_each_says_what_it_requires() -> None:
    assert len(CASES) >= 45
    assert all(
        case.requirement.endswith(".") and case.section[:2] in ("6.", "8.", "10", "12") for case in CASES.values()
    )


def test_the_evidence_of_a_case_is_its_own() -> None:
    """The hosts of one end as that of the other does."""
    results = Audit(reference(), ["subdomain", "persistence-subdomain"], sealed=False).run()
    assert [len(result.evidence) for result in results] == [4, 4], results
    assert "persistence" not in str(results[0].evidence)


class Wavers(Forgets):
    """Knows HSTS at the second try alone."""

    def __call__(self, url: str) -> object:
        return super().__call__(url) if "/subdomain-1/" in url else Reference.__call__(self, url)


def test_two_runs_that_disagree_are_inconclusive() -> None:
    [result] = Audit(subject(Wavers), ["subdomain"], sealed=False).run()
    assert result.verdict == "INCONCLUSIVE"
    assert result.reason == "two runs disagree: the probe came in the clear; then the probe was upgraded"


def test_what_a_client_cannot_be_told_is_no_fault() -> None:
    unable = CallableSubject(Reference, "unable")
    [result] = Audit(unable, ["method-and-body"], sealed=False).run()
    assert (result.verdict, result.bad) == ("NOT RUN", False)
    assert result.reason == "the client was not told how to POST"


class Crashes(Reference):
    """Fetches nothing but what teaches it."""

    def __call__(self, url: str) -> object:
        return super().__call__(url) if "/learn" in url else None


def test_a_client_that_cannot_do_the_first_case_is_not_asked_for_the_others() -> None:
    results = Audit(subject(Crashes), sealed=False).run()
    assert {result.verdict for result in results} == {"NOT RUN"}
    assert all(result.bad for result in results)


def test_what_interrupts_an_audit_ends_it() -> None:
    begun: list[str] = []

    def make(place: Place, workdir: str) -> Reference:
        begun.append(workdir)
        return Reference(place, workdir)

    def told(result: Result) -> None:
        if result.case.id != "note":
            raise KeyboardInterrupt

    slow = CallableSubject(make, "slow")
    slow.at_once = 1
    with pytest.raises(KeyboardInterrupt):
        Audit(slow, sealed=False).run(told)
    assert len(begun) < 20
