"""Strict-Transport-Security: the grammars of its field value (RFC 6797 §6.1, §6.2).

Here: what a field value says, and what is wrong with it, or taken in an odd way. Never here: which host said
it, over what connection, or what becomes of it (`store.py`).

A grammar is a function `(value, cap) -> Directives`; the cap is its profile's, in seconds. It raises
`InvalidHeader` where its program ignores the value. Those of Chromium, RFC 6797 and Firefox read alike and
differ in facts (`strict.py`); curl and wget each go their own way (`curl.py`, `wget.py`). `quick.py` reads the
shapes that nearly every server sends.
"""

from hstssim.header.curl import curl, curl_7_88
from hstssim.header.directives import MAX_AGE_LIMIT, RULES, Directives, Grammar, Problem
from hstssim.header.strict import chrome, firefox, rfc6797
from hstssim.header.wget import wget

__all__ = [
    "MAX_AGE_LIMIT",
    "RULES",
    "Directives",
    "Grammar",
    "Problem",
    "chrome",
    "curl",
    "curl_7_88",
    "firefox",
    "rfc6797",
    "wget",
]
