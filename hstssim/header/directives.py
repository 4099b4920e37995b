"""What every grammar gives back: directives, and problems with their places and the rules behind them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

_FOLD = re.compile(r"\r\n(?=[ \t])")
_MAX_DIGITS = 4300  # what int() reads by default (sys.int_info); a longer number stands at the largest of these
MAX_AGE_LIMIT = 10**_MAX_DIGITS - 1

RULES = {
    "missing-max-age": "max-age is required (RFC 6797 §6.1.1)",
    "max-age-without-value": "max-age needs a value (RFC 6797 §6.1.1)",
    "max-age-not-digits": "max-age is one or more digits, quoted or not, and nothing else "
    "(RFC 6797 §6.1.1 delta-seconds)",
    "max-age-too-large": "max-age fits into 64 bits (Firefox nsSiteSecurityService.cpp, ParseSSSHeaders)",
    "negative-max-age": "a negative max-age neither makes nor changes an entry (wget hsts.c, hsts_store_entry)",
    "include-subdomains-with-value": "includeSubDomains has no value (RFC 6797 §6.1.2)",
    "repeated-directive": "a directive may stand only once (RFC 6797 §6.1 rule 2)",
    "empty-name": "a directive begins with its name (RFC 6797 §6.1)",
    "name-not-token": "a directive's name is a token (RFC 6797 §6.1; RFC 9110 §5.6.2)",
    "empty-value": "something must follow '=' (RFC 6797 §6.1)",
    "value-not-token": "a directive's value is a token or a quoted-string (RFC 6797 §6.1)",
    "bad-quoted-string": "a quoted-string ends with '\"' and nothing follows it (RFC 9110 §5.6.4)",
    "control-in-quoted-string": "a quoted-string holds no control character (RFC 2616 §2.2)",
    "non-ascii-in-quoted-string": "a quoted-string is ASCII (Firefox nsSecurityHeaderParser.cpp)",
    "nul-in-value": "a field value holds no NUL; a response with one is dropped (curl http.c, verify_header)",
    "max-age-over-cap": "max-age is capped (Chromium http_security_headers.h, kMaxHSTSAgeSecs; Firefox "
    "nsSiteSecurityService.cpp, ProcessSTSHeader; curl hsts.c and wget http.c: 64 bits)",
    "unknown-directive": "a directive that is not known is ignored (RFC 6797 §6.1 rule 5)",
    "ends-at-nul": "the value is a C string, which NUL ends (Firefox nsSecurityHeaderParser.cpp; wget http.c)",
    "ignored-text": "what follows a number or a name is passed over up to ';' (curl hsts.c, Curl_hsts_parse; wget "
    "http.c, extract_param)",
    "prefix-match": "a directive need only begin with includeSubDomains (curl hsts.c, Curl_hsts_parse)",
    "missing-semicolon": "a directive may follow another without ';' (curl hsts.c, Curl_hsts_parse)",
    "split-quoted-string": "a semicolon ends a directive even between quotes (curl hsts.c, Curl_hsts_parse)",
    "scan-stopped": "reading stops at the first directive of another form, and what was read before it counts "
    "(wget http.c, extract_param)",
    "number-defaulted": "a max-age without a number counts as 0 (wget http.c, parse_strict_transport_security)",
    "name-cut": "a name ends at '*', as in RFC 2231 (wget http.c, modify_param_name)",
}
"""Each problem's code and the rule behind it."""


class Problem(NamedTuple):
    """One thing about a field value that a grammar refuses, takes but does not honour, or takes in an odd way."""

    code: str
    offset: int
    """Characters from the start of the field value."""
    message: str
    refuses: bool = True
    """False for a remark: the value is accepted all the same."""

    @property
    def rule(self) -> str:
        """The requirement, with its source."""
        return RULES[self.code]


class Directives(NamedTuple):
    """The content of an accepted field value."""

    max_age: int
    """Seconds, after the profile's cap. 0 asks to forget the host."""
    include_subdomains: bool
    preload: bool
    """Whether a bare `preload` stands in it: consent for hstspreload.org, without meaning to a browser."""
    max_age_sent: int
    """Seconds, as sent (at most `MAX_AGE_LIMIT`)."""
    problems: tuple[Problem, ...] = ()

    @property
    def effect(self) -> str:
        """`set`, or `delete` where max-age is 0 (RFC 6797 §6.1.1)."""
        return "set" if self.max_age else "delete"


Grammar = Callable[[str, "int | None"], Directives]


def remark(code: str, offset: int, message: str) -> Problem:
    """A problem that refuses nothing."""
    return Problem(code, offset, message, False)


def unknown(name: str, offset: int) -> Problem:
    """The remark on a directive that no grammar knows."""
    return Problem("unknown-directive", offset, f"{cut(name)} is not known and ignored", False)


def over_cap(max_age: int, cap: int, offset: int) -> Problem:
    """The remark on a max-age that counts as less."""
    number = str(max_age) if max_age < 10**20 else f"more than {10**20 - 1}"
    return Problem(
        "max-age-over-cap", offset, f"{number} seconds count as {cap}, the most that is remembered", False
    )


def whole(digits: str) -> int:
    """The number, or `MAX_AGE_LIMIT` where it is longer than that."""
    if len(digits) > _MAX_DIGITS:
        digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) <= _MAX_DIGITS else MAX_AGE_LIMIT


def unfolded(value: str) -> str:
    """The value with each line break before a blank made white space (RFC 9112 §5.2); places stay."""
    return _FOLD.sub("  ", value)


def cut(text: str) -> str:
    """The text, or its beginning where it is long."""
    return text if len(text) <= 60 else f"{text[:60]}…"
