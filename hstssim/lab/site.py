"""A site: a name, its certificate, and the script of what it answers on http and on https.

Never here: sockets.
"""

from __future__ import annotations

from collections.abc import Sequence

from hstssim.lab.log import Log, Request, assert_no_plaintext
from hstssim.script import Script


class Site(Script):
    """A name of the lab, which answers for itself and the names below it that have no site of their own.

    Made by `Lab.site`. The attributes may be set at any time and hold for the next connection or request.
    """

    def __init__(
        self,
        name: str,
        log: Log,
        *,
        sts: str | bytes | Sequence[str | bytes] = (),
        certificate: str = "valid",
        subdomains: bool = True,
        refuse_tls: bool = False,
    ) -> None:
        super().__init__(name, sts=sts, certificate=certificate, subdomains=subdomains, refuse_tls=refuse_tls)
        self._log = log

    @property
    def requests(self) -> list[Request]:
        """Every request that reached this site."""
        return [request for request in self._log.requests if request.site == self.name]

    @property
    def plaintext_requests(self) -> list[Request]:
        """Those that travelled in the clear."""
        return [request for request in self.requests if request.plaintext]

    def assert_no_plaintext(self) -> None:
        """Fail if a request to this site travelled in the clear (RFC 6797 §8.3).

        Raises:
            AssertionError: one did; it says what was required, expected and seen.
        """
        assert_no_plaintext(self.requests, self.name)

    def __repr__(self) -> str:
        return f"<Site {self.name}, {self.certificate} certificate, {self.sts or 'no policy'}>"
