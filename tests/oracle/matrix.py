"""What the audit says of the clients that were installed, as data: `python -m tests.oracle.matrix [CLIENT …]`.

It audits the clients of the table that are installed here (of npm's packages: in this folder) and writes their
verdicts, with version and date, into `audit.json`; what was said of others before stays.
"""

from __future__ import annotations

import json
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path
from typing import Any

from hstssim.audit import CASES, Audit, preset
from hstssim.audit.report import VERDICTS
from hstssim.errors import AuditError
from hstssim.lab.clients import CLIENTS
from hstssim.times import iso

PATH = Path(__file__).with_name("audit.json")


def read() -> dict[str, Any]:
    """The matrix: by client its version, the date, and the verdict of each case."""
    found: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    return found


def table() -> str:
    """The matrix summed up, in Markdown."""
    lines = ["| client | version | " + " | ".join(VERDICTS[:3]) + " | fails |", "|---|---|---|---|---|---|"]
    without = []
    for name, client in read().items():
        verdicts = client["verdicts"]
        if verdicts["note"] == "UNIMPLEMENTED":
            without.append(f"{name} {client['version']}")
            continue
        count = Counter(verdicts.values())
        failed = ", ".join(case for case, verdict in verdicts.items() if verdict == "FAILED")
        numbers = " | ".join(str(count[verdict]) for verdict in VERDICTS[:3])
        lines.append(f"| {name} | {client['version']} | {numbers} | {failed} |")
    told = textwrap.fill(f"No HSTS at all: {', '.join(without)}.", 120, break_on_hyphens=False)
    return "\n".join([*lines, "", told, ""])


def main(names: list[str]) -> None:
    """Audit, and write."""
    matrix = read() if PATH.exists() else {}
    for name in names or CLIENTS:
        try:
            subject = preset(name)
        except AuditError as error:
            print(error)
            continue
        began = time.monotonic()
        results = Audit(subject, sealed=True).run()
        verdicts = {result.case.id: result.verdict for result in results}
        before = matrix.get(name, {}).get("verdicts", verdicts)
        changed = {case: (before.get(case), now) for case, now in verdicts.items() if before.get(case) != now}
        matrix[name] = {"version": subject.version, "date": iso(time.time()), "verdicts": verdicts}
        print(name, subject.version, f"{time.monotonic() - began:.0f} s", changed, flush=True)
        rows = [f"{json.dumps(name)}: {json.dumps(matrix[name])}" for name in CLIENTS if name in matrix]
        PATH.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")
    assert all(set(client["verdicts"]) == set(CASES) for client in matrix.values())


if __name__ == "__main__":
    main(sys.argv[1:])
