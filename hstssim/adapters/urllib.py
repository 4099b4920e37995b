"""HSTS for urllib.request: a handler, `build_opener(HSTSHandler())`.

urllib keeps no history and follows no 307 with a body, so requests are rewritten, and `internal_redirect` tells.
"""

from __future__ import annotations

import copy
import ssl
import urllib.request
from collections.abc import Iterable
from typing import Any
from urllib.error import URLError

from hstssim.adapters.guard import STS, Guard, internal_redirect, mark
from hstssim.errors import InvalidURL
from hstssim.interceptor import Interceptor
from hstssim.store import HSTSStore


class HSTSHandler(urllib.request.BaseHandler):
    """Changes requests before any other handler sees them, and learns from what comes back.

    Args:
        hsts: as in `Guard`; to share what is learned, give several openers' handlers the same one.
        bypass: as in `Guard`.
    """

    handler_order = 0  # the cookies are to be those for https

    def __init__(self, hsts: Guard | Interceptor | HSTSStore | None = None, *, bypass: Iterable[str] = ()) -> None:
        self.guard = hsts if isinstance(hsts, Guard) else Guard(hsts, mode="rewrite", bypass=bypass)

    def http_request(self, request: urllib.request.Request) -> urllib.request.Request:
        """Give the request for the https URL instead, if the host is known."""
        if not request.host:  # which urllib refuses itself
            return request
        try:
            redirect = self.guard.upgrade(request.full_url, request.headers)
        except InvalidURL as error:
            raise URLError(error) from error
        if redirect is None:
            return request
        secure = copy.copy(request)
        secure.full_url = redirect.location
        mark(secure, redirect)
        return secure

    def http_response(self, request: urllib.request.Request, response: Any) -> Any:
        """Learn from a response."""
        if request.type == "https":
            self.guard.learn(request.full_url, response.headers.get_all(STS, []), verified=_verified(response))
        redirect = internal_redirect(request)
        if redirect is not None:
            mark(response, redirect)
        return response

    https_response = http_response

    def __repr__(self) -> str:
        return f"<HSTSHandler {self.guard!r}>"


def _verified(response: Any) -> bool:
    """Whether the certificate was checked, its name too; what is no socket's is taken at its word."""
    sock = getattr(getattr(getattr(response, "fp", None), "raw", None), "_sock", None)
    context = getattr(sock, "context", None)
    return context is None or (context.verify_mode == ssl.CERT_REQUIRED and context.check_hostname)
