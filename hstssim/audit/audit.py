"""The audit: each case is tried in a lab, and judged by nothing but what arrived there.

Paths are unique to case and attempt, every case has a control host that the client never met, and what fails is
tried a second time. Never here: how a client is run (`subject.py`), what is asked of it (`cases.py`).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, Literal, NamedTuple

from hstssim.audit.cases import CASES, Case, Change, Restart, Visit, Wait
from hstssim.audit.subject import Place, Session, Subject
from hstssim.errors import AuditError, LabError, short
from hstssim.lab import Lab, Request, Site

Verdict = Literal["OK", "NON-STRICT", "FAILED", "UNIMPLEMENTED", "INFORMATIONAL", "INCONCLUSIVE", "NOT RUN"]
"""NON-STRICT: a SHOULD is not done; INFORMATIONAL: nor is a MAY; UNIMPLEMENTED: there is no HSTS;
INCONCLUSIVE: two runs disagree."""

_FAILED: dict[str, Verdict] = {"MUST": "FAILED", "SHOULD": "NON-STRICT", "MAY": "INFORMATIONAL"}

AT_ONCE = 12
"""Cases that are tried side by side: most of their time is waiting."""


class Result(NamedTuple):
    """What a case came to."""

    case: Case
    verdict: Verdict
    reason: str
    evidence: tuple[str, ...] = ()
    """What arrived of this case, in order, plaintext marked; and what the client said last."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "case": self.case.id,
            "section": self.case.section,
            "level": self.case.level,
            "requirement": self.case.requirement,
            "verdict": self.verdict,
            "reason": self.reason,
            "evidence": list(self.evidence),
        }


class Audit:
    """Tries cases on a subject.

    Args:
        subject: who is graded.
        cases: ids; None for all.
        sealed: whether it runs in a sealed room: None for where there can be one.

    Raises:
        AuditError: an id is none.
    """

    def __init__(
        self, subject: Subject, cases: Iterable[str] | None = None, *, sealed: bool | None = None
    ) -> None:
        self.subject = subject
        wanted = list(CASES) if cases is None else list(cases)
        for name in wanted:
            if name not in CASES:
                raise AuditError(f"a case is one of {', '.join(CASES)}; seen {short(name)}")
        self.cases = [CASES[name] for name in wanted]
        self._sealed = sealed

    def run(self, told: Callable[[Result], None] = lambda result: None) -> list[Result]:
        """Try every case; `told` hears of each when it is done, in any order.

        Raises:
            LabError: a sealed room is demanded, and there can be none.
        """
        with ExitStack() as stack:
            lab = stack.enter_context(Lab())
            lab.site("127.0.0.1", sts="max-age=31536000", certificate="ip-address")
            room = None
            if self._sealed is not False:
                try:
                    room = stack.enter_context(lab.sealed())
                except LabError:
                    if self._sealed:
                        raise
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="hstssim-audit-"))
            place = Place(lab, room)
            first = self._try(CASES["note"], place, folder)
            without = first.verdict == "FAILED"
            results = {"note": first._replace(verdict="UNIMPLEMENTED") if without else first}
            if without:
                reason = "the client notes no host (see note)"
                results |= {
                    case.id: Result(case, "UNIMPLEMENTED", reason) for case in self.cases if case.id != "note"
                }
            else:
                with ThreadPoolExecutor(AT_ONCE) as pool:
                    rest = [case for case in self.cases if case.id != "note"]
                    for result in pool.map(lambda case: self._try(case, place, folder), rest):
                        results[result.case.id] = result
                        told(result)
            return [results[case.id] for case in self.cases]

    def _try(self, case: Case, place: Place, folder: str) -> Result:
        first = _Attempt(case, 1, place, folder).judge(self.subject)
        if first.verdict in ("OK", "NOT RUN"):
            return first
        second = _Attempt(case, 2, place, folder).judge(self.subject)
        if second.verdict == first.verdict:
            return first
        reason = f"two runs disagree: {first.reason}; then {second.reason}"
        return Result(case, "INCONCLUSIVE", reason, (*first.evidence, *second.evidence))


