"""What `audit.json` says of clients is what the audit says of those that are installed in the same version."""

from __future__ import annotations

from pathlib import Path

import pytest

from hstssim.audit import CASES, Audit, preset
from hstssim.errors import AuditError
from tests.oracle import matrix
from tests.programs import missing

pytestmark = [pytest.mark.oracle, pytest.mark.allow_hosts(["127.0.0.1"])]

SAMPLE = ("note", "subdomain", "update-zero", "note-first-field", "tls-error-expired", "port-other", "persistence")
README = Path(__file__).resolve().parents[2] / "README.md"


def verdicts(name: str, cases: tuple[str, ...]) -> tuple[dict[str, str], dict[str, str]]:
    """What is said of a client, and what is seen."""
    try:
        subject = preset(name)
    except AuditError as error:
        if name in ("curl", "wget", "chromium"):
            missing(str(error))
        pytest.skip(str(error))
    said = matrix.read()[name]
    if subject.version != said["version"]:
        pytest.skip(f"{name} {said['version']} was audited; seen {subject.version}")
    results = Audit(subject, cases).run()
    return {case: said["verdicts"][case] for case in cases}, {r.case.id: r.verdict for r in results}


@pytest.mark.parametrize("name", ["curl", "wget", "wget2", "libsoup", "chromium", "requests", "node"])
def test_a_client_is_graded_as_before(name: str) -> None:
    said, seen = verdicts(name, SAMPLE)
    assert seen == said


@pytest.mark.full
@pytest.mark.parametrize("name", matrix.read())
def test_a_client_is_graded_as_before_in_every_case(name: str) -> None:
    said, seen = verdicts(name, tuple(CASES))
    assert seen == said


def test_the_matrix_has_every_case() -> None:
    assert all(set(client["verdicts"]) == set(CASES) for client in matrix.read().values())


def test_the_readme_sums_it_up() -> None:
    assert matrix.table() in README.read_text(encoding="utf-8")
