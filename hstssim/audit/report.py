"""What an audit found, told: as text, JSON, JUnit XML, and one HTML page that needs nothing else.

Never here: verdicts.
"""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from typing import NamedTuple
from xml.etree import ElementTree

from hstssim.audit.audit import UNTRIED, Result, Verdict
from hstssim.audit.cases import CASES

VERDICTS: tuple[Verdict, ...] = (
    "OK",
    "NON-STRICT",
    "FAILED",
    "UNIMPLEMENTED",
    "INFORMATIONAL",
    "INCONCLUSIVE",
    "NOT RUN",
)
_SIGNS = {
    "OK": "✓",
    "NON-STRICT": "~",
    "FAILED": "✗",
    "UNIMPLEMENTED": "∅",
    "INFORMATIONAL": "i",
    "INCONCLUSIVE": "?",
    "NOT RUN": "\N{EM DASH}",
}


class Audited(NamedTuple):
    """What became of a client."""

    name: str
    version: str
    results: Sequence[Result]


class About(NamedTuple):
    """When and how clients were audited."""

    date: str
    """ISO 8601."""
    version: str
    """Of hstssim."""
    profile: str | None = None
    """Whose behaviour was expected; None for the RFC."""


def summary(results: Sequence[Result]) -> str:
    """How many of each verdict."""
    count = Counter(result.verdict for result in results)
    return ", ".join(f"{count[verdict]} {verdict}" for verdict in VERDICTS if count[verdict])


def unexpected(result: Result, allowed: Container[str]) -> bool:
    """Whether it was expected to fail, and did not."""
    return result.verdict == "OK" and result.case.id in allowed


def lines(results: Sequence[Result]) -> Iterator[str]:
    """A table: one line a case, and the evidence of those that are not OK."""
    width = max(len(result.case.id) for result in results)
    untried = [result for result in results if result.reason == UNTRIED]
    for result in results:
        case = result.case
        if result.reason == UNTRIED:
            continue
        yield f"{result.verdict:13} {case.id:{width}}  §{case.section:6} {case.level:6} {case.requirement}"
        if result.verdict != "OK":
            yield f"{'':13} {result.reason}"
            for seen in result.evidence:
                yield f"{'':13}   {seen}"
    if untried and untried[0].verdict == "UNIMPLEMENTED":
        yield "It notes no host, or keeps none for its next run: the other cases were not tried."
    elif untried:
        yield "The other cases were not tried."


def as_json(audits: Sequence[Audited], about: About) -> str:
    """One object: date, versions, and each client's results."""
    clients = [
        {"name": name, "version": version, "results": [result.as_dict() for result in results]}
        for name, version, results in audits
    ]
    content = {"date": about.date, "hstssim": about.version, "profile": about.profile, "clients": clients}
    return json.dumps(content, indent=1, ensure_ascii=False)


def as_junit(audits: Sequence[Audited], allowed: Container[str] = ()) -> str:
    """JUnit XML: a suite a client, a testcase a case; it fails where the audit does.

    What is bad is a failure, or an error if it was not run; what is `allowed` to be, or nobody could ask of the
    client, is skipped. What is allowed to be bad and is OK is a failure.
    """
    root = ElementTree.Element("testsuites")
    for name, version, results in audits:
        suite = ElementTree.SubElement(root, "testsuite", name=_xml(name))
        properties = ElementTree.SubElement(suite, "properties")
        ElementTree.SubElement(properties, "property", name="version", value=_xml(version))
        count = Counter(tests=len(results), failures=0, errors=0, skipped=0)
        for result in results:
            case = ElementTree.SubElement(suite, "testcase", classname=_xml(name), name=result.case.id)
            text = _xml("\n".join([result.case.requirement, result.reason, *result.evidence]))
            told = _xml(f"{result.verdict}: {result.reason}")
            if unexpected(result, allowed):
                count["failures"] += 1
                ElementTree.SubElement(case, "failure", message="it was expected to fail, and did not").text = text
            elif result.excused or (result.bad and result.case.id in allowed):
                count["skipped"] += 1
                ElementTree.SubElement(case, "skipped", message=told).text = text
            elif result.bad:
                kind, counted = ("error", "errors") if result.verdict == "NOT RUN" else ("failure", "failures")
                count[counted] += 1
                ElementTree.SubElement(case, kind, message=told, type=result.verdict).text = text
            else:
                ElementTree.SubElement(case, "system-out").text = text
        suite.attrib |= {key: str(number) for key, number in count.items()}
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _xml(text: str) -> str:
    return "".join(letter if letter in "\n\t" or " " <= letter < "\ud800" else "\ufffd" for letter in text)


# ── the page

