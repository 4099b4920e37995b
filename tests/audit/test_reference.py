"""The audit itself: the reference passes every case, and for each there is a client that fails it."""

from __future__ import annotations

import pytest

from hstssim import open_store
from hstssim.audit import CASES, Audit, CallableSubject, Case
from hstssim.audit.subject import Place
from hstssim.errors import AuditError
from hstssim.navigation import Browser
from hstssim.network import LiveNetwork
from hstssim.profile import PROFILES
from tests.conftest import Clock

RFC = PROFILES["rfc6797"]


class Client:
    """The reference: our own browser by the rules of RFC 6797, with a store that is kept."""

    rules = RFC

    def __init__(self, place: Place, workdir: str, clock: Clock) -> None:
        def port(_host: str, port: int) -> tuple[str, int]:
            return "127.0.0.1", place.lab.https_port if port in (443, 8443) else place.lab.http_port

        self.store = open_store(f"{workdir}/hsts.sqlite", profile=self.rules, clock=clock, watch=False)
        self.network = LiveNetwork(ca_file=place.lab.ca_file, connect_to=port, timeout=10)
        self.browser = Browser(self.rules, self.store, self.network)

    def __call__(self, url: str) -> object:
        return self.browser.navigate(url)

    def close(self) -> None:
        self.network.close()
        self.store.close()


def subject(clock: Clock, client: type[Client] = Client) -> CallableSubject:
    def passes(seconds: float) -> None:
        clock.now += seconds

    return CallableSubject(lambda place, workdir: client(place, workdir, clock), "reference", passes)


@pytest.mark.parametrize("name", CASES)
def test_the_reference_passes(clock: Clock, name: str) -> None:
    [result] = Audit(subject(clock), [name], sealed=False).run()
    assert result.verdict == ("INFORMATIONAL" if result.case.level == "MAY" else "OK"), result


class NoDot(Client):
    """Takes a name with a dot at its end for the same."""

    rules = RFC.replace(trailing_dot="ignored")


def test_a_dot_at_the_end_may_lead_around_nothing(clock: Clock) -> None:
    [result] = Audit(subject(clock, NoDot), ["cve-2022-30115"], sealed=False).run()
    assert result.verdict == "OK", result


class Forgets(Client):
    """Does not know the host of the probe, nor one above it."""

    def __call__(self, url: str) -> object:
        if "/probe" in url or "/jump" in url:
            self.store.clear()
        return super().__call__(url)


class Believes(Client):
    """Takes the host of the probe for known."""

    def __call__(self, url: str) -> object:
        return super().__call__(url.replace("http:", "https:") if "/probe" in url else url)


class Trusts(Client):
    """Goes on past certificate errors."""

    def __init__(self, place: Place, workdir: str, clock: Clock) -> None:
        super().__init__(place, workdir, clock)
        self.browser = Browser(self.rules, self.store, self.network, ignore_certificate_errors=True)


class Rewrites(Client):
    """Upgrades to another port or path than it should."""

    def __call__(self, url: str) -> object:
        wrong = url.replace("http:", "https:").replace(":8080/", "/").replace(":80/", ":8443/").split("?")[0]
        return super().__call__(wrong if "/probe" in url else url)


def fault(case: Case) -> type[Client]:
    if case.expected == "nothing":
        return Trusts
    if case.expected == "plaintext":
        return Believes
    return Rewrites if case.section == "8.3" and case.arrives_as and "redirect" not in case.id else Forgets


@pytest.mark.parametrize("name", [name for name in CASES if name != "note"])
def test_a_client_with_the_fault_fails(clock: Clock, name: str) -> None:
    client = fault(CASES[name])

    class Faulty(client):  # type: ignore[misc, valid-type]
        """It has the fault in this case only: what it does in `note` says that it knows HSTS."""

        def __call__(self, url: str) -> object:
            return super().__call__(url) if f"/{name}-" in url else Client.__call__(self, url)

    results = Audit(subject(clock, Faulty), [name], sealed=False).run()
    [result] = [result for result in results if result.case.id == name]
    assert result.verdict == {"MUST": "FAILED", "SHOULD": "NON-STRICT", "MAY": "INFORMATIONAL"}[CASES[name].level]


def test_a_client_without_hsts_is_told_so_once(clock: Clock) -> None:
    results = Audit(subject(clock, Forgets), sealed=False).run()
    assert {result.verdict for result in results} == {"UNIMPLEMENTED"}
    assert len({result.reason for result in results}) == 2


def test_an_unknown_case_is_refused(clock: Clock) -> None:
    with pytest.raises(AuditError, match=r"a case is one of note, .*; seen 'notes'"):
        Audit(subject(clock), ["notes"])


def test_there_are_enough_cases_and_each_says_what_it_requires() -> None:
    assert len(CASES) >= 45
    assert all(case.requirement.endswith(".") and case.section[0] in "68" for case in CASES.values())


class Wavers(Forgets):
    """Knows HSTS at the second try alone."""

    def __call__(self, url: str) -> object:
        return super().__call__(url) if "/subdomain-1/" in url else Client.__call__(self, url)


def test_two_runs_that_disagree_are_inconclusive(clock: Clock) -> None:
    [result] = Audit(subject(clock, Wavers), ["subdomain"], sealed=False).run()
    assert result.verdict == "INCONCLUSIVE"
    assert result.reason == "two runs disagree: the probe came in the clear; then the probe was upgraded"
