"""Trust in this Python process: the environment, and what a library made of it before.

Most clients read the environment when they connect, or when they are made. A library that makes one TLS context
for the whole process has read it too early; its context is replaced. Never here: a client's own objects.
"""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from hstssim.lab.clients import PROXY_VARIABLES, trust_environment

KEPT = (("aiohttp.connector", "_SSL_CONTEXT_VERIFIED"),)
"""Where libraries keep the context that verifies by default: module and attribute (aiohttp since 3.10)."""


@contextmanager
def trusting(ca_file: str) -> Iterator[None]:
    """While it lasts, environment and kept contexts point to an authority, and to no proxy."""
    changes: dict[str, str | None] = dict.fromkeys(PROXY_VARIABLES) | trust_environment(ca_file)
    opener = _put_opener(None)
    environment = {name: os.environ.get(name) for name in changes}
    _set_environment(changes)
    before = {place: _kept(*place) for place in KEPT}
    ours = {place: _default_context() for place, context in before.items() if context is not None}
    for place, fresh in ours.items():
        _keep(*place, fresh)
    try:
        yield
    finally:
        _set_environment(environment)
        _put_opener(opener)
        for place in KEPT:
            context, now = before[place], _kept(*place)
            if context is not None and now is ours[place]:
                _keep(*place, context)
            elif context is None and now is not None:  # imported meanwhile: it would trust the lab for ever
                _keep(*place, _default_context())


def _default_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _kept(module: str, name: str) -> ssl.SSLContext | None:
    return getattr(sys.modules.get(module), name, None)


def _keep(module: str, name: str, context: ssl.SSLContext) -> None:
    setattr(sys.modules[module], name, context)


def _put_opener(opener: object) -> object:
    """Put an opener in the place of the one that urlopen made for itself, if there is one or none; give that.

    It keeps a context since Python 3.12. One that somebody installed stays.
    """
    module: ModuleType | None = sys.modules.get("urllib.request")
    if module is None:
        return None
    found = module._opener
    if found is None or all(type(handler).__module__ == "urllib.request" for handler in found.handlers):
        module._opener = opener  # type: ignore[attr-defined]
    return found


def _set_environment(changes: dict[str, str | None]) -> None:
    for name, value in changes.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