class _Attempt:
    """One try at a case, with a host and paths of its own."""

    def __init__(self, case: Case, number: int, place: Place, folder: str) -> None:
        self._case = case
        self._place = place
        self._key = f"{case.id}-{number}"
        self._host = f"{self._key}.test"
        self._folder = os.path.join(folder, self._key)
        self._certificates: dict[str, Site] = {}

    def judge(self, subject: Subject) -> Result:
        case = self._case
        os.mkdir(self._folder)
        for made in case.sites:
            name = self._filled(made.name)
            site = self._place.lab.site(name, **made.options)
            self._certificates[made.name] = site
            for path, answer in made.answers.items():
                filled = dict(answer)
                if "redirect" in filled:
                    filled["redirect"] = self._url(filled["redirect"])
                site.on(f"/{self._key}{path}", **filled)
        control = f"control-{self._host}"
        self._place.lab.site(control)
        session = subject.session(self._place, self._folder)
        problem = None
        for urls in self._steps(session):
            problem = problem or (urls if isinstance(urls, str) else session.fetch(urls))
        said = session.said
        session.fetch([f"http://{control}/{self._key}/control"])
        session.close()
        verdict, reason = self._verdict(problem)
        evidence = [*map(_shown, self._arrived("")), f"the client: {said}"]
        return Result(case, verdict, reason, tuple(evidence))

    def _steps(self, session: Session) -> Iterator[list[str] | str]:
        """The URLs that are fetched one after the other; between them what else the case says is done."""
        urls: list[str] = []
        for step in self._case.steps:
            if isinstance(step, Visit):
                urls.append(self._url(step.url))
                continue
            yield urls
            urls = []
            match step:
                case Wait(seconds):
                    session.wait(seconds)
                case Change(certificate, site):
                    self._certificates[site].certificate = certificate
                    self._place.lab.cut(self._filled(site))
                case Restart():
                    yield session.restart() or []
        yield urls

    def _verdict(self, problem: str | None) -> tuple[Verdict, str]:
        case = self._case
        if not any(request.plaintext for request in self._arrived("/control")):
            why = problem or "the control, http of a host that it had never met, did not arrive"
            return "NOT RUN", why
        for step in case.steps[:-1]:
            if isinstance(step, Visit) and step.url.startswith("https:") and not self._heard(step.url):
                return "NOT RUN", f"{self._url(step.url)} did not arrive"
        probe = self._arrived("/probe")
        clear = [request for request in probe if request.plaintext]
        secure = [request for request in probe if not request.plaintext]
        failed = _FAILED[case.level]
        match case.expected:
            case "plaintext" if clear and not secure:
                return "OK", "the probe came in the clear, as it had to"
            case "plaintext":
                return (
                    failed,
                    "the probe was upgraded" if secure else "nothing came of the probe: it was held back",
                )
            case "nothing" if not probe:
                return "OK", "nothing was sent"
            case "no plaintext" if not clear:
                return "OK", "the probe was upgraded" if secure else "nothing was sent in the clear"
            case "nothing" if not clear:
                return failed, "the request was sent in spite of the certificate"
        if clear:
            return failed, "the probe came in the clear"
        if not secure:
            return failed, "nothing came of the probe" + (f": {problem}" if problem else "")
        if case.arrives_as is not None and {request.url for request in secure} != {self._url(case.arrives_as)}:
            return failed, f"{self._url(case.arrives_as)} was to come; {secure[0].url} did"
        return "OK", "the probe was upgraded"

    def _heard(self, url: str) -> bool:
        """Whether a URL arrived over TLS, or was not to."""
        certificate = next((made.options.get("certificate", "valid") for made in self._case.sites), "valid")
        path = "/" + url.partition("//")[2].partition("/")[2]
        return certificate != "valid" or any(not request.plaintext for request in self._arrived(path))

    def _arrived(self, path: str) -> list[Request]:
        beginning = f"/{self._key}{path}"
        return [request for request in self._place.lab.requests if request.target.startswith(beginning)]

    def _filled(self, text: str) -> str:
        text = text.replace("{h}", self._host).replace("{H}", self._host.upper())
        return text.replace("{h。}", self._host.replace(".", "。"))

    def _url(self, text: str) -> str:
        scheme, slashes, rest = self._filled(text).rpartition("//")
        host, _, path = rest.partition("/")
        return f"{scheme}{slashes}{host}/{self._key}/{path}"


def _shown(request: Request) -> str:
    mark = "PLAINTEXT " if request.plaintext else ""
    return f"{mark}{request.method} {request.url} {request.status}"
