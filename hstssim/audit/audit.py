"""The audit: each case is tried in a lab, and judged by nothing but what arrived there.

Paths are unique to case and attempt, every case has a control host that the client never met, and what fails is
tried a second time. Never here: how a client is run (`subject.py`), what is asked of it (`cases.py`).
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from typing import Any, Literal, NamedTuple

from hstssim import url as urls
from hstssim.audit.cases import CASES, PRELOADED, PROBE, Ability, Case, Change, Restart, Together, Visit, Wait
from hstssim.audit.subject import Place, Running, Session, Subject
from hstssim.errors import AuditError, LabError, short
from hstssim.lab import Lab, Request, Site
from hstssim.profile import Profile

Verdict = Literal["OK", "NON-STRICT", "FAILED", "UNIMPLEMENTED", "INFORMATIONAL", "INCONCLUSIVE", "NOT RUN"]
"""NON-STRICT: a SHOULD is not done; INFORMATIONAL: nor is a MAY; UNIMPLEMENTED: there is no HSTS;
INCONCLUSIVE: two runs disagree."""

_FAILED: dict[str, Verdict] = {"MUST": "FAILED", "SHOULD": "NON-STRICT", "MAY": "INFORMATIONAL"}

_UNABLE: dict[Ability, str] = {
    "post": "the client was not told how to POST",
    "several": "the client was not told how to fetch several URLs in one run",
}

UNTRIED = "as in the case `note`"
"""The reason of what was not tried, for the first case said it all."""
_PORT_UNSEEN = "which port it asked for cannot be seen outside a sealed room: it names the lab's"


class Result(NamedTuple):
    """What a case came to."""

    case: Case
    verdict: Verdict
    reason: str
    evidence: tuple[str, ...] = ()
    """What arrived of this case, in order, plaintext marked; and what the client said last."""
    commands: tuple[str, ...] = ()
    """What was run."""
    excused: bool = False
    """Whether nobody could ask it of this client."""

    @property
    def bad(self) -> bool:
        """Whether it makes an audit fail."""
        return not self.excused and self.verdict not in ("OK", "NON-STRICT", "INFORMATIONAL")

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "case": self.case.id,
            "section": self.case.section,
            "level": self.case.level,
            "requirement": self.case.requirement,
            "expected": self.case.arrives_as or self.case.expected,
            "verdict": self.verdict,
            "reason": self.reason,
            "bad": self.bad,
            "evidence": list(self.evidence),
            "commands": list(self.commands),
        }


class Audit:
    """Tries cases on a subject.

    Args:
        subject: who is graded.
        cases: ids; None for all.
        sealed: whether it runs in a sealed room: None for where there can be one.
        profile: expect what a browser by this profile does in each case, instead of what the RFC says.

    Raises:
        AuditError: an id is none.
    """

    def __init__(
        self,
        subject: Subject,
        cases: Iterable[str] | None = None,
        *,
        sealed: bool | None = None,
        profile: Profile | None = None,
    ) -> None:
        self.subject = subject
        wanted = list(dict.fromkeys(CASES if cases is None else cases))
        for name in wanted:
            if name not in CASES:
                some = ", ".join([*CASES][:3])
                raise AuditError(
                    f"a case is one of {some} … ({len(CASES)} in all: hstssim audit --list); seen {short(name)}"
                )
        self.cases = [CASES[name] for name in wanted]
        self._sealed = sealed
        self._profile = profile

    def run(self, told: Callable[[Result], None] = lambda result: None) -> list[Result]:
        """Try every case; `told` hears of each when it is done, in any order.

        Raises:
            LabError: a sealed room is demanded, and there can be none.
        """
        with ExitStack() as stack:
            lab = stack.enter_context(Lab())
            lab.site("127.0.0.1", sts="max-age=31536000", certificate="ip-address")
            lab.site(PRELOADED)
            room = None
            if self._sealed is not False:
                try:
                    room = stack.enter_context(lab.sealed())
                except LabError:
                    if self._sealed:
                        raise
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="hstssim-audit-"))
            place = Place(lab, room, Running())
            first = self._try(CASES["note"], place, folder)
            if first.verdict == "FAILED":
                first = first._replace(verdict="UNIMPLEMENTED")
            told(first)
            rest = [case for case in self.cases if case.id != "note"]
            results = {"note": first}
            if first.verdict in ("UNIMPLEMENTED", "NOT RUN"):
                results |= {case.id: Result(case, first.verdict, UNTRIED) for case in rest}
            else:
                pool = stack.enter_context(ThreadPoolExecutor(self.subject.at_once))
                stack.callback(pool.shutdown, cancel_futures=True)
                stack.callback(place.running.stop)  # an interrupted pool would wait for what it has begun
                tried = [pool.submit(self._try, case, place, folder) for case in rest]
                for done in as_completed(tried):
                    results[done.result().case.id] = done.result()
                    told(done.result())
            return [results[case.id] for case in self.cases]

    def _try(self, case: Case, place: Place, folder: str) -> Result:
        for ability in case.needs - self.subject.able:
            return Result(case, "NOT RUN", _UNABLE[ability], excused=True)
        if self._profile is not None:
            case = _Attempt(case, "expected", place, folder).as_by(self._profile)
        first = _Attempt(case, "1", place, folder).judge(self.subject)
        if first.verdict in ("OK", "NOT RUN"):
            return first
        second = _Attempt(case, "2", place, folder).judge(self.subject)
        if second.verdict == first.verdict:
            return first
        reason = f"two runs disagree: {first.reason}; then {second.reason}"
        evidence = (*first.evidence, *second.evidence)
        return Result(case, "INCONCLUSIVE", reason, evidence, (*first.commands, *second.commands))


class _Attempt:
    """One try at a case, with a host and paths of its own."""

    def __init__(self, case: Case, number: str, place: Place, folder: str) -> None:
        self._case = case
        self._place = place
        self._key = f"{case.id}-{number}"
        self._host = f"{self._key}.test"
        self._folder = os.path.join(folder, self._key)
        self._certificates: dict[str, Site] = {}

    def judge(self, subject: Subject) -> Result:
        """Have a subject take the steps, and say what came of it."""
        problem, session = self._take(subject)
        verdict, reason = self._verdict(problem, session.said)
        evidence = [*map(_shown, self._all()), f"the client: {session.said}"]
        excused = verdict == "NOT RUN" and (self._case.may_refuse or reason is _PORT_UNSEEN)
        return Result(self._case, verdict, reason, tuple(evidence), tuple(session.commands), excused)

    def as_by(self, profile: Profile) -> Case:
        """The case with the expectation that our own browser fulfils by the rules of a profile."""
        from hstssim.audit.reference import reference

        case = self._case
        problem, _ = self._take(reference(profile))
        if self._verdict(problem, "")[0] in ("OK", "NOT RUN"):
            return case
        probe = self._arrived("/probe")
        if any(request.plaintext for request in probe):
            case = case._replace(expected="plaintext", arrives_as=None)
        elif probe and case.arrives_as is not None:
            url = probe[-1].url.replace(f"/{self._key}/", "/").replace(self._host, "{h}")
            case = case._replace(expected="https", arrives_as=url)
        else:
            case = case._replace(expected="https" if probe else "nothing")
        return case._replace(requirement=f"{case.requirement} Otherwise by the profile {profile.name}.")

    def _take(self, subject: Subject) -> tuple[str | None, Session]:
        """Make the sites, take the steps, meet the control; gives why not all could be done, if so."""
        os.mkdir(self._folder)
        for made in self._case.sites:
            site = self._place.lab.site(self._filled(made.name), **made.options)
            self._certificates[made.name] = site
            for path, answer in made.answers.items():
                filled = dict(answer)
                if "redirect" in filled:
                    filled["redirect"] = self._url(filled["redirect"])
                site.on(f"/{self._key}{path}", **filled)
        control = self._filled(self._case.control)
        self._place.lab.site(control)
        session = subject.session(self._place, self._folder)
        try:
            problem = self._walk(session)
            said = session.said
            session.fetch([f"http://{control}/{self._key}/control"])
            session.said = said or session.said
        finally:
            session.close()
        return problem, session

    def _walk(self, session: Session) -> str | None:
        problem = None
        waiting: list[str] = []  # visits, which one run may do together
        for step in (*self._case.steps, None):
            if isinstance(step, Visit) and step.body is None:
                waiting.append(self._url(step.url))
                continue
            if waiting:
                problem = problem or session.fetch(waiting)
                waiting = []
            match step:
                case Visit(url, str(body)):
                    problem = problem or session.post(self._url(url), body)
                case Together(urls, parallel):
                    problem = problem or session.together([self._url(url) for url in urls], parallel)
                case Wait(seconds):
                    session.wait(seconds)
                case Change(certificate, site):
                    self._certificates[site].certificate = certificate
                    self._place.lab.cut(self._filled(site))
                case Restart():
                    session.restart()
        return problem

    def _verdict(self, problem: str | None, said: str) -> tuple[Verdict, str]:
        case = self._case
        control = self._arrived("/control")
        if not any(request.plaintext for request in control):
            if control:
                return "NOT RUN", "the control came over https: it upgrades hosts that it never met"
            why = "the control, http of a host that it had never met, did not arrive"
            return "NOT RUN", problem or (f"{why} ({said})" if said else why)
        probe = self._arrived("/probe")
        for url in case.urls:
            if "/probe" not in url and not self._heard(url):
                return "NOT RUN", f"{self._url(url)} did not arrive" + (f": {problem}" if problem else "")
        if problem and not probe:
            return "NOT RUN", problem
        if self._disordered(probe):
            return "NOT RUN", "it did not keep to the order of the URLs"
        clear = [request for request in probe if request.plaintext]
        secure = [request for request in probe if not request.plaintext]
        failed = _FAILED[case.level]
        if case.expected == "plaintext":
            if clear and not secure:
                return "OK", "the probe came in the clear, as it had to"
            seen = "the probe was upgraded" if secure else "nothing came of the probe: it was held back"
            return failed, seen
        if clear:
            return failed, "the probe came in the clear"
        leaked = self._leaked()
        if leaked is not None:
            return failed, f"{leaked.url} came in the clear, of a Known HSTS Host"
        if case.expected == "nothing":
            return (failed, "a request was sent, and none was to be") if secure else ("OK", "nothing was sent")
        if not secure:
            if case.expected == "no plaintext":
                return "OK", f"nothing was sent in the clear{self._unseen(probe)}"
            return failed, f"nothing came of the probe ({said})"
        if case.arrives_as is not None:
            hidden = [request for request in secure if request.port in self._lab_ports()]
            seen_as = {_without_port(request) if request in hidden else request.url for request in secure}
            if seen_as != {self._url(case.arrives_as)}:
                if hidden:
                    return "NOT RUN", _PORT_UNSEEN
                return failed, f"{self._url(case.arrives_as)} was to come; {secure[0].url} did"
        if case.body is not None and {(r.method, r.body_size) for r in secure} != {("POST", len(case.body))}:
            method, size = secure[0].method, secure[0].body_size
            return failed, f"a POST with {len(case.body)} bytes was to come; a {method} with {size} did"
        return "OK", f"the probe was upgraded{self._unseen(probe)}"

    def _heard(self, url: str) -> bool:
        """Whether a URL arrived, over TLS if it is https, or was not to."""
        certificate = next((made.options.get("certificate", "valid") for made in self._case.sites), "valid")
        if certificate != "valid":
            return True
        arrived = self._arrived("/" + url.partition("//")[2].partition("/")[2])
        return any(url.startswith("http:") or not request.plaintext for request in arrived)

    def _disordered(self, probe: Sequence[Request]) -> bool:
        """Whether the probe came before what was to be fetched first."""
        learned = [request for request in self._arrived("/learn") if not request.plaintext]
        before = any(url.endswith("/learn") and url.startswith("https") for url in self._case.urls)
        log = self._place.lab.requests
        return bool(before and learned and probe) and log.index(probe[0]) < log.index(learned[0])

    def _leaked(self) -> Request | None:
        """What else came in the clear of the probe's host after it had spoken over https: a robots.txt, say."""
        _, host = urls.parse(self._url(self._case.probe))
        heard = False
        for request in self._all():
            heard = heard or (not request.plaintext and request.target.startswith(f"/{self._key}/"))
            if heard and request.plaintext and request.host == host and "/probe" not in request.target:
                return request
        return None

    def _unseen(self, probe: Sequence[Request]) -> str:
        """What the case could not show of this client, for it did not come so far."""
        for made in self._case.sites:
            for answer in made.answers.values():
                if "/probe" in answer.get("redirect", "") and len(probe) < self._case.urls.count(PROBE.url) + 1:
                    return ", and no redirect followed"
                if "Set-Cookie" in answer.get("headers", ()) and not any(r.values("Cookie") for r in probe):
                    return ", and it sends no cookies"
        return ""

    def _lab_ports(self) -> tuple[int, ...]:
        """The ports that a client outside a room connects to, and may take for those that it asked for."""
        return () if self._place.room else (self._place.lab.http_port, self._place.lab.https_port)

    def _arrived(self, path: str) -> list[Request]:
        beginning = f"/{self._key}{path}"
        return [request for request in self._place.lab.requests if request.target.startswith(beginning)]

    def _all(self) -> list[Request]:
        """What arrived of this attempt: its paths, and whatever else was asked of its hosts."""
        path, own = f"/{self._key}/", re.compile(rf"(?:.*\.)?(?:x|control-)?{re.escape(self._host)}\.?").fullmatch
        return [r for r in self._place.lab.requests if r.target.startswith(path) or own(r.host)]

    def _filled(self, text: str) -> str:
        text = text.replace("{key}", self._key).replace("{h}", self._host).replace("{H}", self._host.upper())
        return text.replace("{h。}", self._host.replace(".", "。"))

    def _url(self, text: str) -> str:
        scheme, slashes, rest = self._filled(text).rpartition("//")
        host, _, path = rest.partition("/")
        return f"{scheme}{slashes}{host}/{self._key}/{path}"


def _without_port(request: Request) -> str:
    return request.url.replace(f":{request.port}", "", 1)


def _shown(request: Request) -> str:
    mark = "PLAINTEXT " if request.plaintext else ""
    return f"{mark}{request.method} {request.url} {request.status}"
