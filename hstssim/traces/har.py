"""A navigation as an HTTP Archive 1.2, which Chrome's network panel and other viewers import.

What HAR has no place for stands in fields that begin with `_`, as its specification asks.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from hstssim.navigation import Hop, Navigation
from hstssim.network import Response
from hstssim.network.message import Headers

Json = dict[str, object]


def har(*navigations: Navigation) -> Json:
    """One HTTP Archive of one or several navigations, each a page of it."""
    from hstssim import __version__

    entries = [
        _entry(hop, f"page_{number}")
        for number, navigation in enumerate(navigations, 1)
        for hop in navigation.hops
    ]
    pages = [
        {
            "startedDateTime": _instant(navigation.hops[0].time),
            "id": f"page_{number}",
            "title": navigation.hops[0].replaced or navigation.hops[0].request.url,
            "pageTimings": {"onContentLoad": None, "onLoad": None},
        }
        for number, navigation in enumerate(navigations, 1)
    ]
    creator = {"name": "hstssim", "version": __version__}
    return {"log": {"version": "1.2", "creator": creator, "pages": pages, "entries": entries}}


def _entry(hop: Hop, page: str) -> Json:
    request, milliseconds = hop.request, round(hop.seconds * 1000, 3)
    response = hop.response or Response(0, version="unknown")
    asked: Json = {
        "method": request.method,
        "url": request.url,
        "httpVersion": response.version if hop.response else "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(request.headers),
        "queryString": [
            {"name": name, "value": value}
            for name, value in parse_qsl(request.url.partition("#")[0].partition("?")[2], keep_blank_values=True)
        ],
        "headersSize": -1,
        "bodySize": len(request.body or b""),
    }
    if request.body is not None:
        kind = request.header("Content-Type") or ""
        asked["postData"] = {"mimeType": kind, "params": [], "text": request.body.decode("utf-8", "replace")}
    entry: Json = {
        "pageref": page,
        "startedDateTime": _instant(hop.time),
        "time": milliseconds,
        "request": asked,
        "response": {
            "status": response.status,
            "statusText": response.reason,
            "httpVersion": response.version,
            "cookies": [],
            "headers": _pairs(response.headers),
            "content": _content(response),
            "redirectURL": response.header("Location") or "" if hop.location is not None else "",
            "headersSize": -1,
            "bodySize": -1 if hop.source == "network" else 0,
            "_transferSize": 0 if hop.source != "network" else len(response.body),
            "_error": None if hop.error is None else f"net::{hop.error.name}",
        },
        "cache": {},
        "timings": {
            "blocked": -1,
            "dns": -1,
            "connect": -1,
            "ssl": -1,
            "send": 0,
            "wait": milliseconds,
            "receive": 0,
        },
        "_resourceType": "document",
        "_hstssim": {"source": hop.source, "reason": hop.reason or None, "plaintext": hop.plaintext},
    }
    if response.address:
        entry["serverIPAddress"] = response.address
    if hop.source == "cache":
        entry["_fromCache"] = "disk"
    return entry


def _pairs(headers: Headers) -> list[Json]:
    return [{"name": name, "value": value} for name, value in headers]


def _content(response: Response) -> Json:
    content: Json = {
        "size": len(response.body),
        "mimeType": response.header("Content-Type") or "x-unknown",
    }
    try:
        content["text"] = response.body.decode()
    except UnicodeDecodeError:
        content["text"] = base64.b64encode(response.body).decode("ascii")
        content["encoding"] = "base64"
    if not response.complete:
        content["comment"] = "its beginning only"
    return content


def _instant(time: float) -> str:
    return datetime.fromtimestamp(min(max(time, 0.0), 253402300799.0), UTC).isoformat(timespec="milliseconds")
