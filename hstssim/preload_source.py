"""Where a preload list is made from: Chromium's JSON, a plain table, or a list's own text.

Here: reading and checking sources. What a list is and how it answers is in `preload.py`.
"""

from __future__ import annotations

import binascii
import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping

from hstssim.errors import PreloadError
from hstssim.preload import PreloadEntry

# Chromium net/tools/transport_security_state_generator/input_file_parsers.cc.
_KEYS = frozenset({"name", "policy", "include_subdomains", "mode", "pins"})
_POLICIES = frozenset(
    {
        "test",
        "public-suffix",
        "google",
        "custom",
        "bulk-legacy",
        "bulk-18-weeks",
        "bulk-1-year",
        "public-suffix-requested",
    }
)
HISTORICAL_KEYS = frozenset(
    {
        "include_subdomains_for_pinning",
        "expect_ct",
        "expect_ct_report_uri",
        "expect_staple",
        "expect_staple_report_uri",
        "include_subdomains_for_expect_staple",
    }
)
"""Keys that older files have and today's generator refuses."""

_COMMENT = re.compile(r'("(?:[^"\\\n]|\\.)*+")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_JSON = re.compile(r"(?:\s++|//[^\n]*+|/\*.*?\*/)*+[{\[]", re.DOTALL)
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]+={0,2}\s*")
_FLAGS = {"1": True, "true": True, "0": False, "false": False}
_MODES = {"force-https": True, "": False}
_HEADING = re.compile(r"\s*(?:name|host|domain)[\t, ]+include.*\n", re.IGNORECASE)


def entries(data: bytes, *, path: str = "", historical: bool = False) -> list[PreloadEntry]:
    """Read the entries of a source, whichever it is, gzipped or not.

    Chromium's `transport_security_state_static.json` (also base64, as its code browser serves it) is checked as
    its generator checks it; `historical` lets pass the keys of older files and entries without a policy. A
    table has a line for each name: the name, then 1 or 0 for include_subdomains (1 if it is missing), then the
    mode, with tabs, commas or blanks between; or the words of a list's own text.

    Raises:
        PreloadError: it is none of these; it says each thing that is wrong.
    """
    text = _unpacked(data, path)
    wrong: list[str] = []
    read = _from_json(text, historical, wrong) if _is_json(text) else _from_table(text, wrong)
    found = list(read)
    if not found and not wrong:
        wrong.append("no entry at all")
    if wrong:
        raise PreloadError("\n".join(f"{path}: {what}" if path else what for what in wrong))
    return found


def read(
    given: str | bytes | Iterable[PreloadEntry | Mapping[str, object]], *, historical: bool = False
) -> Iterator[PreloadEntry]:
    """The entries that `PreloadList.build` is given in one form or another.

    Raises:
        PreloadError: one of them is bad; it says each.
    """
    if isinstance(given, str | bytes):
        yield from entries(
            given.encode("utf-8", "surrogatepass") if isinstance(given, str) else given, historical=historical
        )
        return
    wrong: list[str] = []
    for number, entry in enumerate(given, 1):
        if isinstance(entry, PreloadEntry):
            yield entry
        else:
            yield from _entry(number, entry, True, wrong)
    if wrong:
        raise PreloadError("\n".join(wrong))


def is_chromium_json(data: bytes) -> bool:
    """Whether a source, unpacked, is JSON, which for a preload list means Chromium's.

    Raises:
        PreloadError: it is no text.
    """
    return _is_json(_unpacked(data, ""))


def _unpacked(data: bytes, path: str) -> str:
    try:
        text = (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise PreloadError(f"{path or 'the source'}: UTF-8 text, gzipped or not, is required; {error}") from None
    if _BASE64.fullmatch(text):
        try:
            unpacked = binascii.a2b_base64(text.encode()).decode("utf-8-sig", "replace")
        except binascii.Error:
            return text
        return unpacked if _is_json(unpacked) else text
    return text


def _is_json(text: str) -> bool:
    return _JSON.match(text) is not None


def _without_comments(text: str) -> str:
    """The text with `//` and `/* */` comments blanked, so that every place in it stays where it was."""
    return _COMMENT.sub(lambda match: match[1] or re.sub(r"[^\n]", " ", match[0]), text)


def _from_json(text: str, historical: bool, wrong: list[str]) -> Iterator[PreloadEntry]:
    try:
        top = json.loads(_without_comments(text))
    except (ValueError, RecursionError) as error:
        wrong.append(f"JSON is required, comments aside; {error}")
        return
    found = top.get("entries") if isinstance(top, dict) else None
    if not isinstance(found, list):
        wrong.append("an object with a list `entries` is required")
        return
    for number, entry in enumerate(found, 1):
        yield from _entry(number, entry, historical, wrong)


def _entry(number: int, entry: object, historical: bool, wrong: list[str]) -> Iterator[PreloadEntry]:
    problem = _problem(entry, historical)
    if problem:
        wrong.append(f"entry {number}: {problem}")
    elif isinstance(entry, Mapping):
        # As FindBool does, what is no boolean counts as false.
        force_https = entry.get("mode") == "force-https"
        yield PreloadEntry(entry["name"], entry.get("include_subdomains") is True, force_https)


def _problem(entry: object, historical: bool) -> str:
    """What Chromium's generator would refuse about one entry of the JSON; empty if nothing."""
    if not isinstance(entry, Mapping):
        return f"an object is required; seen {entry!r:.60}"
    name = entry.get("name")
    if not isinstance(name, str) or not name:
        return f"`name` is a string that is not empty; seen {name!r:.60}"
    odd = entry.keys() - _KEYS - (HISTORICAL_KEYS if historical else frozenset())
    if odd:
        return f"{name}: the keys are {', '.join(sorted(_KEYS))}; seen {', '.join(sorted(odd))}"
    policy = entry.get("policy")
    if not (policy in _POLICIES if isinstance(policy, str) else historical and policy is None):
        return f"{name}: `policy` is one of {', '.join(sorted(_POLICIES))}; seen {policy!r:.60}"
    mode = entry.get("mode")
    if isinstance(mode, str) and mode not in _MODES:
        return f"{name}: `mode` is force-https or missing; seen {mode!r:.60}"
    return ""


def _from_table(text: str, wrong: list[str]) -> Iterator[PreloadEntry]:
    body = text[match.end() :] if (match := _HEADING.match(text)) else text
    skipped = text.count("\n") - body.count("\n")
    for number, line in enumerate(body.split("\n"), skipped + 1):
        stripped = line.strip(" \r")
        if not stripped.strip() or stripped.startswith(("#", "//")):
            continue
        name, *fields = re.split(r" *[,\t] *| +", stripped)
        words = set(fields)
        if words and words <= {"host-only", "off"}:
            yield PreloadEntry(name, "host-only" not in words, "off" not in words)
            continue
        flag = _FLAGS.get(fields[0].lower()) if fields else True
        mode = _MODES.get(fields[1]) if len(fields) > 1 else True
        policy = fields[2] if len(fields) > 2 else ""
        if flag is None or mode is None or (policy and policy not in _POLICIES) or len(fields) > 4:
            wrong.append(
                f"line {number}: a name, 1 or 0 for include_subdomains, and a mode are required; "
                f"seen {stripped[:80]!r}"
            )
        else:
            yield PreloadEntry(name, flag, mode)
