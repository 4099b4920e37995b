"""The internal redirect: the answer that a browser makes up for itself, which no server sent.

Here: its status line and fields, as Chromium synthesises them. Never here: when it is made (`interceptor.py`).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from hstssim.errors import InvalidURL

_field_value = re.compile(r"[\x20-\x7e]+").fullmatch


def check_origin(origin: str) -> None:
    """See that an Origin header could stand in a header field.

    Raises:
        InvalidURL: it could not.
    """
    if not isinstance(origin, str) or not _field_value(origin):
        raise InvalidURL(origin, "an Origin header is printable ASCII on one line")


class InternalRedirect(NamedTuple):
    """The answer that a browser makes up for itself, which no server sent.

    As Chromium synthesises it (net/url_request/redirect_util.cc).
    """

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    """Name and value, in Chromium's order."""

    @classmethod
    def to(cls, location: str, *, origin: str | None = None, by: str = "HSTS") -> InternalRedirect:
        """The redirect to `location` of a request with this Origin header.

        `by` is what Non-Authoritative-Reason says: `HSTS`, `DNS` (an HTTPS record, RFC 9460 §9.5), or
        `HttpsUpgrades`, which has another reason phrase and no cross-origin fields
        (chrome/browser/ssl/https_upgrades_interceptor.cc).

        Raises:
            InvalidURL: `origin` could not stand in a header field.
        """
        if by == "HttpsUpgrades":
            return cls(307, "Temporary Redirect", (("Location", location), ("Non-Authoritative-Reason", by)))
        headers = [
            ("Location", location),
            ("Cross-Origin-Resource-Policy", "Cross-Origin"),
            ("Non-Authoritative-Reason", by),
        ]
        if origin is not None:
            check_origin(origin)
            headers += [
                ("Access-Control-Allow-Origin", origin),
                ("Access-Control-Allow-Credentials", "true"),
            ]
        return cls(307, "Internal Redirect", tuple(headers))

    @property
    def status_line(self) -> str:
        """`HTTP/1.1 307 Internal Redirect`."""
        return f"HTTP/1.1 {self.status} {self.reason}"

    @property
    def location(self) -> str:
        """The URL that it leads to."""
        return self.headers[0][1]

    def as_dict(self) -> dict[str, object]:
        """The redirect as `hstssim explain --json` writes it."""
        return {
            "status": self.status,
            "reason": self.reason,
            "headers": [list(pair) for pair in self.headers],
        }
