"""What a client has to do, case by case, by the sections of RFC 6797.

A case is data: sites, steps, and what may arrive at the lab of the probe, a URL. In the texts, `{h}` is a
host that no other case has. Never here: how a client is run, or what is said of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

Level = Literal["MUST", "SHOULD", "MAY"]
Expectation = Literal["https", "plaintext", "no plaintext", "nothing"]
"""What may arrive of the probe: `https` and nothing else, `plaintext` (the host is not to be known), anything that
is not in the clear, or nothing at all (the connection has to be ended)."""

YEAR = "max-age=31536000"
BELOW = f"{YEAR}; includeSubDomains"
LASTS = 2.3
"""Seconds after which a max-age of 1 has surely ended, also for clocks of whole seconds."""


_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Visit(NamedTuple):
    """The client fetches a URL, in a run of its own if it is a program; it POSTs a body, if there is one."""

    url: str
    body: str | None = None


class Together(NamedTuple):
    """The client fetches several URLs in one run, one after the other or at the same time."""

    urls: tuple[str, ...]
    parallel: bool = False


class Wait(NamedTuple):
    """Time passes."""

    seconds: float


class Change(NamedTuple):
    """The certificate of a site becomes another."""

    certificate: str
    site: str = "{h}"


class Restart(NamedTuple):
    """The client ends and begins again with the state that it kept."""


Step = Visit | Together | Wait | Change | Restart

Ability = Literal["post", "several"]
"""What not every client can be told to do: POST a body, fetch several URLs in one run."""

PRELOADED = "hstspreload.org"
"""A host that every preload list has."""


class Made(NamedTuple):
    """A site of a case; what its paths answer, by path."""

    name: str = "{h}"
    options: Mapping[str, Any] = _NOTHING
    answers: Mapping[str, dict[str, Any]] = _NOTHING


class Case(NamedTuple):
    """One requirement, and how it is tried."""

    id: str
    section: str
    level: Level
    requirement: str
    sites: tuple[Made, ...]
    steps: tuple[Step, ...]
    expected: Expectation = "https"
    arrives_as: str | None = None
    """The URL as which the probe has to arrive, where that is more than the scheme."""
    may_refuse: bool = False
    """Whether a client may refuse to fetch what has to be fetched first: that is no fault in its HSTS."""
    control: str = "control-{h}"
    """A host that the client never met: it has to come in the clear, or what came was not HSTS."""

    @property
    def urls(self) -> list[str]:
        """What is fetched, in order; the verdict is about the last."""
        found = ((step.url,) if isinstance(step, Visit) else getattr(step, "urls", ()) for step in self.steps)
        return [url for some in found for url in some]

    @property
    def probe(self) -> str:
        """The URL that the verdict is about: the last that is fetched, or that to which it redirects."""
        redirects: list[str] = [
            answer.get("redirect", "") for made in self.sites for answer in made.answers.values()
        ]
        return next(url for url in (self.urls[-1], *redirects) if "/probe" in url)

    @property
    def body(self) -> str | None:
        """What the probe has to bring along as a POST."""
        return next((step.body for step in self.steps if isinstance(step, Visit) and step.body), None)

    @property
    def needs(self) -> frozenset[Ability]:
        """What a client has to be able to do."""
        several: list[Ability] = ["several"] if any(isinstance(step, Together) for step in self.steps) else []
        return frozenset([*several, *(["post"] if self.body is not None else [])])  # type: ignore[list-item]


LEARN, PROBE = Visit("https://{h}/learn"), Visit("http://{h}/probe")

BESIDE, BESIDE_IT = Made("x{h}", {"sts": YEAR}), Visit("https://x{h}/beside")
"""Another host that stays known: wget does not write its file anew when its last entry goes."""


def _policy(*fields: str, **options: Any) -> tuple[Made, ...]:
    return (Made(options={"sts": list(fields), **options}),)


def _paths(**answers: Any) -> tuple[Made, ...]:
    return (Made(answers={f"/{name}": {"sts": sts} for name, sts in answers.items()}),)


def _syntax(
    name: str, field: str, requirement: str, expected: Expectation = "https", level: Level = "MUST"
) -> Case:
    return Case(f"syntax-{name}", "6.1", level, requirement, _policy(field), (LEARN, PROBE), expected)


def _ends(kind: str) -> Case:
    return Case(
        f"tls-error-{kind}",
        "8.4",
        "MUST",
        f"A connection to a Known HSTS Host with a certificate that is {kind} is terminated.",
        _policy(YEAR),
        (LEARN, Change(kind), PROBE),
        "nothing",
    )


def _unheard(kind: str) -> Case:
    return Case(
        f"note-tls-error-{kind}",
        "8.1",
        "MUST",
        f"A field that comes with a certificate that is {kind} is not heeded.",
        _policy(YEAR, certificate=kind),
        (LEARN, Change("valid"), PROBE),
        "plaintext",
    )


def _status(status: int) -> Case:
    answers = {"/learn": {"status": status, "sts": YEAR}}
    if status == 302:
        answers["/learn"]["redirect"] = "/elsewhere"
    requirement = f"The field is heeded in a response of any status, {status} too."
    return Case(f"note-status-{status}", "8.1", "MUST", requirement, (Made(answers=answers),), (LEARN, PROBE))


def _all() -> Sequence[Case]:
    return (
        Case(
            "note",
            "8.1",
            "MUST",
            "A host whose response over error-free TLS carries the field is noted as a Known HSTS Host.",
            _policy(YEAR),
            (LEARN, PROBE),
        ),
        # §6.1
        _syntax("order", f"includeSubDomains; {YEAR}", "The order of directives is not significant."),
        _syntax("name-case", "MAX-AGE=31536000", "Directive names are case-insensitive."),
        _syntax("quoted", 'max-age="31536000"', "A directive's value may be a quoted-string."),
        _syntax(
            "spaces",
            "max-age = 31536000 ; preload",
            "Space may stand around = and ; (implied *LWS).",
            level="SHOULD",
        ),
        _syntax("empty-directives", f";; {YEAR} ;;", "Empty directives are allowed."),
        _syntax("unknown", f"{YEAR}; report=yes", "Unknown directives are ignored, and the rest is heeded."),
        _syntax("unknown-first", f"report=yes; {YEAR}", "Unknown directives are ignored, wherever they stand."),
        _syntax("unknown-valueless", f"{YEAR}; preload", "An unknown directive without a value is ignored."),
        _syntax(
            "unknown-quoted",
            f'report="a; b"; {YEAR}',
            "An unknown directive's quoted value may hold a semicolon.",
        ),
        _syntax("no-max-age", "includeSubDomains", "Without max-age the field is ignored.", "plaintext"),
        _syntax("empty", "", "An empty field is ignored.", "plaintext"),
        _syntax("max-age-empty", "max-age=", "max-age without a number makes the field invalid.", "plaintext"),
        _syntax("max-age-valueless", "max-age", "max-age without a value makes the field invalid.", "plaintext"),
        _syntax("max-age-negative", "max-age=-1", "A max-age is digits alone: -1 is none.", "plaintext"),
        _syntax("max-age-letters", f"{YEAR}y", "A max-age is digits alone: no letter follows.", "plaintext"),
        _syntax("max-age-fraction", "max-age=300.5", "A max-age is digits alone: 300.5 is none.", "plaintext"),
        _syntax("max-age-twice", f"{YEAR}; {YEAR}", "No directive appears twice.", "plaintext"),
        _syntax("include-twice", f"{BELOW}; includeSubDomains", "No directive appears twice.", "plaintext"),
        _syntax("comma", f"{YEAR}, includeSubDomains", "Directives are parted by semicolons.", "plaintext"),
        _syntax("garbage", "=;!", "A field outside the grammar is ignored.", "plaintext"),
        _syntax(
            "large-max-age",
            "max-age=99999999999",
            "A max-age beyond 32 bits is no fault.",
            level="SHOULD",
        ),
        # §8.1
        Case(
            "note-plaintext",
            "8.1",
            "MUST",
            "A field that comes over plaintext is ignored.",
            (Made(answers={"/learn": {"sts": YEAR, "scheme": "http"}}),),
            (Visit("http://{h}/learn"), PROBE),
            "plaintext",
        ),
        Case(
            "note-first-field",
            "8.1",
            "MUST",
            "Of several fields the first alone counts.",
            _policy(YEAR, "max-age=0"),
            (LEARN, PROBE),
        ),
        Case(
            "note-first-field-zero",
            "8.1",
            "MUST",
            "Of several fields the first alone counts, though it be max-age=0.",
            _policy("max-age=0", YEAR),
            (LEARN, PROBE),
            "plaintext",
        ),
        Case(
            "note-ip-address",
            "8.1.1",
            "MUST",
            "A host that is an IP address is never noted.",
            (),
            (Visit("https://127.0.0.1/learn"), Visit("http://127.0.0.1/probe")),
            "plaintext",
        ),
        _status(302),
        _status(404),
        _status(500),
        _unheard("expired"),
        _unheard("self-signed"),
        _unheard("wrong-name"),
        Case(
            "update-longer",
            "8.1",
            "MUST",
            "A later field's max-age takes the place of the earlier.",
            _paths(learn="max-age=1", more=YEAR),
            (LEARN, Visit("https://{h}/more"), Wait(LASTS), PROBE),
        ),
        Case(
            "update-shorter",
            "8.1",
            "MUST",
            "A later field's max-age takes the place of the earlier, though it be shorter.",
            _paths(learn=YEAR, less="max-age=1"),
            (LEARN, Visit("https://{h}/less"), Wait(LASTS), PROBE),
            "plaintext",
        ),
        Case(
            "update-zero",
            "6.1.1",
            "MUST",
            "max-age=0 says to forget the host.",
            (*_paths(learn=YEAR, bye="max-age=0"), BESIDE),
            (BESIDE_IT, LEARN, Visit("https://{h}/bye"), PROBE),
            "plaintext",
        ),
        Case(
            "update-absent",
            "8.1",
            "MUST",
            "A response without the field changes nothing.",
            _paths(learn=YEAR),
            (LEARN, Visit("https://{h}/silent"), PROBE),
        ),
        Case(
            "update-invalid",
            "8.1",
            "MUST",
            "An invalid field changes nothing.",
            (*_paths(learn=YEAR, odd="max-age="), BESIDE),
            (BESIDE_IT, LEARN, Visit("https://{h}/odd"), PROBE),
        ),
        Case(
            "zero-unknown",
            "6.1.1",
            "MUST",
            "max-age=0 notes nothing.",
            _policy("max-age=0"),
            (LEARN, PROBE),
            "plaintext",
        ),
        Case(
            "expiry",
            "8.1.1",
            "MUST",
            "A Known HSTS Host is one no longer after max-age seconds.",
            _policy("max-age=1"),
            (LEARN, Wait(LASTS), PROBE),
            "plaintext",
        ),
        # §8.2, includeSubDomains
        Case(
            "subdomain",
            "8.2",
            "MUST",
            "With includeSubDomains the names below a Known HSTS Host match.",
            _policy(BELOW),
            (LEARN, Visit("http://a.{h}/probe")),
        ),
        Case(
            "subdomain-deep",
            "8.2",
            "MUST",
            "With includeSubDomains names at any depth match.",
            _policy(BELOW),
            (LEARN, Visit("http://a.b.c.{h}/probe")),
        ),
        Case(
            "subdomain-apart",
            "8.2",
            "MUST",
            "Without includeSubDomains the names below do not match.",
            _policy(YEAR),
            (LEARN, Visit("http://a.{h}/probe")),
            "plaintext",
        ),
        Case(
            "subdomain-parent",
            "8.2",
            "MUST",
            "A policy of a name below says nothing of those above.",
            _policy(BELOW),
            (Visit("https://a.{h}/learn"), PROBE),
            "plaintext",
        ),
        Case(
            "subdomain-sibling",
            "8.2",
            "MUST",
            "A policy of a name says nothing of the names beside it.",
            _policy(BELOW),
            (Visit("https://a.{h}/learn"), Visit("http://b.{h}/probe")),
            "plaintext",
        ),
        Case(
            "subdomain-suffix",
            "8.2",
            "MUST",
            "Names match by whole labels: what merely ends in the same letters does not.",
            (*_policy(BELOW), Made("x{h}")),
            (LEARN, Visit("http://x{h}/probe")),
            "plaintext",
        ),
        Case(
            "subdomain-dropped",
            "8.1",
            "MUST",
            "A later field without includeSubDomains ends it.",
            _paths(learn=BELOW, less=YEAR),
            (LEARN, Visit("https://{h}/less"), Visit("http://a.{h}/probe")),
            "plaintext",
        ),
        Case(
            "subdomain-added",
            "8.1",
            "MUST",
            "A later field may add includeSubDomains.",
            _paths(learn=YEAR, more=BELOW),
            (LEARN, Visit("https://{h}/more"), Visit("http://a.{h}/probe")),
        ),
        Case(
            "subdomain-zero",
            "8.2",
            "MUST",
            "A name that is told to be forgotten still matches the name above with includeSubDomains.",
            (Made(answers={"/learn": {"sts": BELOW}, "/bye": {"sts": "max-age=0"}}),),
            (LEARN, Visit("https://a.{h}/bye"), Visit("http://a.{h}/probe")),
        ),
        Case(
            "host-case",
            "8.2",
            "MUST",
            "Host names are compared without regard to case.",
            _policy(YEAR),
            (LEARN, Visit("http://{H}/probe")),
        ),
        Case(
            "host-idn",
            "10",
            "MUST",
            "A name in letters beyond ASCII is compared by its A-label.",
            (Made("xn--bcher-kva.{h}", {"sts": YEAR}),),
            (Visit("https://xn--bcher-kva.{h}/learn"), Visit("http://bücher.{h}/probe")),
            "no plaintext",
        ),
        # §8.3
        Case(
            "port-80",
            "8.3",
            "MUST",
            "An explicit port 80 becomes 443.",
            _policy(YEAR),
            (LEARN, Visit("http://{h}:80/probe")),
            arrives_as="https://{h}/probe",
        ),
        Case(
            "port-other",
            "8.3",
            "MUST",
            "Another explicit port stays.",
            _policy(YEAR),
            (LEARN, Visit("http://{h}:8080/probe")),
            arrives_as="https://{h}:8080/probe",
        ),
        Case(
            "path-and-query",
            "8.3",
            "MUST",
            "Nothing of the URL but its scheme and port is changed.",
            _policy(YEAR),
            (LEARN, Visit("http://{h}/probe?a=b%20c&d=%C3%A9")),
            arrives_as="https://{h}/probe?a=b%20c&d=%C3%A9",
        ),
        Case(
            "method-and-body",
            "8.3",
            "MUST",
            "A POST is upgraded with its method and body.",
            _policy(YEAR),
            (LEARN, Visit("http://{h}/probe", "drink=coffee")),
        ),
        Case(
            "method-and-body-redirected",
            "8.3",
            "MUST",
            "A POST that a 307 of another host leads to a Known HSTS Host keeps its method and body.",
            (
                *_policy(YEAR),
                Made("x{h}", {}, {"/jump": {"redirect": "http://{h}/probe", "status": 307}}),
            ),
            (LEARN, Visit("http://x{h}/jump", "drink=coffee")),
            "no plaintext",
        ),
        Case(
            "redirect-to-plaintext",
            "8.3",
            "MUST",
            "A redirect from https to http of a Known HSTS Host is not followed in the clear.",
            (Made(options={"sts": YEAR}, answers={"/jump": {"redirect": "http://{h}/probe"}}),),
            (Visit("https://{h}/jump"), Visit("http://{h}/probe")),
        ),
        Case(
            "redirect-from-elsewhere",
            "8.3",
            "MUST",
            "A redirect of another host to http of a Known HSTS Host is not followed in the clear.",
            (*_policy(YEAR), Made("x{h}", {}, {"/jump": {"redirect": "http://{h}/probe"}})),
            (LEARN, Visit("http://x{h}/jump")),
            "no plaintext",
        ),
        Case(
            "cookie",
            "8.3",
            "MUST",
            "A cookie without Secure does not travel in the clear to a Known HSTS Host.",
            (Made(answers={"/learn": {"sts": YEAR, "headers": {"Set-Cookie": "session=secret; Path=/"}}}),),
            (LEARN, PROBE),
        ),
        # §8.4
        _ends("expired"),
        _ends("self-signed"),
        _ends("wrong-name"),
        _ends("unknown-issuer"),
        # persistence
        Case(
            "persistence",
            "8.1",
            "SHOULD",
            "A Known HSTS Host is known in the next run, too.",
            _policy(YEAR),
            (LEARN, Restart(), PROBE),
        ),
        Case(
            "persistence-subdomain",
            "8.1",
            "SHOULD",
            "includeSubDomains is kept for the next run, too.",
            _policy(BELOW),
            (LEARN, Restart(), Visit("http://a.{h}/probe")),
        ),
        Case(
            "persistence-zero",
            "8.1",
            "SHOULD",
            "What was forgotten stays so in the next run.",
            (*_paths(learn=YEAR, bye="max-age=0"), BESIDE),
            (BESIDE_IT, LEARN, Visit("https://{h}/bye"), Restart(), PROBE),
            "plaintext",
        ),
        # §12
        Case(
            "preload",
            "12.3",
            "MAY",
            "A host of the preload list is known before the first visit.",
            (),
            (Visit(f"http://{PRELOADED}/probe"),),
            control="{key}-control.com",
        ),
        # published faults
        Case(
            "cve-2022-30115",
            "8.2",
            "MAY",  # to the RFC it is another name
            "A dot at the end of the name does not lead around HSTS (curl before 7.83.1; wget).",
            _policy(YEAR),
            (LEARN, Visit("http://{h}./probe")),
            "no plaintext",
        ),
        Case(
            "cve-2022-42916",
            "8.2",
            "MUST",
            "An ideographic full stop in the name does not lead around HSTS (curl before 7.86.0).",
            _policy(YEAR),
            (LEARN, Visit("http://{h。}/probe")),
            "no plaintext",
        ),
        Case(
            "cve-2022-43551",
            "8.1",
            "MUST",
            "A policy learned under a name with an ideographic full stop counts (curl before 7.87.0).",
            _policy(YEAR),
            (Visit("https://{h。}/learn"), PROBE),
            may_refuse=True,
        ),
        Case(
            "cve-2023-23914",
            "8.1",
            "MUST",
            "A policy that is learned counts for the URLs that follow in the same run (curl before 7.88.0).",
            _policy(YEAR),
            (Together(("https://{h}/learn", "http://{h}/probe")),),
        ),
        Case(
            "cve-2023-23915",
            "8.1",
            "MUST",
            "Of several policies that come at the same time none is lost (curl before 7.88.0).",
            (*_policy(YEAR), Made("x{h}", {"sts": YEAR})),
            (
                Together(("https://{h}/learn", "https://x{h}/learn"), parallel=True),
                Restart(),
                Visit("http://x{h}/probe"),
                PROBE,
            ),
        ),
        Case(
            "cve-2024-9681",
            "8.1",
            "MUST",
            "An expiry of a name below does not become that of the name above (curl before 8.11.1).",
            (Made(options={"sts": BELOW}), Made("a.{h}", {"sts": "max-age=1"})),
            (LEARN, Visit("https://a.{h}/learn"), Wait(LASTS), PROBE),
        ),
        Case(
            "wget-ports",
            "8.3",
            "MUST",
            "A policy learned at one port counts at the others (wget keeps entries by port).",
            _policy(YEAR),
            (Visit("https://{h}:8443/learn"), PROBE),
        ),
        Case(
            "wget-trailing-dot",
            "8.2",
            "MAY",
            "A policy learned under a name with a dot at its end counts without it (curl before 7.83.1; wget).",
            _policy(YEAR),
            (Visit("https://{h}./learn"), PROBE),
            may_refuse=True,
        ),
    )


CASES: dict[str, Case] = {case.id: case for case in _all()}
"""All cases by id, in the order in which they are told."""
