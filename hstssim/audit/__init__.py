"""The audit: what any client makes of HSTS, case by case. Begin reading with `audit.py`."""

from hstssim.audit.audit import Audit, Result, Verdict
from hstssim.audit.cases import CASES, Case
from hstssim.audit.reference import reference
from hstssim.audit.subject import CallableSubject, CommandSubject, Subject, preset

__all__ = [
    "CASES",
    "Audit",
    "CallableSubject",
    "Case",
    "CommandSubject",
    "Result",
    "Subject",
    "Verdict",
    "preset",
    "reference",
]