_STYLE = """
:root { color-scheme: light dark; --back: light-dark(#fff, #16181d); --text: light-dark(#1b1f24, #e6e8eb);
  --line: light-dark(#d5d9de, #3a3f47); --OK: light-dark(#cfe8ff, #0f3a5f);
  --NON-STRICT: light-dark(#fff0c2, #57470d); --FAILED: light-dark(#f5b48a, #8a3b0a);
  --UNIMPLEMENTED: light-dark(#dcdfe4, #343941);
  --INFORMATIONAL: light-dark(#eef1f4, #252a31); --INCONCLUSIVE: light-dark(#ecd6f5, #4b2a5c);
  --NOTRUN: light-dark(#f6f7f9, #1e2127) }
body { margin: 1.5rem; font: 15px/1.5 system-ui, sans-serif; background: var(--back); color: var(--text) }
h1 { font-size: 1.4rem; margin: 0 0 .5rem } .bar { display: flex; gap: .75rem; flex-wrap: wrap; margin: 1rem 0 }
input, select { font: inherit; padding: .3rem .5rem; border: 1px solid var(--line); border-radius: 4px;
  background: var(--back); color: var(--text); max-width: 100% }
.wide { overflow: auto; max-height: 90vh } table { border-collapse: collapse }
th, td { border: 1px solid var(--line); padding: .25rem .5rem; text-align: left; vertical-align: top }
thead th { position: sticky; top: 0; background: var(--back) } td.cell { padding: 0; text-align: center }
td.cell button { all: unset; box-sizing: border-box; display: block; width: 100%; min-width: 2.5rem;
  padding: .25rem; cursor: pointer; text-align: center }
td.cell button:focus-visible { outline: 2px solid currentColor }
.key span { display: inline-block; margin: .1rem 0; padding: .1rem .5rem; border: 1px solid var(--line) }
small { opacity: .75 }
dialog { max-width: min(46rem, 92vw); border: 1px solid var(--line); border-radius: 6px; background: var(--back);
  color: var(--text) } dialog pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 13px }
tbody th { position: sticky; left: 0; background: var(--back); white-space: nowrap }
thead th:first-child { left: 0; z-index: 1 } .requirement { min-width: 18rem }
@media (max-width: 600px) { body { margin: .75rem } .requirement { display: none }
  tbody th { white-space: normal } }
"""
_SCRIPT = """
const data = JSON.parse(document.getElementById("data").textContent), drawer = document.querySelector("dialog")
const put = (part, text) => { drawer.querySelector(part).textContent = text }
document.querySelector("tbody").addEventListener("click", event => {
  const cell = event.target.closest("button"); if (!cell) return
  const result = data[cell.dataset.client][cell.dataset.case]
  put("h2", cell.dataset.client + ": " + result.case); put(".verdict", result.verdict + ": " + result.reason)
  put(".says", "RFC 6797 §" + result.section + " (" + result.level + "): " + result.requirement)
  put(".expected", "Expected of the probe: " + result.expected)
  put("pre", [...result.evidence, ...result.commands.map(line => "$ " + line)].join("\\n")); drawer.showModal() })
drawer.addEventListener("click", event => { if (event.target === drawer) drawer.close() })
const words = document.getElementById("words"), only = document.getElementById("only")
const filter = () => { for (const row of document.querySelectorAll("tbody tr")) row.hidden =
  !row.textContent.toLowerCase().includes(words.value.toLowerCase()) ||
  (only.value !== "" && !row.querySelector(`[data-verdict="${only.value}"]`)) }
words.addEventListener("input", filter); only.addEventListener("input", filter)
"""


def as_html(audits: Sequence[Audited], about: About) -> str:
    """One page: a matrix of cases and clients, a filter, and what was seen behind each cell."""
    by_case = {name: {result.case.id: result for result in results} for name, _, results in audits}
    wanted = [case for case in CASES.values() if any(case.id in results for results in by_case.values())]
    rows = []
    for case in wanted:
        cells = "".join(_cell(name, results.get(case.id)) for name, results in by_case.items())
        told = f'<td class="requirement">{html.escape(case.requirement)}</td>'
        rows.append(
            f"<tr><th scope=row>{case.id}<br><small>§{case.section} {case.level}</small></th>{cells}{told}</tr>"
        )
    heads = "".join(
        f"<th scope=col>{html.escape(name)}<br><small>{html.escape(version)}<br>"
        f"{sum(r.verdict == 'OK' for r in results)} OK</small></th>"
        for name, version, results in audits
    )
    key = " ".join(
        f'<span style="background: var(--{_name(verdict)})">{_SIGNS[verdict]} {verdict}</span>'
        for verdict in VERDICTS
    )
    options = "".join(f"<option>{verdict}</option>" for verdict in VERDICTS)
    data = {name: {key: result.as_dict() for key, result in found.items()} for name, found in by_case.items()}
    whose = "RFC 6797" if about.profile is None else f"What the profile {about.profile} does"
    embedded = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>HSTS audit</title><style>{_STYLE}</style>
<h1>What clients make of HSTS</h1>
<p>{html.escape(whose)}, case by case; {html.escape(about.date)}, hstssim {html.escape(about.version)}. Judged by
what arrived.</p>
<p class="key">{key}</p>
<div class="bar"><input id="words" type="search" placeholder="filter cases" aria-label="filter cases">
<select id="only" aria-label="verdict"><option value="">every verdict</option>{options}</select></div>
<div class="wide"><table><thead><tr><th scope=col>case</th>{heads}
<th scope=col class="requirement">requirement</th></tr></thead>
<tbody>{"".join(rows)}</tbody></table></div>
<dialog><form method="dialog"><button>close</button></form><h2></h2><p class="says"></p><p class="expected"></p>
<p class="verdict"></p><pre></pre></dialog>
<script type="application/json" id="data">{embedded}</script><script>{_SCRIPT}</script></html>
"""


def _cell(client: str, result: Result | None) -> str:
    if result is None:
        return "<td></td>"
    verdict = result.verdict
    return (
        f'<td class="cell" style="background: var(--{_name(verdict)})">'
        f'<button data-client="{html.escape(client)}" '
        f'data-case="{result.case.id}" data-verdict="{verdict}" title="{verdict}: {html.escape(result.reason)}" '
        f'aria-label="{html.escape(client)}, {result.case.id}: {verdict}">{_SIGNS[verdict]}</button></td>'
    )


def _name(verdict: Verdict) -> str:
    return verdict.replace(" ", "")
