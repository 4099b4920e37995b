"""The store against a naive model of RFC 6797, through any course of events."""

from __future__ import annotations

import math

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hstssim.match import Match
from hstssim.profile import CHROME, RFC6797
from hstssim.store import HSTSStore, Ignored, KnownHost, Noted, Removed

hosts = st.sampled_from(
    ["test", "a.test", "b.test", "a.a.test", "b.a.test", "x.b.a.test", "A.Test", "a.test.", "test.", "b.a.test."]
    + ["10.0.0.1", "0.1", "localhost", "a.localhost"]
)
url_hosts = hosts.filter(lambda host: host != "0.1")  # in a URL that is 0.0.0.1


class Events(RuleBasedStateMachine):
    """A store and its model: a dict of entries and the same clock."""

    @initialize(chrome=st.booleans())
    def begin(self, chrome: bool) -> None:
        self.chrome = chrome
        self.now = 1000.0
        self.store = HSTSStore(profile=CHROME if chrome else RFC6797, clock=lambda: self.now)
        self.model: dict[str, KnownHost] = {}

    def domain(self, host: str) -> str:
        return host.lower().removesuffix(".") if self.chrome else host.lower()

    def noted(self, host: str) -> bool:
        localhost = self.domain(host).endswith("localhost")
        return host != "10.0.0.1" and not (self.chrome and localhost)

    @rule(seconds=st.sampled_from([0, 0.5, 1, 9, 10, 11]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(host=url_hosts, max_age=st.sampled_from([1, 10, 100]), include_subdomains=st.booleans())
    def note(self, host: str, max_age: int, include_subdomains: bool) -> None:
        outcome = self.store.note(host, f"max-age={max_age}{'; includeSubDomains' if include_subdomains else ''}")
        if self.noted(host):
            known = KnownHost(self.domain(host), include_subdomains, self.now, self.now + max_age)
            self.model[known.domain] = known
            assert outcome == Noted(known)
        else:
            assert isinstance(outcome, Ignored)

    @rule(host=url_hosts)
    def note_max_age_0(self, host: str) -> None:
        outcome = self.store.note(host, "max-age=0; includeSubDomains")
        if self.noted(host):
            assert outcome == Removed(self.domain(host), self.model.pop(self.domain(host), None) is not None)
        else:
            assert isinstance(outcome, Ignored)

    @rule(host=hosts, include_subdomains=st.booleans(), seconds=st.sampled_from([-1, 0, 5, math.inf]))
    def add(self, host: str, include_subdomains: bool, seconds: float) -> None:
        known = self.store.add(host, include_subdomains=include_subdomains, expiry=self.now + seconds)
        assert known == KnownHost(self.domain(host), include_subdomains, self.now, self.now + seconds)
        self.model[known.domain] = known

    @rule(host=hosts)
    def remove(self, host: str) -> None:
        assert self.store.remove(host) == (self.model.pop(self.domain(host), None) is not None)

    @rule(ago=st.sampled_from([0, 1, 10, math.inf]), span=st.sampled_from([0, 1, 10, math.inf]))
    def clear(self, ago: float, span: float) -> None:
        start = self.now - ago
        end = math.inf if span == math.inf else start + span
        gone = [d for d, known in self.model.items() if start <= known.last_observed < end]
        for domain in gone:
            del self.model[domain]
        assert self.store.clear(start=start, end=end) == len(gone)

    @rule()
    def expire(self) -> None:
        gone = [d for d, known in self.model.items() if self.now > known.expiry]
        for domain in gone:
            del self.model[domain]
        assert self.store.expire() == len(gone)

    @rule(host=url_hosts)
    def match(self, host: str) -> None:
        expected = None
        labels = self.domain(host).split(".")
        for above in range(len(labels)):
            domain = ".".join(labels[above:])
            known = self.model.get(domain)
            if known is not None and self.now > known.expiry:
                del self.model[domain]
            elif known is not None and (above == 0 or known.include_subdomains):
                expected = Match(domain, above == 0, known.include_subdomains, known)
                break
        assert self.store.match(host) == expected

    @rule(host=hosts)
    def get(self, host: str) -> None:
        assert self.store.get(host) == self.model.get(self.domain(host))
        assert (host in self.store) == (self.domain(host) in self.model)

    @invariant()
    def same_entries(self) -> None:
        assert list(self.store) == list(self.model.values())
        assert len(self.store) == len(self.model)


TestEvents = Events.TestCase
