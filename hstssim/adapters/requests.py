"""HSTS for requests: `mount(session)`, or an `HTTPAdapter` to mount by hand.

An adapter of the session stays what sends: ours stands before it and forwards every argument.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hstssim.adapters.guard import STS, Guard, Mode, mark
from hstssim.errors import InvalidURL, MissingExtra
from hstssim.interceptor import Interceptor
from hstssim.redirect import InternalRedirect
from hstssim.store import HSTSStore

try:
    import requests
    from requests.adapters import BaseAdapter, HTTPAdapter
    from requests.cookies import get_cookie_header
    from urllib3 import HTTPHeaderDict

    from hstssim.adapters.urllib3 import response as internal_response
    from hstssim.adapters.urllib3 import verified
except ImportError as error:
    raise MissingExtra("this adapter wants requests 2.32 or later: pip install 'hstssim[requests]'") from error


class HSTSAdapter(HTTPAdapter):
    """Sends through another adapter, and first asks whether the request may go out.

    Args:
        inner: what sends; None for a plain `HTTPAdapter`.
        hsts: as in `Guard`; adapters of one session want the same one.
        mode: as in `Guard`. In "redirect", a request that requests could not repeat unchanged at a redirect
            (it strips some headers, and rewinds no pipe) is rewritten all the same, with the 307 in its history.
        bypass: as in `Guard`.
    """

    def __init__(
        self,
        inner: BaseAdapter | None = None,
        *,
        hsts: Guard | Interceptor | HSTSStore | None = None,
        mode: Mode = "redirect",
        bypass: Iterable[str] = (),
    ) -> None:
        BaseAdapter.__init__(self)
        self.inner = HTTPAdapter() if inner is None else inner
        self.guard = hsts if isinstance(hsts, Guard) else Guard(hsts, mode=mode, bypass=bypass)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Any = None,
        **others: Any,
    ) -> requests.Response:
        """Answer with the internal 307, or send and learn from the response."""
        url = request.url or ""
        try:
            redirect = self.guard.upgrade(url, request.headers)
        except InvalidURL as error:
            raise requests.exceptions.InvalidURL(str(error), request=request) from error
        if redirect is None:
            sent = request
        elif self.guard.shows_redirect and _may_be_repeated(request, redirect.location):
            return self._internal(request, redirect)
        else:
            sent = _rewritten(request, redirect.location)
        response = self.inner.send(  # by name, as a session does it: adapters rely on that
            sent, stream=stream, timeout=timeout, verify=verify, cert=cert, proxies=proxies, **others
        )
        response.connection = self  # what authentication sends again passes here too
        if sent.url and sent.url[:6].lower() == "https:":
            fields = _fields(response)
            if fields:
                checked = bool(verify) and verified(getattr(response.raw, "_pool", None))
                self.guard.learn(sent.url, fields, verified=checked)
        if redirect is not None:
            mark(response, redirect)
            if self.guard.shows_redirect:
                response.history = [self._internal(request, redirect)]
        return response

    def _internal(self, request: requests.PreparedRequest, redirect: InternalRedirect) -> requests.Response:
        raw = internal_response(request.url or "", redirect)
        response: requests.Response = self.build_response(request, raw)
        return response

    def close(self) -> None:
        """Close what sends."""
        self.inner.close()

    def __repr__(self) -> str:
        return f"<HSTSAdapter {self.guard!r} before {self.inner!r}>"

    def __getattr__(self, name: str) -> Any:
        if name == "inner":  # not there yet while it is unpickled
            raise AttributeError(name)
        return getattr(self.inner, name)

    def __getstate__(self) -> dict[str, Any]:
        return {"inner": self.inner, "guard": self.guard}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


def mount(
    session: requests.Session,
    hsts: Guard | Interceptor | HSTSStore | None = None,
    *,
    mode: Mode = "redirect",
    bypass: Iterable[str] = (),
) -> requests.Session:
    """Give a session HSTS: each of its adapters stays and gets ours before it.

    Args:
        session: any session; it comes back.
        hsts: as in `Guard`; to share what is learned, give several sessions the same one.
        mode: as in `HSTSAdapter`.
        bypass: as in `Guard`.

    Raises:
        InvalidHost: a host to be left alone is none.
        PreloadError: the bundled list is damaged.
    """
    guard = hsts if isinstance(hsts, Guard) else Guard(hsts, mode=mode, bypass=bypass)
    unmount(session)
    for prefix, adapter in session.adapters.items():
        session.adapters[prefix] = HSTSAdapter(adapter, hsts=guard)
    return session


def unmount(session: requests.Session) -> requests.Session:
    """Give a session back the adapters that it had."""
    for prefix, adapter in session.adapters.items():
        if isinstance(adapter, HSTSAdapter):
            session.adapters[prefix] = adapter.inner
    return session


def _fields(response: requests.Response) -> list[str]:
    raw = getattr(response.raw, "headers", None)
    if isinstance(raw, HTTPHeaderDict):
        return raw.getlist(STS)
    return [response.headers[STS]] if STS in response.headers else []


def _may_be_repeated(request: requests.PreparedRequest, location: str) -> bool:
    """Whether requests repeats a request at a redirect with all its headers and its whole body.

    It strips Authorization where an explicit port changes its scheme, drops a Cookie header that is not the
    jar's, and refuses what it cannot rewind (`SessionRedirectMixin.resolve_redirects`).
    """
    headers = request.headers
    if "Cookie" in headers and headers["Cookie"] != _cookies(request):
        return False
    if "Authorization" in headers and requests.sessions.SessionRedirectMixin().should_strip_auth(
        request.url or "", location
    ):
        return False
    position = request._body_position
    return position is None or isinstance(position, int)


def _rewritten(request: requests.PreparedRequest, location: str) -> requests.PreparedRequest:
    """The same request to another URL, with the cookies that its jar has for that."""
    sent = request.copy()
    sent.url = location
    if sent.headers.get("Cookie") == _cookies(request):
        sent.headers.pop("Cookie", None)
        sent.prepare_cookies(request._cookies or {})
    return sent


def _cookies(request: requests.PreparedRequest) -> str | None:
    """What the request's own jar has for it."""
    bare = request.copy()
    bare.headers.pop("Cookie", None)
    return get_cookie_header(bare._cookies, bare) if bare._cookies is not None else None
