"""hstssim simulates how a browser handles HTTP Strict Transport Security (RFC 6797).

The public names, each loaded when it is first used. `hstssim.interceptor` is the best place to begin reading.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hstssim.clock import Clock
    from hstssim.difference import TELLING_HEADERS, TELLING_HOSTS, Comparison, Outcome, diff
    from hstssim.errors import (
        AuditError,
        FormatError,
        HSTSSimError,
        InvalidHeader,
        InvalidHost,
        InvalidRequest,
        InvalidTime,
        InvalidURL,
        LabError,
        MissingExtra,
        PreloadError,
        StoreError,
    )
    from hstssim.formats.kept import open_store
    from hstssim.header import Directives, Problem
    from hstssim.interceptor import Decision, Interceptor, Step
    from hstssim.match import Match
    from hstssim.navigation import Browser, Navigation
    from hstssim.network import LiveNetwork, ScriptedNetwork
    from hstssim.preload import PreloadEntry, PreloadList
    from hstssim.profile import (
        CHROME,
        CURL,
        CURL_7_88,
        FIREFOX,
        PROFILES,
        RFC6797,
        WGET,
        WGET_1_21,
        Profile,
        parse_header,
    )
    from hstssim.redirect import InternalRedirect
    from hstssim.store import HSTSStore, Ignored, KnownHost, Noted, Removed

_HOMES = {
    "clock": "Clock",
    "difference": "TELLING_HEADERS TELLING_HOSTS Comparison Outcome diff",
    "errors": "AuditError FormatError HSTSSimError InvalidHeader InvalidHost InvalidRequest InvalidTime "
    "InvalidURL LabError MissingExtra PreloadError StoreError",
    "formats.kept": "open_store",
    "header": "Directives Problem",
    "interceptor": "Decision Interceptor Step",
    "match": "Match",
    "navigation": "Browser Navigation",
    "network": "LiveNetwork ScriptedNetwork",
    "preload": "PreloadEntry PreloadList",
    "profile": "CHROME CURL CURL_7_88 FIREFOX PROFILES RFC6797 WGET WGET_1_21 Profile parse_header",
    "redirect": "InternalRedirect",
    "store": "HSTSStore Ignored KnownHost Noted Removed",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = [
    "CHROME",
    "CURL",
    "CURL_7_88",
    "FIREFOX",
    "PROFILES",
    "RFC6797",
    "TELLING_HEADERS",
    "TELLING_HOSTS",
    "WGET",
    "WGET_1_21",
    "AuditError",
    "Browser",
    "Clock",
    "Comparison",
    "Decision",
    "Directives",
    "FormatError",
    "HSTSSimError",
    "HSTSStore",
    "Ignored",
    "Interceptor",
    "InternalRedirect",
    "InvalidHeader",
    "InvalidHost",
    "InvalidRequest",
    "InvalidTime",
    "InvalidURL",
    "KnownHost",
    "LabError",
    "LiveNetwork",
    "Match",
    "MissingExtra",
    "Navigation",
    "Noted",
    "Outcome",
    "PreloadEntry",
    "PreloadError",
    "PreloadList",
    "Problem",
    "Profile",
    "Removed",
    "ScriptedNetwork",
    "Step",
    "StoreError",
    "diff",
    "open_store",
    "parse_header",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
